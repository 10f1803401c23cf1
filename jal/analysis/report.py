"""The reproduction report: how much of the paper is measured, and with what verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from jal.analysis.page import Block
from jal.analysis.records import read
from jal.analysis.rendering import draw_cells
from jal.analysis.text import listed
from jal.experiments import grids
from jal.experiments.shelf import counts, half_in_words
from jal.experiments.store import Store

TABLES: Mapping[str, str] = {
    "Table 1": "table1",
    "Table 2": "table2",
    "Table 3, CIFAR-10": "table3-cifar10",
    "Table 3, CIFAR-100": "table3-cifar100",
    "Table 4": "table4",
    "Table 5": "table5",
    "Table 6": "table6",
    "Table 7": "table7",
}
"""The paper's tables of accuracies, and the grid that fills each."""

FIGURES: Mapping[str, str] = {f"Figure {number}": f"figure{number}" for number in (1, 2, 3, 4)}
"""The paper's figures of results, which have no numbers to compare with."""

CHAPTERS: Mapping[str, str] = {
    "Table 1": "active_asymmetric",
    "Table 2": "joint_parts",
    "Table 3, CIFAR-10": "benchmark",
    "Table 3, CIFAR-100": "benchmark",
    "Table 4": "instance_noise",
    "Table 5": "human_noise",
    "Table 6": "real_world",
    "Table 7": "active_asymmetric",
    "Figure 1": "representations",
    "Figure 2": "scale_and_power",
    "Figure 3": "representations",
    "Figure 4": "scale_and_power",
}
"""The chapter that answers each."""

_VERDICTS = ("agrees", "differs", "inconclusive")


def coverage(
    frames: Mapping[str, pd.DataFrame], stores: Sequence[Store], precision: str = "any"
) -> pd.DataFrame:
    """How much of each table and figure is measured.

    Parameters
    ----------
    frames
        for each of `TABLES`, its cells as `jal.analysis.comparison.comparison` compares them.
    stores
        where the Records of the figures are.
    precision
        in which, as `jal.analysis.records.read` takes it.

    Returns
    -------
    a frame with a row for each table and figure, by its name, and the columns cells, reported (of these), measured,
    in bfloat16 (of the measured, where the recipe is not), agrees, differs, inconclusive, and untested: measured, but
    with too few runs on a side for a verdict. What a figure cannot have is missing.
    """
    rows = {}
    for table, frame in frames.items():
        verdicts = Counter(frame["verdict"])
        measured = int(frame["n"].gt(0).sum())
        tested = {word: verdicts[word] for word in _VERDICTS}
        rows[table] = {
            "cells": len(frame),
            "reported": int(frame["reported_mean"].notna().sum()),
            "measured": measured,
            "in bfloat16": int(frame["precision"].ne("").sum()),
            **tested,
            "untested": measured - sum(tested.values()),
        }
    for figure, name in FIGURES.items():
        found = read(grids.get(name), stores, precision=precision)
        rows[figure] = {
            "cells": len(found.cells),
            "measured": sum(map(bool, found.cells.values())),
            "in bfloat16": sum(found.in_half(*cell) for cell in found.cells),
        }
    return pd.DataFrame.from_dict(rows, orient="index").astype("Int64")


def coverage_table(frame: pd.DataFrame) -> Block:
    """The coverage, each name a link to its chapter."""
    shown = frame.astype(object).where(frame.notna(), "")
    linked = shown.rename(lambda name: f'<a href="{CHAPTERS[name]}.html">{escape(name)}</a>')
    html: str = linked.to_html(border=0, escape=False, classes="jal-comparison")
    latex: str = shown.to_latex(escape=True)
    return Block(html, latex=latex)


def in_words(frame: pd.DataFrame) -> str:
    """The coverage of the tables in two sentences."""
    tables = frame.loc[list(TABLES)]
    cells, measured = int(tables["reported"].sum()), int(tables["measured"].sum())
    if not measured:
        return (
            f"The paper's tables report {cells} accuracies. None of them has been measured by us yet, because a run "
            "of the full recipe takes a GPU; the code, the grids and the comparison are ready for them."
        )
    found = [f"{int(tables[word].sum())} {'are ' * (word == 'inconclusive')}{word}" for word in _VERDICTS]
    verbs = [text.replace("agrees", "agree").replace("differs", "differ") for text in found]
    half = half_in_words(int(tables["in bfloat16"].sum()), measured)
    return (
        f"The paper's tables report {cells} accuracies. We have measured {measured} cells{half}: of those with two "
        f"or more runs on both sides, {listed(verbs)}; {int(tables['untested'].sum())} have too few runs for a verdict."
    )


def claims_table(frame: pd.DataFrame) -> Block:
    """The paper's claims, each with its test, and how it ends on the reported and on the measured numbers.

    Parameters
    ----------
    frame
        of `jal.analysis.claims.claims`.
    """
    lines = [
        # Not jal-comparison: that keeps each cell on one line, and these are sentences.
        '<table class="dataframe jal-claims">',
        "<thead><tr>"
        + "".join(f'<th scope="col">{name}</th>' for name in ("claim", "test", "as reported", "as measured"))
        + "</tr></thead>",
        "<tbody>",
    ]
    for row in frame.itertuples(index=False):
        sides = (
            f"<strong>{escape(outcome)}</strong>" + (f"<div>{escape(detail)}</div>" if detail else "")
            for outcome, detail in (
                (row.reported, row.reported_detail),
                (row.measured, row.measured_detail),
            )
        )
        quote = f'<th scope="row">{escape(row.claim)}<div>{escape(row.where)}</div></th>'
        lines.append(
            f"<tr>{quote}<td>{escape(row.test)}</td>{''.join(f'<td>{side}</td>' for side in sides)}</tr>"
        )
    texts = [f"- {row.claim}: {row.reported}; {row.measured}" for row in frame.itertuples(index=False)]
    return Block("\n".join([*lines, "</tbody>", "</table>"]), "\n".join(texts))


def every_cell(frames: Mapping[str, pd.DataFrame], limit: float = 5.0) -> Figure:
    """A square for each cell of several tables: measured - reported, and the sign of the verdict.

    Parameters
    ----------
    frames
        as `coverage` has them; a panel for each, two across.
    limit
        the difference, in points, from which on the colour no longer changes.
    """
    names = list(frames)
    rows = [names[start : start + 2] for start in range(0, len(names), 2)]
    heights = [max(frames[name]["row"].nunique() for name in row) + 3 for row in rows]
    figure: Figure = plt.figure(figsize=(9.6, 0.24 * sum(heights)))
    grid = figure.add_gridspec(len(rows), 2, height_ratios=heights)
    for down, row in enumerate(rows):
        for across, name in enumerate(row):
            axes = figure.add_subplot(grid[down, across])
            draw_cells(axes, frames[name], limit, size=5.5)
            axes.set_title(name)
            axes.tick_params(labelsize=6.5)
    return figure


def smaller_table(stores: Sequence[Store]) -> pd.DataFrame:
    """The grids that have versions for a laptop or for seconds, and how many of their runs are there."""
    frame = pd.DataFrame.from_dict(counts(stores), orient="index", columns=["full", "laptop", "quick"])
    return frame.drop(columns="full").dropna(how="all").fillna("").rename_axis("grid")
