"""The pickle inside a torch file in → nothing, or a DataError before anything of it is built.

``torch.load(weights_only=True)`` runs no code from a file, but it builds what the file says: a tuple nested
200,000 deep as a key of a dict overflows the C stack when it is hashed, and a record that is compressed may
unpack to any size. So the opcodes are read first, without running them, and the nesting is counted.
"""

from __future__ import annotations

import pickletools
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any

from ..errors import DataError

_DEEPEST = 64  # a state dict nests some 10 deep, a whole training state some 20
_MOST_OPCODES = 5_000_000  # reading them takes some 5 s
_LONGEST_INTEGER = 16  # bytes
_FILLING = ("APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS", "BUILD")
_PICKLES_IN_OLD_FILE = 5  # magic number, protocol, system, content, storage keys; then the numbers


def check_pickle(path: Path) -> None:
    """Read the opcodes of the pickles in a torch file, in its zip form or its older one.

    Raises:
        DataError: they nest too deeply, hold an integer that no checkpoint has, or are damaged.
    """
    try:
        with _pickles(path) as streams:
            for stream in streams:
                _check_opcodes(stream)
    except (ValueError, IndexError, zipfile.BadZipFile, EOFError, NotImplementedError, OSError) as error:
        if isinstance(error, DataError):
            raise DataError(f"{str(path)!r} {error}") from None
        raise DataError(f"{str(path)!r} can't be read as a torch checkpoint: {error}") from error


@contextmanager
def _pickles(path: Path) -> Iterator[Iterator[IO[bytes]]]:
    with open(path, "rb") as file:
        if not zipfile.is_zipfile(file):
            file.seek(0)
            yield (file for _ in range(_PICKLES_IN_OLD_FILE))
            return
        with zipfile.ZipFile(file) as archive:
            records = archive.infolist()
            packed = next((r.filename for r in records if r.compress_type != zipfile.ZIP_STORED), None)
            if packed is not None:
                raise DataError(f"holds {packed!r} compressed: save the network's state_dict() alone")
            names = [r.filename for r in records if r.filename.endswith(".pkl")]
            if not names:
                raise DataError("can't be read as a torch checkpoint: it is a zip file without a pickle")
            yield (archive.open(name) for name in names)


def _check_opcodes(stream: IO[bytes]) -> None:
    """Run one pickle up to its STOP on a stack that holds nothing but how deeply each value nests."""
    stack: list[int] = []
    marks: list[int] = []
    memo: dict[Any, int] = {}
    for opcode, argument, _ in islice(pickletools.genops(stream), _MOST_OPCODES):
        name = opcode.name
        if isinstance(argument, int) and argument.bit_length() > 8 * _LONGEST_INTEGER:
            raise DataError(f"holds an integer of {argument.bit_length()} bits, which no checkpoint does")
        if name == "STOP":
            return
        if name == "MARK":
            marks.append(len(stack))
        elif "PUT" in name or name == "MEMOIZE":
            memo[len(memo) if name == "MEMOIZE" else argument] = stack[-1]
        elif "GET" in name:
            stack.append(memo.get(argument, 0))
        elif name != "PROTO":
            *inside, outside = _take(opcode, stack, marks) or [0]
            # what is put into a container that is there already makes it no deeper than that
            depth = (
                max(outside, *(d + 1 for d in inside)) if name in _FILLING else max(outside, *inside, 0) + 1
            )
            if depth > _DEEPEST:
                raise DataError(f"nests values more than {_DEEPEST} deep, which no checkpoint does")
            stack.extend(depth for _ in opcode.stack_after)
    raise DataError(f"holds over {_MOST_OPCODES:,} values beside its tensors, which no checkpoint does")


def _take(opcode: pickletools.OpcodeInfo, stack: list[int], marks: list[int]) -> list[int]:
    """What an opcode takes off the stack, as far down as the last mark if it takes a slice."""
    taken = []
    if pickletools.markobject in opcode.stack_before:
        mark = marks.pop()
        taken = stack[mark:]
        del stack[mark:]
        n = opcode.stack_before.index(pickletools.markobject)
    else:
        n = len(opcode.stack_before)
    for _ in range(n):
        taken.append(stack.pop())
    return taken
