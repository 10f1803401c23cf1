"""The pictures of the theory chapters: they draw what they are given and compute nothing of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from jal.analysis.figures import DASHES, FAINT, INK, LINES, PALETTE

Array = NDArray[np.float64]

_CORNERS = np.array([(0.5, np.sqrt(3) / 2), (0.0, 0.0), (1.0, 0.0)])
_LEVELS = 12


def simplex_grid(steps: int = 100) -> Array:
    """Every point of the simplex of three classes whose coordinates are multiples of 1/steps.

    Returns
    -------
    ((steps + 1)(steps + 2) / 2, 3) float64, the rows sum to 1.
    """
    i, j = np.meshgrid(np.arange(steps + 1), np.arange(steps + 1), indexing="ij")
    inside = i + j <= steps
    counts = np.stack([i[inside], j[inside], steps - i[inside] - j[inside]], axis=1)
    return counts / steps


@dataclass(frozen=True)
class Landscape:
    """One panel of `simplex`: a risk over the simplex of three classes.

    Attributes
    ----------
    points, risk
        (N, 3) points of the simplex and (N,) the risk there.
    minimiser
        (3,) where the risk is least.
    path
        (M, 3) points to join by a line: the minimisers as a parameter moves.
    """

    points: Array
    risk: Array
    minimiser: Array
    path: Array | None = None


def simplex(panels: Mapping[str, Landscape], weights: ArrayLike) -> Figure:
    """Risks on the simplex of three classes side by side: contours, weights (ring), minimiser (dot)."""
    ring = np.asarray(weights, dtype=np.float64)
    figure: Figure
    figure, axes = plt.subplots(1, len(panels), figsize=(2.5 * len(panels), 2.75), squeeze=False)
    for ax, (title, panel) in zip(axes[0], panels.items(), strict=True):
        _triangle(ax, title)
        x, y = (panel.points @ _CORNERS).T
        # The lowest nine tenths of the risk: a loss that is unbounded at the border leaves room for the rest.
        levels = np.linspace(panel.risk.min(), np.quantile(panel.risk, 0.9), _LEVELS)
        ax.tricontour(x, y, panel.risk, levels=levels, colors=INK, linewidths=0.6, alpha=0.45)
        if panel.path is not None:
            ax.plot(*(panel.path @ _CORNERS).T, color=PALETTE[0], linewidth=2.2, solid_capstyle="round")
        ax.plot(*(ring @ _CORNERS), "o", ms=7, mfc="white", mec=PALETTE[0], mew=2)
        ax.plot(*(panel.minimiser @ _CORNERS), "o", ms=8, mfc=PALETTE[1], mec="white", mew=1.2, clip_on=False)
    return figure


def gradient_weights(
    confidence: Array, panels: Mapping[str, Mapping[str, Array]], ylabel: str, logarithmic: bool = False
) -> Figure:
    """Gradient weight against confidence: a panel for each title, a line for each entry.

    Parameters
    ----------
    confidence
        (N,) the probability of the given label.
    panels
        title -> loss -> (N,) its gradient weight. A loss of `figures.LINES` keeps its line; others, members of
        a family, go from pale to dark in their order.
    ylabel
        of the first panel.
    logarithmic
        both axes, rather than none.
    """
    width = 3.7 * len(panels) + (1.5 if len(panels) == 1 else 0)
    figure: Figure
    figure, axes = plt.subplots(1, len(panels), figsize=(width, 3.2), squeeze=False, sharey=True)
    for ax, (title, curves) in zip(axes[0], panels.items(), strict=True):
        family = [label for label in curves if label not in LINES]
        shades = plt.get_cmap("viridis_r")(np.linspace(0.25, 1, len(family)))
        own = {label: {"color": shade} for label, shade in zip(family, shades, strict=True)}
        for i, (label, values) in enumerate(curves.items()):
            # Curves that coincide stay visible: the first one is solid, the next are dashes on top of it.
            look = own.get(label) or LINES[label] | {"linestyle": DASHES[i % len(DASHES)]}
            ax.plot(confidence, values, label=label, **look)
        ax.set_title(title)
        ax.set_xlabel("probability of the given label, $p_y$")
        if logarithmic:
            ax.set_xscale("log")
            ax.set_yscale("log")
        ax.legend()
    axes[0, 0].set_ylabel(ylabel)
    return figure


def _triangle(ax: Axes, title: str) -> None:
    ax.set_title(title)
    ax.fill(*_CORNERS.T, facecolor="none", edgecolor=FAINT, linewidth=1.2)
    for corner, name, shift in zip(
        _CORNERS, ("$e_1$", "$e_2$", "$e_3$"), ((0, 10), (-6, -9), (6, -9)), strict=True
    ):
        ax.annotate(name, corner, shift, textcoords="offset points", ha="center", va="center")
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.margins(0.1)
