"""What is known of a network beside its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import KW_ONLY, asdict, dataclass, field, fields

from ..errors import DataError, UsageError

MOST_BLOCKS = 1000  # what lists one entry per block must not fill the memory for a card that lies
_MOST_CELLS = 1000  # of the patch grid, per side
_MOST_UNITS = 10**6


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What is known of a network beside its weights; travels with them and inside exported graphs.

    Attributes:
        name: preset or file name.
        depth: L, the number of blocks.
        grid: (rows, columns) of the patch grid.
        width, heads: D and H; 0 if unknown.
        exits: whether the network regresses a quality at every block (ViT-FIQA).
        embedding: length of the recognition embedding; 0 if it has none.
        gflops: cost of one crop (2 × multiply-adds) up to and including each block; empty if unknown.
        defaults: method name → spec that this model is best used with, for example
            ``{"vitnt": "vitnt:blocks=0-19"}``.
        score: the spec whose calibrated value is the 0–100 score.
        source, licence: where the weights come from and under which terms.
        sha256: of the weights' file; empty if unknown.
        notes: one or two sentences for people.
    """

    name: str
    _: KW_ONLY
    depth: int
    grid: tuple[int, int]
    width: int = 0
    heads: int = 0
    exits: bool = False
    embedding: int = 0
    gflops: tuple[float, ...] = ()
    defaults: Mapping[str, str] = field(default_factory=dict)
    score: str = ""
    source: str = ""
    licence: str = ""
    sha256: str = ""
    notes: str = ""

    def __post_init__(self) -> None:
        _check_whole("depth", self.depth, 1, MOST_BLOCKS)
        if not isinstance(self.grid, tuple) or len(self.grid) != 2:
            raise UsageError(f"grid must be (rows, columns), but got {_short(self.grid)}")
        for side in self.grid:
            _check_whole("a side of grid", side, 1, _MOST_CELLS)
        for name in ("width", "heads", "embedding"):
            _check_whole(name, getattr(self, name), 0, _MOST_UNITS)
        for name in ("name", "score", "source", "licence", "sha256", "notes"):
            if not isinstance(getattr(self, name), str):
                raise UsageError(f"{name} must be text, but got {_short(getattr(self, name))}")
        if not isinstance(self.exits, bool):
            raise UsageError(f"exits must be true or false, but got {_short(self.exits)}")
        if not isinstance(self.defaults, Mapping) or not all(
            isinstance(text, str) for pair in self.defaults.items() for text in pair
        ):
            raise UsageError(f"defaults must map method names to specs, but got {_short(self.defaults)}")
        self._check_gflops()

    def _check_gflops(self) -> None:
        if not isinstance(self.gflops, tuple) or not all(
            type(cost) in (int, float) and 0 <= cost < 1e12 for cost in self.gflops
        ):
            raise UsageError(f"gflops must be numbers from 0 up, but got {_short(self.gflops)}")
        if self.gflops and len(self.gflops) != self.depth:
            raise UsageError(f"gflops must have one value a block ({self.depth}), but got {len(self.gflops)}")

    def to_json(self) -> str:
        """The card as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """The inverse of :meth:`to_json`; DataError if the text is no card."""
        try:
            values = json.loads(text)
            known = {f.name for f in fields(cls)}
            values = {name: value for name, value in values.items() if name in known}
            for name in ("grid", "gflops"):
                if name in values:
                    values[name] = tuple(values[name])
            return cls(**values)
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise DataError(f"this is no model card: {error}") from error


def _check_whole(name: str, value: object, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise UsageError(f"{name} must be a whole number from {least} to {most}, but got {_short(value)}")


def _short(value: object) -> str:
    text = repr(value) if type(value) is not int or abs(value) < 10**20 else "a number of over 20 digits"
    return text if len(text) <= 60 else f"{text[:57]}…"
