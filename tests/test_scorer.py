"""The scorer: order, bounded memory, independence of neighbours, alignment, budgets, profiles, models."""

from __future__ import annotations

import importlib.util
import io
import itertools
import pickle
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import fiqa
from fiqa import Quality, Scorer
from fiqa.budget import Budget
from fiqa.calibration import Calibration, Profile
from fiqa.errors import DataError, FiqaError, MissingExtra, UnknownName, UsageError
from fiqa.examples import example_crops, example_paths
from fiqa.faces import TEMPLATE, LandmarksCsv, align
from fiqa.images import load
from fiqa.methods import Attn, needs, parse
from fiqa.types import Face

SHALLOW = ("vitnt:blocks=0,1", "attn:block=0")  # any network has these, and they take few blocks
LANDMARKS = [[38, 52], [74, 52], [56, 72], [42, 92], [71, 92]]


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(methods=SHALLOW, engine="onnxruntime", threads=1)


@pytest.fixture(scope="module")
def default() -> Scorer:
    return Scorer(engine="onnxruntime", threads=1)


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    """(9, 112, 112, 3): the example faces, and seven that differ in light and noise."""
    first, second = example_crops()
    rng = np.random.default_rng(3)
    noisy = [np.clip(first * (0.3 + 0.1 * i) + rng.normal(0, 6 * i, first.shape), 0, 255) for i in range(7)]
    return np.stack([first, second, *noisy]).astype(np.uint8)


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


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png", compress_level=1)
    return file.getvalue()


# ---------------------------------------------------------------- streams


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_order_is_kept_over_every_kind_of_input(batch_size, scorer, faces, tmp_path):
    path = tmp_path / "face.png"
    path.write_bytes(png(faces[2]))
    (tmp_path / "text.jpg").write_text("no image")
    inputs: list[tuple[Any, str, int | None]] = [
        (tmp_path / "nowhere.jpg", "missing", None),
        (faces[0], "ok", 0),
        (png(faces[1]), "ok", 1),
        (b"no image", "unreadable", None),
        (path, "ok", 2),
        (str(path), "ok", 2),
        (str(tmp_path / "text.jpg"), "unreadable", None),
        (Image.fromarray(faces[3]), "ok", 3),
        (bytearray(png(faces[4])), "ok", 4),
        (np.zeros((112, 112, 3), dtype=np.float32) + 2, "unreadable", None),
        (tmp_path, "unreadable", None),
        (faces[5], "ok", 5),
    ]
    expected = scorer.score_crops(faces)
    found = list(scorer.stream((item for item, _, _ in inputs), batch_size))
    assert [quality.status for quality in found] == [status for _, status, _ in inputs]
    for quality, (item, _, index) in zip(found, inputs, strict=True):
        assert quality.path == (str(item) if isinstance(item, (str, Path)) else None)
        if index is None:
            assert quality.score is None
            assert not quality.raw
            assert len(quality.reason) > 10
        else:
            assert not quality.reason
            np.testing.assert_array_equal(quality.crop, faces[index])
            for spec in SHALLOW:
                assert quality.raw[spec] == pytest.approx(expected[spec][index], rel=1e-5, abs=1e-5)


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(9)), batch_size=st.integers(1, 12))
def test_a_result_depends_neither_on_neighbours_nor_on_the_batch_size(scorer, faces, order, batch_size):
    expected = list(scorer.stream(faces, 4))
    found = list(scorer.stream(faces[list(order)], batch_size))
    same = list(scorer.stream(faces[list(order)], 4))
    for place, index in enumerate(order):
        for spec in SHALLOW:
            wanted = expected[index].raw[spec]
            assert found[place].raw[spec] == pytest.approx(wanted, rel=1e-5, abs=1e-5)
            assert same[place].raw[spec] == wanted  # to the last bit where the batches have one shape
            np.testing.assert_array_equal(same[place].patch_map(spec), expected[index].patch_map(spec))


def test_a_stream_reads_little_ahead(scorer, faces):
    pulled = 0

    def source() -> Iterator[np.ndarray]:
        nonlocal pulled
        for number in itertools.count():
            pulled += 1
            yield faces[number % len(faces)]

    for done, _ in enumerate(itertools.islice(scorer.stream(source(), batch_size=4), 60), start=1):
        assert pulled - done <= 2 * 4 + scorer.threads + 4


def test_a_face_among_countless_bad_images_does_not_wait_for_a_full_batch(scorer, faces):
    pulled = 0

    def source() -> Iterator[Any]:
        nonlocal pulled
        for number in itertools.count():
            pulled += 1
            yield b"no image" if number else faces[0]

    stream = scorer.stream(source(), batch_size=4)
    assert next(stream).ok
    assert pulled < 100
    for done in range(2, 200):
        assert next(stream).status == "unreadable"
        assert pulled - done < 100


def test_a_stream_that_is_left_early_ends_its_threads(scorer, faces):
    stream = scorer.stream(itertools.cycle(faces), batch_size=2)
    next(stream)
    stream.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("fiqa-decode")]


def test_no_images_give_no_results(scorer):
    assert list(scorer.stream([])) == []
    empty = np.empty((0, 112, 112, 3), dtype=np.uint8)
    assert scorer.qualities(empty) == []
    assert {spec: values.shape for spec, values in scorer.score_crops(empty).items()} == dict.fromkeys(
        SHALLOW, (0,)
    )


def test_one_scorer_serves_several_threads(scorer, faces):
    expected = [scorer.score(crop).raw for crop in faces]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda crop: scorer.score(crop).raw, [*faces, *faces]))
    assert found == [*expected, *expected]


@pytest.mark.parametrize("wrong", [3, None, [1, 2]])
def test_what_can_t_hold_an_image_is_the_caller_s_mistake(wrong, scorer):
    with pytest.raises(UsageError, match=type(wrong).__name__):
        scorer.score(wrong)


# ---------------------------------------------------------------- what a result holds


def test_the_default_model_gives_what_is_promised(default, faces):
    assert default.specs == ("vitnt", "attn", "exit-depth")
    assert default.scored_by == "exit-depth"
    assert default.engine == "onnxruntime fp32"
    raw = default.score_crops(faces)
    for values in raw.values():
        assert values.shape == (len(faces),)
        assert values.dtype == np.float32
    for i, quality in enumerate(default.qualities(faces)):
        assert quality.ok
        assert 0 <= quality.score <= 100
        assert quality.score == pytest.approx(default.calibration(raw["exit-depth"][i]), abs=1e-3)
        assert quality.used["exit-depth"].startswith("exit-depth:exits=")
        assert quality.patch_map("attn").shape == default.card.grid
        assert quality.patch_map("attn").mean() == pytest.approx(quality.raw["attn"], rel=1e-5, abs=1e-5)
        with pytest.raises(UsageError, match="maps: vitnt, attn"):
            quality.patch_map("exit-depth")
        assert quality.embedding is None


@pytest.mark.skipif(importlib.util.find_spec("mtcnn") is None, reason="detection needs the extra detect")
def test_the_example_photographs_are_scored_from_the_raw_files(default):
    for quality in default.stream(example_paths(), batch_size=2):
        assert quality.ok
        assert quality.face is not None
        assert quality.path in map(str, example_paths())


# ---------------------------------------------------------------- faces and alignment


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


# ---------------------------------------------------------------- budgets and profiles


@pytest.mark.parametrize("budget", ["55%", "400 GFLOPs", "100000 ms", Budget(40, "%")])
def test_a_budget_says_what_was_used_and_gives_just_that(budget, default, faces):
    limited = Scorer(engine="onnxruntime", threads=1, budget=budget)
    depth = default.card.depth
    limit = budget if isinstance(budget, Budget) else Budget.parse(budget)
    costs = np.array(default.card.gflops) / default.card.gflops[-1] * 100
    blocks = int((costs <= limit.amount).sum()) if limit.unit == "%" else depth
    assert 1 < blocks <= depth
    assert limited.used["exit-depth"] == f"exit-depth:exits={blocks}"
    assert limited.used["attn"] == f"attn:reduce=mean,block={blocks - 1}"
    quality = limited.score(faces[0])
    assert quality.used == limited.used
    explicit = Scorer(methods=list(limited.used.values()), engine="onnxruntime", threads=1).score(faces[0])
    for spec, used in limited.used.items():
        assert quality.raw[spec] == pytest.approx(explicit.raw[used], rel=1e-5)


def test_a_profile_turns_the_raw_score_into_a_number(tmp_path, scorer, faces):
    used = scorer.used["attn:block=0"]
    raw = scorer.score_crops(faces)["attn:block=0"]
    low, high = float(raw.min()) - 1, float(raw.max())
    profile = Profile(
        "any", {used: Calibration(spec=used, raw=(low, high), score=(10, 60), meaning="per cent of the way")}
    )
    profile.save(tmp_path / "profile.json")
    for given_as in (profile, tmp_path / "profile.json", str(tmp_path / "profile.json")):
        calibrated = Scorer(methods=SHALLOW, engine="onnxruntime", threads=1, profile=given_as)
        assert calibrated.scored_by == "attn:block=0"
        scores = [quality.score for quality in calibrated.qualities(faces)]
        np.testing.assert_allclose(scores, 10 + 50 * (raw - low) / (high - low), rtol=1e-4)
    with pytest.raises(UsageError, match="calibrates"):
        Scorer(methods=["vitnt:blocks=0,1"], engine="onnxruntime", threads=1, profile=profile)
    with pytest.raises(DataError, match=r"nowhere\.json"):
        Scorer(methods=SHALLOW, engine="onnxruntime", threads=1, profile="nowhere.json")


def test_without_a_calibration_there_is_no_score(scorer, faces):
    assert scorer.scored_by is None
    assert scorer.calibration is None
    assert scorer.score(faces[0]).score is None


# ---------------------------------------------------------------- models of every kind


@pytest.fixture(scope="module")
def vit(make_vit: Any) -> Any:
    pytest.importorskip("torch", reason="checkpoints need the extra torch")
    return make_vit(5, head="mean", embedding=8)


def test_a_network_gives_the_same_as_object_checkpoint_and_graph(vit, graph_of, faces, tmp_path):
    expected = Scorer(vit, engine="torch", threads=1, embedding=True)
    assert expected.specs == ("vitnt", "attn")  # it has no exits
    assert next(expected.stream(faces)).embedding.shape == (8,)
    fiqa.save_checkpoint(vit, tmp_path / "net.safetensors")
    wanted = (*needs([parse(spec, expected.card) for spec in expected.specs]), "embedding")
    (tmp_path / "net.onnx").write_bytes(graph_of("scorer", vit, wanted))
    for model, engine in (
        (tmp_path / "net.safetensors", "torch"),
        (str(tmp_path / "net.onnx"), "onnxruntime"),
        (tmp_path / "net.onnx", "auto"),
    ):
        opened = Scorer(model, engine=engine, threads=1, embedding=True)
        for one, other in zip(opened.stream(faces), expected.stream(faces), strict=True):
            assert one.score is None
            assert dict(one.raw) == pytest.approx(dict(other.raw), rel=1e-4, abs=1e-5)
            np.testing.assert_allclose(one.embedding, other.embedding, rtol=1e-3, atol=1e-4)


def test_a_network_without_a_head_gives_no_embedding(make_vit):
    pytest.importorskip("torch", reason="networks need the extra torch")
    with pytest.raises(UsageError, match="no recognition head"):
        Scorer(make_vit(5), engine="torch", embedding=True)


@pytest.mark.parametrize("name", ["fr_vit", "vitfiqa_token"])
def test_a_published_checkpoint_meets_its_numbers(name, golden_path, golden):
    pytest.importorskip("torch", reason="checkpoints need the extra torch")
    arrays = golden(name)
    specs = ["attn", "vitnt:blocks=all,alpha=8,weighting=uniform"]
    scorer = Scorer(
        golden_path(name),
        methods=specs if name == "fr_vit" else ["exit:2", "exit-mean", "exit-depth"],
        engine="torch",
        threads=1,
        heads=4,
    )
    found = scorer.score_crops(arrays["images_rgb"])
    if name == "fr_vit":
        np.testing.assert_allclose(found["attn"], arrays["attn.score"], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(found[specs[1]], arrays["vitnt.all.uniform.a8.0"], rtol=1e-4)
    else:
        np.testing.assert_allclose(found["exit:2"], arrays["exits"][:, 1], rtol=1e-4)
        np.testing.assert_allclose(found["exit-mean"], arrays["fused_mean"], rtol=1e-4)
        np.testing.assert_allclose(found["exit-depth"], arrays["fused_depth_weighted"], rtol=1e-4)


def test_a_transformers_model_is_taken_as_it_is(faces):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16, image_size=32
    )
    model = transformers.ViTModel(config)
    scorer = Scorer(model, engine="torch", threads=1)
    quality = scorer.score(faces[0])
    assert set(quality.raw) == {"vitnt", "attn"}
    assert quality.patch_map("vitnt").shape == (2, 2)
    with pytest.raises(UsageError, match="exit-depth"):
        Scorer(model, methods=["exit-depth"], engine="torch")


# ---------------------------------------------------------------- wrong use


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"align": "maybe"}, UsageError, "auto, none, detect"),
        ({"detector": "x"}, UnknownName, "no source of faces"),
        ({"detector": 3}, UsageError, "must have a method detect"),
        ({"rotate": "yes"}, UsageError, "none, auto"),
        ({"rotate": "auto", "align": "none"}, UsageError, "needs a detector"),
        ({"methods": []}, UsageError, "at least one"),
        ({"methods": ["vitt"]}, UnknownName, "'vitnt'"),
        ({"methods": "vitt", "model": "nowhere.pt"}, UnknownName, "'vitnt'"),
        ({"methods": ["vitnt:blocks=0-900"]}, UsageError, "blocks go up to"),
        ({"methods": ["attn:block=8"]}, UsageError, "block goes from 0 to 7"),
        ({"model": "defualt"}, UnknownName, "'default'"),
        ({"model": "nowhere.pt"}, DataError, "nowhere.pt"),
        ({"model": "nowhere.onnx"}, DataError, "nowhere.onnx"),
        ({"model": 7}, FiqaError, "int"),
        ({"engine": "onnx"}, UnknownName, "onnxruntime"),
        ({"precision": "fp64"}, UsageError, "fp64"),
        ({"threads": 0}, UsageError, "threads"),
        ({"budget": "fast"}, UsageError, "50%"),
        ({"budget": "0.001 GFLOPs"}, UsageError, "more than 0.001 GFLOPs"),
        ({"budget": "50%", "embedding": True}, UsageError, "embedding"),
    ],
)
def test_wrong_arguments_are_said_in_one_sentence(arguments, error, message):
    with pytest.raises(error, match=message) as caught:
        Scorer(**{"engine": "onnxruntime", **arguments})
    assert "\n" not in str(caught.value)


def test_wrong_batches_are_refused(scorer, faces):
    with pytest.raises(UsageError, match="batch_size"):
        list(scorer.stream(faces, 0))
    for wrong in (faces[0], faces.astype(np.float32), faces[:, :100]):
        with pytest.raises(UsageError, match="uint8"):
            scorer.score_crops(wrong)


def test_a_method_given_twice_is_run_once(faces):
    scorer = Scorer(methods=[*SHALLOW, *SHALLOW], engine="onnxruntime", threads=1)
    assert scorer.specs == SHALLOW


def test_a_single_method_may_be_given_as_text(scorer, faces):
    single = Scorer(methods=SHALLOW[1], engine="onnxruntime", threads=1)
    quality: Quality = single.score(faces[0])
    assert dict(quality.raw) == {SHALLOW[1]: pytest.approx(scorer.score(faces[0]).raw[SHALLOW[1]], rel=1e-5)}


def test_a_scorer_says_what_it_is_and_calibrates_what_it_gave():
    scorer = Scorer(threads=1, engine="onnxruntime", methods=["attn"])
    assert repr(scorer).startswith(f"Scorer({scorer.card.name} on onnxruntime fp32: attn:reduce=mean,block=7")
    quality = scorer.score(example_paths()[0])
    assert quality.scored_by == "attn"
    raw = scorer.score_crops(quality.crop[None])
    assert scorer.calibrate(raw)[0] == pytest.approx(quality.score, abs=0.01)


def test_a_stream_keeps_what_it_is_told_to():
    scorer = Scorer(threads=1, engine="onnxruntime", methods=["attn"])
    crop = example_crops()[0]
    light, whole = (next(scorer.stream([crop], keep=keep)) for keep in ((), ("maps", "crop")))
    assert light == whole
    assert light.crop is None
    assert not light.maps
    assert whole.crop is not None
    assert "attn" in whole.maps
    assert next(scorer.stream([crop], keep=("crop",))).crop is not None


def test_a_method_may_be_given_as_an_object():
    with_text, with_object = (
        Scorer(threads=1, engine="onnxruntime", methods=[method]) for method in ("attn", Attn(block=7))
    )
    crops = example_crops()
    np.testing.assert_array_equal(
        with_text.score_crops(crops)["attn"], with_object.score_crops(crops)["attn:reduce=mean,block=7"]
    )


def test_a_scorer_can_be_pickled_and_opens_its_engine_anew():
    scorer = Scorer(threads=1, engine="onnxruntime", methods=["attn", "sharpness"])
    crops = example_crops()
    want = scorer.score_crops(crops)
    if importlib.util.find_spec("mtcnn") is not None:
        assert scorer.score(example_paths()[0]).ok  # so that the detector has been opened too
    again = pickle.loads(pickle.dumps(scorer))
    assert repr(again) == repr(scorer)
    for spec, values in again.score_crops(crops).items():
        np.testing.assert_array_equal(values, want[spec])
    assert again.score(crops[0]) == scorer.score(crops[0])
