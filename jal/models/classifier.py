"""What all networks share: a body and a head, and how the authors' code initialises them."""

from __future__ import annotations

from torch import Tensor, nn


class Classifier(nn.Module):
    """`head(features(x))`.

    Parameters
    ----------
    body
        from (N, channels, height, width) to features (N, D).
    head
        a linear layer from D to K, which may be replaced (see `jal.models.student`).

    Attributes
    ----------
    num_features
        D.
    """

    def __init__(self, body: nn.Module, head: nn.Linear) -> None:
        super().__init__()
        self.body = body
        self.head: nn.Module = head
        self.num_features = head.in_features

    def features(self, images: Tensor) -> Tensor:
        """What the head sees, (N, D)."""
        features: Tensor = self.body(images)
        return features

    def forward(self, images: Tensor) -> Tensor:
        """Logits, (N, K)."""
        logits: Tensor = self.head(self.features(images))
        return logits


def initialise(network: Classifier) -> Classifier:
    """The same network, drawn afresh as the authors' code does.

    Convolutions start kaiming_uniform (fan in, ReLU), linear weights xavier_uniform, all else as PyTorch has it.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_uniform_(module.weight, mode="fan_in", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
    return network


def convolution(channels_in: int, channels: int, stride: int = 1, bias: bool = True) -> list[nn.Module]:
    """A 3 x 3 convolution, batch normalisation and ReLU, which overwrites what it reads: nobody else needs that."""
    return [
        nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=bias),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    ]


def scaled(channels: int, width: float) -> int:
    """A layer's channels in a network of relative `width`, at least one."""
    return max(1, round(channels * width))
