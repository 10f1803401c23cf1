"""The head of LT-APL: Student-t likelihoods of the features (Zhang et al., TPAMI 2024)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from jal.errors import InputError


class StudentHead(nn.Module):
    """In place of a network's linear head: how likely the features are under each class's Student-t.

    Features f and the classes' means mu_k are scaled to length one; the degrees of freedom are nu_k = raw_k^2 + 0.1.
    With d_k = ||f - mu_k||^2 / 2, the likelihood of class k is, D' being ln D,

        Gamma((nu_k + D')/2) / (Gamma(nu_k/2) nu_k^(D'/2)) (1 + d_k/nu_k + 1e-8)^(-(nu_k + D')/2)

    and the scores are the likelihoods, scaled to length one over the classes.

    Parameters
    ----------
    features, num_classes
        D and K.
    margin
        while training, d of the given label counts 1 + margin times.
    penalty
        lambda, the weight of `penalty`.

    Raises
    ------
    InputError
        for a negative margin or penalty.
    """

    def __init__(self, features: int, num_classes: int, margin: float, penalty: float) -> None:
        super().__init__()
        if margin < 0 or penalty < 0:
            raise InputError(f"LT-APL: margin={margin} and penalty={penalty} will not do: give 0 or more")
        self.margin, self.weight = margin, penalty
        self.means = nn.Parameter(nn.init.xavier_uniform_(torch.empty(num_classes, features)))
        self.raw = nn.Parameter(nn.init.xavier_uniform_(torch.empty(num_classes, 1)))

    def forward(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """The scores, (N, K), each row non-negative and of length one.

        Parameters
        ----------
        features
            (N, D).
        labels
            the given ones, int64 (N,), while training; None while testing: then no margin.
        """
        # A half-precision product would leave two digits of the distances.
        with torch.autocast(features.device.type, enabled=False):
            means, features = F.normalize(self.means), F.normalize(features.to(self.means.dtype))
            distance = (_squared(features)[:, None] + _squared(means)) / 2 - features @ means.T
        if labels is not None:
            given = labels[:, None] == torch.arange(len(means), device=labels.device)
            distance = torch.where(given, (1 + self.margin) * distance, distance)
        freedom = self.raw[:, 0].square() + 0.1
        dimension = math.log(features.shape[1])
        power = (freedom + dimension) / 2
        scale = power.lgamma() - (freedom / 2).lgamma() - dimension / 2 * freedom.log()
        likelihood = scale - power * (distance / freedom + 1e-8).log1p()
        return (likelihood - (2 * likelihood).logsumexp(1, keepdim=True) / 2).exp()

    def penalty(self, features: Tensor, labels: Tensor) -> Tensor:
        """lambda / (2 N) sum_i ||f_i - mu_(y_i)||^2, to be added to the batch's mean loss while training."""
        apart = F.normalize(features) - F.normalize(self.means)[labels]
        return self.weight / 2 * _squared(apart).mean()


def _squared(rows: Tensor) -> Tensor:
    return rows.square().sum(1)
