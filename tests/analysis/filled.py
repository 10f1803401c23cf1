"""Grids filled with Records made by hand, so that what has to come out is known."""

from collections.abc import Callable, Mapping

from jal.analysis.records import GridRecords
from jal.experiments import Record
from jal.experiments.grids import Grid
from jal.experiments.spec import RunSpec

Curves = Mapping[str, list[float]]


def record_of(spec: RunSpec, curves: Curves | float) -> Record:
    """A run's Record with these curves; of a number, the accuracy of all its epochs."""
    if not isinstance(curves, Mapping):
        curves = {"test_accuracy": [float(curves)] * spec.recipe.epochs}
    return Record(
        schema=1,
        id=spec.id,
        spec=spec,
        accuracy=curves["test_accuracy"][-1],
        curves=dict(curves),
        environment={"device": "cpu", "processor": "p", "commit": "c", "dirty": False},
        timing={"seconds": 1.0, "images_per_second": 1.0},
    )


def filled(grid: Grid, curves: Callable[[str, str, int], Curves | float | None]) -> GridRecords:
    """The grid with what `curves` says of row, column and seed; None: that run is missing."""
    cells = {}
    for row, column in grid.cells:
        runs = zip(grid.seeds, grid.runs((row, column)), strict=True)
        found = {seed: (spec, curves(row, column, seed)) for seed, spec in runs}
        cells[row, column] = {
            seed: record_of(spec, values) for seed, (spec, values) in found.items() if values is not None
        }
    return GridRecords(grid, grid.seeds, cells)
