"""What is done to files in → a journal that says it before, by which it goes on or is undone, out."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from ..errors import DataError, UsageError
from .lock import WriterLock
from .placement import Placement, free_place, link_text

_FORMAT, _SCHEMA = "fiqa-sort", 1


class Ledger:
    """The journal of a sort: ``with Ledger(path) as ledger: …``, which nobody else can have meanwhile.

    It is of JSON lines: what was asked for, then each placement before it is done and each folder before it
    is made. So only its last line can tell of something that is not done.

    Args:
        path: the file.

    Attributes:
        settings: what was asked for; empty where there is no ledger yet.
        placed: what is done: source → where the ledger tells of it, in bytes.
        is_being_undone: whether an undo has begun.

    Raises:
        UsageError: another run holds it.
        DataError: the file is damaged or something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings: dict[str, Any] = {}
        self.placed: dict[str, int] = {}
        self.is_being_undone = False
        self._folders: list[Path] = []
        self._file: BinaryIO | None = None
        self._lock = WriterLock(path)
        try:
            if path.exists():
                self._read()
        except BaseException:
            self._lock.release()
            raise

    def begin(self, settings: dict[str, Any]) -> None:
        """Go on with these settings, or start with them.

        Raises:
            UsageError: the ledger is of other settings, or is being undone.
        """
        if self.is_being_undone:
            raise UsageError(f"{str(self.path)!r} is being undone: finish that with --undo")
        for name, value in settings.items():
            if self.settings and self.settings.get(name) != value:
                raise UsageError(
                    f"this table was sorted with {name} {self.settings.get(name)!r}, not {value!r}: take it "
                    f"back with --undo first, or keep it as it is and remove {str(self.path)!r}"
                )
        if not self.settings:
            self.settings = settings
            self._append({"format": _FORMAT, "schema": _SCHEMA, **settings})

    def place(self, placement: Placement) -> Placement:
        """Say what is to be done, and do it; with another name where the target has been taken.

        Returns:
            What was done.

        Raises:
            OSError: the disk does not let us.
        """
        self._make(placement.target.parent)
        while True:
            placement = Placement(
                source=placement.source,
                target=free_place(placement.target),
                how=placement.how,
                was=link_text(placement.source) if placement.how == "move" else "",
            )
            entry = {"from": str(placement.source), "to": str(placement.target)}
            begin = self._append(entry | ({"was": placement.was} if placement.was else {}))
            try:
                placement.do()
            except FileExistsError:  # somebody was faster
                continue
            self.placed[str(placement.source)] = begin
            return placement

    def undo(self) -> Iterator[tuple[Placement, str]]:
        """Take everything back, the last first, and remove the folders that were made and are empty.

        Yields:
            Each placement, and what stood in the way or nothing; if nothing did, the ledger is removed.
        """
        if not self.is_being_undone:
            self._append({"undo": True})
        is_whole = True
        for begin in reversed(self.placed.values()):
            placement = self._placement(begin)
            problem = placement.undo()
            is_whole &= not problem
            yield placement, problem
        for folder in reversed(self._folders):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        if is_whole:
            self._close()
            self.path.unlink()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        self._lock.release()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _make(self, folder: Path) -> None:
        missing = [one for one in (folder, *folder.parents) if not one.exists()]
        for one in reversed(missing):
            self._append({"folder": str(one)})
            one.mkdir(exist_ok=True)
            self._folders.append(one)

    def _append(self, entry: dict[str, Any]) -> int:
        """Write a line and hand it to the operating system; where it begins."""
        if self._file is None:
            self._file = open(self.path, "ab")  # noqa: SIM115
        begin = self._file.tell()
        self._file.write(json.dumps(entry).encode() + b"\n")
        self._file.flush()
        return begin

    def _read(self) -> None:
        begin, last = 0, None
        try:
            with open(self.path, "rb") as lines:
                for line in lines:
                    if not line.endswith(b"\n"):  # killed while it was written: nothing was done yet
                        break
                    entry = json.loads(line)
                    if begin == 0 and entry.get("format") != _FORMAT:
                        raise KeyError("format")
                    self._note(entry, begin)
                    last = begin if "from" in entry else None
                    begin += len(line)
            os.truncate(self.path, begin)
            if last is not None and not self.is_being_undone:
                self._finish(last)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise DataError(f"{str(self.path)!r} is damaged or no journal of fiqa sort: {error}") from error

    def _note(self, entry: dict[str, Any], begin: int) -> None:
        if "format" in entry:
            self.settings = {name: value for name, value in entry.items() if name not in ("format", "schema")}
        elif "folder" in entry:
            self._folders.append(Path(entry["folder"]))
        elif "undo" in entry:
            self.is_being_undone = True
        else:
            self.placed[entry["from"]] = begin

    def _finish(self, begin: int) -> None:
        """Bring the last placement to its end, or forget it."""
        placement = self._placement(begin)
        if not placement.finish():
            os.truncate(self.path, begin)
            del self.placed[str(placement.source)]

    def _placement(self, begin: int) -> Placement:
        with open(self.path, "rb") as lines:
            lines.seek(begin)
            entry = json.loads(lines.readline())
        return Placement(
            source=Path(entry["from"]),
            target=Path(entry["to"]),
            how=self.settings["how"],
            was=entry.get("was", ""),
        )
