"""Which samples are noisy: AUROCs at the end, at their best and where noisy labels would stop."""

import math
from dataclasses import replace

import numpy as np
import pytest
from matplotlib import pyplot as plt

from jal.analysis.studies.cell_curves import table
from jal.analysis.studies.detection import (
    auroc,
    aurocs,
    curves,
    fit_chart,
    fits,
    in_words,
    precision,
    precision_chart,
    precision_table,
    said_of_fits,
)
from jal.errors import InputError
from jal.experiments.grids.grid import product
from jal.experiments.grids.words import losses, noises
from tests.analysis.filled import filled

AUROCS = {
    ("CE", 123): [0.9, 0.8, 0.6],
    ("CE", 124): [0.8, 0.7, 0.5],
    ("JAL-CE", 123): [0.5, 0.9, 0.95],
}


@pytest.fixture
def records():
    columns = noises("clean", "symmetric 0.4", "asymmetric 0.4")
    grid = product(
        "small", "Small", losses("CE", "GCE", "JAL-CE"), columns, {"dataset": "digits", "epochs": 3}
    )

    def run(row, column, seed):
        if column == "clean":
            return 90.0
        if column != "symmetric 0.4" or (row, seed) not in AUROCS:
            return None
        return {
            "test_accuracy": [1.0, 2.0, 3.0],
            "validation_accuracy": [1.0, 3.0, 2.0],
            "noise_auroc": AUROCS[row, seed],
        }

    return filled(grid, run)


def test_each_noisy_cell_has_last_best_and_chosen(records):
    frame = aurocs(records).set_index(["row", "column"])
    assert set(frame.index.get_level_values("column")) == {"symmetric 0.4", "asymmetric 0.4"}
    row = frame.loc[("CE", "symmetric 0.4")]
    assert row[["n", "last", "best", "best_epoch", "chosen"]].tolist() == pytest.approx(
        [2, 0.55, 0.85, 1, 0.75]
    )
    for name in ("last_std", "best_std", "chosen_std"):
        assert row[name] == pytest.approx(0.1 / math.sqrt(2))
    one = frame.loc[("JAL-CE", "symmetric 0.4")]
    assert one[["n", "last", "best", "chosen"]].tolist() == [1, 0.95, 0.95, 0.9] and math.isnan(
        one["last_std"]
    )
    assert frame.loc[("GCE", "symmetric 0.4"), "n"] == 0 and math.isnan(
        frame.loc[("GCE", "symmetric 0.4"), "last"]
    )


def test_the_table_has_three_decimals(records):
    shown = table(aurocs(records), "last", 3)
    assert shown.loc["CE", "symmetric 0.4"] == "0.550 ± 0.071"
    assert shown.loc["GCE", "symmetric 0.4"] == ""


def test_a_run_without_noisy_validation_has_no_chosen_epoch(records):
    def run(row, column, seed):
        return {"test_accuracy": [1.0, 2.0, 3.0], "noise_auroc": [0.5, 0.7, 0.6]}

    frame = aurocs(filled(records.grid, run))
    assert frame["last"].tolist() == [0.6] * 6 and frame["chosen"].isna().all()


def test_the_sentence_orders_the_losses_and_names_the_greatest_fall(records):
    symmetric, asymmetric = in_words(records).splitlines()
    assert symmetric == (
        "- **symmetric 0.4**: after the last epoch the AUROC is 0.950 (JAL-CE) and 0.550 ± 0.071 (CE). It falls most "
        "for CE, from 0.850 at its best (epoch 1) to 0.550; where the noisy labels would stop it is 0.750. 1 of 3 "
        "losses are not run yet."
    )
    assert asymmetric == "- **asymmetric 0.4**: not run."


def test_nothing_falls_where_the_last_epoch_is_the_best(records):
    rising = {"test_accuracy": [1.0, 2.0, 3.0], "noise_auroc": [0.5, 0.7, 0.9]}
    text = in_words(filled(records.grid, lambda *run: rising))
    assert "falls" not in text and text.count("0.900 ± 0.000") == 6


def test_clean_labels_have_nothing_to_tell(records):
    clean = replace(records, cells={cell: runs for cell, runs in records.cells.items() if cell[1] == "clean"})
    assert list(aurocs(clean).columns) == list(aurocs(records).columns)
    assert aurocs(clean).empty and in_words(clean) == ""


def test_the_figure_has_a_line_for_each_loss_and_one_for_guessing(records):
    figure = curves(records.records)
    (axes,) = figure.axes
    guessing, *drawn = axes.lines
    assert {tuple(np.round(line.get_ydata(), 6)) for line in drawn} == {(0.85, 0.75, 0.55), (0.5, 0.9, 0.95)}
    assert set(guessing.get_ydata()) == {0.5}
    plt.close(figure)


def test_a_figure_of_clean_labels_is_refused(records):
    clean = [record for record in records.records if record.spec.noise.kind == "clean"]
    with pytest.raises(InputError, match="no Records with wrong labels"):
        curves(clean)


def test_a_two_valued_loss_has_the_auroc_of_fit_and_memory():
    random = np.random.default_rng(0)
    wrong = random.random(500) < 0.4
    reproduced = random.random(500) < np.where(wrong, 0.3, 0.9)
    c, m = reproduced[~wrong].mean(), reproduced[wrong].mean()
    assert auroc(~reproduced, wrong) == pytest.approx((1 + c - m) / 2)


def test_the_auroc_is_the_share_of_ordered_pairs():
    values, wrong = np.array([0.1, 0.5, 0.5, 0.9, 0.2]), np.array([0, 0, 1, 1, 1], bool)
    pairs = [(v > w) + 0.5 * (v == w) for v in values[wrong] for w in values[~wrong]]
    assert auroc(values, wrong) == pytest.approx(np.mean(pairs))
    assert auroc(-values, wrong) == pytest.approx(1 - np.mean(pairs))


def test_precision_counts_the_wrong_among_the_most_suspect():
    values, wrong = [0.1, 0.9, 0.4, 0.8], [False, True, True, False]
    assert precision(values, wrong).tolist() == pytest.approx([1, 0.5, 2 / 3, 0.5])
    shown = precision_table({"CE": values, "turned": [-v for v in values]}, wrong, [1, 2])
    assert shown.loc["CE"].tolist() == ["0.750", "100.0", "50.0"]
    assert shown.loc["turned", "first 1 [%]"] == "0.0"


@pytest.mark.parametrize(
    ("values", "wrong"), [([1.0, 2.0], [True, True]), ([1.0, 2.0], [False, False]), ([1.0], [True, False])]
)
def test_labels_of_one_kind_tell_nothing(values, wrong):
    with pytest.raises(InputError, match="give one value a label, and labels of both kinds"):
        auroc(values, wrong)
    with pytest.raises(InputError, match="labels of both kinds"):
        precision(values, wrong)


def test_the_precision_s_figure_has_a_line_for_each_way_and_one_for_lots():
    wrong = np.array([True, False, False, True])
    figure = precision_chart({"CE": [4, 3, 2, 1]}, wrong, {"CE": {"color": "black"}})
    (axes,) = figure.axes
    lots, all_wrong, drawn = axes.lines
    assert set(lots.get_ydata()) == {50.0} and set(all_wrong.get_xdata()) == {2}
    assert drawn.get_ydata().tolist() == pytest.approx([100, 50, 100 / 3, 50])
    plt.close(figure)


@pytest.fixture
def fitted(records):
    def run(row, column, seed):
        if column == "clean" or row == "GCE":
            return None
        auroc = 0.9 if row == "CE" else 0.8
        return {
            "test_accuracy": [1.0, 2.0, 3.0],
            "noise_auroc": [0.0, 0.0, auroc],
            "clean_accuracy": [0.0, 0.0, 90.0],
            "memorised": [0.0, 0.0, 20.0],
        }

    return fits(filled(records.grid, run))


def test_each_run_is_set_beside_the_two_valued_loss(fitted):
    assert len(fitted) == 2 * 2 * 3 and set(fitted["two_valued"]) == {0.85}
    assert said_of_fits(fitted) == (
        "Over the 12 runs the AUROC lies above the two-valued one in 6; the difference is 0.000 on average, from "
        "−0.050 to +0.050."
    )
    varied = fitted.assign(two_valued=fitted["auroc"] - 0.1)
    assert "lies above the two-valued one in 12; the difference is +0.100" in said_of_fits(varied)
    assert said_of_fits(varied).endswith("and the two correlate with 1.000.")
    figure = fit_chart(fitted)
    diagonal, *drawn = figure.axes[0].lines
    assert [line.get_label() for line in drawn] == ["CE", "JAL-CE"]
    assert (diagonal.get_xdata() == diagonal.get_ydata()).all()
    plt.close(figure)


def test_without_runs_there_is_nothing_to_set_beside(fitted):
    none = fitted[:0]
    assert said_of_fits(none) == "No run with wrong labels is there yet."
    with pytest.raises(InputError, match="no Records with wrong labels"):
        fit_chart(none)
