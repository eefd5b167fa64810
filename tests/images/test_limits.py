"""What an image may cost: bytes, pixels, memory and time; and what is said where it costs more."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from fiqa.errors import ImageError, UsageError
from fiqa.images import Limits, load, reader, worker
from fiqa.images.limits import SharedMemory
from images.files import code_stream, encoded, good_files, many_scans, scene, tiled_tiff, with_segments


def failure(source: object, **limits: object) -> ImageError:
    with pytest.raises(ImageError) as caught:
        load(source, limits=Limits(**limits))
    return caught.value


@pytest.mark.parametrize("bad", [{"max_pixels": 0}, {"max_bytes": -1}, {"memory": 0}, {"timeout": 0}])
def test_limits_are_positive(bad: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=f"{next(iter(bad))} must be"):
        Limits(**bad)


def test_a_file_has_a_largest_size(tmp_path: Path) -> None:
    data = good_files()["plain.jpeg"]
    (tmp_path / "x.jpg").write_bytes(data)
    for source in (data, tmp_path / "x.jpg"):
        error = failure(source, max_bytes=len(data) - 1)
        assert error.status == "too_large"
        assert f"{len(data):,} bytes" in str(error)
        assert load(source, limits=Limits(max_bytes=len(data))).any()


def test_tiles_beyond_the_image_are_too_large() -> None:
    error = failure(tiled_tiff((60000, 60000)))
    assert error.status == "too_large"
    assert "tiles of 3,600,000,000 pixels" in str(error)


def test_a_stream_larger_than_its_header_is_refused() -> None:
    assert "its stream 9999 x 9999" in str(failure(code_stream(9999, 9999, jp2=True)))


def test_more_pixels_than_pillow_allows_can_be_asked_for() -> None:
    data = b"P4 20000 9000\n" + bytes(20000 * 9000 // 8)
    assert load(data, max_pixels=180_000_000).shape == (9000, 20000, 3)


@pytest.mark.skipif(sys.platform != "linux", reason="VmHWM is Linux's")
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_decoding_takes_about_eight_bytes_a_pixel(mode: str, tmp_path: Path) -> None:
    encoded_image = encoded(scene(mode).resize((5000, 4000)), "PNG", compress_level=1)
    (tmp_path / "x.png").write_bytes(encoded_image)
    program = (
        "import sys; from fiqa.images import load; load(sys.argv[2])\n"
        "peak = lambda: int(next(l for l in open('/proc/self/status') if 'VmHWM' in l).split()[1])\n"
        "before = peak(); load(sys.argv[1]); print((peak() - before) * 1024 / 20e6)"
    )
    small = tmp_path / "small.png"
    small.write_bytes(good_files()["alpha.png"])
    run = [sys.executable, "-c", program, str(tmp_path / "x.png"), str(small)]
    assert float(subprocess.run(run, capture_output=True, text=True, check=True).stdout) < 10


# ---------------------------------------------------------------- memory


def test_threads_wait_until_there_is_memory() -> None:
    memory, most, held = SharedMemory(), 100, []

    def decode() -> None:
        with memory.holding(60, most):
            held.append(memory.held)
            time.sleep(0.01)

    threads = [threading.Thread(target=decode) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert held == [60] * 6
    assert memory.held == 0


def test_what_needs_more_than_all_of_it_is_decoded_alone() -> None:
    pixels = load(good_files()["plain.png"], limits=Limits(memory=1))
    np.testing.assert_array_equal(pixels, np.asarray(scene()))


@pytest.mark.parametrize("error", [MemoryError(), OSError("out of memory error when reading image file")])
def test_out_of_memory_is_a_status_of_its_own(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> None:
        raise error

    monkeypatch.setattr(reader, "from_image", exhausted)
    assert failure(good_files()["plain.jpeg"]).status == "failed"


# ---------------------------------------------------------------- time


@pytest.mark.parametrize("name", ["scans.jpg", "comment.ppm", "segments.jpg"])
def test_what_hangs_is_given_up(name: str, tmp_path: Path) -> None:
    files = {
        "scans.jpg": lambda: many_scans(4000, 5000),
        "comment.ppm": lambda: b"P6\n#" + b"x" * 190_000_000 + b"\n4 4\n255\n" + bytes(48),
        "segments.jpg": lambda: with_segments(b"\xff\xe5\0\2" * 20_000_000),
    }
    (tmp_path / name).write_bytes(files[name]())
    start = time.perf_counter()
    error = failure(tmp_path / name, timeout=1.0)
    assert time.perf_counter() - start < 10
    assert error.status == "failed"
    assert str(error).endswith("took more than 1 seconds to decode")


def test_the_next_file_after_a_hang_is_read() -> None:
    assert failure(many_scans(4000, 5000), timeout=0.5).status == "failed"
    assert load(good_files()["plain.tiff"]).shape == (90, 120, 3)


def test_ordinary_photographs_start_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> None:
        raise LookupError("a process was started")

    monkeypatch.setattr(worker, "_idle", [])
    monkeypatch.setattr(worker, "Worker", refused)
    for name in ("plain.jpeg", "progressive.jpeg", "plain.png", "plain.webp", "plain.bmp"):
        assert load(good_files()[name]).any()
    assert load(good_files()["plain.tiff"], limits=Limits(timeout=None)).any()
    with pytest.raises(LookupError, match="a process was started"):
        load(good_files()["plain.tiff"])


def test_a_process_gives_the_pixels_that_a_thread_gives() -> None:
    for name in ("lzw.tiff", "jpeg.tiff", "plain.jpeg2000", "plain.avif"):
        data = good_files().get(f"tiff_{name}") or good_files()[name]
        np.testing.assert_array_equal(load(data), load(data, limits=Limits(timeout=None)))


def test_a_process_that_was_killed_is_not_taken_again() -> None:
    load(good_files()["plain.tiff"])
    used = worker._idle[-1]
    os.kill(used.pid, 9)
    used._process.wait()
    assert load(good_files()["plain.tiff"]).any()
    assert used not in worker._idle


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:This process")
def test_processes_are_not_shared_with_a_fork() -> None:
    load(good_files()["plain.tiff"])
    child = os.fork()
    if child == 0:
        ok = load(good_files()["plain.tiff"]).any()
        worker._close_idle()
        os._exit(0 if ok else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert load(good_files()["plain.tiff"]).any()


def test_a_script_without_a_main_guard_can_read_what_needs_a_process(tmp_path: Path) -> None:
    (tmp_path / "x.tiff").write_bytes(good_files()["plain.tiff"])
    (tmp_path / "script.py").write_text("from fiqa.images import load\nprint(load('x.tiff').shape)\n")
    run = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True)
    assert run.stdout == "(90, 120, 3)\n"
    assert run.stderr == ""
