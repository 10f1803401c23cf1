"""Dataclasses as JSON and back, checked both ways against their own type hints.

One rule for each kind of value: a number of a field declared `float` is always written as a float; a field at
its default is left out; keys are sorted. So equal values have equal text.
"""

from __future__ import annotations

import json
import math
import numbers
from collections import Counter
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from jal.errors import InputError, unknown

T = TypeVar("T")


def canonical(data: object) -> str:
    """The one text of JSON data."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def parse(text: str) -> Any:
    """The JSON data of text in which no object has a key twice.

    Raises
    ------
    ValueError, RecursionError
        for any other text, and for half of a surrogate pair in it, which nothing can write or print.
    """
    data = _DECODER.decode(text)
    if "\\u" in text:
        try:
            json.dumps(data, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise InputError(f"a text in it has half of a pair of characters ({error.reason})") from None
    return data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        name, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise InputError(f"{name!r:.60} is there twice")
    return data


_DECODER = json.JSONDecoder(object_pairs_hook=_unique)


def pack(value: Any, hint: Any = None, where: str = "") -> Any:
    """`value` as JSON data.

    Parameters
    ----------
    value
        a dataclass, or what its fields may hold: str, bool, int, float, None, tuples and dicts by str.
    hint
        the type that `value` must have; its own class if left out.
    where
        what to call it in an error.

    Raises
    ------
    InputError
        for a value that is not of its type, or a number that is not finite.
    """
    cls: Any = hint or type(value)
    if not is_dataclass(cls):
        return _convert(value, cls, where, pack)
    if type(value) is not cls:
        raise _mismatch(value, cls, where)
    return {
        name: pack(getattr(value, name), inner, _inside(where, name))
        for name, (inner, default) in _fields(cls).items()  # type: ignore[arg-type]
        if getattr(value, name) != default
    }


def unpack(data: Any, hint: type[T], where: str = "") -> T:
    """The value of type `hint` that `pack` made `data` of.

    Raises
    ------
    InputError
        for data of another type, a field that is unknown or missing.
    """
    value: T = _unpack(data, hint, where)
    return value


def _unpack(data: Any, hint: Any, where: str) -> Any:
    if not is_dataclass(hint):
        return _convert(data, hint, where, _unpack)
    if not isinstance(data, dict):
        raise _mismatch(data, hint, where)
    known = _fields(hint)  # type: ignore[arg-type]
    for name in data:
        if name not in known:
            raise unknown(f"field of {where}" if where else "field", name, known)
    missing = [name for name, (_, default) in known.items() if name not in data and default is MISSING]
    if missing:
        raise InputError(f"{where or 'the value'} lacks {', '.join(missing)}")
    parts = {}
    for name, part in data.items():
        inner, _ = known[name]
        parts[name] = part if type(part) in _as_it_is(inner) else _unpack(part, inner, _inside(where, name))
    return hint(**parts)  # type: ignore[operator]


def _convert(value: Any, hint: Any, where: str, recurse: Any) -> Any:
    """A value that is no dataclass, checked against `hint`; containers element by element."""
    kind = get_origin(hint)
    if kind is UnionType:
        options = get_args(hint)
        if value is None and NoneType in options:
            return None
        exact = [option for option in options if type(value) is (get_origin(option) or option)]
        return recurse(value, (exact or [o for o in options if o is not NoneType])[0], where)
    if kind is tuple and isinstance(value, (tuple, list)):
        (element, _) = get_args(hint)
        items = (recurse(item, element, f"{where}[{at}]") for at, item in enumerate(value))
        return list(items) if recurse is pack else tuple(items)
    if kind is list and isinstance(value, list):
        (element,) = get_args(hint)
        # Curves are most of a store's bytes; this test alone reads them an order of magnitude faster.
        if element is float and all(type(item) is float for item in value) and all(map(math.isfinite, value)):
            return list(value)
        return [recurse(item, element, f"{where}[{at}]") for at, item in enumerate(value)]
    if kind is dict and isinstance(value, dict) and all(isinstance(key, str) for key in value):
        (_, element) = get_args(hint)
        kept = _as_it_is(element) if recurse is _unpack else frozenset()
        return {
            key: item if type(item) in kept else recurse(item, element, _inside(where, key))
            for key, item in value.items()
        }
    if hint in (bool, str):
        if isinstance(value, hint):
            return hint(value)
    elif isinstance(value, bool):
        pass  # to Python a number, to a reader none
    elif hint is float and isinstance(value, numbers.Real) and _is_finite(value):
        return float(value) + 0.0  # -0.0 becomes 0.0
    elif hint is int and isinstance(value, numbers.Integral):
        return int(value)
    raise _mismatch(value, hint, where)


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond all floats
        return False


def _mismatch(value: object, hint: Any, where: str) -> InputError:
    names = {str: "text", bool: "true or false", int: "an integer", float: "a finite number"}
    kind = (
        "a list"
        if get_origin(hint) in (list, tuple)
        else names.get(hint) or getattr(hint, "__name__", str(hint))
    )
    return InputError(f"{where or 'the value'} is {value!r:.60}: give {kind}")


def _inside(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


@cache
def _as_it_is(hint: Any) -> frozenset[type]:
    """The classes whose values all have the type, and stay what they are: not float, for NaN and -0.0."""
    options = get_args(hint) if get_origin(hint) is UnionType else (hint,)
    return frozenset(option for option in options if isinstance(option, type) and option is not float)


@cache
def _fields(cls: Any) -> dict[str, tuple[Any, Any]]:
    """Each field's type and default (MISSING where it has none)."""
    hints = get_type_hints(cls)
    return {
        field.name: (
            hints[field.name],
            field.default if field.default_factory is MISSING else field.default_factory(),
        )
        for field in fields(cls)
    }
