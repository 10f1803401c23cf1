"""The labels of a run: each kind of noise put on the true labels of its images."""

import hashlib
import os

import numpy as np
import pytest

from jal import datasets, noise
from jal.errors import InputError
from jal.experiments import resolve
from jal.experiments.labels import (
    missed_rates,
    noisy_labels,
    report_of,
    source_of,
    transition,
    validation_labels,
)

DIGITS = datasets.load("digits")


def spec(**words):
    return resolve(**({"dataset": "digits", "loss": "CE"} | words))


def sha256(labels):
    return hashlib.sha256(np.ascontiguousarray(labels, "<i8")).hexdigest()[:16]


@pytest.fixture
def cifar():
    if not os.environ.get("JAL_DATA"):
        pytest.skip("no images of cifar: set JAL_DATA to the folder that holds cifar10/ and cifar100/")
    return datasets.load


def test_pair_noise_moves_labels_to_the_next_class():
    given = noisy_labels(spec(noise="pair", rate=0.4), DIGITS)
    moved = given != DIGITS.train_labels
    assert (given[moved] == (DIGITS.train_labels[moved] + 1) % 10).all()
    assert moved.mean() == pytest.approx(0.4, abs=0.01)


def test_pdn_is_drawn_from_the_standardised_pixels():
    run = spec(noise="instance", rate=0.3)
    expected = noise.instance_dependent(
        DIGITS.train_images, DIGITS.train_labels, 0.3, 123, num_classes=10, mean=run.recipe.mean, std=run.recipe.std
    )  # fmt: skip
    assert (noisy_labels(run, DIGITS) == expected).all()
    assert 0.2 < (expected != DIGITS.train_labels).mean() < 0.4


def test_a_file_of_labels_is_trained_on_if_it_is_the_runs_own(tmp_path):
    given = (DIGITS.train_labels + (np.arange(len(DIGITS.train_labels)) % 3 == 0)) % 10
    clean = noise.labels_sha256(DIGITS.train_labels)
    file = noise.LabelFile("digits", 10, given, {"kind": "mine"}, "me", "CC0", clean_sha256=clean)
    noise.write_labels(tmp_path / "mine.json", file)
    run = spec(noise="file", variant=file.sha256)
    assert (noisy_labels(run, DIGITS, file=tmp_path / "mine.json") == given).all()
    assert source_of(run.noise, "digits", tmp_path / "mine.json") == {"source": "me", "licence": "CC0"}
    with pytest.raises(InputError, match="come from a file: name it with --labels"):
        noisy_labels(run, DIGITS)
    other = spec(noise="file", variant="0" * 64)
    with pytest.raises(InputError, match="holds other labels"):
        noisy_labels(other, DIGITS, file=tmp_path / "mine.json")
    # Of a whole set, those of the images that are trained on; of others, a file of just these is as good.
    part = spec(noise="file", variant=file.sha256, train_size=100)
    assert (noisy_labels(part, DIGITS.first(100), file=tmp_path / "mine.json") == given[:100]).all()
    first = noise.LabelFile("digits", 10, given[:100], {"kind": "mine"})
    noise.write_labels(tmp_path / "first.json", first)
    part = spec(noise="file", variant=first.sha256, train_size=100)
    assert (noisy_labels(part, DIGITS.first(100), file=tmp_path / "first.json") == given[:100]).all()


@pytest.mark.parametrize(
    ("size", "train_size", "message"),
    [
        (100, None, "100 labels .* for 1437 images"),
        (100, 50, "100 labels .* for 1437"),
        (50, 100, "50 labels .* for 100"),
    ],
)
def test_a_file_of_neither_all_labels_nor_those_trained_on_is_refused(tmp_path, size, train_size, message):
    file = noise.LabelFile("digits", 10, DIGITS.train_labels[:size], {"kind": "mine"})
    noise.write_labels(tmp_path / "mine.json", file)
    run = spec(noise="file", variant=file.sha256, train_size=train_size)
    data = DIGITS if train_size is None else DIGITS.first(train_size)
    with pytest.raises(InputError, match=message):
        noisy_labels(run, data, file=tmp_path / "mine.json")


@pytest.mark.parametrize(
    ("words", "sum"),
    [
        ({"noise": "symmetric", "rate": 0.4}, "47b7231040817dd2"),
        ({"noise": "asymmetric", "rate": 0.4}, "648031255cac6b2e"),
        ({"noise": "human", "variant": "worst"}, "a64d887522cf6d8f"),
        ({"noise": "human", "variant": "rand3"}, "b51e116c617ded2c"),
        ({"noise": "instance", "rate": 0.2}, "39b0a9bb828f4dd7"),
        ({"noise": "instance", "rate": 0.6}, "5f75c01c4b2d004a"),
        ({"dataset": "cifar100", "noise": "human"}, "4a1efd5da7a214b2"),
        ({"dataset": "cifar100", "noise": "instance", "rate": 0.4}, "2c48bda30517e66d"),
        ({"dataset": "cifar100", "noise": "asymmetric", "rate": 0.2}, "317609b5717a5ab1"),
        (
            {"dataset": "cifar100", "noise": "asymmetric", "rate": 0.2, "settings": "paper"},
            "e3351e476d36c579",
        ),
    ],
)
def test_a_runs_labels_are_the_released_ones(cifar, words, sum):
    run = spec(**({"dataset": "cifar10"} | words))
    assert sha256(noisy_labels(run, cifar(run.dataset))) == sum


def test_part_of_a_dataset_has_the_labels_of_its_images(cifar):
    run = spec(dataset="cifar10", noise="human", variant="worst")
    data = cifar("cifar10")
    assert (noisy_labels(run, data.first(1000)) == noisy_labels(run, data)[:1000]).all()


def test_validation_labels_are_as_noisy_as_the_training_labels_and_another_draw():
    run = spec(noise="symmetric", rate=0.4)
    labels = validation_labels(run, DIGITS)
    assert labels.shape == DIGITS.test_labels.shape
    assert (labels != DIGITS.test_labels).mean() == pytest.approx(0.4, abs=0.08)
    seed = run.noise.seed
    assert (labels != noise.corrupt(DIGITS.test_labels, noise.symmetric(10, 0.4), seed)).any()
    assert validation_labels(spec(), DIGITS) is None
    assert validation_labels(spec(noise="instance", rate=0.3), DIGITS) is None


def test_noise_of_each_image_has_no_transition():
    assert transition(spec(noise="instance", rate=0.3).noise, "digits", 10) is None
    assert (transition(spec().noise, "digits", 10) == np.eye(10)).all()
    assert (transition(spec(noise="pair", rate=0.3).noise, "digits", 10) == noise.pair(10, 0.3)).all()


def test_a_report_says_what_the_noise_did():
    found = report_of(spec(noise="symmetric", rate=0.4), DIGITS)
    assert found.nominal == 0.4 and found.rate == pytest.approx(0.37, abs=0.001)
    assert report_of(spec(noise="instance", rate=0.3), DIGITS).images.dominant_share > 0.9


def test_labels_that_others_made_come_with_their_licence():
    assert (
        source_of(spec(dataset="cifar10", noise="human", variant="worst").noise, "cifar10")["licence"]
        == "CC BY-NC 4.0"
    )
    assert source_of(spec(dataset="cifar10", noise="instance", rate=0.2).noise, "cifar10")["licence"]
    assert source_of(spec(noise="symmetric", rate=0.4).noise, "digits") == {}


@pytest.mark.filterwarnings("ignore:a noise rate of 0 where 0.4")
def test_exact_counts_of_too_few_labels_tell_both_rates():
    few = DIGITS.first(60)
    run = spec(noise="symmetric", rate=0.4, train_size=60)
    given = noisy_labels(run, few)
    assert missed_rates(run, few.train_labels, given, 10) == {"asked": 0.4, "reached": 0.0}
    assert "a noise rate of 0 where 0.4 was asked for" in str(report_of(run, few))


def test_rates_that_agree_are_not_told():
    for words in ({}, {"noise": "symmetric", "rate": 0.4}, {"noise": "instance", "rate": 0.3}):
        run = spec(**words)
        assert missed_rates(run, DIGITS.train_labels, noisy_labels(run, DIGITS), 10) == {}
    drawn = spec(noise="symmetric", rate=0.4, train_size=60, method="bernoulli")
    assert missed_rates(drawn, DIGITS.train_labels[:60], DIGITS.train_labels[:60], 10) == {}
