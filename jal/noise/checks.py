"""What the noise layer accepts: each check returns its argument as it is used, or refuses it."""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jal.errors import InputError


def labels(values: ArrayLike, K: int, thing: str = "labels") -> NDArray[np.int64]:
    """(N,) labels in 0..K-1, a copy."""
    try:
        array = np.asarray(values)
    except ValueError:
        raise InputError(f"{thing} are not one list of numbers: give a list of integers") from None
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"{thing} of shape {array.shape} and type {array.dtype}: give a list of integers")
    outside = (array < 0) | (array >= K)
    if outside.any():
        raise InputError(
            f"{thing} hold {array[outside][0]}, outside 0..{K - 1}: relabel, or count all classes"
        )
    return array.astype(np.int64)


def num_classes(K: int) -> int:
    if not _is_integer(K) or not 2 <= K <= 2**31:
        raise InputError(f"{K!r:.60} classes: give their number, an integer of at least 2 and at most 2**31")
    return int(K)


def rate(value: float) -> float:
    if not _is_number(value) or not 0 <= value < 1:
        raise InputError(
            f"noise rate {value!s:.60} is outside [0, 1): give the share of labels to flip, e.g. 0.4"
        )
    return float(value)


def seed(value: int) -> int:
    if not _is_integer(value) or not 0 <= value < 2**32:
        raise InputError(f"seed {value!r:.60}: give an integer in 0..2**32 - 1")
    return int(value)


def _is_number(value: object) -> bool:
    return isinstance(value, Real)


def _is_integer(value: object) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)
