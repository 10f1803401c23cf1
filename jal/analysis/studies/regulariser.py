"""Loss or regulariser: which of the two makes the difference, for each noise.

The grid's rows are every loss with every penalty. Runs of one seed share their labels; Welch's interval takes them as
independent, and is then rather too long than too short.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from jal.analysis.figures import PALETTE
from jal.analysis.frames import typed
from jal.analysis.old_tables import gap_table
from jal.analysis.panels import ACROSS, panels
from jal.analysis.paper import Lookup, cell
from jal.analysis.records import GridRecords, difference, mean_std
from jal.analysis.stats import Summary
from jal.analysis.studies.drawing import not_run, widen
from jal.analysis.text import gap, listed, percent
from jal.errors import InputError, unknown
from jal.experiments.grids import Grid
from jal.experiments.spec import resolve

PENALTIES = ("L1", "L2")

Row = tuple[str, str]
"""A loss and its penalty."""

MARKS: dict[str, dict[str, Any]] = {
    "L1": {"marker": "D", "color": PALETTE[0]},
    "L2": {"marker": "s", "color": PALETTE[1]},
}

_TABLES = 3, 2
"""Of the paper, in which a loss is looked for."""


@dataclass(frozen=True)
class Layout:
    """The rows of a grid, by loss and by penalty."""

    losses: tuple[str, ...]
    rows: Mapping[Row, str]


def layout(records: GridRecords) -> Layout:
    """Which row has which loss and penalty.

    Raises
    ------
    InputError
        for a row that has not exactly one of the two penalties, and where two rows have the same loss and penalty.
    """
    words = {row: found for (row, _), found in records.grid.cells.items()}
    rows: dict[Row, str] = {}
    for row in records.grid.rows:
        strengths = {name: words[row].get(name.lower(), 0.0) for name in PENALTIES}
        present = [name for name, strength in strengths.items() if strength]
        if len(present) != 1:
            raise InputError(
                f"the row {row} of {records.grid.name} has not one of L1 and L2: give it one penalty"
            )
        key = str(words[row]["loss"]), present[0]
        if key in rows:
            raise InputError(f"the rows {rows[key]} and {row} are both {', '.join(key)}: compare one of them")
        rows[key] = row
    return Layout(tuple(dict.fromkeys(loss for loss, _ in rows)), rows)


def loss_of(name: str, found: Layout) -> str:
    """The name, which has to be that of a loss of the grid."""
    if name not in found.losses:
        raise unknown("loss of the grid", name, found.losses)
    return name


def effects(records: GridRecords, reference: str = "JAL-CE") -> pd.DataFrame:
    """For each noise what L1 instead of L2 gains each loss, and what `reference` gains over each other under either.

    Parameters
    ----------
    reference
        the loss that the others are compared with.

    Returns
    -------
    a frame with the columns column, effect ("regulariser" or "loss"), of, over, within (L1 over L2 within a loss; the
    reference over another loss within a penalty), difference, low, high (Welch's 95 % interval, points; missing for
    one run), n, n_over. A row for each comparison, its runs there or not.

    Raises
    ------
    InputError
        for a reference that is no loss of the grid, and as `layout`.
    """
    found = layout(records)
    loss_of(reference, found)
    l1, l2 = PENALTIES
    pairs = [("regulariser", l1, l2, loss, (loss, l1), (loss, l2)) for loss in found.losses]
    pairs += [
        ("loss", reference, loss, penalty, (reference, penalty), (loss, penalty))
        for penalty in PENALTIES
        for loss in found.losses
        if loss != reference
    ]
    rows = []
    for column in records.grid.columns:
        for *words, one, other in pairs:
            if one not in found.rows or other not in found.rows:
                continue
            a, b = (records.values(found.rows[key], column) for key in (one, other))
            rows.append((column, *words, *difference(a, b), len(a), len(b)))
    texts = dict.fromkeys(("column", "effect", "of", "over", "within"), str)
    return typed(rows, **texts, difference=float, low=float, high=float, n=int, n_over=int)


def table(effects: pd.DataFrame) -> pd.DataFrame:
    """The effects as text, comparisons down, noises across: see `gap_table`."""
    comparisons = effects["of"] + " over " + effects["over"] + ", " + effects["within"]
    return gap_table(effects.assign(comparison=comparisons), "comparison")


def shares(records: GridRecords, among: Sequence[str] | None = None) -> pd.DataFrame:
    """For each noise, what of the variance among the cells' means is the loss's, what the regulariser's.

    The sum of squares of the table loss x penalty of means, each cell with the same weight, parts exactly into
    those two and their interplay. Only losses with runs under both penalties take part.

    Parameters
    ----------
    among
        which losses, if not all: one that is far from the others has the loss's share to itself.

    Returns
    -------
    a frame with the columns column, losses (how many take part), left_out (those that do not), n (the fewest runs of a
    cell), loss, regulariser, interplay (shares, 0 to 1), spread (the standard deviation of the means about their own,
    in points), and seeds: the variance that the means would have by their seeds alone, as a share of what they have;
    missing where a cell has one run. Without two losses the shares are missing.

    Raises
    ------
    InputError
        as `layout`, and for one of `among` that is no loss of the grid.
    """
    found = layout(records)
    chosen = found.losses if among is None else tuple(loss_of(name, found) for name in among)
    rows = []
    for column in records.grid.columns:
        runs = {key: records.values(row, column) for key, row in found.rows.items()}
        losses = [loss for loss in chosen if all(runs.get((loss, penalty)) for penalty in PENALTIES)]
        kept = [[runs[loss, penalty] for penalty in PENALTIES] for loss in losses]
        fewest = min((len(values) for pair in kept for values in pair), default=0)
        parts = _parted(kept) if len(losses) > 1 else {}
        counts = {"losses": len(losses), "left_out": len(chosen) - len(losses), "n": fewest}
        rows.append({"column": column} | counts | parts)
    numbers = dict.fromkeys(("loss", "regulariser", "interplay", "spread", "seeds"), float)
    return typed(rows, column=str, losses=int, left_out=int, n=int, **numbers)


def _parted(runs: list[list[list[float]]]) -> dict[str, float]:
    means = np.array([[mean_std(values)[0] for values in pair] for pair in runs])
    deviations = means - means.mean()
    by_loss, by_penalty = deviations.mean(1), deviations.mean(0)
    interplay = deviations - by_loss[:, None] - by_penalty
    total = float((deviations**2).sum())
    squares = {
        "loss": len(PENALTIES) * (by_loss**2).sum(),
        "regulariser": len(means) * (by_penalty**2).sum(),
        "interplay": (interplay**2).sum(),
    }
    # Of k means of the same expectation, the sum of squares is k - 1 times the variance of one.
    by_seeds = (means.size - 1) * np.mean([[mean_std(v)[1] ** 2 / len(v) for v in pair] for pair in runs])
    named = {name: float(square) / total if total else math.nan for name, square in squares.items()}
    spread = math.sqrt(total / (means.size - 1))
    return named | {"spread": spread, "seeds": float(by_seeds) / total if total else math.nan}


def in_words(records: GridRecords, among: Sequence[str] | None = None) -> str:
    """For each noise, as a Markdown list: whose the variance is, and where the penalty moves a loss most.

    Raises
    ------
    InputError
        as `shares`.
    """
    compared = effects(records, layout(records).losses[0])
    compared = compared[compared["effect"].eq("regulariser") & compared["difference"].notna()]
    if among is not None:
        compared = compared[compared["within"].isin(among)]
    lines, without = [], []
    for row in shares(records, among).itertuples():
        parts = [_shares_in_words(row)] if row.losses > 1 else []
        gains = compared[compared["column"] == row.column]
        if len(gains):
            parts.append(_gains_in_words(gains))
        if row.left_out and parts:
            parts.append(
                f"Of {row.losses + row.left_out} losses {row.losses} have runs under both penalties."
            )
        if parts:
            lines.append(f"- **{row.column}**: {' '.join(parts)}")
        else:
            without.append(row.column)
    if without:
        lines.append(f"- No loss has runs under both penalties yet: {listed(without)}.")
    return "\n".join(lines)


def _gains_in_words(gains: pd.DataFrame) -> str:
    most = gains.loc[gains["difference"].abs().idxmax()]
    known = gains[gains["low"].notna()]
    clear = listed(known.loc[(known["low"] > 0) | (known["high"] < 0), "within"])
    text = f"L1 instead of L2 moves {most['within']} most, by {gap(most)} points"
    if known.empty:
        return f"{text}; single runs have no interval."
    return f"{text}; the interval excludes 0 for {clear or 'none'} of {len(known)}."


def _shares_in_words(row: Any) -> str:
    if not row.spread:
        return f"the means of {row.losses} losses are all equal."
    if row.loss == row.regulariser:
        first = "loss and regulariser explain the same"
    else:
        first = f"the {'loss' if row.loss > row.regulariser else 'regulariser'} explains more"
    if math.isnan(row.seeds):
        chance = "With one run of a cell there is no telling what of it is chance."
    else:
        chance = f"Their seeds alone would make {percent(row.seeds, 0)} of it."
    return (
        f"{first}: of the variance among the means of {row.losses} losses under both penalties {percent(row.loss, 0)} "
        f"is the loss's, {percent(row.regulariser, 0)} the regulariser's and {percent(row.interplay, 0)} their "
        f"interplay's. {chance}"
    )


def both_penalties(records: GridRecords) -> Figure:
    """Each loss under both penalties: a panel for each noise, the means as marks, a bar from the least run to the best.

    A loss without runs under a penalty lacks that mark; a noise without any says so.
    """
    found = layout(records)
    figure, grid = panels(records.grid.columns, "test accuracy [%]", "", share=False)
    for at, (axes, column) in enumerate(zip(grid, records.grid.columns, strict=True)):
        there = False
        for height, loss in enumerate(found.losses):
            for shift, penalty in ((-0.15, "L1"), (0.15, "L2")):
                row = found.rows.get((loss, penalty))
                values = records.values(row, column) if row else []
                if values:
                    there = True
                    axes.plot([min(values), max(values)], [height + shift] * 2, color=MARKS[penalty]["color"])
                    axes.plot(mean_std(values)[0], height + shift, markersize=5, **MARKS[penalty])
        axes.set_yticks(range(len(found.losses)), found.losses)
        axes.set_ylim(len(found.losses) - 0.5, -0.5)
        axes.tick_params(labelleft=at % ACROSS == 0)
        if not there:
            not_run(axes)
        widen(axes, "x")
    handles = [Line2D([], [], label=name, linestyle="none", **mark) for name, mark in MARKS.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def as_reported(grid: Grid, root: str | Path | None = None) -> Lookup:
    """What Tables 3 and 2 of the paper report of the rows that have the released code's own penalty.

    Parameters
    ----------
    root
        the checkout, if not the one found upwards.
    """

    def lookup(row: str, column: str) -> Summary | None:
        words = grid.cells[row, column]
        own = {name: value for name, value in words.items() if name not in ("l1", "l2")}
        if resolve(**words) != resolve(**own):
            return None
        place = words["dataset"], words["noise"], words.get("rate"), words["loss"]
        found = (cell(table, *place, root=root) for table in _TABLES)
        return next((one for one in found if one is not None), None)

    return lookup
