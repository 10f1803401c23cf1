"""Cells out of a grid and its stores, and their comparison with what is reported."""

import math
from dataclasses import replace

import pandas as pd
import pytest

from jal.analysis.comparison import (
    Cell,
    cells_of,
    chance_in_words,
    comparison,
    condition,
    expected,
    in_paper,
)
from jal.analysis.paper import reported as paper_table
from jal.analysis.records import mean_std, read
from jal.analysis.stats import Power, Summary, compare, power
from jal.errors import InputError
from jal.experiments import Store
from jal.experiments.grids import Grid, names
from jal.experiments.grids import get as grid_named

EPOCHS = 3


@pytest.fixture
def grid():
    words = {"dataset": "digits", "epochs": EPOCHS}
    cells = {
        (loss, column): {"loss": loss, **noise, **words}
        for loss in ("CE", "JAL-CE")
        for column, noise in {
            "clean": {"noise": "clean"},
            "symmetric 0.4": {"noise": "symmetric", "rate": 0.4},
        }.items()
        if (loss, column) != ("CE", "clean")
    }
    return Grid("small", "Small", ("CE", "JAL-CE"), ("clean", "symmetric 0.4"), cells, (tuple(cells),))


def nothing(row, column):
    return None


def test_cells_hold_what_is_reported_and_each_run_that_a_store_has(grid, make, tmp_path):
    first, second = Store(tmp_path / "a"), Store(tmp_path / "b")
    first.put(make("CE", (1.0, 2.0, 80.0)))
    second.put(make("CE", (1.0, 2.0, 80.0)))  # the same run counts once
    second.put(make("CE", (1.0, 2.0, 83.0), seed=125))
    second.put(make("CE", (1.0, 2.0, 10.0), seed=126))  # not one of the grid's seeds
    second.put(make("CE", (1.0, 2.0, 10.0), seed=124, noise_seed=1))  # not one of its runs
    paper = {("CE", "symmetric 0.4"): Summary(81.0, 0.5, 3)}
    cells = cells_of(read(grid, [first, second]), lambda row, column: paper.get((row, column)))
    assert cells == [
        Cell("CE", "symmetric 0.4", Summary(81.0, 0.5, 3), (80.0, 83.0), "digits symmetric 0.4"),
        Cell("JAL-CE", "clean", None, (), "digits clean"),
        Cell("JAL-CE", "symmetric 0.4", None, (), "digits symmetric 0.4"),
    ]


def test_cells_of_other_seeds_and_quantities(grid, make, tmp_path):
    store = Store(tmp_path)
    store.put(make("CE", (1.0, 2.0, 80.0), seed=7))
    best = max
    cells = cells_of(read(grid, [store], [7]), nothing, lambda record: best(record.curves["memorised"]))
    assert [cell.measured for cell in cells] == [(70.0,), (), ()]
    assert [cell.measured for cell in cells_of(read(grid, [store], []), nothing)] == [(), (), ()]


def test_a_damaged_record_is_named_and_counts_as_missing(grid, make, tmp_path):
    store = Store(tmp_path)
    store.put(make("CE", (1.0, 2.0, 80.0))).write_text("{")
    with pytest.warns(UserWarning, match="not a valid Record"):
        cells = cells_of(read(grid, [store]), nothing)
    assert cells[0].measured == ()


def test_the_condition_names_dataset_test_set_and_noise():
    assert condition("cifar10", noise="symmetric", rate=0.8) == "cifar10 symmetric 0.8"
    assert condition("cifar100", noise="human", variant="noisy") == "cifar100 human noisy"
    assert condition("webvision", "ilsvrc12") == "webvision ilsvrc12"
    assert condition("webvision", "webvision") == "webvision"


def test_a_column_may_show_another_test_set(grid, make, tmp_path):
    store = Store(tmp_path)
    store.put(replace(make("CE", (1.0, 2.0, 80.0)), accuracies={"digits": 80.0, "others": 33.0}))
    store.put(make("CE", (1.0, 2.0, 81.0), seed=124))  # was not tested on it
    (cell, *_) = cells_of(read(replace(grid, test_sets={"symmetric 0.4": "others"}), [store]))
    assert cell.measured == (33.0,)
    assert cell.condition == "digits others symmetric 0.4"


@pytest.mark.parametrize(
    ("name", "row", "column", "mean"),
    [
        ("table1", "AGCE+MAE", "symmetric 0.8", 44.61),
        ("table3-cifar10", "CE", "clean", 90.50),
        ("table3-cifar10", "JAL-CE", "symmetric 0.8", 65.43),
        ("table3-cifar100", "ANL-FL", "asymmetric 0.4", 46.20),
        ("table4", "JAL-FL", "CIFAR-100 0.6", 51.69),
        ("table5", "CE", "CIFAR-10N worst", 61.43),
        ("table6", "CE", "WebVision", 66.28),
        ("table6", "CE", "ILSVRC12", 60.68),
        ("table7", "AGCE+MAE (10, 10)", "symmetric 0.8", 21.83),
        ("table7", "MAE", "symmetric 0.4", 82.03),
    ],
)
def test_a_table_of_the_paper_is_looked_up_by_its_grid(name, row, column, mean):
    assert in_paper(grid_named(name))(row, column).mean == mean


def test_what_the_paper_has_not_is_none():
    lookup = in_paper(grid_named("table3-cifar10"))
    assert lookup("LT-APL", "clean") is None
    assert lookup("JAL-CE", "symmetric 0.5") is None
    laptop = grid_named("table3-cifar10", profile="laptop")
    assert in_paper(laptop)("CE", "symmetric 0.4") is None


def test_every_cell_of_the_papers_tables_has_its_place_in_a_grid():
    for table in range(1, 8):
        grids = [grid_named(name) for name in names()]
        found = [in_paper(grid)(*cell) for grid in grids if grid.table == table for cell in grid.cells]
        frame = paper_table(table)
        assert sorted(cell.mean for cell in found if cell) == sorted(frame["mean"].dropna())


CELLS = [
    Cell("CE", "clean", Summary(90.0, 0.1, 3), (90.1, 90.0, 90.2), "d clean"),
    Cell("CE", "symmetric 0.4", Summary(60.0, 0.1, 3), (62.1, 62.0, 62.2), "d symmetric 0.4"),
    Cell("JAL-CE", "clean", Summary(91.0, None, None), (91.5,), "d clean"),
    Cell("JAL-CE", "symmetric 0.4", Summary(88.0, 1.0, 3), (89.0, 86.0), "d symmetric 0.4"),
    Cell("GCE", "clean", None, (70.0, 71.0), "d clean"),
    Cell("GCE", "symmetric 0.4", Summary(88.0, 1.0, 3), (), "d symmetric 0.4"),
]


def test_a_row_for_each_cell_with_its_verdict():
    frame = comparison(CELLS)
    words = ["agrees", "differs", "no std", "inconclusive", "not reported", "not run"]
    assert list(frame["verdict"]) == words
    assert list(frame["n"]) == [3, 3, 1, 2, 2, 0]
    first, paper = frame.iloc[1], CELLS[1].reported
    found = compare(CELLS[1].measured, paper)
    for name in ("difference", "low", "high"):
        assert first[name] == getattr(found, name)
    assert (first["mean"], first["std"]) == mean_std(CELLS[1].measured)
    assert (first["reported_mean"], first["reported_std"], first["reported_n"]) == (60.0, 0.1, 3)
    assert first["condition"] == "d symmetric 0.4"
    assert math.isnan(frame.loc[2, "reported_std"]) and frame.loc[2, "reported_n"] is pd.NA
    assert math.isnan(frame.loc[2, "low"]) and math.isnan(frame.loc[5, "mean"])


def test_a_comparison_of_nothing_has_the_same_columns():
    frame = comparison([])
    assert list(frame.columns) == list(comparison(CELLS).columns)
    assert dict(frame.dtypes) == dict(comparison(CELLS).dtypes)
    assert chance_in_words(frame).startswith("No cell has two or more runs")


def test_a_cell_must_not_come_twice():
    with pytest.raises(InputError, match="two cells are labelled CE, clean"):
        comparison([CELLS[0], CELLS[0]])


def test_expected_verdicts_are_those_of_the_spread_that_both_sides_show():
    assert expected(comparison(CELLS[4:])) == Power(0.0, 0.0, 0.0)
    both = expected(comparison([CELLS[0], CELLS[3], CELLS[5]]))
    first = power(0.1, 3, 3)
    second = power(math.sqrt((2 * 1.0**2 + 1 * 4.5) / 3), 3, 2)
    for name in ("agrees", "inconclusive", "differs"):
        assert getattr(both, name) == pytest.approx(getattr(first, name) + getattr(second, name))


def test_the_sentence_counts_what_was_found_beside_what_chance_gives():
    frame = comparison(CELLS)
    text = chance_in_words(frame)
    assert text.startswith(
        "Of 3 cells with two or more runs on both sides, 1 agree, 1 differ and 1 are inconclusive."
    )
    assert f"{expected(frame).differs:.1f} to differ by chance" in text
