"""The verdict on a cell: a few runs against the few that were reported, and what such a verdict can tell at all.

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
from numpy.typing import NDArray
from scipy import special

from jal.analysis.wording import percent
from jal.errors import InputError

Word = Literal["agrees", "differs", "inconclusive", "one run", "no std", "no n", "not run", "not reported"]

LEVEL = 0.05
"""Of each one-sided test; the interval holds 1 - LEVEL."""

MARGIN_POINTS, MARGIN_STDS = 1.0, 2.0
"""Below the larger of the two, points or reported standard deviations, a difference is none."""

TESTED: tuple[Word, ...] = ("agrees", "inconclusive", "differs")
"""The verdicts that a test gave. The other words say why there is none."""


@dataclass(frozen=True)
class Verdict:
    """What was measured against what was reported. In points of accuracy; None where there is no such number.

    Attributes
    ----------
    word
        "agrees": the difference is smaller than `margin` by two one-sided tests at 5 %. "differs": it does not
        agree, and the 95 % interval excludes 0. "inconclusive": neither. The others say why there is no test:
        "one run" has no spread, a reported value without its standard deviation ("no std") or its number of runs
        ("no n") no interval; "not run", "not reported": one side is missing.
    mean, std, n
        of the measured runs; the standard deviation is the unbiased one.
    difference
        measured - reported.
    low, high, degrees_of_freedom
        Welch's 95 % interval of the difference, by Welch and Satterthwaite's degrees of freedom.
    margin
        below which a difference is none.
    """

    word: Word
    mean: float | None = None
    std: float | None = None
    n: int = 0
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    degrees_of_freedom: float | None = None
    margin: float | None = None


@dataclass(frozen=True)
class Difference:
    """Of two means: its value, its standard error, and the degrees of freedom of that error."""

    value: float
    error: float
    degrees_of_freedom: float

    def reach(self, level: float = LEVEL) -> float:
        """Half the length of the interval that holds 1 - `level`."""
        return self.error * float(special.stdtrit(self.degrees_of_freedom, 1 - level / 2))

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """The interval that holds 1 - `level`; without any spread on either side, the value alone."""
        return self.value - self.reach(level), self.value + self.reach(level)


def compare(
    reported_mean: float | None,
    reported_std: float | None,
    reported_n: int | None,
    measured: Sequence[float],
    limit: float | None = None,
) -> Verdict:
    """The verdict on one cell.

    Parameters
    ----------
    reported_mean, reported_std, reported_n
        of the cell, per cent; None where it is empty, or says nothing of its spread or of its number of runs.
    measured
        the accuracy of each run, per cent.
    limit
        the difference, in points, below which the two agree; `margin` of the reported deviation if left out.

    Raises
    ------
    InputError
        for a number that is not finite, a negative standard deviation, or one of fewer than two runs.
    """
    if reported_mean is not None and not math.isfinite(reported_mean):
        raise InputError(f"a reported mean of {reported_mean}: give a finite number, or None for none")
    if reported_std is not None and not 0 <= reported_std < math.inf:
        raise InputError(f"a reported standard deviation of {reported_std}: give 0 or more, or None for none")
    if reported_std is not None and reported_n is not None and reported_n < 2:
        raise InputError(
            f"a standard deviation of {reported_n} runs: give two or more, or no standard deviation"
        )
    if not all(map(math.isfinite, measured)):
        raise InputError(f"measured accuracies {list(measured)}: give finite numbers")
    n = len(measured)
    if n == 0:
        return Verdict("not run")
    mean, std = fmean(measured), stdev(measured) if n > 1 else None
    if reported_mean is None:
        return Verdict("not reported", mean, std, n)
    difference = mean - reported_mean
    if reported_std is None:
        return Verdict("no std", mean, std, n, difference)
    if reported_n is None:
        return Verdict("no n", mean, std, n, difference)
    if std is None:
        return Verdict("one run", mean, std, n, difference)
    found = welch(mean, std, n, reported_mean, reported_std, reported_n)
    low, high = found.interval()
    limit = margin(reported_std) if limit is None else limit
    # Two one-sided tests at LEVEL are the interval of 1 - 2 LEVEL within the margin.
    if abs(difference) + found.reach(2 * LEVEL) < limit:
        word: Word = "agrees"
    else:
        word = "inconclusive" if low <= 0 <= high else "differs"
    return Verdict(word, mean, std, n, difference, low, high, found.degrees_of_freedom, limit)


def margin(reported_std: float) -> float:
    """The difference below which two means agree: one point, or two reported standard deviations if more."""
    return max(MARGIN_POINTS, MARGIN_STDS * reported_std)


def welch(mean: float, std: float, n: int, mean_2: float, std_2: float, n_2: int) -> Difference:
    """The difference `mean - mean_2` of two groups that need not have the same spread.

    Without any spread the degrees of freedom are 0 / 0; they are then n + n_2 - 2, and change nothing.
    """
    variance, variance_2 = std**2 / n, std_2**2 / n_2
    total = variance + variance_2
    if total == 0:
        return Difference(mean - mean_2, 0.0, float(n + n_2 - 2))
    share, share_2 = variance / total, variance_2 / total
    return Difference(mean - mean_2, math.sqrt(total), 1 / (share**2 / (n - 1) + share_2**2 / (n_2 - 1)))


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
def power(
    std: float,
    n_reported: int,
    n_measured: int,
    *,
    true_difference: float = 0.0,
    margin: float | None = None,
) -> Power:
    """How likely each verdict is where both sides' runs are normal with the same standard deviation.

    Nothing is simulated. The difference of the means is independent of both sample deviations, so that given those
    each verdict is an interval of a normal variable; what is left is an integral over the two, taken by
    Gauss-Legendre's rule on their sum of squares and on the share that the reported runs have of it.

    Parameters
    ----------
    std
        the true standard deviation of a run, in points.
    n_reported, n_measured
        runs on either side, two or more.
    true_difference
        between the true means; 0: the same process, for which `agrees` is the power and `differs` the error.
    margin
        a fixed one; as in `compare` otherwise, from the reported runs' own deviation, which varies as they do.

    Raises
    ------
    InputError
        for fewer than two runs, or a negative or infinite deviation.
    """
    if min(n_reported, n_measured) < 2:
        raise InputError(f"{n_reported} runs against {n_measured}: a test needs two or more on both sides")
    if not 0 <= std < math.inf:
        raise InputError(f"a standard deviation of {std}: give a finite number, 0 or more")
    if std == 0:
        # The limit: no interval has any length.
        near = abs(true_difference) < (MARGIN_POINTS if margin is None else margin)
        return Power(float(near), 0.0, float(not near))
    free_reported, free_measured = n_reported - 1, n_measured - 1
    nodes, weights = _rule()
    share = special.betaincinv(free_reported / 2, free_measured / 2, nodes)[:, None]
    squares = 2 * special.gammaincinv((free_reported + free_measured) / 2, nodes)[None, :]
    part, part_2 = share / free_reported / n_reported, (1 - share) / free_measured / n_measured
    freedom = (part + part_2) ** 2 / (part**2 / free_reported + part_2**2 / free_measured)
    error = std * np.sqrt((part + part_2) * squares)
    reported_std = std * np.sqrt(share * squares / free_reported)
    limit = np.maximum(MARGIN_POINTS, MARGIN_STDS * reported_std) if margin is None else margin
    within = np.maximum(limit - special.stdtrit(freedom, 1 - LEVEL) * error, 0.0)
    beyond = np.maximum(within, special.stdtrit(freedom, 1 - LEVEL / 2) * error)

    def inside(reach: NDArray[np.float64]) -> float:
        """How likely the difference of the means is within `reach` of 0."""
        scale = std * math.sqrt(1 / n_reported + 1 / n_measured)
        inner = special.ndtr((reach - true_difference) / scale) - special.ndtr(
            (-reach - true_difference) / scale
        )
        return float(weights @ inner @ weights)

    agrees, not_differs = inside(within), inside(beyond)
    return Power(agrees, not_differs - agrees, 1 - not_differs)


@cache
def _rule(points: int = 100) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    nodes, weights = np.polynomial.legendre.leggauss(points)
    return (nodes + 1) / 2, weights / 2


def power_in_words(
    stds: Sequence[float] = (0.3, 1.0), n_reported: int = 3, n_measured: int = 3, apart: float = 2.0
) -> str:
    """What the same process would be told, and one that is `apart` points away; in words.

    Parameters
    ----------
    stds
        the standard deviations of a run to say it for.
    """
    said = []
    for std in stds:
        same = power(std, n_reported, n_measured)
        away = power(std, n_reported, n_measured, true_difference=apart)
        said.append(
            f"Where one run has a standard deviation of {std:g} point{'s' * (std != 1)}, the very same process "
            f"agrees in {percent(same.agrees, 0)} of cells and differs by chance in {percent(same.differs)}; one that "
            f"is {apart:g} points away is found to differ in {percent(away.differs, 0)} and agrees by chance in "
            f"{percent(away.agrees)}."
        )
    return f"Take {n_measured} runs against {n_reported}. {' '.join(said)} The rest is inconclusive."
