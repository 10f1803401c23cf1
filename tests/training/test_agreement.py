"""How far two ways of computing are apart, and how far they may be."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from jal import losses, models
from jal.training.agreement import Difference, Outcome, difference, tolerance
from jal.training.data import DeviceData
from jal.training.loop import Training
from jal.training.recipe import recipe


def outcome(losses=(3.0, 4.0), moved=(0.0, 1.0), test=10.0):
    return Outcome(torch.tensor(losses), torch.tensor(moved), test)


def test_differences_are_relative():
    found = difference(outcome(losses=(3.0, 4.5), moved=(0.1, 1.0)), outcome())
    assert found == pytest.approx((0.1, 0.1))
    assert difference(outcome(test=12.0), outcome()) == pytest.approx((0.2, 0.0))
    assert difference(outcome(), outcome()) == (0, 0)


@pytest.mark.parametrize(
    "broken",
    [{"losses": (3.0, math.nan)}, {"moved": (0.0, math.inf)}, {"test": math.nan}, {"test": math.inf}],
)
def test_what_is_not_finite_never_agrees(broken):
    assert not difference(outcome(**broken), outcome()).within(Difference(1e9, 1e9))


def test_what_should_not_move_may_not_move():
    still = outcome(moved=(0.0, 0.0))
    assert difference(still, still).weights == 0
    assert difference(outcome(), still).weights == math.inf


def test_what_is_allowed_follows_the_precision():
    order = [("float64", "cuda"), ("float32", "cpu"), ("float32", "cuda"), ("bfloat16", "cuda")]
    allowed = [tolerance(*which) for which in order]
    assert allowed == sorted(allowed)
    assert allowed[-1].weights < 1, "weights that do not move are 1 apart"
    assert tolerance("bfloat16", "cuda") == tolerance("bfloat16", "cpu")


def test_in_words():
    text = Difference(0.5, 1.25).beyond(tolerance("float32", "cuda"))
    assert text == "losses by 0.5 (0.07 is allowed), weights by 1 (0.3)"


@pytest.mark.parametrize("optimiser", [{}, {"optimiser": "adam", "momentum": 0.0, "learning_rate": 1e-3}])
def test_rounding_to_bfloat16_is_within_what_is_allowed_for_it(optimiser):
    """And beyond what is allowed for float32: the tolerance tells one from the other."""
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (96, 16, 16, 3), np.uint8), np.arange(96) % 10
    data = DeviceData(*(torch.tensor(array) for array in (images, labels, images, labels)), 10)

    def tried(precision):
        torch.manual_seed(1)
        r = replace(recipe("cifar10", "CE"), precision=precision, batch_size=32, width=0.25, **optimiser)
        model = models.build("cnn8", 10, 3, 16, r.width)
        criterion = losses.build("CE", "cifar10", reduction="none")
        return Training(model, criterion, data, labels, r, seed=1, eager=True).trial(3)

    exact, single, half = map(tried, ("float64", "float32", "bfloat16"))
    assert difference(single, exact).within(tolerance("float32", "cpu"))
    assert difference(half, exact).within(tolerance("bfloat16", "cpu"))
    assert not difference(half, exact).within(tolerance("float32", "cpu"))
