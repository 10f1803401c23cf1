"""The book's figure style, and training curves out of Records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from jal.analysis.groups import cells, noise_title
from jal.errors import unknown
from jal.experiments.record import Record

INK = "#24292f"
FAINT = "#d0d7de"
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6E6E6E", "#8C510A")
"""Okabe and Ito's colours, told apart with any colour vision; the yellow, faint on white, is left out."""

DASHES = ("-", (0, (5, 1.5)), (0, (2, 1.2)), (0, (6, 1.5, 1, 1.5)))
"""With the palette's colours in turn, so that lines are told apart without colour too."""

LINES: dict[str, dict[str, Any]] = {
    "JAL-CE": {"color": "#0072B2", "linestyle": "-", "linewidth": 2.4},
    "JAL-FL": {"color": "#0072B2", "linestyle": (0, (3, 1.2)), "linewidth": 2.0},
    "CE": {"color": "#D55E00", "linestyle": "-", "linewidth": 2.0},
    "FL": {"color": "#D55E00", "linestyle": (0, (3, 1.2))},
    "NCE": {"color": "#8C510A", "linestyle": "-"},
    "MAE": {"color": "#CC79A7", "linestyle": "-"},
    "NCE+RCE": {"color": "#009E73", "linestyle": "-"},
    "NCE+AGCE": {"color": "#009E73", "linestyle": (0, (3, 1.2))},
    "GCE": {"color": "#E69F00", "linestyle": "-"},
    "ANL-CE": {"color": "#6E6E6E", "linestyle": "-"},
    "ANL-FL": {"color": "#6E6E6E", "linestyle": (0, (3, 1.2))},
}
"""The line of a loss, the same in every figure; a loss without one takes the palette's colours in turn, dotted."""

QUANTITIES = {
    "test_accuracy": "test accuracy [%]",
    "memorised": "wrong labels reproduced [%]",
    "recovered": "wrong labels seen through [%]",
    "noise_auroc": "AUROC: wrong labels told by their loss",
    "validation_accuracy": "accuracy on noisy test labels [%]",
    "clean_accuracy": "right labels reproduced [%]",
    "train_loss": "training loss",
    "clean_loss": "loss on right labels",
    "wrong_loss": "loss on wrong labels",
}
"""The curves a Record may hold, and what their axis is called."""

_ACROSS = 3


def style() -> None:
    """Sets matplotlib for the book: vector output, colours for every eye, a white ground on any theme."""
    plt.rcParams.update(
        {
            "figure.figsize": (7.2, 3.4),
            "figure.facecolor": "white",
            "figure.constrained_layout.use": True,
            "savefig.facecolor": "white",
            "svg.hashsalt": "jal",
            "font.family": "sans-serif",
            "font.sans-serif": ["DejaVu Sans"],
            "font.size": 9.5,
            "mathtext.fontset": "dejavusans",
            "text.color": INK,
            "axes.edgecolor": INK,
            "axes.labelcolor": INK,
            "axes.titlesize": 10.5,
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.linewidth": 0.8,
            "axes.prop_cycle": plt.cycler(color=PALETTE),
            "grid.color": FAINT,
            "grid.linewidth": 0.6,
            "xtick.color": INK,
            "ytick.color": INK,
            "legend.frameon": False,
            "lines.linewidth": 1.7,
            "image.cmap": "viridis",
        }
    )
    with suppress(ImportError):
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg", metadata={"Date": None})


def training_curves(
    records: Iterable[Record],
    quantities: Sequence[str] = ("test_accuracy", "memorised"),
    losses: Sequence[str] | None = None,
) -> Figure:
    """Curves over the epochs: a row for each quantity, a column for each noise, a line for each loss.

    Three noises stand across at most; the others follow below, quantities and all. With several seeds the line is
    their mean and the band goes from the least to the greatest.

    Parameters
    ----------
    records
        of one dataset.
    quantities
        names of `QUANTITIES`; a column whose noise lacks one (clean labels) stays empty there.
    losses
        which, and in which order in the legend; all of them otherwise. One without Records is left out.

    Raises
    ------
    InputError
        for an unknown quantity, no Records, or Records that do not belong together.
    """
    for quantity in quantities:
        if quantity not in QUANTITIES:
            raise unknown("quantity", quantity, QUANTITIES)
    noises = cells(records)
    there = list(dict.fromkeys(loss for runs in noises.values() for loss in runs))
    shown = [loss for loss in losses or there if loss in there]
    across, down = min(_ACROSS, len(noises)), len(quantities)
    rows = -(-len(noises) // across) * down
    figure: Figure
    figure, grid = plt.subplots(
        rows, across, figsize=(1.6 + 2.7 * across, 0.6 + 2.4 * rows), sharex=True, squeeze=False
    )
    for at, (noise, runs) in enumerate(noises.items()):
        block, column = divmod(at, across)
        stack = grid[block * down : (block + 1) * down, column]
        stack[0].set_title(noise_title(noise))
        stack[-1].set_xlabel("epoch")
        stack[-1].tick_params(labelbottom=True)
        for axes, quantity, first in zip(stack, quantities, grid[:, 0], strict=False):
            if axes is not first:
                axes.sharey(first)
            axes.tick_params(labelleft=column == 0)
            if column == 0:
                axes.set_ylabel(QUANTITIES[quantity])
            for order, loss in enumerate(shown):
                curve(axes, runs.get(loss, []), quantity, {"label": loss, **line(loss, order)})
    for axes in grid[-down:, (len(noises) - 1) % across + 1 :].flat:
        axes.set_visible(False)
    handles = [Line2D([], [], label=loss, **line(loss, order)) for order, loss in enumerate(shown)]
    figure.legend(handles=handles, loc="outside right upper")
    return figure


def line(loss: str, order: int = 0) -> dict[str, Any]:
    """Colour and dash of a loss's line; `order` picks the colour of a loss that has none of its own."""
    return dict(LINES.get(loss, {"color": PALETTE[order % len(PALETTE)], "linestyle": ":"}))


def curve(axes: Axes, runs: Iterable[Record], quantity: str, look: Mapping[str, Any]) -> None:
    """Draws the mean of some runs over the epochs and, of several, a band from the least to the greatest.

    Parameters
    ----------
    runs
        equally long; those without the quantity are left out.
    look
        of the line, as matplotlib takes it; its colour is the band's too.
    """
    curves = np.array([run.curves[quantity] for run in runs if quantity in run.curves])
    if not len(curves):
        return
    epochs = np.arange(1, curves.shape[1] + 1)
    axes.plot(epochs, curves.mean(0), **look)
    if len(curves) > 1:
        axes.fill_between(epochs, curves.min(0), curves.max(0), color=look["color"], alpha=0.15, linewidth=0)


def labelled_images(
    images: NDArray[np.uint8],
    given: NDArray[np.int64],
    truth: NDArray[np.int64],
    classes: Sequence[str],
    columns: int = 10,
) -> Figure:
    """Images with the labels they were given; over a wrong one stand the true class, an arrow and the given one.

    Parameters
    ----------
    images
        uint8, (N, height, width, channels); as many as are to be shown.
    given, truth
        (N,) labels.
    """
    rows = -(-len(images) // columns)
    figure: Figure
    figure, grid = plt.subplots(rows, columns, figsize=(0.75 * columns, 1.0 * rows), squeeze=False)
    for ax in grid.flat:
        ax.axis("off")
    for ax, image, label, true in zip(grid.flat, images, given, truth, strict=False):
        ax.imshow(image.squeeze(), cmap="gray_r" if image.shape[-1] == 1 else None, interpolation="nearest")
        wrong = label != true
        ax.set_title(
            f"{classes[true]} → {classes[label]}" if wrong else classes[label],
            loc="center",
            color=PALETTE[1] if wrong else INK,
            fontweight="bold" if wrong else "normal",
        )
    return figure
