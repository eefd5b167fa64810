"""The bytes of a pickle in → lists, bytes, numbers and NumPy arrays of numbers out; nothing else is built.

A pickle is a program for a small stack machine that can import and call anything. This machine knows the
operations that lists, tuples, bytes, bools, numbers and NumPy's arrays of them need, and refuses every other.
Python's own unpickler is not used: it reserves what a file claims to hold, and a crafted nest of values makes
it overrun the stack.
"""

from __future__ import annotations

import ast
import re
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import specs
from ...errors import DataError

__all__ = ["NumberArray", "unpickle"]

_DEEPEST = 8  # containers in containers; a verification set needs three
_MOST_MARKS = 32
_MOST_VALUES = 5_000_000  # on the stack or in the memo
_LONGEST_INTEGER = 8  # bytes
_TYPES = ("b1", "u1", "i1", "i2", "i4", "i8", "u2", "u4", "u8", "f2", "f4", "f8")
_QUOTED = re.compile(rb"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")


class NumberArray:
    """A NumPy array of bools or numbers; empty until its state is known."""

    __slots__ = ("array",)

    def __init__(self) -> None:
        self.array = np.zeros(0, np.uint8)


def unpickle(data: bytes) -> Any:
    """The value that the pickle ``data`` holds: lists (also for tuples), bytes, text, numbers, NumberArray.

    Raises:
        DataError: the data are damaged, or ask for anything else; no code of theirs is run.
    """
    machine = _Machine(data)
    try:
        return machine.run()
    except DataError:
        raise
    except (TypeError, ValueError, LookupError, SyntaxError, struct.error) as error:
        raise DataError(f"damaged at byte {machine.at}") from error


class _List(list[Any]):
    """A list or tuple that knows how deep it is nested. One that lies in another is not changed any more."""

    __slots__ = ("depth", "is_placed")

    def __init__(self) -> None:
        self.depth, self.is_placed = 1, False

    def add(self, items: list[Any]) -> None:
        if self.is_placed:
            raise DataError("it changes a list that lies in another")
        for item in items:
            if isinstance(item, _List):
                if item is self:
                    raise DataError("a list in it lies in itself")
                item.is_placed = True
                self.depth = max(self.depth, item.depth + 1)
        if self.depth > _DEEPEST:
            raise DataError(f"its lists are nested more than {_DEEPEST} deep")
        self.extend(items)


class _Machine:
    """Reads operations and keeps the stack, its marks and the memo."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self._made = 0

    def run(self) -> Any:
        while (code := self.take(1)) != b".":
            if code in _VALUES:
                self.push(_VALUES[code](self))
            elif code in _ACTIONS:
                _ACTIONS[code](self)
            else:
                what = _REFUSED.get(code, f"operation {code!r}")
                raise DataError(f"it holds {what}, which is refused")
        return self.stack.pop()

    # --- reading

    def take(self, n: int) -> bytes:
        if n > len(self.data) - self.at:
            raise DataError(f"the data end at byte {len(self.data)}, in the middle")
        self.at += n
        return self.data[self.at - n : self.at]

    def line(self) -> bytes:
        end = self.data.find(b"\n", self.at)
        if end < 0:
            raise DataError(f"the data end at byte {len(self.data)}, in the middle")
        return self.take(end + 1 - self.at)[:-1]

    def count(self, n_bytes: int) -> int:
        return int.from_bytes(self.take(n_bytes), "little")

    def sized(self, n_bytes: int) -> bytes:
        return self.take(self.count(n_bytes))

    def integer(self, n_bytes: int) -> int:
        size = self.count(n_bytes)
        if size > _LONGEST_INTEGER:
            raise DataError(f"it holds an integer of {size} bytes; at most {_LONGEST_INTEGER} are read")
        return int.from_bytes(self.take(size), "little", signed=True)

    # --- the stack

    def push(self, value: Any) -> None:
        if len(self.stack) >= _MOST_VALUES:
            raise DataError(f"more than {_MOST_VALUES:,} values wait for their list")
        self.stack.append(value)

    def mark(self) -> None:
        if len(self.below) >= _MOST_MARKS:
            raise DataError(f"its lists are nested more than {_MOST_MARKS} deep")
        self.below.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[Any]:
        found, self.stack = self.stack, self.below.pop()
        return found

    def gather(self, items: list[Any]) -> None:
        new = _List()
        new.add(items)
        self.push(new)

    def top(self, n: int) -> list[Any]:
        if n > len(self.stack):
            raise DataError(f"it takes a value that is not there, at byte {self.at}")
        found = self.stack[-n:]
        del self.stack[-n:]
        return found

    def extend(self, items: list[Any]) -> None:
        self._last(_List).add(items)

    def _last(self, kind: type) -> Any:
        if not isinstance(self.stack[-1], kind):
            raise DataError(f"it adds to a value that is no list, at byte {self.at}")
        return self.stack[-1]

    def remember(self, place: int) -> None:
        if len(self.memo) >= _MOST_VALUES:
            raise DataError(f"it remembers more than {_MOST_VALUES:,} values")
        self.memo[place] = self.stack[-1]

    # --- what it may call

    def made(self, value: bytes) -> bytes:
        """Count what calls make: an honest one has its own text in the file, so never more than the file."""
        self._made += len(value)
        if self._made > len(self.data):
            raise DataError("it makes more bytes than it holds")
        return value

    def find(self, module: Any, name: Any) -> None:
        if isinstance(module, str) and isinstance(name, str) and (module, name) in _CALLS:
            self.push(_CALLS[module, name])
        else:
            shown = f"{module}.{name}" if isinstance(module, str) and isinstance(name, str) else "something"
            raise DataError(f"it asks to import {shown[:80]}, which is refused")

    def call(self) -> None:
        function, arguments = self.top(2)
        if not isinstance(function, _Call) or not isinstance(arguments, _List):
            raise DataError("it calls what can't be called")
        self.push(function.run(self, *arguments))

    def build(self) -> None:
        (state,) = self.top(1)
        target = self.stack[-1]
        if isinstance(target, _Type) and isinstance(state, _List):
            # the other orders mean this machine's, or nothing for one byte
            target.dtype = target.dtype.newbyteorder(">") if _text(state[1]) == ">" else target.dtype
        elif isinstance(target, NumberArray) and isinstance(state, _List):
            _, shape, dtype, is_fortran, content = state
            target.array = _array(self, content, dtype, shape, "F" if is_fortran is True else "C")
        else:
            raise DataError("it asks to change a value, which is refused")


class _Call:
    """A function that the pickle can call and not change."""

    __slots__ = ("run",)

    def __init__(self, run: Callable[..., Any]) -> None:
        self.run = run


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value[:16].decode("latin-1")
    return value[:16] if isinstance(value, str) else ""


class _Type:
    """The type of an array; its byte order comes with its state."""

    __slots__ = ("dtype",)

    def __init__(self, _: _Machine, code: Any, *__: Any) -> None:
        name = _text(code)
        if name.lstrip("<>|=") not in _TYPES:
            raise DataError(f"NumPy type {name!r} is not a bool or a number")
        self.dtype = np.dtype(name)


def _array(machine: _Machine, content: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    if isinstance(content, str):  # Python 2 bytes that were written as text
        content = machine.made(content.encode("latin-1"))
    if not isinstance(content, bytes) or not isinstance(dtype, _Type) or not isinstance(shape, list):
        raise DataError("a NumPy array in it is not plain bytes")
    if not all(type(size) is int and 0 < size <= len(content) for size in shape) or len(shape) > 4:
        raise DataError("a NumPy array in it is empty, or its shape does not fit its bytes")
    flat = np.frombuffer(content, dtype.dtype)
    return flat.reshape(tuple(shape), order="F" if _text(order) == "F" else "C")


def _from_buffer(machine: _Machine, content: Any, dtype: Any, shape: Any, order: Any) -> NumberArray:
    holder = NumberArray()
    holder.array = _array(machine, content, dtype, shape, order)
    return holder


def _scalar(machine: _Machine, dtype: Any, content: Any) -> Any:
    return _array(machine, content, dtype, [1], "C")[0].item()


def _encode(machine: _Machine, text: Any, encoding: Any = "latin-1") -> bytes:
    # how Python 3 writes bytes in the old pickle protocols
    if not isinstance(text, str) or _text(encoding) not in ("latin1", "latin-1"):
        raise DataError("text in it is not Latin-1 bytes")
    return machine.made(text.encode("latin-1"))


def _bytes(machine: _Machine, *arguments: Any) -> bytes:
    if not arguments:
        return b""
    if len(arguments) == 1 and isinstance(arguments[0], bytes):
        return arguments[0]
    if len(arguments) == 1 and isinstance(arguments[0], list):
        return machine.made(bytes(arguments[0]))
    return _encode(machine, *arguments)


_CALLS: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Call(lambda machine, *_: NumberArray()),
    ("numpy", "dtype"): _Call(_Type),
    ("_codecs", "encode"): _Call(_encode),
    **{
        (module, kind): _Call(_bytes)
        for module in ("builtins", "__builtin__")
        for kind in ("bytes", "bytearray")
    },
    **{
        (f"numpy.{core}.{module}", name): _Call(function)
        for core in ("core", "_core")
        for module, name, function in (
            ("multiarray", "_reconstruct", lambda machine, *_: NumberArray()),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", _from_buffer),
        )
    },
}


def _integer_line(machine: _Machine) -> Any:
    text = machine.line().removesuffix(b"L").decode("ascii")
    return {"00": False, "01": True}[text] if text in ("00", "01") else specs.whole(text)


def _quoted(machine: _Machine) -> bytes:
    line = machine.line()
    if _QUOTED.fullmatch(line) is None:
        raise DataError("text in it has no quotes")
    value: bytes = ast.literal_eval("b" + line.decode("ascii"))
    return value


_VALUES: dict[bytes, Callable[[_Machine], Any]] = {
    b"N": lambda m: None,
    b"\x88": lambda m: True,
    b"\x89": lambda m: False,
    b"I": _integer_line,
    b"L": _integer_line,
    b"J": lambda m: int.from_bytes(m.take(4), "little", signed=True),
    b"K": lambda m: m.count(1),
    b"M": lambda m: m.count(2),
    b"\x8a": lambda m: m.integer(1),
    b"\x8b": lambda m: m.integer(4),
    b"F": lambda m: specs.number(m.line().decode("ascii")),
    b"G": lambda m: struct.unpack(">d", m.take(8))[0],
    b"S": _quoted,
    b"T": lambda m: m.sized(4),
    b"U": lambda m: m.sized(1),
    b"V": lambda m: m.line().decode("raw-unicode-escape"),
    b"X": lambda m: m.sized(4).decode("utf-8", "surrogatepass"),
    b"\x8c": lambda m: m.sized(1).decode("utf-8", "surrogatepass"),
    b"\x8d": lambda m: m.sized(8).decode("utf-8", "surrogatepass"),
    b"B": lambda m: m.sized(4),
    b"C": lambda m: m.sized(1),
    b"\x8e": lambda m: m.sized(8),
    b"\x96": lambda m: m.sized(8),
    b"]": lambda m: _List(),
    b")": lambda m: _List(),
    b"g": lambda m: m.memo[specs.whole(m.line().decode("ascii"))],
    b"h": lambda m: m.memo[m.count(1)],
    b"j": lambda m: m.memo[m.count(4)],
}
"""Operations that put one value on the stack."""

_ACTIONS: dict[bytes, Callable[[_Machine], None]] = {
    b"\x80": lambda m: _drop(m.take(1)),  # the protocol
    b"\x95": lambda m: _drop(m.take(8)),  # the size of a frame
    b"(": _Machine.mark,
    b"0": lambda m: _drop(m.top(1)),
    b"1": lambda m: _drop(m.since_mark()),
    b"2": lambda m: m.push(m.stack[-1]),
    b"a": lambda m: m.extend(m.top(1)),
    b"e": lambda m: m.extend(m.since_mark()),
    b"l": lambda m: m.gather(m.since_mark()),
    b"t": lambda m: m.gather(m.since_mark()),
    b"\x85": lambda m: m.gather(m.top(1)),
    b"\x86": lambda m: m.gather(m.top(2)),
    b"\x87": lambda m: m.gather(m.top(3)),
    b"p": lambda m: m.remember(specs.whole(m.line().decode("ascii"))),
    b"q": lambda m: m.remember(m.count(1)),
    b"r": lambda m: m.remember(m.count(4)),
    b"\x94": lambda m: m.remember(len(m.memo)),
    b"c": lambda m: m.find(m.line().decode("utf-8"), m.line().decode("utf-8")),
    b"\x93": lambda m: m.find(*m.top(2)),
    b"R": _Machine.call,
    b"b": _Machine.build,
}
"""Operations that change the stack or the memo."""

_REFUSED = {
    **dict.fromkeys((b"}", b"d", b"s", b"u"), "a dict"),
    **dict.fromkeys((b"\x8f", b"\x90", b"\x91"), "a set"),
}


def _drop(_: object) -> None:
    pass
