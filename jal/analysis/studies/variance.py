"""Variance from labels against from weights: what of a run's spread is the draw of its labels, what its seed.

The model is the crossed two-way random one, y_ij = m + L_i + W_j + R_ij: draw i of the labels, seed j of the weights
and of the batches' order, the same seeds under every draw. R is what neither makes alone: how a seed's luck depends on
the labels, and whatever differs between two equal runs; with one run of each pair the two cannot be told apart.
Components are estimated by equating mean squares with their expectations (Searle, Casella and McCulloch 1992, Variance
Components, chapter 4). Such an estimate may be negative; it then counts as 0, and is named.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2, f

from jal.analysis.figures import INK, PALETTE
from jal.analysis.frames import typed
from jal.analysis.records import GridRecords
from jal.analysis.stats import LEVEL
from jal.analysis.studies.drawing import not_run, two_across, widen
from jal.analysis.text import listed, percent
from jal.errors import InputError

Floats = NDArray[np.float64]

_MARKERS = ("o", "s", "D", "^", "v")

SOURCES = {
    "labels": "the draw of the labels",
    "weights": "the seed of the weights",
    "rest": "what neither makes alone",
}


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


def estimates(records: GridRecords) -> pd.DataFrame:
    """The components of each row of a grid whose columns are draws of the labels.

    Where runs are missing, the largest complete part of the table is taken: nothing is filled in.

    Returns
    -------
    a frame with a row for each row of the grid, and the columns row, draws, seeds (of the part taken), left_out (runs
    that are there and not in it), mean; for each of `SOURCES` its standard deviation in points (labels, weights,
    rest), the interval's bounds (labels_low, labels_high, ...) and its share of the variance (labels_share, ...); total
    (the standard deviation of one run with labels and weights of its own); negative (the sources whose estimate was
    negative and counts as 0). All missing where there are not two draws with two seeds.
    """
    rows = []
    for row in records.grid.rows:
        columns = [column for column in records.grid.columns if (row, column) in records.cells]
        y = np.full((len(columns), len(records.seeds)), np.nan)
        for i, column in enumerate(columns):
            for seed, record in records.runs(row, column).items():
                y[i, records.seeds.index(seed)] = record.accuracy
        draws, seeds = _complete(~np.isnan(y))
        there = int((~np.isnan(y)).sum())
        found = {
            "row": row,
            "draws": len(draws),
            "seeds": len(seeds),
            "left_out": there - len(draws) * len(seeds),
        }
        if min(len(draws), len(seeds)) >= 2:
            found |= _described(components(y[np.ix_(draws, seeds)]))
        rows.append(found)
    names = ["mean", *(f"{s}{part}" for s in SOURCES for part in ("", "_low", "_high", "_share")), "total"]
    numbers = dict.fromkeys(names, float)
    return typed(rows, row=str, draws=int, seeds=int, left_out=int, **numbers, negative=str)


def table(records: GridRecords) -> pd.DataFrame:
    """`estimates` as text: standard deviations in points with their 95 % intervals and shares.

    A row each; those without two draws of two seeds are left out.
    """
    rows = {
        row["row"]: {
            "draws x seeds": f"{row['draws']} x {row['seeds']}",
            "one run": f"{row['total']:.2f}",
            **{source: _entry(row, source) for source in SOURCES},
        }
        for row in estimates(records).to_dict("records")
        if not math.isnan(row["mean"])
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["draws x seeds", "one run", *SOURCES])


def _entry(row: Mapping[str, float], source: str) -> str:
    part = percent(row[f"{source}_share"], 0)
    interval = f"{row[source]:.2f} [{row[f'{source}_low']:.2f}, {row[f'{source}_high']:.2f}]"
    return interval + (f", {part}" if part else "")


def _described(found: Components) -> dict[str, float | str]:
    values: dict[str, float | str] = {"mean": found.mean, "total": math.sqrt(found.total)}
    for source in SOURCES:
        component: Component = getattr(found, source)
        values[source] = math.sqrt(component.estimate)
        values[f"{source}_low"], values[f"{source}_high"] = (
            math.sqrt(component.low),
            math.sqrt(component.high),
        )
        values[f"{source}_share"] = component.estimate / found.total if found.total else math.nan
    values["negative"] = listed(s for s in SOURCES if getattr(found, s).raw < 0)
    return values


def _complete(there: NDArray[np.bool_]) -> tuple[list[int], list[int]]:
    """The draws and seeds of the complete part with the most runs, two by two at least; else none."""
    if there.shape[0] > there.shape[1]:
        seeds, draws = _complete(there.T)
        return draws, seeds
    parts = (
        (list(some), np.flatnonzero(there[list(some)].all(axis=0)).tolist()) for some in _subsets(len(there))
    )
    whole = ((draws, seeds) for draws, seeds in parts if len(seeds) >= 2)
    return max(whole, key=lambda part: len(part[0]) * len(part[1]), default=([], []))


def _subsets(n: int) -> Iterator[tuple[int, ...]]:
    return (some for size in range(2, n + 1) for some in combinations(range(n), size))


def in_words(records: GridRecords) -> str:
    """For each row, as a Markdown list: the spread of one run, and whose it is."""
    lines, without = [], []
    for row in estimates(records).to_dict("records"):
        if math.isnan(row["mean"]):
            without.append(row["row"])
            continue
        line = (
            f"- **{row['row']}**: {row['draws']} draws of the labels with the same {row['seeds']} seeds each. "
            f"One run's accuracy has a standard deviation of {row['total']:.2f} points"
        )
        if row["total"]:
            shares = listed(
                f"{text} ({percent(row[f'{source}_share'], 0)})" for source, text in SOURCES.items()
            )
            line += f"; its variance comes from {shares}"
        line += "."
        if row["negative"]:
            several = " and " in row["negative"]
            words = (
                ("estimates", "are negative and count") if several else ("estimate", "is negative and counts")
            )
            line += f" The {words[0]} for {row['negative']} {words[1]} as 0."
        if row["left_out"]:
            line += f" {row['left_out']} more runs are in no complete part of the table and are left out."
        lines.append(line)
    if without:
        lines.append(f"- Not yet two draws of the labels with the same two seeds: {'; '.join(without)}.")
    return "\n".join(lines)


def chart(records: GridRecords) -> Figure:
    """Every run: a panel for each row, the draws of the labels across, a mark for each seed of the weights.

    A bar joins the runs of one draw, the dotted line is the mean of all. A panel without runs says so.
    """
    grid = records.grid
    figure, axs = two_across(grid.rows, "draw of the labels", "test accuracy [%]", share=False)
    marks: list[dict[str, Any]] = [
        {"marker": _MARKERS[i % len(_MARKERS)], "color": PALETTE[i % len(PALETTE)]}
        for i, _ in enumerate(records.seeds)
    ]
    for axes, row in zip(axs, grid.rows, strict=True):
        every = []
        for at, column in enumerate(grid.columns):
            runs = records.runs(row, column)
            values = [record.accuracy for record in runs.values()]
            every += values
            if values:
                axes.plot([at, at], [min(values), max(values)], color=INK, linewidth=0.8)
            for seed, record in runs.items():
                axes.plot(at, record.accuracy, markersize=5, **marks[records.seeds.index(seed)])
        axes.set_xticks(range(len(grid.columns)), [column.split()[-1] for column in grid.columns])
        axes.set_xlim(-0.5, len(grid.columns) - 0.5)
        if every:
            axes.axhline(sum(every) / len(every), color=INK, linewidth=0.8, linestyle=":")
        else:
            not_run(axes)
        widen(axes, "y")
    handles = [
        Line2D([], [], linestyle="none", label=f"weights {seed}", **mark)
        for seed, mark in zip(records.seeds, marks, strict=True)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure
