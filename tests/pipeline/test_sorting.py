"""Sorting: files lie where the gate says, none is lost, overwritten or doubled, whenever a kill comes."""

from __future__ import annotations

import errno
import json
import os
import random
from dataclasses import asdict
from pathlib import Path

import pytest
from tests.pipeline.sorted_files import make_photographs, run_killed, sorting_of, tree, write_table

from fiqa.calibration import Calibration, Threshold, read_gate
from fiqa.errors import DataError, UsageError
from fiqa.pipeline import ResultTable, Sorting, sort_files, undo_sort
from fiqa.pipeline.lock import WriterLock
from fiqa.pipeline.placement import HOWS
from fiqa.pipeline.selection import ledger_path

N_KILLS = int(os.environ.get("FIQA_TEST_KILLS", "12"))  # 100: the full check
posix = pytest.mark.skipif(os.name != "posix", reason="kill -9 and links as on Linux and macOS")
pytestmark = posix


@pytest.fixture(params=[*HOWS, "move elsewhere"])
def how(request, monkeypatch):
    """Each way; elsewhere is another file system, where no hard link can lead."""
    if request.param == "move elsewhere":
        real = os.link

        def link(source, target, **options):
            if ".fiqa-part" not in str(source):
                raise OSError(errno.EXDEV, "another file system")
            real(source, target, **options)

        monkeypatch.setattr(os, "link", link)
    return request.param.split()[0]


def _undone(table: ResultTable) -> list[str]:
    return [problem for _, problem in undo_sort(table) if problem]


def test_files_lie_where_the_gate_says_and_come_back(tmp_path, how):
    table = make_photographs(tmp_path)
    before = tree(tmp_path)
    done = sort_files(sorting_of(table), how)
    assert (done.fates, done.n_before) == ({"accepted": 12, "rejected": 12}, 0)
    after = tree(tmp_path)
    for name, text in before.items():
        verdict = "ok" if int(text.split()[1]) % 2 else "bad"
        place = name.replace("photos", verdict)
        assert after.pop(place) == (f"→ {tmp_path / name}" if how == "link" else text)
    left = {name: text for name, text in after.items() if text != "empty"}
    assert left == ({} if how == "move" else before)
    again = sort_files(sorting_of(table), how)
    assert again.n_before == 24
    assert _undone(table) == []
    assert tree(tmp_path) == before
    assert not ledger_path(table).exists()


def test_a_kill_at_any_moment_loses_and_doubles_nothing(tmp_path, how):
    n_files = N_KILLS  # each is worth a kill
    quiet = make_photographs(tmp_path / "quiet", n_files)
    before = tree(tmp_path / "quiet")
    sort_files(sorting_of(quiet), how)
    expected = {n: t.replace("/quiet/", "/killed/") for n, t in tree(tmp_path / "quiet").items()}

    table = make_photographs(tmp_path / "killed", n_files)
    sorting, rng, n_kills = sorting_of(table), random.Random(0), 0
    while not run_killed(lambda: sort_files(sorting, how), rng.randint(8, 20)):
        n_kills += 1
    assert n_kills >= N_KILLS // 3
    assert tree(tmp_path / "killed") == expected

    latest = 8 + 12 * n_files  # an undo looks at every file again, so that some must get to the end
    while ledger_path(table).exists() and not run_killed(lambda: _undone(table), rng.randint(8, latest)):
        n_kills += 1
    assert tree(tmp_path / "killed") == before
    assert not ledger_path(table).exists()


def test_a_killed_sort_is_undone(tmp_path, how):
    table = make_photographs(tmp_path)
    before = tree(tmp_path)
    for moment in random.Random(3).sample(range(8, 120), min(N_KILLS // 3, 100)):
        run_killed(lambda: sort_files(sorting_of(table), how), moment)
        if ledger_path(table).exists():
            assert _undone(table) == []
        assert tree(tmp_path) == before


def test_nothing_is_overwritten(tmp_path, how):
    table = make_photographs(tmp_path, 6)
    other = tmp_path / "ok" / "person 1" / "000"
    other.mkdir(parents=True)
    (other / "face.jpg").write_text("somebody else's")
    (other / "face-2.jpg").symlink_to("nowhere")
    before = tree(tmp_path)
    sort_files(sorting_of(table), how)
    assert (other / "face.jpg").read_text() == "somebody else's"
    assert (other / "face-2.jpg").is_symlink()
    assert (other / "face-3.jpg").read_text() == "picture 1"
    assert _undone(table) == []
    assert tree(tmp_path) == before


def test_what_was_changed_since_is_left_and_said(tmp_path):
    table = make_photographs(tmp_path, 6)
    sort_files(sorting_of(table), "copy")
    changed = tmp_path / "ok" / "person 1" / "000" / "face.jpg"
    changed.write_text("edited")
    assert _undone(table) == ["has been changed since"]
    assert changed.read_text() == "edited"
    assert ledger_path(table).exists()
    with pytest.raises(UsageError, match="is being undone: finish that with --undo"):
        sort_files(sorting_of(table), "copy")
    changed.unlink()
    assert _undone(table) == []


def test_an_old_place_that_is_taken_is_said(tmp_path):
    table = make_photographs(tmp_path, 6)
    sort_files(sorting_of(table), "move")
    old = tmp_path / "photos" / "person 1" / "000" / "face.jpg"
    old.write_text("new")
    assert _undone(table) == [f"can't go back, since there is another {str(old)!r}"]
    assert old.read_text() == "new"
    assert (tmp_path / "ok" / "person 1" / "000" / "face.jpg").read_text() == "picture 1"


def test_other_settings_need_an_undo_first(tmp_path):
    table = make_photographs(tmp_path, 6)
    sort_files(sorting_of(table), "link")
    with pytest.raises(UsageError, match="sorted with rule '60', not '5': take it back with --undo first"):
        sort_files(sorting_of(table, "5"), "link")
    with pytest.raises(UsageError, match="sorted with how 'link', not 'move'"):
        sort_files(sorting_of(table), "move")


def test_a_table_that_grew_goes_on(tmp_path):
    table = make_photographs(tmp_path, 6)
    sort_files(sorting_of(table), "move")
    (tmp_path / "photos" / "late.jpg").write_text("late")
    with open(table.path, "a", encoding="utf-8") as file:
        file.write(f"{tmp_path}/photos/late.jpg,0,ok,80,,\n")
    done = sort_files(sorting_of(ResultTable(table.path)), "move")
    assert (done.fates["accepted"], done.n_before) == (4, 6)
    assert (tmp_path / "ok" / "late.jpg").read_text() == "late"


def test_what_has_no_score_is_rejected_and_what_failed_or_is_missing_stays(tmp_path):
    files = {name: tmp_path / "in" / f"{name}.jpg" for name in ("unreadable", "no_face", "failed", "ok")}
    files["ok"].parent.mkdir()
    for name, file in files.items():
        file.write_text(name)
    rows = [(file, "", status, 99 if status == "ok" else "", "", "") for status, file in files.items()]
    table = write_table(
        tmp_path / "scores.csv", [*rows, (tmp_path / "in" / "gone.jpg", "", "missing", "", "", "")]
    )
    done = sort_files(sorting_of(table), "move")
    assert done.fates == {"rejected": 2, "failed": 1, "missing": 1, "accepted": 1}
    assert set(tree(tmp_path)) == {"bad/unreadable.jpg", "bad/no_face.jpg", "in/failed.jpg", "ok/ok.jpg"}


def test_the_largest_face_decides_and_a_file_is_sorted_once(tmp_path, monkeypatch):
    (tmp_path / "a.jpg").write_text("a")
    (tmp_path / "b.jpg").write_text("b")
    rows = [
        ("a.jpg", 0, "ok", 90, "", ""),
        ("a.jpg", 1, "ok", 5, "", ""),
        ("b.jpg", 0, "ok", 5, "", ""),
        ("b.jpg", 1, "ok", 90, "", ""),
        ("./a.jpg", 0, "ok", 5, "", ""),  # another name of it
    ]
    table = write_table(tmp_path / "scores.csv", rows)
    sort_files(sorting_of(table), "copy")
    assert tree(tmp_path) == {"ok/a.jpg": "a", "bad/b.jpg": "b"}


def test_a_path_leads_nowhere_else(tmp_path):
    (tmp_path / "deep" / "photos").mkdir(parents=True)
    (tmp_path / "secret.jpg").write_text("s")
    (tmp_path / "deep" / "photos" / "a.jpg").write_text("a")
    rows = [("photos/../../secret.jpg", 0, "ok", 90, "", ""), ("photos/a.jpg", 0, "ok", 90, "", "")]
    table = write_table(tmp_path / "deep" / "scores.csv", rows)
    sort_files(sorting_of(table), "copy")
    sorted_ = {name for name in tree(tmp_path) if "ok" in Path(name).parts}
    assert sorted_ == {"deep/ok/secret.jpg", "deep/ok/deep/photos/a.jpg"}


def test_a_link_that_is_moved_still_leads_to_its_picture(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "photos").mkdir()
    (tmp_path / "store" / "a.jpg").write_text("a")
    (tmp_path / "photos" / "a.jpg").symlink_to("../store/a.jpg")
    before = tree(tmp_path)
    table = write_table(tmp_path / "scores.csv", [("photos/a.jpg", 0, "ok", 90, "", "")])
    sort_files(sorting_of(table), "move")
    assert (tmp_path / "ok" / "a.jpg").is_symlink()
    assert (tmp_path / "ok" / "a.jpg").read_text() == "a"
    assert not os.path.lexists(tmp_path / "photos" / "a.jpg")
    assert _undone(table) == []
    assert tree(tmp_path) == before


def test_strange_names_keep_their_names(tmp_path):
    names = ["caf\udce9.jpg", "line\nbreak.jpg", "=1+1.jpg", "日本.jpg", "n" * 240 + ".jpg"]
    (tmp_path / "in").mkdir()
    for name in names:
        (tmp_path / "in" / name).write_text(name.encode("utf-8", "replace").decode())
    rows = [(f"in/{name}", 0, "ok", 90, "", "") for name in names]
    table = write_table(tmp_path / "scores.csv", rows)
    for how in HOWS:
        sort_files(sorting_of(table), how)
        assert sorted(os.listdir(tmp_path / "ok")) == sorted(names)
        assert _undone(table) == []


def test_a_gate_of_the_profile_is_read_from_the_tables_own_calibration(tmp_path):
    gate = Threshold(kind="fnmr", target=0.01, raw=0.5, score=50, low=0.4, high=0.6, discarded=0.1)
    known = Calibration(spec="attn", raw=(0, 1), score=(0, 100), meaning="…", thresholds=(gate,))
    for name in ("good", "bad"):
        (tmp_path / f"{name}.jpg").write_text(name)
    rows = [("good.jpg", 0, "ok", 50.0, 0.5, ""), ("bad.jpg", 0, "ok", 50.0, 0.499999, "")]
    table = write_table(tmp_path / "scores.csv", rows)
    facts = {"decides": {"scored_by": "attn", "methods": {"attn": "attn"}}, "calibration": asdict(known)}
    (tmp_path / "scores.csv.run.json").write_text(json.dumps(facts))
    read = table.gate("fnmr=1%")
    assert (read.low, read.high) == (pytest.approx(40), pytest.approx(60))
    sort_files(
        Sorting(table=table, gate=read, accepted=tmp_path / "ok", rejected=tmp_path / "no", root=tmp_path),
        "copy",
    )
    assert set(tree(tmp_path)) == {
        "ok/good.jpg",
        "no/bad.jpg",
    }  # the raw score tells what the rounded one can't


def test_one_run_at_a_time_and_one_table_at_a_time(tmp_path):
    table = make_photographs(tmp_path, 6)
    with pytest.raises(UsageError, match="has not been sorted: there is no"):
        _undone(table)
    lock = WriterLock(ledger_path(table))
    try:
        with pytest.raises(UsageError, match="is being written by process"):
            sort_files(sorting_of(table), "copy")
    finally:
        lock.release()
    with pytest.raises(UsageError, match=r"must be two folders, but got .* twice"):
        Sorting(
            table=table, gate=read_gate("60", None), accepted=tmp_path / "x", rejected=tmp_path / "y/../x"
        )


@pytest.mark.parametrize(
    "text", ['{"path": 1}\n', "no json\n", "[]\n", '{"format": "fiqa-sort"}\n{"from": "x"}\n']
)
def test_a_journal_that_is_none_is_said(tmp_path, text):
    table = make_photographs(tmp_path, 6)
    before = tree(tmp_path)
    ledger_path(table).write_text(text)
    with pytest.raises(DataError, match="is damaged or no journal of fiqa sort"):
        sort_files(sorting_of(table), "move")
    assert tree(tmp_path) == before
