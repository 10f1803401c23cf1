"""A grid's Records: what is there, what is missing, and differences of their means."""

import math
from dataclasses import replace

import pytest

from jal.analysis.records import mean_std, read
from jal.errors import InputError
from jal.experiments import Store
from jal.experiments.grids import get
from jal.experiments.grids.grid import product
from jal.experiments.grids.words import losses, noises
from tests.analysis.filled import filled, record_of


@pytest.fixture
def grid():
    return product(
        "small",
        "Small",
        losses("CE", "GCE"),
        noises("clean", "symmetric 0.4"),
        {"dataset": "digits", "epochs": 2},
    )


def test_other_seeds_than_the_grids(grid, tmp_path):
    store = Store(tmp_path)
    (spec,) = grid.runs(("CE", "clean"), [7])
    store.put(record_of(spec, 80.0))
    found = read(grid, [store], seeds=[7, 8, 7])
    assert (found.seeds, found.values("CE", "clean")) == ((7, 8), [80.0])


def test_a_damaged_file_counts_as_missing_and_is_named(grid, tmp_path):
    store = Store(tmp_path)
    store.put(record_of(grid.runs(("CE", "clean"))[0], 80.0)).write_text("{")
    with pytest.warns(UserWarning, match="not a valid Record"):
        assert read(grid, [store]).records == []


@pytest.fixture
def mixed(grid, tmp_path):
    """A cell with a run in each precision, one in bfloat16 alone, one in float32 alone, and one without."""
    store = Store(tmp_path)
    first, second, _ = grid.runs(("CE", "clean"))
    store.put(record_of(first, 80.0))
    store.put(record_of(second.at("bfloat16"), 10.0))
    for run in grid.runs(("CE", "symmetric 0.4")):
        store.put(record_of(run.at("bfloat16"), 60.0 + run.seed - 123))
    store.put(record_of(grid.runs(("GCE", "clean"))[0], 82.0))
    return [store]


def shown(found):
    return {cell: found.values(*cell) for cell in found.cells if found.values(*cell)}


FLOAT = {("CE", "clean"): [80.0], ("GCE", "clean"): [82.0]}
HALF = {("CE", "symmetric 0.4"): [60.0, 61.0, 62.0]}


def test_a_cell_of_the_papers_tables_has_its_recipes_precision_or_else_bfloat16(grid, mixed):
    found = read(replace(grid, table=3), mixed)
    assert shown(found) == FLOAT | HALF
    assert [cell for cell in found.cells if found.in_half(*cell)] == list(HALF)
    assert (
        found.progress() == "5 of 12 runs are there, 3 of them in bfloat16; none of GCE under symmetric 0.4."
    )


def test_a_grid_that_compares_its_own_cells_has_one_precision(grid, mixed):
    assert shown(read(grid, mixed)) == FLOAT
    noisy = product(
        "n", "N", losses("CE", "GCE"), noises("symmetric 0.4"), {"dataset": "digits", "epochs": 2}
    )
    found = read(noisy, mixed)
    assert shown(found) == HALF
    assert found.progress() == "3 of 6 runs are there, all in bfloat16; none of GCE under symmetric 0.4."


def test_one_precision_alone_if_asked(grid, mixed):
    table = replace(grid, table=3)
    assert shown(read(table, mixed, precision="float32")) == FLOAT
    assert shown(read(table, mixed, precision="bfloat16")) == {("CE", "clean"): [10.0]} | HALF
    with pytest.raises(InputError, match="unknown precision 'half'"):
        read(table, mixed, precision="half")


def test_a_grid_that_names_precisions_has_the_runs_it_names(grid, mixed):
    """In a comparison of the two no run stands in for one of the other."""
    columns = {"float32": {"precision": "float32"}, "bfloat16": {"precision": "bfloat16"}}
    words = {"dataset": "digits", "epochs": 2, "noise": "symmetric", "rate": 0.4}
    found = read(replace(product("p", "P", losses("CE"), columns, words), table=3), mixed)
    assert shown(found) == {("CE", "bfloat16"): [60.0, 61.0, 62.0]}


def test_a_recipe_that_is_bfloat16_itself_is_not_marked(tmp_path):
    table = get("table6")
    (cell, *_) = table.cells
    run = table.runs(cell)[0]
    Store(tmp_path).put(record_of(run, 70.0))
    found = read(table, [Store(tmp_path)])
    assert run.recipe.precision == "bfloat16" and found.values(*cell) == [70.0] and not found.in_half(*cell)


def test_progress_says_what_is_missing(grid):
    assert filled(grid, lambda *cell: 1.0).progress() == "All 12 runs are there."
    assert filled(grid, lambda *cell: None).progress() == "None of the 12 runs is there yet."
    one_seed = filled(grid, lambda row, column, seed: 1.0 if seed == 123 else None)
    assert one_seed.progress() == "4 of 12 runs are there."
    half = filled(grid, lambda row, column, seed: 1.0 if row == "CE" else None)
    assert half.progress() == "6 of 12 runs are there; none of GCE under clean and GCE under symmetric 0.4."


def test_many_empty_cells_are_counted():
    found = filled(get("ranking", profile="quick"), lambda row, column, seed: 1.0 if row == "CE" else None)
    assert found.progress() == "21 of 126 runs are there; 35 of 42 cells have none."


def test_a_run_in_two_cells_counts_once():
    same = product("twice", "Twice", losses("CE"), {"a": {}, "b": {}}, {"dataset": "digits", "epochs": 2})
    found = filled(same, lambda *cell: 1.0)
    assert found.progress() == "All 3 runs are there."


def test_means_of_few_values():
    assert mean_std([1.0, 3.0]) == (2.0, pytest.approx(math.sqrt(2)))
    assert mean_std([4.0])[0] == 4.0 and math.isnan(mean_std([4.0])[1])
    assert all(map(math.isnan, mean_std([])))
