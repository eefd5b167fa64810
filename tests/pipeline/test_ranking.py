"""The best of each group, as a table and as copies."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.pipeline.sorted_files import tree, write_table
from tests.pipeline.tables import needs_parquet, read

from fiqa.errors import UnknownName, UsageError
from fiqa.pipeline import ResultTable, rank
from fiqa.pipeline.selection import Ranked, copy_ranked, grouping, write_ranked


def _table(folder, scores):
    """A table of {path: score}."""
    rows = [(path, 0, "ok" if score != "" else "no_face", score, "", "") for path, score in scores.items()]
    return write_table(folder / "scores.csv", rows)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5)), min_size=1), st.integers(1, 4))
def test_the_best_of_each_folder_are_those_of_a_full_sort(tmp_path_factory, faces, top):
    scores = {f"photos/{who}/{number}.jpg": score for number, (who, score) in enumerate(faces)}
    found, empty = rank(_table(tmp_path_factory.mktemp("t"), scores), top=top)
    people = {path.split("/")[1] for path in scores}
    expected = {}
    for who in people:
        own = [(path, score) for path, score in scores.items() if path.split("/")[1] == who]
        expected[who] = sorted(own, key=lambda one: -one[1])[:top]  # stable: of equals the first
    by_group = {}
    for one in found:
        by_group.setdefault(one.group if len(people) > 1 else next(iter(people)), []).append(one)
    assert {
        g: [(one.values["path"], one.quality) for one in ones] for g, ones in by_group.items()
    } == expected
    assert all([one.place for one in ones] == list(range(1, len(ones) + 1)) for ones in by_group.values())
    assert empty == []


def test_a_group_is_a_folder_below_all_or_a_columns_value(tmp_path):
    table = _table(tmp_path, {"in/x/ann/1.jpg": 1, "in/x/ann/2.jpg": 2, "in/y/1.jpg": 3, "in/0.jpg": ""})
    found, empty = rank(table)
    assert ([(one.group, one.n_images) for one in found], empty) == (
        [("x/ann", 2), ("x/ann", 2), ("y", 1)],
        ["in"],
    )
    found, empty = rank(table, by="status", top=1)
    assert ([(one.group, one.values["path"]) for one in found], empty) == (
        [("ok", "in/y/1.jpg")],
        ["no_face"],
    )
    with pytest.raises(UnknownName, match=r"no column 'state'\. Did you mean 'status'\?"):
        rank(table, by="state")
    with pytest.raises(UsageError, match="top must be at least 1, but got 0"):
        rank(table, top=0)


def test_a_column_called_folder_is_a_column(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"path": "a/1.jpg", "status": "ok", "score": 1, "folder": 7}\n')
    assert grouping(ResultTable(tmp_path / "t.jsonl"))({"path": "a/1.jpg", "folder": 7}) == "7"


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_the_ranking_is_written(tmp_path, suffix):
    needs_parquet(suffix)
    table = _table(tmp_path, {"in/a/1.jpg": 1.5, "in/b/=2.jpg": 2, "in/b/caf\udce9.jpg": 3})
    found, _ = rank(table, top=1)
    write_ranked(found, table, tmp_path / f"best{suffix}")
    rows = read(tmp_path / f"best{suffix}")
    assert [list(map(str, values)) for values in rows] == [
        ["group", "place", "n_images", "path", "score"]
    ] * 2
    assert [float(values["score"]) for values in rows] == [1.5, 3]
    with pytest.raises(UnknownName, match="no output format"):
        write_ranked(found, table, tmp_path / "best.txt")


def test_copies_never_collide_and_a_second_run_adds_nothing(tmp_path):
    scores = {}
    for number in range(6):
        file = tmp_path / "in" / str(number) / "face.jpg"
        file.parent.mkdir(parents=True)
        file.write_text(f"picture {number % 3}")  # some hold the same
        scores[f"in/{number}/face.jpg"] = number
    table = _table(tmp_path, scores | {"in/gone.jpg": 99})
    (tmp_path / "best" / "ok").mkdir(parents=True)
    (tmp_path / "best" / "ok" / "face.jpg").write_text("somebody else's")
    found, _ = rank(table, by="status", top=9)
    for _ in range(2):
        n_there, missing = copy_ranked(found, tmp_path / "best", root=tmp_path)
        assert (n_there, missing) == (6, ["in/gone.jpg"])
        copies = [text for name, text in tree(tmp_path).items() if name.startswith("best")]
        assert sorted(copies) == sorted(["somebody else's", *(f"picture {n % 3}" for n in range(6))])


def test_a_groups_name_leads_nowhere_else(tmp_path):
    names = ["../../out", "/etc", "..", "", "a/../../b", "CON", "b"]
    lines = []
    (tmp_path / "p.jpg").write_text("p")
    for name in names:
        lines.append(json.dumps({"path": "p.jpg", "status": "ok", "score": 1, "who": name}))
        (tmp_path / "t.jsonl").write_text("\n".join(lines) + "\n")
    table = ResultTable(tmp_path / "t.jsonl")
    found = [
        Ranked(group=values["who"], place=1, n_images=1, quality=1, values=values) for values in table.rows()
    ]
    copy_ranked(found, tmp_path / "best", root=tmp_path)
    places = {name for name in tree(tmp_path) if name.endswith("p.jpg")} - {"p.jpg"}
    assert places == {f"best/{g}/p.jpg" for g in ("out", "etc", "_", "_-2", "a/b", "CON", "b")}
