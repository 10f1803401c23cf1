"""Batch normalisation as several cards have it: each part of a batch with statistics of its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class _Grouped(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation whose statistics while training are those of `group` images at a time; None: of all."""

    group: int | None

    def forward(self, images: Tensor) -> Tensor:
        """Of the same shape, (N, C, ...); the last group may be smaller."""
        if not self.training or self.group is None:
            return super().forward(images)
        first, *others = torch.split(images, self.group)
        # The first group alone moves the running statistics, as the first card's buffers are every card's.
        parts = [super().forward(first)] + [
            F.batch_norm(other, None, None, self.weight, self.bias, training=True, eps=self.eps)
            for other in others
        ]
        return torch.cat(parts)


class GroupedNorm1d(_Grouped, nn.BatchNorm1d):
    """Of features (N, C)."""


class GroupedNorm2d(_Grouped, nn.BatchNorm2d):
    """Of images (N, C, height, width)."""


_GROUPED: dict[type[nn.Module], type[_Grouped]] = {
    nn.BatchNorm1d: GroupedNorm1d,
    nn.BatchNorm2d: GroupedNorm2d,
}


def set_norm_group(network: nn.Module, group: int | None) -> None:
    """Let the network's batch normalisations have the statistics of `group` images at a time while training.

    So do the cards of `DistributedDataParallel` without synchronised batch normalisation: 4 with 64 images each in
    the authors' released code for WebVision and Clothing1M. Weights, buffers and their names stay what they are.

    Parameters
    ----------
    network
        changed in place.
    group
        how many images share statistics; None: the whole batch.
    """
    for module in network.modules():
        if group is not None and type(module) in _GROUPED:
            module.__class__ = _GROUPED[type(module)]
        if isinstance(module, _Grouped):
            module.group = group
