"""The OpenAPI document: as checked in, as the pages describe it, and as the server keeps it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.runs import environment

import fiqa

ROOT = Path(__file__).parents[2]
SNAPSHOT = Path(fiqa.__file__).parent / "serve" / "schema.json"
N_EXAMPLES = os.environ.get("FIQA_TEST_REQUESTS", "3")  # 100: the full check


def test_the_document_is_the_one_that_is_checked_in(client):
    document = client.get("/openapi.json").json()
    advice = (
        "look at what changed, then: "
        "fiqa serve --get /openapi.json | python -m json.tool --indent 1 > src/fiqa/serve/schema.json"
    )
    assert json.loads(SNAPSHOT.read_text(encoding="utf-8")) == document, advice


def test_every_route_stands_in_the_page_and_no_other(client):
    page = (ROOT / "docs" / "serve.md").read_text(encoding="utf-8")
    written = set(re.findall(r"^\| `(GET|POST) (/[^`? ]*)", page, re.M))
    document = client.get("/openapi.json").json()
    served = {(verb.upper(), path) for path, operations in document["paths"].items() for verb in operations}
    assert written == served | {("GET", "/openapi.json"), ("GET", "/")}
    for path in ("/v1/score", "/v1/gate"):  # and every parameter
        for parameter in document["paths"][path]["post"]["parameters"]:
            assert f"`{parameter['name']}" in page


def test_the_metrics_of_the_page_are_there(client):
    page = (ROOT / "docs" / "serve.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:fiqa|http_server)_[a-z_]+)`", page))
    assert len(named) == 8
    text = client.get("/metrics").text
    families = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert named <= families | {f"{family}_info" for family in families}


def test_keys_stand_in_the_document_where_they_are_asked_for(scorer, tmp_path):
    from fiqa.serve import Keys, Settings, make_app
    from fiqa.serve.keys import new_key

    (tmp_path / "keys").write_text(new_key()[1])
    document = make_app(scorer, Settings(keys=Keys(tmp_path / "keys"))).openapi()
    assert set(document["components"]["securitySchemes"]) == {"bearer", "key"}
    assert document["paths"]["/v1/score"]["post"]["security"] == [{"bearer": []}, {"key": []}]
    assert "security" not in document["paths"]["/healthz"]["get"]


@pytest.mark.slow
@pytest.mark.parametrize("guarded", [False, True], ids=["open", "with keys"])
def test_schemathesis_finds_no_failure(guarded, start, tmp_path):
    from fiqa.serve.keys import new_key

    (tmp_path / "keys").write_text(new_key()[1])
    server = start(*(("--keys", str(tmp_path / "keys")) if guarded else ()))
    schemathesis = Path(sys.executable).with_name("schemathesis")
    arguments = ["run", f"{server.address}/openapi.json", "-n", N_EXAMPLES, "--no-color", "--seed", "1"]
    if guarded:
        arguments += ["--phases", "coverage", "--checks", "ignored_auth"]
    done = subprocess.run(
        [schemathesis, *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(),
        timeout=600,
    )
    assert done.returncode == 0, done.stdout
