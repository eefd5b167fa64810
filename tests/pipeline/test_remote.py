"""What lies elsewhere: any file system of fsspec, in memory and over HTTP."""

from __future__ import annotations

import functools
import http.server
import threading

import pytest
from tests.pipeline.faces import mean_scorer, png, rows_of, write_tar

from fiqa.errors import FiqaError, UsageError
from fiqa.images import Limits, read
from fiqa.pipeline import expand, score_to

fsspec = pytest.importorskip("fsspec", reason="URLs need the extra remote")
pytest.importorskip("aiohttp", reason="HTTP needs the extra remote")

NAMES = ("a.png", "b.png", "sub/c.png", "note.txt")


@pytest.fixture
def memory():
    """``memory://faces``, with four files."""
    fs = fsspec.filesystem("memory")
    for number, name in enumerate(NAMES):
        fs.pipe_file(f"/faces/{name}", png(number))
    yield fs
    fs.rm("/", recursive=True)


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; what ends in busy.png answers 503 twice first, forbidden.png 403 always."""

    seen: dict[str, int]

    def do_GET(self):
        self.seen[self.path] = self.seen.get(self.path, 0) + 1
        if self.path.endswith("forbidden.png"):
            self.send_error(403)
        elif self.path.endswith("down.png") or (self.path.endswith("busy.png") and self.seen[self.path] < 3):
            self.send_error(503)
        else:
            super().do_GET()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def web(tmp_path, monkeypatch):
    """(URL, folder) of a server on this machine."""
    monkeypatch.setattr("fiqa.images.remote._PAUSES", (0.01, 0.01))
    folder = tmp_path / "web"
    (folder / "sub").mkdir(parents=True)
    for number, name in enumerate(NAMES):
        (folder / name).write_bytes(png(number))
    Handler.seen = {}
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    server.server_close()


def test_a_folder_a_pattern_and_a_file_in_memory(memory):
    faces = [f"memory://faces/{name}" for name in NAMES[:3]]
    assert expand(["memory://faces"]) == expand(["memory://faces/"]) == faces
    assert expand(["memory://faces/*.png"]) == faces[:2]
    assert expand(["memory://faces/b.png", "memory://faces/none.png"]) == [
        faces[1],
        "memory://faces/none.png",
    ]
    assert expand(["memory://fac*"]) == faces


def test_rows_of_files_elsewhere_are_those_of_files_here(memory, tmp_path):
    (tmp_path / "a.png").write_bytes(png(0))
    score_to(tmp_path / "t.jsonl", mean_scorer(), ["memory://faces", tmp_path / "a.png"])
    rows = rows_of(tmp_path / "t.jsonl")
    assert [row["path"] for row in rows[:3]] == [f"memory://faces/{name}" for name in NAMES[:3]]
    assert [row["status"] for row in rows] == ["ok"] * 4
    assert rows[0]["exit:1"] == rows[3]["exit:1"] != rows[1]["exit:1"]


def test_a_tar_and_lists_elsewhere(memory, tmp_path):
    memory.pipe_file("/s.tar", write_tar(tmp_path / "s.tar", {"x.png": png(7)}).read_bytes())
    memory.pipe_file("/list.csv", b"path,label\nmemory://faces/a.png,q\n")
    memory.pipe_file("/list.txt", b"memory://faces/b.png\n")
    inputs = ["memory://s.tar", "memory://list.csv", "@memory://list.txt"]
    score_to(tmp_path / "t.csv", mean_scorer(), inputs)
    rows = rows_of(tmp_path / "t.csv")
    paths = ["memory://s.tar/x.png", "memory://faces/a.png", "memory://faces/b.png"]
    assert [(row["path"], row["label"], row["status"]) for row in rows] == [
        (path, label, "ok") for path, label in zip(paths, ("", "q", ""), strict=True)
    ]


def test_a_zip_behind_a_url_is_a_chain(memory, tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.writestr("in/a.png", png(1))
    memory.pipe_file("/x.zip", (tmp_path / "x.zip").read_bytes())
    assert expand(["zip://in::memory://x.zip"]) == ["zip://in/a.png::memory://x.zip"]
    assert read("zip://in/a.png::memory://x.zip").pixels.shape == (112, 112, 3)


def test_over_http(web, tmp_path):
    url, folder = web
    score_to(tmp_path / "t.jsonl", mean_scorer(), f"{url}/")
    score_to(tmp_path / "f.jsonl", mean_scorer(), folder)
    rows, want = rows_of(tmp_path / "t.jsonl"), rows_of(tmp_path / "f.jsonl")
    assert [row | {"path": row["path"].replace(url, str(folder))} for row in rows] == want


@pytest.mark.parametrize(
    ("name", "status", "says", "times"),
    [
        ("busy.png", "ok", "", 3),
        ("none.png", "missing", "does not exist", 1),
        ("forbidden.png", "unreadable", "can't be opened: 403", 1),
        ("down.png", "failed", "could not be read: 503", 3),
        ("large.png", "too_large", "at most 5,000 are read", 1),
        ("note.txt?x=[1]*", "ok", "", 1),
    ],
)
def test_what_may_go_wrong_over_http(name, status, says, times, web):
    url, folder = web
    (folder / "busy.png").write_bytes(png(1))
    (folder / "large.png").write_bytes(bytes(6000))
    quality = mean_scorer(limits=Limits(max_bytes=5000)).score(f"{url}/{name}")
    assert (quality.status, quality.path) == (status, f"{url}/{name}")
    assert says in quality.reason
    assert list(Handler.seen.values()) == [times]


def test_a_server_that_says_nothing_is_given_up(monkeypatch):
    import socket

    monkeypatch.setattr("fiqa.images.remote._PAUSES", ())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a.png"
        quality = mean_scorer(limits=Limits(timeout=0.3)).score(url)
    assert quality.status == "failed"


def test_a_kind_of_url_that_nothing_reads_is_one_sentence():
    with pytest.raises(UsageError, match="Protocol not known"):
        expand(["nowhere://a.png"])
    with pytest.raises(FiqaError, match="needs a package"):
        expand(["abfs://container/faces/"])
