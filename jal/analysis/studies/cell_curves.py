"""The curves behind every cell of a grid: as a tidy frame, and where they end."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Any

import pandas as pd

from jal.analysis.frames import typed
from jal.analysis.records import GridRecords, mean_std
from jal.analysis.text import plus_minus
from jal.errors import unknown
from jal.experiments.record import Record

HIGHER_IS_BETTER = ("test_accuracy", "validation_accuracy", "noise_auroc", "recovered", "clean_accuracy")
"""The quantities that have a best epoch."""


def shown(records: GridRecords) -> Iterator[tuple[str, str]]:
    """The cells whose curves are their own: a column of another test set has none, and is left out."""
    return (cell for cell in records.cells if cell[1] not in records.grid.test_sets)


def curves(records: GridRecords, quantities: Sequence[str] | None = None) -> pd.DataFrame:
    """Every value of every curve of every run that is there.

    Parameters
    ----------
    quantities
        which; all that a Record holds if left out.

    Returns
    -------
    a frame with the columns row, column, seed, epoch (from 1), quantity and value.

    Raises
    ------
    InputError
        for a quantity that none of the Records has.
    """
    known = {name for record in records.records for name in record.curves}
    for name in quantities or ():
        if known and name not in known:
            raise unknown("quantity", name, known)
    rows = [
        (row, column, seed, epoch, name, value)
        for row, column in shown(records)
        for seed, record in records.runs(row, column).items()
        for name in (quantities if quantities is not None else sorted(record.curves))
        for epoch, value in enumerate(record.curves.get(name, ()), 1)
    ]
    return typed(rows, row=str, column=str, seed=int, epoch=int, quantity=str, value=float)


def best_epoch(record: Record, quantity: str = "test_accuracy") -> int:
    """The epoch, from 1, at which a quantity is greatest; the earliest of several."""
    curve = record.curves[quantity]
    return 1 + curve.index(max(curve))


def ends(records: GridRecords, quantity: str = "test_accuracy") -> pd.DataFrame:
    """For each cell a quantity after the last epoch and at its best one, and what was memorised at the end.

    The best epoch is each run's own. On test accuracy, choosing it takes clean test labels: it is what early stopping
    could gain at most, not what it gains.

    Parameters
    ----------
    quantity
        one of `HIGHER_IS_BETTER`.

    Returns
    -------
    a frame with a row for each cell, run or not, and the columns row, column, n (runs that have the quantity), last,
    last_std, best, best_std, best_epoch (the mean), memorised, memorised_std (per cent of the wrong labels, after the
    last epoch; missing for clean labels).

    Raises
    ------
    InputError
        for another quantity.
    """
    if quantity not in HIGHER_IS_BETTER:
        raise unknown("quantity with a best epoch", quantity, HIGHER_IS_BETTER)
    rows = []
    for row, column in shown(records):
        runs = [record for record in records.runs(row, column).values() if quantity in record.curves]
        last = mean_std([record.curves[quantity][-1] for record in runs])
        best = mean_std([max(record.curves[quantity]) for record in runs])
        epoch = fmean(best_epoch(record, quantity) for record in runs) if runs else math.nan
        memorised = mean_std([r.curves["memorised"][-1] for r in runs if "memorised" in r.curves])
        rows.append((row, column, len(runs), *last, *best, epoch, *memorised))
    names = ("last", "last_std", "best", "best_std", "best_epoch", "memorised", "memorised_std")
    return typed(rows, row=str, column=str, n=int, **dict.fromkeys(names, float))


def table(frame: pd.DataFrame, value: str = "last", digits: int = 1) -> pd.DataFrame:
    """Rows down, columns across, "mean ± std" in the cells: the mean alone for one run, nothing for none.

    Parameters
    ----------
    value
        a column of `frame`, whose standard deviation, if it has one, is the column `<value>_std`.

    Raises
    ------
    InputError
        for a value that the frame has not.
    """
    if value not in frame:
        raise unknown("value", value, frame.columns)
    texts: dict[tuple[str, str], Any] = {
        (row["row"], row["column"]): plus_minus(row[value], row.get(f"{value}_std", math.nan), digits)
        for row in frame.to_dict("records")
    }
    rows, columns = (list(dict.fromkeys(frame[name])) for name in ("row", "column"))
    return pd.DataFrame([[texts.get((r, c), "") for c in columns] for r in rows], index=rows, columns=columns)
