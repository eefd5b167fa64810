"""Clients that are slow, broken or hostile, against a server as a user starts it: it answers the others."""

from __future__ import annotations

import io
import resource
import socket
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx2
import pytest
from PIL import Image

MB = 1_000_000
CLIENT = httpx2.Client(timeout=60)
SECONDS = 2  # within which a body must come, here


@pytest.fixture(scope="module")
def server(start):
    return start("--max-file-size", "2", "--timeout", str(SECONDS), "--max-in-flight", "16")


@pytest.fixture(autouse=True)
def _it_goes_on(server, crop_png):
    """After each: nothing is in flight, it answers, and no request has failed in a way of its own."""
    yield
    for _ in range(100):
        if "\nfiqa_queue_depth 0.0\n" in (text := metrics(server)):
            break
        time.sleep(0.1)
    assert "\nfiqa_queue_depth 0.0\n" in text
    assert 'http_response_status_code="500"' not in text
    assert score(server, crop_png).json()["results"][0]["status"] == "ok"


def metrics(server) -> str:
    return CLIENT.get(f"{server.address}/metrics").text


def score(server, data, kind="image/png", path="/v1/score"):
    return CLIENT.post(server.address + path, content=data, headers={"content-type": kind})


def count(server, status: int) -> float:
    """Requests of /v1/score that ended so; 499: the client had gone."""
    series = (
        'http_server_request_duration_seconds_count{http_request_method="POST",'
        f'http_response_status_code="{status}",http_route="'
    )
    return sum(float(line.split()[-1]) for line in metrics(server).splitlines() if line.startswith(series))


@contextmanager
def connected(server, head: str = "") -> Iterator[socket.socket]:
    with socket.create_connection((server.host, server.port), timeout=60) as connection:
        connection.sendall(head.encode())
        yield connection


def post(length: int | str, kind: str = "image/jpeg") -> str:
    return f"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"


def until(found, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_truncated_upload_is_dropped(server, portrait):
    before = count(server, 499)
    for n_bytes in (0, 1, len(portrait) // 2):
        with connected(server, post(len(portrait))) as connection:
            connection.sendall(portrait[:n_bytes])
    until(lambda: count(server, 499) == before + 3)


def test_a_truncated_picture_is_a_status(server, portrait):
    (row,) = score(server, portrait[: len(portrait) // 2], "image/jpeg").json()["results"]
    assert row["status"] == "unreadable"
    assert "truncated" in row["reason"]


def test_one_byte_a_second_ends_in_408(server):
    began = time.monotonic()
    with connected(server, post(1000)) as connection:
        connection.settimeout(1)
        answer = b""
        while not answer:
            assert time.monotonic() - began < 10 * SECONDS
            connection.sendall(b"\xff")
            try:
                answer = connection.recv(1000)
            except TimeoutError:
                continue
        while more := connection.recv(1000):
            answer += more
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"within 2 seconds" in answer
    assert time.monotonic() - began >= SECONDS


def test_a_client_that_never_finishes_its_headers_is_let_go(server):
    heads = ("", "GET /healthz HT", "GET /healthz HTTP/1.1\r\nHost: x\r\nX-")
    began = time.monotonic()
    with ExitStack() as stack:
        for connection in [stack.enter_context(connected(server, head)) for head in heads]:
            assert connection.recv(1000) == b""
    assert SECONDS <= time.monotonic() - began < 10 * SECONDS


def test_a_client_that_does_not_read_is_let_go(server):
    """It asks for pictures, one after another, and reads none."""
    body = io.BytesIO()
    Image.effect_noise((112, 112), 90).convert("RGB").save(body, "png")
    data = body.getvalue()
    request = post(len(data)).replace("/v1/score", "/v1/explain").encode() + data
    with connected(server) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(10 * SECONDS)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            _keep_asking(connection, request)


def _keep_asking(connection: socket.socket, request: bytes) -> None:
    for _ in range(100):
        connection.sendall(request)
        time.sleep(0.1)


def test_a_client_that_hangs_up_frees_its_place(server, portrait):
    before = count(server, 499)
    big = io.BytesIO()
    Image.open(io.BytesIO(portrait)).resize((3000, 3000)).save(big, "jpeg", quality=60)
    with ExitStack() as stack:
        for _ in range(12):  # more than the processors can begin with
            connection = stack.enter_context(connected(server, post(len(big.getvalue()))))
            connection.sendall(big.getvalue())
        until(lambda: "\nfiqa_queue_depth 0.0\n" not in metrics(server))
    until(lambda: count(server, 499) >= before + 10)


def bomb(width: int, height: int) -> bytes:
    """A PNG of so many black pixels, in a few hundred kilobytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer, parts = zlib.compressobj(9), []
    for _ in range(height):
        parts.append(packer.compress(bytes(3 * width + 1)))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"".join([*parts, packer.flush()])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_a_bomb_of_100_megapixels_is_not_decoded(server):
    data = bomb(10_000, 10_000)
    assert len(data) < MB
    before = server.memory
    rows = [score(server, data).json()["results"][0] for _ in range(3)]
    assert {row["status"] for row in rows} == {"too_large"}
    assert "40,000,000" in rows[0]["reason"] or "40000000" in rows[0]["reason"]
    assert server.memory < before + 50


@pytest.mark.parametrize(
    "kind", ["text/html", "application/json", "video/mp4", "x", "application/x-www-form-urlencoded"]
)
def test_a_wrong_content_type_is_415(kind, server, crop_png):
    assert score(server, crop_png, kind).status_code == 415


@pytest.mark.parametrize(
    "kind", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=ab"]
)
def test_a_broken_form_is_400(kind, server, crop_png):
    assert score(server, crop_png, kind).status_code == 400


@pytest.mark.parametrize(
    "part",
    [
        b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\nx\r\n',
        b'--b\r\nContent-Disposition: form-data; name="other"\r\n\r\nx\r\n',
        b"--b\r\n\r\n\r\n",
        b"--b\r\nX: y\r\n\r\n",
        b"--b\r\n" + b"X-Header: value\r\n" * 100,
    ],
    ids=["files", "fields", "empty parts", "nameless parts", "headers"],
)
def test_a_flood_of_parts_is_refused_at_once(part, server):
    body = part * (MB // len(part))
    began = time.monotonic()
    assert score(server, body, "multipart/form-data; boundary=b").status_code == 400
    assert time.monotonic() - began < 10


def test_too_large_a_body_is_413_whether_it_says_so_or_not(server):
    assert score(server, bytes(3 * MB)).status_code == 413

    def chunks():
        for _ in range(30):
            yield bytes(MB // 10)

    assert score(server, chunks()).status_code == 413
    with connected(server, post(10**15)) as connection:  # says so, and sends nothing
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")
    asking = post(3 * MB).replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n")
    with connected(server, asking) as connection:  # asks before it sends
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("length", ["-1", "1e3", "9" * 30, ""])
def test_a_strange_length_is_refused(length, server):
    with connected(server, post(length)) as connection:
        assert connection.recv(1000).split()[1] in (b"400", b"413")


def test_it_answers_beside_1000_idle_connections(server, crop_png):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 1200:
        pytest.skip("this process may not open 1,000 connections")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        with ExitStack() as stack:
            for i in range(1000):
                stack.enter_context(connected(server, "" if i % 2 else "POST /v1/score HTTP/1.1\r\n"))
            assert score(server, crop_png).json()["results"][0]["status"] == "ok"
            assert CLIENT.get(f"{server.address}/readyz").status_code == 200
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_more_than_may_be_in_flight_is_503_with_a_time(server, portrait):
    answers: list[httpx2.Response] = []

    def ask() -> None:
        answers.append(score(server, portrait, "image/jpeg"))

    threads = [threading.Thread(target=ask) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = {answer.status_code for answer in answers}
    assert statuses == {200, 503}
    for answer in answers:
        if answer.status_code == 503:
            assert answer.headers["retry-after"] == "1"
            assert answer.json()["error"]["code"] == "busy"
        else:
            assert answer.json()["results"][0]["status"] == "ok"
