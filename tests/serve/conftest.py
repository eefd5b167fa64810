"""One application in this process, and servers as a user starts them."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.cli.runs import environment

from fiqa import Scorer
from fiqa.examples import example_crops, example_paths
from fiqa.images import Limits

STARTED = re.compile(r"fiqa: serving at (https?)://(.+):(\d+)\n")


@pytest.fixture(scope="session")
def scorer() -> Scorer:
    limits = Limits(max_pixels=40_000_000, max_bytes=20_000_000)
    return Scorer(engine="onnxruntime", threads=1, limits=limits, reasons=True)


@pytest.fixture(scope="session")
def app(scorer: Scorer) -> Any:
    from fiqa.serve import make_app

    return make_app(scorer)


@pytest.fixture(scope="session")
def client(app: Any) -> Iterator[Any]:
    from starlette.testclient import TestClient

    with TestClient(app) as client:
        yield client


@pytest.fixture(scope="session")
def portrait() -> bytes:
    return example_paths()[0].read_bytes()


@pytest.fixture(scope="session")
def crop_png() -> bytes:
    file = io.BytesIO()
    Image.fromarray(example_crops()[1]).save(file, "png")
    return file.getvalue()


class Server:
    """A server in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], log: Any, scheme: str, host: str, port: str) -> None:
        self.process, self.host, self.port = process, host, int(port)
        self._log = log
        self.address = f"{scheme}://{host}:{port}"

    @property
    def log(self) -> str:
        """What it has logged."""
        return os.pread(self._log.fileno(), 10**8, 0).decode()  # the process's own place in it stays

    @property
    def memory(self) -> float:
        """MB that it holds."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@contextmanager
def running(*arguments: str, scheme: str = "http") -> Iterator[Server]:
    """``fiqa serve`` with these arguments, at a free port, from its first answer on."""
    command = [sys.executable, "-m", "fiqa", "serve", "--port", "0", "--engine", "onnxruntime"]
    with tempfile.TemporaryFile("w+") as log:  # a pipe that nobody reads would fill, and stop the server
        process = subprocess.Popen(
            [*command, "--threads", "1", *arguments],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment(),
        )
        try:
            assert process.stdout is not None
            found = STARTED.fullmatch(process.stdout.readline())
            server = Server(process, log, *(found.groups() if found else (scheme, "", "0")))
            assert found is not None, f"it did not start: {server.log}"
            assert found[1] == scheme
            yield server
        finally:
            process.kill()
            process.communicate()


@pytest.fixture(scope="module")
def start() -> Iterator[Callable[..., Server]]:
    """Starts servers that end with the module."""
    with ExitStack() as stack:
        yield lambda *arguments, **settings: stack.enter_context(running(*arguments, **settings))
