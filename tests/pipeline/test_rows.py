"""One table of columns: what a quality becomes, and that nothing in it can't be written."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from tests.pipeline.tables import COLUMNS, CSV_NAMES, ROWS, SPECS

from fiqa.errors import UsageError
from fiqa.pipeline.rows import columns, row
from fiqa.types import Face, Quality

PLACE = ["left", "top", "right", "bottom", "confidence", "eye_distance", "rotation"]


def test_the_columns_stand_in_their_order():
    assert ["path", "face", "status", "score", *SPECS, *PLACE, "reason"] == CSV_NAMES
    names = [column.name for column in COLUMNS]
    assert names == [*CSV_NAMES, "box", "landmarks", "scored_by"]
    with_crops = [column.name for column in columns(SPECS, crops=True) if column.in_csv]
    assert with_crops == [*CSV_NAMES, "crop"]


def test_a_face_in_a_photo_says_where_it_is():
    points = np.array([[40, 50], [70, 90], [55, 70], [42, 90], [68, 90.125]], np.float32)
    face = Face((10.123, 20, 100, 120.456), points, 0.987654)
    raw = dict(zip(SPECS, (0.123456789, -1e-7), strict=True))
    good = Quality(status="ok", score=12.3456, scored_by="attn", raw=raw, path="a", face=face, face_index=2)
    assert row(good, columns(SPECS, crops=True)) == {
        "path": "a", "face": 2, "status": "ok", "score": 12.35, SPECS[0]: 0.123457, SPECS[1]: -1e-7,
        "left": 10.12, "top": 20.0, "right": 100.0, "bottom": 120.46, "confidence": 0.9877,
        "eye_distance": 50.0, "rotation": 0, "reason": "", "crop": "ca978112ca1b-a-2.png",
        "box": [10.12, 20.0, 100.0, 120.46],
        "landmarks": [[40, 50], [70, 90], [55, 70], [42, 90], [68, 90.12]], "scored_by": "attn",
    }  # fmt: skip


def test_a_crop_has_no_place_and_a_bad_image_only_its_reason():
    crop = row(Quality(status="ok", raw=dict.fromkeys(SPECS, 1.0), path="a"), COLUMNS)
    assert crop["face"] == 0
    assert {crop[name] for name in (*PLACE, "score", "scored_by")} == {None}
    assert crop["box"] is crop["landmarks"] is None
    bad = row(Quality(status="no_face", reason="no face was found"), columns(SPECS, crops=True))
    empty = dict.fromkeys(("face", "score", *SPECS, *PLACE, "crop", "box", "landmarks", "scored_by"))
    assert bad == {"path": "", "status": "no_face", "reason": "no face was found"} | empty


def test_a_remark_on_a_good_row_stays():
    remark = Quality(status="ok", raw=dict.fromkeys(SPECS, 1.0), reason="12 % of it are missing")
    assert row(remark, COLUMNS)["reason"] == "12 % of it are missing"


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_json_has_no_word_for_is_none(number):
    values = row(Quality(status="ok", raw={SPECS[0]: number, SPECS[1]: 1.0}), COLUMNS)
    assert values[SPECS[0]] is None
    assert values[SPECS[1]] == 1.0


def test_every_row_is_strict_json():
    assert json.loads(json.dumps(ROWS, allow_nan=False)) == ROWS


def test_a_method_can_t_have_the_name_of_another_column():
    with pytest.raises(UsageError, match="can't be called 'reason'"):
        columns(["attn", "reason"])
