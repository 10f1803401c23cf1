"""Variance components: known tables, mean squares by regression, and what the intervals cover."""

import math
from statistics import pvariance, variance

import numpy as np
import pytest

from jal.analysis.components import components
from jal.errors import InputError


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
