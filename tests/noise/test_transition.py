import os
from pathlib import Path

import numpy as np
import pytest

from jal.errors import InputError
from jal.noise import asymmetric, flip_map, pair, symmetric, threshold, transition
from jal.noise.transition import CIFAR100_SUPERCLASS


@pytest.mark.parametrize("K", [2, 10, 100])
@pytest.mark.parametrize("rate", [0.0, 0.2, 0.8])
def test_symmetric_noise_spreads_the_rate_over_the_other_classes(K, rate):
    T = symmetric(K, rate)
    assert T.dtype == np.float64
    np.testing.assert_allclose(T.sum(axis=1), 1)
    np.testing.assert_allclose(np.diag(T), 1 - rate)
    np.testing.assert_allclose(T[~np.eye(K, dtype=bool)], rate / (K - 1))


@pytest.mark.parametrize("K", [2, 3, 100])
def test_pair_flips_go_to_the_next_class_and_from_the_last_to_the_first(K):
    T = pair(K, 0.45)
    expected = np.zeros((K, K))
    for i in range(K):
        expected[i, i], expected[i, (i + 1) % K] = 0.55, 0.45
    np.testing.assert_allclose(T, expected, atol=1e-15)
    assert threshold(T).a == pytest.approx(10)


def test_pair_flips_at_rate_0_are_none():
    np.testing.assert_array_equal(pair(7, 0), np.eye(7))


def test_cifar10_flips_five_classes():
    T = asymmetric("cifar10", 0.3)
    flips = {(int(i), int(j)) for i, j in np.argwhere(T > 0) if i != j}
    assert flips == {(9, 1), (2, 0), (4, 7), (3, 5), (5, 3)}
    assert {T[i, j] for i, j in flips} == {0.3}
    assert [i for i in range(10) if T[i, i] == 1] == [0, 1, 6, 7, 8]


@pytest.mark.parametrize("dataset", ["mnist", "fashion-mnist", "digits"])
def test_digits_flip_as_mnist_does(dataset):
    assert flip_map(dataset) == (0, 1, 7, 8, 4, 6, 5, 1, 8, 9)


def test_cifar100_superclasses_are_twenty_of_five():
    assert sorted(np.bincount(CIFAR100_SUPERCLASS)) == [5] * 20


def test_cifar100_flips_stay_in_the_superclass_in_the_paper_and_mostly_leave_it_in_the_release():
    same = {
        settings: sum(
            CIFAR100_SUPERCLASS[i] == CIFAR100_SUPERCLASS[j]
            for i, j in enumerate(flip_map("cifar100", settings))
        )
        for settings in ("paper", "official")
    }
    assert same == {"paper": 100, "official": 6}
    assert flip_map("cifar100", "official")[:6] == (1, 2, 3, 4, 0, 6)
    # aquatic mammals: beaver 4, dolphin 30, otter 55, seal 72, whale 95
    assert [flip_map("cifar100", "paper")[i] for i in (4, 30, 55, 72, 95)] == [30, 55, 72, 95, 4]


def test_superclasses_agree_with_the_dataset(cifar_labels):
    fine = cifar_labels("cifar100")
    folder = Path(os.environ["JAL_DATA"]) / "cifar100"
    packed = folder / "labels.npz"
    coarse = np.load(packed)["train_coarse"] if packed.exists() else np.load(folder / "y_train_coarse.npy")
    np.testing.assert_array_equal(np.array(CIFAR100_SUPERCLASS)[fine], coarse)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([[1.0]], "at least two classes"),
        ([[0.5, 0.5]], "must be square"),
        ([[0.5, 0.4], [0, 1]], "row 0 of the transition matrix sums to 0.9"),
        ([[1.5, -0.5], [0, 1]], "holds -0.5: a probability is at least 0"),
        ([[np.nan, 1], [0, 1]], "not finite"),
        ([[1, 0], [0]], "not an array of numbers"),
        ("abc", "not an array of numbers"),
    ],
)
def test_bad_matrices_are_refused(matrix, message):
    with pytest.raises(InputError, match=message) as error:
        transition(matrix)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5, float("nan"), None, "0.4"])
def test_rates_outside_the_unit_interval_are_refused(rate):
    with pytest.raises(InputError, match="noise rate"):
        symmetric(10, rate)
    with pytest.raises(InputError, match="noise rate"):
        asymmetric("cifar10", rate)
    with pytest.raises(InputError, match="noise rate"):
        pair(10, rate)


def test_other_bad_input_is_refused():
    for K in (1, 0, -3, 10.0, True):
        for noise in (symmetric, pair):
            with pytest.raises(InputError, match=r"give their number, an integer of at least 2"):
                noise(K, 0.2)
    with pytest.raises(InputError, match="did you mean 'cifar10'"):
        asymmetric("CIFAR-10", 0.2)
    with pytest.raises(InputError, match="unknown settings 'papper': did you mean 'paper'"):
        asymmetric("cifar100", 0.2, settings="papper")
