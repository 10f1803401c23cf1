"""The curves behind the cells: every value is there, and each cell says where its runs end."""

import math
from dataclasses import replace

import pytest

from jal.analysis.studies.cell_curves import best_epoch, curves, ends, table
from jal.errors import InputError
from jal.experiments.grids.grid import product
from jal.experiments.grids.words import losses, noises
from tests.analysis.filled import filled

RUNS = {
    ("CE", "symmetric 0.4", 123): {"test_accuracy": [50.0, 90.0, 80.0], "memorised": [10.0, 40.0, 70.0]},
    ("CE", "symmetric 0.4", 124): {"test_accuracy": [60.0, 60.0, 50.0], "memorised": [10.0, 20.0, 30.0]},
    ("CE", "clean", 123): {"test_accuracy": [50.0, 90.0, 95.123456]},
}


@pytest.fixture
def records():
    common = {"dataset": "digits", "epochs": 3}
    grid = product("small", "Small", losses("CE", "GCE"), noises("clean", "symmetric 0.4"), common)
    return filled(grid, lambda *run: RUNS.get(run))


def test_the_tidy_frame_holds_every_value_once(records):
    frame = curves(records)
    assert list(frame.columns) == ["row", "column", "seed", "epoch", "quantity", "value"]
    found = frame.set_index(["row", "column", "seed", "quantity", "epoch"])["value"].to_dict()
    assert found == {
        (*run, name, epoch): value
        for run, held in RUNS.items()
        for name, values in held.items()
        for epoch, value in enumerate(values, 1)
    }


def test_only_some_quantities(records):
    assert set(curves(records, ["memorised"])["quantity"]) == {"memorised"}
    assert len(curves(records, [])) == 0
    with pytest.raises(InputError, match="unknown quantity 'memorized': did you mean 'memorised'"):
        curves(records, ["memorized"])


def test_nothing_run_gives_the_same_columns(records):
    nothing = filled(records.grid, lambda *run: None)
    assert dict(curves(nothing, ["memorised"]).dtypes) == dict(curves(records).dtypes)
    assert dict(ends(nothing).dtypes) == dict(ends(records).dtypes)


def test_each_cell_says_where_its_runs_end(records):
    frame = ends(records).set_index(["row", "column"])
    noisy = frame.loc[("CE", "symmetric 0.4")]
    assert noisy[["n", "last", "best", "best_epoch", "memorised"]].tolist() == [2, 65.0, 75.0, 1.5, 50.0]
    assert noisy["last_std"] == pytest.approx(math.sqrt(450))
    clean = frame.loc[("CE", "clean")]
    assert clean[["n", "last", "best", "best_epoch"]].tolist() == [1, 95.123456, 95.123456, 3]
    assert clean[["last_std", "memorised", "memorised_std"]].isna().all()
    assert frame.loc[("GCE", "clean"), "n"] == 0 and frame.loc["GCE"].drop(columns="n").isna().all(axis=None)


def test_the_best_epoch_is_the_earliest_of_several(records):
    assert best_epoch(records.runs("CE", "symmetric 0.4")[124]) == 1


def test_a_quantity_that_should_fall_has_no_best_epoch(records):
    with pytest.raises(InputError, match="unknown quantity with a best epoch 'memorised'"):
        ends(records, "memorised")


def test_a_column_of_another_test_set_is_left_out(records):
    other = replace(records, grid=replace(records.grid, test_sets={"clean": "others"}))
    assert set(ends(other)["column"]) == set(curves(other)["column"]) == {"symmetric 0.4"}


def test_the_table_has_means_and_deviations_in_the_grids_order(records):
    shown = table(ends(records))
    assert list(shown.index) == ["CE", "GCE"] and list(shown.columns) == ["clean", "symmetric 0.4"]
    assert shown.loc["CE"].tolist() == ["95.1", "65.0 ± 21.2"]
    assert shown.loc["GCE"].tolist() == ["", ""]
    assert table(ends(records), "best_epoch", 2).loc["CE", "symmetric 0.4"] == "1.50"
    with pytest.raises(InputError, match="unknown value 'first'"):
        table(ends(records), "first")
