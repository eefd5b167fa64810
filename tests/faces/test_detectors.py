"""The default detector on photographs, and the adapters to others."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from fiqa.errors import UsageError
from fiqa.examples import example_crops, example_paths
from fiqa.faces import (
    TEMPLATE,
    Detector,
    InsightFaceDetector,
    LandmarksCsv,
    UniFaceDetector,
    default_detector,
    find_faces,
)
from fiqa.images import load

needs_mtcnn = pytest.mark.skipif(
    importlib.util.find_spec("mtcnn") is None or importlib.util.find_spec("joblib") is None,
    reason="detection needs the extra detect",
)
EXAMPLES = Path(str(example_paths()[0])).parent


@pytest.fixture(scope="module")
def detector() -> Detector:
    return default_detector()


@needs_mtcnn
@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("side", [300, 512, 3000])
def test_examples_are_found_at_any_size(detector: Detector, index: int, side: int) -> None:
    path = example_paths()[index]
    expected = LandmarksCsv(EXAMPLES / "landmarks.csv").faces(None, str(path))[0].landmarks
    photo = Image.fromarray(load(path))
    scale = side / photo.width
    size = (side, round(photo.height * scale))
    faces = find_faces(detector, np.asarray(photo.resize(size, Image.Resampling.BICUBIC)))
    assert len(faces) == 1
    assert faces[0].confidence > 0.95
    eyes = np.linalg.norm(expected[0] - expected[1])
    error = np.linalg.norm(faces[0].landmarks / scale - expected, axis=1).mean()
    assert error < 0.06 * eyes


@needs_mtcnn
def test_several_faces(detector: Detector) -> None:
    one = load(example_paths()[0])
    small = np.asarray(Image.fromarray(one).resize((256, 256)))
    both = np.zeros((512, 800, 3), np.uint8)
    both[:, :512], both[:256, 540:796] = one, small
    faces = find_faces(detector, both)
    assert len(faces) == 2
    assert faces[0].area > 2 * faces[1].area
    assert faces[0].box[0] < 512 < faces[1].box[0]


@needs_mtcnn
def test_a_tight_crop_is_found(detector: Detector) -> None:
    for crop in example_crops():
        faces = find_faces(detector, crop)
        assert len(faces) == 1
        assert np.linalg.norm(faces[0].landmarks - TEMPLATE, axis=1).mean() < 5


def landscape(seed: int) -> np.ndarray:
    """Sky, hills and grass: smooth noise over a horizon."""
    rng = np.random.default_rng(seed)
    rough = Image.fromarray(rng.integers(0, 256, (6, 9, 3), dtype=np.uint8)).resize((480, 320))
    sky = np.linspace((90, 140, 220), (60, 110, 50), 320)[:, None]
    grain = rng.normal(0, 12, (320, 480, 3))
    return np.clip(0.75 * sky + 0.25 * np.asarray(rough) + grain, 0, 255).astype(np.uint8)


FACELESS = {
    "one pixel": np.zeros((1, 1, 3), np.uint8),
    "one row": np.zeros((1, 4000, 3), np.uint8),
    "eleven pixels": np.full((11, 11, 3), 90, np.uint8),
    "black": np.zeros((240, 320, 3), np.uint8),
    "white": np.full((240, 320, 3), 255, np.uint8),
    "noise": np.random.default_rng(1).integers(0, 256, (240, 320, 3), dtype=np.uint8),
    **{f"landscape {seed}": landscape(seed) for seed in range(4)},
    "stripes": np.tile(np.array([0, 255], np.uint8).repeat(8)[:, None, None], (20, 320, 3)),
}


@needs_mtcnn
@pytest.mark.parametrize("name", FACELESS)
def test_nothing_is_found_where_there_is_no_face(detector: Detector, name: str) -> None:
    assert find_faces(detector, FACELESS[name]) == []


def test_a_missing_wheel_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from fiqa.errors import MissingExtra

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'fiqa\[detect\]'"):
        default_detector()


@pytest.mark.parametrize("kind", ["insightface", "uniface"])
def test_adapters_hand_over_bgr_and_sort(kind: str) -> None:
    image = np.zeros((20, 20, 3), np.uint8)
    image[..., 0] = 200
    seen: list[np.ndarray] = []

    def found(pixels: np.ndarray) -> list[SimpleNamespace]:
        seen.append(pixels)
        return [
            SimpleNamespace(
                bbox=np.array([0, 0, side, side]),
                kps=TEMPLATE,
                landmarks=TEMPLATE,
                det_score=0.9,
                confidence=0.9,
            )
            for side in (5, 15)
        ]

    if kind == "insightface":
        detector: Detector = InsightFaceDetector(SimpleNamespace(get=found))
    else:
        detector = UniFaceDetector(SimpleNamespace(detect=found))
    assert isinstance(detector, Detector)
    assert [face.area for face in detector.detect(image)] == [225, 25]
    assert seen[0][0, 0].tolist() == [0, 0, 200]
    assert seen[0].flags.c_contiguous
    with pytest.raises(UsageError):
        type(detector)(object())


@needs_mtcnn
def test_a_face_found_in_a_small_copy_is_where_it_is_found_in_the_whole() -> None:
    """Half a pixel of the copy would be half a crop pixel of a face that is cut from the whole picture."""
    detector = default_detector(max_side=512)
    pixels = load(example_paths()[0])
    whole = detector.detect(pixels.repeat(2, axis=0).repeat(2, axis=1))[0]
    scaled = detector.detect(pixels)[0].scaled(2)
    np.testing.assert_allclose((scaled.landmarks - whole.landmarks).mean(axis=0), 0, atol=0.2)
    np.testing.assert_allclose(scaled.box, whole.box, atol=0.5)
