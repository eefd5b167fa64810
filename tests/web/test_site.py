"""``fiqa page`` and what ``fiqa serve`` gives at ``/``, with and without a built page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from fiqa import Scorer, web
from fiqa.errors import DataError, UsageError
from fiqa.serve import Keys, Settings, make_app
from fiqa.serve.keys import new_key
from fiqa.web import site


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page of a few files in place of the real one, which needs Node."""
    folder = tmp_path / "page"
    (folder / "assets").mkdir(parents=True)
    for name in ("index.html", "service-worker.js", "server.json", "assets/main.js"):
        (folder / name).write_text(name, encoding="utf-8")
    monkeypatch.setattr(site, "__file__", str(tmp_path / "site.py"))
    return folder


@pytest.fixture
def unbuilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "__file__", str(tmp_path / "site.py"))


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(engine="onnxruntime", threads=1)


def test_the_page_is_written_and_written_again(built: Path, tmp_path: Path) -> None:
    target = tmp_path / "site"
    web.write(target)
    (target / "assets" / "old.js").write_text("", encoding="utf-8")
    web.write(target)
    assert sorted(path.name for path in target.rglob("*")) == [
        "assets", "index.html", "main.js", "server.json", "service-worker.js",
    ]  # fmt: skip


def test_a_folder_of_something_else_is_left_alone(built: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="must be new or empty"):
        web.write(tmp_path / "other")
    with pytest.raises(UsageError, match="is a file"):
        web.write(tmp_path / "other" / "letter.txt")


def test_without_a_page_one_sentence_says_what_is_missing(unbuilt: None, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="make page"):
        web.write(tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_without_a_page_the_api_is_served_all_the_same(unbuilt: None, scorer: Scorer) -> None:
    with TestClient(make_app(scorer)) as client:
        answer = client.get("/")
        assert answer.status_code == 404
        assert "make page" in answer.json()["error"]["message"]
        assert client.get("/v1/model").status_code == 200


def test_without_a_page_the_command_says_so_in_one_sentence(unbuilt: None, capsys: Any) -> None:
    from fiqa.cli import serve

    serve._print_address("http://127.0.0.1:8000")
    said = capsys.readouterr()
    assert said.out == "fiqa: serving at http://127.0.0.1:8000\n"
    assert said.err.count("\n") == 1
    assert "make page" in said.err
    assert "the API is served all the same" in said.err


def test_the_server_gives_the_page_with_its_headers(built: Path, scorer: Scorer) -> None:
    with TestClient(make_app(scorer)) as client:
        for path, text in (("/", "index.html"), ("/assets/main.js", "assets/main.js")):
            answer = client.get(path)
            assert answer.text == text
            assert "script-src 'self' 'wasm-unsafe-eval';" in answer.headers["content-security-policy"]
            assert answer.headers["cross-origin-embedder-policy"] == "require-corp"
            assert answer.headers["cache-control"] == "no-cache"
            again = client.get(path, headers={"if-none-match": answer.headers["etag"]})
            assert (again.status_code == 304) or path == "/"
        assert client.get("/server.json").json() == {"api": "v1/", "key": False}
        for path in ("/assets/none.js", "/assets/%2e%2e/server.json", "/none"):
            assert client.get(path).json()["error"]["code"] == "not_found"
        assert client.post("/").status_code == 405
        assert client.get("/v1/model").headers["cache-control"] == "no-store"


def test_the_page_needs_no_key_and_its_photos_do(built: Path, scorer: Scorer, tmp_path: Path) -> None:
    _, line = new_key()
    (tmp_path / "keys").write_text(line, encoding="utf-8")
    with TestClient(make_app(scorer, Settings(keys=Keys(tmp_path / "keys")))) as client:
        assert client.get("/").status_code == 200
        assert client.get("/assets/main.js").status_code == 200
        assert client.get("/server.json").json()["key"] is True
        assert client.post("/v1/score", content=b"").status_code == 401
        assert client.get("/v1/model").status_code == 401


def test_the_command(built: Path, tmp_path: Path, capsys: Any) -> None:
    from typer.testing import CliRunner

    from fiqa.cli.main import app

    done = CliRunner().invoke(app, ["page", str(tmp_path / "site")])
    assert done.exit_code == 0
    assert str(tmp_path / "site") in done.output.replace("\n", "")
    assert (tmp_path / "site" / "assets" / "main.js").is_file()
