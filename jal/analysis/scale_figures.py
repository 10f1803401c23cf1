"""The figures of the chapters on a loss's parts and on its scale."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jal.analysis.figures import DASHES, FAINT, INK, LINES, QUANTITIES, curve, line
from jal.analysis.panels import legend
from jal.analysis.records import GridRecords
from jal.analysis.stats import Summary
from jal.errors import unknown
from jal.experiments.record import Record

Look = Mapping[str, Any]
"""Colour, dash and width of a line, as matplotlib takes them."""

Points = Mapping[float, Summary]
"""Accuracies by the value of a parameter."""

_MARKERS = ("o", "s", "D", "^", "v")

_MORE: dict[str, Look] = {
    "AMSE": {"color": "#56B4E9", "linestyle": (0, (5, 1.5)), "linewidth": 2.0},
    "NNCE": {"color": "#6E6E6E", "linestyle": (0, (1, 1)), "linewidth": 2.0},
    "AGCE": {"color": "#E69F00", "linestyle": (0, (5, 1.5))},
    "AGCE+MAE": {"color": "#CC79A7", "linestyle": (0, (2, 1.2)), "linewidth": 2.4},
}
"""Lines of losses that other chapters do not draw."""


def look(row: str, order: int = 0) -> Look:
    """The line of a row that is a loss, the same in every figure."""
    return LINES.get(row) or _MORE.get(row) or line(row, order)


def family(rows: Sequence[str], of: str) -> dict[str, Look]:
    """A line for each row: those that begin with `of` go from pale to dark, each with its own dash."""
    members = [row for row in rows if row.startswith(of)]
    shades = plt.get_cmap("viridis_r")(np.linspace(0.2, 1, len(members)))
    own: dict[str, Look] = {
        row: {"color": shade, "linestyle": DASHES[at % len(DASHES)], "linewidth": 2.0}
        for at, (row, shade) in enumerate(zip(members, shades, strict=True))
    }
    return {row: own.get(row) or look(row, order) for order, row in enumerate(rows)}


def curves(
    sides: Mapping[str, GridRecords],
    columns: Sequence[str],
    quantities: Sequence[str] = ("test_accuracy",),
    looks: Mapping[str, Look] | None = None,
) -> Figure:
    """Curves over the epochs: a row of panels for each side and quantity, a panel for each column, a line for each row.

    With several seeds the line is their mean and the band goes from the least to the greatest.

    Parameters
    ----------
    sides
        grids with the same rows, by the name of what they run. Without any run at all the figure says so.
    columns
        of the grids, as many as there are panels across.
    quantities
        names of `figures.QUANTITIES`.
    looks
        the lines; each row's own (`look`) otherwise.

    Raises
    ------
    InputError
        for an unknown quantity or column.
    """
    for quantity in quantities:
        if quantity not in QUANTITIES:
            raise unknown("quantity", quantity, QUANTITIES)
    if not sides:
        return _nothing()
    rows = list(dict.fromkeys(row for found in sides.values() for row in found.grid.rows))
    drawn = _stacked(looks or {row: look(row, order) for order, row in enumerate(rows)})
    bands = [(side, found, quantity) for side, found in sides.items() for quantity in quantities]
    figure, grid = _panels(len(bands), len(columns))
    for axes_row, (side, found, quantity) in zip(grid, bands, strict=True):
        axes_row[0].set_ylabel(QUANTITIES[quantity])
        for axes, column in zip(axes_row, columns, strict=True):
            if column not in found.grid.columns:
                raise unknown("column of the grid", column, found.grid.columns)
            if quantity == quantities[0]:
                axes.set_title(f"{side}:\n{column}")
            if quantity == quantities[-1]:
                axes.set_xlabel("epoch")
            for row in rows:
                curve(axes, found.runs(row, column).values(), quantity, drawn[row])
    legend(figure, {row: drawn[row] for row in rows})
    return figure


def plane(sides: Mapping[str, GridRecords], columns: Sequence[str]) -> Figure:
    """Of the right labels how many a network reproduces, against how many of the wrong ones: its way through training.

    A row of panels for each side, a panel for each column, a line for each row of the grid, which ends in its mark
    after the last epoch; over the seeds it is the mean.
    """
    if not sides:
        return _nothing()
    rows = list(dict.fromkeys(row for found in sides.values() for row in found.grid.rows))
    figure, grid = _panels(len(sides), len(columns))
    looks = _stacked(
        {
            row: {**look(row, order), **_mark(order), "markeredgecolor": "white"}
            for order, row in enumerate(rows)
        }
    )
    for axes_row, (side, found) in zip(grid, sides.items(), strict=True):
        axes_row[0].set_ylabel(QUANTITIES["clean_accuracy"])
        for axes, column in zip(axes_row, columns, strict=True):
            axes.set_title(f"{side}:\n{column}")
            axes.set_xlabel(QUANTITIES["memorised"])
            axes.set_xlim(-3, 103)
            axes.set_ylim(-3, 103)
            for row in rows:
                runs = [r for r in found.runs(row, column).values() if "memorised" in r.curves]
                if runs:
                    wrong, right = (_mean(runs, name) for name in ("memorised", "clean_accuracy"))
                    axes.plot(wrong, right, markevery=[-1], **looks[row])
    legend(figure, looks)
    return figure


def against(
    panels: Mapping[str, Mapping[str, Points]],
    looks: Mapping[str, Look],
    xlabel: str,
    *,
    thresholds: Mapping[str, float] | None = None,
    across: Collection[str] = (),
    logarithmic: bool = False,
) -> Figure:
    """Test accuracy against a parameter: a panel for each title, a line for each name, its marks with one deviation.

    Parameters
    ----------
    panels
        title -> name -> parameter -> summary. Without any panel the figure says that nothing was run.
    looks
        the line of each name.
    thresholds
        by name, where on the axis a condition begins to hold: a vertical line of the same colour and dash.
    across
        names whose one value holds for all values of the parameter, and is drawn across.
    logarithmic
        the axis of the parameter.
    """
    if not panels:
        return _nothing()
    figure, grid = _panels(-(-len(panels) // 2), min(2, len(panels)))
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    drawn = {name: {**looks[name], **_mark(order)} for order, name in enumerate(looks)}
    for at, (axes, (title, lines)) in enumerate(zip(grid.flat, panels.items(), strict=False)):
        axes.set_title(title)
        if at % grid.shape[1] == 0:
            axes.set_ylabel(QUANTITIES["test_accuracy"])
        if at + grid.shape[1] >= len(panels):
            axes.set_xlabel(xlabel)
        if logarithmic:
            _logarithmic(axes)
        for name, points in lines.items():
            if name in across:
                for only in points.values():
                    axes.axhline(only.mean, **looks[name])
            elif points:
                _points(axes, points, drawn[name])
        for name, bound in (thresholds or {}).items():
            plain = {key: looks[name][key] for key in ("color", "linestyle") if key in looks[name]}
            axes.axvline(bound, linewidth=1.2, **plain)
    legend(figure, {name: looks[name] if name in across else drawn[name] for name in looks})
    return figure


def _points(axes: Axes, points: Points, drawn: Look) -> None:
    x = sorted(points)
    means, deviations = ([getattr(points[at], key) or 0.0 for at in x] for key in ("mean", "std"))
    axes.errorbar(x, means, yerr=deviations, capsize=2.5, elinewidth=1, **drawn)


def heights(a: Sequence[float], lines: Mapping[str, Sequence[float]], ylabel: str) -> Figure:
    """How high losses are against their a, on logarithmic axes."""
    figure: Figure
    figure, axes = plt.subplots(figsize=(6.2, 3.2))
    for name, drawn in family(list(lines), "").items():
        axes.plot(a, lines[name], label=name, **drawn)
    axes.set_yscale("log")
    _logarithmic(axes)
    axes.set_xlabel("$a$")
    axes.set_ylabel(ylabel)
    figure.legend(loc="outside right upper")
    return figure


def _stacked(looks: Mapping[str, Look]) -> dict[str, Look]:
    """The later under the earlier: a joint loss, thick, under its parts, so that lines that coincide all show."""
    return {row: {**drawn, "zorder": 3 - at / len(looks)} for at, (row, drawn) in enumerate(looks.items())}


def _mark(order: int) -> Look:
    return {"marker": _MARKERS[order % len(_MARKERS)], "markersize": 6}


def _logarithmic(axes: Axes) -> None:
    """The axis across, with ticks that are numbers rather than powers."""
    ticks = [1, 2, 5, 10, 20, 40]
    axes.set_xscale("log")
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()


def _panels(rows: int, columns: int) -> tuple[Figure, NDArray[Any]]:
    figure: Figure
    size = (1.9 + 2.9 * columns, 0.5 + 2.6 * rows)
    figure, grid = plt.subplots(rows, columns, figsize=size, sharey="row", squeeze=False)
    return figure, grid


def _mean(runs: Iterable[Record], quantity: str) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = np.mean([run.curves[quantity] for run in runs], axis=0)
    return mean


def _nothing() -> Figure:
    """In place of a figure whose runs are still to be made."""
    figure: Figure
    figure, axes = plt.subplots(figsize=(7.2, 1.2))
    axes.text(0.5, 0.5, "None of these runs is there yet.", ha="center", va="center", color=INK)
    axes.set_axis_off()
    axes.add_patch(plt.Rectangle((0, 0), 1, 1, fill=False, edgecolor=FAINT))
    return figure
