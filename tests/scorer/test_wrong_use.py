"""Wrong arguments are said in one sentence."""

from __future__ import annotations

import numpy as np
import pytest

from fiqa import Scorer
from fiqa.errors import DataError, FiqaError, UnknownName, UsageError


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
