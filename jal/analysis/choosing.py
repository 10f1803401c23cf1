"""The chapter on choosing `a`: how many checked labels say how much, and what JAL's parameters do to one another."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from jal.analysis.figures import DASHES, INK, PALETTE
from jal.analysis.slopes import logit_slopes
from jal.errors import InputError
from jal.losses import build
from jal.noise import Transition, report
from jal.noise.estimate import SmallestA, smallest_a
from jal.theory import margin, minimum_a

LIST = (5.0, 10.0, 20.0, 30.0)
"""The `a` from which the paper chooses (Supplementary B.1)."""


def upwards(a: float, digits: int = 2) -> str:
    """An `a` as a page says it: rounded up, as befits a lower bound; "none" where there is none."""
    if math.isinf(a):
        return "none"
    step: float = 10.0**-digits
    return f"{math.ceil(a / step - 1e-6) * step:.{digits}f}"


def checked_labels(
    transition: Transition, sizes: Iterable[int], seed: int = 0, **options: int
) -> dict[int, SmallestA]:
    """What growing numbers of checked labels say of the smallest `a`; the smaller samples are parts of the larger.

    Parameters
    ----------
    transition
        (K, K) that the labels are drawn from; all classes are equally frequent.
    sizes
        numbers of labels.
    options
        of `jal.noise.estimate.smallest_a`.
    """
    sizes = sorted(sizes)
    generator = np.random.default_rng(seed)
    K = len(transition)
    true = generator.integers(K, size=sizes[-1])
    reached = transition.cumsum(axis=1)[true] < generator.random((sizes[-1], 1))
    given = np.minimum(reached.sum(axis=1), K - 1)
    return {n: smallest_a(report(true[:n], given[:n], K).counts, seed=seed, **options) for n in sizes}


def checking(panels: Mapping[str, tuple[float, Mapping[int, SmallestA]]], reference: float) -> Figure:
    """The smallest `a` against the number of checked labels: estimate, the middle 90 %, the truth, a reference.

    Parameters
    ----------
    panels
        by title: the true smallest `a`, and what `checked_labels` found.
    reference
        an `a` to compare with: a dotted line.
    """
    figure: Figure
    figure, axes = plt.subplots(1, len(panels), figsize=(7.4, 3.3), sharey=True, squeeze=False)
    top = 300.0
    for ax, (title, (truth, found)) in zip(axes[0], panels.items(), strict=True):
        sizes = list(found)
        # Infinity is drawn above the top of the picture.
        low, high, middle = (
            np.minimum(values, 10 * top)
            for values in zip(
                *((s.enough(0.05), s.enough(0.95), s.estimate) for s in found.values()), strict=True
            )
        )
        ax.fill_between(sizes, low, high, color=PALETTE[0], alpha=0.2, linewidth=0, label="90 % of the draws")
        ax.plot(sizes, middle, "o-", ms=4, color=PALETTE[0], label="estimate")
        ax.axhline(truth, color=PALETTE[1], linestyle=(0, (5, 1.5)), label="truth")
        ax.axhline(reference, color=INK, linestyle=":", label=f"a = {reference:g}")
        ax.set(title=title, xscale="log", yscale="log", ylim=(1, top), xlabel="checked labels")
    axes[0, 0].set_ylabel("smallest sufficient a")
    axes[0, 0].legend(loc="upper right")
    return figure


def said_of_checking(name: str, truth: float, found: Mapping[int, SmallestA], reference: float) -> str:
    """From how many checked labels on one may be 95 % sure that the reference is enough."""
    sure = list(takewhile(lambda n: found[n].enough() <= reference, sorted(found, reverse=True)))
    told = (
        f"from {sure[-1]:,} checked labels on, *a* = {reference:g} is enough with a probability of 95 %"
        if sure
        else f"not even {max(found):,} checked labels assure, at 95 %, that *a* = {reference:g} is enough"
    )
    first, last = min(found), max(found)
    return (
        f"*{name[:1].upper()}{name[1:]}*: the truth is {upwards(truth)}; {told}. "
        f"{first:,} labels can promise {_promise(found[first])}, {last:,} can promise {_promise(found[last])}."
    )


def _promise(one: SmallestA) -> str:
    a = one.enough()
    return "no *a*" if math.isinf(a) else f"*a* = {upwards(a)}"


def said_of_guesses(guessed: pd.DataFrame) -> str:
    """For how many noises the `a` found without checked labels is below the truth, by each of the two ways.

    Parameters
    ----------
    guessed
        a row for each noise, with the columns truth, averaged and counted.
    """
    truth = guessed["truth"]
    averaged, counted = ((guessed[way] < truth * (1 - 1e-9)).sum() for way in ("averaged", "counted"))
    return f"Of these {len(guessed)} noises, averaging finds too small an *a* for {averaged}, counting for {counted}."


def labels_to_check(transition: Transition, precision: float) -> int:
    """How many labels *of the deciding class* to check for a relative standard error of `a` (q = 2).

    Raises
    ------
    InputError
        where no `a` is enough, or for a precision that is not above 0.
    """
    if not precision > 0:
        raise InputError(f"precision {precision:g}: give a relative standard error above 0, e.g. 0.1")
    lead = margin(transition)
    if lead <= 0:
        raise InputError(f"margin {lead:g}: no a is enough for this noise, however well it is known")
    T = np.asarray(transition)
    wrong = T - np.diag(np.diag(T))
    row = int((np.diag(T) - wrong.max(axis=1)).argmin())
    return math.ceil(float(T[row, row] + wrong[row].max() - lead**2) / (lead * precision) ** 2)


def weights(alpha: float, beta: float, a: float, K: int) -> tuple[float, float]:
    """JAL as NCE + rho MAE + sigma ||p||^2, in units of alpha: rho = beta a / (alpha K), sigma = beta / (alpha K)."""
    return beta * a / (alpha * K), beta / (alpha * K)


def parameters(rho: float, sigma: float, K: int, alpha: float = 1.0) -> dict[str, float]:
    """The inverse of `weights`: the alpha, beta and a that have these weights of MAE and of the penalty."""
    if not (rho >= sigma > 0):
        raise InputError(f"rho = {rho:g}, sigma = {sigma:g}: their ratio is a, give rho >= sigma > 0")
    return {"alpha": alpha, "beta": sigma * alpha * K, "a": rho / sigma}


def advice(noises: Mapping[str, Transition], alpha: float, beta: float) -> pd.DataFrame:
    """For each noise: the smallest `a`, the paper's candidates that suffice, and the first one's weights."""
    rows = {}
    for name, T in noises.items():
        a = minimum_a(T)
        enough = [candidate for candidate in LIST if candidate >= a * (1 - 1e-9)]  # 1 - 2 x 0.4 is not 0.2
        rho, sigma = weights(alpha, beta, enough[0], len(T)) if enough else (math.nan, math.nan)
        rows[name] = {
            "margin": f"{margin(T):.3f}",
            "smallest a": upwards(a),
            "of the paper's list": ", ".join(f"{one:g}" for one in enough) or "none",
            "MAE / NCE, at the first": "" if math.isnan(rho) else f"{rho:.3g}",
            "penalty / NCE": "" if math.isnan(sigma) else f"{sigma:.3g}",
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("noise")


def crossover(a: float, beta: float, alpha: float, K: int) -> float:
    """The probability of the label below which NCE's gradient outweighs AMSE's; the other classes share the rest.

    The gradient is that with respect to the label's logit.
    """
    p = torch.logspace(-8, 0, 1201, dtype=torch.float64)[:-1].numpy()
    nce = alpha * np.abs(logit_slopes(build("NCE", None), p, K))
    amse = beta * np.abs(logit_slopes(build("AMSE", None, a=a), p, K))
    louder = np.flatnonzero(nce >= amse)
    # From the top down: at the vertex NCE may win again, by an ever smaller gradient.
    below = louder[p[louder] < 0.5]
    return float(p[below[-1]]) if len(below) else math.nan


def two_costs(
    scales: Sequence[float],
    leads: Mapping[str, Sequence[float]],
    voices: Mapping[str, Sequence[float]],
) -> Figure:
    """Left: the minimiser's lead against `a`, a line for each noise. Right: the probability below which NCE leads."""
    figure: Figure
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.4))
    for ax, lines in ((left, leads), (right, voices)):
        for i, (name, values) in enumerate(lines.items()):
            dash = DASHES[i % len(DASHES)]
            ax.plot(scales, values, label=name, color=PALETTE[i % len(PALETTE)], linestyle=dash)
        ax.set(xscale="log", xlabel="a")
        ax.legend()
    left.set(title="Too small: the lead at the minimum", ylabel=r"$p_m - p_n$", ylim=(0, 1.05))
    right.set(title="Too large: where NCE is heard", ylabel="below this $p_y$", yscale="log")
    return figure
