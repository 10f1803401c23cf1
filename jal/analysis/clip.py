"""How often the bound on the gradient's norm binds, by loss. `tests/benchmarks/clip.py` measures it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from jal.analysis.figures import INK, LINES, PALETTE
from jal.analysis.setup import DATASETS
from jal.checkout import find_root
from jal.errors import InputError
from jal.experiments.provenance import commit_in_words

FILE = "data/results/benchmarks/clip.json"
SCHEMA = 1

Document = dict[str, Any]


def read(root: str | Path | None = None) -> Document:
    """What was measured.

    Raises
    ------
    InputError
        for a file that is missing, or not such a document.
    """
    file = find_root(root) / FILE
    try:
        document = json.loads(file.read_text())
    except (OSError, ValueError):
        document = None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise InputError(f"{file} is not a document of schema {SCHEMA}: run python -m tests.benchmarks.clip")
    return document


def steps(document: Document) -> pd.DataFrame:
    """Every step that was measured.

    Returns
    -------
    a frame with the columns part ("first steps", "epochs" or "precision"), dataset, loss, precision, epoch, step,
    norm (before the bound), bound (its value) and binds. The first epoch and step are 1.
    """
    same = ("part", "dataset", "loss", "precision")
    rows = [
        {
            **{name: case[name] for name in same},
            "epoch": epoch,
            "step": step,
            "norm": norm,
            "bound": case["clip_norm"],
            "binds": norm > case["clip_norm"],
        }
        for case in document["cases"]
        for epoch, norms in enumerate(case["norms"], 1)
        for step, norm in enumerate(norms, 1)
    ]
    return pd.DataFrame(rows)


def first_steps(found: pd.DataFrame) -> pd.DataFrame:
    """The first steps of each run, of `steps`: how often the bound binds, and what it leaves of a median step.

    Returns
    -------
    a frame, a row for each dataset and loss, the largest norms of a dataset first, with the columns dataset, loss,
    steps, binds (in how many of them), lowest, median and highest (norm), left (what the bound leaves of a gradient of
    the median norm, 0 to 1).
    """
    rows = []
    of = found[found["part"].eq("first steps")]
    for (dataset, loss), one in of.groupby(["dataset", "loss"], sort=False):
        norms, bound = one["norm"], one["bound"].iloc[0]
        spread = norms.min(), norms.median(), norms.max()
        rows.append((dataset, loss, len(one), one["binds"].sum(), *spread, min(1.0, bound / norms.median())))
    columns = ["dataset", "loss", "steps", "binds", "lowest", "median", "highest", "left"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.sort_values(["dataset", "median"], ascending=[True, False], ignore_index=True)


def by_epoch(found: pd.DataFrame) -> pd.DataFrame:
    """The share of an epoch's steps in which the bound binds, 0 to 1: rows the losses followed, columns the epochs."""
    of = found[found["part"].eq("epochs")]
    share = of.pivot_table(index="loss", columns="epoch", values="binds", aggfunc="mean", sort=False)
    return share.astype(float)


def norms(found: pd.DataFrame) -> Figure:
    """A panel for each dataset: the norm of each of a run's first steps, by loss, and the bound as a line."""
    summary = first_steps(found)
    datasets = list(dict.fromkeys(summary["dataset"]))
    figure: Figure
    figure, grid = plt.subplots(1, len(datasets), figsize=(7.4, 4.0), squeeze=False, sharex=True)
    for axes, dataset in zip(grid[0], datasets, strict=True):
        losses = list(summary[summary["dataset"].eq(dataset)]["loss"])
        of = found[found["part"].eq("first steps") & found["dataset"].eq(dataset)]
        for binds, colour in ((False, PALETTE[0]), (True, PALETTE[1])):
            one = of[of["binds"].eq(binds)]
            axes.plot(one["norm"], one["loss"].map(losses.index), "o", color=colour, alpha=0.6, markersize=5)
        axes.axvline(of["bound"].iloc[0], color=INK, linewidth=1.2)
        axes.set_yticks(range(len(losses)), losses)
        axes.invert_yaxis()
        axes.set_xscale("log")
        axes.set_title(DATASETS[dataset])
        axes.set_xlabel("norm of the gradient before the bound")
    return figure


def shares(found: pd.DataFrame) -> Figure:
    """For the runs that were followed: the share of an epoch's steps in which the bound binds."""
    figure: Figure
    figure, axes = plt.subplots(figsize=(6.2, 2.8))
    for loss, share in by_epoch(found).iterrows():
        axes.plot(share.index, 100 * share, marker="o", markersize=4, label=loss, **LINES[str(loss)])
    axes.set(ylim=(-4, 104), xlabel="short epoch", ylabel="steps that are bound [%]")
    axes.set_xticks(share.index)
    figure.legend(loc="outside right upper")
    return figure


def origin(document: Document) -> str:
    """The noise, the seed, the machine and the commit, in a sentence."""
    about, (case, *_) = document["environment"], document["cases"]
    return (
        f"Symmetric noise of {case['rate']:g}, seed {case['seed']}, measured on {about['processor']} with torch "
        f"{about['torch']}, commit {commit_in_words(about)}."
    )
