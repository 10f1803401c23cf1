"""Variance components: what of a run's spread is the draw of its labels, what the seed of its weights.

The model is the crossed two-way random one, y_ij = m + L_i + W_j + R_ij: draw i of the labels, seed j of the weights
and of the batches' order, the same seeds under every draw. R is what neither makes alone: how a seed's luck depends on
the labels, and whatever differs between two equal runs; with one run of each pair the two cannot be told apart.
Components are estimated by equating mean squares with their expectations (Searle, Casella and McCulloch 1992, Variance
Components, chapter 4). Such an estimate may be negative; it then counts as 0, and is named.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2, f

from jal.analysis.stats import LEVEL
from jal.errors import InputError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Component:
    """A variance component, in points squared.

    Attributes
    ----------
    estimate
        0 or more.
    low, high
        of its 95 % interval.
    raw
        the estimate before a negative one became 0.
    """

    estimate: float
    low: float
    high: float
    raw: float


@dataclass(frozen=True)
class Components:
    """The components of `y_ij = m + L_i + W_j + R_ij`, and the `mean` of all runs."""

    mean: float
    labels: Component
    weights: Component
    rest: Component

    @property
    def total(self) -> float:
        """The variance of one run with labels and weights of its own."""
        return self.labels.estimate + self.weights.estimate + self.rest.estimate


def components(accuracies: ArrayLike) -> Components:
    """The variance components of a complete table.

    The interval of the rest is exact; those of labels and weights are Tukey's and Williams' (Williams 1962, Biometrika
    49), whose coverage is at least 90 % and in practice near 95 %. A negative bound is 0.

    Parameters
    ----------
    accuracies
        (draws, seeds), per cent: two or more of each.

    Raises
    ------
    InputError
        for another shape, and for numbers that are not finite.
    """
    y = np.asarray(accuracies, dtype=np.float64)
    if y.ndim != 2 or min(y.shape) < 2:
        raise InputError(
            f"accuracies of shape {y.shape}: give two or more draws of labels by two or more seeds"
        )
    if not np.isfinite(y).all():
        raise InputError("accuracies that are not finite: leave out the draws or seeds that lack a run")
    draws, seeds = y.shape
    # Taken from one of them, equal accuracies are exactly 0, and so is their variance.
    origin = float(y[0, 0])
    y = y - origin
    by_draw, by_seed, mean = y.mean(1), y.mean(0), float(y.mean())
    residuals = y - by_draw[:, None] - by_seed + mean
    freedom = (draws - 1) * (seeds - 1)
    square = float((residuals**2).sum() / freedom)
    low, high = (freedom * square / chi2.ppf(p, freedom) for p in (1 - LEVEL / 2, LEVEL / 2))
    return Components(
        mean=origin + mean,
        labels=_component(by_draw, seeds, square, freedom),
        weights=_component(by_seed, draws, square, freedom),
        rest=Component(square, float(low), float(high), square),
    )


def _component(means: Floats, n: int, rest: float, rest_freedom: int) -> Component:
    """Of a factor with these means of `n` runs each, where `rest` is the residual mean square."""
    freedom = len(means) - 1
    square = n * float(np.var(means, ddof=1))
    estimate = (square - rest) / n
    ratio = rest / square if square > 0 else math.inf

    def bound(p: float) -> float:
        if math.isinf(ratio):
            return 0.0
        share = 1 - f.ppf(p, freedom, rest_freedom) * ratio
        return max(0.0, float(freedom * square / chi2.ppf(p, freedom) / n * share))

    return Component(max(0.0, estimate), bound(1 - LEVEL / 2), bound(LEVEL / 2), estimate)
