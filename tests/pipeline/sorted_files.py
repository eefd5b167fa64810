"""What the tests of sorting share: a table of small files, what lies where, and a kill at a chosen moment."""

from __future__ import annotations

import contextlib
import csv
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from fiqa.calibration import read_gate
from fiqa.pipeline import ResultTable, Sorting

NAMES = ("path", "face", "status", "score", "attn", "reason")
_TOUCHES = {"os.link", "os.symlink", "os.rename", "os.remove", "os.mkdir", "os.truncate", "os.rmdir", "open"}


def make_photographs(folder: Path, n: int = 24) -> ResultTable:
    """``n`` files in three folders, all of one of two names, every other good, and their table."""
    rows = []
    for number in range(n):
        file = folder / "photos" / f"person {number % 3}" / f"{number // 3:03d}" / "face.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"picture {number}")
        rows.append((file, 0, "ok", 90 if number % 2 else 10, "", ""))
    return write_table(folder / "scores.csv", rows)


def write_table(path: Path, rows: list[tuple[object, ...]]) -> ResultTable:
    """A CSV of these rows of NAMES."""
    with open(path, "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([NAMES, *rows])
    return ResultTable(path)


def sorting_of(table: ResultTable, rule: str = "60") -> Sorting:
    folder = table.path.parent
    return Sorting(
        table=table, gate=read_gate(rule, None), accepted=folder / "ok", rejected=folder / "bad", root=folder
    )


def tree(folder: Path) -> dict[str, str]:
    """Name below ``folder`` → what it holds, of every file, link and empty folder but tables and journals."""
    found = {}
    for root, folders, files in os.walk(folder):
        for name in [*files, *(one for one in folders if os.path.islink(os.path.join(root, one)))]:
            path = Path(root, name)
            if path.parent != folder:
                text = f"→ {os.readlink(path)}" if path.is_symlink() else path.read_text()
                found[str(path.relative_to(folder))] = text
        if not folders and not files:
            found[str(Path(root).relative_to(folder))] = "empty"
    return found


def run_killed(action: Callable[[], object], moment: int) -> bool:
    """Run ``action`` in a child that kill -9 hits before it touches the disk the ``moment``-th time.

    Returns:
        Whether it came to its end before.
    """
    child = os.fork()
    if child == 0:
        left = moment

        def count(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            if event in _TOUCHES:
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        with contextlib.suppress(BaseException):
            sys.addaudithook(count)
            action()
            os._exit(0)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return not os.WIFSIGNALED(status)
