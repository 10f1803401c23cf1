"""Pickles read as data: what they name is made by functions of ours or refused, and nothing else is called.

The pickle module calls whatever a file names and allots whatever a file declares. Here the opcodes are read one by
one, and only the few are obeyed that lists, numbers, texts and numpy arrays need. Memory stays within a few times the
file's size, and nothing nested is ever compared, hashed or printed.
"""

from __future__ import annotations

import math
import pickletools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jal.errors import InputError

MOST_OPCODES = 500_000
"""As many as a file may have. The largest that we know, CIFAR-100's training part, has some 200,000."""


class _Refused(Exception):
    """Why a pickle is not read."""


@dataclass(frozen=True)
class _Named:
    """What a pickle refers to by name."""

    name: str
    make: Callable[..., Any]


@dataclass
class _Type:
    """A numpy type of numbers, as a pickle spells it: the kind and size first, the byte order later."""

    code: str
    order: str = "|"


def _dtype(code: object, align: object = 0, copy: object = 1) -> _Type:
    text = _text(code)
    if not re.fullmatch("[biuf][1248]", text):
        raise _Refused("an array that is not of plain numbers")
    return _Type(text)


def _reconstruct(kind: object, shape: object, code: object) -> Any:
    return np.empty(0, np.uint8)  # its BUILD follows


def _encode(text: object, encoding: object) -> bytes:
    """How protocol 2 spells bytes."""
    if not isinstance(text, str) or _text(encoding) not in ("latin1", "latin-1"):
        raise _Refused("an encoding other than latin1")
    return text.encode("latin1")


def _bytes() -> bytes:
    """How protocol 2 spells no bytes."""
    return b""


def _never(*arguments: object) -> Any:
    raise _Refused("a call of numpy.ndarray")


ARRAYS: Mapping[str, Callable[..., Any]] = {
    "numpy.core.multiarray _reconstruct": _reconstruct,
    "numpy._core.multiarray _reconstruct": _reconstruct,
    "numpy ndarray": _never,
    "numpy dtype": _dtype,
    "_codecs encode": _encode,
    "__builtin__ bytes": _bytes,
}
"""What numpy's arrays of numbers need, "module name" to what we call in its place."""


def loads(content: bytes, path: Path, admitted: Mapping[str, Callable[..., Any]] = ARRAYS) -> Any:
    """What a pickle holds: dicts with texts for keys, lists, tuples, numbers, texts, bytes and numpy arrays of numbers.

    The text of Python 2 is bytes; as a key it is a str. Arrays share the memory of the bytes that they were made of,
    and are read-only then.

    Parameters
    ----------
    content
        the pickle, whole. Its size bounds the memory, so check it before reading.
    path
        where it is from, for the error.
    admitted
        "module name" as the pickle spells them -> what is called in its place, with the pickle's arguments; it must
        check them, make nothing much larger than they are, and may raise ValueError or TypeError.

    Raises
    ------
    InputError
        for a pickle that is cut, or holds or asks for anything else.
    """
    try:
        return _Machine(admitted, len(content)).run(content)
    except _Refused as refused:
        reason = str(refused)
    # What a pickle that is cut or made up can provoke, in its reading or in numpy.
    except (ValueError, TypeError, IndexError, KeyError, OverflowError):
        reason = "it is cut or not a pickle"
    raise InputError(f"{path} is not read ({reason}): delete it and fetch it again") from None


class _Machine:
    """The stack and the memo of one pickle."""

    def __init__(self, admitted: Mapping[str, Callable[..., Any]], room: int) -> None:
        self.admitted = admitted
        self.room = room  # as many bytes may be made of texts: each opcode could ask for the longest one anew
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # the stacks under each open mark
        self.memo: dict[int, Any] = {}

    def run(self, content: bytes) -> Any:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(content)):
            if count == MOST_OPCODES:
                raise _Refused("too many parts")
            self.step(opcode.name, argument)
        (value,) = self.stack
        if self.below:
            raise ValueError
        return value

    def step(self, opcode: str, argument: Any) -> None:
        stack = self.stack
        match opcode:
            case (
                "BININT1"
                | "BININT2"
                | "BININT"
                | "BINUNICODE"
                | "SHORT_BINUNICODE"
                | "BINBYTES"
                | "SHORT_BINBYTES"
            ):
                stack.append(argument)
            case "BINSTRING" | "SHORT_BINSTRING":
                stack.append(argument.encode("latin1"))
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = stack[-1]
            case "MEMOIZE":
                self.memo[len(self.memo)] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(self.memo[argument])
            case "NONE":
                stack.append(None)
            case "NEWTRUE" | "NEWFALSE":
                stack.append(opcode == "NEWTRUE")
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_TUPLE":
                stack.append(())
            case "MARK":
                self.below.append(stack)
                self.stack = []
            case "TUPLE":
                self.push(tuple(self.above()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack.append(tuple(self.last(int(opcode[-1]))))
            case "APPEND":
                self.extend(self.last(1))
            case "APPENDS":
                self.extend(self.above())
            case "SETITEM":
                self.update(self.last(2))
            case "SETITEMS":
                self.update(self.above())
            case "GLOBAL":
                self.name(argument)
            case "STACK_GLOBAL":
                module, name = self.last(2)
                self.name(f"{_text(module)} {_text(name)}")
            case "REDUCE":
                self.call(*self.last(2))
            case "BUILD":
                self.build(*self.last(1))
            case "PROTO" | "FRAME" | "STOP":
                pass
            case _:
                raise _Refused(f"it asks for {opcode}, which data does not need")

    def push(self, value: object) -> None:
        self.stack.append(value)

    def last(self, count: int) -> list[Any]:
        """Takes the topmost values."""
        if len(self.stack) < count:
            raise IndexError
        taken = self.stack[-count:]
        del self.stack[-count:]
        return taken

    def above(self) -> list[Any]:
        """Takes all values above the last mark."""
        taken = self.stack
        self.stack = self.below.pop()
        return taken

    def top(self, kind: type) -> Any:
        if type(self.stack[-1]) is not kind:
            raise TypeError
        return self.stack[-1]

    def extend(self, values: list[Any]) -> None:
        self.top(list).extend(values)

    def update(self, values: list[Any]) -> None:
        # Only texts for keys: to hash a nested tuple can take forever.
        self.top(dict).update(zip(map(_text, values[::2]), values[1::2], strict=True))

    def name(self, name: str) -> None:
        if name not in self.admitted:
            raise _Refused(f"it asks for {name.replace(' ', '.')[:80]!r}, which data does not need")
        self.push(_Named(name, self.admitted[name]))

    def call(self, named: object, arguments: object) -> None:
        if not isinstance(named, _Named) or not isinstance(arguments, tuple):
            raise TypeError
        for argument in arguments:
            if isinstance(argument, str | bytes):
                self.spend(len(argument))
        self.push(named.make(*arguments))

    def build(self, state: tuple[Any, ...]) -> None:
        target = self.stack[-1]
        if isinstance(target, _Type):
            version, order, *rest = state
            target.order = _text(order)
            if version != 3 or rest != [None, None, None, -1, -1, 0] or target.order not in ("<", ">", "|"):
                raise _Refused("an array that is not of plain numbers")
        elif isinstance(target, np.ndarray):
            self.fill(target, *state)
        else:
            raise _Refused("it sets the state of what has none")

    def fill(
        self, array: np.ndarray[Any, Any], version: Any, shape: Any, kind: Any, fortran: Any, raw: Any
    ) -> None:
        """What numpy does for itself, after what numpy leaves to chance."""
        if isinstance(raw, str):
            self.spend(len(raw))
            raw = raw.encode("latin1")
        plain = (
            type(shape) is tuple
            and len(shape) <= 8
            and all(type(size) is int and size >= 0 for size in shape)
        )
        if version != 1 or not plain or type(kind) is not _Type or type(fortran) is not bool:
            raise _Refused("an array that is not of plain numbers")
        dtype = np.dtype(kind.order + kind.code)
        if type(raw) is not bytes or len(raw) != math.prod(shape) * dtype.itemsize:
            raise _Refused("an array of another size than it says")
        state: Any = (1, shape, dtype, fortran, raw)
        array.__setstate__(state)

    def spend(self, size: int) -> None:
        self.room -= size
        if self.room < 0:
            raise _Refused("it asks for more memory than it takes itself")


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("latin1")
    if type(value) is not str:
        raise TypeError
    return value
