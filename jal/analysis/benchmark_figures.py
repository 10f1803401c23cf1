"""The paper's benchmark tables as figures: accuracy against the noise rate, accuracies as dots, who leads whom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jal.analysis.benchmark_text import columns_of
from jal.analysis.claims import JAL, Columns, over_others, top_two
from jal.analysis.figures import INK, LINES, PALETTE, line
from jal.analysis.noise_reports import DATASETS
from jal.analysis.panels import ACROSS, legend, panels
from jal.analysis.stats import Summary
from jal.errors import InputError

Reach = Callable[[str, Summary], float | None]
"""Half the length of an error bar, by the column's label and the value; None for no bar."""

_MARKERS = "osD^v<>p"


def accuracy_by_rate(
    frame: pd.DataFrame, losses: Sequence[str] | None = None, side: str = "reported"
) -> Figure:
    """Accuracy against the nominal noise rate: a panel for each kind of noise, a line for each loss.

    Clean labels are the rate 0 of every panel. Bars are a standard deviation to either side.

    Parameters
    ----------
    frame
        of `jal.analysis.comparison.comparison`, with columns such as "clean" and "symmetric 0.4".
    losses
        which, and in which order; all that have a number otherwise.
    side
        "reported" or "measured".

    Raises
    ------
    InputError
        where no column has a rate, or none has a number on that side.
    """
    columns = columns_of(frame, side)
    kinds = list(dict.fromkeys(name.partition(" ")[0] for name in columns if " " in name))
    there = list(dict.fromkeys(loss for column in columns.values() for loss in column))
    looks = _looks([loss for loss in losses or there if loss in there], 4)
    if not kinds or not any(columns.values()):
        raise InputError(f"no {side} accuracy at any noise rate: take another grid, or the other side")
    figure, used = panels(kinds, "nominal noise rate", "test accuracy [%]", share=False)
    for axes in used[1:]:
        axes.sharey(used[0])
    for axes, kind in zip(used, kinds, strict=True):
        rates = {0.0: "clean"} if "clean" in columns else {}
        rates |= {float(name.split()[1]): name for name in columns if name.startswith(f"{kind} ")}
        for loss, look in looks.items():
            points = [(rate, columns[name][loss]) for rate, name in rates.items() if loss in columns[name]]
            axes.errorbar(
                [rate for rate, _ in points],
                [found.mean for _, found in points],
                [found.std or 0.0 for _, found in points],
                **look,
                capsize=2,
            )
        axes.set_xticks(list(rates))
    legend(figure, looks)
    return figure


def _looks(losses: Sequence[str], size: float) -> dict[str, dict[str, Any]]:
    """The line of each loss, with a mark of its own."""
    return {
        loss: {**line(loss, order), "marker": _MARKERS[order % len(_MARKERS)], "markersize": size}
        for order, loss in enumerate(losses)
    }


def _deviation(column: str, found: Summary) -> float | None:
    return found.std


def dots(columns: Columns, reach: Reach = _deviation) -> Figure:
    """Accuracies as dots with bars: a panel for each column, a row for each loss, the same order in all.

    The highest mean over the columns is uppermost, and in each column the two highest are filled.

    Parameters
    ----------
    reach
        of a value's bar; its standard deviation unless said otherwise.

    Raises
    ------
    InputError
        for columns without a number.
    """
    losses = list(dict.fromkeys(loss for column in columns.values() for loss in column))
    if not losses:
        raise InputError("no accuracies to show: none of these columns has one")
    losses.sort(key=lambda loss: _mean([c[loss].mean for c in columns.values() if loss in c]))
    across = 2 if len(columns) == 4 else min(ACROSS, len(columns))
    down = -(-len(columns) // across)
    figure: Figure
    figure, grid = plt.subplots(
        down,
        across,
        figsize=(1.2 + 2.6 * across, down * (0.9 + 0.24 * len(losses))),
        sharey=True,
        squeeze=False,
    )
    for axes in grid.flat[len(columns) :]:
        axes.set_visible(False)
    for axes, (name, column) in zip(grid.flat, columns.items(), strict=False):
        best = top_two(column)
        for row, loss in enumerate(losses):
            if loss not in column:
                continue
            found, colour = column[loss], LINES.get(loss, {"color": INK})["color"]
            axes.errorbar(
                found.mean,
                row,
                xerr=reach(name, found),
                fmt="o",
                markersize=6,
                capsize=2.5,
                color=colour,
                markerfacecolor=colour if loss in best else "white",
            )
        axes.set_title(name)
        axes.set_xlabel("test accuracy [%]")
        axes.grid(axis="y", visible=False)
    grid[0, 0].set_yticks(range(len(losses)), losses)
    return figure


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def leads(columns: Columns, losses: Sequence[str] = JAL) -> Figure:
    """How far the best of some losses is above the best of all others, with Welch's 95 % interval; a row a column.

    The mark is filled where the interval excludes 0, and a diamond where there is no interval. One that leaves the
    panel goes on.

    Raises
    ------
    InputError
        where no column has both.
    """
    found = over_others(columns, losses)
    if not found:
        raise InputError(f"no column has both {' or '.join(losses)} and another loss: nothing leads")
    largest = max(1.0, *(abs(one.points) for one in found.values()))
    ends = (abs(end) for one in found.values() for end in one.interval or ())
    limit = 1.05 * max(largest, *(end for end in ends if end < 2 * largest), 0.0)
    figure: Figure
    figure, axes = plt.subplots(figsize=(7.2, 1.0 + 0.3 * len(found)))
    axes.axvline(0, color=INK, linewidth=1)
    for row, one in enumerate(found.values()):
        clear = one.interval is not None and not one.interval[0] <= 0 <= one.interval[1]
        axes.plot(one.interval or (one.points,) * 2, [row, row], color=PALETTE[0], linewidth=1.6)
        axes.plot(
            one.points,
            row,
            "o" if one.interval else "D",
            color=PALETTE[0],
            markerfacecolor=PALETTE[0] if clear else "white",
        )
        axes.annotate(
            f"{one.loss} over {one.over}",
            (1.01, row),
            xycoords=("axes fraction", "data"),
            va="center",
            annotation_clip=False,
        )
    axes.set_yticks(range(len(found)), list(found))
    axes.set(ylim=(len(found) - 0.5, -0.5), xlim=(-limit, limit), xlabel="lead [points]")
    axes.grid(axis="y", visible=False)
    return figure


def people_beside_symmetric(frame: pd.DataFrame, losses: Sequence[str]) -> Figure:
    """Accuracy against the share of wrong labels: lines for symmetric noise, marks for people's labels.

    Parameters
    ----------
    frame
        of `jal.analysis.benchmark_text.by_true_rate`.
    losses
        which, and in which order.
    """
    datasets = list(dict.fromkeys(frame["dataset"]))
    titles = [f"{DATASETS[dataset]} and {DATASETS[dataset]}N" for dataset in datasets]
    figure, used = panels(titles, "labels wrong [%]", "test accuracy [%]", share=False)
    looks = _looks(losses, 6)
    for axes, dataset in zip(used, datasets, strict=True):
        here = frame[frame["dataset"].eq(dataset)]
        for loss, look in looks.items():
            mine = here[here["loss"].eq(loss)]
            lines, marks = mine[mine["noise"].eq("symmetric")], mine[mine["noise"].ne("symmetric")]
            lines = lines.sort_values("rate")
            axes.plot(100 * lines["rate"], lines["mean"], **look | {"marker": ""})
            axes.plot(
                100 * marks["rate"],
                marks["mean"],
                look["marker"],
                color=look["color"],
                markersize=7,
                markeredgecolor="white",
            )
        _name(axes, here)
    legend(figure, looks)
    return figure


def _name(axes: Axes, frame: pd.DataFrame) -> None:
    """Writes the names of people's labels above their marks."""
    for (noise, rate), _ in frame[frame["noise"].ne("symmetric")].groupby(["noise", "rate"]):
        axes.axvline(100 * float(rate), color=INK, linewidth=0.6, linestyle=":", zorder=0)
        axes.annotate(
            str(noise),
            (100 * float(rate), 0.02),
            xycoords=("data", "axes fraction"),
            rotation=90,
            ha="right",
            va="bottom",
        )
