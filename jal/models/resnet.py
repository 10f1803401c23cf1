"""Residual networks (He et al. 2016): ResNet-34 for small images, torchvision's ResNet-50 for large ones."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from jal import vision
from jal.errors import InputError, unknown
from jal.models.classifier import Classifier, convolution, initialise, scaled

INITIAL = ("random", "zero-residual", "imagenet1k-v2")


def resnet34(
    num_classes: int = 100, in_channels: int = 3, image_size: int = 32, width: float = 1.0
) -> Classifier:
    """ResNet-34 with the stem for small images (3 x 3, stride 1, no pooling), 512 features.

    `width` scales every layer's channels; at 1, with 100 classes, it has 21,328,292 parameters. Any
    `image_size` does.

    Examples
    --------
    >>> sum(weights.numel() for weights in resnet34().parameters())
    21328292
    """
    widths = [scaled(channels, width) for channels in (64, 128, 256, 512)]
    layers = convolution(in_channels, widths[0], bias=False)
    channels_in = widths[0]
    for stage, (channels, blocks) in enumerate(zip(widths, (3, 4, 6, 3), strict=True)):
        for block in range(blocks):
            layers.append(BasicBlock(channels_in, channels, stride=2 if stage and not block else 1))
            channels_in = channels
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return initialise(Classifier(nn.Sequential(*layers), nn.Linear(channels_in, num_classes)))


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions and the way around them."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        first = convolution(channels_in, channels, stride=stride, bias=False)
        self.residual = nn.Sequential(*first, *convolution(channels, channels, bias=False)[:-1])
        self.shortcut = nn.Sequential()
        if stride != 1 or channels_in != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, images: Tensor) -> Tensor:
        """Of the same shape but for stride and channels."""
        return F.relu(self.residual(images) + self.shortcut(images))


def resnet50(
    num_classes: int = 50,
    in_channels: int = 3,
    image_size: int = 224,
    width: float = 1.0,
    initial: str = "random",
) -> Classifier:
    """torchvision's ResNet-50, 2048 features, initialised as torchvision does.

    Parameters
    ----------
    image_size
        any from 32 pixels.
    initial
        "random"; "zero-residual", each residual branch's last scale at 0 (the paper's WebVision);
        "imagenet1k-v2", torchvision's weights of that name under a new head (the paper's Clothing1M).

    Raises
    ------
    InputError
        for other than colour images or width 1, an unknown beginning, or weights that cannot be loaded.
    ModuleNotFoundError
        where torchvision is not installed.
    """
    if in_channels != 3 or width != 1:
        raise InputError(
            f"resnet50 is torchvision's, for colour images and of width 1, not for {in_channels} channels and "
            f"width {width:g}: take resnet34"
        )
    if initial not in INITIAL:
        raise unknown("initial weights of resnet50", initial, INITIAL)
    models = vision.torchvision().models
    network = models.resnet50(num_classes=num_classes, zero_init_residual=initial == "zero-residual")
    head, network.fc = network.fc, nn.Identity()
    if initial == "imagenet1k-v2":
        _load(network, models.ResNet50_Weights.IMAGENET1K_V2)
    return Classifier(network, head)


def _load(body: nn.Module, weights: Any) -> None:
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
    try:
        # torch.hub says on standard output that it downloads.
        with redirect_stdout(sys.stderr):
            state = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
        body.load_state_dict({name: value for name, value in state.items() if not name.startswith("fc.")})
    except Exception as error:  # a damaged file can raise any
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise InputError(
            f"the ImageNet weights of ResNet-50 cannot be loaded ({reason}): put {weights.url} at {path}"
        ) from error
