"""The tidy frame: what is in it of a grid made by hand, and what is made of it."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from jal.analysis import frame as module
from jal.analysis.frame import (
    COLUMNS,
    chapter,
    curves,
    frame,
    gaps,
    named,
    nearest,
    of_records,
    records,
    summary,
    versus,
    wide,
)
from jal.analysis.stats import Summary
from jal.errors import InputError
from jal.experiments import grids
from jal.experiments.grids.grid import product
from tests.analysis.filled import filled

VALUES = {("CE", "0.4"): (50.0, 52.0, 57.0), ("JAL-CE", "0.4"): (70.0, 71.0, 75.0), ("CE", "0.8"): (20.0,)}


@pytest.fixture
def found():
    grid = product(
        "of-two",
        "Two losses",
        {loss: {"loss": loss} for loss in ("CE", "JAL-CE")},
        {str(rate): {"noise": "symmetric", "rate": rate} for rate in (0.4, 0.8)},
        {"dataset": "digits", "epochs": 3},
    )

    def value(row, column, seed):
        runs = VALUES.get((row, column), ())
        at = grid.seeds.index(seed)
        if at >= len(runs):
            return None
        return {"test_accuracy": [10.0, 99.0, runs[at]], "memorised": [1.0, 2.0, float(at)]}

    return filled(grid, value)


@pytest.fixture
def tidy(found):
    def paper(row, column):
        return Summary(60.0, 1.5, 3) if (row, column) == ("CE", "0.4") else None

    return frame(found, profile="quick", lookup=paper)


def test_there_is_a_row_for_each_run_and_metric(tidy):
    run = tidy[tidy["seed"].eq(124) & tidy["row"].eq("CE") & tidy["column"].eq("0.4")]
    assert dict(zip(run["metric"], run["value"], strict=True)) == {
        "accuracy": 52.0,
        "best": 99.0,
        "best_epoch": 2.0,
        "test_accuracy": 52.0,
        "memorised": 1.0,
    }
    first = run.iloc[0]
    assert (first["source"], first["profile"], first["grid"]) == ("ours", "quick", "of-two")
    assert (first["dataset"], first["noise"], first["rate"], first["loss"]) == (
        "digits",
        "symmetric",
        0.4,
        "CE",
    )
    assert first["id"] == first["record"].id


def test_a_run_that_is_not_there_has_a_row_too(tidy):
    missing = tidy[tidy["value"].isna()]
    assert len(missing) == 12 - sum(map(len, VALUES.values()))
    assert (
        missing["record"].isna().all() and missing["metric"].eq("accuracy").all() and missing["n"].eq(0).all()
    )


def test_a_reported_cell_has_one_row(tidy):
    (row,) = tidy[tidy["source"].eq("paper")].to_dict("records")
    assert (row["row"], row["column"], row["value"], row["std"], row["n"]) == ("CE", "0.4", 60.0, 1.5, 3)
    assert pd.isna(row["id"]) and pd.isna(row["record"])


def test_fields_of_the_recipe_are_columns_where_they_differ(found):
    assert [name for name in frame(found) if name not in COLUMNS] == ["l1", "l2"]  # each loss has its penalty
    penalties = frame(filled(grids.get("regulariser", profile="quick"), lambda *_: 50.0))
    assert {"l1", "l2"} <= set(penalties) and "epochs" not in penalties
    assert list(penalties)[-5:] == ["metric", "value", "std", "n", "record"]


def test_a_frame_has_the_same_types_whatever_is_in_it(tidy, found):
    nothing = frame(filled(found.grid, lambda *_: None))
    assert nothing.dtypes.to_dict() == tidy.dtypes.to_dict()


def test_a_column_of_another_test_set_has_its_accuracy_alone():
    grid = grids.get("table6")
    (column,) = [c for c, test_set in grid.test_sets.items() if test_set == "ilsvrc12"]
    tidy = frame(filled(grid, lambda *_: 50.0))
    assert set(tidy.loc[tidy["column"].eq(column), "metric"]) == {
        "accuracy",
        "best",
        "best_epoch",
        "test_accuracy",
    }
    with_both = filled(grid, lambda *_: 50.0)
    for run in with_both.cells["CE", column].values():
        vars(run)["accuracies"] = {"webvision": 50.0, "ilsvrc12": 40.0}
    tidy = frame(with_both)
    shown = tidy[tidy["column"].eq(column) & tidy["row"].eq("CE") & tidy["source"].eq("ours")]
    assert set(shown["metric"]) == {"accuracy"} and set(shown["value"].dropna()) == {40.0}


def test_a_summary_has_what_is_reported_and_what_was_run(tidy):
    found = summary(tidy).set_index(["source", "row", "column"])
    assert tuple(found.loc[("paper", "CE", "0.4"), ["mean", "std", "n"]]) == (60.0, 1.5, 3)
    ours = found.loc[("ours", "JAL-CE", "0.4")]
    assert (ours["mean"], ours["n"]) == (72.0, 3) and ours["std"] == pytest.approx(
        np.std([70, 71, 75], ddof=1)
    )
    assert found.loc[("ours", "CE", "0.8"), "n"] == 1 and math.isnan(found.loc[("ours", "CE", "0.8"), "std"])
    assert found.loc[("ours", "JAL-CE", "0.8"), "n"] == 0
    best = summary(tidy, ["row"], "best")
    assert best["mean"].tolist() == [99.0, 99.0]


def test_versus_compares_the_runs(tidy):
    found = versus(tidy, "loss", "JAL-CE", ["CE", "JAL-CE"])
    ours = found[found["source"].eq("ours")].set_index("column")
    expected = scipy_stats.ttest_ind([70, 71, 75], [50, 52, 57], equal_var=False).confidence_interval()
    row = ours.loc["0.4"]
    assert row["difference"] == 19.0 and (row["low"], row["high"]) == pytest.approx(
        (expected.low, expected.high)
    )
    assert (row["n"], row["n_over"], row["verdict"]) == (3, 3, "differs")
    assert ours.loc["0.8", "verdict"] == "not run" and ours.loc["0.8", "n_over"] == 1
    assert found[found["source"].eq("paper")].empty  # it reports only one of the two


def test_gaps_are_those_of_pairs_of_rows_in_what_is_reported_and_in_our_runs(tidy):
    found = gaps(tidy, [("JAL-CE", "CE"), ("CE", "JAL-CE")])
    assert list(found["pair"]) == ["JAL-CE over CE", "CE over JAL-CE"]
    assert list(found["runs"]) == ["digits", "digits"] and list(found["column"]) == ["0.4", "0.4"]
    assert list(found["difference"]) == pytest.approx([19.0, -19.0])
    assert list(found["sign"]) == [1, -1]
    # What is not told apart, and what has no interval, has the sign 0.
    few = tidy[tidy["seed"].isna() | tidy["seed"].eq(123)]
    assert list(gaps(few, [("JAL-CE", "CE")])["sign"]) == [0]
    assert gaps(tidy, [("JAL-CE", "CE")], "memorised")["sign"].tolist() == [0]


def test_rows_are_named_after_the_paper_or_our_dataset(tidy):
    runs = named(tidy.assign(dataset="fashion-mnist"))["runs"]
    assert set(runs[tidy["source"].eq("paper")]) == {"as reported"}
    assert set(runs[tidy["source"].eq("ours")]) == {"Fashion-MNIST"}


def test_the_nearest_profile_is_one_with_a_run_in_each_cell(tidy):
    full = tidy[tidy["column"].eq("0.8")].assign(profile="full")
    laptop = tidy[tidy["column"].eq("0.4")].assign(profile="laptop")
    both = pd.concat([laptop, full])
    # JAL-CE was not run at 0.8.
    assert set(nearest(both)["profile"]) == {"laptop"}
    assert set(nearest(both)["source"]) == {"ours"}
    # Where no profile has all of it, the one with most runs; without any, nothing.
    assert set(nearest(pd.concat([tidy, full]), ["0.8"])["profile"]) == {"full"}
    assert set(nearest(pd.concat([tidy, full]))["profile"]) == {"quick"}
    assert nearest(tidy[tidy["row"].eq("JAL-CE") & tidy["column"].eq("0.8")]).empty


def test_records_without_a_grid_make_the_same_frame(make):
    found = of_records([make("CE"), make("JAL-CE", (1.0, 5.0, 3.0), noise="asymmetric")], "quick")
    assert {name: str(found[name].dtype) for name in COLUMNS} == {
        name: "object" if kind == "object" else kind for name, kind in COLUMNS.items()
    }
    run = found[found["row"].eq("JAL-CE")]
    assert set(run["column"]) == {"asymmetric 0.4"} and set(run["profile"]) == {"quick"}
    values = dict(zip(run["metric"], run["value"], strict=True))
    assert (values["accuracy"], values["best"], values["best_epoch"]) == (3.0, 5.0, 2.0)
    assert list(wide(summary(found, ["row", "column"]), "row", "column").index) == ["CE", "JAL-CE"]


def test_wide_tables_are_text_in_the_order_of_first_appearance(tidy):
    ours = summary(tidy[tidy["source"].eq("ours")], ["row", "column"])
    table = wide(ours, "row", "column")
    assert list(table.index) == ["CE", "JAL-CE"] and list(table.columns) == ["0.4", "0.8"]
    assert table.to_numpy().tolist() == [["53.0 ± 3.6", "20.0"], ["72.0 ± 2.6", ""]]
    gaps = wide(versus(tidy[tidy["source"].eq("ours")], "loss", "JAL-CE", "CE"), ["one", "over"], "column", 0)
    assert gaps.loc[("JAL-CE", "CE"), "0.4"].startswith("+19 [+") and gaps.loc[("JAL-CE", "CE"), "0.8"] == ""


def test_curves_have_every_epoch_of_every_run(tidy):
    found = curves(tidy, ["test_accuracy", "memorised"])
    assert len(found) == sum(map(len, VALUES.values())) * 3 * 2
    one = found[found["loss"].eq("JAL-CE") & found["seed"].eq(125) & found["quantity"].eq("test_accuracy")]
    assert one["epoch"].tolist() == [1, 2, 3] and one["value"].tolist() == [10.0, 99.0, 75.0]
    assert curves(tidy, ["no such"]).empty and list(curves(tidy, ["no such"])) == list(found)


def test_records_are_each_there_once(tidy, found):
    assert set(records(tidy)) == {record.id for record in found.records}


def test_a_chapter_shows_the_paper_and_each_profile_and_runs_its_own(monkeypatch):
    made = []
    monkeypatch.setattr(module, "complete", lambda grid, profile, **_: made.append((grid.name, profile)))
    tidy = chapter("table3-cifar10", "quick")
    assert made == [("table3-cifar10", "quick")]
    assert list(dict.fromkeys(tidy["profile"])) == ["full", "laptop", "quick"]
    assert set(tidy.loc[tidy["source"].eq("paper"), "profile"]) == {"full"}
    assert "quick" not in set(chapter("table3-cifar10", "laptop")["profile"])
    with pytest.raises(InputError, match="unknown profile"):
        chapter("table3-cifar10", "slow")
