"""Every loss of the catalogue as papers write it: one-hot vectors against the softmax.

Each takes logits z (N, K), labels y (N,) and the parameters that `jal.losses.build(...).constants` holds, and
gives one value an image, (N,).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F


def one_hot(z: Tensor, y: Tensor) -> Tensor:
    return F.one_hot(y, z.shape[1]).to(z.dtype)


def pick(z: Tensor, y: Tensor, values: Tensor) -> Tensor:
    return (one_hot(z, y) * values).sum(1)


def probability(z: Tensor, y: Tensor) -> Tensor:
    return pick(z, y, F.softmax(z, dim=1))


def log_clamped(p: Tensor, eps: float) -> Tensor:
    return p.clamp(eps, 1).log()


def focal(log_p: Tensor, gamma: float) -> Tensor:
    return -((1 - log_p.detach().exp()) ** gamma) * log_p


def ce(z, y):
    return F.cross_entropy(z, y, reduction="none")


def fl(z, y, gamma):
    return pick(z, y, focal(F.log_softmax(z, dim=1), gamma))


def gce(z, y, q, eps):
    return (1 - pick(z, y, F.softmax(z, dim=1).clamp(eps, 1)) ** q) / q


def mae(z, y):
    return (one_hot(z, y) - F.softmax(z, dim=1)).abs().sum(1)


def rce(z, y, A):
    return -(F.softmax(z, dim=1) * one_hot(z, y).clamp_min(math.exp(A)).log()).sum(1)


def nce(z, y):
    log_p = F.log_softmax(z, dim=1)
    return pick(z, y, log_p) / log_p.sum(1)


def nfl(z, y, gamma):
    every = focal(F.log_softmax(z, dim=1), gamma)
    return pick(z, y, every) / every.sum(1)


def nnce(z, y, eps):
    every = log_clamped(F.softmax(z, dim=1), eps) - math.log(eps)
    return 1 - pick(z, y, every) / every.sum(1)


def nnfl(z, y, gamma, eps):
    bound = -((1 - eps) ** gamma) * math.log(eps)
    every = bound - focal(log_clamped(F.softmax(z, dim=1), eps), gamma)
    return 1 - pick(z, y, every) / every.sum(1)


def aul(z, y, a, q):
    return ((a - probability(z, y)) ** q - (a - 1) ** q) / q


def agce(z, y, a, q):
    return ((a + 1) ** q - (a + probability(z, y)) ** q) / q


def ael(z, y, a):
    return torch.exp(-probability(z, y) / a)


def amse(z, y, a, q=2.0):
    return ((a * one_hot(z, y) - F.softmax(z, dim=1)).abs() ** q).mean(1)


def ce_lc(z, y, delta, power, eps):
    norm = z.norm(dim=1, keepdim=True) + eps
    clipped = torch.where(norm > 1 / delta, delta**power * z / norm, z)
    return -pick(z, y, log_clamped(F.softmax(clipped, dim=1), eps))


def eps_softmax(z, m):
    p = F.softmax(z, dim=1)
    return (p + m * one_hot(z, p.argmax(1))) / (m + 1)


def ece(z, y, m, eps):
    return -pick(z, y, log_clamped(eps_softmax(z, m), eps))


def efl(z, y, m, gamma, eps):
    return pick(z, y, focal(log_clamped(eps_softmax(z, m), eps), gamma))


def ldr(z, y, lam, margin):
    s = F.softplus(z) / F.softplus(z).mean(1, keepdim=True)
    excess = margin * (1 - one_hot(z, y)) + s - pick(z, y, s)[:, None]
    return lam * torch.exp(excess / lam).mean(1).log()


GIVEN = {
    "ECE": {"m": 1e5},
    "EFL": {"m": 1e3},
    "ECE+MAE": {"alpha": 0.01, "beta": 5, "m": 1e5},
    "EFL+MAE": {"alpha": 0.02, "beta": 5, "m": 1e3},
}
"""Parameters of the losses for which no dataset of the paper fixes them."""

LOSSES: dict[str, Callable[..., Tensor]] = {
    "CE": ce,
    "FL": fl,
    "GCE": gce,
    "MAE": mae,
    "RCE": rce,
    "SCE": lambda z, y, alpha, beta, A: alpha * ce(z, y) + beta * rce(z, y, A),
    "MSE": lambda z, y: (one_hot(z, y) - F.softmax(z, dim=1)).square().mean(1),
    "NCE": nce,
    "NFL": nfl,
    "AUL": aul,
    "AGCE": agce,
    "AEL": ael,
    "NNCE": lambda z, y, beta, eps: beta * nnce(z, y, eps),
    "NNFL": lambda z, y, beta, gamma, eps: beta * nnfl(z, y, gamma, eps),
    "AMSE": amse,
    "NCE+RCE": lambda z, y, alpha, beta, A: alpha * nce(z, y) + beta * rce(z, y, A),
    "NCE+MAE": lambda z, y, alpha, beta: alpha * nce(z, y) + beta * mae(z, y) / 2,
    "NFL+RCE": lambda z, y, alpha, beta, gamma, A: alpha * nfl(z, y, gamma) + beta * rce(z, y, A),
    "NCE+AUL": lambda z, y, alpha, beta, a, q: alpha * nce(z, y) + beta * aul(z, y, a, q),
    "NCE+AGCE": lambda z, y, alpha, beta, a, q: alpha * nce(z, y) + beta * agce(z, y, a, q),
    "NCE+AEL": lambda z, y, alpha, beta, a: alpha * nce(z, y) + beta * ael(z, y, a),
    "AGCE+MAE": lambda z, y, alpha, beta, a, q: alpha * agce(z, y, a, q) + beta * mae(z, y) / 2,
    "CE+LC": ce_lc,
    "ANL-CE": lambda z, y, alpha, beta, eps: alpha * nce(z, y) + beta * nnce(z, y, eps),
    "ANL-FL": lambda z, y, alpha, beta, gamma, eps: alpha * nfl(z, y, gamma) + beta * nnfl(z, y, gamma, eps),
    "JAL-CE": lambda z, y, alpha, beta, a, q: alpha * nce(z, y) + beta * amse(z, y, a, q),
    "JAL-FL": lambda z, y, alpha, beta, a, gamma, q: alpha * nfl(z, y, gamma) + beta * amse(z, y, a, q),
    "ECE": ece,
    "EFL": efl,
    "ECE+MAE": lambda z, y, alpha, beta, m, eps: alpha * ece(z, y, m, eps) + beta * mae(z, y),
    "EFL+MAE": lambda z, y, alpha, beta, m, gamma, eps: alpha * efl(z, y, m, gamma, eps) + beta * mae(z, y),
    "LDR": ldr,
}
