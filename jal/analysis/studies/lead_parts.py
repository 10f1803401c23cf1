"""A lead of one loss over another that has another penalty, taken apart: what of it is the loss's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from jal.analysis.figures import INK, PALETTE
from jal.analysis.frames import typed
from jal.analysis.panels import panels
from jal.analysis.records import GridRecords
from jal.analysis.stats import contrast
from jal.analysis.studies.drawing import not_run
from jal.analysis.studies.regulariser import Row, layout, loss_of
from jal.analysis.text import gap, listed
from jal.errors import InputError

PARTS = {
    "together": "the lead",
    "loss": "the loss's part",
    "regulariser": "the regulariser's part",
}
"""What a lead comes apart into, and how figures call it."""

_MARKS: tuple[dict[str, Any], ...] = (
    {"marker": "o", "color": INK},
    {"marker": "D", "color": PALETTE[0]},
    {"marker": "s", "color": PALETTE[1]},
)


def parts(
    records: GridRecords, ours: Row = ("JAL-CE", "L1"), theirs: Row = ("NCE+RCE", "L2")
) -> pd.DataFrame:
    """For each noise the lead of one row over another that has another loss and another penalty, taken apart.

    With `m` the mean of a row's runs and JAL-CE and NCE+RCE for the losses, the lead is the sum of

    - the loss's part, 1/2 [m(JAL-CE, L1) - m(NCE+RCE, L1)] + 1/2 [m(JAL-CE, L2) - m(NCE+RCE, L2)];
    - the regulariser's part, 1/2 [m(JAL-CE, L1) - m(JAL-CE, L2)] + 1/2 [m(NCE+RCE, L1) - m(NCE+RCE, L2)].

    Returns
    -------
    a frame with a row for each noise and each of `PARTS`, and the columns column, part, difference, low, high (the
    95 % interval by Welch and Satterthwaite's degrees of freedom, points; missing where a cell has one run), n (the
    fewest runs of a cell that is needed; 0, and the numbers missing, where one has none).

    Raises
    ------
    InputError
        as `layout`, for a loss that is not in the grid, and for two rows of the same loss or the same penalty.
    """
    found = layout(records)
    if ours[0] == theirs[0] or ours[1] == theirs[1]:
        raise InputError(
            f"{', '.join(ours)} and {', '.join(theirs)}: give rows that differ in loss and in penalty"
        )
    (a, p), (b, r) = ((loss_of(loss, found), penalty) for loss, penalty in (ours, theirs))
    weights = {
        "together": {(a, p): 1.0, (b, r): -1.0},
        "loss": {(a, p): 0.5, (b, p): -0.5, (a, r): 0.5, (b, r): -0.5},
        "regulariser": {(a, p): 0.5, (a, r): -0.5, (b, p): 0.5, (b, r): -0.5},
    }
    rows = []
    for column in records.grid.columns:
        for part in PARTS:
            terms = [
                (weight, records.values(found.rows[key], column) if key in found.rows else [])
                for key, weight in weights[part].items()
            ]
            rows.append((column, part, *contrast(terms), min(len(values) for _, values in terms)))
    return typed(rows, column=str, part=str, difference=float, low=float, high=float, n=int)


def in_words(frame: pd.DataFrame) -> str:
    """The parts as a Markdown list: for each noise the lead, what of it is the loss's, what the regulariser's."""
    lines, without = [], []
    for column, group in frame.groupby("column", sort=False):
        by_part = {row.part: row for row in group.itertuples()}
        if not by_part["together"].n:
            without.append(column)
            continue
        text = f"{gap(by_part['together'])} points"
        if by_part["loss"].n:
            text += f", of which {gap(by_part['loss'])} are the loss's and "
            text += f"{gap(by_part['regulariser'])} the regulariser's."
        else:
            text += "; whose they are cannot be told before each loss has runs under both penalties."
        lines.append(f"- **{column}**: {text}")
    if without:
        lines.append(f"- Not run on both sides: {listed(without)}.")
    return "\n".join(lines)


def told(frame: pd.DataFrame) -> str:
    """Where each part is told from 0 by its interval; half a sentence, empty without intervals."""
    there = frame[frame["low"].notna()]
    texts = []
    for part, name in list(PARTS.items())[1:]:
        some = there[there["part"].eq(part)]
        places = {
            "above 0": some["column"][some["low"].gt(0)],
            "below 0": some["column"][some["high"].lt(0)],
            "not told from 0": some["column"][some["low"].le(0) & some["high"].ge(0)],
        }
        said = [f"{where} under {listed(columns)}" for where, columns in places.items() if len(columns)]
        if said:
            texts.append(f"{name} is {listed(said)}")
    return "; ".join(texts)


def chart(frames: Mapping[str, pd.DataFrame]) -> Figure:
    """Leads and their two parts: a panel for each title, a row for each noise, bars for the 95 % intervals.

    A panel without any runs says so.
    """
    figure, grid = panels(list(frames), "points of test accuracy", "")
    figure.set_figheight(3.6)
    for axes, frame in zip(grid, frames.values(), strict=True):
        columns = list(dict.fromkeys(frame["column"]))
        axes.axvline(0, color=INK, linewidth=0.8)
        for shift, (part, mark) in enumerate(zip(PARTS, _MARKS, strict=True)):
            some = frame[(frame["part"] == part) & frame["difference"].notna()]
            height = [columns.index(column) + 0.22 * (shift - 1) for column in some["column"]]
            reach = (some["high"] - some["difference"]).fillna(0.0)
            axes.errorbar(
                some["difference"], height, xerr=reach, linestyle="none", markersize=5, capsize=2, **mark
            )
        axes.set_yticks(range(len(columns)), columns)
        axes.set_ylim(len(columns) - 0.5, -0.5)
        if frame["difference"].isna().all():
            not_run(axes)
    handles = [
        Line2D([], [], label=name, linestyle="none", **mark)
        for name, mark in zip(PARTS.values(), _MARKS, strict=True)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure
