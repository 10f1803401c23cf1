"""A run begins as one of the release with its seed: the weights and the labels, bit for bit.

What the release does is written out here once more, on bare tensors: its seed, then its network, layer by layer as
PyTorch makes them and then the weights anew, then its labels, from numpy's stream of the same seed. What comes after
that differs: the order of the batches, and how their images are changed.
"""

import math
from importlib import import_module

import numpy as np
import pytest
import torch

from jal.datasets import ImageData
from jal.experiments import resolve
from jal.experiments.labels import noisy_labels

RUN = import_module("jal.experiments.run")

CNN8 = [
    *(((64, 3, 3, 3), True), ((64, 64, 3, 3), True), ((128, 64, 3, 3), True)),
    *(((128, 128, 3, 3), True), ((196, 128, 3, 3), True), ((196, 196, 3, 3), True)),
    *(((256, 196 * 16), True), ((10, 256), False)),
]
"""The shape of each layer's weight, and whether batch normalisation follows."""


def resnet34():
    yield (64, 3, 3, 3), True
    before = 64
    for channels, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for _ in range(blocks):
            yield (channels, before, 3, 3), True
            yield (channels, channels, 3, 3), True
            if before != channels:
                yield (channels, before, 1, 1), True
            before = channels
    yield (100, 512), False


def weights(layers, seed, biased_convolutions):
    """Every parameter of a network as the release begins with it, in order."""
    stream = torch.Generator().manual_seed(seed)
    parameters, anew = [], []
    for shape, normalised in layers:
        fan_in = math.prod(shape[1:])
        size = 1 / math.sqrt(fan_in)
        own = [torch.empty(shape).uniform_(-size, size, generator=stream)]
        if biased_convolutions or len(shape) == 2:
            own.append(torch.empty(shape[0]).uniform_(-size, size, generator=stream))
        if normalised:
            own += [torch.ones(shape[0]), torch.zeros(shape[0])]
        parameters += own
        # He et al. (2015) for convolutions, Glorot and Bengio (2010) for linear layers.
        anew.append((own[0], math.sqrt(2 / fan_in if len(shape) == 4 else 2 / (fan_in + shape[0]))))
    for weight, deviation in anew:
        weight.uniform_(-math.sqrt(3) * deviation, math.sqrt(3) * deviation, generator=stream)
    return parameters


def labels(true, K, noise, rate, seed):
    """The noisy labels of the release's "method2", its default."""
    stream = np.random.RandomState(seed)
    if noise == "symmetric":
        targets = [[(j, rate / (K - 1)) for j in range(K) if j != i] for i in range(K)]
    elif K == 10:
        flips = {9: 1, 2: 0, 3: 5, 5: 3, 4: 7}
        targets = [[(flips[i], rate)] if i in flips else [] for i in range(K)]
    else:
        targets = [[(i - i % 5 + (i + 1) % 5, rate)] for i in range(K)]
    given = true.copy()
    for i in range(K):
        left = [int(at) for at in np.nonzero(true == i)[0]]
        size = len(left)
        for j, share in targets[i]:
            if count := int(share * size):
                picked = set(stream.choice(left, count, replace=False).tolist())
                given[list(picked)] = j
                left = [at for at in left if at not in picked]
    return given


def small(K):
    """Black images of K classes in CIFAR's shape, the labels in no order."""
    true = np.random.RandomState(1).permutation(np.arange(4500) % K)
    return of(true, K)


def of(true, K):
    images = np.broadcast_to(np.uint8(0), (len(true), 32, 32, 3))
    return ImageData("black", images, true, images[:K], np.arange(K), tuple(map(str, range(K))))


@pytest.mark.parametrize("seed", [123, 124])
@pytest.mark.parametrize(
    ("dataset", "noise", "rate", "layers", "biased"),
    [
        ("cifar10", "symmetric", 0.8, CNN8, True),
        ("cifar100", "asymmetric", 0.4, list(resnet34()), False),
    ],
)
def test_a_runs_weights_and_labels_are_the_released_ones(
    monkeypatch, dataset, noise, rate, layers, biased, seed
):
    data = small(layers[-1][0][0])
    monkeypatch.setattr(RUN, "training_data", lambda spec, root: data)
    monkeypatch.setattr(RUN, "_on_devices", {})
    spec = resolve(dataset=dataset, noise=noise, rate=rate, loss="JAL-CE", seed=seed)
    expected = weights(layers, seed, biased)
    with RUN._training(spec, "cpu", False, False, None, None, False) as training:
        found = list(training.model.parameters())
        given = training.given.numpy()
    assert len(found) == len(expected)
    assert sum(each.numel() for each in expected) == {"cifar10": 1_639_794, "cifar100": 21_328_292}[dataset]
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(found, expected, strict=True))
    expected = labels(data.train_labels, data.num_classes, noise, rate, seed)
    assert (given == expected).all() and (given != data.train_labels).any()


@pytest.mark.parametrize("rate", [0.2, 0.4])
@pytest.mark.parametrize("noise", ["symmetric", "asymmetric"])
@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_labels_of_the_real_sets_are_the_released_ones(cifar_labels, dataset, noise, rate):
    K, true = {"cifar10": 10, "cifar100": 100}[dataset], cifar_labels(dataset)
    for seed in (123, 125):
        spec = resolve(dataset=dataset, noise=noise, rate=rate, loss="CE", seed=seed)
        assert (noisy_labels(spec, of(true, K)) == labels(true, K, noise, rate, seed)).all()
