"""Tars of images: each member a row, whatever is wrong with the archive one row more."""

from __future__ import annotations

import gzip
import tarfile

import pytest
from tests.pipeline.faces import mean_scorer, png, rows_of, write_tar

from fiqa.images import read
from fiqa.pipeline import score_to
from fiqa.pipeline.tars import members

FILES = {"0001.png": png(1), "0001.json": b"{}", "sub/0002.png": png(2), "0003.PNG": b"broken"}
NAMES = ["0001.png", "sub/0002.png", "0003.PNG"]


@pytest.mark.parametrize(
    ("name", "mode"), [("x.tar", "w"), ("x.tar.gz", "w:gz"), ("x.TGZ", "w:gz"), ("x.tar.xz", "w:xz")]
)
def test_its_images_in_order_without_its_other_members(name, mode, tmp_path):
    path = write_tar(tmp_path / name, FILES, mode)
    found = list(members(str(path), most=10**6))
    assert [image.path for image in found] == [f"{path}/{name}" for name in NAMES]
    assert [image.data for image in found] == [FILES[name] for name in NAMES]


def test_rows_are_those_of_the_files_and_a_run_goes_on_inside(tmp_path):
    path = write_tar(tmp_path / "x.tar", FILES)
    for name in NAMES:
        (tmp_path / "x" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "x" / name).write_bytes(FILES[name])
    scorer = mean_scorer()
    run = score_to(tmp_path / "t.jsonl", scorer, path)
    assert (run.n_images, run.n_not_ok) == (3, 1)
    score_to(tmp_path / "f.jsonl", scorer, [tmp_path / "x" / name for name in NAMES])
    rows, want = (
        [
            values | {"path": values["path"].replace(".tar", ""), "reason": ""}
            for values in rows_of(tmp_path / name)
        ]
        for name in ("t.jsonl", "f.jsonl")
    )
    assert rows == want
    whole = (tmp_path / "t.jsonl").read_bytes()
    (tmp_path / "t.jsonl").write_bytes(b"".join(whole.splitlines(True)[:1]))
    run = score_to(tmp_path / "t.jsonl", scorer, path, resume=True)
    assert (run.n_before, run.n_images) == (1, 3)
    assert (tmp_path / "t.jsonl").read_bytes() == whole


def test_a_large_member_is_not_read_and_a_name_counts_once(tmp_path):
    path = tmp_path / "x.tar"
    write_tar(path, {"a.png": png(1), "b.png": bytes(5000)})
    write_tar(path, {"a.png": png(2), "c.png": png(3)}, "a")
    found = list(members(str(path), most=4000))
    assert [image.path.rpartition("/")[2] for image in found] == ["a.png", "b.png", "c.png"]
    assert found[0].data == png(1)
    assert found[1].error.status == "too_large"
    with pytest.raises(Exception, match="has 5,000 bytes, and at most 4,000 are read"):
        read(found[1])


def broken(data: bytes) -> dict[str, bytes]:
    """What may be wrong → a tar of three images with it."""
    third = data.index(b"0003.png")
    return {
        "cut in a member": data[: third + 700],
        "cut in a header": data[: third + 100],
        "damaged header": data[:third] + b"\xff" * 300 + data[third + 300 :],
        "no tar": b"no tar at all",
        "empty": b"",
        "cut gzip": gzip.compress(data, 1)[:-900],
    }


@pytest.mark.parametrize("what", list(broken(b"0003.png")))
def test_a_damaged_tar_gives_what_it_holds_and_a_row_of_its_own(what, tmp_path):
    path = write_tar(tmp_path / "x.tar", {f"000{n}.png": png(n) for n in (1, 2, 3)})
    path.write_bytes(broken(path.read_bytes())[what])
    *images, last = members(str(path), most=10**6)
    assert (last.path, last.error.status) == (str(path), "unreadable")
    assert len(images) == (0 if what in ("no tar", "empty", "cut gzip") else 2)
    assert f"is damaged after {len(images)} images" in str(last.error)


@pytest.mark.parametrize(
    ("make", "status", "says"),
    [
        (lambda path: None, "missing", "does not exist"),
        (lambda path: path.mkdir(), "unreadable", "is a directory"),
        (lambda path: tarfile.open(path, "w").close(), "unreadable", "holds no images"),
    ],
)
def test_a_tar_without_images_is_a_row(make, status, says, tmp_path):
    make(tmp_path / "x.tar")
    (only,) = members(str(tmp_path / "x.tar"), most=100)
    assert (only.path, only.error.status) == (str(tmp_path / "x.tar"), status)
    assert says in str(only.error)


def test_a_link_is_a_row_and_not_passed_over(tmp_path):
    path = tmp_path / "x.tar"
    (tmp_path / "a.png").write_bytes(png(1))
    (tmp_path / "b.png").hardlink_to(tmp_path / "a.png")
    (tmp_path / "c.png").symlink_to("a.png")
    with tarfile.open(path, "w") as tar:
        for name in ("a.png", "b.png", "c.png"):
            tar.add(tmp_path / name, name)
    found = list(members(str(path), most=10**6))
    assert [image.path.rpartition("/")[2] for image in found] == ["a.png", "b.png", "c.png"]
    assert found[0].data == png(1)
    for image in found[1:]:
        assert image.error.status == "unreadable"
        assert "is a link to 'a.png'" in str(image.error)
