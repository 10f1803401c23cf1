"""Plain convolutional networks for small images."""

from __future__ import annotations

from torch import nn

from jal.errors import InputError
from jal.models.classifier import Classifier, convolution, initialise, scaled


def cnn8(num_classes: int = 10, in_channels: int = 3, image_size: int = 32, width: float = 1.0) -> Classifier:
    """The paper's 8-layer network for CIFAR-10: six convolutions, a linear layer to 256 features, the head.

    `width` scales every layer's channels; at 1, on 32 x 32 colour images, it has 1,639,794 parameters.

    Raises
    ------
    InputError
        for images of fewer than 8 pixels.

    Examples
    --------
    >>> sum(weights.numel() for weights in cnn8().parameters())
    1639794
    """
    if image_size < 8:
        raise InputError(
            f"cnn8 halves its images three times, and {image_size} pixels are too few: take cnn2"
        )
    widths = [scaled(channels, width) for channels in (64, 128, 196)]
    layers: list[nn.Module] = []
    for channels in widths:
        layers += convolution(in_channels, channels) + _halved(convolution(channels, channels))
        in_channels = channels
    return _with_hidden_layer(layers, widths[-1] * (image_size // 8) ** 2, scaled(256, width), num_classes)


def cnn2(num_classes: int = 10, in_channels: int = 1, image_size: int = 8, width: float = 1.0) -> Classifier:
    """A small network of our own for small grey images: two convolutions, 64 features, the head.

    Examples
    --------
    >>> import torch
    >>> cnn2()(torch.zeros(5, 1, 8, 8)).shape
    torch.Size([5, 10])
    """
    widths = [scaled(channels, width) for channels in (16, 32)]
    layers: list[nn.Module] = []
    for channels in widths:
        layers += _halved(convolution(in_channels, channels))
        in_channels = channels
    return _with_hidden_layer(layers, widths[-1] * (image_size // 4) ** 2, scaled(64, width), num_classes)


def _halved(layers: list[nn.Module]) -> list[nn.Module]:
    """With the pooling before the ReLU: the same bits as after it, forwards and backwards, for less work."""
    *before, relu = layers
    return [*before, nn.MaxPool2d(2), relu]


def _with_hidden_layer(layers: list[nn.Module], flat: int, hidden: int, num_classes: int) -> Classifier:
    layers += [nn.Flatten(), nn.Linear(flat, hidden), nn.BatchNorm1d(hidden), nn.ReLU()]
    return initialise(Classifier(nn.Sequential(*layers), nn.Linear(hidden, num_classes)))
