"""The links and formulas one by one, against their definitions in probabilities."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jal.losses import elementary as f

# The same examples every time: a failure in CI is a failure at the desk.
EXAMPLES = settings(deadline=None, max_examples=40, derandomize=True)
LOGITS = st.lists(st.floats(-15, 15), min_size=2, max_size=6)
close = torch.testing.assert_close


def probabilities(logits):
    shifted = np.exp(np.asarray(logits) - np.max(logits))
    return shifted / shifted.sum()


def log_p_of(logits):
    return f.log_softmax(torch.tensor(logits, dtype=torch.float64))


# Links


@given(LOGITS, st.sampled_from([0.0, 0.5, 1e3, 1e5]))
@EXAMPLES
def test_eps_softmax_moves_mass_to_the_largest(logits, m):
    p = probabilities(logits)
    p[np.argmax(logits)] += m
    got = f.eps_log_softmax(torch.tensor(logits, dtype=torch.float64), m).exp().numpy()
    # Sorted, since of equal logits either may count as the largest.
    np.testing.assert_allclose(np.sort(got), np.sort(p / (m + 1)), rtol=1e-9)
    np.testing.assert_allclose(got.sum(), 1)


def clipped(logits, delta, power):
    """The clipped logits of logits with mean 0, which their log-probabilities tell up to a constant."""
    log_p = f.clipped_log_softmax(logits, delta, power)
    return log_p - log_p.mean(-1, keepdim=True)


@pytest.mark.parametrize(
    ("delta", "power", "norm_after"),
    [(2.5, 1, 2.5), (0.5, 1, 0.5), (1.0, 1, 1.0), (2.5, -1, 0.4), (0.5, -1, 2.0), (1.0, -1, 1.0)],
)
def test_clip_acts_beyond_one_over_delta_and_nowhere_else(delta, power, norm_after):
    direction = torch.tensor([3.0, -1.0, -2.0], dtype=torch.float64)
    direction /= direction.norm()
    norms = torch.tensor([0.01, 0.5, 0.999, 1.001, 3.0, 1e4], dtype=torch.float64)[:, None] / delta
    after = torch.where(norms > 1 / delta, torch.full_like(norms, norm_after), norms)
    close(clipped(norms * direction, delta, power), after * direction, rtol=1e-6, atol=1e-12)


def test_released_clip_enlarges_norms_between_its_threshold_and_its_target():
    logits = torch.tensor([0.5, 0.0, -0.5], dtype=torch.float64)
    assert clipped(logits, 2.5, 1).norm() > 3 * logits.norm()
    assert clipped(logits, 2.5, -1).norm() < logits.norm()


@given(LOGITS)
@EXAMPLES
def test_relative_softplus_is_its_definition(logits):
    softplus = np.log1p(np.exp(logits))
    got = f.relative_softplus(torch.tensor(logits, dtype=torch.float64)).numpy()
    np.testing.assert_allclose(got, softplus / softplus.mean(), rtol=1e-10)


@pytest.mark.parametrize("shift", [-36.5, -37.5, -1e4])
def test_relative_softplus_keeps_ratios_where_softplus_itself_vanishes(shift):
    got = f.relative_softplus(torch.tensor([shift, shift + 1.0], dtype=torch.float64))
    close(got[1] / got[0], torch.tensor(math.e, dtype=torch.float64))
    close(got.mean(), torch.tensor(1.0, dtype=torch.float64))


@pytest.mark.parametrize("z", [-10.0, -20.0, -26.0, -30.5])
def test_relative_softplus_takes_no_shortcut_where_it_would_show(z):
    """log softplus(z) is z - e^z / 2: at -30.5 the second term is 28 units of the last digit."""
    small, one = f.relative_softplus(torch.tensor([z, 0.0], dtype=torch.float64)).tolist()
    assert small / one == pytest.approx(math.log1p(math.exp(z)) / math.log(2), rel=1e-14, abs=0)


@pytest.mark.parametrize("z", [-80.0, -95.0, -100.0, -103.5, -500.0])
def test_relative_softplus_takes_the_shortcut_before_single_precision_loses_digits(z):
    """e^-100 is no normal number of float32 any more, and its logarithm is wrong in the third digit."""
    got = f.relative_softplus(torch.tensor([z, z + 0.5]))
    close(got[1] / got[0], torch.tensor(math.exp(0.5)), rtol=1e-5, atol=0.0)


# Formulas


@given(LOGITS, st.floats(1, 40), st.floats(0.1, 5))
@EXAMPLES
def test_amse_is_the_mean_of_powers_for_any_exponent(logits, a, q):
    p, log_p = probabilities(logits), log_p_of(logits)
    want = [np.mean(np.abs(a * e - p) ** q) for e in np.eye(len(p))]
    got = f.asymmetric_mean_square_error(log_p, log_p, a, q).numpy()
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


@given(LOGITS, st.floats(1, 40))
@EXAMPLES
def test_amse_is_mae_and_a_square_norm(logits, a):
    log_p = log_p_of(logits)
    K, p = len(logits), log_p.exp()
    amse = f.asymmetric_mean_square_error(log_p, log_p, a)
    parts = a / K * f.absolute_error(log_p, log_p) + p.square().sum() / K + (a * a - 2 * a) / K
    close(amse, parts, rtol=1e-10, atol=1e-10)


@given(LOGITS)
@EXAMPLES
def test_families_meet_where_their_parameters_say(logits):
    log_p = log_p_of(logits)
    p = log_p.exp()
    half_mae = f.absolute_error(log_p, log_p, scale=1.0)
    near = {"rtol": 1e-9, "atol": 1e-9}
    close(half_mae, 1 - p, **near)
    eye = torch.eye(len(logits), dtype=torch.float64)
    close(f.absolute_error(log_p, log_p), (eye - p).abs().sum(-1), **near)
    close(f.asymmetric_unhinged(log_p, log_p, a=3.0, q=1.0), half_mae, **near)
    close(f.asymmetric_generalised_cross_entropy(log_p, log_p, a=3.0, q=1.0), half_mae, **near)
    close(f.generalised_cross_entropy(log_p, log_p, q=1.0, eps=1e-30), half_mae, **near)
    close(f.generalised_cross_entropy(log_p, log_p, q=1e-9, eps=1e-30), -log_p, rtol=1e-6, atol=1e-9)
    close(f.focal(log_p, log_p, gamma=0.0), -log_p, **near)
    close(f.asymmetric_mean_square_error(log_p, log_p, a=1.0), (eye - p).square().mean(-1), **near)
    many = 1e5
    close(many * (1 - f.asymmetric_exponential(log_p, log_p, a=many)), p, rtol=1e-4, atol=1e-6)


def test_rce_is_4_6052_mae():
    log_p = log_p_of([0.3, -1.0, 2.0])
    rce = f.absolute_error(log_p, log_p, scale=-math.log(1e-4))
    close(rce / f.absolute_error(log_p, log_p), torch.full_like(log_p, 4.6052), rtol=1e-5, atol=0)


@pytest.mark.parametrize("eps", [0.0, 1e-3])
def test_focal_factor_carries_no_gradient(eps):
    logits = torch.tensor([2.0, -1.0, -9.0], dtype=torch.float64, requires_grad=True)
    p = logits.softmax(-1).clamp_min(eps)
    frozen = (1 - p.detach()) ** 0.5
    for k in range(3):
        log_p = f.log_softmax(logits)
        (got,) = torch.autograd.grad(f.focal(log_p[k], log_p, 0.5, eps), logits, retain_graph=True)
        (want,) = torch.autograd.grad(-frozen[k] * p[k].log(), logits, retain_graph=True)
        close(got, want)


def test_focal_loss_has_no_nan_gradient_at_certainty():
    logits = torch.tensor([1e3, 0.0], requires_grad=True)
    f.focal(f.log_softmax(logits), f.log_softmax(logits), gamma=0.5)[0].backward()
    assert torch.equal(logits.grad, torch.zeros(2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("a", "right", "wrong"), [(1.0, 0.0, 2.0), (1.5, math.sqrt(0.5), math.sqrt(1.5) + 1)]
)
def test_amse_with_a_root_at_p_exactly_0_and_1(a, right, wrong, dtype):
    logits = torch.tensor([1e4, 0.0, 0.0, 0.0], dtype=dtype, requires_grad=True)
    log_p = f.log_softmax(logits)
    assert log_p.exp().tolist() == [1, 0, 0, 0]
    losses = f.asymmetric_mean_square_error(log_p, log_p, a, q=0.5)
    close(losses * 4, torch.tensor([right, wrong, wrong, wrong], dtype=dtype))
    for loss in losses:
        (gradient,) = torch.autograd.grad(loss, logits, retain_graph=True)
        assert torch.equal(gradient, torch.zeros(4, dtype=dtype))


@pytest.mark.parametrize("q", [0.3, 0.5, 1.0, 1.5, 3.0])
@pytest.mark.parametrize("gap", [0.0, 1.0, 10.0, 17.0, 30.0, 80.0, 110.0])
def test_roots_have_the_exact_gradient_all_the_way_to_the_vertex(gap, q):
    """With two classes and a = 1 the loss of the winner is (1 - p)^q, and p is a sigmoid."""
    logits = torch.tensor([gap, 0.0], dtype=torch.float64, requires_grad=True)
    log_p = f.log_softmax(logits)
    loss = f.asymmetric_mean_square_error(log_p[0], log_p, a=1.0, q=q)
    (gradient,) = torch.autograd.grad(loss.sum(), logits)
    rest, p = 1 / (1 + math.exp(gap)), 1 / (1 + math.exp(-gap))
    # 1 - p is known to the resolution of p alone, so its root to that resolution's root.
    slack = 3 * 2.0 ** (-53 * min(q, 1.0))
    assert loss.item() == pytest.approx(rest**q, abs=slack)
    assert gradient[0].item() == pytest.approx(-q * rest**q * p, abs=slack)


def direct_ldr(scores, lam, margin):
    """The definition, label by label, with the largest exponent taken out."""
    exponents = (margin * (1 - np.eye(len(scores))) + scores[None, :] - scores[:, None]) / lam
    top = exponents.max(axis=1)
    return lam * (top + np.log(np.mean(np.exp(exponents - top[:, None]), axis=1)))


@given(LOGITS, st.sampled_from([0.1, 1.0, 10.0]), st.sampled_from([0.0, 0.1, 1.0]))
@EXAMPLES
def test_ldr_is_its_definition(logits, lam, margin):
    scores = f.relative_softplus(torch.tensor(logits, dtype=torch.float64))
    got = f.label_distributionally_robust(scores, scores, lam, margin).numpy()
    np.testing.assert_allclose(got, direct_ldr(scores.numpy(), lam, margin), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("lam", "slack"), [(1.0, 1e-5), (0.1, 1e-5), (0.01, 1e-3), (1e-3, 0.1), (1e-4, 0.1)])
def test_ldr_stays_finite_as_its_temperature_falls(lam, slack, dtype):
    torch.manual_seed(0)
    logits = (2 * torch.randn(50, 10, dtype=torch.float64)).to(dtype).requires_grad_()
    scores = f.relative_softplus(logits)
    got = f.label_distributionally_robust(scores, scores, lam)
    got.sum().backward()
    assert got.isfinite().all()
    assert logits.grad.isfinite().all()
    want = np.stack([direct_ldr(row, lam, 0.1) for row in scores.detach().double().numpy()])
    # The excess of a label that wins is known to about e^{margin / lam} times the precision, at most the margin.
    np.testing.assert_allclose(got.detach().numpy(), want, rtol=1e-5, atol=slack)


FORMULAS = {
    "cross_entropy": lambda own, every: f.cross_entropy(own, every, eps=1e-3),
    "focal": lambda own, every: f.focal(own, every, gamma=0.5),
    "generalised_cross_entropy": lambda own, every: f.generalised_cross_entropy(own, every, q=0.7),
    "absolute_error": f.absolute_error,
    "asymmetric_unhinged": lambda own, every: f.asymmetric_unhinged(own, every, a=2.0, q=1.5),
    "asymmetric_generalised_cross_entropy": lambda own, every: f.asymmetric_generalised_cross_entropy(
        own, every, a=0.6, q=0.6
    ),
    "asymmetric_exponential": lambda own, every: f.asymmetric_exponential(own, every, a=2.5),
    "square": lambda own, every: f.asymmetric_mean_square_error(own, every, a=3.0),
    "cube": lambda own, every: f.asymmetric_mean_square_error(own, every, a=3.0, q=3.0),
    "ldr": lambda own, every: f.label_distributionally_robust(own, every, lam=1.0),
}


@pytest.mark.parametrize("formula", FORMULAS.values(), ids=FORMULAS)
def test_one_formula_gives_the_loss_of_one_label_or_of_all(formula, batch):
    logits, labels = batch(6, 5)
    log_p, index = f.log_softmax(logits), labels[:, None]
    close(formula(log_p.gather(-1, index), log_p), formula(log_p, log_p).gather(-1, index))
