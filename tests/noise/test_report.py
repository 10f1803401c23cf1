import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jal.errors import InputError
from jal.noise import (
    asymmetric,
    corrupt,
    empirical_transition,
    instance_dependent,
    instance_probabilities,
    pair,
    report,
    symmetric,
    threshold,
)
from jal.theory import is_asymmetric

BALANCED = np.repeat(np.arange(10), 500)


def instance_report(rate=0.6):
    images = np.random.default_rng(0).standard_normal((2000, 40)) * 3
    labels = np.arange(2000) % 10
    noisy = instance_dependent(images, labels, rate, 1)
    P = instance_probabilities(images, labels, rate, 1)
    return labels, P, report(labels, noisy, 10, nominal=rate, probabilities=P)


def test_counts_rates_and_the_empirical_transition():
    found = report([0, 0, 0, 0, 1, 1, 2], [0, 0, 1, 2, 1, 1, 0], 3)
    assert found.counts.tolist() == [[2, 1, 1], [0, 2, 0], [1, 0, 0]]
    assert found.rate == 3 / 7
    assert found.class_rates.tolist() == [0.5, 0, 1]
    np.testing.assert_array_equal(found.empirical, [[0.5, 0.25, 0.25], [0, 1, 0], [1, 0, 0]])
    assert found.not_dominant == [2]
    assert math.isinf(found.threshold().a) and found.threshold().true_class == 2


def test_exact_corruption_shows_its_transition():
    """At rates whose counts are whole, the empirical transition is the nominal one."""
    T = asymmetric("cifar10", 0.3)
    given_labels = corrupt(BALANCED, T, 3)
    np.testing.assert_allclose(empirical_transition(BALANCED, given_labels, 10), T, atol=1e-12)
    found = report(BALANCED, given_labels, 10, nominal=0.3, transition=T, q=3)
    for q in (2, 3):
        assert found.threshold(q).a == pytest.approx(found.nominal_threshold(q).a)
        assert found.threshold(q).a == pytest.approx(threshold(T, q).a)
    # Five of ten classes flip: half of the nominal rate.
    assert found.rate == 0.15
    assert found.not_dominant == []


def test_true_and_nominal_rate_stand_side_by_side():
    T = symmetric(10, 0.4)
    text = str(report(BALANCED, corrupt(BALANCED, T, 1), 10, nominal=0.4, transition=T))
    assert "5,000 of 10 classes, 39.6 % wrong (40 % asked for)" in text
    assert "a >= 1.785715 (q = 2)" in text  # of the labels: 1 / (.604 - .044)
    assert "a >= 1.8 (q = 2)" in text  # of the transition


def test_classes_whose_true_label_does_not_dominate_are_named():
    found = report(BALANCED, corrupt(BALANCED, pair(10, 0.5), 1), 10)
    assert found.not_dominant == list(range(10))
    assert "not the likeliest one in classes 0, 1, 2, 3, 4, 5, 6, 7, 8, 9\n" in str(found)
    assert "no a is enough" in str(found)
    assert found.to_dict()["thresholds"][0]["a"] is None


def test_an_absent_class_is_named_and_asks_for_nothing():
    true = np.where(BALANCED == 3, 4, BALANCED)
    noisy = corrupt(true, symmetric(10, 0.4), 1)
    found = report(true, noisy, 10)
    assert found.absent == [3]
    assert np.isnan(found.empirical[3]).all() and np.isnan(found.class_rates[3])
    assert "no image is of class 3" in str(found)
    assert found.to_dict()["class_rates"][3] is None
    assert 3 not in found.not_dominant
    kept = np.delete(np.diag(found.empirical), 3)
    rival = np.delete((found.empirical - np.diag(np.diag(found.empirical))).max(axis=1), 3)
    assert found.threshold().a == pytest.approx(1 / (kept - rival).min())


def test_clean_labels_name_a_class_that_is_there():
    found = report([2, 2, 1], [2, 2, 1], 4)
    assert (found.rate, found.threshold().a, found.absent) == (0, 1, [0, 3])
    assert (found.threshold().true_class, found.threshold().rival) == (1, 0)
    assert "0 % in every class; no image is of classes 0, 3" in str(found)


def test_many_classes_make_no_long_line():
    true = np.arange(100)
    assert "classes 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 90 more" in str(report(true, (true + 1) % 100, 100))


def test_images_are_counted_one_by_one():
    P = [[0.7, 0.2, 0.1], [0.5, 0.5, 0.0], [0.2, 0.5, 0.3], [0.1, 0.3, 0.6]]
    found = report([0, 0, 0, 2], [0, 1, 1, 2], 3, probabilities=P)
    np.testing.assert_allclose(found.images.margins, [0.5, 0, -0.3, 0.3])
    assert found.images.dominant_share == 0.5
    assert [found.images.covered(a) for a in (1, 2, 3, 3.4, 1e9)] == [0, 0.25, 0.25, 0.5, 0.5]
    assert found.images.covered(1, q=1) == 0.5


@given(
    weights=st.lists(st.floats(0.01, 1), min_size=3, max_size=6),
    a=st.floats(1, 50),
    q=st.sampled_from([0.5, 1.0, 1.5, 2.0, 3.0]),
)
def test_an_image_is_covered_where_amse_is_asymmetric(weights, a, q):
    row = np.array(weights) / np.sum(weights)
    found = report([int(row.argmax())], [0], len(row), probabilities=row[np.newaxis])
    assert found.images.covered(a, q) == is_asymmetric(row, a, q)


def test_for_instance_dependent_noise_the_report_says_that_no_transition_holds():
    labels, P, found = instance_report()
    assert "no single transition holds" in str(found)
    own = P[np.arange(len(labels)), labels]
    dominant = (own == P.max(axis=1)).mean()
    assert found.images.dominant_share == dominant
    # The class averages look as if some `a` were enough; for most images none is.
    assert math.isfinite(found.threshold().a) and dominant < 0.5


def test_the_dictionary_is_json_and_says_the_same():
    _, _, found = instance_report(0.4)
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert data["rate"] == found.rate and data["nominal_rate"] == 0.4
    assert data["images"]["dominant_share"] == found.images.dominant_share
    quantiles = [entry["margin"] for entry in data["images"]["margins"]]
    assert quantiles == sorted(quantiles)
    for entry in data["images"]["covered"]:
        assert entry["share"] == found.images.covered(entry["a"], entry["q"])
    assert data["nominal_thresholds"] == []


def test_both_exponents_are_reported():
    T = symmetric(10, 0.4)
    data = report(BALANCED, corrupt(BALANCED, T, 1), 10, transition=T, q=3).to_dict()
    assert [entry["q"] for entry in data["thresholds"]] == [2, 3]
    assert [entry["q"] for entry in data["nominal_thresholds"]] == [2, 3]


def test_the_empirical_transition_estimates_the_one_that_was_drawn_from():
    true = np.repeat(np.arange(3), 200_000)
    T = np.array([[0.5, 0.3, 0.2], [0.0, 0.9, 0.1], [0.25, 0.25, 0.5]])
    estimate = empirical_transition(true, corrupt(true, T, 7, "bernoulli"), 3)
    # 5 standard deviations of a frequency at p = .5
    np.testing.assert_allclose(estimate, T, atol=5 * 0.5 / 200_000**0.5)
    np.testing.assert_allclose(estimate.sum(axis=1), 1, atol=1e-12)


def test_empirical_rows_of_absent_classes_are_nan_and_the_others_sum_to_1():
    T = empirical_transition([0, 2, 2], [1, 2, 0], 4)
    np.testing.assert_array_equal(T[[0, 2]], [[0, 1, 0, 0], [0.5, 0, 0.5, 0]])
    assert np.isnan(T[[1, 3]]).all()


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([], [], 3), {}, "true labels of shape"),
        ((np.zeros(0, int), np.zeros(0, int), 3), {}, "no labels to report on"),
        (([0, 1], [0], 3), {}, "2 true and 1 given labels"),
        (([0, 3], [0, 1], 3), {}, "true labels hold 3, outside 0..2"),
        (([0, 1], [0, -1], 3), {}, "given labels hold -1"),
        (([0], [0], 1), {}, "1 classes: give their number"),
        (([0], [0], 2), {"nominal": 1.5}, "noise rate 1.5"),
        (([0], [0], 2), {"transition": np.eye(3)}, "a transition of 3 classes for labels of 2"),
        (([0], [0], 2), {"transition": [[1, 1], [0, 1]]}, "sums to 2"),
        (([0], [0], 2), {"probabilities": [[0.5, 0.4]]}, "row 0 of the probabilities is no distribution"),
        (([0], [0], 2), {"probabilities": [[np.nan, 1]]}, "no distribution"),
        (([0], [0], 2), {"probabilities": [[1.5, -0.5]]}, r"least -0.5"),
        (([0], [0], 2), {"probabilities": [[1, 0, 0]]}, r"give \(1, 2\)"),
        (([0], [0], 2), {"probabilities": "abc"}, "not an array of numbers"),
        (([0], [0], 2), {"q": 0}, "q is 0"),
    ],
)
def test_bad_input_is_refused_in_one_line(arguments, options, message):
    with pytest.raises(InputError, match=message) as error:
        report(*arguments, **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("a", "q"), [(0.5, 2), (math.nan, 2), (math.inf, 2), (2, 0), (2, math.nan)])
def test_a_cover_by_no_number_is_refused(a, q):
    found = report([0], [0], 2, probabilities=[[0.6, 0.4]])
    with pytest.raises(InputError, match="give a finite a"):
        found.images.covered(a, q)


@pytest.mark.filterwarnings("ignore:a noise rate of 0 where")
def test_a_rate_that_is_not_reached_is_told_beside_the_one_that_was_asked_for():
    T, true = symmetric(100, 0.8), np.repeat(np.arange(100), 50)
    found = report(true, corrupt(true, T, 1), 100, nominal=0.8, transition=T)
    assert found.short and found.asked == pytest.approx(0.8)
    (line,) = [line for line in str(found).splitlines() if line.startswith("too few")]
    assert "a noise rate of 0 where 0.8 was asked for" in line
    assert found.to_dict()["too_few"] in line
    fine = report(true, corrupt(true, T, 1, "bernoulli"), 100, nominal=0.8, transition=T)
    assert not fine.short and "too few" not in str(fine) and "too_few" not in fine.to_dict()
