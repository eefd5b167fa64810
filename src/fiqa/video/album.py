"""The best shots of each person in → a folder with crops, a table and a contact sheet out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import UsageError
from ..pages import heatmap
from ..pages.markup import Html
from ..pipeline.rows import Column, Header, Row, columns, row
from ..pipeline.sinks import CsvSink, JsonlSink
from ..types import FloatArray
from .gallery import card, clock, crop_name, gallery
from .results import Best, Shot

_SIDE = 168  # of a crop in the contact sheet, in pixels
_MOST_ROWS = 100  # persons in it
_OWN = ("best.csv", "best.jsonl", "sheet.png", "sheet.html", "embeddings.npz", "overlay.mp4")


class Album:
    """A folder that takes persons as they come; what is written stays, whatever comes after.

    ``best.csv`` (or ``best.jsonl``) has a row a shot, ``crops/`` their aligned crops, ``sheet.html`` and
    ``sheet.png`` a row a person, and, where embeddings are asked for, ``embeddings.npz`` the ``names`` and
    ``embeddings`` of all.

    Args:
        folder: is made; it must not hold another run's files.
        specs: the method specs, a column each.
        reasons: whether there are columns of what may be wrong with a face.
        table: ``csv`` or ``jsonl``.
        embeddings: whether each person's mean embedding is written.

    Raises:
        UsageError: the folder holds such files already, or can't be made.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        specs: tuple[str, ...],
        *,
        reasons: bool = False,
        table: str = "csv",
        embeddings: bool = False,
    ) -> None:
        self.folder = Path(folder)
        self._crops = self.folder / "crops"
        taken = [name for name in (*_OWN, "crops") if (self.folder / name).exists()]
        if taken:
            raise UsageError(f"{str(self.folder)!r} holds {taken[0]} of another run: name another folder")
        try:
            self._crops.mkdir(parents=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise UsageError(f"{str(self.folder)!r} is no folder: name another") from error
        self._columns = [one for one in columns(specs, reasons=reasons) if one.name not in _OTHER]
        self._file = open(self.folder / f"best.{table}", "w", encoding="utf-8", newline="")  # noqa: SIM115
        self._sink = (CsvSink if table == "csv" else JsonlSink)(
            self._file, [*_BEFORE, *self._columns, *_AFTER]
        )
        self._embeddings: dict[str, FloatArray] | None = {} if embeddings else None
        self._rows: list[tuple[str, list[Image.Image]]] = []
        self._cards: list[Html] = []
        self.n_persons = 0

    def __enter__(self) -> Album:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def add(self, best: Best) -> None:
        """Write the shots of a person."""
        self.n_persons += 1
        for shot in best.shots:
            if shot.quality.crop is not None:
                target = self._crops / crop_name(shot)
                temporary = target.with_name(f".{target.name}.part")
                Image.fromarray(shot.quality.crop).save(temporary, "png")
                temporary.replace(target)
            self._sink.write(_row(shot, self._columns))
        if self._embeddings is not None and best.embedding is not None:
            self._embeddings[f"{best.person}"] = best.embedding
        if best.shots:
            self._cards.append(card(best))
        if len(self._rows) < _MOST_ROWS and best.shots:
            label = f"{best.person}: {clock(best.first)} to {clock(best.last)}"
            self._rows.append((label, [_picture(shot) for shot in best.shots]))

    def close(self) -> None:
        """Close the table, and write what is made of all persons."""
        self._file.close()
        if self._embeddings:
            np.savez(
                self.folder / "embeddings.npz",
                names=np.array(list(self._embeddings)),
                embeddings=np.stack(list(self._embeddings.values())),
            )
        if self._rows:
            sheet = heatmap.sheet([pictures for _, pictures in self._rows], labels=[t for t, _ in self._rows])
            sheet.save(self.folder / "sheet.png")
            (self.folder / "sheet.html").write_text(gallery(self._cards), encoding="utf-8")


_BEFORE = (
    Header(name="person", kind="whole"),
    Header(name="rank", kind="whole"),
    Header(name="time", kind="number"),
    Header(name="frame", kind="whole"),
    Header(name="picture", kind="text"),
)
_AFTER = (Header(name="reason", kind="text"), Header(name="crop", kind="text"))
_OTHER = ("path", "face", "status", "reason")  # columns that only a table of images has


def _row(shot: Shot, of_quality: Sequence[Column]) -> Row:
    return {
        "person": shot.person,
        "rank": shot.rank,
        "time": round(shot.time, 3),
        "frame": shot.frame,
        "picture": shot.name,
        **row(shot.quality, of_quality),
        "reason": shot.remark,
        "crop": f"crops/{crop_name(shot)}",
    }


def _picture(shot: Shot) -> Image.Image:
    crop = Image.fromarray(shot.quality.crop) if shot.quality.crop is not None else Image.new("RGB", (1, 1))
    score = "" if shot.quality.score is None else f"   {shot.quality.score:.0f}"
    return heatmap.captioned(crop.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC), clock(shot.time) + score)
