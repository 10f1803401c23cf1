"""A grid's Records, cell by cell and seed by seed; what is not run is missing, and named."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from jal.analysis.text import listed
from jal.experiments.grids import Cell, Grid
from jal.experiments.record import Record
from jal.experiments.shelf import half_in_words
from jal.experiments.store import Store, stored

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

    def values(self, row: str, column: str) -> list[float]:
        """The last epoch's test accuracy of each of a cell's runs, per cent."""
        return [record.accuracy for record in self.runs(row, column).values()]

    def in_half(self, row: str, column: str) -> bool:
        """Whether a cell's runs are in bfloat16 where their recipe is not: tables mark it."""
        return any(record.spec.in_half for record in self.runs(row, column).values())

    @property
    def records(self) -> list[Record]:
        """All Records, each once."""
        return list({record.id: record for runs in self.cells.values() for record in runs.values()}.values())

    def progress(self) -> str:
        """How many of the grid's runs there are, in a sentence; cells without any are named, or counted if many."""
        runs, done = len(self.grid.specs(self.seeds)), len(self.records)
        half = half_in_words(sum(record.spec.in_half for record in self.records), done)
        if done == runs:
            return f"All {runs} runs are there{half}."
        if not done:
            return f"None of the {runs} runs is there yet."
        empty = [f"{row} under {column}" for (row, column), found in self.cells.items() if not found]
        text = f"{done} of {runs} runs are there{half}"
        if len(empty) > _NAMED:
            return f"{text}; {len(empty)} of {len(self.cells)} cells have none."
        return f"{text}; none of {listed(empty)}." if empty else f"{text}."


def read(
    grid: Grid, stores: Sequence[Store], seeds: Iterable[int] | None = None, precision: str = "any"
) -> GridRecords:
    """What the stores have of a grid's runs, all of a cell's in one precision.

    That is the recipe's own wherever there is any run in it, else bfloat16. A table of the paper chooses cell by
    cell, since each of its cells is compared with the paper's; verdicts, claims and differences of its cells take
    runs of both precisions alike, and the tables mark which is which. Any other grid chooses once for all its cells,
    which are there to be compared with one another. A grid that names precisions itself has the runs it names.

    Parameters
    ----------
    stores
        to look into, in this order. A damaged file counts as missing, with a warning.
    seeds
        instead of the grid's own.
    precision
        "any", as above, or "float32" or "bfloat16": runs in that one alone.

    Raises
    ------
    InputError
        for an unknown precision.
    """
    seeds = grid.seeds if seeds is None else tuple(dict.fromkeys(seeds))
    order = [(row, column) for row in grid.rows for column in grid.columns if (row, column) in grid.cells]
    cells: dict[Cell, dict[int, Record]] = {}
    for together in [order] if grid.table is None else [[cell] for cell in order]:
        for at in precisions(grid, precision):
            for cell in together:
                runs = zip(seeds, grid.runs(cell, seeds), strict=True)
                found = ((seed, stored(run.at(at) if at else run, stores)) for seed, run in runs)
                cells[cell] = {seed: record for seed, record in found if record is not None}
            if any(cells[cell] for cell in together):
                break
    return GridRecords(grid, seeds, cells)


def precisions(grid: Grid, precision: str = "any") -> tuple[str, ...]:
    """In which to look for a grid's runs, one after the other until there are some; "" is each recipe's own."""
    if precision != "any":
        return (precision,)
    return ("",) if grid.names_precision else ("", "bfloat16")


def mean_std(values: Sequence[float]) -> tuple[float, float]:
    """Mean and unbiased standard deviation; NaN where there are too few values for one."""
    return fmean(values) if values else math.nan, stdev(values) if len(values) > 1 else math.nan
