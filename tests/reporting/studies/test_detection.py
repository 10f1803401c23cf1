"""Which samples are noisy: AUROCs at the end, at their best and where noisy labels would stop."""

import math
from dataclasses import replace

import numpy as np
import pytest
from matplotlib import pyplot as plt

from jal.errors import InputError
from jal.experiments.grids.grid import product
from jal.experiments.grids.words import losses, noises
from jal.reporting.studies.cell_curves import table
from jal.reporting.studies.detection import aurocs, curves, in_words
from tests.reporting.filled import filled

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
        "for CE, from 0.850 at its best (epoch 1) to 0.550; where the noisy labels would stop it is 0.750. 1 of 3 are "
        "not run."
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
