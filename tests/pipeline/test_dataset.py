"""A folder of parts: what is in it, when a part appears, and with what it may be gone on with."""

from __future__ import annotations

import json
import os
import sys

import pytest

pytest.importorskip("pyarrow", reason="Parquet needs the extra parquet")
import pyarrow.parquet as pq
from tests.pipeline.datasets import content, crops, run, slow_scorer
from tests.pipeline.faces import mean_scorer, png, rows_of, write_tar

from fiqa.errors import DataError, MissingExtra, UsageError
from fiqa.pipeline import ResultTable, Settings, Share, manifest_of, rank, score_dataset, score_to
from fiqa.pipeline.dataset import Dataset, is_folder
from fiqa.pipeline.manifest import Manifest


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return crops(tmp_path_factory.mktemp("images") / "crops", 70)


def test_its_rows_are_those_of_one_file(images, tmp_path):
    done = run(tmp_path / "out", images)
    assert (done.path, done.n_images, done.n_before, done.n_not_ok) == (tmp_path / "out", 70, 0, 1)
    score_to(tmp_path / "t.parquet", mean_scorer(), images)
    assert content(tmp_path / "out") == pq.read_table(tmp_path / "t.parquet").to_pylist()
    parts = sorted(path.name for path in (tmp_path / "out").glob("part-*"))
    assert parts == ["part-00000.parquet", "part-00001.parquet", "part-00002.parquet"]
    table = ResultTable(tmp_path / "out")
    assert list(table.rows()) == rows_of(tmp_path / "t.parquet")
    assert table.methods == ("exit:1",)
    assert [one.place for one in rank(table, by="folder", top=3)[0]] == [1, 2, 3]


def test_nothing_is_done_twice_and_a_deleted_part_comes_again(images, tmp_path):
    run(tmp_path / "out", images)
    whole = content(tmp_path / "out")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert run(tmp_path / "out", images).n_before == 70
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == times
    (gone := tmp_path / "out" / "part-00001.parquet").unlink()
    seen = []
    progress = lambda quality, n_begun, n_images: seen.append((n_begun, n_images))  # noqa: E731
    assert run(tmp_path / "out", images, progress=progress).n_before == 45
    assert seen == [(n, 25) for n in range(1, 26)]
    assert content(tmp_path / "out") == whole
    assert gone.exists()


def test_a_tar_is_a_part_and_rows_carry_their_list(images, tmp_path):
    write_tar(tmp_path / "x.tar", {f"{n}.png": png(n) for n in range(30)})
    (tmp_path / "list.csv").write_text(f"path,who\n{images}/000003.png,Ann\n{images}/000004.png,Bo\n")
    inputs = [tmp_path / "x.tar", tmp_path / "list.csv", images / "000000.png"]
    run(tmp_path / "out", inputs, shard_size=10)
    sizes = [pq.read_metadata(path).num_rows for path in sorted((tmp_path / "out").glob("part-*"))]
    assert sizes == [30, 3]
    assert [row["who"] for row in content(tmp_path / "out")[-4:]] == [None, "Ann", "Bo", None]
    assert content(tmp_path / "out")[0]["path"] == f"{tmp_path}/x.tar/0.png"


def test_from_python_in_one_call(images, tmp_path):
    done = score_to(tmp_path / "out", mean_scorer(), images)
    assert (done.n_images, done.n_not_ok) == (70, 1)
    assert len(content(tmp_path / "out")) == 70


def test_other_settings_or_images_are_refused_and_nothing_is_touched(images, tmp_path):
    run(tmp_path / "out", images)
    names = sorted(os.listdir(tmp_path / "out"))
    with pytest.raises(UsageError, match="was written with all_faces False, not True: go on with the same"):
        score_dataset(
            tmp_path / "out", mean_scorer(), manifest_of(images, shard_size=25), Settings(all_faces=True)
        )
    with pytest.raises(UsageError, match=r"was written of other images \(70, not 1\)"):
        run(tmp_path / "out", images / "000000.png")
    with pytest.raises(UsageError, match="or cut into other shards"):
        run(tmp_path / "out", images, shard_size=30)
    assert sorted(os.listdir(tmp_path / "out")) == names


def test_a_folder_of_others_is_refused(images, tmp_path, monkeypatch):
    with pytest.raises(UsageError, match=r"holds other files, such as '.*png': name a new or an empty one"):
        run(images, images)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "part-00000.parquet").touch()
    with pytest.raises(UsageError, match="holds other files"):
        run(tmp_path / "parts", images)
    with pytest.raises(UsageError, match="in a folder that does not exist"):
        run(tmp_path / "no" / "out", images)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="can't be used: Not a directory"):
        run(tmp_path / "file", images)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("{}")
    with pytest.raises(DataError, match=r"run.json' can't be read"):
        run(tmp_path / "broken", images)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra):
        run(tmp_path / "out", images)


def test_several_processes_need_a_way_to_make_a_scorer(images, tmp_path):
    with pytest.raises(UsageError, match="give make"):
        score_dataset(tmp_path / "out", mean_scorer(), images, workers=2)


def test_a_part_appears_when_it_is_whole_and_an_error_leaves_nothing(images, tmp_path):
    names = []

    def stop(quality, n_begun, n_images):
        names.append(sorted(path.name for path in (tmp_path / "out").glob("part-*")))
        if n_begun == 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "out", images, progress=stop)
    assert names == [[]] * 25 + [["part-00000.parquet"]] * 15
    assert list((tmp_path / "out").glob(".part-*")) == []
    assert run(tmp_path / "out", images).n_before == 25
    run(tmp_path / "whole", images)
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_what_the_dead_left_behind_goes(images, tmp_path):
    run(tmp_path / "out", images)
    whole = content(tmp_path / "out")
    (tmp_path / "out" / "part-00000.parquet").unlink()
    (tmp_path / "out" / ".part-00000.parquet.abc").touch()
    (tmp_path / "out" / ".part-00002.parquet.abc").touch()
    run(tmp_path / "out", images)
    assert content(tmp_path / "out") == whole


def test_shares_are_every_nth_part(images, tmp_path):
    for text, numbers in (("1/2", [1]), ("0/2", [0, 1, 2])):
        run(tmp_path / "out", images, share=text)
        assert sorted(int(path.name[5:10]) for path in (tmp_path / "out").glob("part-*")) == numbers
    for text in ("2/2", "x/2", "1", "-1/2"):
        with pytest.raises(UsageError, match="a share must be K/N"):
            Share.read(text)


def test_names_sort_by_number_however_many_there_are(tmp_path):
    with Manifest.made([str(n) for n in range(100_001)], shard_size=1) as manifest:
        dataset = Dataset.begun(tmp_path / "out", manifest, {"decides": {}})
        assert dataset.part(99_999).name < dataset.part(100_000).name == "part-100000.parquet"
    facts = json.loads((tmp_path / "out" / "run.json").read_text())
    assert facts["manifest"]["n_items"] == 100_001


@pytest.mark.parametrize(
    ("text", "wanted"), [("out", True), ("v1.2/", True), (".", True), ("a.csv", False), ("a.xyz", False)]
)
def test_what_is_a_folder(text, wanted):
    assert is_folder(text) == wanted


def test_the_scorer_of_these_tests_is_the_plain_one(images):
    path = images / "000003.png"
    assert slow_scorer(0.01).score(path).raw == mean_scorer().score(path).raw
