"""A shard of a dataset in → its part, written whole, out: what every way to hand shards out comes down to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..errors import UsageError
from ..types import Quality
from .dataset import Dataset
from .leases import Claims
from .station import Station

Seen = Callable[[Quality], None]
"""Called with each result; its part is not there yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Every n-th shard, for batch systems.

    Attributes:
        index: which of the shares, from 0.
        of: how many there are.

    Raises:
        UsageError: there is no such share.
    """

    index: int = 0
    of: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.of:
            raise UsageError(f"a share must be K/N with K from 0 to N - 1, but got {self.index}/{self.of}")

    @classmethod
    def read(cls, text: str) -> Share:
        """The share that ``3/64`` means.

        >>> Share.read("3/64")
        Share(index=3, of=64)
        """
        index, slash, of = text.partition("/")
        if not (slash and index.isdecimal() and of.isdecimal()):
            raise UsageError(f"a share must be K/N, such as 3/64, but got {text!r}")
        return cls(index=int(index), of=int(of))

    def numbers(self, n_shards: int) -> range:
        """The shards of this share."""
        return range(self.index, n_shards, self.of)


def score_shard(dataset: Dataset, number: int, station: Station, seen: Seen | None = None) -> None:
    """Score the images of one shard into its part; if this is stopped, nothing has happened.

    Args:
        dataset: where it belongs.
        number: which one, from 0.
        station: what scores.
        seen: called with each result.

    Raises:
        OSError: the part can't be written.
    """
    with dataset.writing(number, station.headers) as part:
        for quality, row, n_begun in station.rows(dataset.manifest.items(number)):
            part.write(row, n_images=n_begun)
            if seen is not None:
                seen(quality)


def claim_and_score(
    dataset: Dataset, number: int, station: Station, claims: Claims, seen: Seen | None = None
) -> bool:
    """Score a shard, unless it is done or another process has it; whether it is done now."""
    if dataset.part(number).exists():
        return True
    if not claims.take(number):
        return False
    try:
        if not dataset.part(number).exists():  # its holder may have ended between the two looks
            score_shard(dataset, number, station, seen)
    finally:
        claims.give_back(number)
    return True


def score_shards(
    dataset: Dataset,
    numbers: Iterable[int],
    station: Station,
    claims: Claims,
    seen: Seen | None = None,
) -> None:
    """Score these shards, or see others do it; those of one who dies are done here. All are done then."""
    done = dataset.done()
    left = [number for number in numbers if number not in done]
    while left:
        waiting = [number for number in left if not claim_and_score(dataset, number, station, claims, seen)]
        if len(waiting) == len(left):
            claims.wait()
        left = waiting
