"""What a penalty does to a weight: the formula against torch's own optimiser, step by step."""

import pytest
import torch

from jal.analysis.studies.penalties import strengths, strengths_table
from jal.experiments import resolve
from jal.training.optimiser import Optimiser

L1, L2 = 5e-5, 1e-4


@pytest.fixture(scope="module")
def digits():
    return resolve(dataset="digits", loss="CE")


def trained(recipe, weight, steps):
    """A weight on which nothing acts but the penalty."""
    parameter = torch.nn.Parameter(torch.tensor([weight], dtype=torch.float64))
    optimiser = Optimiser([parameter], recipe)
    for epoch in range(recipe.epochs):
        optimiser.set_rate(recipe.learning_rate_at(epoch))
        for _ in range(steps):
            parameter.grad = torch.zeros_like(parameter)
            optimiser.step()
    return parameter.item()


def test_a_weight_moves_as_far_as_computed():
    one = resolve(dataset="digits", loss="CE", l1=L1, l2=0.0)
    two = resolve(dataset="digits", loss="CE", l1=0.0, l2=L2)
    row = strengths({"digits": one}, L1, L2).loc["digits"]
    assert row["steps"] == 80 * 12
    # The first ten steps or so, of 960, are spent on building up the momentum.
    assert 1.0 - trained(one.recipe, 1.0, 12) == pytest.approx(row["l1_moves"], rel=0.03)
    assert trained(two.recipe, 1.0, 12) == pytest.approx(row["l2_leaves"], rel=1e-4)


def test_the_steps_are_those_of_the_images_that_are_used(digits):
    runs = {
        "all": resolve(dataset="fashion-mnist", loss="CE"),
        "some": resolve(dataset="fashion-mnist", loss="CE", train_size=20000),
        "paper": resolve(dataset="cifar10", loss="CE"),
    }
    assert strengths(runs, L1, L2)["steps"].tolist() == [20 * 469, 20 * 157, 120 * 391]


def test_the_weight_is_that_of_a_fresh_network_and_the_random_stream_is_left_alone(digits):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    frame = strengths({"digits": digits}, L1, L2)
    assert torch.equal(before, torch.get_rng_state())
    row = frame.loc["digits"]
    assert 0.01 < row["weight"] < 0.5
    assert row["l1_part"] == pytest.approx(row["l1_moves"] / row["weight"])
    assert strengths_table(frame).loc["digits", "L1 moves it by up to"] == f"{row['l1_moves']:.4f}"
