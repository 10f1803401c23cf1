import hashlib
import time
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jal.errors import InputError
from jal.noise import asymmetric, corrupt, symmetric

BALANCED = np.repeat(np.arange(10), 500)

# sha256, first 16 hex digits, of the int64 little-endian labels of the authors' released procedure at seed 123
SYMMETRIC = {
    ("cifar10", 0.0): "f5cfe00b0f00968c",
    ("cifar10", 0.2): "6d5ff492c9863ce4",
    ("cifar10", 0.4): "47b7231040817dd2",
    ("cifar10", 0.6): "baea682c5b6179da",
    ("cifar10", 0.8): "d1e5641c4336ca3d",
    ("cifar100", 0.0): "8bf4935e7c77a309",
    ("cifar100", 0.2): "c9f78dc018673d5f",
    ("cifar100", 0.4): "7402a81b1114132d",
    ("cifar100", 0.6): "4c2c7796fa3a2b2e",
    ("cifar100", 0.8): "a1c544f19803a940",
}
ASYMMETRIC = {
    ("cifar10", "official", 0.1): "7c3a82bea33ccbbe",
    ("cifar10", "official", 0.2): "97ef432da1a1a6c0",
    ("cifar10", "official", 0.3): "e2ac486d751a39be",
    ("cifar10", "official", 0.4): "648031255cac6b2e",
    ("cifar100", "official", 0.1): "5d1ccd7af830805c",
    ("cifar100", "official", 0.2): "317609b5717a5ab1",
    ("cifar100", "official", 0.3): "327dc407b9a249f2",
    ("cifar100", "official", 0.4): "a0c360b3b93b196b",
    ("cifar100", "paper", 0.1): "a7962cc049448b7e",
    ("cifar100", "paper", 0.2): "e3351e476d36c579",
    ("cifar100", "paper", 0.3): "3c1b16ef7fb36439",
    ("cifar100", "paper", 0.4): "f49a0efe9e4a616d",
}


def digest(labels):
    return hashlib.sha256(labels.astype("<i8").tobytes()).hexdigest()[:16]


@pytest.mark.parametrize(("dataset", "rate"), SYMMETRIC)
def test_symmetric_labels_are_the_released_ones(dataset, rate, cifar_labels):
    K = 10 if dataset == "cifar10" else 100
    assert digest(corrupt(cifar_labels(dataset), symmetric(K, rate), 123)) == SYMMETRIC[dataset, rate]


@pytest.mark.parametrize(("dataset", "settings", "rate"), ASYMMETRIC)
def test_asymmetric_labels_are_the_released_ones(dataset, settings, rate, cifar_labels):
    T = asymmetric(dataset, rate, settings)
    assert digest(corrupt(cifar_labels(dataset), T, 123)) == ASYMMETRIC[dataset, settings, rate]


def test_the_stream_without_the_data():
    """The same procedure on labels that need no download, so that a changed stream shows everywhere."""
    assert digest(corrupt(BALANCED, symmetric(10, 0.4), 123)) == "25e1940fb38ff0db"
    assert digest(corrupt(BALANCED, symmetric(10, 0.4), 123, "bernoulli")) == "7c9581633a0573fd"


def test_exact_counts_are_truncated_products():
    labels = np.random.default_rng(0).integers(0, 10, 4321)
    T = symmetric(10, 0.37)
    noisy = corrupt(labels, T, 5)
    sizes = np.bincount(labels, minlength=10)
    for i in range(10):
        for j in range(10):
            if i != j:
                assert ((labels == i) & (noisy == j)).sum() == int(T[i, j] * sizes[i])


def test_true_rates_of_the_papers_sets():
    """Nominal .2 ... .8: truncation per pair of classes leaves .1998 ... on CIFAR-10, .198 ... on CIFAR-100."""
    for labels, K, rates in (
        (np.repeat(np.arange(10), 5000), 10, (0.1998, 0.3996, 0.5994, 0.7992)),
        (np.repeat(np.arange(100), 500), 100, (0.198, 0.396, 0.594, 0.792)),
    ):
        measured = [(corrupt(labels, symmetric(K, eta), 1) != labels).mean() for eta in (0.2, 0.4, 0.6, 0.8)]
        np.testing.assert_allclose(measured, rates, atol=1e-12)


@given(seed=st.integers(0, 2**32 - 1), rate=st.floats(0, 0.99))
def test_bernoulli_draws_only_what_the_transition_allows(seed, rate):
    T = asymmetric("cifar10", rate)
    noisy = corrupt(BALANCED, T, seed, "bernoulli")
    assert (T[BALANCED, noisy] > 0).all()


def test_bernoulli_frequencies_are_the_transitions():
    labels = np.repeat(np.arange(3), 200_000)
    T = np.array([[0.5, 0.3, 0.2], [0.0, 0.9, 0.1], [0.25, 0.25, 0.5]])
    noisy = corrupt(labels, T, 7, "bernoulli")
    counts = np.array([np.bincount(noisy[labels == i], minlength=3) for i in range(3)]) / 200_000
    # 5 standard deviations of a frequency at p = .5
    np.testing.assert_allclose(counts, T, atol=5 * 0.5 / 200_000**0.5)


@pytest.mark.parametrize("method", ["exact", "bernoulli"])
def test_seeds_repeat_and_differ_and_the_input_is_left_alone(method):
    labels = BALANCED.copy()
    T = symmetric(10, 0.5)
    first, again, other = (corrupt(labels, T, seed, method) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_array_equal(labels, BALANCED)
    assert first.dtype == np.int64


def test_identity_changes_nothing_and_empty_labels_are_fine():
    np.testing.assert_array_equal(corrupt(BALANCED, np.eye(10), 1, "bernoulli"), BALANCED)
    assert corrupt(np.array([], dtype=int), np.eye(10), 1).shape == (0,)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 10], np.eye(10), 1), "labels hold 10, outside 0..9"),
        (([0, -1], np.eye(10), 1), "labels hold -1"),
        (([0.0, 1.0], np.eye(10), 1), "give a list of integers"),
        (([[0]], np.eye(10), 1), "give a list of integers"),
        (([[0], [0, 1]], np.eye(10), 1), "give a list of integers"),
        (([0], np.ones((2, 2)), 1), "sums to 2"),
        (([0], np.eye(2), -1), "seed -1"),
        (([0], np.eye(2), 1.5), "seed 1.5"),
        (([0], np.eye(2), 1, "exakt"), "did you mean 'exact'"),
    ],
)
def test_bad_input_is_refused_in_one_line(arguments, message):
    with pytest.raises(InputError, match=message) as error:
        corrupt(*arguments)
    assert "\n" not in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["exact", "bernoulli"])
def test_a_million_labels_take_a_moment(method):
    labels = np.random.default_rng(0).integers(0, 10, 1_000_000)
    seconds = []
    for seed in range(5):
        start = time.perf_counter()
        corrupt(labels, symmetric(10, 0.4), seed, method)
        seconds.append(time.perf_counter() - start)
    assert sorted(seconds)[2] < 0.5


def test_exact_counts_that_change_nothing_say_so_with_both_rates():
    true = np.repeat(np.arange(1000), 50)
    with pytest.warns(UserWarning, match="a noise rate of 0 where 0.8 was asked for") as caught:
        noisy = corrupt(true, symmetric(1000, 0.8), 1)
    assert np.array_equal(noisy, true)
    assert len(caught) == 1 and "\n" not in str(caught[0].message)


@pytest.mark.parametrize("rate", [0.2, 0.4, 0.6, 0.8])
def test_the_rates_of_the_paper_pass_without_a_word(rate):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        corrupt(np.repeat(np.arange(100), 500), symmetric(100, rate), 1)
        corrupt(np.repeat(np.arange(1000), 50), symmetric(1000, rate), 1, "bernoulli")


@pytest.mark.parametrize("unreachable", [0, 2])
def test_a_draw_beyond_what_rounding_leaves_of_a_row_is_its_last_reachable_class(monkeypatch, unreachable):
    class Largest:
        def __init__(self, bits):
            pass

        def random(self, n):
            return np.full(n, np.nextafter(1, 0))

    K = 10 + unreachable
    row = np.zeros(K)
    row[:10] = 0.1
    assert np.cumsum(row)[-1] < 1
    monkeypatch.setattr(np.random, "Generator", Largest)
    assert (corrupt(np.arange(K), np.tile(row, (K, 1)), 0, "bernoulli") == 9).all()
