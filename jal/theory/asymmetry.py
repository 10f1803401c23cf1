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

# Weights come out of a few floating-point operations: of two sums that differ by so small a part none is larger.
EPSILON = float(np.finfo(np.float64).eps)
ROUNDING = 64 * EPSILON


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

    def won(self, a: float | Floats, q: float) -> Truths:
        """Whether the corner of the class alone minimises the risk; at the very threshold it does."""
        if q <= 1:
            return self.lead > 0
        slack, terms = _slack(self, a, q)
        return np.asarray((self.lead > 0) & (slack >= -ROUNDING * terms))

    def smallest_a(self, q: float) -> Floats:
        """The smallest a >= 1 that wins the contest, each for itself; inf where none does."""
        if q <= 1:
            return np.where(self.lead > 0, 1.0, np.inf)
        if q == 2:
            # The weights may sum to anything: it is their share that counts.
            with np.errstate(divide="ignore"):
                return np.where(self.lead > 0, (self.own + self.others) / np.maximum(self.lead, 0), np.inf)
        return _root_of_slack(self, q)


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

    Examples
    --------
    >>> weights = [0.2] + 9 * [0.8 / 9]  # symmetric noise of rate 0.8, ten classes
    >>> is_asymmetric(weights, a=8.9), is_asymmetric(weights, a=9.1)
    (False, True)
    """
    w, a, q = checks.weights(weights), checks.scale(a), checks.exponent(q)
    return bool(_contest(w[np.newaxis], np.array([np.argmax(w)])).won(a, q)[0])


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

    Examples
    --------
    >>> round(margin([[0.6, 0.4], [0.1, 0.9]]), 6)
    0.2
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
        For q = 2 it is the largest W_i / lead_i of the rows, with W_i the sum of row i and lead_i that of its true
        label: 1 / `margin` where the rows sum to 1. For other q > 1 it is the root of the condition of Theorem 4.1,
        to about 12 digits and never below the root by more than rounding; for q <= 1 it is 1. It is inf where some
        true label does not strictly dominate its row (no a helps then), and where the root is beyond the largest
        float, as may happen for q just above 1.

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
    return float(np.max(rows.smallest_a(q)))


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

    Examples
    --------
    >>> round(float(risk([1.0, 0.0], [0.7, 0.3], a=1.0)), 6)  # 0.7 x 0 + 0.3 x (1 + 1) / 2
    0.3
    """
    w, a, q = checks.weights(weights), checks.scale(a), checks.exponent(q)
    predictions = checks.numbers("p", p)
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

    Examples
    --------
    >>> risk_minimiser([0.5, 0.3, 0.2], a=1.0).round(3).tolist()  # below the threshold: the weights themselves
    [0.5, 0.3, 0.2]
    >>> risk_minimiser([0.5, 0.3, 0.2], a=5.0).round(3).tolist()  # at it: the heaviest class alone
    [1.0, 0.0, 0.0]
    """
    w, a, q = checks.weights(weights), checks.scale(a), checks.exponent(q)
    if q <= 1 or is_asymmetric(w, a, q):
        corner = np.zeros(w.size)
        corner[np.argmax(w)] = 1.0
        return corner
    # A shift of the target along (1, ..., 1) leaves its projection where it is, and keeps large a exact.
    return _project(a * ((w - w.max()) / w.sum())) if q == 2 else _Balance(w, a, q).minimiser()


def _slack(contest: Contest, a: float | Floats, q: float) -> tuple[Floats, Floats]:
    """What Theorem 4.1's inequality for q > 1, divided by a^(q-1), has to spare, and the sum of its terms.

    The slack grows with a. Each side is a sum of terms of one sign, none of which overflows, however large a or q.
    """
    own, rival, others = contest
    with np.errstate(divide="ignore", under="ignore"):
        log_kept = (q - 1) * np.log1p(-1 / np.asarray(a))
        kept, spread = np.exp(log_kept), np.exp((1 - q) * np.log(a))
    # For a large a, own and rival nearly cancel: their difference is taken first. For a small one `kept` may be far
    # below rounding's part of 1: it is not taken as 1 less something.
    slack = np.where(
        kept > 0.5,
        contest.lead + own * np.expm1(log_kept) - others * spread,
        own * kept - rival - others * spread,
    )
    return slack, own * kept + rival + others * spread


def _root_of_slack(contest: Contest, q: float) -> Floats:
    """The least a for q > 1, by bisection of log(a - 1): a may be anywhere between 1 and the largest float."""
    largest = np.log(np.finfo(np.float64).max)

    def falls_short(a: Floats) -> Truths:
        return _slack(contest, a, q)[0] < 0

    shape = np.shape(contest.own)
    _, log_above = _bisect(
        lambda t: falls_short(1 + np.exp(t)), np.full(shape, np.log(EPSILON / 4)), np.full(shape, largest)
    )
    a = 1 + np.exp(log_above)
    # The exponential may round to a float below the root.
    a = np.where(falls_short(a), np.nextafter(a, np.inf), a)
    a = np.where(falls_short(np.ones(shape)), a, 1.0)
    return np.where((contest.lead <= 0) | falls_short(np.full(shape, np.finfo(np.float64).max)), np.inf, a)


def _project(point: Floats) -> Floats:
    """The nearest point of the simplex: subtract what makes the positive parts sum to 1."""
    descending = np.sort(point)[::-1]
    excess = (np.cumsum(descending) - 1) / np.arange(1, point.size + 1)
    support = np.flatnonzero(descending > excess)[-1]
    nearest: Floats = np.maximum(point - excess[support], 0)
    return nearest


class _Balance:
    """The minimiser for q > 1: all coordinates in use have the same slope, and together they make 1.

    With r = q - 1, x = p / a and m the heaviest class, the slopes of p_k and p_m are the same where

        (w_m - w_k) (x_m^r + (1 - x_m)^r) = (W - w_k) (x_m^r - x_k^r) + w_k ((1 - x_k)^r - (1 - x_m)^r).

    All terms are at least 0, so nothing cancels. Given p_m, which is the largest, each other p_k is the root of one
    equation, and all grow with p_m: another root. Its unknown is 1 - p_m, which a = 1 asks for to more digits than
    p_m has. That of a class is v = 1 - (x_k / x_m)^min(r, 1), precise where floats are dense: close to 0 for classes
    that nearly tie, and for all that are seen when q is near 1.
    """

    def __init__(self, w: Floats, a: float, q: float) -> None:
        self.heaviest = int(np.argmax(w))
        self.own, self.w = float(w[self.heaviest]), np.delete(w, self.heaviest)
        self.rest, self.behind = w.sum() - self.w, self.own - self.w
        self.a, self.r, self.bend = a, q - 1, min(q - 1, 1.0)
        # Where the first of the right side's terms alone counts.
        self.v = -np.expm1(self.bend / self.r * np.log1p(-np.minimum(self.behind / self.rest, 0.5)))

    def minimiser(self) -> Floats:
        # The solution for q = 2 is where to look first.
        near = 1 - _project(self.a * (np.append(0, -self.behind) / (self.own + self.w.sum())))[0]
        with np.errstate(all="ignore"):
            # Less than this neither p_m shows nor a - p_m.
            least = np.log(max(min(self.a - 1, 1) * EPSILON / 4, 1e-300))
            most = np.log(self.w.size / (self.w.size + 1))
            low, high = _bisect(self._one_has_more, least, most, 12)
            if low > least or self._excess(least)[0] < 0:
                # None has more than exp(high), however much is missing beyond it.
                high = np.minimum(high + np.log(self.w.size), most)
                start = np.log(np.maximum(near, 0.01))
                missing = float(np.exp(_newton(self._excess, low, high, start, 1.0)))
            else:
                missing = np.exp(least)
            others = self._others(missing)
        # What the others are off by rounding, or by a leap between neighbouring floats, is shared out.
        others = np.minimum(others * (missing / (others.sum() or 1.0)), 1 - missing)
        return np.insert(others, self.heaviest, 1 - missing)

    def _equation(self, missing: float) -> tuple[Callable[[Floats], tuple[Floats, Floats]], Truths]:
        """The equation of each class's v where the largest p_k is 1 - missing, and which classes are not in use."""
        x, gap = (1 - missing) / self.a, (self.a - 1 + missing) / self.a
        log_x, log_gap = self.r * np.log(x), self.r * np.log(gap)
        # In units of the larger power: both may be below the smallest float.
        unit = max(log_x, log_gap)
        power_x, wanted = np.exp(log_x - unit), self.behind * (np.exp(log_x - unit) + np.exp(log_gap - unit))
        near_x = self.rest * power_x

        def surplus(v: Floats) -> tuple[Floats, Floats]:
            log_ratio = np.log1p(-v) / self.bend
            below = -x * np.expm1(log_ratio)
            room = gap + below
            # Bounded, so that its slope is finite too.
            near_1 = self.w * np.exp(np.minimum(self.r * np.log(room) - unit, 600))
            drop = np.expm1(self.r * log_ratio)
            # Of below / gap, as a tiny gap is lost in the room that there is.
            value = -near_x * drop - near_1 * np.expm1(-self.r * np.log1p(below / gap)) - wanted
            # What rounding leaves is 0: no step would make it less.
            value[np.abs(value) <= 4 * EPSILON * (1 + self.r) * wanted] = 0
            slope = near_x * (1 + drop) + near_1 * np.exp(log_ratio) * x / room
            return value, slope * self.r / (self.bend * (1 - v))

        at_zero = near_x + self.w * (np.exp(np.minimum(-unit, 700)) - np.exp(log_gap - unit))
        return surplus, at_zero <= wanted

    def _one_has_more(self, log_missing: Floats) -> Truths:
        """Whether one of the others alone is more than `missing`, where the largest is 1 - missing."""
        missing = np.exp(log_missing)
        surplus, _ = self._equation(float(missing))
        v = np.full_like(self.w, -np.expm1(self.bend * (log_missing - np.log1p(-missing))))
        return np.asarray(np.any(surplus(v)[0] > 0))

    def _others(self, missing: float) -> Floats:
        """All p_k but the largest, which is 1 - missing."""
        surplus, unused = self._equation(missing)
        self.v = _newton(surplus, np.where(unused, 1.0, 0.0), np.ones_like(self.w), self.v, self.bend)
        return np.asarray((1 - missing) * np.exp(np.log1p(-self.v) / self.bend))

    def _excess(self, log_missing: Floats) -> tuple[Floats, Floats]:
        """By how much less than `missing` the others make together, and how that grows with its logarithm."""
        missing = float(np.exp(log_missing))
        p = self._others(missing)
        r, x, top = self.r - 1, p / self.a, (1 - missing) / self.a
        # The slopes stay equal: how steep they are says by how much one coordinate moves with another.
        steep = np.logaddexp(np.log(self.rest) + r * np.log(x), np.log(self.w) + r * np.log1p(-x))
        first = np.logaddexp(
            np.log(self.w.sum()) + r * np.log(top),
            np.log(self.own) + r * np.log((self.a - 1 + missing) / self.a),
        )
        excess = missing - p.sum()
        slope = missing * (1 + np.exp(first - steep)[p > 0].sum())
        return np.asarray(excess if abs(excess) > 4 * EPSILON * missing else 0.0), np.asarray(slope)


def _newton(
    f: Callable[[Floats], tuple[Floats, Floats]], low: Floats, high: Floats, start: Floats, unit: float
) -> Floats:
    """The root of an increasing f, elementwise, to rounding's part of `unit`.

    Newton's steps where they stay inside the bracket and are half as long as the one before, else halves of it: never
    slower than bisection by more than a factor of two.
    """
    x, before = np.clip(start, low, high), high - low
    for _ in range(120):
        value, slope = f(x)
        low, high = np.where(value < 0, x, low), np.where(value > 0, x, high)
        step = value / slope
        newton = x - step
        # Written so that a step that is no number is refused as well.
        good = (newton >= low) & (newton <= high) & (2 * np.abs(step) <= before)
        moved = np.where(value == 0, x, np.where(good, newton, (low + high) / 2))
        before = np.abs(moved - x)
        x = moved
        # The error after one of Newton's steps is of the order of its square.
        if (before <= unit * np.where(good, 1e-10, EPSILON)).all():
            break
    return x


def _bisect(
    below: Callable[[Floats], Truths], low: Floats, high: Floats, halvings: int = 64
) -> tuple[Floats, Floats]:
    """Close in, elementwise, on where `below` turns from True to False; the last bracket."""
    for _ in range(halvings):
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
