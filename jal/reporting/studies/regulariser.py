"""Loss or regulariser: which of the two makes the difference, for each noise.

The grid's rows are every loss with every penalty. Runs of one seed share their labels; Welch's interval takes them as
independent, and is then rather too long than too short.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from jal.errors import InputError, unknown
from jal.reporting.records import GridRecords, difference, mean_std
from jal.reporting.wording import listed, share, with_interval

PENALTIES = ("L1", "L2")


@dataclass(frozen=True)
class Layout:
    """The rows of a grid, by loss and by penalty."""

    losses: tuple[str, ...]
    rows: Mapping[tuple[str, str], str]


def layout(records: GridRecords) -> Layout:
    """Which row has which loss and penalty.

    Raises
    ------
    InputError
        for a row that has not exactly one of the two penalties, and where two rows have the same loss and penalty.
    """
    words = {row: found for (row, _), found in records.grid.cells.items()}
    rows: dict[tuple[str, str], str] = {}
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
    if reference not in found.losses:
        raise unknown("loss of the grid", reference, found.losses)
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
    texts, numbers = ["column", "effect", "of", "over", "within"], ["difference", "low", "high"]
    frame = pd.DataFrame(rows, columns=[*texts, *numbers, "n", "n_over"])
    counts = dict.fromkeys(("n", "n_over"), "int64")
    return frame.astype(dict.fromkeys(texts, "string") | dict.fromkeys(numbers, "float64") | counts)


def table(effects: pd.DataFrame) -> pd.DataFrame:
    """The effects as text, "+1.2 [−0.4, +2.8]": comparisons down, noises across; nothing where a side was not run."""
    texts = [_effect(row) for row in effects.itertuples()]
    comparisons = effects["of"] + " over " + effects["over"] + ", " + effects["within"]
    frame = pd.DataFrame({"row": comparisons, "column": effects["column"], "text": texts})
    rows, columns = (list(dict.fromkeys(frame[name])) for name in ("row", "column"))
    wide = frame.pivot(index="row", columns="column", values="text").reindex(index=rows, columns=columns)
    return wide.rename_axis(index=None, columns=None)


def shares(records: GridRecords) -> pd.DataFrame:
    """For each noise, what of the variance among the cells' means is the loss's, what the regulariser's.

    The sum of squares of the table loss x penalty of means, each cell with the same weight, parts exactly into
    those two and their interplay. Only losses with runs under both penalties take part.

    Returns
    -------
    a frame with the columns column, losses (how many take part), left_out (those that do not), n (the fewest runs of a
    cell), loss, regulariser, interplay (shares, 0 to 1), spread (the standard deviation of the means about their own,
    in points), and seeds: the variance that the means would have by their seeds alone, as a share of what they have;
    missing where a cell has one run. Without two losses the shares are missing.

    Raises
    ------
    InputError
        as `layout`.
    """
    found = layout(records)
    rows = []
    for column in records.grid.columns:
        runs = {key: records.values(row, column) for key, row in found.rows.items()}
        losses = [loss for loss in found.losses if all(runs.get((loss, penalty)) for penalty in PENALTIES)]
        kept = [[runs[loss, penalty] for penalty in PENALTIES] for loss in losses]
        fewest = min((len(values) for pair in kept for values in pair), default=0)
        parts = _parted(kept) if len(losses) > 1 else {}
        counts = {"losses": len(losses), "left_out": len(found.losses) - len(losses), "n": fewest}
        rows.append({"column": column} | counts | parts)
    counted, numbers = ["losses", "left_out", "n"], ["loss", "regulariser", "interplay", "spread", "seeds"]
    types = {"column": "string"} | dict.fromkeys(counted, "int64") | dict.fromkeys(numbers, "float64")
    return pd.DataFrame(rows, columns=["column", *counted, *numbers]).astype(types)


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


def in_words(records: GridRecords, reference: str = "JAL-CE") -> str:
    """For each noise, as a Markdown list: which explains more, and the effects.

    Raises
    ------
    InputError
        as `effects`.
    """
    compared = effects(records, reference)
    lines = []
    for row in shares(records).itertuples():
        here = compared[(compared["column"] == row.column) & compared["difference"].notna()]
        parts = [_shares_in_words(row)] if row.losses > 1 else []
        gains = [f"{e.within} {_effect(e)}" for e in here[here["effect"] == "regulariser"].itertuples()]
        if gains:
            parts.append(f"L1 instead of L2 gains, in points: {listed(gains)}.")
        for within, group in here[here["effect"] == "loss"].groupby("within", sort=False):
            leads = listed(f"{e.over} {_effect(e)}" for e in group.itertuples())
            parts.append(f"With {within}, {reference} less each other loss, in points: {leads}.")
        if not parts:
            parts.append("no two runs to compare yet.")
        elif row.left_out:
            parts.append(
                f"Of {row.losses + row.left_out} losses {row.losses} have runs under both penalties."
            )
        lines.append(f"- **{row.column}**: {' '.join(parts)}")
    return "\n".join(lines)


def _effect(effect: Any) -> str:
    return with_interval(effect.difference, effect.low, effect.high)


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
        chance = f"Their seeds alone would make {share(row.seeds)} of it."
    return (
        f"{first}: of the variance among the means of {row.losses} losses under both penalties {share(row.loss)} is "
        f"the loss's, {share(row.regulariser)} the regulariser's and {share(row.interplay)} their interplay's. {chance}"
    )
