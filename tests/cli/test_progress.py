"""What a run says of itself while it lasts."""

from __future__ import annotations

import io
import re
import sys

import pytest

from fiqa.cli import progress
from fiqa.types import Quality

GOOD = Quality(status="ok", score=50.0, path="a.jpg")
BAD = Quality(status="no_face", reason="no face was found", path="b.jpg")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """Time that passes by ``step`` seconds whenever somebody looks."""

    def __init__(self, step: float) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def watched(n_images: int | None, monkeypatch: pytest.MonkeyPatch, *, step: float) -> None:
    monkeypatch.setattr(progress.time, "perf_counter", Clock(step))
    with progress.Watch() as watch:
        for number in range(1, 2001):
            watch(BAD if number % 500 == 0 else GOOD, number, n_images)


def test_a_log_gets_a_line_a_minute_with_share_rate_time_left_and_failures(capsys, monkeypatch):
    watched(4000, monkeypatch, step=0.1)
    lines = [line for line in capsys.readouterr().err.splitlines() if " left" in line]
    assert 2 <= len(lines) <= 4  # of 200 seconds
    for line, minutes in zip(lines, (1, 2, 3), strict=False):
        found = re.fullmatch(
            r"fiqa: ([\d,]+) of 4,000 \((\d+)%\), ([\d.]+) a second, (0:[\d:]+) left(?:, (\d) not scored)?",
            line,
        )
        assert found, line
        n_done = int(found[1].replace(",", ""))
        assert n_done == pytest.approx(600 * minutes, rel=0.03)
        assert int(found[2]) == pytest.approx(100 * n_done / 4000, abs=0.5)
        assert float(found[3]) == pytest.approx(10, rel=0.05)
        hours, minutes_left, seconds = map(int, found[4].split(":"))
        assert 3600 * hours + 60 * minutes_left + seconds == pytest.approx((4000 - n_done) / 10, rel=0.05)
        assert int(found[5] or 0) == n_done // 500


def test_where_nobody_counted_the_images_nothing_is_said_of_the_rest(capsys, monkeypatch):
    watched(None, monkeypatch, step=0.1)
    lines = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"fiqa: [\d,]+ images, [\d.]+ a second, 1 not scored", lines[0]), lines[0]


def test_a_short_run_gets_no_line(capsys, monkeypatch):
    watched(4000, monkeypatch, step=0.01)
    assert " left" not in capsys.readouterr().err


def test_a_terminal_gets_a_bar_with_the_same(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    watched(4000, monkeypatch, step=0.1)
    plain = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", terminal.getvalue())
    assert re.search(r"━+ [\d,]+ of 4,000 \(\d+%\) · [\d.]+ a second · 0:\d\d:\d\d left", plain), plain[-500:]
    assert re.search(r" left · [1-4] not scored", plain), plain[-500:]
