"""Why losses start slowly: slopes and walks against closed forms."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from jal.analysis.slopes import CERTAIN, logit_slopes, walk
from jal.errors import InputError
from jal.losses import build


def slope(loss, K):
    """Where all classes are equally likely."""
    return float(logit_slopes(loss, np.array([1 / K]), K)[0])


@pytest.mark.parametrize("K", [10, 100])
def test_slopes_at_the_start_by_hand(K):
    assert slope(build("CE", None), K) == pytest.approx(1 - 1 / K)
    assert slope(build("MAE", None), K) == pytest.approx(2 / K * (1 - 1 / K))
    assert slope(build("NCE", None), K) == pytest.approx((1 - 1 / K) / (K * math.log(K)))
    # AMSE is (a/K) MAE there: ||p||^2 has no slope.
    assert slope(build("AMSE", None, a=30), K) == pytest.approx(30 / K * 2 / K * (1 - 1 / K))


@pytest.mark.parametrize("name", ["CE", "GCE", "MAE", "NCE+RCE", "NCE+AGCE", "ANL-CE", "JAL-CE", "JAL-FL"])
def test_at_the_start_all_losses_pull_one_way(name):
    z = torch.zeros(1, 10, dtype=torch.float64, requires_grad=True)
    loss = build(name, "cifar10")
    loss.all_labels(z)[0, 0].backward()
    direction = torch.full((10,), -0.1, dtype=torch.float64)
    direction[0] += 1
    assert torch.allclose(-z.grad[0], slope(loss, 10) / 0.9 * direction)


def test_a_walk_of_mae_has_a_closed_form():
    # du/dt = 2 p (1 - p) K / (K - 1) and dp/du = p (1 - p), so dt = (K - 1) / (2 K) dp / [p (1 - p)]^2.
    K = 10
    found = walk(build("MAE", None), K)

    def time(p):
        return (K - 1) / (2 * K) * (2 * math.log(p / (1 - p)) - 1 / p + 1 / (1 - p))

    for p in (0.2, 0.5, 0.9):
        assert found.until(p) == pytest.approx(time(p) - time(1 / K), rel=1e-4)
    assert found.time[0] == 0 and found.probability[[0, -1]] == pytest.approx([1 / K, CERTAIN])


@pytest.mark.parametrize("name", ["NCE+RCE", "JAL-CE", "ANL-CE"])
def test_a_walk_is_the_flow_of_all_logits(name):
    K, rate, loss = 10, 0.4, build(name, "cifar10")
    weights = torch.full((K,), rate / (K - 1), dtype=torch.float64)
    weights[0] = 1 - rate

    def flow(_, z):
        z = torch.tensor(z[None], requires_grad=True)
        (loss.all_labels(z) @ weights).sum().backward()
        return -z.grad[0].numpy()

    found = walk(loss, K, rate, start=0.05)
    end = found.until(0.8)
    others = np.log(0.95 / (K - 1))
    z = solve_ivp(flow, (0, end), [np.log(0.05), *[others] * (K - 1)], rtol=1e-8, atol=1e-8).y[:, -1]
    assert np.exp(z[0] - np.logaddexp.reduce(z)) == pytest.approx(0.8, abs=1e-3)


def test_cross_entropy_stops_at_the_labels_share():
    found = walk(build("CE", None), 10, 0.4)
    assert found.probability[-1] == pytest.approx(0.6, abs=1e-2) and found.probability[-1] < 0.6
    assert found.until(0.7) == math.inf
    assert walk(build("MAE", None), 10, 0.4).probability[-1] == pytest.approx(CERTAIN)


@pytest.mark.parametrize("rate", [-0.1, 0.9, 1.0])
def test_noise_that_hides_the_true_class_is_refused(rate):
    with pytest.raises(InputError, match=f"rate={rate:g}: give one from 0"):
        walk(build("CE", None), 10, rate)


@pytest.mark.parametrize("start", [0.0, 0.6])
def test_a_start_outside_its_range_is_refused(start):
    with pytest.raises(InputError, match=f"start={start:g}"):
        walk(build("CE", None), 10, start=start)
