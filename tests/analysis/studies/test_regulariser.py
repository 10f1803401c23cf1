"""Loss or regulariser: effects with their intervals, and shares of the variance that known tables have."""

import math

import numpy as np
import pytest
from matplotlib import pyplot as plt
from scipy.stats import ttest_ind

from jal.analysis.studies.drawing import SPAN
from jal.analysis.studies.regulariser import (
    as_reported,
    both_penalties,
    effects,
    in_words,
    layout,
    shares,
    table,
)
from jal.errors import InputError
from jal.experiments.grids import get
from tests.analysis.filled import filled

GRID = get("regulariser", profile="quick")
LOSSES = ("NCE+RCE", "ANL-CE", "JAL-CE", "AMSE", "NCE+MAE")


def parts(row):
    loss, _, penalty = row.rpartition(", ")
    return LOSSES.index(loss), penalty == "L1"


def luck(seed):
    """Of a seed: mean 0 and standard deviation 1 over the three."""
    return {123: -1.0, 124: 0.0, 125: 1.0}[seed]


def filled_by(function):
    return filled(GRID, lambda row, column, seed: function(*parts(row), seed))


def test_rows_are_known_by_what_they_run():
    found = layout(filled_by(lambda *cell: 80.0))
    assert found.losses == LOSSES
    assert found.rows["JAL-CE", "L2"] == "JAL-CE, L2" and len(found.rows) == 10


def test_a_grid_without_penalties_is_refused():
    other = get("ranking", profile="quick")
    with pytest.raises(InputError, match="the row CE of ranking has not one of L1 and L2"):
        shares(filled(other, lambda *run: 80.0))


def test_the_regularisers_effect_is_within_each_loss():
    records = filled_by(lambda loss, l1, seed: 80.0 + loss + (loss + 1) * l1 + luck(seed) * (1 + l1))
    frame = effects(records)
    here = frame[(frame["column"] == "clean") & (frame["effect"] == "regulariser")]
    assert here["within"].tolist() == list(LOSSES)
    assert here["difference"].tolist() == pytest.approx([1, 2, 3, 4, 5])
    interval = ttest_ind([79.0, 81.0, 83.0], [79.0, 80.0, 81.0], equal_var=False).confidence_interval()
    assert here.iloc[0][["low", "high"]].tolist() == pytest.approx([interval.low, interval.high])
    assert (here["n"] == 3).all() and (here["n_over"] == 3).all()


def test_the_losses_effect_is_within_each_penalty():
    records = filled_by(lambda loss, l1, seed: 80.0 + loss * (2 if l1 else 1))
    frame = effects(records, "AMSE")
    here = frame[(frame["column"] == "clean") & (frame["effect"] == "loss")].set_index(["within", "over"])
    assert here.loc["L1", "difference"].to_dict() == {"NCE+RCE": 6, "ANL-CE": 4, "JAL-CE": 2, "NCE+MAE": -2}
    assert here.loc["L2", "difference"].to_dict() == {"NCE+RCE": 3, "ANL-CE": 2, "JAL-CE": 1, "NCE+MAE": -1}
    with pytest.raises(InputError, match="unknown loss of the grid 'CE'"):
        effects(records, "CE")


@pytest.mark.parametrize(
    ("accuracy", "expected"),
    [
        (lambda loss, l1, seed: 80.0 + loss, (1.0, 0.0, 0.0)),
        (lambda loss, l1, seed: 80.0 + l1, (0.0, 1.0, 0.0)),
        # Deviations ±1/2 for the penalty, ±1/2 and ∓1/2 in two of five losses for the interplay.
        (lambda loss, l1, seed: 80.0 + (l1 - 0.5) * {0: 1, 1: -1}.get(loss, 0), (0.0, 0.0, 1.0)),
        # Ten cells: the loss's deviations -2 .. 2 make 2 * 10, the penalty's ±1 make 10.
        (lambda loss, l1, seed: 80.0 + loss + 2 * l1, (2 / 3, 1 / 3, 0.0)),
    ],
)
def test_shares_of_known_tables(accuracy, expected):
    row = shares(filled_by(accuracy)).iloc[0]
    assert row[["loss", "regulariser", "interplay"]].tolist() == pytest.approx(expected)
    assert row["seeds"] == 0.0


def test_shares_are_the_drops_of_nested_regressions():
    values = np.random.default_rng(0).normal(80, 3, (5, 2))
    row = shares(filled_by(lambda loss, l1, seed: values[loss, int(l1)])).iloc[0]
    i, j = (index.ravel() for index in np.indices(values.shape))
    one, loss, penalty = np.ones((10, 1)), np.eye(5)[i], np.eye(2)[j]

    def residual(*columns):
        X = np.hstack([one, *columns])
        return ((values.ravel() - X @ np.linalg.lstsq(X, values.ravel(), rcond=None)[0]) ** 2).sum()

    total = residual()
    assert row["loss"] == pytest.approx(1 - residual(loss) / total)
    assert row["regulariser"] == pytest.approx(1 - residual(penalty) / total)
    assert row["interplay"] == pytest.approx(residual(loss, penalty) / total)
    assert row["spread"] == pytest.approx(values.std(ddof=1))


def test_what_seeds_alone_would_make():
    # Cells of the same mean but for a penalty of 1 point; a mean of three runs has a variance of 1/3.
    row = shares(filled_by(lambda loss, l1, seed: 80.0 + l1 + luck(seed))).iloc[0]
    assert row["seeds"] == pytest.approx(9 * (1 / 3) / 2.5)


def test_without_any_difference_there_are_no_shares():
    records = filled_by(lambda *cell: 80.1)
    row = shares(records).iloc[0]
    assert math.isnan(row["loss"]) and row["spread"] == 0.0
    assert "the means of 5 losses are all equal" in in_words(records)


def test_a_loss_with_one_penalty_takes_no_part_in_the_shares():
    def run(row, column, seed):
        loss, l1 = parts(row)
        return None if row in ("AMSE, L2", "JAL-CE, L1") or seed == 125 else 80.0 + loss + l1

    records = filled(GRID, run)
    row = shares(records).iloc[0]
    assert row[["losses", "left_out", "n"]].tolist() == [3, 2, 2]
    frame = effects(records)
    lacking = frame[(frame["column"] == "clean") & frame["difference"].isna()]
    assert lacking["within"].tolist() == ["JAL-CE", "AMSE", "L1", "L1", "L1", "L1", "L2"]
    assert in_words(records).count("Of 5 losses 3 have runs under both penalties.") == len(GRID.columns)


def test_noises_without_runs_are_named():
    records = filled(GRID, lambda row, column, seed: 80.0 + luck(seed) if column == "clean" else None)
    clean, others = in_words(records).splitlines()
    assert clean.startswith("- **clean**: ")
    assert others == (
        "- No loss has runs under both penalties yet: symmetric 0.4, symmetric 0.8, asymmetric 0.2 and asymmetric 0.4."
    )


def test_shares_among_some_losses_are_those_of_a_smaller_table():
    def accuracy(loss, l1, seed):
        return 40.0 + (50 if LOSSES[loss] == "ANL-CE" else 0) + (1 if LOSSES[loss] == "AMSE" else 0) + 2 * l1

    records = filled_by(accuracy)
    assert shares(records).iloc[0]["loss"] > 0.99
    row = shares(records, ["NCE+RCE", "AMSE"]).iloc[0]
    # Four cells: the loss's deviations are 1/2, the penalty's 1.
    assert row[["losses", "left_out"]].tolist() == [2, 0]
    assert row[["loss", "regulariser"]].tolist() == pytest.approx([0.2, 0.8])
    assert "ANL-CE" not in in_words(records, ["NCE+RCE", "AMSE"])
    with pytest.raises(InputError, match="unknown loss of the grid 'CE'"):
        shares(records, ["CE"])


def test_one_seed_has_no_intervals():
    records = filled(GRID, lambda row, column, seed: 80.0 + sum(parts(row)) if seed == 123 else None)
    frame = effects(records)
    assert frame["difference"].notna().all() and frame["low"].isna().all()
    assert "With one run of a cell there is no telling what of it is chance." in in_words(records)


def test_sentence_and_table_hold_the_numbers():
    records = filled_by(lambda loss, l1, seed: 80.0 + loss + 2 * l1 + 0.1 * luck(seed))
    assert in_words(records).splitlines()[0] == (
        "- **clean**: the loss explains more: of the variance among the means of 5 losses under both penalties 67 % is "
        "the loss's, 33 % the regulariser's and 0 % their interplay's. Their seeds alone would make 0 % of it. L1 "
        "instead of L2 moves NCE+RCE most, by +2.0 [+1.8, +2.2] points; the interval excludes 0 for NCE+RCE, ANL-CE, "
        "JAL-CE, AMSE and NCE+MAE of 5."
    )
    shown = table(effects(records))
    assert list(shown.columns) == list(GRID.columns)
    assert shown.loc["L1 over L2, JAL-CE", "clean"] == "+2.0 [+1.8, +2.2]"
    assert shown.loc["JAL-CE over NCE+MAE, L2", "clean"] == "−2.0 [−2.2, −1.8]"


def test_effects_that_are_not_clear_are_counted_as_none():
    text = in_words(filled_by(lambda loss, l1, seed: 80.0 + loss + 0.1 * l1 + luck(seed)))
    assert "the interval excludes 0 for none of 5." in text.splitlines()[0]
    single = filled(GRID, lambda row, column, seed: 80.0 + parts(row)[1] if seed == 123 else None)
    assert "moves NCE+RCE most, by +1.0 points; single runs have no interval." in in_words(single)


def test_the_figure_has_a_mark_for_each_mean_and_says_what_is_not_run():
    def run(row, column, seed):
        loss, l1 = parts(row)
        return None if column == "clean" or row == "AMSE, L2" else 80.0 + loss + l1 + luck(seed)

    figure = both_penalties(filled(GRID, run))
    clean, other = figure.axes[:2]
    assert [text.get_text() for text in clean.texts] == ["not run yet"] and not other.texts
    marks = [line for line in other.lines if line.get_marker() in ("D", "s")]
    assert sorted(float(line.get_xdata()[0]) for line in marks) == [80, 81, 81, 82, 82, 83, 84, 84, 85]
    assert [tick.get_text() for tick in clean.get_yticklabels()] == list(LOSSES)
    plt.close(figure)


def test_an_axis_does_not_magnify():
    figure = both_penalties(filled_by(lambda loss, l1, seed: 80.0 + 0.01 * loss))
    low, high = figure.axes[0].get_xlim()
    assert high - low == pytest.approx(SPAN) and low < 80 < high
    plt.close(figure)


def test_the_paper_reports_the_rows_that_have_the_releases_penalty():
    grid = get("regulariser")
    lookup = as_reported(grid)
    assert lookup("JAL-CE, L1", "symmetric 0.8").mean == 65.43
    assert lookup("NCE+RCE, L2", "symmetric 0.8").mean == 54.99
    assert lookup("AMSE, L1", "asymmetric 0.2").mean == 83.88, "Table 2"
    for row in ("JAL-CE, L2", "NCE+RCE, L1", "ANL-CE, L2", "NCE+MAE, L1", "NCE+MAE, L2"):
        assert lookup(row, "symmetric 0.8") is None
    assert lookup("AMSE, L1", "clean") is None
    assert as_reported(GRID)("JAL-CE, L1", "clean") is None, "the digits are not in the paper"
