"""The optimiser: torch's own, with the penalty inside the clipped gradient."""

from dataclasses import replace

import pytest
import torch

from jal.training.optimiser import Optimiser
from jal.training.recipe import recipe

RECIPE = replace(recipe("digits", "CE"), clip_norm=None, l1=0.0, l2=0.0, momentum=0.0, learning_rate=0.1)
ADAM = replace(RECIPE, optimiser="adam", l2=1e-2)


def parameters():
    torch.manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape)) for shape in ((3, 4), (5,))]


def backward(own, step):
    """The same gradients for equal parameters, others in each step."""
    loss = sum(((step + 2) * parameter.sin()).sum() for parameter in own)
    loss.backward()


def test_one_step_with_penalty_and_bound():
    r = replace(RECIPE, l1=0.5, clip_norm=0.2)
    own, before = parameters(), parameters()
    optimiser = Optimiser(own, r)
    for parameter in own:
        parameter.grad = torch.full_like(parameter, 3.0)
    optimiser.step()
    gradients = [3.0 + 0.5 * old.sign() for old in before]
    norm = torch.cat([each.flatten() for each in gradients]).norm()
    for new, old, gradient in zip(own, before, gradients, strict=True):
        torch.testing.assert_close(new, old - 0.1 * 0.2 * gradient / norm)


@pytest.mark.parametrize(
    ("r", "torchs"),
    [
        (RECIPE, lambda own: torch.optim.SGD(own, 0.1)),
        (
            replace(RECIPE, momentum=0.9, nesterov=True, l2=1e-2),
            lambda own: torch.optim.SGD(own, 0.1, 0.9, nesterov=True, weight_decay=1e-2),
        ),
        (ADAM, lambda own: torch.optim.Adam(own, 0.1, weight_decay=1e-2)),
    ],
)
def test_without_them_it_is_torchs(r, torchs):
    own, others = parameters(), parameters()
    ours, theirs = Optimiser(own, r), torchs(others)
    for step in range(4):
        if step == 2:
            ours.set_rate(0.03)
            theirs.param_groups[0]["lr"] = 0.03
        for optimiser, each in ((ours, own), (theirs, others)):
            optimiser.zero_grad()
            backward(each, step)
            optimiser.step()
    for one, other in zip(own, others, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("r", "names"),
    [
        (RECIPE, set()),
        (replace(RECIPE, momentum=0.9), {"0.momentum_buffer", "1.momentum_buffer"}),
        (ADAM, {f"{i}.{name}" for i in (0, 1) for name in ("step", "exp_avg", "exp_avg_sq")}),
    ],
)
def test_what_it_remembers_lies_in_one_place_from_the_start(r, names):
    own = parameters()
    optimiser = Optimiser(own, r)
    before = optimiser.state()
    assert set(before) == names and not any(value.any() for value in before.values())
    backward(own, 0)
    optimiser.step()
    after = optimiser.state()
    assert {name: value.data_ptr() for name, value in after.items()} == {
        name: value.data_ptr() for name, value in before.items()
    }
    assert all(value.any() for value in after.values())
