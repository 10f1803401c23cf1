"""The module around the formulas: shapes, labels, reductions, and what torch expects of a loss."""

import copy
import pickle

import pytest
import torch
from torch import nn

from jal.errors import InputError
from jal.losses import AMSE, build, joint
from jal.training.recipe import HAVE_AMSE

close = torch.testing.assert_close
SHAPES = [(6, 5), (6, 5, 3), (6, 5, 3, 4)]


def one_line(caught) -> str:
    message = str(caught.value)
    assert "\n" not in message
    return message


# Over the whole catalogue


def test_forward_is_all_labels_at_the_label(name, official, batch):
    logits, labels = batch(8, 10)
    loss = official(name, reduction="none")
    every = loss.all_labels(logits)
    assert every.shape == logits.shape
    close(loss(logits, labels), every.gather(1, labels[:, None])[:, 0])


@pytest.mark.parametrize("shape", SHAPES[1:], ids=str)
def test_further_axes_are_further_samples(name, official, batch, shape):
    logits, labels = batch(*shape)
    loss = official(name, reduction="none")
    flat = logits.movedim(1, -1).reshape(-1, shape[1])
    values, every = loss(logits, labels), loss.all_labels(logits)
    assert values.shape == labels.shape
    assert every.shape == logits.shape
    close(values.reshape(-1), loss(flat, labels.reshape(-1)))
    close(every.movedim(1, -1).reshape(-1, shape[1]), loss.all_labels(flat))


def test_one_sample_needs_no_batch_axis(name, official, batch):
    logits, labels = batch(1, 10)
    loss = official(name)
    assert loss(logits[0], labels[0]).shape == ()
    close(loss(logits[0], labels[0]), loss(logits, labels))
    close(loss.all_labels(logits[0]), loss.all_labels(logits)[0])


def test_classes_have_no_order(name, official, batch):
    logits, labels = batch(8, 10)
    order = torch.randperm(10, generator=torch.Generator().manual_seed(1))
    loss = official(name)
    close(loss.all_labels(logits[:, order]), loss.all_labels(logits)[:, order])
    close(loss(logits[:, order], order.argsort()[labels]), loss(logits, labels))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_ignored_labels_leave_neither_value_nor_gradient(name, official, batch, reduction):
    logits, labels = batch(8, 10)
    logits.requires_grad_()
    ignored = torch.tensor([0, 1, 0, 0, 1, 1, 0, 0], dtype=torch.bool)
    loss = official(name, reduction=reduction)
    got = loss(logits, labels.masked_fill(ignored, -100))
    kept = loss(logits[~ignored], labels[~ignored])
    if reduction == "none":
        assert got[ignored].abs().max() == 0
        got, kept = got[~ignored].sum(), kept.sum()
    close(got, kept)
    (gradient,) = torch.autograd.grad(got, logits)
    (wanted,) = torch.autograd.grad(kept, logits)
    assert gradient[ignored].abs().max() == 0
    close(gradient, wanted)


def test_a_loss_is_a_module_without_state(name, official):
    loss = official(name)
    assert isinstance(loss, nn.Module)
    assert loss.state_dict() == {}
    assert list(loss.parameters()) == []


@pytest.mark.parametrize(
    "again", [copy.deepcopy, lambda loss: pickle.loads(pickle.dumps(loss))], ids=["copy", "pickle"]
)
def test_a_loss_can_be_copied_and_pickled(name, official, batch, again):
    logits, labels = batch(8, 10)
    loss = official(name, reduction="sum", ignore_index=3)
    twin = again(loss)
    assert torch.equal(twin(logits, labels), loss(logits, labels))
    assert torch.equal(twin.all_labels(logits), loss.all_labels(logits))
    assert repr(twin) == repr(loss)


def test_repr_tells_name_parameters_and_reduction(name, official):
    loss = official(name, reduction="sum")
    text = repr(loss)
    assert text.startswith(f"Loss({name!r}, ")
    assert text.endswith("reduction='sum')")
    for key, value in loss.constants.items():
        assert f"{key}={value:g}" in text


# Like torch's own


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_ce_is_torchs_own(shape, reduction, batch):
    logits, labels = batch(*shape)
    labels[0] = -100
    logits.requires_grad_()
    torchs = nn.CrossEntropyLoss(reduction=reduction)
    ours, theirs = build("CE", None, reduction=reduction)(logits, labels), torchs(logits, labels)
    close(ours, theirs)
    close(*(torch.autograd.grad(value.sum(), logits)[0] for value in (ours, theirs)))
    close(
        build("CE", None)(logits[1, :, ...].movedim(0, -1).reshape(-1, 5)[0], labels[1].reshape(-1)[0]),
        nn.CrossEntropyLoss()(logits[1].movedim(0, -1).reshape(-1, 5)[0], labels[1].reshape(-1)[0]),
    )


@pytest.mark.parametrize("value", [-1, 3, 255, -100])
def test_any_integer_can_be_the_ignored_label(value, batch):
    logits, labels = batch(8, 10)
    labels[::3] = value
    close(
        build("CE", None, ignore_index=value)(logits, labels),
        nn.CrossEntropyLoss(ignore_index=value)(logits, labels),
    )


def test_a_batch_of_ignored_labels_has_no_mean_and_no_sum(batch):
    logits, _ = batch(4, 10)
    labels = torch.full((4,), -100)
    assert build("JAL-CE", "cifar10")(logits, labels).isnan()
    assert build("JAL-CE", "cifar10", reduction="sum")(logits, labels) == 0


@pytest.mark.parametrize("dtype", [torch.int8, torch.int16, torch.int32, torch.uint8, torch.uint16])
def test_labels_of_any_integer_type(dtype, batch):
    logits, labels = batch(8, 10)
    loss = build("JAL-CE", "cifar10")
    assert torch.equal(loss(logits, labels.to(dtype)), loss(logits, labels))


def test_a_narrow_label_is_not_mistaken_for_the_ignored_one(batch):
    """In uint8 arithmetic -100 is 156, and in int8 arithmetic 255 is -1."""
    logits, _ = batch(2, 200)
    labels = torch.tensor([156, 3])
    loss = build("CE", None, reduction="none")
    assert torch.equal(loss(logits, labels.to(torch.uint8)), loss(logits, labels))
    beyond = build("CE", None, ignore_index=259)
    assert torch.equal(beyond(logits, labels.to(torch.uint8)), beyond(logits, labels))


# Refusals


@pytest.mark.parametrize(
    ("labels", "what"),
    [
        (torch.zeros(4), "float32"),
        (torch.zeros(4, dtype=torch.bool), "bool"),
        (torch.zeros(4, 10), "float32"),
        (torch.zeros(5, dtype=torch.int64), r"\(5,\)"),
        (torch.zeros(4, 1, dtype=torch.int64), r"\(4, 1\)"),
        (torch.zeros((), dtype=torch.int64), r"\(\)"),
    ],
    ids=["floats", "booleans", "probabilities", "too many", "a column", "a scalar"],
)
def test_labels_that_do_not_fit_are_refused(labels, what, batch):
    logits, _ = batch(4, 10)
    with pytest.raises(InputError, match=what) as caught:
        build("JAL-CE", "cifar10")(logits, labels)
    assert "give integer labels of shape (4,)" in one_line(caught)


@pytest.mark.parametrize("shape", [(4, 1), (4, 1, 3), (1,)], ids=str)
def test_one_class_is_refused(shape):
    loss, labels = build("JAL-CE", "cifar10"), torch.zeros((*shape[:1], *shape[2:]), dtype=torch.int64)
    for call in (lambda: loss(torch.zeros(shape), labels), lambda: loss.all_labels(torch.zeros(shape))):
        with pytest.raises(InputError, match="at least 2") as caught:
            call()
        one_line(caught)


@pytest.mark.parametrize("logits", [torch.zeros(4, 10, dtype=torch.int64), torch.tensor(0.5)], ids=str)
def test_logits_that_are_no_logits_are_refused(logits):
    with pytest.raises(InputError, match="give floats of shape") as caught:
        build("CE", None)(logits, torch.zeros(4, dtype=torch.int64))
    one_line(caught)


@pytest.mark.parametrize("reduction", ["avg", "Mean", "", None])
def test_an_unknown_reduction_is_refused(reduction):
    with pytest.raises(InputError, match="it must be one of mean, none, sum") as caught:
        build("CE", None, reduction=reduction)
    one_line(caught)


# validate=True


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("label", [-1, 5, 1000, -101])
def test_validate_names_a_label_outside(shape, label, batch):
    logits, labels = batch(*shape)
    labels[-1] = label
    with pytest.raises(InputError) as caught:
        build("JAL-CE", "cifar10", validate=True)(logits, labels)
    message = one_line(caught)
    assert f"label {label}, outside 0..4" in message
    assert "ignore_index (now -100)" in message


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_validate_counts_logits_that_are_not_finite(bad, batch):
    logits, labels = batch(4, 10)
    logits[1, 2] = logits[3, 0] = bad
    with pytest.raises(InputError, match="2 of 40 logits are not finite") as caught:
        build("JAL-CE", "cifar10", validate=True)(logits, labels)
    one_line(caught)


@pytest.mark.parametrize("ignored", [-100, -1, 10, 3])
def test_validate_lets_the_ignored_label_and_good_input_pass(ignored, batch):
    logits, labels = batch(8, 10)
    labels[::2] = ignored
    checked, unchecked = (build("JAL-CE", "cifar10", ignore_index=ignored, validate=v) for v in (True, False))
    assert torch.equal(checked(logits, labels), unchecked(logits, labels))


def test_without_validate_nothing_is_checked(batch):
    logits, labels = batch(4, 10)
    logits[1, 2] = float("nan")
    assert build("JAL-CE", "cifar10")(logits, labels).isnan()


# Masked classes: logits of -inf

MASKED = torch.tensor([False, True, False, False, True])


def masked_and_left_out(batch, dtype=torch.float64):
    """Logits with two of five classes masked, the same without these, and labels for both."""
    left_out, labels = batch(6, 3, dtype=dtype)
    masked = torch.full((6, 5), -torch.inf, dtype=dtype)
    masked[:, ~MASKED] = left_out
    places = torch.arange(5)[~MASKED]
    return masked.requires_grad_(), left_out.requires_grad_(), places[labels], labels


def test_a_masked_class_is_as_one_that_is_not_there(name, official, batch):
    masked, left_out, places, labels = masked_and_left_out(batch)
    loss = official(name, reduction="none")
    got, want = loss(masked, places), loss(left_out, labels)
    close(got, want)
    close(loss.all_labels(masked)[:, ~MASKED], loss.all_labels(left_out))
    (gradient,), (wanted,) = (torch.autograd.grad(v.sum(), z) for v, z in ((got, masked), (want, left_out)))
    close(gradient[:, ~MASKED], wanted)
    assert gradient[:, MASKED].abs().max() == 0


def test_nce_sums_over_the_unmasked_classes(batch):
    logits = torch.tensor([[2.0, 1.0, 0.0, -torch.inf]], dtype=torch.float64)
    value = build("NCE", None)(logits, torch.tensor([0])).item()
    assert value == pytest.approx(0.0965, abs=5e-5)
    assert value == build("NCE", None)(logits[:, :3], torch.tensor([0])).item()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_mask_leaves_no_gradient_without_a_number(name, official, batch, dtype):
    masked, _, places, _ = masked_and_left_out(batch, dtype)
    loss = official(name, reduction="none")
    for values in (loss(masked, places), loss.all_labels(masked)[:, ~MASKED]):
        assert values.isfinite().all()
        (gradient,) = torch.autograd.grad(values.sum(), masked)
        assert gradient.isfinite().all()
        assert gradient[:, MASKED].abs().max() == 0


def test_the_loss_of_a_label_that_is_masked_is_infinite(name, official, batch):
    masked, _, places, _ = masked_and_left_out(batch)
    loss = official(name, reduction="none")
    assert loss.all_labels(masked)[:, MASKED].eq(torch.inf).all()
    places[2] = 1
    values = loss(masked, places)
    assert values.eq(torch.inf).tolist() == [False, False, True, False, False, False]
    (gradient,) = torch.autograd.grad(values.sum(), masked)
    assert gradient.isfinite().all()
    assert gradient[2].abs().max() == 0
    with pytest.raises(InputError, match="12 of 30 logits are not finite"):
        official(name, validate=True)(masked, places)


def test_an_ignored_label_may_have_its_first_class_masked(name, official, batch):
    """Its place in the batch is taken by label 0."""
    logits, labels = batch(4, 5)
    logits[0, 0] = -torch.inf
    labels[0] = -100
    logits.requires_grad_()
    value = official(name)(logits, labels)
    close(value, official(name)(logits[1:], labels[1:]))
    (gradient,) = torch.autograd.grad(value, logits)
    assert gradient[0].abs().max() == 0
    assert gradient.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_one_class_left_costs_what_certainty_does(name, official, dtype):
    logits = torch.tensor([[3.0, -torch.inf, -torch.inf]], dtype=dtype, requires_grad=True)
    labels = torch.tensor([0])
    value = official(name)(logits, labels)
    (gradient,) = torch.autograd.grad(value, logits)
    # The clip of CE+LC and the margin of LDR leave no certainty where there is another class.
    certain = torch.tensor([[3.0, *([-torch.inf if name in ("CE+LC", "LDR") else -1e4] * 2)]], dtype=dtype)
    # Of AMSE's K classes one is left.
    constants = official(name).constants
    more = constants.get("beta", 1) * (constants["a"] - 1) ** 2 * (1 - 1 / 3) if name in HAVE_AMSE else 0
    close(value, official(name)(certain, labels) + more)
    assert gradient.abs().max() < 1e-6


# Parts


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_the_parts_sum_to_the_loss(name, official, batch, reduction):
    logits, labels = batch(8, 10)
    labels[::3] = -100
    loss = official(name, reduction=reduction)
    value = official(name)(logits, labels) if reduction == "none" else loss(logits, labels)
    assert sum(loss.parts(logits, labels).values()) == pytest.approx(value.item())


def test_parts_of_one_name_stand_apart(batch):
    logits, labels = batch(8, 10)
    loss = joint((1, AMSE(20)), (1, AMSE(30)), (2, build("NCE", None)))
    parts = loss.parts(logits, labels)
    assert list(parts) == [
        "1 asymmetric mean square error",
        "1 asymmetric mean square error (2)",
        "2 normalised log likelihood",
    ]
    assert sum(parts.values()) == pytest.approx(loss(logits, labels).item())
    assert parts["1 asymmetric mean square error"] == pytest.approx(AMSE(20)(logits, labels).item())


def test_parts_name_what_is_infinite():
    logits = torch.tensor([[1.0, -torch.inf, 0.0]])
    parts = build("JAL-CE", "cifar10").parts(logits, torch.tensor([1]))
    assert set(parts.values()) == {float("inf")}
