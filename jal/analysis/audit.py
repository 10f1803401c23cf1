"""The paper's text, tables and released code held against each other: the evidence of the audit, computed.

What the paper reports comes from `data/reported`, what noises do to labels from the kept reports on them, what the
released code does from the catalogue and the recipes. The page says what is claimed; here is what can be counted.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from jal.analysis.figures import FAINT, INK, PALETTE
from jal.analysis.noise_reports import Reports
from jal.analysis.paper import accuracies, reported
from jal.analysis.setup import DATASETS
from jal.analysis.text import listed
from jal.datasets.large.known import PUBLISHED
from jal.losses import build
from jal.theory import is_asymmetric

ACCURACIES = range(1, 8)
"""The paper's tables of accuracies."""

TEST_SETS = {
    "webvision": ("WebVision", ("webvision", "val")),
    "ilsvrc12": ("ILSVRC12", ("ilsvrc12", "val")),
    "clothing1m": ("Clothing1M", ("clothing1m", "clean_test")),
}
"""Table 6's: what a page calls them, and what `jal.datasets.large` does."""

LOG10_OF_1E_4 = -4.0
"""What Table 8 prints for A."""

_MARKERS = {"symmetric": "o", "asymmetric": "D", "instance pdn": "s", "instance fixed": "^"}

# Numbers


def repeated(root: str | Path | None = None) -> pd.DataFrame:
    """Cells of one table and loss that have mean and deviation in common under different conditions.

    Returns
    -------
    a frame with the columns table, loss, conditions, mean and std, empty if there are none.
    """
    rows = []
    for table in ACCURACIES:
        cells = accuracies(table, root).dropna(subset=["mean", "std"])
        weights = [name for name in ("alpha", "beta") if name in cells]
        for (loss, mean, std, *_), same in cells.groupby(["loss", "mean", "std", *weights], dropna=False):
            if len(same) > 1:
                rows.append((table, loss, " and ".join(same["condition"]), mean, std))
    return pd.DataFrame(rows, columns=["table", "loss", "conditions", "mean", "std"])


def shared(root: str | Path | None = None) -> pd.DataFrame:
    """Cells that stand in several tables, and whether these agree on mean and deviation.

    Returns
    -------
    a frame with the columns condition, loss, tables and agree. AGCE+MAE in Table 1 is the row of Table 7 whose two
    weights are 1, as the supplement says.
    """
    cells = pd.concat([accuracies(table, root) for table in ACCURACIES]).dropna(subset=["mean"])
    joint = cells["loss"].eq("AGCE+MAE")
    for weight in ("alpha", "beta"):
        cells[weight] = cells[weight].where(cells[weight].notna(), np.where(joint, 1.0, 0.0)).astype(float)
    rows = []
    for (where, loss, *_), same in cells.groupby(["condition", "loss", "alpha", "beta"], sort=False):
        if len(same) > 1:
            agree = len(set(zip(same["mean"], same["std"], strict=True))) == 1
            rows.append((where, loss, listed(map(str, same["table"])), agree))
    return pd.DataFrame(rows, columns=["condition", "loss", "tables", "agree"])


def single_runs(root: str | Path | None = None) -> pd.DataFrame:
    """Table 6's accuracies as counts of right answers: could each be that of one run, and could that be chance?

    A run's accuracy is a multiple of 100 over the number of test images, a mean of three of a third of that.

    Returns
    -------
    a frame, a row for each test set, with the columns images, step (of one run, in points), cells, fit (cells that
    one run can have) and chance: the probability that all fit, were each a mean of three runs.
    """
    rows = {}
    for test_set, cells in reported(6, root).groupby("test_set", sort=False):
        name, split = TEST_SETS[str(test_set)]
        images = PUBLISHED[split]
        rows[name] = images, 100 / images, len(cells), *steps(cells["mean"], images)
    return pd.DataFrame.from_dict(rows, orient="index", columns=["images", "step", "cells", "fit", "chance"])


# Rankings


def ranks(root: str | Path | None = None) -> pd.DataFrame:
    """The place of each loss in each column of Tables 3 to 6; missing where the table has no such row.

    Table 3's half on CIFAR-100 is left out: without JAL's rows, which are not at hand, no place in it is known.

    Returns
    -------
    float64; rows the losses of Table 3; columns (table, images, noise). Equal means share a place.
    """
    losses = list(dict.fromkeys(reported(3, root)["loss"]))
    columns: dict[tuple[int, str, str], pd.Series] = {}
    for table in (3, 4, 5, 6):
        for where, column in accuracies(table, root).groupby("condition", sort=False):
            dataset = column["dataset"].iloc[0]
            if table == 3 and dataset == "cifar100":
                continue
            images = {5: "CIFAR-N", 6: "large images"}.get(table, DATASETS[dataset])
            place = column.set_index("loss")["mean"].rank(ascending=False, method="min")
            columns[table, images, _short(str(where), table)] = place.reindex(losses)
    return pd.DataFrame(columns, index=pd.Index(losses, name="loss"))


def _short(where: str, table: int) -> str:
    """A column's label within its table."""
    dataset, _, noise = where.partition(" ")
    if table == 6:
        return "ILSVRC12" if noise else DATASETS[dataset]
    if table == 5:
        return noise.replace("human", DATASETS[dataset].removeprefix("CIFAR-") + "N")
    return noise.replace("asymmetric", "asym.").replace("symmetric", "sym.").replace("instance ", "")


def rank_map(places: pd.DataFrame) -> Figure:
    """`ranks` as a map: a number in each cell, the first place dark, the second light."""
    figure: Figure
    figure, axes = plt.subplots(figsize=(7.4, 1.1 + 0.25 * len(places)))
    ticks, at, last = [], 0.0, None
    for (table, images, name), column in places.items():
        if (table, images) != last:
            at += 0.0 if last is None else 0.8
            axes.text(at - 0.45, -0.75, f"Table {table}\n{images}", fontsize=8, ha="left", va="bottom")
            last = table, images
        ticks.append((at, name))
        for row, place in enumerate(column):
            if not math.isnan(place):
                fill = {1: PALETTE[0], 2: "#a6cee3"}.get(int(place), "white")
                ink = {1: "white", 2: INK}.get(int(place), "#6e7781")
                square = Rectangle(
                    (at - 0.46, row - 0.46), 0.92, 0.92, facecolor=fill, edgecolor=FAINT, linewidth=0.6
                )
                axes.add_patch(square)
                weight = "bold" if place <= 2 else "normal"
                axes.text(
                    at, row, f"{place:.0f}", ha="center", va="center", color=ink, fontsize=8, weight=weight
                )
        at += 1
    axes.set_xticks([x for x, _ in ticks], [name for _, name in ticks], rotation=90, fontsize=8)
    axes.set_yticks(range(len(places)), list(places.index), fontsize=8.5)
    axes.set_xlim(-0.6, at - 0.4)
    axes.set_ylim(len(places) - 0.4, -0.6)
    axes.grid(False)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure


def dropped(root: str | Path | None = None) -> dict[int, list[str]]:
    """The losses of Table 3 that Tables 4, 5 and 6 do not have."""
    first = list(dict.fromkeys(reported(3, root)["loss"]))
    return {
        table: [loss for loss in first if loss not in set(reported(table, root)["loss"])]
        for table in (4, 5, 6)
    }


# Formulas


def golden(losses: tuple[str, ...] = ("RCE", "SCE", "NCE+RCE")) -> pd.DataFrame:
    """Losses with A in them on fixed logits: with A = ln 1e-4, as the released code has it, and with the printed -4.

    The logits are z_ij = 3 sin(10 i + j) for four images and ten classes, the labels 0, 3, 7 and 9.
    """
    import torch

    z = 3 * torch.sin(
        10 * torch.arange(4.0, dtype=torch.float64)[:, None] + torch.arange(10.0, dtype=torch.float64)
    )
    labels = torch.tensor([0, 3, 7, 9])
    rows = {}
    for name in losses:
        code, printed = build(name, "cifar10"), build(name, "cifar10", A=LOG10_OF_1E_4)
        weight = code.constants.get("beta", 1.0)
        rows[name] = {
            "A = ln 1e-4": code(z, labels).item(),
            "A = -4": printed(z, labels).item(),
            "weight of MAE": -code.constants["A"] * weight / 2,
            "were A = -4": -LOG10_OF_1E_4 * weight / 2,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("loss")


def rule_against_search(cases: int = 400, points: int = 1000, seed: int = 123) -> pd.DataFrame:
    """Theorem 4.1 against a search that knows only the risk, on weights and `a` drawn at random.

    The rule says whether the vertex of the heaviest class is the minimiser. The search looks for a lower risk at
    random points, some of them near the vertex, and along its edges.

    Returns
    -------
    a frame, a row for each q, with the columns cases, asymmetric (the rule says so), lower then (the search finds a
    lower point all the same) and lower otherwise (it finds one where the rule says that there is one).
    """
    generator = np.random.default_rng(seed)
    steps = np.concatenate([np.logspace(-7, -1, 60), np.linspace(0.1, 1, 40)])
    rows = {}
    for q in (0.5, 1.0, 1.5, 2.0, 3.0):
        verdicts = []
        for _ in range(cases // 5):
            size = int(generator.integers(3, 7))
            weights = generator.dirichlet(np.ones(size))
            a, corner = float(generator.uniform(1, 12)), np.eye(size)[weights.argmax()]
            away = generator.dirichlet(np.full(size, 0.5), points) - corner
            edges = [np.outer(steps, end - corner) for end in np.eye(size)]
            reached = corner + np.concatenate([away, 0.1 * away, 0.001 * away, *edges])
            level = _risk(corner[None], weights, a, q)[0]
            lower = bool((_risk(reached, weights, a, q) < level * (1 - 1e-13)).any())
            verdicts.append((is_asymmetric(weights, a, q), lower))
        asymmetric, lower = np.array(verdicts).T
        counts = len(verdicts), asymmetric.sum(), (asymmetric & lower).sum(), (~asymmetric & lower).sum()
        rows[f"q = {q:g}"] = [int(count) for count in counts]
    columns = ["cases", "asymmetric", "lower then", "lower otherwise"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def _risk(p: NDArray[np.float64], weights: NDArray[np.float64], a: float, q: float) -> NDArray[np.float64]:
    """The definition, written out once more so that the search does not lean on `jal.theory`."""
    total = np.zeros(len(p))
    for k, weight in enumerate(weights):
        target = np.zeros(len(weights))
        target[k] = a
        total += weight * (np.abs(target - p) ** q).mean(axis=1)
    return total


# Noise


def rates(reports: Reports) -> pd.DataFrame:
    """Nominal and true rates of the paper's synthetic noises.

    Returns
    -------
    a frame with the columns dataset, noise (kind and variant), nominal and true. Of CIFAR-100's asymmetric noises
    it has the released code's.
    """
    rows = []
    for name, of_dataset in reports.items():
        for one in of_dataset.values():
            kind = " ".join(word for word in (one.noise.kind, one.noise.variant) if word)
            kind = "asymmetric" if kind == "asymmetric blocks" else kind
            if kind in _MARKERS and one.noise.rate is not None:
                rows.append((DATASETS[name], kind, one.noise.rate, one.report.rate))
    return pd.DataFrame(rows, columns=["dataset", "noise", "nominal", "true"])


def rate_map(found: pd.DataFrame) -> Figure:
    """`rates` as a picture: the true rate against the nominal one, a panel for each dataset."""
    figure: Figure
    names = list(dict.fromkeys(found["dataset"]))
    figure, grid = plt.subplots(1, len(names), figsize=(3.7 * len(names), 3.5), squeeze=False, sharey=True)
    for axes, name in zip(grid[0], names, strict=True):
        axes.plot([0, 0.85], [0, 0.85], color=FAINT, linewidth=1.2, zorder=1)
        for order, (kind, marker) in enumerate(_MARKERS.items()):
            one = found[(found["dataset"] == name) & (found["noise"] == kind)]
            # Hollow and of growing size, so that equal rates stay visible.
            look = {"color": PALETTE[order], "markerfacecolor": "none", "markeredgewidth": 1.4}
            label = kind.replace("pdn", "(PDN)").replace("fixed", "(fixed)")
            axes.plot(one["nominal"], one["true"], marker, markersize=6 + 1.5 * order, label=label, **look)
        axes.set_title(name)
        axes.set_xlabel("nominal rate")
    grid[0, 0].set_ylabel("share of labels that are wrong")
    grid[0, 0].legend(loc="upper left")
    return figure


def steps(accuracies: Collection[float], images: int, runs: int = 3) -> tuple[int, float]:
    """How many accuracies are those of whole test images, and how likely all would be, were they means of `runs`."""
    single, among = _reachable(images, 1), _reachable(images, runs)
    whole = sum(round(100 * value) in single for value in accuracies)
    return whole, (len(single) / len(among)) ** len(accuracies)


@cache
def _reachable(images: int, runs: int) -> frozenset[int]:
    """The accuracies that the mean of some runs can have, in hundredths of a point, as two decimals show them."""
    return frozenset(np.rint(10_000 * np.arange(runs * images + 1) / (runs * images)).astype(int).tolist())
