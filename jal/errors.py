"""Errors that are part of the interface: one clear line with the thing, the value and the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class JalError(Exception):
    """An error whose message is one line for a person. The command line prints it and exits with `exit_code`."""

    exit_code = 1


class InputError(JalError, ValueError):
    """Bad input: the thing, the value, the remedy."""

    exit_code = 2


class TrainingError(JalError, RuntimeError):
    """A run that cannot go on: what happened, when, and the remedy."""


class Stopped(JalError, RuntimeError):
    """A run that stopped because it was asked to, its checkpoint written: it can be taken up again."""

    exit_code = 75


def printable(text: str) -> str:
    """Text as a terminal may have it, line by line: what would steer it, or reorder what it shows, as its code.

    Names, reasons and machines come out of files that others may have written.
    """
    # In the form that JSON has too, as a document may be what is printed.
    return "".join(each if each.isprintable() or each in "\n\t" else f"\\u{ord(each):04x}" for each in text)


def unknown(thing: str, value: object, known: Iterable[str], meant: str | None = None) -> InputError:
    """The error for a name that is not in a list: the nearest name if one is near, and the whole list.

    Parameters
    ----------
    meant
        the name that is meant, where that is known.
    """
    names = sorted(known)
    near = difflib.get_close_matches(str(value).lower(), [name.lower() for name in names], n=1, cutoff=0.6)
    nearest = meant or next((name for name in names if near and name.lower() == near[0]), None)
    if not names:
        return InputError(f"unknown {thing} {value!r}: there is none")
    hint = f"did you mean {nearest!r}? " if nearest else ""
    return InputError(f"unknown {thing} {value!r}: {hint}it must be one of {', '.join(names)}")
