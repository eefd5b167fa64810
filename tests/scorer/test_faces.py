"""Photos and crops: which faces are looked for, found, or given."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from PIL import Image
from tests.scorer.cases import SHALLOW

from fiqa import Scorer
from fiqa.errors import MissingExtra, UsageError
from fiqa.faces import TEMPLATE, LandmarksCsv, align
from fiqa.images import load
from fiqa.types import Face

LANDMARKS = [[38, 52], [74, 52], [56, 72], [42, 92], [71, 92]]


class Stub:
    """A detector that finds the faces it is told, and counts how often it is asked."""

    def __init__(self, *found: Face) -> None:
        self.found, self.asked = list(found), 0

    def detect(self, image: np.ndarray) -> list[Face]:
        self.asked += 1
        return self.found


def face(left: float, top: float, side: float) -> Face:
    landmarks = np.array(LANDMARKS, dtype=np.float32) * side / 112 + (left, top)
    return Face((left, top, left + side, top + side), landmarks)


def test_a_crop_is_taken_as_it_is_and_a_photo_is_searched(faces):
    stub = Stub(face(20, 10, 60))
    auto = Scorer(methods=SHALLOW, engine="onnxruntime", threads=1, detector=stub)
    assert auto.score(faces[0]).face is None
    assert auto.score(Image.fromarray(faces[0]).convert("L")).face is None
    assert stub.asked == 0
    photo = np.pad(faces[0], ((5, 8), (0, 9), (0, 0)))
    quality = auto.score(photo)
    assert stub.asked == 1
    assert quality.face == stub.found[0]
    np.testing.assert_array_equal(quality.crop, align(photo, stub.found[0].landmarks))


class Searching(Stub):
    """A stub that looks at a copy of ``max_side`` pixels, and finds one face by its share of the picture."""

    max_side = 300

    def __init__(self, *place: float) -> None:
        super().__init__()
        self.place, self.sizes = place, []

    def detect(self, image: np.ndarray) -> list[Face]:
        self.sizes.append(image.shape[:2])
        return [face(*(share * image.shape[1] for share in self.place))]


def jpeg(pixels: np.ndarray, side: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC).save(file, "jpeg", quality=95)
    return file.getvalue()


@pytest.mark.parametrize(("share", "reduced"), [(0.9, True), (0.25, False)])
def test_a_big_jpeg_is_decoded_in_full_only_where_a_face_needs_it(share, reduced, faces, monkeypatch):
    photo = jpeg(faces[0], 1400)
    scorer = Scorer(methods=SHALLOW, engine="onnxruntime", threads=1, detector=Searching(0.05, 0.05, share))
    quality = scorer.score(photo)
    assert scorer.source._detector.sizes == [(350, 350)]  # 1400 / 4, the smallest that keeps 300
    monkeypatch.setattr(Searching, "max_side", None)
    full = scorer.score(photo)
    assert scorer.source._detector.sizes[1:] == [(1400, 1400)]
    np.testing.assert_allclose(quality.face.box, full.face.box, rtol=1e-6)  # in pixels of the whole photo
    np.testing.assert_allclose(quality.face.landmarks, full.face.landmarks, atol=2.0)
    of_all_pixels = align(load(photo), quality.face.landmarks)
    assert np.array_equal(quality.crop, of_all_pixels) != reduced
    assert np.abs(quality.crop.astype(int) - of_all_pixels).mean() < 2


def test_a_photo_that_shrinks_to_the_size_of_a_crop_is_still_a_photo(faces, monkeypatch):
    monkeypatch.setattr(Searching, "max_side", 112)
    scorer = Scorer(methods=SHALLOW, engine="onnxruntime", threads=1, detector=Searching(0.1, 0.1, 0.8))
    assert scorer.score(jpeg(faces[0], 224)).face is not None


def test_detect_searches_crops_too_and_none_searches_nothing(faces):
    stub = Stub(face(20, 10, 60))
    always = Scorer(methods=SHALLOW, engine="onnxruntime", threads=1, detector=stub, align="detect")
    assert always.score(faces[0]).face == stub.found[0]
    assert stub.asked == 1
    never = Scorer(methods=SHALLOW, engine="onnxruntime", threads=1, detector=stub, align="none")
    wide = np.repeat(faces[0], 2, axis=1)
    quality = never.score(wide)
    resized = Image.fromarray(wide).resize((112, 112), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(quality.crop, np.asarray(resized))
    assert never.score(np.zeros((1, 1, 3), dtype=np.uint8)).ok
    assert stub.asked == 1


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_all_faces_come_largest_first_and_together(batch_size, faces):
    stub = Stub(face(0, 0, 40), face(50, 50, 90), face(10, 90, 60))
    scorer = Scorer(methods=SHALLOW, engine="onnxruntime", threads=1, detector=stub)
    photo = np.concatenate([faces[0], faces[1]], axis=1)
    one = scorer.score(photo)
    assert one.face == stub.found[1]
    found = list(scorer.stream([photo, b"?", faces[2], photo], batch_size, all_faces=True))
    assert [quality.face_index for quality in found] == [0, 1, 2, 0, 0, 0, 1, 2]
    assert [quality.status for quality in found] == ["ok"] * 3 + ["unreadable"] + ["ok"] * 4
    assert [quality.face for quality in found[:3]] == [stub.found[i] for i in (1, 2, 0)]
    assert len({tuple(quality.raw.values()) for quality in found[:3]}) == 3
    assert [q.raw for q in found[:3]] == [q.raw for q in found[5:]]
    assert found[0].raw[SHALLOW[0]] == pytest.approx(one.raw[SHALLOW[0]], rel=1e-5)
    assert [q.face for q in scorer.score_faces(photo)] == [q.face for q in found[:3]]


def test_no_face_is_a_status(faces):
    scorer = Scorer(methods=SHALLOW, engine="onnxruntime", threads=1, detector=Stub())
    photo = np.repeat(faces[0], 2, axis=1)
    for quality in (scorer.score(photo), *scorer.score_faces(photo)):
        assert (quality.status, quality.score, quality.face) == ("no_face", None, None)
        assert "no face" in quality.reason


def test_landmarks_from_a_table_replace_the_detector(faces, tmp_path):
    Image.fromarray(np.repeat(faces[0], 2, axis=1)).save(tmp_path / "photo.png")
    numbers = ",".join(str(value) for point in LANDMARKS for value in point)
    (tmp_path / "table.csv").write_text(f"photo.png,{numbers}\n")
    scorer = Scorer(
        methods=SHALLOW, engine="onnxruntime", threads=1, detector=LandmarksCsv(tmp_path / "table.csv")
    )
    quality = scorer.score(tmp_path / "photo.png")
    np.testing.assert_array_equal(quality.crop, align(load(tmp_path / "photo.png"), LANDMARKS))
    Image.fromarray(faces[1]).resize((130, 130)).save(tmp_path / "other.png")
    other = scorer.score(tmp_path / "other.png")
    assert other.status == "no_face"
    assert "table.csv" in other.reason


def test_faces_in_hand_are_not_searched_for(faces):
    stub, inside, beside = Stub(), face(20, 10, 60), face(0, 0, 100)
    scorer = Scorer(methods=SHALLOW, engine="onnxruntime", threads=1, detector=stub)
    photo = np.repeat(faces[0], 2, axis=1)
    one = scorer.score(photo, faces=[inside, beside])
    assert one.face == inside
    np.testing.assert_array_equal(one.crop, align(photo, inside.landmarks))
    assert [q.face for q in scorer.score_faces(photo, faces=(beside, inside))] == [beside, inside]
    assert scorer.score(faces[0], faces=[inside]).face == inside  # of an image of a crop's size too
    assert scorer.score(photo, faces=[]).status == "no_face"
    assert scorer.score(b"?", faces=[inside]).status == "unreadable"
    assert stub.asked == 0
    rows = list(scorer.stream([photo, (photo, [inside]), (b"?", [beside])]))
    assert [(q.status, q.face) for q in rows] == [("no_face", None), ("ok", inside), ("unreadable", None)]
    for wrong in ([TEMPLATE], "face", inside):
        with pytest.raises(UsageError, match=r"list of fiqa\.Face"):
            scorer.score(photo, faces=wrong)
    never = Scorer(methods=SHALLOW, engine="onnxruntime", threads=1, align="none")
    with pytest.raises(UsageError, match="align='none'"):
        never.score(photo, faces=[inside])


def test_a_path_stays_with_faces_in_hand(faces, tmp_path):
    Image.fromarray(np.repeat(faces[0], 2, axis=1)).save(tmp_path / "photo.png")
    scorer = Scorer(methods=SHALLOW, engine="onnxruntime", threads=1, detector=Stub())
    quality = scorer.score(tmp_path / "photo.png", faces=[face(0, 0, 100)])
    assert (quality.ok, quality.path) == (True, str(tmp_path / "photo.png"))


def test_without_the_detector_the_pip_line_is_the_error(monkeypatch, faces):
    monkeypatch.setitem(sys.modules, "mtcnn", None)
    scorer = Scorer(methods=SHALLOW, engine="onnxruntime", threads=1)
    assert scorer.score(faces[0]).ok  # crops need none
    with pytest.raises(MissingExtra, match=r"pip install 'fiqa\[detect\]'"):
        scorer.score(np.repeat(faces[0], 2, axis=1))
