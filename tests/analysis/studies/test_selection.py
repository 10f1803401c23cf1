"""Choosing without clean labels: picks, what they cost, and what there is to say where runs are missing."""

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from matplotlib import pyplot as plt

from jal.analysis.figures import style
from jal.analysis.studies.selection import (
    between_columns,
    between_rows,
    choices,
    early_stopping,
    early_stopping_in_words,
    regret_table,
    regrets,
    regrets_in_words,
    scatter,
    scores,
)
from jal.errors import InputError
from jal.experiments.grids import get
from jal.experiments.grids.grid import product
from jal.experiments.grids.words import losses, noises
from tests.analysis.filled import filled, record_of

NOISES = ("clean", "symmetric 0.4", "symmetric 0.8")


def grid_of(*names):
    return product("small", "Small", losses(*names), noises(*NOISES), {"dataset": "digits", "epochs": 3})


def ending(test, validation):
    """A run that ends with these accuracies, having had others before."""
    return {"test_accuracy": [99.0, 1.0, test], "validation_accuracy": [1.0, 2.0, validation]}


# Test and validation accuracy at the end, by loss, for each seed.
ENDS = {
    123: {"CE": (70.0, 40.0), "GCE": (80.0, 45.0), "JAL-CE": (90.0, 50.0)},
    124: {"CE": (70.0, 40.0), "GCE": (80.0, 55.0), "JAL-CE": (90.0, 50.0)},
}


@pytest.fixture
def records():
    def run(row, column, seed):
        return ending(*ENDS[seed][row]) if column == "symmetric 0.4" and seed in ENDS else None

    return filled(grid_of("CE", "GCE", "JAL-CE"), run)


def brute_tau(a, b):
    """Kendall's tau-b by its definition."""
    signs = [(np.sign(a[i] - a[j]), np.sign(b[i] - b[j])) for i, j in combinations(range(len(a)), 2)]
    return sum(x * y for x, y in signs) / math.sqrt(
        sum(x * x for x, _ in signs) * sum(y * y for _, y in signs)
    )


def test_each_seed_has_its_pick_and_its_regret(records):
    frame = choices(between_rows(records))
    assert frame["seed"].tolist() == [123, 124]
    assert frame["best"].tolist() == ["JAL-CE", "JAL-CE"]
    assert frame["pick"].tolist() == ["JAL-CE", "GCE"]
    assert frame["right"].tolist() == [True, False]
    assert frame["regret"].tolist() == [0.0, 10.0]
    assert frame["chance"].tolist() == [10.0, 10.0]
    assert frame["kendall"].tolist() == pytest.approx([1.0, brute_tau([70, 80, 90], [40, 55, 50])])
    assert frame["spearman"].tolist() == pytest.approx([1.0, np.corrcoef([1, 2, 3], [1, 3, 2])[0, 1]])
    assert frame["slope"].tolist() == pytest.approx([0.5, 0.5])


def test_regret_is_taken_seed_by_seed_and_then_averaged(records):
    row = regrets(between_rows(records)).set_index("group").loc["symmetric 0.4"]
    assert row[["n", "alternatives", "not_run", "incomplete", "right"]].tolist() == [2, 3, 0, 0, 1]
    assert (row["regret"], row["regret_std"], row["regret_max"]) == (5.0, pytest.approx(math.sqrt(50)), 10.0)
    assert (row["best"], row["pick"]) == ("JAL-CE", "JAL-CE (1) and GCE (1)")


def test_a_group_without_a_choice_says_why(records):
    clean = {"test_accuracy": [1.0, 2.0, 3.0]}
    found = replace(records, cells=records.cells | filled(records.grid, lambda *run: clean).cells)
    found = replace(found, cells=found.cells | {(row, "symmetric 0.8"): {} for row in records.grid.rows})
    frame = regrets(between_rows(found)).set_index("group")
    assert frame["why"].to_dict() == {
        "clean": "no noisy validation labels",
        "symmetric 0.4": "no noisy validation labels",
        "symmetric 0.8": "not run",
    }
    assert (frame["n"] == 0).all() and frame["regret"].isna().all()
    text = regrets_in_words(between_rows(found))
    assert "- **symmetric 0.8**: no choice to judge (not run)." in text.splitlines()
    assert regret_table(between_rows(found)).loc["clean", "the same"] == "no noisy validation labels"


def test_one_alternative_is_no_choice():
    found = filled(grid_of("CE", "GCE"), lambda row, column, seed: ending(70, 40) if row == "CE" else None)
    assert set(regrets(between_rows(found))["why"]) == {"only CE was run"}


def test_missing_runs_are_left_out_and_counted():
    def run(row, column, seed):
        if column != "symmetric 0.4" or row == "GCE" or (row, seed) == ("JAL-CE", 124):
            return None
        return ending(*ENDS[123][row])

    scored = between_rows(filled(grid_of("CE", "GCE", "JAL-CE"), run))
    row = regrets(scored).set_index("group").loc["symmetric 0.4"]
    assert row[["n", "alternatives", "not_run", "incomplete"]].tolist() == [2, 2, 1, 1]
    assert "For want of runs 1 more alternative and 1 more seed had to be left out." in regrets_in_words(
        scored
    )


def test_seeds_that_never_meet_give_no_choice():
    def run(row, column, seed):
        return ending(70, 40) if (row, seed) in (("CE", 123), ("GCE", 124)) else None

    found = regrets(between_rows(filled(grid_of("CE", "GCE"), run)))
    assert set(found["why"]) == {"no seed has all the alternatives that were run"}


def test_ties_are_picked_together_and_cost_their_mean():
    values = {"CE": (70.0, 50.0), "GCE": (80.0, 50.0), "JAL-CE": (90.0, 40.0)}
    found = filled(grid_of(*values), lambda row, column, seed: ending(*values[row]))
    row = choices(between_rows(found)).iloc[0]
    assert (row["pick"], row["regret"], row["right"]) == ("CE or GCE", 15.0, False)


def test_equal_accuracies_cost_nothing_and_have_no_rank():
    found = filled(grid_of("CE", "GCE"), lambda *run: ending(70.1, 50.3))
    row = choices(between_rows(found)).iloc[0]
    assert (row["best"], row["pick"], row["regret"], row["right"]) == ("CE or GCE", "CE or GCE", 0.0, True)
    assert math.isnan(row["kendall"]) and math.isnan(row["spearman"]) and math.isnan(row["slope"])
    text = regrets_in_words(between_rows(found))
    assert "tau" not in text and "shows as" not in text


def test_the_choice_may_be_between_runs_stopped_by_the_noisy_labels():
    curves = {
        "CE": {"test_accuracy": [85.0, 60.0, 50.0], "validation_accuracy": [60.0, 40.0, 30.0]},
        "GCE": {"test_accuracy": [70.0, 80.0, 80.0], "validation_accuracy": [40.0, 50.0, 55.0]},
    }
    found = filled(grid_of(*curves), lambda row, column, seed: curves[row])
    assert choices(between_rows(found))["pick"].iloc[0] == "GCE"
    stopped = choices(between_rows(found, "chosen")).iloc[0]
    assert (stopped["pick"], stopped["best_accuracy"]) == ("CE", 85.0)
    with pytest.raises(InputError, match="unknown epoch 'first'"):
        between_rows(found, "first")


def test_a_choice_between_the_columns_of_a_grid():
    figure4 = get("figure4", profile="quick")
    best = {"a = 10": 3.0, "a = 30": 5.0}

    def run(row, column, seed):
        value = best.get(column, 1.0)
        curve = [value] * 80
        return {"test_accuracy": curve, "validation_accuracy": curve}

    frame = regrets(between_columns(filled(figure4, run))).set_index("group")
    assert frame.loc["q = 2", "pick"] == "a = 30" and frame.loc["q = 2", "alternatives"] == 5
    assert frame.loc["q = 1", "why"] == "only a = 30 was run"


def test_a_choice_between_any_records():
    grid = grid_of("CE", "JAL-CE")
    runs = {row: grid.runs((row, "symmetric 0.4"))[:2] for row in grid.rows}
    alternatives = {
        row: [record_of(spec, ending(*ENDS[spec.seed][row])) for spec in runs[row]] for row in runs
    }
    frame = choices(scores(alternatives, "mine"))
    assert frame[["group", "pick"]].to_numpy().tolist() == [["mine", "JAL-CE"]] * 2
    with pytest.raises(InputError, match="CE has two runs of seed 123"):
        scores({"CE": alternatives["CE"] + alternatives["CE"]})


def test_runs_with_other_labels_are_no_alternatives(records):
    everywhere = filled(records.grid, lambda *run: ending(70, 40))
    with pytest.raises(InputError, match=r"symmetric 0\.4 and clean \(CE\) have other labels with seed 123"):
        between_columns(everywhere)


def test_the_sentence_holds_the_numbers(records):
    lines = regrets_in_words(between_rows(records)).splitlines()
    assert lines[1] == (
        "- **symmetric 0.4**: of 3 alternatives the noisy labels pick JAL-CE (1) and GCE (1), the test labels JAL-CE: "
        "the same in 1 of 2 seeds. It costs 5.00 ± 7.07 points, where a pick at random costs 10.00. Kendall's tau is "
        "0.67 ± 0.47. A point of test accuracy shows as 0.50 of noisy accuracy."
    )
    row = regret_table(between_rows(records)).loc["symmetric 0.4"]
    assert row["regret [points]"] == "5.00 ± 7.07" and row["the same"] == "1 of 2"


def test_early_stopping_gains_over_the_last_epoch_and_leaves_some_to_the_best():
    curves = {
        123: {
            "test_accuracy": [85.0, 88.0, 60.0],
            "validation_accuracy": [50.0, 50.0, 40.0],
        },  # a tie: the earlier
        124: {"test_accuracy": [80.0, 82.0, 70.0], "validation_accuracy": [50.0, 60.0, 40.0]},
    }
    found = filled(
        grid_of("CE", "GCE"),
        lambda row, column, seed: curves.get(seed) if (row, column) == ("CE", "symmetric 0.4") else None,
    )
    frame = early_stopping(found).set_index(["row", "column"])
    row = frame.loc[("CE", "symmetric 0.4")]
    assert row[["n", "epoch", "stopped", "gain", "regret"]].tolist() == [2, 1.5, 83.5, 18.5, 1.5]
    assert row["gain_std"] == pytest.approx(math.sqrt(2 * 6.5**2))
    assert frame.loc[("GCE", "symmetric 0.4"), "n"] == 0
    lines = early_stopping_in_words(found).splitlines()
    assert lines[1] == (
        "- **symmetric 0.4**: against the last epoch, CE +18.5 points (epoch 2, 1.5 below its best)."
    )
    assert lines[2] == "- **symmetric 0.8**: not run."


def test_early_stopping_without_validation_labels_says_so():
    found = filled(grid_of("CE"), lambda *run: 70.0)
    assert "- **clean**: no noisy validation labels." in early_stopping_in_words(found).splitlines()


def test_the_figure_shows_each_run_and_rings_the_picks(records):
    with plt.rc_context():
        style()
        figure = scatter(between_rows(records))
    (axes,) = figure.axes
    assert axes.get_title(loc="left") == "symmetric 0.4"
    *runs, picks = axes.lines[:4]
    assert {(x, y) for drawn in runs for x, y in zip(*drawn.get_data(), strict=True)} == {
        (v, t) for ends in ENDS.values() for t, v in ends.values()
    }
    assert set(zip(*picks.get_data(), strict=True)) == {(50.0, 90.0), (55.0, 80.0)}
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["CE", "GCE", "JAL-CE", "picked"]
    plt.close(figure)


def test_a_figure_of_no_choice_is_refused():
    with pytest.raises(InputError, match="no choice to show"):
        scatter(between_rows(filled(grid_of("CE"), lambda *run: 70.0)))
