"""What the studies' figures share: they keep their shape while runs are missing, and do not magnify what is small."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jal.analysis.figures import INK

SPAN = 2.0
"""Points of accuracy that an axis shows at least: on a shorter one nothing looks like much."""


def not_run(axes: Axes, text: str = "not run yet") -> None:
    """Says in the middle of a panel that there is nothing to draw, and takes its numbers of x away."""
    box = {"facecolor": "white", "edgecolor": "none"}
    axes.text(
        0.5,
        0.5,
        text,
        transform=axes.transAxes,
        ha="center",
        va="center",
        color=INK,
        style="italic",
        bbox=box,
    )
    axes.tick_params(axis="x", labelbottom=False, length=0)


def two_across(
    titles: Sequence[str], xlabel: str, ylabel: str, share: bool = True
) -> tuple[Figure, list[Axes]]:
    """A panel for each title, two in a row.

    Parameters
    ----------
    share
        whether the panels of a row have the same axis of y.
    """
    rows = -(-len(titles) // 2)
    figure: Figure
    figure, grid = plt.subplots(
        rows, 2, figsize=(7.6, 0.6 + 2.7 * rows), squeeze=False, sharey="row" if share else False
    )
    for axes, title in zip(grid.flat, titles, strict=False):
        axes.set_title(title)
        axes.set_xlabel(xlabel)
    for axes in grid.flat[len(titles) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel(ylabel)
    return figure, list(grid.flat[: len(titles)])


def widen(axes: Axes, which: str) -> None:
    """Lets an axis, "x" or "y", show `SPAN` at least, with what it shows in its middle."""
    get, put = getattr(axes, f"get_{which}lim"), getattr(axes, f"set_{which}lim")
    low, high = get()
    if high - low < SPAN:
        put((low + high - SPAN) / 2, (low + high + SPAN) / 2)
