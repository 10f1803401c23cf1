"""The same science: given the same weights and batches, our loop and the conventional one make the same network."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from jal import losses, models
from jal.datasets import ImageData
from jal.training.data import DeviceData
from jal.training.loop import Training
from jal.training.recipe import recipe
from tests.benchmarks import conventional
from tests.benchmarks.one_hot import GIVEN

IMAGES, CLASSES, STEPS, SEED = 120, 10, 50, 123
REGULARISERS = {"L1": {"l1": 5e-5, "l2": 0.0}, "L2": {"l1": 0.0, "l2": 1e-4}}


def synthetic(size):
    """Ten faint coloured patterns under noise."""
    random = np.random.RandomState(0)
    patterns = random.randint(0, 256, (CLASSES, size, size, 3))
    truth = np.arange(IMAGES) % CLASSES
    images = (0.5 * patterns[truth] + 0.5 * random.randint(0, 256, (IMAGES, size, size, 3))).astype(np.uint8)
    return ImageData("synthetic", images, truth, images[:10], truth[:10], tuple("0123456789"))


DATA = synthetic(8)
NOISY = np.where(np.arange(IMAGES) % 3 == 0, (DATA.train_labels + 1) % CLASSES, DATA.train_labels)


def network(name, data=DATA):
    torch.manual_seed(SEED)
    return models.build(name, CLASSES, 3, data.train_images.shape[1], width=0.125)


def same_recipe(loss, regulariser, **change):
    """50 steps: 12 epochs of four batches, the last one partial, and two steps of a thirteenth."""
    r = replace(recipe("cifar10", loss), epochs=13, batch_size=32, augmentation=(), precision="float64")
    return replace(r, **REGULARISERS[regulariser], **change)


def our_batches():
    """The order of our loop, which is a function of the seed and the epoch alone."""
    for epoch in range(13):
        (state,) = np.random.SeedSequence((SEED, epoch)).generate_state(1, np.uint64)
        yield from torch.randperm(IMAGES, generator=torch.Generator().manual_seed(int(state))).split(32)


class Enough(Exception):
    """Leaves our loop in the middle of an epoch."""


def ours(model, loss, r, data):
    def between(training):
        if training.epoch * training.steps + training.step == STEPS:
            raise Enough

    training = Training(model, loss, DeviceData.of(data), NOISY, r, seed=SEED, eager=True)
    with pytest.raises(Enough):
        training.run(between=between)
    return model.state_dict()


def both(loss_name, r, model="cnn2", data=DATA, their_steps=STEPS):
    """The parameters after 50 steps of our loop, and after as many of the conventional one."""
    loss = losses.build(loss_name, "cifar10", reduction="none", **GIVEN.get(loss_name, {}))
    batches = list(islice(our_batches(), their_steps))
    step = conventional.Step(
        network(model, data), loss_name, loss.constants, r, torch.device("cpu"), "float64"
    )
    found = conventional.replay(step, data.train_images, NOISY, batches)
    return {
        name: value for name, value in ours(network(model, data), loss, r, data).items() if name in found
    }, found


def difference(one, other):
    assert one.keys() == other.keys()
    return max(float((one[name] - other[name]).abs().max()) for name in one)


@pytest.mark.parametrize("regulariser", REGULARISERS)
@pytest.mark.parametrize("loss", losses.names())
def test_every_loss_and_regulariser(loss, regulariser):
    found, theirs = both(loss, same_recipe(loss, regulariser))
    begun = {name: network("cnn2").state_dict()[name] for name in found}
    assert difference(found, begun) > 1e-3, "nothing was learnt, so nothing was compared"
    assert difference(found, theirs) < 1e-6


@pytest.mark.parametrize("regulariser", REGULARISERS)
def test_the_papers_network(regulariser):
    """Batch normalisation, and a gradient long enough to be clipped.

    On images of 8 x 8 pixels some units of its last layer are active for a whole batch, and the next normalisation
    takes their shift away: its gradient is rounding alone, and L1 follows the sign even of that.
    """
    r = same_recipe("JAL-CE", regulariser, clip_norm=0.5)
    assert difference(*both("JAL-CE", r, "cnn8", synthetic(16))) < 1e-6


def test_a_step_less_is_seen():
    r = same_recipe("JAL-CE", "L1")
    assert difference(*both("JAL-CE", r, their_steps=STEPS - 1)) > 1e-4
