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

import numpy as np

from .errors import UsageError
from .types import FloatArray

EMBEDDING = "embedding"
REDUCTIONS = ("mean", "median", "max", "inverse-std")
NORMS = ("final", "none")
_NAME = re.compile(
    r"(?P<kind>step|state|received|logits|exit)/((?P<before>[0-9]+)-)?(?P<block>[0-9]+)(/(?P<how>[a-z-]+))?"
)
_HOW = {"step": NORMS, "state": NORMS, "logits": REDUCTIONS, "received": (None,), "exit": (None,)}


def step(before: int, after: int, norm: str) -> str:
    """Name of the distances between the patch embeddings of two blocks."""
    return f"step/{before}-{after}/{norm}"


def received(block: int) -> str:
    """Name of the attention that patches receive in a block."""
    return f"received/{block}"


def logits(block: int, reduce: str) -> str:
    """Name of the reduced pre-softmax attention of a block."""
    return f"logits/{block}/{reduce}"


def exit_(number: int) -> str:
    """Name of the quality at an exit; exits count from 1."""
    return f"exit/{number}"


def state(block: int, norm: str) -> str:
    """Name of the unit patch embeddings of a block."""
    return f"state/{block}/{norm}"


def last_block(name: str, depth: int) -> int:
    """The deepest block, from 0, that ``name`` reads; ``depth`` is the network's L.

    >>> last_block("step/0-4/final", 12), last_block("exit/6", 12), last_block("embedding", 12)
    (4, 5, 11)
    """
    if name == EMBEDDING:
        return depth - 1
    match = _NAME.fullmatch(name)
    known = match is not None and match["how"] in _HOW[match["kind"]]
    if match is None or not known or (match["before"] is not None) != (match["kind"] == "step"):
        raise UsageError(f"no evidence is called {name!r}")
    block = int(match["block"]) - (match["kind"] == "exit")
    if block <= int(match["before"] or -1):
        raise UsageError(f"a step goes to a later block and exits count from 1, but got {name!r}")
    return block


def check_names(names: Iterable[str], depth: int) -> tuple[str, ...]:
    """``names`` without repeats, in order; UsageError if one reaches deeper than the ``depth`` blocks."""
    unique = tuple(dict.fromkeys(names))
    for name in unique:
        if last_block(name, depth) >= depth:
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
