"""What the theory accepts: each check returns its argument as a number or a float64 array, or refuses it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jal.errors import InputError

Floats = NDArray[np.float64]


def row_stochastic(matrix: ArrayLike) -> Floats:
    """The matrix as float64, once it is seen to be a transition: square, K >= 2, each row a distribution.

    Raises
    ------
    InputError
        Says which of these fails, and where.
    """
    t = numbers("the transition matrix", matrix)
    if t.ndim != 2 or t.shape[0] != t.shape[1] or t.shape[0] < 2:
        raise InputError(
            f"the transition matrix has shape {t.shape}: it must be square, with at least two classes"
        )
    if not np.all(t >= 0):
        raise InputError(f"the transition matrix holds {t.min():g}: a probability is at least 0")
    sums = t.sum(axis=1)
    worst = int(np.argmax(np.abs(sums - 1)))
    if abs(sums[worst] - 1) > 1e-6:
        raise InputError(
            f"row {worst} of the transition matrix sums to {sums[worst]:.9g}: every row must sum to 1"
        )
    return t


def numbers(thing: str, values: ArrayLike) -> Floats:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{thing} is not an array of numbers: {error}") from None
    if not np.all(np.isfinite(array)):
        raise InputError(f"{thing} holds a value that is not finite: give numbers only")
    return array


def weights(values: ArrayLike) -> Floats:
    w = numbers("the vector of weights", values)
    if w.ndim != 1 or w.size < 2:
        raise InputError(f"the vector of weights has shape {w.shape}: it must be (K,) with K >= 2")
    if not np.all(w >= 0) or not np.any(w > 0):
        raise InputError(f"the weights are {w.tolist()}: none may be negative, and not all may be 0")
    return w


def scale(a: float) -> float:
    if not (np.isfinite(a) and a >= 1):
        raise InputError(f"a is {a:g}: it must be a finite number of at least 1")
    return float(a)


def exponent(q: float) -> float:
    if not (np.isfinite(q) and q > 0):
        raise InputError(f"q is {q:g}: it must be a finite number above 0")
    return float(q)
