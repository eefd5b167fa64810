"""The Open Inference Protocol, spoken by the client that others use, against a server as a user starts it."""

from __future__ import annotations

import base64
import gzip

import httpx2
import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from fiqa.examples import example_crops, example_paths


@pytest.fixture(scope="module")
def server(start):
    return start("--max-file-size", "2")


@pytest.fixture(scope="module")
def speaking(server):
    with triton.InferenceServerClient(f"{server.host}:{server.port}") as client:
        yield client


def images(*files: bytes, binary: bool = True):
    tensor = triton.InferInput("image", [len(files)], "BYTES")
    tensor.set_data_from_numpy(np.array(files, dtype=object), binary_data=binary)
    return tensor


def crops(values, binary: bool = True):
    tensor = triton.InferInput("crops", list(values.shape), "UINT8")
    tensor.set_data_from_numpy(values, binary_data=binary)
    return tensor


def test_it_lives_and_says_what_it_is(speaking):
    assert speaking.is_server_live()
    assert speaking.is_server_ready()
    assert speaking.is_model_ready("fiqa-vit-1.1")
    assert speaking.is_model_ready("fiqa")
    assert not speaking.is_model_ready("resnet")
    assert speaking.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    about = speaking.get_model_metadata("fiqa")
    assert [(one["name"], one["datatype"], one["shape"]) for one in about["inputs"]] == [
        ("image", "BYTES", [-1]),
        ("crops", "UINT8", [-1, 112, 112, 3]),
    ]
    assert [one["name"] for one in about["outputs"]] == ["score", "status", "vitnt", "attn", "exit-depth"]


def test_encoded_images_are_scored_as_the_scorer_does(speaking, scorer):
    files = [path.read_bytes() for path in example_paths()]
    found = speaking.infer("fiqa", [images(*files, b"no image")], request_id="seven")
    expected = [scorer.score(one) for one in files]
    assert found.get_response()["id"] == "seven"
    assert found.as_numpy("status").tolist() == [b"ok", b"ok", b"unreadable"]
    np.testing.assert_allclose(found.as_numpy("score")[:2], [q.score for q in expected], atol=1e-3)
    assert np.isnan(found.as_numpy("score")[2])
    for spec in scorer.specs:
        np.testing.assert_allclose(found.as_numpy(spec)[:2], [q.raw[spec] for q in expected], atol=1e-4)


@pytest.mark.parametrize("to_server", [True, False], ids=["binary in", "JSON in"])
@pytest.mark.parametrize("to_client", [True, False], ids=["binary out", "JSON out"])
def test_crops_are_scored_in_both_forms(to_server, to_client, speaking, scorer):
    many = np.concatenate([np.roll(example_crops(), 3 * i, axis=2) for i in range(6)])  # more than one pass
    asked = [triton.InferRequestedOutput(name, binary_data=to_client) for name in ("attn", "score", "status")]
    found = speaking.infer("fiqa", [crops(many, to_server)], outputs=asked)
    raw = scorer.score_crops(many)
    np.testing.assert_allclose(found.as_numpy("attn"), raw["attn"], atol=1e-4)
    np.testing.assert_allclose(found.as_numpy("score"), scorer.calibrate(raw), atol=1e-3)
    assert set(found.as_numpy("status").reshape(-1).tolist()) <= {b"ok", "ok"}
    assert [one["name"] for one in found.get_response()["outputs"]] == ["attn", "score", "status"]


@pytest.mark.parametrize("packing", ["gzip", "deflate"])
def test_a_compressed_request_is_understood(packing, speaking, scorer):
    found = speaking.infer(
        "fiqa",
        [crops(example_crops())],
        request_compression_algorithm=packing,
        response_compression_algorithm="gzip",
    )
    np.testing.assert_allclose(found.as_numpy("attn"), scorer.score_crops(example_crops())["attn"], atol=1e-4)


def test_no_crops_give_no_scores(speaking):
    found = speaking.infer("fiqa", [crops(np.zeros((0, 112, 112, 3), np.uint8), binary=False)])
    assert found.get_response()["outputs"][0]["shape"] == [0]


def test_an_error_is_a_text_that_the_client_can_print(speaking):
    with pytest.raises(InferenceServerException, match="the model here is 'fiqa-vit"):
        speaking.infer("resnet", [images(b"x")])
    wrong = triton.InferInput("crops", [1, 3, 112, 112], "UINT8")
    wrong.set_data_from_numpy(np.zeros((1, 3, 112, 112), np.uint8))
    with pytest.raises(InferenceServerException, match=r"must be \[N, 112, 112, 3\]"):
        speaking.infer("fiqa", [wrong])
    with pytest.raises(InferenceServerException, match="at most 16 images"):
        speaking.infer("fiqa", [images(*[b"x"] * 17)])
    with pytest.raises(InferenceServerException, match="an output must be one of"):
        speaking.infer("fiqa", [images(b"x")], outputs=[triton.InferRequestedOutput("label")])
    with pytest.raises(InferenceServerException, match="at most 2000000 bytes"):
        speaking.infer("fiqa", [crops(np.zeros((60, 112, 112, 3), np.uint8))])


def send(server, body, **headers):
    return httpx2.post(f"{server.address}/v2/models/fiqa/infer", content=body, headers=headers, timeout=60)


def test_what_no_client_helps_with(server, crop_png, scorer):
    as_text = base64.b64encode(crop_png).decode()
    body = {"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": [as_text]}]}
    url = f"{server.address}/v2/models/fiqa/infer"
    said = httpx2.post(url, json=body, timeout=60).json()
    assert said["outputs"][0]["data"] == pytest.approx([scorer.score(crop_png).score], abs=1e-3)
    alone = send(server, crop_png, **{"inference-header-content-length": "0"})
    assert int(alone.headers["inference-header-content-length"]) < len(alone.content)
    body["inputs"][0]["data"] = [base64.b64encode(b"no image").decode()]
    assert httpx2.post(url, json=body, timeout=60).json()["outputs"][0]["data"] == [None]


@pytest.mark.parametrize(
    ("body", "headers", "status", "said"),
    [
        (b"", {}, 400, "not JSON"),
        (b"[" * 100_000, {}, 400, "nested too deep"),
        (b"[]", {}, 400, "must be an object"),
        (b'{"inputs": []}', {}, 400, "one tensor"),
        (
            b'{"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": ["!"]}]}',
            {},
            400,
            "base64",
        ),
        (
            b'{"inputs": [{"name": "image", "shape": [2], "datatype": "BYTES", "data": ["QQ=="]}]}',
            {},
            400,
            "2 items",
        ),
        (
            b'{"inputs": [{"name": "image", "shape": [-1], "datatype": "BYTES", "data": []}]}',
            {},
            400,
            "a shape must",
        ),
        (
            b'{"inputs": [{"name": "image", "shape": [1], "datatype": "FP32", "data": [1]}]}',
            {},
            400,
            "must be BYTES",
        ),
        (b"{}", {"inference-header-content-length": "3"}, 400, "from 0 to 2"),
        (b"{}", {"inference-header-content-length": "-1"}, 400, "from 0 to 2"),
        (b"{}", {"content-encoding": "br"}, 415, "must be gzip"),
        (b"{}", {"content-encoding": "gzip"}, 400, "no gzip"),
        (gzip.compress(b"{}", mtime=0)[:-9], {"content-encoding": "gzip"}, 400, "breaks off"),
        (gzip.compress(bytes(50_000_000)), {"content-encoding": "gzip"}, 413, "once it is unpacked"),
    ],
)
def test_bad_requests_end_in_a_sentence(body, headers, status, said, server):
    answer = send(server, body, **headers)
    assert answer.status_code == status
    assert said in answer.json()["error"]
