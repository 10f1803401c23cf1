"""The smallest `a` of an estimated noise: what is promised holds, and grows with what is known."""

import math
import time
import tracemalloc
import warnings

import numpy as np
import pytest

from jal.errors import InputError
from jal.noise import asymmetric, confident_joint, corrupt, pair, report, symmetric
from jal.noise.estimate import labels_to_check, smallest_a, transition_from_predictions
from jal.theory import margin, minimum_a

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
    found = transition_from_predictions(belief @ T, method="anchor_points", share=0.2)
    np.testing.assert_allclose(found, T, atol=1e-12)


def test_averaging_more_images_takes_in_those_that_are_less_sure():
    T = symmetric(3, 0.3)
    belief = np.vstack([np.repeat(np.eye(3), 10, axis=0), np.full((70, 3), 1 / 3)])
    narrow, wide = (
        transition_from_predictions(belief @ T, method="anchor_points", share=share) for share in (0.1, 1.0)
    )
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
        transition_from_predictions(predictions, method="anchor_points", share=share)


@pytest.mark.parametrize("method", ["confident_joint", "anchor_points"])
@pytest.mark.filterwarnings("ignore:class 1 is rare")
def test_predictions_without_a_doubt_have_no_noise_in_them(method):
    many, rare = np.repeat(range(100), 20), np.array([0] * 99 + [1])
    for K, given in ((100, many), (2, rare)):
        T = transition_from_predictions(np.eye(K)[given], given, method)
        np.testing.assert_array_equal(T, np.eye(K))
        assert minimum_a(T) == 1


def test_the_share_is_one_of_a_class_however_many_there_are():
    """Two surest images of a hundred classes with 20 each: of all images they would be 40, half of them others'."""
    T, generator = symmetric(100, 0.4), np.random.default_rng(0)
    belief = 0.995 * np.eye(100)[np.repeat(range(100), 20)] + 0.005 * generator.dirichlet(np.ones(100), 2000)
    found = transition_from_predictions(belief @ T, method="anchor_points", share=0.1)
    assert minimum_a(found) == pytest.approx(1.678, abs=0.02)


def predicted(T, seed, size=2000, error=0.25):
    """True and given labels, and the posterior of a model that sees the class through a fog of its own."""
    generator, K = np.random.default_rng(seed), len(T)
    true = generator.integers(K, size=size)
    fog = generator.dirichlet(np.full(K, 0.3), size=size)
    return (
        true,
        corrupt(true, T, seed + 1000, "bernoulli"),
        (1 - error) * np.eye(K)[true] @ T + error * fog,
    )


@pytest.mark.parametrize(
    ("K", "size", "seed", "joint"),
    [
        (3, 60, 0, [[15, 1, 3], [4, 13, 4], [4, 4, 12]]),
        (4, 400, 1, [[56, 10, 12, 8], [13, 72, 12, 12], [16, 7, 55, 11], [19, 16, 19, 62]]),
    ],
)
def test_the_confident_joint_is_cleanlabs(K, size, seed, joint):
    """`compute_confident_joint` of cleanlab 2.9.0, transposed, for the same labels and predictions."""
    _, given, P = predicted(symmetric(K, 0.4), seed, size)
    found = confident_joint(P, given)
    np.testing.assert_array_equal(found, joint)
    np.testing.assert_array_equal(found.sum(axis=0), np.bincount(given))
    np.testing.assert_allclose(
        transition_from_predictions(P, given), found / found.sum(axis=1, keepdims=True)
    )


@pytest.mark.parametrize("T", [pair(10, 0.4), pair(10, 0.3), symmetric(4, 0.6)])
def test_one_estimate_errs_on_the_safe_side_and_the_other_not(T):
    truth = minimum_a(T)
    counted, averaged = [], []
    for seed in range(3):
        _, given, P = predicted(T, seed, 5000)
        counted.append(minimum_a(transition_from_predictions(P, given)))
        averaged.append(minimum_a(transition_from_predictions(P, method="anchor_points")))
    assert max(averaged) < 0.95 * truth
    assert truth < min(counted)
    assert max(counted) < 4 * truth


def test_the_interval_of_predictions_is_that_of_as_many_checked_labels():
    """Where the model makes no error. The largest of ten classes' `a` is above the truth by chance alone."""
    T = pair(10, 0.3)
    true, given, P = predicted(T, 0, 5000, 0.0)
    np.testing.assert_array_equal(confident_joint(P, given), report(true, given, 10).counts)
    assert minimum_a(T) < smallest_a(confident_joint(P, given)).enough(0.975) < 2 * minimum_a(T)


def gaussians(T, ratio, seed=0, size=20_000):
    """Classes of prior ratio**(-k/(K-1)) around the corners of a simplex; their exact posteriors, some noise on it."""
    generator, K = np.random.default_rng(seed), len(T)
    prior = ratio ** (-np.arange(K) / (K - 1))
    true = generator.choice(K, size, p=prior / prior.sum())
    x = 4 * np.eye(K)[true] + generator.normal(size=(size, K))
    score = 4 * x + np.log(prior)
    posterior = np.exp(score - score.max(axis=1, keepdims=True))
    P = (
        (posterior / posterior.sum(axis=1, keepdims=True))
        @ T
        * np.exp(0.3 * generator.normal(size=(size, K)))
    )
    return corrupt(true, T, seed + 1000, "bernoulli"), P / P.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("T", [symmetric(4, 0.4), symmetric(10, 0.4), pair(10, 0.3)])
@pytest.mark.parametrize("method", ["confident_joint", "anchor_points"])
def test_a_warning_says_where_a_class_is_too_rare(T, method):
    given, P = gaussians(T, 100.0)
    with pytest.warns(UserWarning, match="class 9 is rare|class 3 is rare") as caught:
        transition_from_predictions(P, given, method)
    assert len(caught) == 1 and "\n" not in str(caught[0].message)
    given, P = gaussians(T, 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        transition_from_predictions(P, given, method)


def test_the_confident_joint_refuses_what_it_cannot_count():
    P = [[0.5, 0.5], [0.1, 0.9]]
    with pytest.raises(InputError, match=r'no given labels .* method="anchor_points"'):
        transition_from_predictions(P)
    with pytest.raises(InputError, match="1 given labels for 2 predictions"):
        confident_joint(P, [0])
    with pytest.raises(InputError, match="given labels hold 2"):
        confident_joint(P, [0, 2])
    with pytest.raises(InputError, match="did you mean 'anchor_points'"):
        transition_from_predictions(P, [0, 1], method="anchor")


def test_a_label_that_was_never_given_has_no_image():
    given = np.array([0, 0, 1])
    P = np.array([[0.8, 0.1, 0.1], [0.8, 0.1, 0.1], [0.1, 0.3, 0.6]])
    assert confident_joint(P, given).sum(axis=0).tolist() == [2, 1, 0]
    with pytest.warns(UserWarning, match="class 2 is rare, 0 of 3 images have its label"):
        np.testing.assert_allclose(transition_from_predictions(P, given).sum(axis=1), 1)


def test_draws_are_those_of_dirichlet_rows():
    """Each row as a whole, as the definition has it, against the largest unseen part alone."""
    table = np.array([[6, 2, 0, 0, 0], [0, 9, 1, 0, 0], [0, 0, 8, 0, 0], [1, 0, 0, 9, 0], [0, 1, 0, 0, 7]])
    generator = np.random.default_rng(0)
    rows = generator.standard_gamma(table + 1 / 5, size=(20_000, 5, 5))
    direct = [minimum_a(T) for T in rows / rows.sum(axis=2, keepdims=True)]
    found = smallest_a(table, draws=20_000).draws
    levels = np.linspace(0.05, 0.8, 16)
    np.testing.assert_allclose(np.quantile(found, levels), np.quantile(direct, levels), rtol=0.05)
    assert smallest_a(table, draws=20_000).none == pytest.approx(np.isinf(direct).mean(), abs=0.015)


def test_a_thousand_classes_are_drawn_a_row_at_a_time():
    counts = np.random.default_rng(0).multinomial(50, symmetric(1000, 0.4)[0], size=1000)
    counts = np.stack([np.roll(row, i) for i, row in enumerate(counts)])
    tracemalloc.start()
    began = time.process_time()
    found = smallest_a(counts, draws=200)
    seconds, (_, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100 * 2**20 and seconds < 10
    assert 1 < found.estimate < found.enough()


def test_the_number_of_labels_to_check_gives_the_standard_error_it_promises():
    T = symmetric(4, 0.3)
    n = labels_to_check(T, 0.05)
    draws = np.random.default_rng(0).multinomial(n, T[0], size=20_000) / n
    a = 1 / (draws[:, 0] - draws[:, 1])  # of one rival, as the formula has it
    assert a.std() * margin(T) == pytest.approx(0.05, rel=0.05)
    for bad in (0, -1, math.nan):
        with pytest.raises(InputError, match="precision"):
            labels_to_check(T, bad)
    with pytest.raises(InputError, match="no a is enough"):
        labels_to_check(symmetric(2, 0.5), 0.1)


@pytest.mark.parametrize(
    ("T", "n"), [(pair(10, 0.4), 2400), (symmetric(10, 0.8), 2240), (pair(10, 0.2), 178)]
)
def test_a_whole_number_of_labels_to_check_is_not_rounded_up(T, n):
    """100 (a² − 1) of one rival, and 177.8 is 178."""
    assert labels_to_check(T, 0.1) == n
