"""The list of what is to be scored: always the same, each path once, cut into shards, on disk."""

from __future__ import annotations

import os

import pytest
from tests.pipeline.faces import mean_scorer, png, rows_of, write_tar

from fiqa.errors import DataError, UsageError
from fiqa.pipeline import manifest_of, score_to
from fiqa.pipeline.items import Item
from fiqa.pipeline.manifest import Manifest


def paths_of(manifest: Manifest) -> list[list[str]]:
    """The paths, shard by shard."""
    shards = [list(manifest.items(number)) for number in range(manifest.n_shards)]
    return [[item if isinstance(item, str) else item.path for item in shard] for shard in shards]


def test_shards_follow_each_other_and_a_tar_is_one():
    x, y = (Item(path=f"{name}.tar", is_tar=True) for name in "xy")
    items = ["a", "b", "c", x, "d", y, "e", "f", "g"]
    with Manifest.made(items, shard_size=2) as manifest:
        assert paths_of(manifest) == [["a", "b"], ["c"], ["x.tar"], ["d"], ["y.tar"], ["e", "f"], ["g"]]
        assert manifest.contents.counts == (2, 1, None, 1, None, 2, 1)
        assert list(manifest.items()) == items
        assert manifest.contents.n_images is None


def test_a_path_counts_once_wherever_it_stands():
    items = ["b", "a", "b", "c", *("a" * n for n in range(1, 9)), "c"]
    with Manifest.made(items, shard_size=3) as manifest:
        assert [path for shard in paths_of(manifest) for path in shard] == list(dict.fromkeys(items))
        assert (manifest.contents.n_items, manifest.contents.n_repeated) == (10, 4 - 1)


def test_paths_of_any_bytes_come_back(tmp_path):
    names = ["new\nline", "tab\t", os.fsdecode(b"\xff\xfe.jpg"), "ä", '"quoted"', "\\x"]
    with Manifest.made(names) as manifest:
        assert list(manifest.items()) == names
        manifest.save(tmp_path / "m")
        contents = manifest.contents
    with Manifest.opened(tmp_path / "m", contents) as again:
        assert list(again.items()) == names


def test_its_identity_is_that_of_paths_order_shards_and_columns():
    def identity(items, **settings):
        with Manifest.made(items, **settings) as manifest:
            return manifest.contents.sha256

    assert identity(["a", "b"]) == identity(["a", "b"])
    others = [identity(["b", "a"]), identity(["a"]), identity(["a", "b"], shard_size=1)]
    others.append(identity([Item(path="a", carried={"id": 1}), "b"]))
    assert len({identity(["a", "b"]), *others}) == 5


def test_a_list_carries_its_other_columns(tmp_path):
    pa = pytest.importorskip("pyarrow", reason="Parquet needs the extra parquet")
    import pyarrow.parquet as pq

    values = {
        "file": ["a.jpg", "b.jpg"],
        "id": pa.array([1 << 40, None], pa.int64()),
        "x": [0.5, float("nan")],
        "live": [True, False],
        "day": pa.array([0, 1], pa.date32()),
    }
    pq.write_table(pa.table(values), tmp_path / "list.parquet")
    (tmp_path / "list.csv").write_text('id,file\n7,c.jpg\n\'=1,"d,e.jpg"\n')
    lists = [tmp_path / "list.parquet", f"@{tmp_path / 'list.csv'}"]
    with manifest_of(lists, path_column="file") as manifest:
        kinds = {column.name: column.kind for column in manifest.contents.columns}
        assert kinds == {"id": "text", "x": "number", "live": "truth", "day": "text"}
        assert list(manifest.items()) == [
            Item(path="a.jpg", carried={"id": 1 << 40, "x": 0.5, "live": True, "day": "1970-01-01"}),
            Item(path="b.jpg", carried={"id": None, "x": None, "live": False, "day": "1970-01-02"}),
            Item(path="c.jpg", carried={"id": "7"}),
            Item(path="d,e.jpg", carried={"id": "=1"}),
        ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("file,id\na,1\n", "must have a column 'path', but has file, id: name it with --path-column"),
        ("path,id\na\n", "can't be read: a row has 1 cells, not 2"),
        ("path,id\na,1\n,2\n", "row 2 of the list .* names no image"),
        ("", "must have a column 'path', but has none"),
    ],
)
def test_a_damaged_list_is_one_sentence(text, says, tmp_path):
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(DataError, match=says):
        manifest_of(tmp_path / "list.csv")
    with pytest.raises(DataError, match="can't be read: No such file"):
        manifest_of(tmp_path / "none.csv")


def test_a_csv_without_such_a_column_is_a_list_of_lines_behind_an_at(tmp_path):
    (tmp_path / "list.csv").write_text("a.jpg\nb,c.jpg\n")
    with manifest_of(f"@{tmp_path / 'list.csv'}") as manifest:
        assert list(manifest.items()) == ["a.jpg", "b,c.jpg"]


def test_a_tar_stands_for_itself_in_patterns_and_lists_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("s-0.tar", "s-1.tar"):
        write_tar(tmp_path / name, {"a.png": png(1)})
    (tmp_path / "list").write_text("s-1.tar\n")
    with manifest_of(["@list", "s-*.tar"]) as manifest:
        assert list(manifest.items()) == [Item(path=f"s-{n}.tar", is_tar=True) for n in (1, 0)]


def test_nothing_to_score_is_wrong_use(tmp_path):
    with pytest.raises(UsageError, match="no images in"):
        manifest_of(tmp_path)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_rows_carry_the_columns_of_their_list(suffix, tmp_path):
    for number, name in enumerate("ab"):
        (tmp_path / f"{name}.png").write_bytes(png(number))
    (tmp_path / "list.csv").write_text(f"path,who\n{tmp_path}/b.png,Bo\n{tmp_path}/none.png,=x\n")
    table = tmp_path / f"t{suffix}"
    inputs = [tmp_path / "list.csv", tmp_path / "a.png"]
    score_to(table, mean_scorer(), inputs)
    run = score_to(table, mean_scorer(), inputs, resume=True)
    assert (run.n_images, run.n_before) == (3, 3)
    assert [(row["status"], row["who"] or None) for row in rows_of(table)] == [
        ("ok", "Bo"),
        ("missing", "=x"),
        ("ok", None),
    ]


def test_a_column_of_the_result_can_t_be_carried(tmp_path):
    (tmp_path / "list.csv").write_text("path,score\na,1\n")
    with pytest.raises(UsageError, match="a column 'score', which is one of the result's own: rename it"):
        score_to(tmp_path / "t.csv", mean_scorer(), tmp_path / "list.csv")
