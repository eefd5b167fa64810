"""Sources of faces: detectors with their second look, tables of landmarks, and what is neither."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from fiqa.errors import DataError, ImageError, UnknownName, UsageError
from fiqa.faces import (
    TEMPLATE,
    DetectorSource,
    FaceSource,
    LandmarksCsv,
    face_around,
    face_source,
    find_faces,
)
from fiqa.types import Face


class Recorder:
    """A detector that finds one face, but only in a picture of the size it wants."""

    def __init__(self, wanted: tuple[int, int]) -> None:
        self.wanted, self.seen = wanted, []

    def detect(self, image: np.ndarray) -> list[Face]:
        self.seen.append(image.shape[:2])
        if image.shape[:2] != self.wanted:
            return []
        return [Face((60, 60, 90, 100), TEMPLATE + 50), Face((50, 50, 150, 150), TEMPLATE + 50, 0.9)]


def test_faces_come_largest_first_and_small_ones_can_be_left_out() -> None:
    image = np.zeros((200, 200, 3), np.uint8)
    detector = Recorder((200, 200))
    assert [f.area for f in find_faces(detector, image)] == [10000, 1200]
    assert [f.area for f in find_faces(detector, image, min_side=31)] == [10000]
    assert detector.seen == [(200, 200)] * 2


def test_a_second_look_with_a_border_maps_back() -> None:
    faces = find_faces(Recorder((200, 200)), np.zeros((100, 100, 3), np.uint8))
    assert faces[0].box == (0, 0, 100, 100)
    np.testing.assert_allclose(faces[0].landmarks, TEMPLATE)
    large = find_faces(Recorder((1280, 1280)), np.zeros((1280, 1280, 3), np.uint8))
    np.testing.assert_allclose(large[0].landmarks, TEMPLATE + 50)  # found at once: not reduced


def test_a_large_image_is_looked_at_again_in_a_small_copy() -> None:
    detector = Recorder((320, 280))  # 160×120, with 80 pixels more on each side
    faces = find_faces(detector, np.zeros((1200, 1600, 3), np.uint8))
    assert detector.seen == [(1200, 1600), (280, 320)]
    assert faces == []
    detector = Recorder((280, 320))
    faces = find_faces(detector, np.zeros((1200, 1600, 3), np.uint8))
    assert faces[0].box == (-300, -300, 700, 700)
    np.testing.assert_allclose(faces[0].landmarks, (TEMPLATE - 30) * 10, atol=1e-3)


@pytest.mark.parametrize("given", [3, object(), Recorder])
def test_what_finds_no_faces_is_refused_when_it_is_given(given: object) -> None:
    for make in (face_source, DetectorSource, lambda x: find_faces(x, np.zeros((9, 9, 3), np.uint8))):
        with pytest.raises(UsageError, match="must have a method detect"):
            make(given)  # type: ignore[operator]


def test_sources_are_taken_as_they_are_and_detectors_wrapped() -> None:
    class Known:
        def faces(self, pixels: np.ndarray, path: str | None = None) -> list[Face]:
            return []

    known, detector = Known(), Recorder((200, 200))
    assert face_source(known) is known
    assert isinstance(face_source(detector), DetectorSource)
    assert isinstance(face_source(None), FaceSource)
    with pytest.raises(UsageError, match="Known knows the faces already"):
        face_source(known, rotate="auto")
    for word in ("always", 90, None):
        with pytest.raises(UsageError, match="rotate must be one of none, auto"):
            face_source(detector, rotate=word)  # type: ignore[arg-type]


def test_threads_open_the_default_detector_once(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Recorder] = []
    barrier = threading.Barrier(4)

    def opening() -> Recorder:
        opened.append(Recorder((200, 200)))
        return opened[-1]

    monkeypatch.setattr("fiqa.faces.sources.default_detector", opening)
    source = DetectorSource()
    assert opened == []

    def look() -> None:
        barrier.wait()
        source.faces(np.zeros((200, 200, 3), np.uint8))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 1


# ---------------------------------------------------------------- tables of landmarks


def row(path: str, landmarks: np.ndarray) -> str:
    return ",".join([path, *map(str, landmarks.ravel())]) + "\n"


def test_table_of_landmarks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "marks.csv"
    small, large = TEMPLATE, TEMPLATE * 3
    table.write_text("path,x1,y1\n" + row("a.jpg", small) + row("a.jpg", large) + row("b/c.jpg", small))
    marks = LandmarksCsv(table)
    np.testing.assert_allclose(marks.faces(None, "a.jpg")[0].landmarks, large)
    assert len(marks.faces(None, "a.jpg")) == 2
    assert len(marks.faces(None, str(tmp_path / "b" / "c.jpg"))) == 1
    monkeypatch.chdir(tmp_path)
    assert len(marks.faces(None, "./b/../b/c.jpg")) == 1
    image = np.zeros((9, 9, 3), np.uint8)
    assert find_faces(marks, image, "a.jpg") == marks.faces(None, "a.jpg")
    for path in ("d.jpg", None):
        with pytest.raises(ImageError) as caught:
            find_faces(marks, image, path)
        assert caught.value.status == "no_face"
    with pytest.raises(UsageError, match="LandmarksCsv"):
        DetectorSource(marks)  # type: ignore[arg-type]


def test_table_keeps_undecodable_names(tmp_path: Path) -> None:
    table = tmp_path / "marks.csv"
    table.write_bytes(b"caf\xe9.jpg" + row("", TEMPLATE).encode())
    assert len(LandmarksCsv(table).faces(None, "caf\udce9.jpg")) == 1


@pytest.mark.parametrize(
    "bad",
    [
        "a.jpg,1,2,3",
        "a.jpg," + "x," * 9 + "1",
        "a.jpg," + "nan," * 9 + "1",
        "a.jpg," + "1_0," * 9 + "1",
        "a.jpg," + "١," * 9 + "1",
        "a.jpg," + "²," * 9 + "1",
        "a.jpg," + "9" * 5000 + ",1" * 9,
        "a.jpg," + "1e30," * 9 + "1",
    ],
)
def test_a_wrong_row_is_named_by_its_line(tmp_path: Path, bad: str) -> None:
    table = tmp_path / "marks.csv"
    table.write_text(row("ok.jpg", TEMPLATE) + bad + "\n")
    with pytest.raises(DataError, match="line 2"):
        LandmarksCsv(table)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv"):
        LandmarksCsv(tmp_path / "none.csv")


def test_a_face_of_which_only_landmarks_are_known_has_the_crops_frame_as_box() -> None:
    left, top, right, bottom = face_around(TEMPLATE).box
    assert 10 < left < 25
    assert 90 < right < 100
    assert top < TEMPLATE[:, 1].min() < TEMPLATE[:, 1].max() < bottom


def test_a_source_may_be_named_with_its_options():
    from fiqa.faces import FACE_SOURCES, face_source, read_source

    assert "mtcnn" in FACE_SOURCES
    assert str(read_source("mtcnn:min_face=40")) == "mtcnn:min_face=40,max_side=1280"
    with pytest.raises(UnknownName, match=r"no source of faces 'mtcn'\. Did you mean 'mtcnn'"):
        face_source("mtcn")
    with pytest.raises(UsageError, match="min_face of mtcnn must be a whole number of pixels, but got 'x'"):
        face_source("mtcnn:min_face=x")
