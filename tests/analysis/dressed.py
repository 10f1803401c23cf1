"""A grid's Records, made by hand, that say where they ran: what pages show of a run."""

import math
from dataclasses import replace

from jal.analysis.records import GridRecords
from jal.experiments import grids
from tests.analysis.filled import filled

ENVIRONMENT = {"device": "cuda", "processor": "An Engine", "commit": "0123456789abcdef", "dirty": False}


def dressed(name="table3-cifar10", missing=()):
    """All runs of a grid but those of the cells `missing`; accuracy rises and falls, wrong labels are memorised."""
    grid = grids.get(name)

    def curves(row, column, seed):
        if (row, column) in missing:
            return None
        epochs = grid.runs((row, column))[0].recipe.epochs
        share = [(epoch + 1) / epochs for epoch in range(epochs)]
        fall = grid.rows.index(row) + (seed - 123)
        found = {"test_accuracy": [80 * (1 - math.exp(-9 * x)) - fall * x for x in share]}
        noisy = {"memorised": [4 * fall * x**2 for x in share]}
        return found if column == "clean" else found | noisy

    def dress(record):
        return replace(
            record, environment=dict(ENVIRONMENT), timing={"seconds": 60.0, "images_per_second": 1.0}
        )

    found = filled(grid, curves)
    cells = {
        cell: {seed: dress(record) for seed, record in runs.items()} for cell, runs in found.cells.items()
    }
    return GridRecords(grid, found.seeds, cells)
