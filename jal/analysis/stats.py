"""Two groups of runs compared: the difference, its interval, and the verdict. The only place that knows how.

Neither side is the truth: both are means of a handful of runs. So the difference comes with Welch's interval (Welch
1947, Biometrika 34), and "agrees" is earned by two one-sided tests (Schuirmann 1987, J. Pharmacokinet. Biopharm. 15)
rather than given where nothing was found.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean, stdev
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from jal.errors import InputError

Word = Literal["agrees", "differs", "inconclusive", "one run", "no std", "no n", "not run", "not reported"]

LEVEL = 0.05
"""Of each one-sided test; the interval holds 1 - LEVEL."""

MARGIN = 1.0
"""Points below which a difference is none; fixed in advance, for every table."""

TESTED: tuple[Word, ...] = ("agrees", "inconclusive", "differs")
"""The verdicts that a test gave. The other words say why there is none."""


@dataclass(frozen=True)
class Summary:
    """Mean, unbiased standard deviation and number of runs; None where it is not known."""

    mean: float
    std: float | None
    n: int | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Summary:
        """Of some runs, one at least."""
        return cls(fmean(values), stdev(values) if len(values) > 1 else None, len(values))


@dataclass(frozen=True)
class Comparison:
    """What one group of runs has over another, in points; NaN where there is no such number.

    Attributes
    ----------
    difference
        of the means, the first less the second.
    low, high, degrees_of_freedom
        Welch's 95 % interval, by Welch and Satterthwaite's degrees of freedom.
    n, n_over
        runs on either side; 0 for none, and where their number is not known.
    verdict
        "agrees": the difference is smaller than the margin by two one-sided tests at 5 %. "differs": it does not agree,
        and the interval excludes 0. "inconclusive": neither. The others say why there is no test: "one run" has no
        spread, a mean without its standard deviation ("no std") or its number of runs ("no n") no interval; "not
        run", "not reported": the first or the second side is missing.
    """

    difference: float
    low: float
    high: float
    degrees_of_freedom: float
    n: int
    n_over: int
    verdict: Word

    @property
    def interval(self) -> tuple[float, float] | None:
        """From low to high; None where there is none."""
        return None if math.isnan(self.low) else (self.low, self.high)

    @property
    def sign(self) -> int:
        """1 where all of the interval is above 0, -1 where it is below, else 0."""
        return (self.low > 0) - (self.high < 0)


def compare(
    a: Sequence[float] | Summary | None, b: Sequence[float] | Summary | None, margin: float = MARGIN
) -> Comparison:
    """What `a` has over `b`: groups that need not have the same size or spread.

    Parameters
    ----------
    a, b
        the accuracies of some runs, per cent, or what is reported of them; None, or no runs, for a missing side.
    margin
        the difference, in points, below which the two agree.

    Raises
    ------
    InputError
        for a number that is not finite, a negative standard deviation, or one of fewer than two runs.

    Examples
    --------
    >>> found = compare([57.1, 58.3, 56.9], [61.0, 62.4, 61.5])
    >>> f"{found.difference:.1f} [{found.low:.1f}, {found.high:.1f}] {found.verdict}"
    '-4.2 [-5.9, -2.5] differs'
    """
    one, other = _summary(a), _summary(b)
    n, n_over = (0 if side is None or side.n is None else side.n for side in (one, other))
    nan = math.nan
    if one is None or other is None:
        return Comparison(nan, nan, nan, nan, n, n_over, "not run" if one is None else "not reported")
    difference = one.mean - other.mean
    if any(side.std is None and side.n != 1 for side in (one, other)):
        return Comparison(difference, nan, nan, nan, n, n_over, "no std")
    if one.n is None or other.n is None:
        return Comparison(difference, nan, nan, nan, n, n_over, "no n")
    if 1 in (one.n, other.n):
        return Comparison(difference, nan, nan, nan, n, n_over, "one run")
    error, freedom = _error([(1.0, one), (-1.0, other)])
    reach = error * float(special.stdtrit(freedom, 1 - LEVEL / 2))
    low, high = difference - reach, difference + reach
    # Two one-sided tests at LEVEL are the interval of 1 - 2 LEVEL within the margin.
    if abs(difference) + error * float(special.stdtrit(freedom, 1 - LEVEL)) < margin:
        word: Word = "agrees"
    else:
        word = "inconclusive" if low <= 0 <= high else "differs"
    return Comparison(difference, low, high, freedom, n, n_over, word)


def contrast(terms: Sequence[tuple[float, Sequence[float]]]) -> tuple[float, float, float]:
    """A weighted sum of the means of independent groups of runs, and its 95 % interval as Welch and Satterthwaite have
    it; missing, NaN, as far as a group has no run, or one."""
    if not all(values for _, values in terms):
        return math.nan, math.nan, math.nan
    value = sum(weight * fmean(values) for weight, values in terms)
    if min(len(values) for _, values in terms) < 2:
        return value, math.nan, math.nan
    error, freedom = _error([(weight, Summary.of(values)) for weight, values in terms])
    reach = error * float(special.stdtrit(freedom, 1 - LEVEL / 2))
    return value, value - reach, value + reach


def _error(terms: Sequence[tuple[float, Summary]]) -> tuple[float, float]:
    """The standard error of a weighted sum of means, and its degrees of freedom."""
    sizes = [side.n or 0 for _, side in terms]
    parts = [(weight * (side.std or 0.0)) ** 2 / n for (weight, side), n in zip(terms, sizes, strict=True)]
    total = sum(parts)
    if total == 0:  # without any spread they are 0 / 0, and change nothing
        return 0.0, float(sum(n - 1 for n in sizes))
    return math.sqrt(total), 1 / sum(
        (part / total) ** 2 / (n - 1) for part, n in zip(parts, sizes, strict=True)
    )


def _summary(side: Sequence[float] | Summary | None) -> Summary | None:
    if side is None or (not isinstance(side, Summary) and len(side) == 0):
        return None
    if not isinstance(side, Summary):
        if not all(map(math.isfinite, side)):
            raise InputError(f"accuracies {list(side)}: give finite numbers")
        return Summary.of([float(value) for value in side])
    if not math.isfinite(side.mean):
        raise InputError(f"a mean of {side.mean}: give a finite number, or None for none")
    if side.std is not None and not 0 <= side.std < math.inf:
        raise InputError(f"a standard deviation of {side.std}: give 0 or more, or None for none")
    if side.std is not None and side.n is not None and side.n < 2:
        raise InputError(f"a standard deviation of {side.n} runs: give two or more, or no standard deviation")
    return side


@dataclass(frozen=True)
class Power:
    """How likely each verdict is; or, summed over cells, how many of each to expect."""

    agrees: float
    inconclusive: float
    differs: float

    def __add__(self, other: Power) -> Power:
        return Power(
            self.agrees + other.agrees, self.inconclusive + other.inconclusive, self.differs + other.differs
        )


@cache
def power(std: float, n: int, n_over: int, true_difference: float = 0.0, margin: float = MARGIN) -> Power:
    """How likely each verdict is where both sides' runs are normal with the same standard deviation.

    Nothing is simulated. The difference of the means is independent of both sample deviations, so that given those
    each verdict is an interval of a normal variable; what is left is an integral over the two, taken by
    Gauss-Legendre's rule on their sum of squares and on the share that the first side's runs have of it.

    Parameters
    ----------
    std
        the true standard deviation of a run, in points.
    n, n_over
        runs on either side, two or more.
    true_difference
        between the true means; 0: the same process, for which `agrees` is the power and `differs` the error.

    Raises
    ------
    InputError
        for fewer than two runs, or a negative or infinite deviation.
    """
    if min(n, n_over) < 2:
        raise InputError(f"{n} runs against {n_over}: a test needs two or more on both sides")
    if not 0 <= std < math.inf:
        raise InputError(f"a standard deviation of {std}: give a finite number, 0 or more")
    if std == 0:
        # The limit: no interval has any length.
        near = abs(true_difference) < margin
        return Power(float(near), 0.0, float(not near))
    free, free_over = n - 1, n_over - 1
    nodes, weights = _rule()
    share = special.betaincinv(free / 2, free_over / 2, nodes)[:, None]
    squares = 2 * special.gammaincinv((free + free_over) / 2, nodes)[None, :]
    part, part_over = share / free / n, (1 - share) / free_over / n_over
    freedom = (part + part_over) ** 2 / (part**2 / free + part_over**2 / free_over)
    error = std * np.sqrt((part + part_over) * squares)
    within = np.maximum(margin - special.stdtrit(freedom, 1 - LEVEL) * error, 0.0)
    beyond = np.maximum(within, special.stdtrit(freedom, 1 - LEVEL / 2) * error)

    def inside(reach: NDArray[np.float64]) -> float:
        """How likely the difference of the means is within `reach` of 0."""
        scale = std * math.sqrt(1 / n + 1 / n_over)
        inner = special.ndtr((reach - true_difference) / scale) - special.ndtr(
            (-reach - true_difference) / scale
        )
        return float(weights @ inner @ weights)

    agrees, not_differs = inside(within), inside(beyond)
    return Power(agrees, not_differs - agrees, 1 - not_differs)


def power_table(
    stds: Sequence[float] = (0.3, 1.0), apart: Sequence[float] = (0.0, 2.0), n: int = 3, n_over: int = 3
) -> pd.DataFrame:
    """How often each verdict is given, per cent: a row for each spread of a run and true difference, in points."""
    keys = pd.MultiIndex.from_product([stds, apart], names=["std of a run", "true difference"])
    found = [power(std, n, n_over, true_difference) for std, true_difference in keys]
    return pd.DataFrame([[100 * getattr(each, word) for word in TESTED] for each in found], keys, TESTED)


@cache
def _rule(points: int = 100) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    nodes, weights = np.polynomial.legendre.leggauss(points)
    return (nodes + 1) / 2, weights / 2
