"""A result table in → its files sorted by a gate, or the best of each group, out."""

from __future__ import annotations

import heapq
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..calibration import Gate
from ..errors import UsageError, unknown
from .ledger import Ledger
from .output import FORMATS, check_place
from .placement import How, Placement
from .rows import Header, Row
from .sinks import write_parquet
from .tables import ResultTable

Fate = Literal["accepted", "rejected", "failed", "missing"]
FOLDER = "folder"  # what rank goes by where no column is named


# ---------------------------------------------------------------- sort


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorting:
    """What a gate means for the files of a table.

    Attributes:
        table: the table.
        gate: who passes.
        accepted, rejected: the folders for those that do and those that don't, made absolute.
        root: where the table's relative paths begin, made absolute.
    """

    table: ResultTable
    gate: Gate
    accepted: Path
    rejected: Path
    root: Path = Path()

    def __post_init__(self) -> None:
        for name in ("accepted", "rejected", "root"):
            object.__setattr__(self, name, Path(os.path.abspath(getattr(self, name))))
        if self.accepted == self.rejected:
            raise UsageError(
                f"accepted and rejected must be two folders, but got {str(self.accepted)!r} twice"
            )

    def fates(self, placed: Iterable[str] = ()) -> Iterator[tuple[Path, Fate]]:
        """Each photograph, absolute, and what becomes of it.

        One that scoring failed on stays, since another try may go better; the largest face decides.

        Args:
            placed: what need not be in its old place any more.
        """
        for values in self.table.photographs():
            file = self.file(values)
            if values["status"] == "failed":
                yield Path(file), "failed"
            elif file not in placed and not os.path.isfile(file):
                yield Path(file), "missing"
            else:
                yield Path(file), "accepted" if self.table.passes(self.gate, values) else "rejected"

    def file(self, values: Row) -> str:
        """Where the photograph of a row lies."""
        return os.path.abspath(os.path.join(self.root, values["path"]))

    def base(self) -> Path:
        """The folder that holds all photographs of the table."""
        return Path(common_folder(map(self.file, self.table.rows())))

    def target(self, file: Path, fate: Fate, base: Path) -> Path:
        """Where a photograph goes that is accepted or rejected: it keeps its folders below ``base``."""
        below = file.relative_to(base) if file.is_relative_to(base) else Path(file.name)
        return (self.accepted if fate == "accepted" else self.rejected) / below


@dataclass(slots=True, kw_only=True)
class Sorted:
    """What a sort did.

    Attributes:
        fates: how many photographs there are of each fate, those of earlier runs included.
        n_before: how many an earlier run had put in their place.
    """

    fates: Counter[str] = field(default_factory=Counter)
    n_before: int = 0


def ledger_path(table: ResultTable) -> Path:
    """The journal of a table's sort, beside it."""
    return Path(f"{os.path.abspath(table.path)}.sort.jsonl")


def sort_files(
    sorting: Sorting, how: How, *, progress: Callable[[Path, Fate], object] | None = None
) -> Sorted:
    """Link, copy or move the files of a table into two folders; a second run goes on after a kill.

    Nothing is overwritten: a file whose name is taken becomes ``NAME-2.jpg``. What is done stands in
    ``TABLE.sort.jsonl`` before it is done, by which :func:`undo_sort` takes it back.

    Args:
        sorting: what goes where.
        how: as symbolic links, as copies, or moved.
        progress: called for each file once it is in its place, or stays.

    Raises:
        UsageError: the table was sorted in another way already, or another run is sorting it.
        OSError: the disk does not let us; what was done is done, and another run goes on.
    """
    done = Sorted()
    with Ledger(ledger_path(sorting.table)) as ledger:
        base = Path(ledger.settings.get("base") or sorting.base())
        folders = {name: str(getattr(sorting, name)) for name in ("accepted", "rejected", "root")}
        gate = {"rule": sorting.gate.rule, "score": sorting.gate.score}
        ledger.begin({**gate, "how": how, **folders, "base": str(base)})
        for file, fate in sorting.fates(ledger.placed):
            done.fates[fate] += 1
            if str(file) in ledger.placed:
                done.n_before += 1
            elif fate in ("accepted", "rejected"):
                target = sorting.target(file, fate, base)
                if target != file:
                    ledger.place(Placement(source=file, target=target, how=how))
            if progress is not None:
                progress(file, fate)
    return done


def undo_sort(table: ResultTable) -> Iterator[tuple[Placement, str]]:
    """Take a table's sort back, the last file first.

    Yields:
        Each file, and what stood in its way or nothing.

    Raises:
        UsageError: the table was not sorted, or another run is sorting it.
    """
    path = ledger_path(table)
    if not path.exists():
        raise UsageError(f"{str(table.path)!r} has not been sorted: there is no {str(path)!r}")
    with Ledger(path) as ledger:
        yield from ledger.undo()


# ---------------------------------------------------------------- rank


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """One of the best of a group.

    Attributes:
        group: the folder below the folder of all, or the column's value.
        place: from 1, the best.
        n_images: photographs of the group that have a score.
        quality: how good it is, higher = better.
        values: its row.
    """

    group: str
    place: int
    n_images: int
    quality: float
    values: Row


@dataclass(slots=True)
class _Group:
    n_images: int = 0
    best: list[tuple[float, int, Row]] = field(default_factory=list)  # a heap, the worst of them first


def rank(table: ResultTable, *, by: str = FOLDER, top: int = 3) -> tuple[list[Ranked], list[str]]:
    """The best photographs of each group, by their largest face; of equals the one that comes first.

    Args:
        table: the table.
        by: ``folder``, or a column whose value is the group.
        top: how many of each group.

    Returns:
        The best, group by group in the table's order; the groups in which nothing has a score.

    Raises:
        UnknownName: the table has no such column.
        UsageError: ``top`` is less than 1.
    """
    if top < 1:
        raise UsageError(f"top must be at least 1, but got {top}")
    group_of = grouping(table, by)
    groups: dict[str, _Group] = {}
    for number, values in enumerate(table.photographs()):
        group = groups.setdefault(group_of(values), _Group())
        quality = table.quality(values) if values["status"] == "ok" else None
        if quality is None:
            continue
        group.n_images += 1
        entry = (quality, -number, values)
        if len(group.best) < top:
            heapq.heappush(group.best, entry)
        else:
            heapq.heappushpop(group.best, entry)
    found = [
        Ranked(group=name, place=place, n_images=group.n_images, quality=quality, values=values)
        for name, group in groups.items()
        for place, (quality, _, values) in enumerate(sorted(group.best, reverse=True), 1)
    ]
    return found, [name for name, group in groups.items() if not group.n_images]


def ranked_rows(found: Iterable[Ranked], table: ResultTable) -> tuple[list[Header], Iterator[Row]]:
    """What :func:`rank` gave as a table: its columns and rows."""
    headers = [
        Header(name="group", kind="text"),
        Header(name="place", kind="whole"),
        Header(name="n_images", kind="whole"),
        Header(name="path", kind="text"),
        Header(name=table.quality_column, kind="number"),
    ]
    rows = (
        {
            "group": one.group,
            "place": one.place,
            "n_images": one.n_images,
            "path": one.values["path"],
            table.quality_column: one.quality,
        }
        for one in found
    )
    return headers, rows


def write_ranked(found: Iterable[Ranked], table: ResultTable, path: Path) -> None:
    """Write what :func:`rank` gave to .csv, .jsonl or .parquet.

    Raises:
        UsageError: another suffix, or a place that can't be written.
        MissingExtra: Parquet without pyarrow.
    """
    check_place(path)
    headers, rows = ranked_rows(found, table)
    if path.suffix.lower() == ".parquet":
        write_parquet(path, rows, headers)
        return
    temporary = Path(f"{path}.part")
    with open(temporary, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        sink = FORMATS[path.suffix.lower()](file, headers)
        for values in rows:
            sink.write(values)
    temporary.replace(path)


def grouping(table: ResultTable, by: str = FOLDER) -> Callable[[Row], str]:
    """Row → the name of its group; see :func:`rank`.

    Raises:
        UnknownName: the table has no such column.
    """
    if by in table.names:
        return lambda values: "" if (found := values.get(by)) is None else str(found)
    if by != FOLDER:
        raise unknown("column", by, [FOLDER, *table.names])
    base = common_folder(os.path.normpath(values["path"]) for values in table.rows())

    def folder(values: Row) -> str:
        below = os.path.dirname(os.path.normpath(values["path"]))
        return below.removeprefix(base).lstrip(os.sep) or os.path.basename(below) or "."

    return folder


def copy_ranked(found: Iterable[Ranked], folder: Path, *, root: Path = Path()) -> tuple[int, list[str]]:
    """Copy the best of each group to ``FOLDER/GROUP/NAME``; what lies there already is not copied again.

    Nothing is overwritten: a file whose name is taken by another becomes ``NAME-2.jpg``.

    Args:
        found: what :func:`rank` gave.
        folder: where to.
        root: where the table's relative paths begin.

    Returns:
        How many are there now, and the paths of those that are missing.

    Raises:
        OSError: the disk does not let us.
    """
    homes: dict[str, Path] = {}
    used: set[Path] = set()
    missing = []
    for one in found:
        source = Path(os.path.abspath(root / one.values["path"]))
        if not source.is_file():
            missing.append(str(one.values["path"]))
            continue
        home = homes.get(one.group) or homes.setdefault(one.group, _home(folder, one.group, homes.values()))
        home.mkdir(parents=True, exist_ok=True)
        used.add(Placement(source=source, target=home / source.name, how="copy").ensure(used))
    return len(used), missing


def _home(folder: Path, group: str, others: Iterable[Path]) -> Path:
    """A folder of a group, below ``folder`` whatever the group is called, and no other group's."""
    parts = [part for part in group.replace("\\", "/").replace("\0", "").split("/") if part.strip(". ")]
    plain = folder.joinpath(*parts) if parts else folder / "_"
    taken, number, home = set(others), 1, plain
    while home in taken:
        number += 1
        home = plain.with_name(f"{plain.name}-{number}")
    return home


def common_folder(paths: Iterable[str]) -> str:
    """The folder that holds all ``paths``; those must be normalised, and be absolute or relative alike."""
    found: str | None = None
    for path in paths:
        folder = os.path.dirname(path)
        if found is None:
            found = folder
        elif folder != found and not folder.startswith(os.path.join(found, "")):
            try:
                found = os.path.commonpath((found, folder))
            except ValueError:  # one is relative, or they lie on two drives
                found = ""
    return found or ""
