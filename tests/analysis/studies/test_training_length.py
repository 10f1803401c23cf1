"""How much training a loss needs: from which number of epochs on it is ahead, and what is not run."""

import math

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from scipy.stats import ttest_ind

from jal.analysis.studies.training_length import (
    best_and_last,
    best_in_words,
    chart,
    ends,
    in_words,
    leads,
    overtaking,
    table,
)
from jal.errors import InputError
from jal.experiments.grids import get
from tests.analysis.filled import filled

GRID = get("epochs", profile="quick")
LENGTHS = (5, 10, 20, 40, 80)
# What JAL-CE has over CE at each length; ANL-CE is never ahead at the end, NCE+RCE always.
JAL = {5: -20.0, 10: 3.0, 20: -1.0, 40: 0.1, 80: 4.0}
ANL = {5: 5.0, 10: 5.0, 20: 5.0, 40: 5.0, 80: -1.0}


def accuracy(row, column, seed):
    epochs, loss = int(column.split()[0]), row.split(",")[0]
    lead = {"CE": 0.0, "NCE+RCE": 2.0, "ANL-CE": ANL[epochs], "JAL-CE": JAL[epochs]}[loss]
    return 60.0 + lead + (seed - 124) / 2


@pytest.fixture
def records():
    return filled(GRID, accuracy)


def test_the_lead_at_each_length(records):
    frame = leads(records).set_index(["noise", "loss"])
    jal = frame.loc[("symmetric 0.6", "JAL-CE")]
    assert jal["epochs"].tolist() == list(LENGTHS)
    assert jal["difference"].tolist() == pytest.approx(list(JAL.values()))
    interval = ttest_ind([40.5, 40.0, 39.5], [60.5, 60.0, 59.5], equal_var=False).confidence_interval()
    assert jal.iloc[0][["low", "high"]].tolist() == pytest.approx([interval.low, interval.high])
    assert set(frame.index.get_level_values("loss")) == {"NCE+RCE", "ANL-CE", "JAL-CE"}
    assert (frame["n"] == 3).all() and (frame["n_over"] == 3).all()


def test_ahead_means_from_there_on(records):
    frame = overtaking(leads(records)).set_index(["noise", "loss"])
    for noise in ("symmetric 0.6", "asymmetric 0.4"):
        assert frame.loc[(noise, "NCE+RCE"), ["from_epochs", "clearly_from"]].tolist() == [5, 5]
        assert frame.loc[(noise, "JAL-CE"), ["from_epochs", "clearly_from"]].tolist() == [40, 80]
        assert frame.loc[(noise, "ANL-CE"), ["from_epochs", "clearly_from"]].isna().all()
    assert (frame["longest"] == 80).all() and (frame["not_run"] == 0).all()


def test_an_equal_accuracy_is_not_ahead():
    frame = overtaking(leads(filled(GRID, lambda *run: 60.0)))
    assert frame["from_epochs"].isna().all()


def test_lengths_that_are_not_run_are_left_out_and_counted():
    def run(row, column, seed):
        return (
            None
            if column in ("5 epochs", "80 epochs") or row.startswith("ANL-CE")
            else accuracy(row, column, seed)
        )

    records = filled(GRID, run)
    frame = overtaking(leads(records)).set_index(["noise", "loss"])
    jal = frame.loc[("symmetric 0.6", "JAL-CE")]
    assert jal[["lengths", "not_run", "longest", "from_epochs"]].tolist() == [3, 2, 40, 40]
    assert pd.isna(jal["clearly_from"])
    assert frame.loc[("symmetric 0.6", "ANL-CE"), ["longest", "from_epochs"]].isna().all()
    line = in_words(records).splitlines()[0]
    assert line.endswith(
        "JAL-CE is ahead at 40 epochs (not beyond an interval). "
        "Compared so far: NCE+RCE at 3, ANL-CE at 0 and JAL-CE at 3 of 5 lengths."
    )


def test_nothing_run():
    records = filled(GRID, lambda *run: None)
    assert in_words(records).splitlines() == [
        "- **symmetric 0.6**: not run.",
        "- **asymmetric 0.4**: not run.",
    ]
    assert (table(leads(records)) == "").all(axis=None)
    assert best_in_words(records).splitlines() == in_words(records).splitlines()
    assert best_and_last(records)["n"].eq(0).all() and best_and_last(records)["best"].isna().all()
    for figure in (chart({"digits": records}), ends({"digits": records})):
        assert [[text.get_text() for text in ax.texts] for ax in figure.axes] == [["not run yet"]] * 2
        plt.close(figure)


def test_one_seed_has_leads_without_intervals():
    records = filled(GRID, lambda row, column, seed: accuracy(row, column, seed) if seed == 123 else None)
    frame = leads(records)
    assert frame["low"].isna().all()
    assert overtaking(frame)["clearly_from"].isna().all()
    assert table(frame).loc[("symmetric 0.6", "JAL-CE"), 5] == "−20.0"
    figure = chart({"digits": records})
    assert not figure.axes[0].texts
    plt.close(figure)


def test_the_sentence_holds_the_numbers(records):
    assert in_words(records).splitlines()[0] == (
        "- **symmetric 0.6**, against CE: NCE+RCE is ahead from 5 epochs on (beyond the interval); ANL-CE is not ahead "
        "at 80 epochs; JAL-CE is ahead from 40 epochs on (beyond the interval from 80)."
    )


def test_one_epoch_is_one():
    laptop = get("epochs", profile="laptop")
    first = in_words(
        filled(laptop, lambda row, column, seed: 80.0 + (not row.startswith("CE")))
    ).splitlines()[0]
    assert "; JAL-CE is ahead from 1 epoch on (beyond the interval)." in first
    of_one = filled(laptop, lambda row, column, seed: 80.0 if column == "1 epoch" else None)
    assert "; JAL-CE is not ahead at 1 epoch. Compared so far: 1 of 5 lengths." in in_words(of_one)


def test_a_lead_that_is_clear_but_at_the_end_is_said_so():
    lead = {5: 3.0, 10: 3.0, 20: 3.0, 40: 3.0, 80: 0.1}

    def run(row, column, seed):
        return (
            accuracy(row, column, seed)
            if row.startswith("CE")
            else 60.0 + lead[int(column.split()[0])] + seed % 2
        )

    first = in_words(filled(GRID, run)).splitlines()[0]
    assert "; JAL-CE is ahead from 5 epochs on (not beyond an interval at 80)." in first


def test_the_sentence_says_how_many_lengths_it_rests_on():
    def run(row, column, seed):
        return accuracy(row, column, seed) if column == "80 epochs" else None

    (first, _) = in_words(filled(GRID, run)).splitlines()
    assert "NCE+RCE is ahead at 80 epochs (" in first
    assert first.endswith(f" Compared so far: 1 of {len(GRID.columns)} lengths.")


def test_another_loss_to_beat(records):
    frame = leads(records, "JAL-CE").set_index(["noise", "loss"])
    assert frame.loc[("symmetric 0.6", "CE"), "difference"].tolist() == pytest.approx(
        [-v for v in JAL.values()]
    )
    with pytest.raises(InputError, match="unknown loss of the grid 'MAE'"):
        leads(records, "MAE")


def test_a_grid_of_one_length_is_refused():
    with pytest.raises(InputError, match="names no number of epochs"):
        leads(filled(get("regulariser", profile="quick"), lambda *run: 60.0))


def test_the_figure_draws_the_leads(records):
    figure = chart({"digits": records, "again": filled(GRID, lambda *run: None)})
    left, right, *_ = figure.axes
    assert [ax.get_title() for ax in figure.axes] == [
        "digits: symmetric 0.6",
        "digits: asymmetric 0.4",
        "again: symmetric 0.6",
        "again: asymmetric 0.4",
    ]
    drawn = [container.lines[0].get_ydata() for container in left.containers]
    assert any(np.allclose(values, list(JAL.values())) for values in drawn) and len(drawn) == 3
    assert right.get_xscale() == "log"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["NCE+RCE", "ANL-CE", "JAL-CE"]
    assert not math.isnan(left.get_ylim()[0])
    plt.close(figure)


def rising(row, column, seed):
    """Accuracy 10 + epoch, but for cross entropy, which is best in the third epoch and then loses half a point each."""
    epochs = np.arange(1, int(column.split()[0]) + 1)
    curve = 60.0 - abs(epochs - 3) / 2 if row.startswith("CE") else 10.0 + epochs
    return {"test_accuracy": (curve + (seed - 124)).tolist()}


def test_what_the_last_epoch_gives_away():
    frame = best_and_last(filled(GRID, rising)).set_index(["noise", "loss"])
    ce, jal = (frame.loc[("symmetric 0.6", loss)] for loss in ("CE", "JAL-CE"))
    assert ce[["epochs", "n", "best", "last", "lost", "best_epoch"]].tolist() == [80, 3, 60, 21.5, 38.5, 3]
    assert jal[["lost", "best_epoch"]].tolist() == [0, 80]
    assert best_in_words(filled(GRID, rising)).splitlines()[0] == (
        "- **symmetric 0.6**: from its best epoch to its last a loss gives away, in points: CE 38.5 (best after epoch "
        "3 of 80), NCE+RCE 0.0 (best after epoch 80 of 80), ANL-CE 0.0 (best after epoch 80 of 80) and JAL-CE 0.0 "
        "(best after epoch 80 of 80)."
    )


def test_the_longest_run_that_is_there_is_taken():
    def run(row, column, seed):
        return None if column in ("40 epochs", "80 epochs") else rising(row, column, seed)

    frame = best_and_last(filled(GRID, run))
    assert frame["epochs"].eq(20).all() and frame.loc[frame["loss"] == "CE", "lost"].eq(8.5).all()


def test_the_ends_lie_beside_the_longest_run():
    figure = ends({"digits": filled(GRID, rising)})
    left, right = figure.axes
    curves = [line for line in left.lines if line.get_marker() == "None"]
    marks = [line for line in left.lines if line.get_marker() == "o"]
    assert len(curves) == len(marks) == 4
    assert curves[0].get_ydata()[[0, 2, 79]].tolist() == [59, 60, 21.5]
    assert list(marks[0].get_xdata()) == list(LENGTHS)
    assert list(marks[0].get_ydata()) == pytest.approx([59, 56.5, 51.5, 41.5, 21.5])
    assert right.get_title() == "digits: asymmetric 0.4"
    plt.close(figure)
