"""Accuracy on noisy labels: the identity under symmetric noise, what breaks it elsewhere, and what Records show."""

import math

import numpy as np
import pytest
from matplotlib import pyplot as plt

from jal.analysis.figures import style
from jal.analysis.studies.noisy_accuracy import (
    identity,
    identity_chart,
    images_needed,
    noisy_accuracy,
    prices,
    said_of_identity,
    smallest_difference,
)
from jal.errors import InputError
from jal.experiments.grids.grid import product
from jal.experiments.grids.words import losses, noises
from jal.noise import asymmetric, corrupt, pair, symmetric
from jal.theory import margin
from tests.analysis.filled import filled


def confusion_of(K=10, seed=0):
    return np.random.default_rng(seed).dirichlet(np.full(K * K, 0.2)).reshape(K, K)


def test_the_noisy_accuracy_is_that_of_drawn_labels():
    T, random = asymmetric("digits", 0.4), np.random.default_rng(0)
    truth = random.integers(10, size=200_000)
    guesses = np.where(random.random(len(truth)) < 0.7, truth, random.integers(10, size=len(truth)))
    confusion = np.zeros((10, 10))
    np.add.at(confusion, (truth, guesses), 1 / len(truth))
    given = corrupt(truth, T, 1, "bernoulli")
    assert noisy_accuracy(confusion, T) == pytest.approx((guesses == given).mean(), abs=0.004)


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.8, 0.95])
def test_under_symmetric_noise_it_is_an_affine_function_whose_slope_is_the_margin(rate):
    T = symmetric(10, rate)
    low, high = prices(T)
    assert low == pytest.approx(high) and low == pytest.approx(1 - rate - rate / 9)
    if rate < 0.9:
        assert low == pytest.approx(margin(T))
    for seed in range(3):
        confusion = confusion_of(seed=seed)
        c = np.trace(confusion)
        assert noisy_accuracy(confusion, T) == pytest.approx(rate / 9 + low * c)


def test_under_asymmetric_noise_the_worse_classifier_may_look_better():
    T = asymmetric("digits", 0.4)
    along, across = np.eye(10) / 10, np.eye(10) / 10
    along[7, [7, 1]] = 0.05, 0.05  # half of the sevens taken for ones, as the noise does
    across[0, [0, 6]] = 0.07, 0.03  # fewer errors, in a class without noise
    assert np.trace(along) < np.trace(across)
    assert noisy_accuracy(along, T) > noisy_accuracy(across, T)
    assert prices(T) == (pytest.approx(0.2), pytest.approx(1.0))


def test_the_price_of_an_error_bounds_the_noisy_accuracy():
    T = pair(10, 0.3)
    low, high = prices(T)
    assert low == pytest.approx(margin(T))
    for seed in range(5):
        confusion = confusion_of(seed=seed)
        perfect = (confusion.sum(1) * np.diag(T)).sum()
        lost = perfect - noisy_accuracy(confusion, T)
        error = 1 - np.trace(confusion)
        assert low * error - 1e-12 <= lost <= high * error + 1e-12


@pytest.mark.parametrize("confusion", [np.eye(3), np.eye(2) / 2, np.diag([1.5, -0.25, -0.25])])
def test_a_confusion_that_is_none_is_refused(confusion):
    with pytest.raises(InputError, match="give the shares of all images"):
        noisy_accuracy(confusion, symmetric(3, 0.2))


def test_so_many_images_show_the_difference():
    n, slope, difference, disagreement = images_needed(0.5, 0.02, 0.1), 0.5, 0.02, 0.1
    random = np.random.default_rng(0)
    # Of the images on which the two disagree, one is right a little more often than the other; nobody else is right.
    truth = np.zeros((4000, n), int)
    one, other = truth.copy(), truth.copy()
    draw = random.random(truth.shape)
    other[draw < (disagreement + difference) / 2] = 1
    one[(draw >= (disagreement + difference) / 2) & (draw < disagreement)] = 1
    given = corrupt(truth.ravel(), symmetric(2, 0.25), 3, "bernoulli").reshape(truth.shape)
    leads = (one == given).mean(1) - (other == given).mean(1)
    assert leads.mean() == pytest.approx(slope * difference, rel=0.05)
    assert leads.mean() / leads.std() == pytest.approx(2, rel=0.05)
    assert images_needed(0.05, 0.02, 0.1) == pytest.approx(100 * n, rel=0.01)
    assert smallest_difference(slope, n, disagreement) == pytest.approx(difference, rel=1e-3)


def test_a_slope_of_one_ninth_takes_no_image_for_its_last_digit():
    assert images_needed(prices(symmetric(10, 0.8))[0], 0.01, 0.1) == 324_000


@pytest.mark.parametrize("numbers", [(0, 0.1, 0.2), (0.5, 0, 0.2), (0.5, 0.3, 0.2), (0.5, 0.3, 1.2)])
def test_where_nothing_shows_there_is_no_number_of_images(numbers):
    with pytest.raises(InputError, match="give a slope over 0"):
        images_needed(*numbers)


@pytest.mark.parametrize("numbers", [(0, 100, 0.1), (0.5, 0, 0.1), (0.5, 100, 0.0)])
def test_where_nothing_shows_there_is_no_smallest_difference(numbers):
    with pytest.raises(InputError, match="give a slope over 0, one image or more"):
        smallest_difference(*numbers)


NOISES = ("clean", "symmetric 0.4", "asymmetric 0.4", "symmetric 0.8")
SLOPE = 1 - 0.4 - 0.4 / 9


@pytest.fixture
def records():
    def run(row, column, seed):
        if column == "symmetric 0.8" or seed != 123:
            return None
        test = [50.0, 70.0, 90.0]
        if column == "clean":
            return {"test_accuracy": test}
        slope = SLOPE if column == "symmetric 0.4" else 0.5
        noisy = [(0.6 if column == "symmetric 0.4" else 0.8) * 100 - slope * (100 - value) for value in test]
        return {"test_accuracy": test, "validation_accuracy": [value + 0.2 for value in noisy]}

    grid = product("small", "Small", losses("CE", "GCE"), noises(*NOISES), {"dataset": "digits", "epochs": 3})
    return filled(grid, run)


def test_the_slope_is_computed_and_measured_for_each_noise_that_was_run(records):
    frame = identity(records).set_index("column")
    assert frame.index.tolist() == ["symmetric 0.4", "asymmetric 0.4"]
    row = frame.loc["symmetric 0.4"]
    assert row[["n", "points", "low", "high", "slope", "off"]].tolist() == pytest.approx(
        [2, 6, SLOPE, SLOPE, SLOPE, 0.2]
    )
    shares = np.array([60 - SLOPE * (100 - value) + 0.2 for value in (50, 70, 90)]) / 100
    assert row["luck"] == pytest.approx(100 * math.sqrt((shares * (1 - shares)).mean() / 360))
    other = frame.loc["asymmetric 0.4"]
    assert other[["low", "high", "slope"]].tolist() == pytest.approx([0.2, 1.0, 0.5])
    assert math.isnan(other["off"])


def test_the_identity_in_words(records):
    symmetric_line, asymmetric_line = said_of_identity(identity(records)).splitlines()
    assert symmetric_line == (
        "- **symmetric 0.4**: a point of accuracy should show as 0.556; over 6 epochs of 2 runs it shows as 0.556. The "
        "dots lie 0.20 points off the computed line (root mean square); the draw of the labels explains up to 2.57."
    )
    assert "a point of accuracy shows as 0.200 to 1.000, by where it is won; over 6 epochs" in asymmetric_line


def test_without_noisy_validation_there_is_no_identity(records):
    none = filled(records.grid, lambda *run: 70.0)
    assert identity(none).empty
    assert said_of_identity(identity(none)) == "No run that was validated on noisy labels is there yet."
    with pytest.raises(InputError, match="no noisy validation labels to show"):
        identity_chart(none)


def test_the_figure_has_the_points_and_the_lines_as_computed(records):
    with plt.rc_context():
        style()
        figure = identity_chart(records)
    straight, wedge = figure.axes
    assert straight.get_title(loc="left") == "symmetric 0.4"
    points, line = straight.lines
    assert len(points.get_xdata()) == 6
    assert line.get_ydata().tolist() == pytest.approx([60 - 50 * SLOPE, 60])
    assert [drawn.get_ydata()[-1] for drawn in wedge.lines[1:]] == [80.0, 80.0]
    plt.close(figure)
