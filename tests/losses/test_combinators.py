"""Normalisation, its negative, and sums of losses."""

import math
import pickle
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jal.errors import InputError
from jal.losses import AMSE, JALCE, JALFL, Loss, Term, build, joint
from jal.losses import elementary as f
from jal.losses.combinators import negative_normalised, normalised

# The same examples every time: a failure in CI is a failure at the desk.
EXAMPLES = settings(deadline=None, max_examples=40, derandomize=True)
LOGITS = st.lists(st.floats(-15, 15), min_size=2, max_size=6)
POSITIVE = {
    "cross entropy": f.cross_entropy,
    "focal": partial(f.focal, gamma=0.5),
    "generalised": partial(f.generalised_cross_entropy, q=0.7),
    "absolute": f.absolute_error,
    "square": partial(f.asymmetric_mean_square_error, a=2.0),
}
close = torch.testing.assert_close


@pytest.mark.parametrize("formula", POSITIVE.values(), ids=POSITIVE)
@given(logits=LOGITS)
@EXAMPLES
def test_normalised_losses_sum_to_one_and_forget_scale(formula, logits):
    log_p = f.log_softmax(torch.tensor(logits, dtype=torch.float64))
    shares = normalised(formula)(log_p, log_p)
    assert shares.sum().item() == pytest.approx(1)
    close(normalised(lambda own, every: 7 * formula(own, every))(log_p, log_p), shares)


@given(logits=LOGITS, eps=st.sampled_from([1e-8, 1e-7, 1e-4]))
@EXAMPLES
def test_negative_normalised_losses_sum_to_one_less_than_the_labels(logits, eps):
    log_p = f.log_softmax(torch.tensor(logits, dtype=torch.float64))
    bound = -math.log(eps)
    losses = negative_normalised(partial(f.cross_entropy, eps=eps), bound)(log_p, log_p)
    assert losses.sum().item() == pytest.approx(len(logits) - 1)
    assert losses.min() >= 0
    assert losses.max() <= 1


def test_a_label_under_the_floor_costs_one_and_pulls_nothing():
    logits = torch.tensor([0.0, -40.0, 1.0], dtype=torch.float64, requires_grad=True)
    log_p = f.log_softmax(logits)
    loss = negative_normalised(partial(f.cross_entropy, eps=1e-8), -math.log(1e-8))(log_p, log_p)[1]
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss.item() == 1
    assert gradient.abs().max() == 0


def test_the_normaliser_carries_gradient():
    logits = torch.tensor([1.0, 0.0, -2.0], dtype=torch.float64, requires_grad=True)
    log_p = f.log_softmax(logits)
    (gradient,) = torch.autograd.grad(normalised(f.cross_entropy)(log_p, log_p)[0], logits)
    values = log_p.detach()
    total, p = values.sum(), values.exp()
    first = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    close(gradient, (first - p) / total - values[0] / total**2 * (1 - 3 * p))


@pytest.mark.parametrize("combinator", [normalised, partial(negative_normalised, bound=20.0)])
def test_a_combined_formula_survives_pickling(combinator):
    log_p = f.log_softmax(torch.tensor([1.0, 0.0, -2.0]))
    combined = combinator(f.cross_entropy)
    close(pickle.loads(pickle.dumps(combined))(log_p, log_p), combined(log_p, log_p))


# Joint losses


def test_joint_is_the_weighted_sum(batch):
    logits, labels = batch(8, 10)
    first, second, third = build("NCE", "cifar10"), AMSE(a=20), build("LDR", "cifar10")
    both = joint((5, first), (0.5, second), (2, third))
    close(
        both(logits, labels),
        5 * first(logits, labels) + second(logits, labels) / 2 + 2 * third(logits, labels),
    )
    close(joint((3, both))(logits, labels), 3 * both(logits, labels))
    assert both.name == "5 NCE + 0.5 AMSE + 2 LDR"


def test_joint_has_the_options_of_a_loss(batch):
    logits, labels = batch(8, 10)
    loss = joint((1, build("NCE", "cifar10")), (1, AMSE(a=30)), name="mine", reduction="none", ignore_index=3)
    assert loss(logits, labels).shape == (8,)
    assert loss(logits, torch.full_like(labels, 3)).abs().max() == 0
    assert repr(loss) == "Loss('mine', reduction='none')"
    with pytest.raises(InputError, match="not finite"):
        joint((1, AMSE(a=30)), validate=True)(logits / 0, labels)


@pytest.mark.parametrize("empty", [Loss, joint])
def test_a_loss_of_nothing_is_refused(empty):
    with pytest.raises(InputError, match="at least one"):
        empty()


def test_terms_on_the_same_scores_share_one_link(batch):
    calls = []

    def counted(logits):
        calls.append(logits)
        return f.log_softmax(logits)

    nce, mae = Term(normalised(f.cross_entropy), link=counted), Term(f.absolute_error, 0.5, counted)
    logits, labels = batch(8, 10)
    Loss(nce, mae, nce)(logits, labels)
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("named", "own"),
    [
        (build("JAL-CE", "cifar100"), JALCE(alpha=5, beta=1, a=20)),
        (build("JAL-FL", "cifar100"), JALFL(alpha=5, beta=1, a=20)),
        (build("JAL-CE", "cifar100", q=1.5), JALCE(5, 1, 20, 1.5)),
        (build("JAL-FL", "cifar100", gamma=2, q=3), JALFL(5, 1, 20, 2, 3)),
        (build("AMSE", "cifar10"), AMSE(30)),
        (build("MSE", None), AMSE(1)),
    ],
    ids=str,
)
def test_the_short_constructors_build_the_named_losses(named, own, batch):
    logits, labels = batch(8, 10)
    assert torch.equal(named(logits, labels), own(logits, labels))


@pytest.mark.parametrize(
    "constructor", [partial(JALCE, 1, 1, 30), partial(JALFL, 1, 1, 30), partial(AMSE, 30)]
)
def test_the_short_constructors_pass_options_on(constructor):
    options = {"reduction": "sum", "ignore_index": 3, "validate": True}
    loss = constructor(**options)
    assert {key: getattr(loss, key) for key in options} == options
    with pytest.raises(InputError, match="did you mean 'reduction'"):
        constructor(reductoin="sum")


@pytest.mark.parametrize(
    ("dataset", "K", "nce", "mae", "square"), [("cifar10", 10, 1, 3.0, 0.1), ("cifar100", 100, 5, 0.2, 0.01)]
)
def test_jal_is_nce_and_mae_and_a_square_norm(dataset, K, nce, mae, square, batch):
    logits, labels = batch(50, K)
    parts = nce * build("NCE", dataset, reduction="none")(logits, labels)
    parts = parts + mae * build("MAE", dataset, reduction="none")(logits, labels)
    parts = parts + square * logits.softmax(1).square().sum(1)
    rest = build("JAL-CE", dataset, reduction="none")(logits, labels) - parts
    close(rest, rest[:1].expand_as(rest))


def test_joint_keeps_what_its_members_have_in_common(batch):
    options = {"reduction": "none", "ignore_index": 3, "validate": True}
    loss = joint((1, build("NCE", None, **options)), (1, AMSE(a=30, **options)))
    assert {key: getattr(loss, key) for key in options} == options
    assert joint((2, loss), reduction="sum", validate=False).ignore_index == 3
    logits, labels = batch(8, 10)
    assert loss(logits, torch.full_like(labels, 3)).abs().max() == 0


@pytest.mark.parametrize(
    ("option", "one", "other"), [("reduction", "sum", "mean"), ("ignore_index", 3, -100)]
)
def test_joint_of_members_that_differ_wants_to_be_told(option, one, other):
    members = (1, AMSE(a=30, **{option: one})), (1, AMSE(a=20, **{option: other}))
    with pytest.raises(InputError, match=f"{option}={one!r} and {other!r}: give joint"):
        joint(*members)
    assert getattr(joint(*members, **{option: other}), option) == other
