"""Evidence: the few numbers that cross from a network to the methods, each under a name.

A method says which names it needs; a network gives exactly those and runs no deeper than they reach. The same
names are the outputs of an exported graph, so one vocabulary serves torch, ONNX Runtime and OpenVINO:

==========================  ============  ================================================================
name                        shape         meaning
==========================  ============  ================================================================
``step/A-B/NORM``           (B, N)        L2 distance, in [0, 2], of a patch's unit embedding after block A
                                          and after block B; NORM ``final``: after the network's last
                                          LayerNorm, ``none``: as it is
``received/K``              (B, N)        post-softmax attention that a patch receives in block K, mean over
                                          heads, sum over the patches that look, normalised to sum 1
``logits/K/mean``           (B, N)        pre-softmax attention q·k/√d to a patch in block K, mean over heads
                                          and over the patches that look
``logits/K/max``            (B, N)        the same, maximum
``logits/K/median``         (B,)          median over heads and all N × N entries
``logits/K/inverse-std``    (B,)          1 / standard deviation over heads and all N × N entries
``exit/L``                  (B,)          quality regressed after L blocks (L counts from 1)
``embedding``               (B, E)        recognition embedding, not normalised
``state/K/NORM``            (B, N, D)     unit patch embeddings after block K, from which any step follows
==========================  ============  ================================================================

Blocks A, B and K count from 0. Everything is float32, whatever the network ran in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .errors import UsageError
from .types import FloatArray

Kind = Literal["step", "state", "received", "logits", "exit", "embedding"]
REDUCTIONS = ("mean", "median", "max", "inverse-std")
NORMS = ("final", "none")
_NUMBER = "(0|[1-9][0-9]{0,8})"  # so that a name has one text
_TEXT = re.compile(
    r"(?P<kind>step|state|received|logits|exit)/"
    rf"((?P<before>{_NUMBER})-)?(?P<block>{_NUMBER})(/(?P<how>[a-z-]+))?"
)
_HOW = {"step": NORMS, "state": NORMS, "logits": REDUCTIONS, "received": (None,), "exit": (None,)}


class Name(str):
    """The name of one array of evidence, read once: a text as in the table above that knows its parts.

    Attributes:
        kind: what it is.
        block: the deepest block that it reads, from 0; None for the embedding, which reads all.
        before: the block where a step begins, else None.
        how: the norm of a step or state, the reduction of logits, else None.

    Raises:
        UsageError: no evidence is called so.

    >>> name = Name("step/0-4/final")
    >>> name.kind, name.before, name.block, name.how
    ('step', 0, 4, 'final')
    """

    __slots__ = ("before", "block", "how", "kind")

    kind: Kind
    block: int | None
    before: int | None
    how: str | None

    def __new__(cls, text: str) -> Name:
        if isinstance(text, Name):
            return text
        name = super().__new__(cls, text)
        name.kind, name.before, name.block, name.how = _parts(text)
        return name

    def __getnewargs__(self) -> tuple[str]:
        return (str(self),)

    def last_block(self, depth: int) -> int:
        """The deepest block, from 0, that it reads in a network of ``depth`` blocks.

        >>> Name("step/0-4/final").last_block(12), Name("exit/6").last_block(12), EMBEDDING.last_block(12)
        (4, 5, 11)
        """
        return depth - 1 if self.block is None else self.block

    @property
    def ends(self) -> tuple[Name, ...]:
        """The two states whose distance a step is; none for anything else."""
        if self.before is None or self.block is None or self.how is None:
            return ()
        return state(self.before, self.how), state(self.block, self.how)


def _parts(text: str) -> tuple[Kind, int | None, int | None, str | None]:
    if text == "embedding":
        return "embedding", None, None, None
    match = _TEXT.fullmatch(text)
    known = match is not None and match["how"] in _HOW[match["kind"]]
    if match is None or not known or (match["before"] is not None) != (match["kind"] == "step"):
        raise UsageError(f"no evidence is called {text!r}")
    before = None if match["before"] is None else int(match["before"])
    block = int(match["block"]) - (match["kind"] == "exit")
    if block <= (-1 if before is None else before):
        raise UsageError(f"a step goes to a later block and exits count from 1, but got {text!r}")
    kind: Kind = match["kind"]  # type: ignore[assignment]  # the pattern knows no other
    return kind, before, block, match["how"]


EMBEDDING = Name("embedding")


def step(before: int, after: int, norm: str) -> Name:
    """Name of the distances between the patch embeddings of two blocks."""
    return Name(f"step/{before}-{after}/{norm}")


def received(block: int) -> Name:
    """Name of the attention that patches receive in a block."""
    return Name(f"received/{block}")


def logits(block: int, reduce: str) -> Name:
    """Name of the reduced pre-softmax attention of a block."""
    return Name(f"logits/{block}/{reduce}")


def exit_(number: int) -> Name:
    """Name of the quality at an exit; exits count from 1."""
    return Name(f"exit/{number}")


def state(block: int, norm: str) -> Name:
    """Name of the unit patch embeddings of a block."""
    return Name(f"state/{block}/{norm}")


def read_names(texts: Iterable[str], depth: int) -> tuple[Name, ...]:
    """Texts or names as names, without repeats, in order.

    Raises:
        UsageError: one is no name, or reaches deeper than the ``depth`` blocks.
    """
    unique = tuple(dict.fromkeys(map(Name, texts)))
    for name in unique:
        if name.last_block(depth) >= depth:
            raise UsageError(f"{name!r} reads a block that this network of {depth} blocks does not have")
    return unique


@dataclass(frozen=True, slots=True)
class Evidence(Mapping[str, FloatArray]):
    """Named float32 arrays of one batch; the first axis of each is the batch.

    Attributes:
        arrays: name → array, with the names and shapes of this module's table.
        grid: (rows, columns) of the patch grid; N = rows · columns, patches row by row.
    """

    arrays: Mapping[str, FloatArray]
    grid: tuple[int, int]

    def __post_init__(self) -> None:
        sizes = {len(array) for array in self.arrays.values()}
        if len(sizes) > 1:
            raise UsageError(f"the arrays of one batch must be equally long, but got lengths {sorted(sizes)}")

    def __getitem__(self, name: str) -> FloatArray:
        try:
            return self.arrays[name]
        except KeyError:
            raise KeyError(f"{name} was not asked for; there are {', '.join(self.arrays)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)

    @property
    def n_crops(self) -> int:
        """B, the number of crops."""
        return len(next(iter(self.arrays.values()), ()))

    def on_grid(self, patch_values: FloatArray) -> FloatArray:
        """(B, N) → (B, rows, columns)."""
        return np.asarray(patch_values, dtype=np.float32).reshape(len(patch_values), *self.grid)
