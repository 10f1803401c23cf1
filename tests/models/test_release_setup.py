"""Setup: from the same seed the released code's initial weights and noisy labels are ours, bit for bit.

What differs between its runs and ours is the order of the batches and the draws of the augmentation, and nothing
before. Networks and labels are written down here once more, as the released code builds them: layer by layer, which
takes random numbers, and then each layer's weights anew, in the same order.
"""

import numpy as np
import pytest
import torch
from torch import nn

from jal import models, noise
from jal.experiments import resolve
from jal.experiments.labels import noisy_labels
from tests.experiments.test_labels import DIGITS


def plain_cnn():
    layers, channels = nn.ModuleList(), 3
    for width in (64, 64, 128, 128, 196, 196):
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width)]
        channels = width
    layers += [nn.Linear(196 * 16, 256), nn.BatchNorm1d(256), nn.Linear(256, 10)]
    return layers


def plain_resnet34():
    layers, channels = nn.ModuleList([nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64)]), 64
    for width, blocks, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for block in range(blocks):
            for n in (channels, width):
                layers += [nn.Conv2d(n, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)]
            if block == 0 and stride == 2:
                layers += [nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width)]
            channels = width
    layers.append(nn.Linear(512, 100))
    return layers


def released(layers):
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_uniform_(layer.weight, mode="fan_in", nonlinearity="relu")
        elif isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
    return layers


@pytest.mark.parametrize(
    ("name", "classes", "plain"), [("cnn8", 10, plain_cnn), ("resnet34", 100, plain_resnet34)]
)
@pytest.mark.parametrize("seed", [123, 7])
def test_a_seed_gives_the_same_initial_weights(name, classes, plain, seed):
    torch.manual_seed(seed)
    ours = models.build(name, classes, 3, 32)
    after = torch.rand(3)
    torch.manual_seed(seed)
    theirs = released(plain())
    assert [p.shape for p in ours.parameters()] == [p.shape for p in theirs.parameters()]
    assert all(map(torch.equal, ours.parameters(), theirs.parameters()))
    assert torch.equal(after, torch.rand(3))  # and as many random numbers were taken


def flipped(true, T, seed):
    """Exact counts, class by class: as many as the matrix says, drawn from those that are left."""
    stream, labels = np.random.RandomState(seed), true.copy()
    for i in range(len(T)):
        pool = np.flatnonzero(true == i)
        counts = (T[i] * len(pool)).astype(int)
        for j in (j for j in range(len(T)) if j != i and counts[j]):
            chosen = stream.choice(pool, counts[j], replace=False)
            pool = pool[~np.isin(pool, chosen)]
            labels[chosen] = j
    return labels


@pytest.mark.parametrize(("kind", "rate"), [("symmetric", 0.4), ("symmetric", 0.8), ("asymmetric", 0.3)])
def test_a_seed_gives_the_same_labels(kind, rate):
    spec = resolve(dataset="digits", noise=kind, rate=rate, loss="CE", seed=124)
    T = noise.symmetric(10, rate) if kind == "symmetric" else noise.asymmetric("digits", rate)
    assert np.array_equal(noisy_labels(spec, DIGITS), flipped(DIGITS.train_labels, T, 124))
