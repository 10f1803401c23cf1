"""Variance components: known tables, mean squares by regression, and what the intervals cover."""

import math
from statistics import pvariance, variance

import numpy as np
import pytest
from matplotlib import pyplot as plt

from jal.analysis.studies.variance import chart, components, estimates, in_words, table
from jal.errors import InputError
from jal.experiments.grids import get
from tests.analysis.filled import filled

GRID = get("noise-draw", profile="quick")
DRAWS = {column: i for i, column in enumerate(GRID.columns)}
SEEDS = {seed: j for j, seed in enumerate(GRID.seeds)}


def by_regression(y):
    """The mean squares of labels, weights and the rest, as drops in the residual sum of squares of nested models."""
    draws, seeds = y.shape
    i, j = (index.ravel() for index in np.indices(y.shape))
    one, label, weight = np.ones((y.size, 1)), np.eye(draws)[i], np.eye(seeds)[j]

    def residual(*parts):
        X = np.hstack([one, *parts])
        return float(((y.ravel() - X @ np.linalg.lstsq(X, y.ravel(), rcond=None)[0]) ** 2).sum())

    both = residual(label, weight)
    return (
        (residual(weight) - both) / (draws - 1),
        (residual(label) - both) / (seeds - 1),
        both / ((draws - 1) * (seeds - 1)),
    )


def test_components_equate_mean_squares_with_their_expectations():
    y = np.random.default_rng(1).normal(80, 1, (5, 3)) + 3 * np.random.default_rng(2).normal(size=(5, 1))
    labels, weights, rest = by_regression(y)
    found = components(y)
    assert found.mean == pytest.approx(y.mean())
    assert found.rest.estimate == pytest.approx(rest)
    assert found.labels.estimate == pytest.approx((labels - rest) / 3)
    assert found.weights.raw == pytest.approx((weights - rest) / 5)
    assert found.total == pytest.approx(sum(c.estimate for c in (found.labels, found.weights, found.rest)))


def test_labels_alone():
    found = components([[80.0] * 3, [82.0] * 3, [84.0] * 3, [90.0] * 3])
    assert found.labels.estimate == pytest.approx(variance([80, 82, 84, 90]))
    assert (found.weights.estimate, found.rest.estimate) == (0.0, 0.0)
    assert found.labels.low < found.labels.estimate < found.labels.high


def test_weights_alone_are_the_same_the_other_way_round():
    y = np.array([[80.0, 81.5], [80.0, 81.5], [80.0, 81.5]])
    assert components(y).weights == components(y.T).labels
    assert components(y).labels.estimate == 0.0


def test_a_negative_estimate_is_0_and_known():
    found = components([[80.0, 90.0], [90.0, 80.0]])
    assert found.labels.raw < 0 and found.weights.raw < 0
    assert (found.labels.estimate, found.labels.low, found.weights.estimate) == (0.0, 0.0, 0.0)
    assert found.total == found.rest.estimate == pytest.approx(100.0)


def test_equal_accuracies_have_no_variance():
    found = components(np.full((5, 3), 81.1))
    assert found.mean == 81.1
    assert [(c.estimate, c.low, c.high) for c in (found.labels, found.weights, found.rest)] == [
        (0.0, 0.0, 0.0)
    ] * 3


def test_estimates_are_unbiased_and_intervals_cover():
    rng, true = np.random.default_rng(0), {"labels": 4.0, "weights": 1.0, "rest": 0.25}
    tables = [
        math.sqrt(true["labels"]) * rng.normal(size=(5, 1))
        + math.sqrt(true["weights"]) * rng.normal(size=(1, 3))
        + math.sqrt(true["rest"]) * rng.normal(size=(5, 3))
        for _ in range(400)
    ]
    found = [components(y) for y in tables]
    for source, value in true.items():
        parts = [getattr(one, source) for one in found]
        raw = [part.raw for part in parts]
        error = math.sqrt(pvariance(raw) / len(raw))
        assert abs(np.mean(raw) - value) < 3 * error, source
        covered = np.mean([part.low <= value <= part.high for part in parts])
        # 95 % less three standard deviations of such a share.
        assert covered > 0.95 - 3 * math.sqrt(0.95 * 0.05 / len(parts)), source


@pytest.mark.parametrize("shape", [(1, 3), (3, 1), (6,)])
def test_too_small_a_table_is_refused(shape):
    with pytest.raises(InputError, match="two or more draws of labels by two or more seeds"):
        components(np.ones(shape))


def test_a_missing_accuracy_is_refused():
    with pytest.raises(InputError, match="not finite"):
        components([[80.0, math.nan], [80.0, 81.0]])


def accuracy(column, seed):
    """Any table with some of each source in it."""
    i, j = DRAWS[column], SEEDS[seed]
    return 80.0 + 2 * i + j + math.sin(3 * i + j)


def test_each_row_of_the_grid_has_its_components():
    frame = estimates(filled(GRID, lambda row, column, seed: accuracy(column, seed))).set_index("row")
    assert list(frame.index) == list(GRID.rows)
    row = frame.iloc[0]
    found = components([[accuracy(column, seed) for seed in GRID.seeds] for column in GRID.columns])
    assert row[["draws", "seeds", "left_out"]].tolist() == [5, 3, 0]
    assert row["labels"] ** 2 == pytest.approx(found.labels.estimate)
    assert row["total"] ** 2 == pytest.approx(found.total)
    assert row["rest_high"] ** 2 == pytest.approx(found.rest.high)
    assert row[["labels_share", "weights_share", "rest_share"]].sum() == pytest.approx(1)


def test_with_missing_runs_the_largest_complete_part_is_taken():
    missing = {("labels 124", 125), ("labels 127", 123), ("labels 127", 124)}
    records = filled(
        GRID, lambda row, column, seed: None if (column, seed) in missing else accuracy(column, seed)
    )
    row = estimates(records).iloc[0]
    assert row[["draws", "seeds", "left_out"]].tolist() == [3, 3, 3]
    part = components(
        [[accuracy(c, s) for s in GRID.seeds] for c in ("labels 123", "labels 125", "labels 126")]
    )
    assert row["labels"] ** 2 == pytest.approx(part.labels.estimate)
    assert "3 more runs are in no complete part of the table" in in_words(records)


def test_without_two_draws_of_two_seeds_nothing_is_said():
    records = filled(GRID, lambda row, column, seed: accuracy(column, seed) if seed == 123 else None)
    row = estimates(records).iloc[0]
    assert row[["draws", "seeds", "left_out"]].tolist() == [0, 0, 5] and math.isnan(row["labels"])
    assert in_words(records) == (
        "- Not yet two draws of the labels with the same two seeds: CE, symmetric 0.6; CE, asymmetric 0.4; JAL-CE, "
        "symmetric 0.6; JAL-CE, asymmetric 0.4."
    )
    assert table(records).empty


def test_sentence_and_table_hold_the_numbers():
    def run(row, column, seed):
        return (
            80.0 + 2 * DRAWS[column]
            if row == "CE, symmetric 0.6"
            else 80.0 + 5 * ((DRAWS[column] + SEEDS[seed]) % 2)
        )

    records = filled(GRID, run)
    first, second, *_ = in_words(records).splitlines()
    # Five draws, 2 points apart: a variance of 10.
    assert first.startswith(
        "- **CE, symmetric 0.6**: 5 draws of the labels with the same 3 seeds each. One run's accuracy has a standard "
        "deviation of 3.16 points; its variance comes from the draw of the labels (100 %), the seed of the "
        "weights (0 %) and what neither makes alone (0 %)."
    )
    assert second.endswith("The estimates for labels and weights are negative and count as 0.")
    assert table(records).loc["CE, symmetric 0.6", "draws x seeds"] == "5 x 3"
    assert table(records).loc["CE, symmetric 0.6", "labels"].startswith("3.16 [")


def test_runs_without_any_variance():
    records = filled(GRID, lambda *run: 80.1)
    assert (
        in_words(records)
        .splitlines()[0]
        .endswith("One run's accuracy has a standard deviation of 0.00 points.")
    )
    assert table(records).loc["CE, symmetric 0.6", "labels"] == "0.00 [0.00, 0.00]"


def test_the_figure_has_every_run_and_says_what_is_not_run():
    def run(row, column, seed):
        return None if row.startswith("JAL-CE") else accuracy(column, seed)

    figure = chart(filled(GRID, run))
    first, *_, last = figure.axes
    marks = [line for line in first.lines if line.get_marker() in ("o", "s", "D")]
    assert len(marks) == len(DRAWS) * len(SEEDS)
    seen = {(line.get_marker(), float(line.get_xdata()[0])): float(line.get_ydata()[0]) for line in marks}
    assert seen["s", 2.0] == pytest.approx(accuracy("labels 125", 124))
    assert [text.get_text() for text in last.texts] == ["not run yet"] and not first.texts
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [f"weights {s}" for s in GRID.seeds]
    plt.close(figure)
