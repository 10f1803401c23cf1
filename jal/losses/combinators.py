"""What makes new formulas out of formulas: normalisation and its negative."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from jal.losses.elementary import Formula


def normalised(formula: Formula) -> Formula:
    """L_y / sum_k L_k (Ma et al. 2020; equation (4) of the paper): the sum over the labels is 1."""

    return partial(_normalised, formula)


def negative_normalised(formula: Formula, bound: float) -> Formula:
    """1 - (A - L_y) / sum_k (A - L_k), A >= L (Ye et al. 2023): the sum over the labels is K - 1."""

    return partial(_negative_normalised, formula, bound)


# At module level, and not closures, so that a Loss can be pickled.


def _normalised(formula: Formula, own: Tensor, every: Tensor) -> Tensor:
    return formula(own, every) / formula(every, every).sum(-1, keepdim=True)


def _negative_normalised(formula: Formula, bound: float, own: Tensor, every: Tensor) -> Tensor:
    return 1 - (bound - formula(own, every)) / (bound - formula(every, every)).sum(-1, keepdim=True)
