"""A loss as a multiple of 1 - p_y: how nearly it is one, and how much it listens to a sample in units of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from jal.analysis.slopes import logit_slopes
from jal.errors import InputError
from jal.losses.loss import Loss


@dataclass(frozen=True)
class Multiple:
    """A loss whose value is a straight line in the label's probability, or nearly so.

    Attributes
    ----------
    height
        by how much it falls from p_y = 0 to p_y = 1: its multiple of 1 - p_y.
    bend
        how far it is from the straight line at most, as a share of the height.
    """

    height: float
    bend: float


def multiple(loss: Loss, classes: int = 10, steps: int = 101) -> Multiple:
    """A loss against multiples of 1 - p_y, the rest of the probability being with one other class.

    Parameters
    ----------
    loss
        with a value at p_y = 0: cross entropy and NCE have none.
    steps
        points on the way from p_y = 0 to 1.
    """
    p_y = torch.linspace(0, 1, steps, dtype=torch.float64)
    rest = torch.zeros(steps, classes - 2, dtype=torch.float64)
    log_p = torch.cat([torch.stack([p_y, 1 - p_y], 1), rest], 1).log()
    # The logarithm of 0 would mask a class. In its place stand two numbers that no loss with a value there tells apart.
    values, same = (_values(loss, log_p.clamp_min(low)) for low in (-1e4, -1e6))
    height = float(values[0] - values[-1])
    if not np.allclose(values, same) or height <= 0:
        raise InputError(f"{loss.name} is no multiple of 1 - p_y: it has no value at 0, or does not fall")
    line = values[0] - height * p_y.numpy()
    return Multiple(height, float(np.abs(values - line).max()) / height)


def _values(loss: Loss, log_p: torch.Tensor) -> NDArray[np.float64]:
    terms = [term.weight * term.formula(log_p[:, :1], log_p)[:, 0] for term in loss.terms]
    values: NDArray[np.float64] = torch.stack(terms).sum(0).numpy()
    return values


def attention(
    loss: Loss, p_y: Sequence[float] | NDArray[np.float64], classes: int = 10
) -> NDArray[np.float64]:
    """The slope |dL/dz_y| of a loss in units of that of 1 - p_y, whose own is p_y (1 - p_y).

    So MAE is a constant, and a loss l(p_y) has |l'(p_y)|. The rest of the probability is spread evenly.

    Parameters
    ----------
    p_y
        (N,) probabilities of the label, over 0 and below 1.

    Returns
    -------
    (N,) float64
    """
    own = np.asarray(p_y, np.float64)
    relative: NDArray[np.float64] = np.abs(logit_slopes(loss, own, classes)) / (own * (1 - own))
    return relative
