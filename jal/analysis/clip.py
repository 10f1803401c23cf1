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
from jal.analysis.text import listed, percent
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


def said_of_first_steps(found: pd.DataFrame) -> str:
    """Which losses are bound in all of the first steps, in some and in none, by dataset: a Markdown list."""
    lines = []
    for dataset, of in first_steps(found).groupby("dataset", sort=False):
        every, none = of["binds"].eq(of["steps"]), of["binds"].eq(0)
        count = of["steps"].iloc[0]
        some = [f"{loss} ({binds})" for loss, binds in of[~every & ~none][["loss", "binds"]].to_numpy()]
        said = [
            f"{when} {listed(losses)}"
            for when, losses in (
                (f"in every one of {count} steps for", list(of[every]["loss"])),
                ("in some for", some),
                ("in none for", list(of[none]["loss"])),
            )
            if losses
        ]
        largest, smallest = of.iloc[0], of.iloc[-1]
        lines.append(
            f"- **{DATASETS[str(dataset)]}**: the bound binds {'; '.join(said)}. Of the largest "
            f"median gradient, {largest['loss']}'s, it leaves {percent(largest['left'], 0)}; the smallest, "
            f"{smallest['loss']}'s, is {largest['median'] / smallest['median']:,.0f} times smaller."
        )
    return "\n".join(lines)


def said_of_epochs(found: pd.DataFrame) -> str:
    """In how many steps of the first and the last of the short epochs the bound binds, by loss, in sentences."""
    share = by_epoch(found)
    ever = share.gt(0).any(axis=1)
    parts = [
        f"from {percent(each.iloc[0], 0)} to {percent(each.iloc[-1], 0)} for {loss}"
        for loss, each in share[ever].iterrows()
    ]
    never = f" It never binds for {listed(share.index[~ever])}." if not ever.all() else ""
    length = found[found["part"].eq("epochs")]["step"].max()
    return (
        f"An epoch here has {length} steps. From the first to the last the share of bound steps goes "
        f"{listed(parts)}.{never}"
    )


def said_of_precision(found: pd.DataFrame) -> str:
    """How far half precision moves the norms, where one loss was measured in both precisions, in a sentence."""
    (name, of), *_ = found[found["part"].eq("precision")].groupby(["dataset", "loss"])
    same = found["part"].eq("first steps") & found["dataset"].eq(name[0]) & found["loss"].eq(name[1])
    half, single = (each.set_index("step") for each in (found[same], of))
    apart = (half["norm"] / single["norm"] - 1).abs()
    return (
        f"The first steps on {DATASETS[name[0]]} are in bfloat16. For {name[1]} they were taken in float32 too: the "
        f"norm differs by {percent(apart.iloc[0], 1)} in the first of them and, as the two runs part, by "
        f"{percent(apart.max(), 0)} at most; the bound binds in {half['binds'].sum()} and in "
        f"{single['binds'].sum()} of {len(apart)}."
    )


def origin(document: Document) -> str:
    """The noise, the seed, the machine and the commit, in a sentence."""
    about, (case, *_) = document["environment"], document["cases"]
    return (
        f"Symmetric noise of {case['rate']:g}, seed {case['seed']}, measured on {about['processor']} with torch "
        f"{about['torch']}, commit {commit_in_words(about)}."
    )
