"""The server as a process: how it starts, who may call, what it logs, and how it ends."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx2
import pytest
from tests.cli.runs import fiqa, message, posix
from tests.serve.conftest import running

from fiqa.errors import FiqaError, UsageError
from fiqa.serve import Keys, Settings
from fiqa.serve.keys import new_key
from fiqa.serve.server import Listener, check_address

ONE = ("--engine", "onnxruntime", "--threads", "1")


def score(address, data, **headers):
    head = {"content-type": "image/png", **headers}
    return httpx2.post(f"{address}/v1/score", content=data, headers=head, timeout=60)


# ---------------------------------------------------------------- starting


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_a_loopback_address_needs_no_keys(host):
    check_address(host, keys=None, insecure=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org", ""])
def test_any_other_address_needs_keys_or_insecure(host, tmp_path):
    with pytest.raises(UsageError, match="--keys FILE"):
        check_address(host, keys=None, insecure=False)
    check_address(host, keys=None, insecure=True)
    (tmp_path / "keys").write_text(new_key()[1])
    check_address(host, keys=Keys(tmp_path / "keys"), insecure=False)


def test_what_is_wrong_is_said_before_a_model_is_loaded(tmp_path):
    assert "--keys FILE" in message(fiqa("serve", "--host", "0.0.0.0", expect=2))
    assert "can't be read" in message(fiqa("serve", "--keys", tmp_path / "none", expect=2))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert "choose another --host or --port" in message(fiqa("serve", "--port", port, expect=2))
    assert "at least 1" in str(_refused(max_in_flight=0, max_images=1))
    assert "max_images" in str(_refused(max_in_flight=2))
    assert "body_timeout" in str(_refused(body_timeout=float("nan")))
    assert "max_held" in str(_refused(max_held=1))
    with pytest.raises(FiqaError, match="can't listen"):
        Listener("no.such.host.invalid", 0)


def _refused(**settings):
    with pytest.raises(UsageError) as refused:
        Settings(**settings)
    return refused.value


def test_a_missing_certificate_is_one_sentence(tmp_path):
    done = fiqa("serve", "--port", "0", *ONE, "--ssl-certfile", tmp_path / "none.pem", expect=2)
    assert "TLS can't be set up" in message(done)


def test_without_the_extra_it_says_the_pip_line():
    code = (
        "import sys; sys.modules['fastapi'] = None; sys.argv = ['fiqa', 'serve'];"
        "from fiqa.cli.main import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert "pip install 'fiqa[serve]'" in done.stderr


def test_get_answers_once_without_a_socket():
    about = json.loads(fiqa("serve", *ONE, "--get", "/v1/model").stdout)
    assert about["limits"]["max_bytes"] == 20_000_000
    said = fiqa("serve", *ONE, "--get", "nowhere?x=%41", expect=1)
    assert json.loads(said.stdout)["error"]["code"] == "not_found"


# ---------------------------------------------------------------- keys


def test_keys_are_read_from_hashes(tmp_path):
    (key, line), (other, _) = new_key(), new_key()
    path = tmp_path / "keys"
    path.write_text(f"# the desk\n\n{line.upper()}  desk 4\n")
    keys = Keys(path)
    assert len(keys) == 1
    assert keys.allow(key.encode())
    assert not keys.allow(other.encode())
    assert not keys.allow(line.encode())
    path.write_text(key)
    with pytest.raises(FiqaError, match="line 1") as error:
        keys.reload()
    assert key not in str(error.value)
    assert keys.allow(key.encode())  # as before
    path.write_text("# nobody\n")
    with pytest.raises(FiqaError, match="allow nobody"):
        Keys(path)


@posix
def test_who_has_no_key_is_refused_and_sighup_reads_them_again(tmp_path, crop_png):
    printed = fiqa("serve", "--new-key").stdout.decode().splitlines()
    key, line = printed[1], printed[3]
    (other, other_line), path = new_key(), tmp_path / "keys"
    path.write_text(line)
    with running("--host", "0.0.0.0", "--keys", str(path)) as server:
        address = f"http://127.0.0.1:{server.port}"
        for headers in ({}, {"x-api-key": other}, {"authorization": f"Basic {key}"}, {"x-api-key": line}):
            refused = score(address, crop_png, **headers)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"] == "Bearer"
            assert refused.json()["error"]["code"] == "unauthorized"
        assert isinstance(httpx2.get(f"{address}/v2").json()["error"], str)
        assert httpx2.get(f"{address}/metrics").status_code == 401
        for path_ in ("/healthz", "/readyz", "/v2/health/live", "/v2/health/ready", "/openapi.json"):
            assert httpx2.get(address + path_).status_code == 200
        for headers in ({"x-api-key": key}, {"authorization": f"bearer {key}"}):
            assert score(address, crop_png, **headers).status_code == 200
        path.write_text("rubbish")
        server.process.send_signal(signal.SIGHUP)
        path.write_text(other_line)
        server.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 20
        while score(address, crop_png, **{"x-api-key": other}).status_code != 200:
            assert time.monotonic() < end
            time.sleep(0.05)
        assert score(address, crop_png, **{"x-api-key": key}).status_code == 401


# ---------------------------------------------------------------- running


def test_only_origins_that_were_named_may_call_from_a_page(scorer):
    from starlette.testclient import TestClient

    from fiqa.serve import make_app

    asking = {"origin": "https://desk.example", "access-control-request-method": "POST"}
    name = "access-control-allow-origin"
    plain = TestClient(make_app(scorer))
    assert name not in plain.options("/v1/score", headers=asking).headers
    assert name not in plain.get("/healthz", headers=asking).headers
    open_ = TestClient(make_app(scorer, Settings(origins=("https://desk.example",))))
    assert open_.options("/v1/score", headers=asking).headers[name] == "https://desk.example"
    assert open_.get("/healthz", headers=asking).headers[name] == "https://desk.example"
    assert name not in open_.get("/healthz", headers={**asking, "origin": "https://other.example"}).headers


@posix
def test_tls_by_the_flags(tmp_path, crop_png):
    pem, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", pem],
        capture_output=True, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("openssl is needed to make a certificate")
    with running("--ssl-certfile", str(pem), "--ssl-keyfile", str(key), scheme="https") as server:
        import ssl

        trusting = ssl.create_default_context(cafile=str(pem))
        answer = httpx2.get(f"{server.address}/readyz", verify=trusting)
        assert answer.json() == {"status": "ok"}


@posix
def test_what_was_accepted_is_answered_before_it_ends_and_the_log_is_json(portrait):
    answers = []
    with running("--log-format", "json") as server:

        def ask() -> None:
            answers.append(
                httpx2.post(
                    f"{server.address}/v1/score",
                    files=[("image", ("secret-name.jpg", portrait))],
                    headers={"x-request-id": f"r{len(answers)}"},
                    timeout=60,
                )
            )

        threads = [threading.Thread(target=ask) for _ in range(12)]
        for thread in threads:
            thread.start()
        end = time.monotonic() + 30
        while "\nfiqa_queue_depth 12.0\n" not in httpx2.get(f"{server.address}/metrics").text:
            if len(answers) > 0 or time.monotonic() > end:
                break
        server.process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        assert server.process.wait(60) == 0
        log = server.log
    assert [answer.status_code for answer in answers] == [200] * 12
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    scored = [line for line in lines if line.get("route") == "/v1/score"]
    assert len(scored) == 12
    assert {line["status"] for line in scored} == {200}
    assert {"time", "level", "message", "request_id", "method", "route", "status", "seconds"} == set(
        scored[0]
    )
    assert "secret-name" not in log
    assert "Traceback" not in log


@posix
def test_nothing_of_an_image_is_written_to_the_disk(monkeypatch, scorer, crop_png):
    """A form beyond the megabyte from which on Starlette would use a file."""
    import tempfile

    from starlette.testclient import TestClient

    from fiqa.serve import make_app

    rolled = []
    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", lambda self: rolled.append(self))
    with TestClient(make_app(scorer)) as client:
        padded = crop_png + bytes(3_000_000)
        answer = client.post("/v1/score", files=[("image", ("a.png", padded))])
        assert answer.json()["results"][0]["status"] in ("ok", "unreadable")
    assert not rolled
