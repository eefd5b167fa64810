"""A folder in → the parts of one result table in it, each whole or not there, and what decided them, out."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..errors import DataError, UsageError, require
from .exclusive import create, temporary_beside
from .manifest import Contents, Manifest
from .rows import Header, Row
from .sinks import ParquetSink, parquet_notes

RUN = "run.json"
_PART = re.compile(r"part-(\d{5,})\.parquet")
_OURS = re.compile(r"part-\d{5,}\.parquet|run\.json|manifest-\w+\.jsonl|\..*")


class Dataset:
    """A folder of ``part-00000.parquet …``, of the manifest that says what they hold, and of ``run.json``.

    A part appears when it is whole. Deleted, it is made again by the next run.

    Args:
        folder: where it lies.
        manifest: what there is to score.
        facts: the content of ``run.json`` beside the manifest's.
    """

    def __init__(self, folder: Path, manifest: Manifest, facts: Mapping[str, Any]) -> None:
        self.folder, self.manifest, self.facts = folder, manifest, facts
        self._digits = max(5, len(str(manifest.n_shards - 1)))

    @classmethod
    def begun(cls, folder: Path, manifest: Manifest, facts: Mapping[str, Any]) -> Dataset:
        """A new dataset, or the same one that is there already; several processes may call this at once.

        Raises:
            UsageError: the folder holds something else, or a dataset of other images or settings.
            MissingExtra: there is no pyarrow.
        """
        check_folder(folder)
        folder.mkdir(exist_ok=True)
        if not (folder / RUN).exists():
            listed = folder / _manifest_name(manifest.contents)
            manifest.save(temporary := temporary_beside(listed))
            temporary.replace(listed)
            content = dict(facts) | {"manifest": _as_json(manifest.contents)}
            create(folder / RUN, json.dumps(content, indent=1, allow_nan=False) + "\n")
        there = cls.opened(folder)
        there.check(facts)
        _check_same(folder, there.manifest.contents, manifest.contents)
        return there

    @classmethod
    def opened(cls, folder: Path) -> Dataset:
        """The dataset that lies in a folder.

        Raises:
            DataError: there is none, or it is damaged.
        """
        try:
            content = json.loads((folder / RUN).read_text(encoding="utf-8"))
            contents = _contents(content.pop("manifest"))
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise DataError(f"{str(folder / RUN)!r} can't be read: {error}") from error
        return cls(folder, Manifest.opened(folder / _manifest_name(contents), contents), content)

    @property
    def claims(self) -> Path:
        """Where those who work on it say what they do."""
        return self.folder / ".claims"

    def check(self, facts: Mapping[str, Any]) -> None:
        """Refuse to go on with other settings.

        Raises:
            UsageError: ``facts`` are not those that it was begun with.
        """
        wanted, found = json.loads(json.dumps(facts["decides"])), self.facts["decides"]
        for name, value in wanted.items():
            if found.get(name) != value:
                raise UsageError(
                    f"{str(self.folder)!r} was written with {name} {found.get(name)!r}, not {value!r}: "
                    "go on with the same settings, or write to another folder"
                )

    def tidy(self) -> None:
        """Take away what the dead have left, once every part is there."""
        if len(self.done()) == self.manifest.n_shards:
            shutil.rmtree(self.claims, ignore_errors=True)
            for left_behind in self.folder.glob(".part-*"):
                with suppress(OSError):
                    left_behind.unlink()

    def part(self, number: int) -> Path:
        """Where the rows of a shard lie once they are all there."""
        return self.folder / f"part-{number:0{self._digits}}.parquet"

    def done(self) -> set[int]:
        """The shards whose parts are there, by one listing."""
        with os.scandir(self.folder) as entries:
            matches = (_PART.fullmatch(entry.name) for entry in entries)
            return {int(match[1]) for match in matches if match}

    @contextmanager
    def writing(self, number: int, headers: Sequence[Header]) -> Iterator[PartWriter]:
        """Write a part: it is there when this ends, and not before.

        Raises:
            OSError: it can't be written; nothing of it is left.
        """
        part = self.part(number)
        for left_behind in self.folder.glob(f".{part.name}.*"):  # by one who died over it
            with suppress(OSError):
                left_behind.unlink()
        temporary = temporary_beside(part)
        try:
            with open(temporary, "wb") as file:
                writer = PartWriter(ParquetSink(file, headers))
                try:
                    yield writer
                    writer.close()
                except BaseException:
                    writer.sink.abandon()
                    raise
                file.flush()
                os.fsync(file.fileno())
            _commit(temporary, part)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise

    def count(self, numbers: Iterable[int]) -> tuple[int, int]:
        """(images, rows whose status is not ok) of finished shards, from the end of each part.

        Raises:
            DataError: a part is damaged.
        """
        n_images = n_not_ok = 0
        for number in numbers:
            try:
                notes = parquet_notes(self.part(number))
            except (OSError, ValueError) as error:
                raise DataError(f"{str(self.part(number))!r} is damaged: {error}; delete it") from error
            n_images += notes.get("n_images", 0)
            n_not_ok += notes.get("n_not_ok", 0)
        return n_images, n_not_ok


class PartWriter:
    """Rows → a part, counted."""

    def __init__(self, sink: ParquetSink) -> None:
        self.sink = sink
        self.n_images = self.n_not_ok = 0

    def write(self, values: Row, *, n_images: int) -> None:
        """Append a row, of the last of so many images."""
        self.sink.write(values)
        self.n_images = n_images
        self.n_not_ok += values["status"] != "ok"

    def close(self) -> None:
        """Finish the file."""
        self.sink.close(n_images=self.n_images, n_not_ok=self.n_not_ok)


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Whether an output is a folder of parts: it ends in a slash, has no suffix, or is a folder."""
    text = os.fspath(path)
    return text.endswith(("/", os.sep)) or not os.path.splitext(text)[1] or os.path.isdir(text)


def check_folder(folder: Path) -> None:
    """Refuse what can't be a dataset, before anything costs time.

    Raises:
        UsageError: something else is there, or the folder that it should be made in is not.
        MissingExtra: there is no pyarrow.
    """
    require("pyarrow", "parquet", "writing a folder of Parquet parts")
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        if not folder.absolute().parent.is_dir():
            raise UsageError(f"the output {str(folder)!r} is in a folder that does not exist") from None
        return
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or error
        raise UsageError(f"the output {str(folder)!r} can't be used: {cause}") from error
    foreign = [name for name in names if not _OURS.fullmatch(name)]
    if foreign or (RUN not in names and any(map(_PART.fullmatch, names))):
        raise UsageError(
            f"the folder {str(folder)!r} holds other files, such as {(foreign or names)[0]!r}: "
            "name a new or an empty one"
        )


def _check_same(folder: Path, old: Contents, new: Contents) -> None:
    if old.sha256 != new.sha256:
        with suppress(OSError):  # written by us, while somebody else began
            (folder / _manifest_name(new)).unlink()
        sizes = "" if old.n_items == new.n_items else f" ({old.n_items:,}, not {new.n_items:,})"
        raise UsageError(
            f"{str(folder)!r} was written of other images{sizes}, or cut into other shards: go on with "
            "the same ones, or write to another folder"
        )


def _commit(temporary: Path, part: Path) -> None:
    """Give a whole file its name."""
    n_bytes = temporary.stat().st_size
    try:
        temporary.replace(part)
    except FileNotFoundError:
        # over NFS it may have been renamed though the answer was lost; or another did the same shard
        if not part.exists() or part.stat().st_size != n_bytes:
            raise
    if os.name == "posix":
        folder = os.open(part.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _manifest_name(contents: Contents) -> str:
    return f"manifest-{contents.sha256[:12]}.jsonl"


def _as_json(contents: Contents) -> dict[str, Any]:
    """As JSON values; what there is of each shard on one line."""
    shards = {name: " ".join(map(str, getattr(contents, name))) for name in ("starts", "counts")}
    return asdict(contents) | shards


def _contents(values: dict[str, Any]) -> Contents:
    counts = (None if text == "None" else int(text) for text in values["counts"].split())
    known = {
        "columns": tuple(Header(**column) for column in values["columns"]),
        "starts": tuple(map(int, values["starts"].split())),
        "counts": tuple(counts),
    }
    return Contents(**{**values, **known})
