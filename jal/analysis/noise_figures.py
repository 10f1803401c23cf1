"""The pictures of the chapter on label noise: they draw what they are given and compute nothing of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jal.analysis.figures import DASHES, FAINT, INK, PALETTE
from jal.analysis.text import percent
from jal.errors import InputError

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Pixels = NDArray[np.uint8]

_MARKERS = ("o", "D", "s", "^", "v", "P", "X", "*")


def given_labels(
    images: Pixels,
    truth: Labels,
    noises: Mapping[str, Labels],
    classes: Sequence[str],
    rows: int = 2,
) -> Figure:
    """The same images under several noises: a column for each true class, under each image the label it was given.

    Parameters
    ----------
    images, truth
        (N, height, width, channels) and (N,); the first `rows` of each class are shown.
    noises
        title -> (N,) the labels given.
    """
    chosen = [np.flatnonzero(truth == k)[:rows] for k in range(len(classes))]
    figure: Figure
    figure = plt.figure(figsize=(0.76 * len(classes), len(noises) * (0.92 * rows + 0.4)))
    blocks = figure.subfigures(len(noises), 1, squeeze=False)[:, 0]
    for block, (name, given) in zip(blocks, noises.items(), strict=True):
        block.suptitle(name, x=0.01, ha="left", fontsize=plt.rcParams["axes.titlesize"])
        grid = block.subplots(rows, len(classes), squeeze=False)
        for ax in grid.flat:
            ax.axis("off")
        for column, members in zip(grid.T, chosen, strict=True):
            for ax, i in zip(column, members, strict=False):
                wrong = given[i] != truth[i]
                _image(ax, images[i], classes[given[i]], wrong)
    return figure


def heat_maps(panels: Mapping[str, Floats], classes: Sequence[str], columns: int = 2) -> Figure:
    """Transitions on one colour scale: row, the true class; column, the given label; numbers in per cent.

    An entry that is rounded to 0 has no number. The scale goes by the square root, or all but the diagonal were white.
    """
    rows = -(-len(panels) // columns)
    figure: Figure
    figure, grid = plt.subplots(
        rows,
        columns,
        figsize=(0.6 + 3.4 * columns, 0.7 + 3.2 * rows),
        squeeze=False,
        sharex=True,
        sharey=True,
    )
    places = np.arange(len(classes))
    for ax in grid.flat[len(panels) :]:
        ax.axis("off")
    for ax, (name, T) in zip(grid.flat, panels.items(), strict=False):
        shown = ax.imshow(T, cmap="Blues", norm=PowerNorm(0.5, 0, 1))
        ax.set_title(name)
        ax.set_xticks(places, classes, rotation=90)
        ax.set_yticks(places, classes)
        ax.grid(False)
        for i, j in np.argwhere(T >= 0.005):
            ink = "white" if T[i, j] > 0.3 else INK
            ax.text(j, i, f"{100 * T[i, j]:.0f}", ha="center", va="center", color=ink, fontsize=7)
    figure.supxlabel("given label", fontsize=plt.rcParams["axes.labelsize"])
    figure.supylabel("true class", fontsize=plt.rcParams["axes.labelsize"])
    ticks = [0, 0.01, 0.05, 0.1, 0.2, 0.5, 1]
    bar = figure.colorbar(shown, ax=grid, shrink=0.5, aspect=30, ticks=ticks)
    bar.ax.set_yticklabels([percent(tick, 0) for tick in ticks])
    bar.outline.set_visible(False)
    return figure


def rivals(
    images: Pixels,
    probabilities: Floats,
    true_class: int,
    classes: Sequence[str],
    rows: int = 3,
    columns: int = 10,
) -> Figure:
    """Images of one class by their likeliest wrong label, a row for each of the most frequent ones.

    A row begins with the average of all its images. Then they go from the one that is least likely to be given a
    wrong label to the one that is most.

    Parameters
    ----------
    images, probabilities
        (n, height, width, channels) and (n, K), of the images of the class alone.

    Raises
    ------
    InputError
        where there is no image of the class.
    """
    if not len(images):
        raise InputError(f"no image of class {true_class}: take one of 0 to {len(classes) - 1} that has some")
    wrong = probabilities.copy()
    wrong[:, true_class] = -1
    likeliest = wrong.argmax(axis=1)
    counts = np.bincount(likeliest, minlength=len(classes))
    order = np.argsort(-counts, kind="stable")[: min(rows, np.count_nonzero(counts))]
    figure: Figure
    figure = plt.figure(figsize=(0.76 * columns, 1.25 * len(order)))
    blocks = figure.subfigures(len(order), 1, squeeze=False)[:, 0]
    flip = 1 - probabilities[:, true_class]
    for block, rival in zip(blocks, order, strict=True):
        members = np.flatnonzero(likeliest == rival)
        members = members[np.argsort(flip[members], kind="stable")]
        block.suptitle(
            f"{classes[true_class]} → {classes[rival]}: {percent(len(members) / len(images), 0)} of the class",
            x=0.01, ha="left", fontsize=plt.rcParams["axes.titlesize"],
        )  # fmt: skip
        steps = np.linspace(0, len(members) - 1, min(columns - 1, len(members))).round().astype(int)
        axes = block.subplots(1, columns, squeeze=False)[0]
        for ax in axes:
            ax.axis("off")
        _image(axes[0], images[members].mean(axis=0).round().astype(np.uint8), "average", False)
        for ax, i in zip(axes[1:], members[steps], strict=False):
            _image(ax, images[i], percent(flip[i], 0), flip[i] > 0.5)
    return figure


def margin_curves(panels: Mapping[str, Mapping[str, tuple[Floats, float]]]) -> Figure:
    """The share of images whose margin is at most so large: a panel for each title, a line for each entry.

    Parameters
    ----------
    panels
        title -> entry -> quantiles of the images' margins at equal steps, in rising order, and the smallest margin
        of the class view, which is marked on the horizontal axis.
    """
    figure: Figure
    figure, axes = plt.subplots(1, len(panels), figsize=(3.6 * len(panels), 3.7), squeeze=False, sharey=True)
    shares = np.linspace(0, 1, 6)
    for ax, (name, curves) in zip(axes[0], panels.items(), strict=True):
        ax.axvspan(-1, 0, color=FAINT, alpha=0.45, linewidth=0)
        ax.text(-0.96, 0.97, "no $a$ is enough", va="top", fontsize=8.5)
        for i, (label, (margins, seen)) in enumerate(curves.items()):
            share = np.linspace(0, 1, len(margins))
            ax.plot(margins, share, color=PALETTE[i], linestyle=DASHES[i % len(DASHES)], label=label)
            ax.plot(seen, 0, _MARKERS[i], ms=8, color=PALETTE[i], mec="white", clip_on=False, zorder=3)
        ax.set_title(name)
        ax.set_xlim(-1, 1)
        ax.set_ylim(0, 1)
        ax.set_yticks(shares, [percent(share, 0) for share in shares])
        ax.set_xlabel("margin of an image")
    axes[0, 0].set_ylabel("images with at most this margin")
    axes[0, 0].legend(title="nominal rate", loc="center left", alignment="left")
    return figure


def class_margins(panels: Mapping[str, Floats], classes: Sequence[str]) -> Figure:
    """The margin of each class under several noises: a row for each class, a mark for each noise."""
    figure: Figure
    figure, ax = plt.subplots(figsize=(7.2, 0.9 + 0.34 * len(classes)))
    rows = np.arange(len(classes))
    for i, (name, margins) in enumerate(panels.items()):
        # Beside one another, so that equal margins stay visible.
        shift = 0.13 * (i - (len(panels) - 1) / 2)
        ax.plot(
            margins, rows + shift, marker=_MARKERS[i], ms=6, linestyle="none", color=PALETTE[i], label=name
        )
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.set_yticks(rows, classes)
    ax.invert_yaxis()
    ax.set_xlabel("margin of the class: share of its true label less that of its likeliest wrong one")
    figure.legend(loc="outside upper center", ncols=3)
    return figure


def _image(ax: Axes, image: Pixels, text: str, marked: bool) -> None:
    ax.imshow(image.squeeze(), cmap="gray_r" if image.shape[-1] == 1 else None, interpolation="nearest")
    ax.text(
        0.5, -0.06, text, transform=ax.transAxes, ha="center", va="top", fontsize=8.5,
        color=PALETTE[1] if marked else INK, fontweight="bold" if marked else "normal",
    )  # fmt: skip
