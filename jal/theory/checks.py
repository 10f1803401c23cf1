"""What the theory accepts: each check returns its argument as a number or a float64 array, or refuses it."""

from __future__ import annotations

import math
from numbers import Real

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

    Examples
    --------
    >>> row_stochastic([[0.9, 0.1], [0.3, 0.7]]).shape
    (2, 2)
    """
    t = _array("the transition matrix", matrix)
    if t.ndim != 2 or t.shape[0] != t.shape[1] or t.shape[0] < 2:
        raise InputError(
            f"the transition matrix has shape {t.shape}: it must be square, with at least two classes"
        )
    if not np.all(np.isfinite(t)):
        row = int(np.argmin(np.isfinite(t).all(axis=1)))
        raise InputError(
            f"row {row} of the transition matrix is not finite: if no label of class {row} was seen, nothing is known "
            "of it: leave the class out, or put in what you believe of it"
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
    """As float64, but for text, which numpy would read, and for tensors that want gradients: none are passed on."""
    array = _array(thing, values)
    if not np.all(np.isfinite(array)):
        raise InputError(f"{thing} holds a value that is not finite: give numbers only")
    return array


def _array(thing: str, values: ArrayLike) -> Floats:
    if getattr(values, "requires_grad", False):
        raise InputError(f"{thing} is a tensor that wants gradients, which end here: give its detach()")
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "biufO":
            raise TypeError(f"it holds {array.dtype.type.__name__.rstrip('_')}")
        return array.astype(np.float64)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{thing} is not an array of numbers ({reason}): give numbers only") from None


def weights(values: ArrayLike) -> Floats:
    w = numbers("the vector of weights", values)
    if w.ndim != 1 or w.size < 2:
        raise InputError(f"the vector of weights has shape {w.shape}: it must be (K,) with K >= 2")
    if not np.all(w >= 0) or not np.any(w > 0):
        raise InputError(f"the weights are {w.tolist()}: none may be negative, and not all may be 0")
    return w


def scale(a: float) -> float:
    number = _number("a", a, "a finite number of at least 1")
    if number < 1:
        raise InputError(f"a is {number:g}: it must be a finite number of at least 1")
    return number


def exponent(q: float) -> float:
    number = _number("q", q, "a finite number above 0")
    if number <= 0:
        raise InputError(f"q is {number:g}: it must be a finite number above 0")
    return number


def _number(thing: str, value: object, wanted: str) -> float:
    """One number, in whatever holds just one; not text, and no tensor that wants gradients."""
    if getattr(value, "requires_grad", False):
        raise InputError(f"{thing} is a tensor that wants gradients, which end here: give its item()")
    try:
        array = np.asarray(value)
        number = float(array) if array.ndim == 0 and array.dtype.kind in "biufO" else math.nan
    except (TypeError, ValueError, RuntimeError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        shown = f"{value:g}" if isinstance(value, Real) else f"{value!r:.60}"
        raise InputError(f"{thing} is {shown}: it must be {wanted}")
    return number
