"""What makes new formulas out of formulas: normalisation and its negative."""

from __future__ import annotations

from torch import Tensor

from jal.losses.elementary import Formula


def normalised(formula: Formula) -> Formula:
    """L_y / sum_k L_k (Ma et al. 2020; equation (4) of the paper): the sum over the labels is 1."""

    def value(own: Tensor, every: Tensor) -> Tensor:
        return formula(own, every) / formula(every, every).sum(-1, keepdim=True)

    return value


def negative_normalised(formula: Formula, bound: float) -> Formula:
    """1 - (A - L_y) / sum_k (A - L_k), A >= L (Ye et al. 2023): the sum over the labels is K - 1."""

    def value(own: Tensor, every: Tensor) -> Tensor:
        return 1 - (bound - formula(own, every)) / (bound - formula(every, every)).sum(-1, keepdim=True)

    return value
