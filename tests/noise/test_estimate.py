"""The smallest `a` of an estimated noise: what is promised holds, and grows with what is known."""

import math

import numpy as np
import pytest

from jal.errors import InputError
from jal.noise import asymmetric, corrupt, report, symmetric
from jal.noise.estimate import smallest_a, transition_from_predictions
from jal.theory import minimum_a

TRUE = np.repeat(np.arange(4), 500)


def counts(transition, size, seed):
    true = np.random.default_rng(seed).permutation(TRUE)[:size]
    given = corrupt(true, transition, seed, method="bernoulli")
    return report(true, given, 4).counts


def test_the_estimate_is_what_the_counts_ask_for():
    table = np.array([[60, 40], [10, 90]])
    assert smallest_a(table).estimate == pytest.approx(5.0)
    assert smallest_a(table, q=3).estimate == pytest.approx(minimum_a(table / 100, 3))


@pytest.mark.parametrize("q", [2.0, 3.0])
def test_what_is_promised_is_enough_for_the_true_noise(q):
    T = symmetric(4, 0.4)
    promised = [smallest_a(counts(T, 1000, seed), q, draws=200).enough(0.95) for seed in range(40)]
    assert np.mean(np.array(promised) >= minimum_a(T, q)) >= 0.95


def test_the_promise_comes_closer_to_the_truth_with_more_labels():
    T = symmetric(4, 0.4)
    promised = [smallest_a(counts(T, size, 1)).enough() for size in (40, 200, 2000)]
    assert promised[0] > promised[1] > promised[2] > minimum_a(T)
    many = 10**6 * np.rint(1000 * T).astype(np.int64)
    assert smallest_a(many).enough() == pytest.approx(minimum_a(T), rel=0.01)


def test_of_a_class_without_checked_labels_nothing_can_be_promised():
    table = np.array([[50, 0, 0], [0, 50, 0], [0, 0, 0]])
    found = smallest_a(table)
    assert found.estimate == 1
    assert found.none > 0.5
    assert math.isinf(found.enough())


def test_the_share_without_any_a_is_that_of_the_draws_whose_label_does_not_lead():
    even = smallest_a(np.array([[50, 50], [0, 100]]), draws=4000)
    assert even.none == pytest.approx(0.5, abs=0.05)
    assert smallest_a(np.array([[95, 5], [0, 100]])).none == 0
    assert math.isinf(smallest_a(np.array([[10, 90], [0, 100]])).estimate)


def test_more_confidence_asks_for_more_and_a_seed_repeats_itself():
    table = counts(symmetric(4, 0.2), 200, 3)
    found = smallest_a(table, seed=7)
    assert found.enough(0.5) < found.enough(0.9) < found.enough(0.99)
    np.testing.assert_array_equal(found.draws, smallest_a(table, seed=7).draws)
    assert not np.array_equal(found.draws, smallest_a(table, seed=8).draws)


@pytest.mark.parametrize(
    "table", [[[1, 2]], [[1.0, 0.0], [0.0, 1.0]], [[-1, 2], [0, 1]], [[0, 0], [0, 0]], [[5]], [[1, 2], [3]]]
)
def test_counts_that_are_none_are_refused(table):
    with pytest.raises(InputError, match=r"counts|classes"):
        smallest_a(table)


def test_other_bad_input_is_refused():
    table = [[5, 1], [1, 5]]
    with pytest.raises(InputError, match="draws"):
        smallest_a(table, draws=0)
    with pytest.raises(InputError, match="confidence"):
        smallest_a(table).enough(1.0)
    with pytest.raises(InputError):
        smallest_a(table, q=0)


@pytest.mark.parametrize("T", [symmetric(10, 0.4), asymmetric("cifar10", 0.3)])
def test_perfect_predictions_of_the_given_labels_have_the_transition_in_them(T):
    """An image that surely is of class i is predicted as row i; one that may be of two, as a mixture of rows."""
    generator = np.random.default_rng(0)
    belief = np.vstack([np.repeat(np.eye(10), 20, axis=0), generator.dirichlet(np.full(10, 0.5), size=300)])
    np.testing.assert_allclose(transition_from_predictions(belief @ T, share=20 / 500), T, atol=1e-12)


def test_averaging_more_images_takes_in_those_that_are_less_sure():
    T = symmetric(3, 0.3)
    belief = np.vstack([np.repeat(np.eye(3), 10, axis=0), np.full((70, 3), 1 / 3)])
    narrow, wide = (transition_from_predictions(belief @ T, share) for share in (0.1, 1.0))
    np.testing.assert_allclose(narrow, T)
    assert np.diag(wide).max() < np.diag(T).min()
    np.testing.assert_allclose(wide.sum(axis=1), 1)


@pytest.mark.parametrize(
    ("predictions", "share"),
    [
        ([[0.5, 0.6]], 0.5),
        ([[np.nan, 1.0]], 0.5),
        ([[-0.5, 1.5]], 0.5),
        ([0.5, 0.5], 0.5),
        ([["a", "b"]], 0.5),
        (np.empty((0, 3)), 0.5),
        ([[1.0]], 0.5),
        ([[0.5, 0.5]], 0.0),
        ([[0.5, 0.5]], 1.5),
    ],
)
def test_predictions_that_are_none_are_refused(predictions, share):
    with pytest.raises(InputError, match=r"probabilities|share"):
        transition_from_predictions(predictions, share)
