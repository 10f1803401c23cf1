"""The paper's settings against the released code's: what differs in a loss, and what that does to its accuracy."""

from __future__ import annotations

from typing import Any

import pandas as pd

from jal.analysis.frames import typed
from jal.analysis.old_tables import gap_table
from jal.analysis.records import GridRecords, difference
from jal.analysis.text import gap, listed
from jal.errors import InputError
from jal.experiments.grids import Grid
from jal.experiments.spec import RunSpec
from jal.training.recipe import SETTINGS

_RELEASE, _PAPER = SETTINGS


def pairs(grid: Grid) -> dict[str, tuple[str, str]]:
    """For each loss that the grid has under both settings its rows, the release's and the paper's.

    Raises
    ------
    InputError
        for a grid without such a loss.
    """
    rows = {(words["loss"], words.get("settings")): row for (row, _), words in grid.cells.items()}
    both = {
        str(loss): (rows[loss, _RELEASE], rows[loss, _PAPER])
        for loss in dict.fromkeys(loss for loss, _ in rows)
        if (loss, _RELEASE) in rows and (loss, _PAPER) in rows
    }
    if not both:
        raise InputError(f"{grid.name} has no loss under both settings: take the grid settings")
    return both


def changes(grid: Grid) -> pd.DataFrame:
    """For each loss what the two settings give it, as text: the parameters that differ, and the penalty.

    Raises
    ------
    InputError
        as `pairs`.
    """
    found = {}
    for loss, rows in pairs(grid).items():
        first = next(column for column in grid.columns if all((row, column) in grid.cells for row in rows))
        release, paper = (grid.runs((row, first), [grid.seeds[0]])[0] for row in rows)
        names = [
            name
            for name, value in release.loss.parameters.items()
            if paper.loss.parameters.get(name) != value
        ]
        found[loss] = {"released code": _said(release, names), "paper": _said(paper, names)}
    return pd.DataFrame.from_dict(found, orient="index")


def _said(spec: RunSpec, names: list[str]) -> str:
    parts = [f"{name} = {spec.loss.parameters[name]:g}" for name in names]
    penalties = {"L1": spec.recipe.l1, "L2": spec.recipe.l2}
    return ", ".join([*parts, *(f"{name} {value:.0e}" for name, value in penalties.items() if value)])


def gaps(records: GridRecords) -> pd.DataFrame:
    """The accuracy under the paper's settings less that under the release's, for each loss and noise.

    Returns
    -------
    a frame with a row for each loss and noise, run or not, and the columns loss, column, difference, low, high (Welch's
    95 % interval, points; missing for one run), n (of the paper's), n_over (of the release's).

    Raises
    ------
    InputError
        as `pairs`.
    """
    rows = []
    for loss, (release, paper) in pairs(records.grid).items():
        for column in records.grid.columns:
            theirs, ours = (records.values(row, column) for row in (paper, release))
            rows.append((loss, column, *difference(theirs, ours), len(theirs), len(ours)))
    return typed(rows, loss=str, column=str, difference=float, low=float, high=float, n=int, n_over=int)


def table(frame: pd.DataFrame) -> pd.DataFrame:
    """The gaps as text, losses down, noises across: see `gap_table`."""
    return gap_table(frame, "loss")


def in_words(frame: pd.DataFrame) -> str:
    """In a few sentences: how many pairs there are, which differ beyond their interval, and the largest gap."""
    there = frame[frame["difference"].notna()]
    if there.empty:
        return f"None of the {len(frame)} pairs has been run under both settings yet."
    text = f"{len(there)} of {len(frame)} pairs have been run under both settings."
    tested = there[there["low"].notna()]
    clear = tested[(tested["low"] > 0) | (tested["high"] < 0)]
    if tested.empty:
        text += " All are of single runs, which have no interval."
    else:
        which = f": {listed(_place(row) for row in clear.itertuples())}" if len(clear) else ""
        text += f" Of {len(tested)} with an interval, {len(clear)} exclude 0{which}."
    most = there.loc[there["difference"].abs().idxmax()]
    return f"{text} The paper's settings change most for {_place(most)}, by {gap(most)} points."


def _place(row: Any) -> str:
    return f"{row.loss} under {row.column}"
