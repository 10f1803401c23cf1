"""Summary and measured side by side: cells, and their verdicts as a frame and in words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from operator import add

import pandas as pd

from jal.analysis.frames import typed
from jal.analysis.old_tables import Value, last_accuracy
from jal.analysis.paper import Lookup, condition, in_paper, place
from jal.analysis.records import GridRecords
from jal.analysis.stats import TESTED, Power, Summary, compare, power
from jal.errors import InputError
from jal.experiments.record import Record


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes
    ----------
    row, column
        their labels.
    reported
        what the paper has there, if anything.
    measured
        the accuracy of each of our runs, per cent.
    condition
        dataset and noise, whatever the column is called (`condition`).
    precision
        of our runs, where it is not their recipe's own.
    """

    row: str
    column: str
    reported: Summary | None
    measured: tuple[float, ...] = ()
    condition: str = ""
    precision: str = ""


def cells_of(found: GridRecords, lookup: Lookup | None = None, value: Value | None = None) -> list[Cell]:
    """A grid's cells, row by row: what is reported there, and what there is of its runs.

    Parameters
    ----------
    lookup
        what is reported there; `in_paper(found.grid)` if left out.
    value
        what of a Record; if left out the last epoch's accuracy on the test set that the column shows.
    """
    grid = found.grid
    lookup = in_paper(grid) if lookup is None else lookup
    cells = []
    for (row, column), runs in found.cells.items():
        values = map(value or _accuracy_on(grid.test_sets.get(column)), runs.values())
        measured = tuple(accuracy for accuracy in values if accuracy is not None)
        words = place(grid, row, column)
        precision = "bfloat16" if measured and found.in_half(row, column) else ""
        cells.append(Cell(row, column, lookup(row, column), measured, condition(*words.values()), precision))
    return cells


def _accuracy_on(test_set: str | None) -> Callable[[Record], float | None]:
    return last_accuracy if test_set is None else lambda record: record.accuracies.get(test_set)


def comparison(cells: Iterable[Cell]) -> pd.DataFrame:
    """A row for each cell: reported, measured, the difference with its 95 % interval, and the verdict.

    Returns
    -------
    a frame with the columns row, column, condition, reported_mean, reported_std, reported_n, mean, std, n,
    difference, low, high, verdict (`jal.analysis.stats.Comparison`) and precision (of our runs, where it is
    not their recipe's own; the verdict is as any other); in points of accuracy, missing where there is no such number.

    Raises
    ------
    InputError
        for two cells with the same labels.
    """
    rows, seen = [], set()
    for one in cells:
        if (one.row, one.column) in seen:
            raise InputError(f"two cells are labelled {one.row}, {one.column}: give each its own labels")
        seen.add((one.row, one.column))
        paper, ours = one.reported, Summary.of(one.measured) if one.measured else None
        found = compare(ours, paper)
        labels = one.row, one.column, one.condition
        mean, std, n = (paper.mean, paper.std, paper.n) if paper else (None, None, None)
        measured = (ours.mean, ours.std, ours.n) if ours else (None, None, 0)
        rows.append(
            (
                *labels,
                mean,
                std,
                n,
                *measured,
                found.difference,
                found.low,
                found.high,
                found.verdict,
                one.precision,
            )
        )
    return typed(
        rows,
        **dict.fromkeys(("row", "column", "condition"), str),
        **dict.fromkeys(("reported_mean", "reported_std"), float),
        reported_n="Int64",
        **dict.fromkeys(("mean", "std"), float),
        n=int,
        **dict.fromkeys(("difference", "low", "high"), float),
        **dict.fromkeys(("verdict", "precision"), str),
    )


def expected(frame: pd.DataFrame) -> Power:
    """How many of a comparison's tested cells to expect under each verdict, were all of them the same process.

    Each cell is taken to have the standard deviation that both sides together show.
    """
    return reduce(
        add,
        (
            power(_pooled(row.reported_std, row.reported_n, row.std, row.n), int(row.reported_n), int(row.n))
            for row in frame[frame["verdict"].isin(TESTED)].itertuples()
        ),
        Power(0.0, 0.0, 0.0),
    )


def _pooled(std: float, n: int, std_2: float, n_2: int) -> float:
    return math.sqrt(((n - 1) * std**2 + (n_2 - 1) * std_2**2) / (n + n_2 - 2))


def chance_in_words(frame: pd.DataFrame) -> str:
    """The verdicts of a comparison beside those that chance alone would give, in two sentences."""
    found = Counter(frame["verdict"])
    tested = sum(found[word] for word in TESTED)
    if not tested:
        return "No cell has two or more runs on both sides, so none was tested."
    chance = expected(frame)
    return (
        f"Of {tested} cells with two or more runs on both sides, {found['agrees']} agree, {found['differs']} differ "
        f"and {found['inconclusive']} are inconclusive. Were each of them the same process with the spread that it "
        f"shows, {chance.agrees:.1f} would be expected to agree, {chance.differs:.1f} to differ by chance and "
        f"{chance.inconclusive:.1f} to be inconclusive."
    )
