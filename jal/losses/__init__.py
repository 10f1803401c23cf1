"""Robust losses on (logits, labels): every loss of the paper's tables, by name or built directly.

>>> criterion = build("JAL-CE", "cifar10")
>>> criterion = JALCE(alpha=1, beta=1, a=30)
"""

from __future__ import annotations

from typing import Any

from jal.losses.catalog import CATALOG, build, names
from jal.losses.loss import Loss, Term, joint

__all__ = ["AMSE", "CATALOG", "JALCE", "JALFL", "Loss", "Term", "build", "joint", "names"]


def AMSE(a: float, q: float = 2.0, **options: Any) -> Loss:
    """Asymmetric mean square error, (1/K) ||a e_y - p||_q^q: equation (7) of the paper.

    `a >= 1`; `jal.minimum_a(transition, q)` is the smallest one that withstands a noise. `options` are those
    of `Loss`: reduction, ignore_index, validate.

    Examples
    --------
    >>> import torch
    >>> loss = AMSE(a=30)(torch.zeros(1, 10), torch.tensor([3]))
    >>> round(loss.item(), 2)  # ((30 - 0.1)^2 + 9 x 0.1^2) / 10
    89.41
    """
    return build("AMSE", None, a=a, q=q, **options)


def JALCE(alpha: float, beta: float, a: float, q: float = 2.0, **options: Any) -> Loss:
    """Joint asymmetric loss, alpha NCE + beta AMSE: equation (8) of the paper.

    The paper's values: (1, 1, 30) on CIFAR-10, (5, 1, 20) on CIFAR-100. `options` are those of `Loss`.

    Examples
    --------
    >>> import torch
    >>> loss = JALCE(alpha=1, beta=1, a=30)(torch.zeros(1, 10), torch.tensor([3]))
    >>> round(loss.item(), 2)  # NCE is 1/10 there
    89.51
    """
    return build("JAL-CE", None, alpha=alpha, beta=beta, a=a, q=q, **options)


def JALFL(alpha: float, beta: float, a: float, gamma: float = 0.5, q: float = 2.0, **options: Any) -> Loss:
    """Joint asymmetric loss, alpha NFL + beta AMSE: equation (9) of the paper.

    The paper's values: (1, 1, 30) on CIFAR-10, (5, 1, 20) on CIFAR-100, gamma = 0.5. `options` are those of
    `Loss`.

    Examples
    --------
    >>> import torch
    >>> loss = JALFL(alpha=1, beta=1, a=30)(torch.zeros(1, 10), torch.tensor([3]))
    >>> round(loss.item(), 2)
    89.51
    """
    return build("JAL-FL", None, alpha=alpha, beta=beta, a=a, gamma=gamma, q=q, **options)
