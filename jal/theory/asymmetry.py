"""When is the Asymmetric Mean Square Error (AMSE) asymmetric, and where is its risk smallest when it is not?

AMSE is L(p, y) = (1/K) ||a e_y - p||_q^q (equation 7 of the paper; q = 2 there). Under label noise the labels of
one image come with weights w_1, ..., w_K, and training drives p to the minimiser of

    R(p) = sum_y w_y L(p, y) = (1/K) sum_k [ w_k |a - p_k|^q + (W - w_k) p_k^q ],    W = sum_k w_k.

The loss is *asymmetric* for these weights when that minimiser is the corner e_m of the heaviest class m, so that
the noise leaves no trace (Definition 4.4). Theorem 4.1 says when: with w_n the largest weight after w_m,

    q > 1:   w_m (a - 1)^(q-1)  >=  w_n a^(q-1) + (W - w_m),        q <= 1:   w_m > w_n.

`jal.theory.symbolic` proves it; here it is put to work on numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jal.errors import InputError
from jal.theory import checks
from jal.theory.checks import Floats

Truths = NDArray[np.bool_]

# Weights come out of a few floating-point operations: a difference of so many parts of the weight is a tie.
ROUNDING = 64 * float(np.finfo(np.float64).eps)


class Contest(NamedTuple):
    """One row or many: the weight of the class that should win, that of its best rival, the sum of all others."""

    own: Floats
    rival: Floats
    others: Floats

    @property
    def lead(self) -> Floats:
        """By how much the class leads its best rival; 0 for a tie, rounding included."""
        lead = self.own - self.rival
        return np.where(np.abs(lead) <= ROUNDING * self.own, 0.0, lead)


def is_asymmetric(weights: ArrayLike, a: float, q: float = 2.0) -> bool:
    """Whether AMSE is asymmetric for these label weights (Theorem 4.1 of the paper).

    Parameters
    ----------
    weights
        (K,) nonnegative weights of the labels, of any scale; K >= 2.
    a
        AMSE's scale of the target, a >= 1.
    q
        AMSE's exponent, q > 0.

    Returns
    -------
    bool
        True where the heaviest class alone minimises the weighted risk. Without a heaviest class there is nothing
        to be asymmetric about (Definition 4.4 asks for w_t > max of the others): a tie gives False. At the very
        threshold the answer is True, to within the rounding of the weights.

    Raises
    ------
    InputError
        If the weights are not such a vector, or a < 1, or q <= 0.
    """
    w, a, q = checks.weights(weights), checks.scale(a), checks.exponent(q)
    contest = _contest(w[np.newaxis], np.array([np.argmax(w)]))
    return bool(contest.lead[0] > 0 and (q <= 1 or _slack(contest, a, q)[0] >= -ROUNDING * contest.own[0]))


def margin(transition: ArrayLike) -> float:
    """The smallest lead of a true label over its likeliest wrong one: min over i of T[i,i] - max_{j != i} T[i,j].

    Parameters
    ----------
    transition
        (K, K) row-stochastic matrix, T[i, j] = P(label j | true label i).

    Returns
    -------
    float
        In [-1, 1]. Positive is the paper's "clean-label-dominant" noise; 0 is a tie, rounding included.

    Raises
    ------
    InputError
        If the matrix is not row-stochastic or has fewer than two classes.
    """
    return float(np.min(_rows(transition).lead))


def minimum_a(transition: ArrayLike, q: float = 2.0) -> float:
    """The smallest a >= 1 for which AMSE is asymmetric under this noise, whatever the true label.

    Parameters
    ----------
    transition
        (K, K) row-stochastic matrix, T[i, j] = P(label j | true label i).
    q
        AMSE's exponent, q > 0.

    Returns
    -------
    float
        For q = 2 it is 1 / `margin`; for other q > 1 the root of the condition of Theorem 4.1, to about 12 digits
        and never below the root by more than rounding; for q <= 1 it is 1. It is inf where some true label does
        not strictly dominate its row (no a helps then), and where the root is beyond the largest float, as may
        happen for q just above 1.

    Raises
    ------
    InputError
        If the matrix is not row-stochastic or has fewer than two classes, or q <= 0.

    Examples
    --------
    >>> noise = np.full((10, 10), 0.8 / 9)
    >>> np.fill_diagonal(noise, 0.2)
    >>> round(minimum_a(noise), 6), round(minimum_a(noise, q=3), 6)
    (9.0, 4.739388)
    """
    rows, q = _rows(transition), checks.exponent(q)
    smallest_lead = float(np.min(rows.lead))
    if smallest_lead <= 0:
        return float("inf")
    if q <= 1:
        return 1.0
    if q == 2:
        return max(1.0, 1.0 / smallest_lead)

    if np.min(_slack(rows, 1.0, q)) >= 0:
        return 1.0
    largest = np.log(np.finfo(np.float64).max)

    def falls_short(log_a: Floats) -> Truths:
        return np.asarray(np.min(_slack(rows, np.exp(log_a), q)) < 0)

    if falls_short(largest):
        return float("inf")
    _, log_a = _bisect(falls_short, np.zeros(()), largest)
    return float(max(np.exp(log_a), np.nextafter(1.0, 2.0)))


def risk(p: ArrayLike, weights: ArrayLike, a: float, q: float = 2.0) -> Floats:
    """The weighted risk of AMSE, R(p) = sum_y w_y (1/K) ||a e_y - p||_q^q.

    Parameters
    ----------
    p
        (..., K) predicted probabilities, one prediction along the last axis.
    weights
        (K,) nonnegative weights of the labels.
    a, q
        AMSE's parameters, a >= 1 and q > 0.

    Returns
    -------
    ndarray
        (...) one risk per prediction.

    Raises
    ------
    InputError
        If the weights are not such a vector, p's last axis has another length, or a < 1, or q <= 0.
    """
    w, a, q = checks.weights(weights), checks.scale(a), checks.exponent(q)
    predictions = np.asarray(p, dtype=np.float64)
    if predictions.shape[-1:] != w.shape:
        raise InputError(f"p has shape {predictions.shape}: its last axis must hold {w.size} probabilities")
    terms = w * np.abs(a - predictions) ** q + (w.sum() - w) * np.abs(predictions) ** q
    return np.asarray(terms.mean(axis=-1))


def risk_minimiser(weights: ArrayLike, a: float, q: float = 2.0) -> Floats:
    """The point of the simplex where the weighted risk of AMSE is smallest.

    For q = 2 it is the projection of a w / W on the simplex, for other q > 1 the solution of one equation in one
    unknown (the risk is a sum over the coordinates), and for q <= 1 a corner, as the risk is concave.

    Parameters
    ----------
    weights
        (K,) nonnegative weights of the labels, of any scale; K >= 2.
    a, q
        AMSE's parameters, a >= 1 and q > 0.

    Returns
    -------
    ndarray
        (K,) nonnegative, sums to 1. Where several corners tie (q <= 1 and no heaviest class), the first of them.

    Raises
    ------
    InputError
        If the weights are not such a vector, or a < 1, or q <= 0.
    """
    w, a, q = checks.weights(weights), checks.scale(a), checks.exponent(q)
    if q <= 1 or is_asymmetric(w, a, q):
        corner = np.zeros(w.size)
        corner[np.argmax(w)] = 1.0
        return corner
    # A shift of the target along (1, ..., 1) leaves its projection where it is, and keeps large a exact.
    return _project(a * ((w - w.max()) / w.sum())) if q == 2 else _balance(w, a, q)


def _slack(contest: Contest, a: float | Floats, q: float) -> Floats:
    """What Theorem 4.1's inequality for q > 1, divided by a^(q-1), has to spare; it grows with a.

    Written around the lead, so that nothing cancels and nothing overflows, however large a or q.
    """
    with np.errstate(divide="ignore"):
        shortfall = np.expm1((q - 1) * np.log1p(-1 / a))
    slack: Floats = contest.lead + contest.own * shortfall - contest.others * np.exp((1 - q) * np.log(a))
    return slack


def _project(point: Floats) -> Floats:
    """The nearest point of the simplex: subtract what makes the positive parts sum to 1."""
    descending = np.sort(point)[::-1]
    excess = (np.cumsum(descending) - 1) / np.arange(1, point.size + 1)
    support = np.flatnonzero(descending > excess)[-1]
    nearest: Floats = np.maximum(point - excess[support], 0)
    return nearest


def _balance(w: Floats, a: float, q: float) -> Floats:
    """The minimiser for q > 1: all coordinates in use have the same slope, and together they make 1.

    The unknown is p_m, the coordinate of the heaviest class and the largest of all. It fixes the common slope,
    the slope fixes every other coordinate, and all of them grow with it: one bisection.
    """
    heaviest = int(np.argmax(w))

    def slope(p: Floats) -> Floats:
        # d/dp of w (a-p)^q + (W-w) p^q, over q a^(q-1), counted from its least possible value: three terms >= 0.
        with np.errstate(divide="ignore"):
            lag = -w * np.expm1((q - 1) * np.log1p(-p / a))
        rise: Floats = (w[heaviest] - w) + lag + (w.sum() - w) * (p / a) ** (q - 1)
        return rise

    def coordinates(largest: Floats) -> Floats:
        level = slope(np.full(w.shape, largest))[heaviest]
        return _bisect(lambda p: slope(p) < level, np.zeros(w.shape), np.full(w.shape, largest))[0]

    ends = _bisect(lambda t: np.asarray(coordinates(t).sum() < 1), np.asarray(1 / w.size), np.ones(()))
    low, high = (coordinates(end) for end in ends)
    # Near q = 1 the other coordinates may leap between neighbouring floats: what is missing to 1 lies in between.
    leap = (high - low).sum()
    part = (1 - low.sum()) / leap if leap > 0 else 0.0
    minimiser: Floats = low + part * (high - low)
    return minimiser


def _bisect(below: Callable[[Floats], Truths], low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Close in, elementwise, on where `below` turns from True to False; the last bracket."""
    for _ in range(64):
        middle = (low + high) / 2
        under = below(middle)
        low, high = np.where(under, middle, low), np.where(under, high, middle)
    return low, high


def _contest(rows: Floats, winners: NDArray[np.intp]) -> Contest:
    """Set each row's winner against its rivals."""
    index = np.arange(len(rows))
    rivals = rows.copy()
    rivals[index, winners] = 0.0
    return Contest(rows[index, winners], rivals.max(axis=1), rivals.sum(axis=1))


def _rows(transition: ArrayLike) -> Contest:
    t = checks.row_stochastic(transition)
    return _contest(t, np.arange(len(t)))
