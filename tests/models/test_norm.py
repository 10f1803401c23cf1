"""Batch normalisation in groups: as if each group were on a card of its own."""

import copy
import pickle

import pytest
import torch

from jal import models

close = torch.testing.assert_close


def network(name="cnn2", size=8):
    torch.manual_seed(0)
    return models.build(name, 10, 3, size, width=0.1 if name == "resnet34" else 1.0).double()


@pytest.mark.parametrize(("name", "size"), [("cnn2", 8), ("cnn8", 8), ("resnet34", 16)])
@pytest.mark.parametrize("images", [12, 10, 4, 3])
def test_each_group_is_normalised_alone(name, size, images):
    """Values, gradients and running statistics, with a last group of 4, of 2, and no more than one."""
    ours = network(name, size)
    cards = [copy.deepcopy(ours) for _ in range(-(-images // 4))]
    models.set_norm_group(ours, 4)
    batch = torch.randn(images, 3, size, size, dtype=torch.float64).to(memory_format=torch.channels_last)
    got = ours(batch)
    close(got, torch.cat([card(part) for card, part in zip(cards, batch.split(4), strict=True)]))
    weights = torch.randn_like(got)
    (got * weights).sum().backward()
    for card, part, some in zip(cards, batch.split(4), weights.split(4), strict=True):
        (card(part) * some).sum().backward()
    for mine, *theirs in zip(ours.parameters(), *(card.parameters() for card in cards), strict=True):
        close(mine.grad, sum(p.grad for p in theirs))


def test_running_statistics_are_the_first_groups():
    ours, first = network(), network()
    models.set_norm_group(ours, 4)
    batch = torch.randn(12, 3, 8, 8, dtype=torch.float64)
    for _ in range(2):
        ours(batch), first(batch[:4])
    for name, buffer in first.state_dict().items():
        assert torch.equal(ours.state_dict()[name], buffer)
    assert torch.equal(ours.eval()(batch), first.eval()(batch))


def test_a_group_of_the_whole_batch_changes_no_bit():
    batch = torch.randn(12, 3, 8, 8, dtype=torch.float64)
    plain, whole, back = (network() for _ in range(3))
    models.set_norm_group(whole, 12)
    models.set_norm_group(back, 4)
    models.set_norm_group(back, None)
    assert torch.equal(whole(batch), plain(batch))
    assert torch.equal(back(batch), network()(batch))
    assert whole.state_dict().keys() == plain.state_dict().keys()


@pytest.mark.parametrize("again", [copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))])
def test_a_network_in_groups_can_be_copied_and_pickled(again):
    ours = network()
    models.set_norm_group(ours, 4)
    twin = again(ours)
    batch = torch.randn(12, 3, 8, 8, dtype=torch.float64)
    assert torch.equal(twin(batch), ours(batch))
