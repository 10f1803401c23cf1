"""What a few seeds can tell: how likely two losses are found to differ, by how far they are apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from scipy.optimize import brentq

from jal.analysis.claims import Column
from jal.analysis.figures import DASHES, INK, PALETTE
from jal.analysis.stats import compare, power
from jal.analysis.text import listed, percent
from jal.errors import InputError

CHANCE = 0.8
"""Of finding a difference that is there: what counts as enough to rely on."""


def told(apart: float, runs: int) -> float:
    """How likely Welch's 95 % interval excludes 0, with `runs` of each of two losses.

    Parameters
    ----------
    apart
        the difference of the true means, in standard deviations of one run, equal for both losses.

    Raises
    ------
    InputError
        for fewer than two runs.
    """
    return power(1.0, runs, runs, true_difference=apart, margin=0.0).differs


def smallest(runs: int, chance: float = CHANCE) -> float:
    """The difference, in standard deviations of one run, that `runs` of each loss tell with this chance.

    Raises
    ------
    InputError
        for fewer than two runs, and for a chance that no difference or every one has.
    """
    if not 0.05 < chance < 1:
        raise InputError(f"chance={chance:g}: give one over 0.05 and under 1")
    return float(brentq(lambda apart: told(apart, runs) - chance, 0.0, 100.0, xtol=1e-6))


def chart(runs: Sequence[int], chance: float = CHANCE) -> Figure:
    """The chance to tell two losses apart against their distance: a line for each number of runs."""
    figure: Figure
    figure, axes = plt.subplots(figsize=(5.6, 3.2))
    apart = np.linspace(0, 8, 81)
    for at, n in enumerate(runs):
        axes.plot(
            apart,
            [100 * told(float(x), n) for x in apart],
            color=PALETTE[at % len(PALETTE)],
            linestyle=DASHES[at % len(DASHES)],
            label=f"{n} seeds each",
        )
    axes.axhline(100 * chance, color=INK, linewidth=0.6, linestyle=":")
    axes.set(
        xlabel="difference of the true means [standard deviations of a run]", ylabel="found to differ [%]"
    )
    axes.set_ylim(0, 102)
    axes.legend(loc="lower right")
    return figure


def neighbours(columns: Iterable[Column]) -> tuple[int, int]:
    """Of the pairs of losses next to each other in a ranking, how many are told apart by Welch's 95 % interval.

    Returns
    -------
    those, and all pairs of neighbours whose spread is known; over all columns together.
    """
    apart = pairs = 0
    for column in columns:
        ranked = sorted(column.values(), key=lambda one: -one.mean)
        for one, other in pairwise(ranked):
            gap = compare(one, other)
            pairs += gap.interval is not None
            apart += gap.sign > 0
    return apart, pairs


def in_words(std: float, runs: Sequence[int] = (3, 5, 10), chance: float = CHANCE) -> str:
    """In a sentence: the difference that so many seeds tell where one run has this standard deviation, in points."""
    parts = [f"{smallest(n, chance) * std:.1f} ({n} seeds)" for n in runs]
    return (
        f"Where one run has a standard deviation of {std:.2f} points, two losses have to be apart by {listed(parts)} "
        f"points for Welch's interval to exclude 0 in {percent(chance, 0)} of experiments."
    )
