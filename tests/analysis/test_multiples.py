"""A loss as a multiple of 1 - p_y, and its slope in units of it."""

import math

import numpy as np
import pytest

from jal.analysis.multiples import attention, multiple
from jal.errors import InputError
from jal.losses import build
from jal.noise import symmetric


def test_multiples_of_one_less_p():
    mae = multiple(build("MAE", "cifar10"))
    assert (mae.height, mae.bend) == pytest.approx((2.0, 0.0))
    assert multiple(build("RCE", "cifar10")).height == pytest.approx(4 * math.log(10))
    # 2 a / K for q = 2, and 2 / K for q = 1, whatever a.
    assert multiple(build("AMSE", "cifar10", a=7.0), 5).height == pytest.approx(14 / 5)
    for a in (1.0, 9.0):
        assert multiple(build("AMSE", "cifar10", a=a, q=1.0), 5).height == pytest.approx(2 / 5)


def test_the_bend_is_the_distance_from_the_straight_line():
    # GCE with q = 2 is (1 - p^2) / 2; halfway it is 3/8, the line 1/4.
    found = multiple(build("GCE", "cifar10", q=2.0))
    assert (found.height, found.bend) == pytest.approx((0.5, 0.25), abs=1e-6)


def test_agce_plus_mae_is_a_multiple_of_mae_to_within_a_per_cent():
    found = multiple(build("AGCE+MAE", "cifar10"))
    assert found.height == pytest.approx((7**1.5 - 6**1.5) / 1.5 + 1)
    assert 0 < found.bend < 0.01


@pytest.mark.parametrize("name", ["NCE", "CE"])
def test_a_loss_without_a_value_at_zero_is_no_multiple(name):
    with pytest.raises(InputError, match=f"{name} is no multiple"):
        multiple(build(name, "cifar10"))


def test_attention_is_the_slope_in_p_for_a_loss_of_p_alone():
    p = np.array([1e-4, 0.1, 0.5, 0.99])
    assert attention(build("MAE", "cifar10"), p) == pytest.approx([2.0] * 4)
    assert attention(build("CE", "cifar10"), p) == pytest.approx(1 / p)
    assert attention(build("AGCE", "cifar10"), p, 7) == pytest.approx((0.6 + p) ** -0.4)


def test_agce_asks_for_the_ratio_that_its_authors_give():
    at_0, at_1 = attention(build("AGCE", "cifar10"), [1e-9, 1 - 1e-9])
    assert at_0 / at_1 == pytest.approx((1.6 / 0.6) ** 0.4, rel=1e-6)
    T = symmetric(10, 0.8)
    assert T[0, 0] / T[0, 1] == pytest.approx(2.25)
