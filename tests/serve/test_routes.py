"""The routes of /v1: what they answer is what the scorer says, and errors have one form."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

import fiqa
from fiqa import Scorer
from fiqa.calibration import read_gate
from fiqa.serve import Settings, make_app

JPEG = {"content-type": "image/jpeg"}


def post(client, path, data, **headers):
    return client.post(path, content=data, headers={**JPEG, **headers})


def error(answer, status, code):
    """The message of an error in the envelope."""
    assert answer.status_code == status, answer.text
    said = answer.json()
    assert set(said) == {"error", "request_id"}
    assert said["request_id"] == answer.headers["x-request-id"]
    assert said["error"]["code"] == code
    assert not said["error"]["message"].endswith(".")
    return said["error"]["message"]


def test_a_raw_body_is_scored_as_the_scorer_scores_it(client, scorer, portrait):
    answer = post(client, "/v1/score", portrait)
    assert answer.status_code == 200
    (row,) = answer.json()["results"]
    expected = scorer.score(portrait).to_dict()
    for field in ("path", "reasons", "measures"):
        del expected[field]
    raw, score = expected.pop("raw"), expected.pop("score")
    assert row.pop("raw") == pytest.approx(raw, abs=1e-4)
    assert row.pop("score") == pytest.approx(score, abs=1e-3)
    assert row == {**expected, "image": 0, "name": None}
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_several_images_keep_their_order_and_names(client, portrait, crop_png):
    files = [("image", name) for name in (("a.jpg", portrait), ("b.txt", b"no image"), ("c.png", crop_png))]
    rows = client.post("/v1/score", files=files).json()["results"]
    assert [(row["image"], row["name"], row["status"]) for row in rows] == [
        (0, "a.jpg", "ok"),
        (1, "b.txt", "unreadable"),
        (2, "c.png", "ok"),
    ]
    assert rows[1]["reason"]
    assert rows[2]["face"] is None


def test_all_faces_gives_a_row_each(client, portrait):
    face = Image.open(io.BytesIO(portrait))
    two = Image.new("RGB", (2 * face.width, face.height))
    two.paste(face, (0, 0))
    two.paste(face.resize((face.width // 2, face.height // 2)), (face.width, 0))
    file = io.BytesIO()
    two.save(file, "png")
    files = [("image", ("two.png", file.getvalue())), ("image", ("one.jpg", portrait))]
    rows = client.post("/v1/score?all_faces=true", files=files).json()["results"]
    assert [(row["image"], row["face_index"]) for row in rows] == [(0, 0), (0, 1), (1, 0)]
    assert len(client.post("/v1/score", files=files).json()["results"]) == 2


def test_no_face_is_an_answer(client):
    file = io.BytesIO()
    Image.new("RGB", (300, 200), (90, 120, 150)).save(file, "jpeg")
    answer = post(client, "/v1/score", file.getvalue())
    assert answer.status_code == 200
    (row,) = answer.json()["results"]
    assert (row["status"], row["score"], row["reason"]) == ("no_face", None, "no face was found")


def test_a_method_is_picked_and_another_refused(client, crop_png):
    (row,) = post(client, "/v1/score?method=attn", crop_png).json()["results"]
    assert set(row["raw"]) == set(row["used"]) == {"attn"}
    assert row["scored_by"] == "exit-depth"
    said = error(post(client, "/v1/score?method=atn", crop_png), 422, "invalid_parameter")
    assert "Did you mean 'attn'?" in said


def test_maps_average_to_the_raw_score(client, crop_png):
    (row,) = post(client, "/v1/score?maps=true", crop_png).json()["results"]
    assert np.mean(row["maps"]["attn"]) == pytest.approx(row["raw"]["attn"], abs=1e-4)
    assert "maps" not in post(client, "/v1/score", crop_png).json()["results"][0]


def test_reasons_are_those_of_the_scorer_and_come_when_asked_for(client, scorer, portrait):
    dark = Image.eval(Image.open(io.BytesIO(portrait)), lambda v: v // 8)
    file, empty = io.BytesIO(), io.BytesIO()
    dark.save(file, "png")
    Image.new("RGB", (300, 200), (90, 120, 150)).save(empty, "jpeg")
    files = [("image", ("dark.png", file.getvalue())), ("image", ("empty.jpg", empty.getvalue()))]
    rows = client.post("/v1/score?reasons=true", files=files).json()["results"]
    assert rows[0]["reasons"] == scorer.score(file.getvalue()).to_dict()["reasons"]
    assert [row["reasons"][0]["code"] for row in rows] == ["under_exposure", "no_face"]
    assert rows[0]["measures"]
    assert not {"reasons", "measures"} & set(client.post("/v1/score", files=files).json()["results"][0])


def test_the_embedding_leaves_only_where_it_may(client, crop_png):
    assert "embedding" not in post(client, "/v1/score", crop_png).json()["results"][0]
    with pytest.raises(fiqa.FiqaError, match="embedding=True"):
        make_app(client.app.state.service.scorer, Settings(embeddings=True))
    scorer = Scorer(engine="onnxruntime", threads=1, embedding=True)
    with TestClient(make_app(scorer)) as silent:
        error(post(silent, "/v1/score?reasons=true", crop_png), 422, "invalid_parameter")
        assert "embedding" not in post(silent, "/v1/score", crop_png).json()["results"][0]
    with TestClient(make_app(scorer, Settings(embeddings=True))) as giving:
        (row,) = post(giving, "/v1/score", crop_png).json()["results"]
        assert row["embedding"] == pytest.approx(scorer.score(crop_png).embedding.tolist(), abs=1e-3)
        assert giving.get("/v1/model").json()["embedding"] == len(row["embedding"])


@pytest.mark.parametrize("at", ["60", "fnmr=1%", "discard=10%", "99.999"])
def test_a_gate_is_that_of_the_calibration(at, client, scorer, crop_png, portrait):
    answer = client.post(
        "/v1/gate",
        params={"at": at},
        files=[("image", ("a.png", crop_png)), ("image", ("b.jpg", portrait)), ("image", ("c", b"no"))],
    )
    said, gate = answer.json(), read_gate(at, scorer.calibration)
    expected = [gate.accepts(scorer.score(one)) for one in (crop_png, portrait, b"no")]
    assert [row["accepted"] for row in said["results"]] == expected
    assert said["gate"]["score"] == gate.score
    assert said["gate"]["discarded"] == (gate.threshold and gate.threshold.discarded)


@pytest.mark.parametrize("at", ["fnmr=3%", "101", "nan", "", "-1"])
def test_another_gate_is_refused(at, client, crop_png):
    said = error(
        client.post("/v1/gate", params={"at": at}, content=crop_png, headers=JPEG), 422, "invalid_parameter"
    )
    assert at in said


def test_a_gate_must_be_named(client, crop_png):
    assert error(post(client, "/v1/gate", crop_png), 422, "invalid_parameter") == "at: field required"


def test_explain_draws_the_maps_that_were_asked_for(client, crop_png):
    all_maps = post(client, "/v1/explain", crop_png)
    assert (all_maps.headers["content-type"], all_maps.headers["x-fiqa-status"]) == ("image/png", "ok")
    one = post(client, "/v1/explain?method=attn", crop_png)
    wide, narrow = (Image.open(io.BytesIO(answer.content)).width for answer in (all_maps, one))
    assert wide > narrow > 2 * 336
    said = error(post(client, "/v1/explain?method=exit-depth", crop_png), 422, "invalid_parameter")
    assert "vitnt, attn" in said
    nothing = post(client, "/v1/explain", b"no image")
    assert nothing.headers["x-fiqa-status"] == "unreadable"
    assert "x-fiqa-score" not in nothing.headers
    assert Image.open(io.BytesIO(nothing.content)).format == "PNG"


def test_methods_and_model_say_what_is_served(client, scorer):
    listed = client.get("/v1/methods").json()["methods"]
    assert {one["method"]: one["used"] for one in listed} == scorer.used
    assert [one["method"] for one in listed if one["scores"]] == [scorer.scored_by]
    assert [one["method"] for one in listed if one["map"]] == ["vitnt", "attn"]
    said = client.get("/v1/model").json()
    assert said["name"] == scorer.card.name
    assert (said["version"], said["engine"]) == (fiqa.__version__, "onnxruntime fp32")
    assert said["limits"]["max_bytes"] == 20_000_000
    assert said["limits"]["max_pixels"] == 40_000_000
    assert "fnmr=1%" in said["gates"]


def test_health_and_metrics(client, crop_png):
    before = client.get("/metrics").text
    post(client, "/v1/score", crop_png)
    client.get("/nobody/knows/this")
    client.request("BREW", "/healthz")
    after = client.get("/metrics").text
    assert client.get("/healthz").json() == client.get("/readyz").json() == {"status": "ok"}

    def count(text, series):
        return float(text.partition(f"\n{series} ")[2].partition("\n")[0] or 0)

    for series in ('fiqa_images_total{status="ok"}', "fiqa_score_count", "fiqa_inference_seconds_count"):
        assert count(after, series) == count(before, series) + 1
    assert 'http_route="unmatched"' in after
    assert 'http_request_method="_OTHER"' in after
    assert "nobody" not in after
    assert (
        f'fiqa_build_info{{engine="onnxruntime fp32",model="fiqa-vit-1.1",version="{fiqa.__version__}"}} 1.0'
        in after
    )


@pytest.mark.parametrize(
    ("given", "kept"), [("abc-1.2_3", True), ("", False), ("a b", False), ("x" * 65, False), ("é", False)]
)
def test_a_request_id_is_given_back_if_it_is_harmless(given, kept, client):
    answered = client.get("/healthz", headers={"x-request-id": given.encode()}).headers["x-request-id"]
    assert (answered == given) is kept
    assert len(answered) >= 9


def test_errors_have_one_form(client, crop_png):
    assert "'/nope'" in error(client.get("/nope"), 404, "not_found")
    refused = client.put("/v1/score", content=crop_png)
    assert error(refused, 405, "method_not_allowed") == "the method must be POST, but got PUT"
    assert refused.headers["allow"] == "POST"
    said = error(
        post(client, "/v1/score", crop_png, **{"content-type": "text/html"}), 415, "unsupported_media_type"
    )
    assert "'text/html'" in said
    error(post(client, "/v1/score", crop_png, **{"content-encoding": "gzip"}), 415, "unsupported_media_type")
    error(post(client, "/v1/score", b""), 400, "bad_request")
    error(client.post("/v1/explain", files=[("image", ("a", crop_png))] * 2), 400, "bad_request")
    error(post(client, "/v1/score?maps=perhaps", crop_png), 422, "invalid_parameter")


def test_without_calibration_there_are_no_gates(crop_png):
    bare = Scorer(engine="onnxruntime", threads=1, methods=["attn:block=0"])
    assert bare.calibration is None
    with TestClient(make_app(bare)) as client:
        assert "--profile" in error(post(client, "/v1/gate?at=60", crop_png), 422, "invalid_parameter")
        (row,) = post(client, "/v1/score", crop_png).json()["results"]
        assert (row["status"], row["score"]) == ("ok", None)
        assert client.get("/v1/model").json()["gates"] == []
