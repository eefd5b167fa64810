"""Where reasons show: a scorer's results, tables of every format, the command line and the page."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.runs import fiqa, table

from fiqa import Quality, Scorer, score_to
from fiqa.degradations import degrade
from fiqa.errors import UsageError
from fiqa.examples import example_crops
from fiqa.faces import face_around
from fiqa.pages.explanation import write_page
from fiqa.reasons import ADVICE, Policy
from fiqa.types import TEMPLATE

GOOD, OTHER = (np.asarray(crop) for crop in example_crops())
PLACED = TEMPLATE + np.array([100, 80], np.float32)
NOISY = degrade(GOOD, "noise", 0.8)


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(methods=["exit-depth"], engine="onnxruntime", threads=1, reasons=True)


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for name, crop in (("good", GOOD), ("noisy", NOISY)):
        Image.fromarray(crop).save(folder / f"{name}.png")
    (folder / "text.jpg").write_text("no image")
    return folder


class NoFaces:
    def faces(self, pixels, path=None):
        return []


def test_the_score_stays_the_same_and_nothing_is_said_unless_asked(scorer):
    plain = Scorer(methods=["exit-depth"], engine="onnxruntime", threads=1)
    for crop in (GOOD, NOISY):
        with_reasons, without = scorer.score(crop), plain.score(crop)
        assert with_reasons.score == without.score
        assert (without.reasons, without.measures) == ((), {})
    assert scorer.score(GOOD).reasons == ()
    assert [reason.code for reason in scorer.score(NOISY).reasons] == ["noise"]
    assert scorer.qualities(NOISY[None])[0].reasons == scorer.score(NOISY).reasons


def test_a_result_with_reasons_is_read_back(scorer):
    quality = scorer.score(NOISY)
    values = json.loads(json.dumps(quality.to_dict(), allow_nan=False))
    assert Quality.from_dict(values) == quality
    assert values["reasons"][0]["code"] == "noise"
    assert values["measures"]["luminance_mean"]["component"] == "LuminanceMean"
    assert "noise" in repr(quality)


def test_a_photo_says_where_the_face_is(scorer):
    photo = np.zeros((300, 400, 3), np.uint8)
    photo[80:192, 100:212] = GOOD
    quality = scorer.score(photo, faces=[face_around(PLACED)])
    assert quality.measures["eye_distance"].value == pytest.approx(35.24, abs=0.01)
    assert quality.reasons == ()
    small = Image.fromarray(photo).resize((200, 150), Image.Resampling.BOX)
    codes = [r.code for r in scorer.score(small, faces=[face_around(PLACED / 2)]).reasons]
    assert codes == ["resolution"]


def test_jpeg_files_say_their_quality(scorer):
    codes = {}
    for quality in (75, 12):
        file = io.BytesIO()
        photo = Image.fromarray(np.pad(GOOD, ((40, 40), (40, 40), (0, 0)), mode="edge"))
        photo.save(file, "JPEG", quality=quality)
        found = scorer.score(file.getvalue(), faces=[face_around(TEMPLATE + 40)])
        assert found.measures["jpeg_quality"].value == quality
        codes[quality] = [reason.code for reason in found.reasons]
    assert codes == {75: [], 12: ["compression"]}


def test_no_face_and_a_low_score_without_a_cause():
    scorer = Scorer(methods=["exit-depth"], threads=1, detector=NoFaces(), reasons=Policy(unexplained=100.0))
    (reason,) = scorer.score(np.zeros((50, 60, 3), np.uint8)).reasons
    assert (reason.code, reason.advice) == ("no_face", ADVICE["no_face"])
    (rest,) = scorer.score(OTHER).reasons
    assert (rest.code, rest.limit) == ("unexplained", 100)
    assert rest.value == scorer.score(OTHER).score
    assert [r.code for r in scorer.score(NOISY).reasons] == ["noise"]


def test_reasons_are_a_switch_or_a_policy():
    with pytest.raises(UsageError, match="reasons must be True, False or"):
        Scorer(reasons="yes")


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_tables_have_codes_and_advice(suffix, scorer, photos, tmp_path):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow.parquet", reason="Parquet needs the extra parquet")
    path = tmp_path / f"out{suffix}"
    score_to(path, scorer, photos)
    rows = {Path(row["path"]).stem: row for row in _rows(path)}
    advice = {name: row["advice"] for name, row in rows.items()}
    assert advice == {"good": "", "noisy": ADVICE["noise"], "text": ""}
    if suffix == ".csv":
        assert [rows[name]["reasons"] for name in ("good", "noisy", "text")] == ["", "noise", ""]
        return
    (reason,) = rows["noisy"]["reasons"]
    assert (reason["code"], reason["limit"], reason["component"]) == ("noise", 8, None)
    assert rows["good"]["reasons"] == rows["text"]["reasons"] == []
    measures = {one["name"]: one for one in rows["good"]["measures"]}
    assert measures["luminance_mean"]["scalar"] == 99
    assert measures["noise"]["scalar"] is None


def _rows(path: Path) -> list[dict]:
    if path.suffix == ".parquet":
        import pyarrow.parquet as parquet

        return parquet.read_table(path).to_pylist()
    lines = path.read_text().splitlines()
    return list(csv.DictReader(lines)) if path.suffix == ".csv" else list(map(json.loads, lines))


def test_another_policy_is_not_resumed(scorer, photos, tmp_path):
    path = tmp_path / "out.jsonl"
    score_to(path, scorer, photos)
    before = path.read_bytes()
    score_to(path, scorer, photos, resume=True)
    assert path.read_bytes() == before
    options = {"methods": ["exit-depth"], "engine": "onnxruntime", "threads": 1}
    with pytest.raises(UsageError, match="was written with reasons"):
        score_to(path, Scorer(**options, reasons=Policy(noise=5)), photos, resume=True)
    with pytest.raises(UsageError, match="resume with the same"):
        score_to(path, Scorer(**options), photos, resume=True)
    other_words = Policy(advice={"noise": "Mehr Licht."})
    score_to(path, Scorer(**options, reasons=other_words), photos, resume=True)


def test_the_command_line(photos):
    rows = table(fiqa("score", photos, "--reasons", "--threads", "1", "-m", "exit-depth", expect=3).stdout)
    (noisy,) = (row for path, row in rows.items() if path.endswith("noisy.png"))
    assert (noisy["reasons"], noisy["advice"]) == ("noise", ADVICE["noise"])


def test_explain_says_the_advice_in_the_terminal_too(photos, tmp_path):
    done = fiqa("explain", photos / "noisy.png", "-o", tmp_path, "--threads", "1", "-m", "attn")
    assert f"noisy.png: noise: {ADVICE['noise']}" in done.stderr.decode()
    assert ADVICE["noise"] in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_the_page_shows_what_was_measured_and_the_advice(scorer, tmp_path):
    text = write_page([scorer.score(NOISY)], scorer, tmp_path).read_text(encoding="utf-8")
    assert ADVICE["noise"] in text
    assert "limit 8" in text
