"""Errors that are part of the interface: one clear line with the thing, the value and the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Bad input. The message is one line for a person; the command line prints it and exits with 2."""


def unknown(thing: str, value: object, known: Iterable[str]) -> InputError:
    """The error for a name that is not in a list: the nearest name if one is near, and the whole list."""
    names = sorted(known)
    near = difflib.get_close_matches(str(value).lower(), [name.lower() for name in names], n=1, cutoff=0.5)
    nearest = next((name for name in names if near and name.lower() == near[0]), None)
    hint = f"did you mean {nearest!r}? " if nearest else ""
    return InputError(f"unknown {thing} {value!r}: {hint}it must be one of {', '.join(names)}")
