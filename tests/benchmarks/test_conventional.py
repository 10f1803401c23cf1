"""The conventional loop is a fair opponent: its data are torchvision's, its losses ours, and it learns."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from jal import losses, models, vision
from jal.errors import InputError
from jal.training.recipe import recipe
from tests.benchmarks import conventional
from tests.benchmarks.clock import PARTS, Clock
from tests.benchmarks.one_hot import GIVEN, LOSSES

RECIPE = replace(recipe("cifar10", "CE"), batch_size=32, epochs=3)


def stripes(count, seed=0):
    """Three classes of 16 x 16 colour images, each with a channel of its own, under noise."""
    random = np.random.RandomState(seed)
    labels = np.arange(count) % 3
    images = random.randint(0, 128, (count, 16, 16, 3))
    images[np.arange(count), :, :, labels] += 64
    return images.astype(np.uint8), labels.astype(np.int64)


TRAIN, TEST = stripes(160), stripes(48, seed=1)


def network():
    torch.manual_seed(3)
    return models.build("cnn2", 3, 3, 16)


def step(model, loss="CE", r=RECIPE, precision="float32", **parameters):
    return conventional.Step(model, loss, parameters, r, torch.device("cpu"), precision)


def batches(training, r=RECIPE, workers=0):
    return conventional.load(*(TRAIN if training else TEST), r, torch.device("cpu"), workers, training)


def test_every_loss_is_there():
    assert list(LOSSES) == losses.names()


@pytest.mark.parametrize("classes", [2, 10, 100])
@pytest.mark.parametrize("settings", ["official", "paper"])
@pytest.mark.parametrize("name", losses.names())
def test_one_hot_losses_are_ours(name, settings, classes):
    ours = losses.build(name, "cifar10", settings, reduction="none", **GIVEN.get(name, {}))
    torch.manual_seed(classes)
    logits, labels = 3 * torch.randn(64, classes, dtype=torch.float64), torch.randint(classes, (64,))
    logits[:8] *= 10  # some beyond the floors of the probabilities
    values, gradients = [], []
    for form in (ours, lambda z, y: LOSSES[name](z, y, **ours.constants)):
        z = logits.clone().requires_grad_()
        values.append(form(z, labels))
        gradients += torch.autograd.grad(values[-1].sum(), z)
    torch.testing.assert_close(*values, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-10)


def test_the_data_are_torchvisions():
    cifar10 = vision.torchvision().datasets.CIFAR10
    theirs = cifar10.__new__(cifar10)
    theirs.data, theirs.targets = TRAIN[0], TRAIN[1].tolist()
    theirs.target_transform = None
    loader = batches(training=True)
    theirs.transform = loader.dataset.transform
    for index in (0, 7):
        torch.manual_seed(index)
        image, label = loader.dataset[index]
        torch.manual_seed(index)
        their_image, their_label = theirs[index]
        assert torch.equal(image, their_image) and label == their_label


def test_testing_images_are_only_normalised():
    loader = batches(training=False)
    images = torch.cat([images for images, _ in loader])
    expected = (TEST[0] / 255 - RECIPE.mean) / RECIPE.std
    np.testing.assert_allclose(images.permute(0, 2, 3, 1), expected, rtol=1e-5, atol=1e-6)
    assert torch.cat([labels for _, labels in loader]).tolist() == TEST[1].tolist()


@pytest.mark.parametrize(
    ("loss", "precision", "workers"),
    [("CE", "float32", 0), ("JAL-CE", "float32", 2), ("ANL-CE", "bfloat16", 0)],
)
def test_it_learns(loss, precision, workers):
    parameters = losses.build(loss, "cifar10").constants
    r = replace(recipe("cifar10", loss), batch_size=32, epochs=6)
    loaders = (batches(training, r, workers) for training in (True, False))
    result = conventional.train(step(network(), loss, r, precision, **parameters), *loaders, epochs=4)
    assert result["steps"] == 4 * 5
    assert len(result["train_loss"]) == len(result["test_accuracy"]) == len(result["evaluation_seconds"]) == 4
    assert result["train_loss"][-1] < result["train_loss"][0]
    assert result["test_accuracy"][-1] > 90
    assert result["images_per_second"] > 0
    assert 5e7 < result["peak_memory"] < 5e10


@pytest.mark.parametrize(("max_steps", "evaluations"), [(7, 1), (5, 0)])
def test_it_stops_where_it_is_told(max_steps, evaluations):
    loaders = batches(training=True), batches(training=False)
    result = conventional.train(step(network()), *loaders, max_steps=max_steps)
    assert (result["steps"], len(result["test_accuracy"])) == (max_steps, evaluations)
    assert math.isnan(result["images_per_second"]) == (max_steps <= conventional.WARM_UP)


def test_a_replay_is_what_its_batches_make_it():
    both_epochs = list(torch.arange(160).split(32)) * 2
    rough, exact = network(), network()
    before = [parameter.clone() for parameter in exact.parameters()]
    replayed, again = (
        conventional.replay(step(model, precision="float64"), *TRAIN, both_epochs)
        for model in (exact, network())
    )
    for (name, parameter), old in zip(exact.named_parameters(), before, strict=True):
        assert parameter.dtype == torch.float64 and torch.equal(replayed[name], parameter)
        assert torch.equal(replayed[name], again[name])
        assert not torch.equal(replayed[name], old.double())
    # The same batches through the loader, in float32: unaugmented, unshuffled, both epochs' learning rates.
    plain = replace(RECIPE, augmentation=())
    in_order = conventional.load(*TRAIN, plain, torch.device("cpu"), 0, training=False)
    by_hand = step(rough.train(), r=plain)
    for _ in range(2):
        for images, labels in in_order:
            by_hand(images, labels)
        by_hand.schedule.step()
    for name, parameter in rough.named_parameters():
        torch.testing.assert_close(parameter.double(), replayed[name], rtol=1e-3, atol=1e-4)


def test_the_split_is_of_one_step():
    parts = conventional.split(step(network()), batches(training=True), steps=6)
    assert tuple(parts) == PARTS
    assert all(0 < seconds < 10 for seconds in parts.values())


def test_the_split_counts_what_each_part_takes():
    clock = Clock(torch.device("cpu"))
    clock.parts = ["start", *PARTS, *PARTS]
    clock.times = [0, 1, 3, 6, 10, 15, 16, 19, 23, 28, 34]
    assert clock.seconds() == dict(zip(PARTS, [1, 2.5, 3.5, 4.5, 5.5], strict=True))
    assert clock.seconds(skip=1) == dict(zip(PARTS, [1, 3, 4, 5, 6], strict=True))


def test_what_it_cannot_do_is_said():
    stepped = replace(RECIPE, schedule="step", decay=0.1)
    with pytest.raises(InputError, match="cosine"):
        step(network(), r=stepped)
    with pytest.raises(InputError, match="bfloat16"):
        step(network(), precision="half")
