"""Figures of many panels, three across, so that they stay legible on a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

ACROSS = 3


def panels(titles: Sequence[str], xlabel: str, ylabel: str, share: bool = True) -> tuple[Figure, list[Axes]]:
    """A panel for each title, row by row; each row's first has the label of y, the lowest of a column that of x.

    Parameters
    ----------
    share
        whether all have the same axes.
    """
    columns = min(ACROSS, len(titles))
    rows = -(-len(titles) // columns)
    size = (1.6 + 2.5 * columns, 0.4 + 2.5 * rows)
    figure, grid = plt.subplots(rows, columns, figsize=size, sharex=share, sharey=share, squeeze=False)
    used = list(grid.flat[: len(titles)])
    for axes in grid.flat[len(titles) :]:
        axes.set_visible(False)
    for at, (axes, title) in enumerate(zip(used, titles, strict=True)):
        axes.set_title(title)
        if at % columns == 0:
            axes.set_ylabel(ylabel)
        if at + columns >= len(titles):
            axes.set_xlabel(xlabel)
            axes.tick_params(labelbottom=True)
    return figure, used


def legend(figure: Figure, looks: Mapping[str, Mapping[str, Any]]) -> None:
    """One legend for all panels, at their right: lines by their names, as matplotlib takes them."""
    handles = [Line2D([], [], label=name, **look) for name, look in looks.items()]
    figure.legend(handles=handles, loc="outside right upper")
