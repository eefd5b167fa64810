"""Many batches at once: passes side by side give what a pass on all threads gives, on every engine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from engines.cases import SMALL
from fiqa import Scorer, engines
from fiqa.pipeline import score_to
from fiqa.pipeline.rows import columns, row

SPECS = ("vitnt", "attn", "exit-depth")
CROPS = np.random.default_rng(5).integers(0, 256, (37, 112, 112, 3), dtype=np.uint8)


@pytest.fixture(scope="module", params=engines.ENGINES)
def scorer(request, make_vit, graph_of):
    kind = engines.ENGINES[request.param]
    if not kind.is_installed():
        pytest.skip(f"{request.param} is not installed")
    vit = make_vit(0, **SMALL)
    engine = kind(vit if kind.reads == "network" else graph_of("small", vit), threads=3, device="cpu")
    return Scorer(engine=engine, methods=SPECS, threads=3, embedding=True)


def test_an_engine_in_streams_gives_the_same_bits_to_threads_that_ask_at_once(scorer):
    engine = scorer._engine
    wide, streams = engines.in_streams(engine)
    assert streams == (3 if isinstance(engine, engines.GraphEngine) else None)
    names = scorer._plan.wanted
    batches = [CROPS[start : start + 8] for start in range(0, 32, 4)]
    with ThreadPoolExecutor(streams or 1) as pool:
        found = list(pool.map(lambda crops: wide.run(crops, names), batches * 3))
    for crops, evidence in zip(batches * 3, found, strict=True):
        want = engine.run(crops, names)
        for name in names:
            np.testing.assert_array_equal(evidence[name], want[name])


def test_a_stream_of_many_equals_the_passes_on_all_threads_to_the_last_bit(scorer):
    found = list(scorer.stream(CROPS, 8))
    want = [quality for start in range(0, 32, 8) for quality in scorer.qualities(CROPS[start : start + 8])]
    assert len(found) == len(CROPS)
    for one, other in zip(found, want, strict=False):
        assert one.raw == other.raw
        np.testing.assert_array_equal(one.embedding, other.embedding)
        for spec in ("vitnt", "attn"):
            np.testing.assert_array_equal(one.patch_map(spec), other.patch_map(spec))


def test_the_rows_of_many_files_are_those_of_one_file_at_a_time(scorer, tmp_path):
    from PIL import Image

    files = [tmp_path / f"{number:02}.png" for number in range(len(CROPS))]
    for file, crop in zip(files, CROPS, strict=True):
        Image.fromarray(crop).save(file)
    files.insert(5, tmp_path / "nowhere.png")
    rows: list[dict[str, object]] = []
    of = columns(scorer.specs)
    score_to(
        tmp_path / "table.csv", scorer, files, progress=lambda quality, *_: rows.append(row(quality, of))
    )
    assert rows == [row(quality, of) for file in files for quality in scorer.stream([file], 8)]


def test_one_batch_is_left_to_the_engine_on_all_threads(scorer, monkeypatch):
    asked = []
    monkeypatch.setattr(type(scorer._engine), "in_streams", lambda self: asked.append(self) or self)
    assert len(list(scorer.stream(CROPS[:8], 8))) == 8
    assert not asked
    assert len(list(scorer.stream(CROPS[:9], 8))) == 9
    assert asked
