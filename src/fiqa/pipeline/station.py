"""A scorer and how its rows look in → rows out, whatever they are written to."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from ..calibration import Gate, read_gate
from ..errors import MissingExtra, UsageError
from ..images.remote import is_remote
from ..scorer import Scorer
from ..types import CROP_SIZE, Quality
from .crops import CropFolder
from .facts import facts
from .feed import Feed
from .items import Item, path_of
from .manifest import Manifest
from .rows import Header, Row, carried_row, check_carried, columns, row


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How images are scored, beside the scorer; may be pickled.

    Attributes:
        all_faces: a row for every face, rather than for the largest.
        batch_size: faces per forward pass.
        save_crops: a folder for the aligned crops of all scored faces.
        gate: who is good enough, such as ``"60"`` or ``"fnmr=1%"``.
        decides: further settings that decide the numbers.

    Raises:
        UsageError: ``batch_size`` is below 1.
    """

    all_faces: bool = False
    batch_size: int = 8
    save_crops: str | os.PathLike[str] | None = None
    gate: str | Gate | None = None
    decides: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise UsageError(f"batch_size must be at least 1, but got {self.batch_size}")


class Scored(NamedTuple):
    """One result and its row.

    Attributes:
        quality: the result.
        row: column name → value.
        n_begun: images so far, this one included.
    """

    quality: Quality
    row: Row
    n_begun: int


class Station:
    """Where items become rows; made once, used for any number of them.

    Args:
        scorer: what scores.
        settings: how.
        carried: columns that rows carry of the lists that named the images.

    Attributes:
        gate: what decides the column ``accepted``.
        columns: of the rows, without the carried ones.
        headers: of the rows, all.
        facts: what decides the numbers, JSON values.

    Raises:
        UsageError: a gate without the 0–100 score, or a column of a list that has the name of one of ours.
    """

    def __init__(self, scorer: Scorer, settings: Settings, carried: Sequence[Header] = ()) -> None:
        self.scorer, self.settings = scorer, settings
        rule = settings.gate
        self.gate = gate_of(scorer, rule) if isinstance(rule, str) else rule
        self.columns = columns(
            scorer.specs,
            crops=settings.save_crops is not None,
            reasons=scorer.policy is not None,
            gate=self.gate,
        )
        check_carried(self.columns, carried)
        self.carried = tuple(carried)
        self.headers: tuple[Header, ...] = (*self.columns, *carried)
        decides = {**settings.decides, **({} if self.gate is None else {"gate": str(self.gate)})}
        self.facts = facts(scorer, all_faces=settings.all_faces, decides=decides)
        self._crops = CropFolder(settings.save_crops) if settings.save_crops is not None else None

    def rows(
        self, items: Iterable[Item | str], *, wanted: Callable[[str], bool] | None = None
    ) -> Iterator[Scored]:
        """A row for each image, or for each face, in their order; its crop is saved by then.

        Args:
            items: what there is to score.
            wanted: of the images, by their path, those that are scored; None: all.
        """
        feed = Feed.of(self.scorer, items, wanted=wanted)
        keep: tuple[Literal["crop"], ...] = ("crop",) if self._crops else ()
        for quality in self.scorer.stream(
            feed, self.settings.batch_size, all_faces=self.settings.all_faces, keep=keep
        ):
            if self._crops:
                self._crops.save(quality)
            carried = carried_row(feed.carried(quality), self.carried)
            yield Scored(quality, row(quality, self.columns) | carried, feed.n_begun)


def gate_of(scorer: Scorer, rule: str) -> Gate:
    """What a rule such as ``60`` or ``fnmr=1%`` means for the scores of this scorer.

    Raises:
        UsageError: the text is none, or the scorer lacks the 0–100 score or the gate.
    """
    if scorer.calibration is None:
        raise UsageError(
            f"a gate needs a score from 0 to 100, and {scorer.card.name} has none for these methods: make a "
            "profile with 'fiqa calibrate'"
        )
    return read_gate(rule, scorer.calibration)


def open_all(scorer: Scorer, manifest: Manifest, batch_size: int) -> None:
    """Open network and detector, so that what is missing is said before anything is written or printed.

    Raises:
        FiqaError: the network can't run, or an image needs a detector and there is none.
    """
    n_images = manifest.contents.n_images
    try:
        scorer.warm_up(batch_size, many=n_images is None or n_images > batch_size)
    except MissingExtra:
        if scorer.align == "detect" or not all(map(_is_crop, manifest.items())):
            raise


def _is_crop(item: Item | str) -> bool:
    """Whether an image needs no detector: it is 112×112, or can't be used anyway."""
    from PIL import Image

    path = path_of(item)
    if is_remote(path) or (isinstance(item, Item) and item.is_tar):
        return True  # nobody knows before it is read
    if not os.path.isfile(path):  # a pipe would block
        return True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # its limit is half of ours
            with Image.open(path) as image:
                return image.size == (CROP_SIZE, CROP_SIZE)
    except Exception:  # Pillow's readers raise what they like on damaged bytes; its row will say it
        return True
