"""A grid's Records, cell by cell and seed by seed; what is not run is missing, and named."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from jal.experiments.grids import Cell, Grid
from jal.experiments.record import Record
from jal.experiments.store import Store, stored
from jal.reporting.tables import Value, last_accuracy
from jal.reporting.verdict import welch
from jal.reporting.wording import listed

_NAMED = 6
"""Empty cells up to which each is named."""


@dataclass(frozen=True)
class GridRecords:
    """A grid, and what there is of its runs.

    Attributes
    ----------
    grid
        whose rows, columns and cells these are.
    seeds
        of each cell's runs.
    cells
        for each cell of the grid its Records by seed; empty where none was run.
    """

    grid: Grid
    seeds: tuple[int, ...]
    cells: Mapping[Cell, Mapping[int, Record]]

    def runs(self, row: str, column: str) -> Mapping[int, Record]:
        """A cell's Records by seed; none where the grid has no such cell."""
        return self.cells.get((row, column), {})

    def values(self, row: str, column: str, value: Value = last_accuracy) -> list[float]:
        """A value of each of a cell's runs: the last epoch's test accuracy, per cent, unless said otherwise."""
        return [value(record) for record in self.runs(row, column).values()]

    @property
    def records(self) -> list[Record]:
        """All Records, each once."""
        return list({record.id: record for runs in self.cells.values() for record in runs.values()}.values())

    def progress(self) -> str:
        """How many of the grid's runs there are, in a sentence; cells without any are named, or counted if many."""
        runs, done = len(self.grid.specs(self.seeds)), len(self.records)
        if done == runs:
            return f"All {runs} runs are there."
        if not done:
            return f"None of the {runs} runs is there yet."
        empty = [f"{row} under {column}" for (row, column), found in self.cells.items() if not found]
        text = f"{done} of {runs} runs are there"
        if len(empty) > _NAMED:
            return f"{text}; {len(empty)} of {len(self.cells)} cells have none."
        return f"{text}; none of {listed(empty)}." if empty else f"{text}."


def read(grid: Grid, stores: Sequence[Store], seeds: Iterable[int] | None = None) -> GridRecords:
    """What the stores have of a grid's runs.

    Parameters
    ----------
    stores
        to look into, in this order. A damaged file counts as missing, with a warning.
    seeds
        instead of the grid's own.
    """
    seeds = grid.seeds if seeds is None else tuple(dict.fromkeys(seeds))
    cells: dict[Cell, dict[int, Record]] = {}
    for cell in ((row, column) for row in grid.rows for column in grid.columns):
        if cell in grid.cells:
            runs = zip(seeds, grid.runs(cell, seeds), strict=True)
            found = ((seed, stored(run, stores)) for seed, run in runs)
            cells[cell] = {seed: record for seed, record in found if record is not None}
    return GridRecords(grid, seeds, cells)


def mean_std(values: Sequence[float]) -> tuple[float, float]:
    """Mean and unbiased standard deviation; NaN where there are too few values for one."""
    return fmean(values) if values else math.nan, stdev(values) if len(values) > 1 else math.nan


def difference(values: Sequence[float], others: Sequence[float]) -> tuple[float, float, float]:
    """The difference of two means and Welch's 95 % interval; NaN where there are too few values for them."""
    (mean, std), (mean_2, std_2) = mean_std(values), mean_std(others)
    if min(len(values), len(others)) < 2:
        return mean - mean_2, math.nan, math.nan
    found = welch(mean, std, len(values), mean_2, std_2, len(others))
    return found.value, *found.interval()
