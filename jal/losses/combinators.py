"""What makes new formulas out of formulas: normalisation and its negative."""

from __future__ import annotations

import torch
from torch import Tensor

from jal.errors import InputError
from jal.losses.elementary import Formula, fixed


def normalised(formula: Formula) -> Formula:
    """L_y / sum_k L_k (Ma et al. 2020; equation (4) of the paper): the sum over the labels is 1.

    The labels k are those that are not masked.
    """
    return fixed(_normalised, formula)


def negative_normalised(formula: Formula, bound: float, eps: float = 0.0) -> Formula:
    """1 - (A - L_y) / sum_k (A - L_k), A >= L (Ye et al. 2023): the sum over the labels is K - 1.

    The labels k are those that are not masked. `eps` is the floor of the formula's probabilities; with K classes
    it has to be below 1/K, or all can lie under it.
    """
    return fixed(_negative_normalised, formula, bound=bound, eps=eps)


# At module level, and not closures, so that a Loss can be pickled.


def _normalised(formula: Formula, own: Tensor, every: Tensor) -> Tensor:
    return formula(own, every) / _total(formula(every, every), every)


def _negative_normalised(
    formula: Formula, own: Tensor, every: Tensor, bound: float, eps: float = 0.0
) -> Tensor:
    # A graph for any K, as `torch.export` makes it, would otherwise hold the bound on K.
    if not torch.compiler.is_compiling() and eps * every.shape[-1] >= 1:
        K = every.shape[-1]
        raise InputError(
            f"eps={eps:g} with {K} classes: with all of them under that floor a normalised negative loss is 0 / 0: "
            f"choose eps below 1 / K = {1 / K:.3g}"
        )
    return 1 - (bound - formula(own, every)) / _total(bound - formula(every, every), every)


def _total(values: Tensor, every: Tensor) -> Tensor:
    """The sum over the classes that are not masked, (..., 1)."""
    # Not 0, which would leave 0 / 0 of one unmasked class alone; beside two or more it is lost in rounding.
    return torch.where(torch.isneginf(every), 1e-18, values).sum(-1, keepdim=True)
