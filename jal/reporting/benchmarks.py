"""A benchmark's document as a table, a figure and sentences. `tests/benchmarks/benchmark.py` writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from jal.errors import InputError
from jal.experiments.provenance import commit_in_words
from jal.experiments.timing import duration
from jal.reporting.figures import PALETTE
from jal.reporting.wording import code, percent, plain

SCHEMA = 1
LOOPS = ("conventional", "ours")
PARTS = ("data", "forward", "loss", "curves", "backward", "optimiser")
"""Of a step, in order. Only ours has curves: it keeps each image's loss and guess."""

Document = dict[str, Any]


def read(file: Path) -> Document | None:
    """The document, or None where nothing has been measured yet.

    Raises
    ------
    InputError
        for a file that is not such a document.
    """
    if not file.exists():
        return None
    try:
        document = json.loads(file.read_text())
    except ValueError:
        document = None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise InputError(f"{file} is not a benchmark's document of schema {SCHEMA}: measure again")
    return document


def measured(document: Document, section: str) -> bool:
    """Whether a section is there and did not fail."""
    return "failed" not in document["sections"].get(section, {"failed": ""})


def speeds(document: Document) -> pd.DataFrame:
    """A row for each comparison: medians of both loops' images a second, and the ratio of each turn."""
    rows = {}
    for name, section in document["sections"].items():
        if not name.startswith("speed") or "failed" in section:
            continue
        rate, precision = section["median_images_per_second"], section["precision"]
        for ours in (section, section.get("half")):
            if ours is None:
                continue
            half = ours is not section
            title = _title(name, precision["conventional"], ours["precision"] if half else precision["ours"])
            ratios = ours["ratios"]
            rows[title] = {
                "conventional [images/s]": f"{rate['conventional']:,.0f}",
                "ours [images/s]": f"{ours['median_images_per_second'] if half else rate['ours']:,.0f}",
                "ratio": f"{ours['median_ratio']:.2f}",
                "lowest to highest": f"{min(ratios):.2f} to {max(ratios):.2f}",
                "turns": len(ratios),
                "until our first step [s]": f"{ours['ready_seconds']:.0f}",
            }
    return pd.DataFrame.from_dict(rows, orient="index")


def half_precision(document: Document) -> str:
    """What bfloat16 saves our loop, in a sentence; empty where it was not measured."""
    found = document["sections"]["speed"].get("half")
    if found is None:
        return ""
    ratios = found["to_ours"]["ratios"]
    return (
        f"Ours in bfloat16 against ours in float32: {found['to_ours']['median_ratio']:.2f} times as many images a "
        f"second, from {min(ratios):.2f} to {max(ratios):.2f} in {len(ratios)} turns."
    )


def company(document: Document) -> pd.DataFrame:
    """Runs that share a GPU, in whole epochs with their tests: images a second of all, by their number."""
    rows = [row for row in document["sections"]["company"]["rows"] if "failed" not in row]
    return pd.DataFrame(
        {"images/s of all": [f"{row['images_per_second']:,.0f}" for row in rows]},
        index=pd.Index([row["runs"] for row in rows], name="runs at once"),
    )


def memory(document: Document) -> pd.DataFrame:
    """The peak of each loop's memory in GiB: resident on the host, and on a GPU what was allocated there."""
    rows = {}
    if measured(document, "speed"):
        taken = document["sections"]["speed"]["memory"]
        rows = {f"{loop}, steps of training": taken[loop] for loop in LOOPS}
    for name, precision in (("memory", ""), ("memory_bfloat16", " in bfloat16")):
        if measured(document, name):
            rows[f"ours{precision}, a run with its tests"] = document["sections"][name]
    columns = {"resident_bytes": "resident [GiB]", "allocated_bytes": "on the GPU [GiB]"}
    return pd.DataFrame.from_dict(
        {
            row: {title: round(found[key] / 2**30, 2) for key, title in columns.items() if key in found}
            for row, found in rows.items()
        },
        orient="index",
    )


def step_split(document: Document) -> Figure:
    """One bar a loop: the milliseconds of a step, by what they are spent on."""
    seconds = document["sections"]["split"]["seconds"]
    figure: Figure
    figure, axes = plt.subplots(figsize=(7.2, 2.0))
    for row, loop in enumerate(LOOPS):
        left = 0.0
        for part, colour in zip(PARTS, PALETTE, strict=False):
            width = 1000 * seconds[loop].get(part, 0.0)
            axes.barh(row, width, left=left, color=colour, label=part if loop == LOOPS[-1] else None)
            left += width
    axes.set_yticks(range(len(LOOPS)), LOOPS)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("milliseconds of a step")
    figure.legend(loc="outside upper right", ncols=len(PARTS))
    return figure


def loss_share(document: Document) -> str:
    """What the loss takes of a step, in a sentence."""
    section = document["sections"]["split"]
    share, seconds = section["loss_share"]["ours"], section["loss_seconds"]["ours"]
    return (
        f"By itself, forward and backward, {plain(document['case']['loss'])} takes {1e6 * seconds:.0f} microseconds "
        f"of our step: {percent(share, 2)}."
    )


def limits(document: Document) -> str:
    """How near our loop comes to what the device's own rates allow, in a sentence for each precision."""
    sections = document["sections"]
    speed = sections["speed"]
    rates = {speed["precision"]["ours"]: speed["median_images_per_second"]["ours"]}
    if "half" in speed:
        rates[speed["half"]["precision"]] = speed["half"]["median_images_per_second"]
    roofs = [sections[name] for name in ("roofline", "roofline_bfloat16") if measured(document, name)]
    return "\n\n".join(_limit(roof, rates[roof["precision"]]) for roof in roofs)


def _limit(roof: Document, rate: float) -> str:
    flops = max(roof["convolution_flops_per_second"].values())
    precision, bound = plain(roof["precision"]), plain(roof["bound_by"])
    return (
        f"In {precision} an image takes {roof['flops_per_image'] / 1e9:.2f} GFLOP in convolutions, which this device "
        f"does at {flops / 1e9:,.0f} GFLOP a second, and {roof['bytes_per_image'] / 1e6:.1f} MB of activations read or "
        f"written, where a copy moves {roof['copy_bytes_per_second'] / 1e9:,.0f} GB a second. Alone, the {bound} would "
        f"allow {roof['images_per_second']:,.0f} images a second; our loop reaches "
        f"{percent(rate / roof['images_per_second'], 0)} of that."
    )


def whole_run(document: Document) -> str:
    """What the paper's whole run would take at this pace, in a sentence."""
    taken = {
        precision: duration(document["sections"][name]["whole_run_seconds"])
        for name, precision in (("memory", "float32"), ("memory_bfloat16", "bfloat16"))
        if measured(document, name)
    }
    said = ", ".join(f"{time} in {precision}" for precision, time in taken.items())
    return f"At this pace the paper's 120 epochs, each with its test, take {said}."


def origin(document: Document) -> str:
    """One line of Markdown under a figure or table: the device, the versions and the commit."""
    e = document["environment"]
    made_with = (
        f"Device: {e['device']} on {e['processor']}, {e['threads']} threads. torch {e['torch']}, "
        f"numpy {e['numpy']}, Python {e['python']}."
    )
    commit = commit_in_words(e, shown=code)
    return f"*{plain(made_with)} Commit: {commit}, measured {plain(str(e['finished'])[:10])}.*"


def failures(document: Document) -> str:
    """What could not be measured, as a Markdown list; empty if nothing."""
    failed = {name: found["failed"] for name, found in document["sections"].items() if "failed" in found}
    return "\n".join(f"- {plain(name)}: not measured ({plain(why)})" for name, why in failed.items())


def _title(name: str, *precisions: str) -> str:
    network = "ResNet-34, CIFAR-100" if "resnet34" in name else "CNN, CIFAR-10"
    return f"{network}, {' against '.join(dict.fromkeys(precisions))}"
