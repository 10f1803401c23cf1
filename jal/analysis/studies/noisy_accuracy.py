"""Accuracy on noisy labels, as a function of accuracy on true ones: what theory says of it, and what Records say.

Where the labels are drawn from a transition T that depends on the true class alone, an image of class i that is taken
for j counts as right with probability T[i, j].
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from jal.analysis.figures import INK, PALETTE, QUANTITIES
from jal.analysis.frames import typed
from jal.analysis.panels import panels
from jal.analysis.records import GridRecords
from jal.analysis.studies.selection import VALIDATION, least_squares
from jal.analysis.text import number
from jal.datasets.known import find
from jal.errors import InputError
from jal.experiments.labels import transition


def noisy_accuracy(confusion: ArrayLike, T: ArrayLike) -> float:
    """The accuracy to be expected on labels drawn from T, 0 to 1.

    Parameters
    ----------
    confusion
        (K, K), [i, j] the share of all images whose true class is i and whose prediction is j; their sum is 1.
    T
        (K, K), the transition.

    Raises
    ------
    InputError
        for other shapes, and for shares that are not.
    """
    shares, rows = np.asarray(confusion, np.float64), np.asarray(T, np.float64)
    if shares.shape != rows.shape or (shares < 0).any() or not math.isclose(shares.sum(), 1, rel_tol=1e-9):
        raise InputError(
            f"a confusion of shape {shares.shape} and sum {shares.sum():g} for a transition of shape {rows.shape}: "
            "give the shares of all images, one for each pair of classes"
        )
    return float((shares * rows).sum())


def prices(T: ArrayLike) -> tuple[float, float]:
    """The least and the greatest price of an error: T[i, i] - T[i, j] over all j other than i.

    So much noisy accuracy is lost where an image of class i is taken for j. The least is the margin of T. Where both
    are equal, the noise is symmetric, and noisy accuracy an affine function of accuracy with that slope.
    """
    rows = np.asarray(T, np.float64)
    lost = np.diag(rows)[:, None] - rows
    others = lost[~np.eye(len(rows), dtype=bool)]
    return float(others.min()), float(others.max())


def images_needed(slope: float, difference: float, disagreement: float, certainty: float = 2.0) -> int:
    """How many validation images show which of two classifiers is better.

    The difference of their noisy accuracies is on average `slope` times that of their accuracies. It comes from the
    images on which they disagree, so that its variance is at most `disagreement` / n.

    Parameters
    ----------
    slope
        of noisy accuracy, as of `prices`.
    difference
        of their accuracies, 0 to 1.
    disagreement
        the share of the images on which their predictions differ.
    certainty
        in standard deviations.

    Raises
    ------
    InputError
        where there is nothing to see: a slope or a difference of 0 or less, or a smaller disagreement than difference.
    """
    if slope <= 0 or not 0 < difference <= disagreement <= 1:
        raise InputError(
            f"slope {slope:g}, difference {difference:g}, disagreement {disagreement:g}: give a slope over 0 and "
            "0 < difference <= disagreement <= 1"
        )
    # A slope such as 1 - 0.8 * 10 / 9 is not exactly 1 / 9, and an image more for that would be odd.
    return math.ceil(round(disagreement * (certainty / (slope * difference)) ** 2, 6))


def smallest_difference(slope: float, images: int, disagreement: float, certainty: float = 2.0) -> float:
    """The difference of two accuracies, 0 to 1, that so many validation images show: `images_needed` turned round.

    Raises
    ------
    InputError
        for a slope of 0 or less, no images or no disagreement.
    """
    if slope <= 0 or images < 1 or not 0 < disagreement <= 1:
        raise InputError(
            f"slope {slope:g}, {images} images, disagreement {disagreement:g}: give a slope over 0, one image or more "
            "and 0 < disagreement <= 1"
        )
    return certainty * math.sqrt(disagreement / images) / slope


@dataclass(frozen=True)
class _Line:
    """A column's points, and what is computed of them."""

    runs: int
    test: NDArray[np.float64]
    noisy: NDArray[np.float64]
    low: float
    high: float
    perfect: float
    images: int

    def at(self, accuracy: NDArray[np.float64], price: float) -> NDArray[np.float64]:
        return self.perfect - price * (100 - accuracy)


def _lines(records: GridRecords) -> dict[str, _Line]:
    lines = {}
    for column in records.grid.columns:
        cells = (records.runs(row, column) for row in records.grid.rows)
        found = [record for runs in cells for record in runs.values() if VALIDATION in record.curves]
        if not found:
            continue
        dataset = find(found[0].spec.dataset)
        T = transition(found[0].spec.noise, dataset.name, len(dataset.classes))
        if T is None:
            continue
        test, noisy = (
            np.concatenate([record.curves[name] for record in found])
            for name in ("test_accuracy", VALIDATION)
        )
        (images,) = dataset.arrays[-1].shape
        lines[column] = _Line(len(found), test, noisy, *prices(T), 100 * float(np.diag(T).mean()), images)
    return lines


def identity(records: GridRecords) -> pd.DataFrame:
    """For each column whose noise has a transition: the slope of noisy accuracy as computed and as measured.

    Every epoch of every run is a point. The line as computed goes through what a network without errors would have, all
    classes being equally frequent.

    Returns
    -------
    a frame with the columns column, n (runs), points, low and high (`prices`; under symmetric noise both are the
    slope), slope (by least squares; missing without two different accuracies), off (the points' root mean square
    distance from the line as computed, in points of noisy accuracy; missing where it is no line) and luck (what the
    draw of the labels explains of it at most).
    """
    rows = []
    for column, one in _lines(records).items():
        off = one.noisy - one.at(one.test, one.low)
        share = one.noisy / 100
        luck = 100 * math.sqrt(float((share * (1 - share)).mean()) / one.images)
        straight = math.isclose(one.low, one.high)
        rows.append(
            {
                "column": column,
                "n": one.runs,
                "points": len(one.test),
                "low": one.low,
                "high": one.high,
                "slope": least_squares(one.test.tolist(), one.noisy.tolist()),
                "off": math.sqrt(float((off**2).mean())) if straight else math.nan,
                "luck": luck,
            }
        )
    numbers = dict.fromkeys(("low", "high", "slope", "off", "luck"), float)
    return typed(rows, column=str, n=int, points=int, **numbers)


def said_of_identity(frame: pd.DataFrame) -> str:
    """For each noise, as a Markdown list: the slope as computed, as measured, and how far off the points are."""
    if frame.empty:
        return "No run that was validated on noisy labels is there yet."
    lines = []
    for row in frame.itertuples():
        runs = (
            f"over {row.points} epochs of {row.n} run{'s' * (row.n > 1)} it shows as {number(row.slope, 3)}"
        )
        if math.isnan(row.off):
            text = (
                f"a point of accuracy shows as {row.low:.3f} to {row.high:.3f}, by where it is won; {runs}."
            )
        else:
            text = (
                f"a point of accuracy should show as {row.low:.3f}; {runs}. The dots lie {row.off:.2f} points off the "
                f"computed line (root mean square); the draw of the labels explains up to {row.luck:.2f}."
            )
        lines.append(f"- **{row.column}**: {text}")
    return "\n".join(lines)


def identity_chart(records: GridRecords) -> Figure:
    """Noisy against true accuracy, a panel for each noise: every epoch of every run, and the lines as computed.

    Raises
    ------
    InputError
        without a run that was validated on noisy labels.
    """
    lines = _lines(records)
    if not lines:
        raise InputError("no noisy validation labels to show: run the experiment under noise first")
    figure, grid = panels(list(lines), QUANTITIES["test_accuracy"], "on noisy labels [%]", share=False)
    for axes, one in zip(grid, lines.values(), strict=True):
        axes.plot(
            one.test, one.noisy, linestyle="", marker="o", markersize=2.5, color=PALETTE[0], markeredgewidth=0
        )
        ends = np.array([one.test.min(), 100.0])
        for price in sorted({one.low, one.high}):
            axes.plot(ends, one.at(ends, price), color=INK, linewidth=0.9)
    return figure
