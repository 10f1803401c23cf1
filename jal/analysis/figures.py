"""The book's figure style, and training curves out of Records."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from jal.errors import InputError

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
    "AMSE": {"color": "#56B4E9", "linestyle": (0, (5, 1.5)), "linewidth": 2.0},
    "AGCE": {"color": "#E69F00", "linestyle": (0, (5, 1.5))},
    "AGCE+MAE": {"color": "#CC79A7", "linestyle": (0, (2, 1.2)), "linewidth": 2.4},
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
    # seaborn lays its grids out in its own way, and says so each time.
    warnings.filterwarnings("ignore", "The figure layout has changed to tight")
    with suppress(ImportError):
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg", metadata={"Date": None})


def line(loss: str, order: int = 0) -> dict[str, Any]:
    """Colour and dash of a loss's line; `order` picks the colour of a loss that has none of its own."""
    return dict(LINES.get(loss, {"color": PALETTE[order % len(PALETTE)], "linestyle": ":"}))


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


def looks(losses: Sequence[str]) -> dict[str, Any]:
    """What seaborn's line plots take, so that each loss has its own colour and dash in every figure."""
    lines = {loss: line(loss, order) for order, loss in enumerate(losses)}
    dashes = {loss: _DASHES.get(look["linestyle"], look["linestyle"]) for loss, look in lines.items()}
    return {
        "hue": "loss",
        "style": "loss",
        "hue_order": list(losses),
        "style_order": list(losses),
        "palette": {loss: look["color"] for loss, look in lines.items()},
        "dashes": {
            loss: dash[1] if dash and isinstance(dash[1], tuple) else dash for loss, dash in dashes.items()
        },
    }


_DASHES: dict[object, Any] = {"-": "", ":": (1, 1.5)}
"""As seaborn has them."""


def epochs(curves: pd.DataFrame, col: str = "column", across: int = 3, **options: Any) -> sns.FacetGrid:
    """Curves over the epochs: a row of panels for each quantity, a line for each loss.

    With several seeds the line is their mean and the band goes from the least to the greatest.

    Parameters
    ----------
    curves
        of `jal.analysis.frame.curves`.
    col
        which of its columns has a panel for each of its values.
    across
        panels side by side where there is one quantity alone.
    options
        more arguments of `seaborn.relplot`.
    """
    losses = list(dict.fromkeys(curves["loss"]))
    quantities = list(dict.fromkeys(curves["quantity"]))
    many = {"row": "quantity"} if len(quantities) > 1 else {"col_wrap": min(across, curves[col].nunique())}
    shown = {"kind": "line", "errorbar": ("pi", 100), "height": 2.5, "aspect": 1.05} | looks(losses) | many
    grid = sns.relplot(
        curves,
        x="epoch",
        y="value",
        col=col,
        facet_kws={"sharey": "row", "margin_titles": True},
        **shown | options,
    )
    grid.set_titles(col_template="{col_name}", row_template="")
    labels = [QUANTITIES.get(quantity, quantity) for quantity in quantities]
    if len(labels) > 1:
        for axes, label in zip(grid.axes[:, 0], labels, strict=True):
            axes.set_ylabel(label)
    else:
        grid.set_ylabels("".join(labels))
    sns.move_legend(grid, "center right", title=None)
    return grid


def by_rate(found: pd.DataFrame, losses: Sequence[str] | None = None, **options: Any) -> sns.FacetGrid:
    """Accuracy against the nominal noise rate: a panel for each kind of noise, a line and bars for each loss.

    Clean labels are the rate 0 of every panel; a bar is a standard deviation to either side.

    Parameters
    ----------
    found
        a summary by noise, rate and loss: `summary(tidy, ["noise", "rate", "loss"])`.
    losses
        which, and in which order; all otherwise.
    options
        more arguments of `seaborn.FacetGrid`.

    Raises
    ------
    InputError
        where none of these losses has a number at any rate.
    """
    there = found[found["mean"].notna()]
    shown = [loss for loss in losses or dict.fromkeys(there["loss"]) if loss in set(there["loss"])]
    kinds = [kind for kind in dict.fromkeys(there["noise"]) if kind != "clean"]
    if not (shown and kinds):
        raise InputError("no accuracy at any noise rate: take another grid or other losses")
    clean = there[there["noise"].eq("clean")]
    panels = pd.concat([clean.assign(noise=kind) for kind in kinds] + [there[there["noise"].isin(kinds)]])
    look = {loss: line(loss, order) for order, loss in enumerate(shown)}
    shown_as: dict[str, Any] = {"col_order": kinds, "sharex": False, "height": 3.2} | options
    grid = against(panels, "rate", "loss", "noise", look, **shown_as)
    return grid.set_xlabels("nominal noise rate")


def against(
    found: pd.DataFrame,
    x: str,
    hue: str,
    col: str,
    look: Mapping[str, Mapping[str, Any]],
    ticks: Sequence[float] = (),
    **options: Any,
) -> sns.FacetGrid:
    """Accuracy against a parameter: a line for each name and a panel for each column, bars of a standard deviation.

    Parameters
    ----------
    found
        a summary with the columns x, hue and col.
    look
        colour and dash of each name, in the legend's order; names that are not there are left out.
    ticks
        of a logarithmic axis; none: it is linear.
    options
        more arguments of `seaborn.FacetGrid`.
    """
    there = found[found["mean"].notna()].fillna({"std": 0.0}).sort_values(x, kind="stable")
    names = [name for name in look if name in set(there[hue])]
    kwargs = {
        "linestyle": [look[name]["linestyle"] for name in names],
        "marker": list("osD^v<>pXh*d"[: len(names)]),
    }
    palette = {name: look[name]["color"] for name in names}
    options = {"height": 2.6, "aspect": 1.1} | options
    grid = sns.FacetGrid(there, col=col, hue=hue, hue_order=names, hue_kws=kwargs, palette=palette, **options)
    grid.map(plt.errorbar, x, "mean", "std", markersize=5, capsize=2)
    if ticks:
        grid.set(xscale="log", xticks=ticks, xticklabels=ticks)
        for axes in grid.axes.flat:
            axes.minorticks_off()
    return grid.set_titles("{col_name}").set_axis_labels(x, "test accuracy [%]").add_legend(title="")


def intervals(
    found: pd.DataFrame, y: str, hue: str | None = None, col: str | None = None, **options: Any
) -> sns.FacetGrid:
    """Differences with their 95 % intervals about a line at 0; a row for each value of `y`, from above.

    A mark is filled where the interval excludes 0; without an interval it is a diamond.

    Parameters
    ----------
    found
        with the columns difference, low and high, such as `jal.analysis.frame.versus` gives.
    y, hue, col
        its columns that make rows, colours side by side in a row, and panels.
    options
        more arguments of `seaborn.FacetGrid`.
    """
    rows = list(dict.fromkeys(found[y]))
    names = list(dict.fromkeys(found[hue])) if hue else []
    height = 1.0 + 0.28 * len(rows) * max(1, 0.6 * len(names))
    grid = sns.FacetGrid(
        found, col=col, **{"height": height, "aspect": 4.2 / height, "sharey": True} | options
    )
    grid.map_dataframe(_rows_of_intervals, rows=rows, y=y, hue=hue, names=names)
    for axes in grid.axes.flat:
        axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
        axes.set_yticks(range(len(rows)), rows)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.grid(axis="y", visible=False)
    grid.set_titles("{col_name}").set_axis_labels("points of test accuracy", "")
    if names:
        handles = [Line2D([], [], label=name, color=PALETTE[at], marker="o") for at, name in enumerate(names)]
        grid.figure.legend(handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return grid


def _rows_of_intervals(
    data: pd.DataFrame, rows: Sequence[str], y: str, hue: str | None, names: Sequence[str], **_: Any
) -> None:
    for row in data[data["difference"].notna()].to_dict("records"):
        at = names.index(row[hue]) if hue else 0
        height = rows.index(row[y]) + 0.22 * (at - (len(names) - 1) / 2 if names else 0)
        known = row["low"] == row["low"]
        clear = known and not row["low"] <= 0 <= row["high"]
        plt.plot([row["low"], row["high"]], [height] * 2, color=PALETTE[at], linewidth=1.6)
        face = PALETTE[at] if clear else "white"
        plt.plot(row["difference"], height, "o" if known else "D", color=PALETTE[at], markerfacecolor=face)


def dots(found: pd.DataFrame, col: str = "column", **options: Any) -> sns.FacetGrid:
    """Accuracies as dots, bars of a standard deviation: a panel for each column, a row for each loss, the same order.

    The highest mean over the columns is uppermost, and in each column the two highest are filled.

    Parameters
    ----------
    found
        a summary with the columns loss and `col`.
    options
        more arguments of `seaborn.FacetGrid`.

    Raises
    ------
    InputError
        where there is no number.
    """
    there = found[found["mean"].notna()]
    if there.empty:
        raise InputError("no accuracies to show: none of these columns has one")
    order = list(there.groupby("loss")["mean"].mean().sort_values().index)
    there = there.assign(best=there.groupby(col)["mean"].rank(ascending=False, method="min") <= 2)
    size = {"height": 1.0 + 0.22 * len(order), "aspect": 2.9 / (1.0 + 0.22 * len(order))}
    wrap = {"col_wrap": min(3, there[col].nunique()), "sharex": False}
    grid = sns.FacetGrid(there, col=col, **wrap | size | options)
    grid.map_dataframe(_dots, order=order)
    for axes in grid.axes.flat:
        axes.set_yticks(range(len(order)), order)
        axes.grid(axis="y", visible=False)
    grid.set_titles("{col_name}").set_axis_labels("test accuracy [%]", "")
    return grid


def _dots(data: pd.DataFrame, order: Sequence[str], **_: Any) -> None:
    for row in data.itertuples():
        colour = LINES.get(str(row.loss), {"color": INK})["color"]
        reach = None if pd.isna(row.std) else row.std
        face = colour if row.best else "white"
        plt.errorbar(
            row.mean,
            order.index(row.loss),
            xerr=reach,
            fmt="o",
            capsize=2.5,
            color=colour,
            markerfacecolor=face,
        )
