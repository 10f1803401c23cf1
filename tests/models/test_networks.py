"""The networks: sizes, shapes, initial weights."""

import math

import pytest
import torch
from torch import nn

from jal import models
from jal.errors import InputError
from jal.models.resnet import BasicBlock


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("model", "count"),
    [
        (models.cnn8(), 1_639_794),
        (models.resnet34(), 21_328_292),
        (models.cnn2(), 16 * 9 + 16 + 32 + 32 * 16 * 9 + 32 + 64 + 128 * 64 + 64 + 128 + 650),
    ],
)
def test_number_of_parameters(model, count):
    assert parameters(model) == count


@pytest.mark.parametrize(
    ("name", "classes", "channels", "size", "features"),
    [
        ("cnn8", 10, 3, 32, 256),
        ("cnn8", 10, 1, 28, 256),
        ("cnn2", 10, 1, 8, 64),
        ("cnn2", 7, 1, 28, 64),
        ("resnet34", 100, 3, 32, 512),
    ],
)
def test_logits_are_the_head_of_the_features(name, classes, channels, size, features):
    model = models.build(name, classes, channels, size).eval()
    images = torch.randn(3, channels, size, size).contiguous(memory_format=torch.channels_last)
    assert model.features(images).shape == (3, features)
    torch.testing.assert_close(model(images), model.head(model.features(images)))
    assert model(images).shape == (3, classes)


def test_flat_features_of_cnn8():
    for size, flat in ((32, 3136), (28, 1764)):
        hidden = [m for m in models.cnn8(image_size=size).modules() if isinstance(m, nn.Linear)]
        assert [layer.in_features for layer in hidden] == [flat, 256]


@pytest.mark.parametrize("name", ["cnn8", "resnet34"])
def test_initial_weights(name):
    """Uniform, filling the bounds of He (convolutions, fan in) and Glorot (linear): nothing beyond, nothing short."""
    torch.manual_seed(0)
    model = models.build(name, 10, 3, 32)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            bound = math.sqrt(6 / (module.in_channels * module.kernel_size[0] ** 2))
        elif isinstance(module, nn.Linear):
            bound = math.sqrt(6 / (module.in_features + module.out_features))
        else:
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                assert (module.weight == 1).all() and (module.bias == 0).all()
            continue
        assert 0.98 * bound < module.weight.abs().max() <= bound
        assert abs(module.weight.mean()) < 0.1 * bound


def test_residual_blocks_halve_the_image_three_times():
    body = models.resnet34().body[:-2]
    assert body(torch.randn(1, 3, 32, 32)).shape == (1, 512, 4, 4)
    shortcuts = [len(b.shortcut) for b in body if isinstance(b, BasicBlock)]
    assert [i for i, length in enumerate(shortcuts) if length] == [3, 7, 13]


@pytest.mark.parametrize(("name", "channels", "size"), [("cnn2", 1, 28), ("cnn8", 3, 32)])
def test_pooling_before_or_after_relu_gives_the_same_bits(name, channels, size):
    torch.manual_seed(0)
    network = models.build(name, 10, channels, size)
    layers = list(network.body)
    pools = [i for i, layer in enumerate(layers) if isinstance(layer, nn.MaxPool2d)]
    assert pools and all(isinstance(layers[i + 1], nn.ReLU) for i in pools)
    for i in pools:
        layers[i : i + 2] = layers[i + 1], layers[i]
    usual = nn.Sequential(*layers)
    # Few values, so that windows have ties, at zero and above.
    images = torch.randint(-2, 3, (16, channels, size, size)).float()
    found = []
    for body in (network.body, usual):
        network.zero_grad()
        features = body(images)
        features.square().sum().backward()
        found.append([features.detach(), *(p.grad.clone() for p in network.body.parameters())])
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(*found, strict=True))


def test_width_scales_the_channels():
    assert models.cnn8(width=0.5).head.in_features == 128
    assert parameters(models.cnn2(width=2)) > 3 * parameters(models.cnn2())


def test_same_stream_same_weights():
    states = []
    for _ in range(2):
        torch.manual_seed(7)
        states.append(models.build("cnn2", 10, 1, 8).state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_bad_input():
    with pytest.raises(InputError, match="unknown model 'cnn9': did you mean 'cnn8'"):
        models.build("cnn9", 10, 3, 32)
    with pytest.raises(InputError, match="7 pixels are too few"):
        models.build("cnn8", 10, 1, 7)
