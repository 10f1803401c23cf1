"""The formulas, each written once, and the scores that they are functions of.

A *link* turns logits (..., K) into scores (..., K); all but LDR's are log-probabilities. A *formula* takes
`own`, the score of the label, and `every`, the scores of all labels (..., K), and gives the loss of the
label. It broadcasts: `own` of shape (..., 1) gives the loss of one label, `own = every` that of every label.

Powers and exponentials are taken so that values and gradients are finite wherever the scores are, p = 0 and
p = 1 included; `p` is never formed where `log p` will do. A class whose logit is -inf is masked: its score is
that of p = 0, no gradient reaches it, and K, the number of classes, does not count it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from jal.errors import InputError

Link = Callable[[Tensor], Tensor]
Formula = Callable[[Tensor, Tensor], Tensor]

EPS = 1e-8
"""The probability floor of the authors' released code."""

LOG_SOFTPLUS_IS_IDENTITY_BELOW = -37.0
"""log softplus(z) = z - e^z / 2 + ...: below this the difference is under float64's resolution."""


@dataclass(frozen=True)
class Fixed:
    """A function of tensors with its constants, as `functools.partial`; `fixed` makes it.

    The constants lie in a tuple because `torch.compile(dynamic=True)` leaves numbers there as they are. Elsewhere it
    makes them inputs of the graph, and its default backend fails (torch 2.13) where one is factor and exponent.
    """

    func: Callable[..., Tensor]
    args: tuple[Formula, ...]
    names: tuple[str, ...]
    constants: tuple[float, ...]

    def __call__(self, *tensors: Tensor) -> Tensor:
        """The function's value."""
        return self.func(*self.args, *tensors, **self.keywords)

    @property
    def keywords(self) -> dict[str, float]:
        """The constants by their names."""
        return dict(zip(self.names, self.constants, strict=True))


def fixed(func: Callable[..., Tensor], *formulas: Formula, **constants: float) -> Fixed:
    """`func` with these formulas as its first arguments, and these constants."""
    return Fixed(func, formulas, tuple(constants), tuple(constants.values()))


# Links


def log_softmax(logits: Tensor) -> Tensor:
    """log p, p the softmax."""
    return F.log_softmax(logits, dim=-1)


def clipped_log_softmax(logits: Tensor, delta: float, power: float, eps: float = EPS) -> Tensor:
    """log p of clipped logits: a norm beyond 1/delta becomes delta**power (LogitClip, Wei et al. 2023).

    The norm is that of the classes that are not masked.
    """
    masked = torch.isneginf(logits)
    kept = logits.masked_fill(masked, 0.0)
    norm = torch.linalg.vector_norm(kept, dim=-1, keepdim=True) + eps
    clipped = torch.where(norm > 1 / delta, kept * (delta**power / norm), kept)
    return log_softmax(clipped.masked_fill(masked, -torch.inf))


def eps_log_softmax(logits: Tensor, m: float) -> Tensor:
    """log p', p' = (p + m e_argmax) / (m + 1) (eps-Softmax, Wang et al. 2024)."""
    log_p = log_softmax(logits)
    top_log_p, top = log_p.max(dim=-1, keepdim=True)
    return (log_p - math.log1p(m)).scatter(-1, top, torch.log1p(torch.expm1(top_log_p) / (m + 1)))


def relative_softplus(logits: Tensor) -> Tensor:
    """softplus(z) / mean(softplus(z)), as K softmax(log softplus(z)): no 0/0 at very negative logits.

    The score of a masked class is -inf.
    """
    low = logits < LOG_SOFTPLUS_IS_IDENTITY_BELOW
    log_softplus = torch.where(low, logits, F.softplus(logits.masked_fill(low, 0.0)).log())
    scores = _classes(logits) * F.softmax(log_softplus, dim=-1)
    return torch.where(torch.isneginf(logits), -torch.inf, scores)


# Helpers


def _classes(every: Tensor) -> Tensor:
    """K, the number of classes that are not masked, (..., 1)."""
    return (~torch.isneginf(every)).sum(-1, keepdim=True)


def _floored(log_p: Tensor, eps: float) -> Tensor:
    """log clamp(p, eps, 1)."""
    return log_p.clamp_min(math.log(eps)) if eps else log_p


def _complement(log_p: Tensor) -> Tensor:
    """1 - p."""
    return -torch.expm1(log_p)


def _power(base: Tensor, exponent: float) -> Tensor:
    """base ** exponent for base >= 0, with gradient 0 (and not NaN) at base = 0.

    With an exponent below 1 the power's own slope is infinite there, but p (1 - p) times that slope, which is
    what reaches the logits, vanishes.
    """
    positive = base > 0
    return torch.where(positive, base.masked_fill(~positive, 1.0).pow(exponent), 0.0)


def _must_fit(a: float, base: float, q: float, dtype: torch.dtype) -> None:
    """Refuses a power, and a slope of it, whose sum over a batch the type cannot hold."""
    largest = q * math.log(base) + max(0.0, math.log(q / base))
    if largest > math.log(torch.finfo(dtype).max / 2.0**20):  # a batch of up to a million
        kind = str(dtype).removeprefix("torch.")
        raise InputError(
            f"a={a:g} with q={q:g}: {base:g}**{q:g} is too large for {kind}: choose a smaller q or a"
            + ("" if dtype == torch.float64 else ", or give float64 logits")
        )


# Formulas


def log_likelihood(own: Tensor, every: Tensor) -> Tensor:
    """log p_y: what NCE normalises, the minus signs of its numerator and denominator cancelled."""
    return own


def cross_entropy(own: Tensor, every: Tensor, eps: float = 0.0) -> Tensor:
    """-log p_y; with `eps`, p is clamped to [eps, 1]."""
    return -_floored(own, eps)


def focal(own: Tensor, every: Tensor, gamma: float, eps: float = 0.0) -> Tensor:
    """-(1 - sg[p_y])^gamma log p_y (Lin et al. 2017); sg: no gradient through the factor, as released."""
    log_p = _floored(own, eps)
    return -_complement(log_p.detach()).pow(gamma) * log_p


def generalised_cross_entropy(own: Tensor, every: Tensor, q: float, eps: float = EPS) -> Tensor:
    """(1 - p_y^q) / q (Zhang and Sabuncu 2018), p clamped to [eps, 1]."""
    return -torch.expm1(q * _floored(own, eps)) / q


def absolute_error(own: Tensor, every: Tensor, scale: float = 2.0) -> Tensor:
    """scale (1 - p_y): 2 is the L1 distance of e_y and p (MAE), 1 its half inside joint losses, -A is RCE."""
    return scale * _complement(own)


def asymmetric_unhinged(own: Tensor, every: Tensor, a: float, q: float) -> Tensor:
    """[(a - p_y)^q - (a - 1)^q] / q (AUL, Zhou et al. 2021)."""
    _must_fit(a, a, q, own.dtype)
    constant: float = (a - 1) ** q
    return (_power(a - own.exp(), q) - constant) / q


def asymmetric_generalised_cross_entropy(own: Tensor, every: Tensor, a: float, q: float) -> Tensor:
    """[(a + 1)^q - (a + p_y)^q] / q (AGCE, Zhou et al. 2021)."""
    _must_fit(a, a + 1, q, own.dtype)
    constant: float = (a + 1) ** q
    return (constant - (a + own.exp()).pow(q)) / q


def asymmetric_exponential(own: Tensor, every: Tensor, a: float) -> Tensor:
    """exp(-p_y / a) (AEL, Zhou et al. 2021)."""
    return torch.exp(-own.exp() / a)


def asymmetric_mean_square_error(own: Tensor, every: Tensor, a: float, q: float = 2.0) -> Tensor:
    """(1/K) sum_k |a e_k - p_k|^q (AMSE, equation (7) of the paper; any q > 0 as in its Theorem 4.1)."""
    _must_fit(a, a, q, own.dtype)
    others = (q * every).exp().sum(-1, keepdim=True) - (q * own).exp()
    return (_power(a - own.exp(), q) + others) / _classes(every)


def label_distributionally_robust(own: Tensor, every: Tensor, lam: float, margin: float = 0.1) -> Tensor:
    """lam log mean_k exp((margin [k != y] + s_k - s_y) / lam) of scores s (LDR, Zhu et al. 2023)."""
    # With r = softmax(s / lam)_y the sum is (r + (1 - r) e^{margin / lam}) / r: one plus the others' odds.
    log_r = own / lam - torch.logsumexp(every / lam, dim=-1, keepdim=True)
    others = torch.log(_complement(log_r).clamp_min(torch.finfo(log_r.dtype).tiny))
    return lam * (-F.logsigmoid(log_r - others - margin / lam) - _classes(every).to(log_r.dtype).log())
