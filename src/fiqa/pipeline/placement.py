"""A file and a place in → the file there, linked, copied or moved, out; nothing is ever overwritten.

A place appears whole or not at all, and what a kill left half done is told from the disk alone.
"""

from __future__ import annotations

import contextlib
import filecmp
import hashlib
import itertools
import os
import shutil
from collections.abc import Container, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

How = Literal["link", "copy", "move"]
HOWS: tuple[str, ...] = get_args(How)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A file that is to lie, or lies, in another place too.

    Attributes:
        source: where it comes from, absolute.
        target: where it goes, absolute.
        how: as a symbolic link, as a copy, or moved there.
        was: where ``source`` is itself a symbolic link that is moved, its text; else empty.
    """

    source: Path
    target: Path
    how: How
    was: str = ""

    def do(self) -> None:
        """Put the file there.

        Raises:
            FileExistsError: something has the name of the target.
            OSError: the disk does not let us.
        """
        if self.how == "link":
            os.symlink(self.source, self.target)
        elif self.how == "copy":
            _copy(self.source, self.target)
        else:
            _move(self.source, self.target, self.was)

    def finish(self) -> bool:
        """Bring to an end what a kill may have cut short; whether the file is in its place now."""
        with contextlib.suppress(FileNotFoundError):
            _temporary(self.target).unlink()
        if not os.path.lexists(self.target):
            return False
        if self.how == "link":
            return _points_to(self.target, self.source)
        if self.how == "move" and not os.path.lexists(self.source):
            return True
        if not self._holds_source():
            return False
        if self.how == "move":
            self.source.unlink()
        return True

    def ensure(self, taken: Container[Path] = ()) -> Path:
        """Copy the file to its target, or to the first free name after it, unless that holds it already.

        Args:
            taken: targets that hold other files, even if they look alike.

        Returns:
            Where it lies.

        Raises:
            OSError: the disk does not let us.
        """
        for target in _names(self.target):
            one = replace(self, target=target)
            if target in taken:
                continue
            if not os.path.lexists(target):
                with contextlib.suppress(FileExistsError):  # somebody was faster
                    one.do()
                    return target
            elif one._holds_source():
                return target
        raise AssertionError("names never end")

    def undo(self) -> str:
        """Take the file back; what stands in the way, in a few words, or nothing."""
        with contextlib.suppress(FileNotFoundError):
            _temporary(self.source).unlink()
        there, back = os.path.lexists(self.target), os.path.lexists(self.source)
        if self.how == "move":
            if not there:
                return "" if back else "is no longer there"
            if not back:
                self.source.parent.mkdir(parents=True, exist_ok=True)
                _move(self.target, self.source, "", text=self.was)
                return ""
            if not self._holds_source():
                return f"can't go back, since there is another {str(self.source)!r}"
        elif there and not (
            _points_to(self.target, self.source) if self.how == "link" else self._holds_source()
        ):
            return "has been changed since"
        with contextlib.suppress(FileNotFoundError):
            self.target.unlink()
        return ""

    def _holds_source(self) -> bool:
        """Whether source and target, which are both there, are one file, or hold the same."""
        if self.was:
            return self.source.is_symlink() and self.target.is_symlink()
        try:
            if os.path.samestat(os.lstat(self.source), os.lstat(self.target)):
                return True
            return not self.target.is_symlink() and filecmp.cmp(self.source, self.target, shallow=False)
        except FileNotFoundError:
            return False


def free_place(target: Path) -> Path:
    """The first of ``target``, ``NAME-2.jpg``, ``NAME-3.jpg``, … that nothing has."""
    return next(name for name in _names(target) if not os.path.lexists(name))


def link_text(path: Path) -> str:
    """What a symbolic link says, or nothing where there is none."""
    return os.readlink(path) if path.is_symlink() else ""


def _names(target: Path) -> Iterator[Path]:
    yield target
    for number in itertools.count(2):
        yield target.with_name(f"{target.stem}-{number}{target.suffix}")


def _copy(source: Path, target: Path) -> None:
    temporary = _temporary(target)
    try:
        shutil.copy2(source, temporary)
        _claim(temporary, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


def _move(source: Path, target: Path, was: str, *, text: str = "") -> None:
    """Move a file, or a link: by its text ``was``, made absolute, or by ``text`` as it is."""
    if was or text:
        os.symlink(text or os.path.join(source.parent, was), target)
    else:
        try:
            os.link(source, target, follow_symlinks=False)
        except FileExistsError:
            raise
        except OSError:  # another file system, or one without hard links
            _copy(source, target)
    source.unlink()


def _claim(temporary: Path, target: Path) -> None:
    """Give a whole file its name, unless something has it."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: an empty file holds the place
        with open(target, "xb"):
            pass
        temporary.replace(target)


def _points_to(link: Path, file: Path) -> bool:
    return link_text(link) == str(file)


def _temporary(target: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(target.name)).hexdigest()[
        :16
    ]  # a name may be as long as names can be
    return target.with_name(f".{digest}.fiqa-part")
