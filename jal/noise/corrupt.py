"""Labels made noisy by a transition."""

from __future__ import annotations

import warnings
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jal.errors import unknown
from jal.noise import checks
from jal.noise.transition import Transition
from jal.noise.transition import transition as check_transition

Method = Literal["exact", "bernoulli"]

SHORT = 0.1
"""Of the rate that is asked for: what exact counts may miss without a word. The digits miss 6 %, CIFAR-100 1 %."""


def corrupt(
    labels: ArrayLike, transition: ArrayLike, seed: int, method: Method = "exact"
) -> NDArray[np.int64]:
    """Noisy labels drawn from `transition`, given the true ones.

    Parameters
    ----------
    labels
        (N,) true labels, integers in 0..K-1.
    transition
        (K, K) row-stochastic, T[i, j] = P(given label j | true label i).
    seed
        of the draw. One seed gives the same labels everywhere: "exact" draws from numpy's RandomState, whose
        stream is frozen; "bernoulli" from Generator(PCG64) by inverse transform of one uniform a label.
    method
        "exact" flips exactly int(T[i, j] n_i) labels of class i to j, as the authors' released code does: the
        paper's labels, bit for bit. Truncation makes the true rate a little lower than the nominal one (.1998
        for symmetric .2 on CIFAR-10), and much lower where few labels are shared out among many classes: a warning
        says so from a tenth on. "bernoulli" draws every label independently, as equation (1) has it.

    Returns
    -------
    (N,) int64

    Raises
    ------
    InputError
        for labels that are not integers in 0..K-1, an invalid transition or seed, or an unknown method.

    Warns
    -----
    UserWarning
        where exact counts fall short of the transition's rate by more than a tenth, with both rates.

    Examples
    --------
    >>> import numpy as np
    >>> from jal.noise import symmetric
    >>> true = np.repeat(np.arange(10), 900)
    >>> noisy = corrupt(true, symmetric(10, 0.4), seed=123)
    >>> float((noisy != true).mean())
    0.4
    """
    T = check_transition(transition)
    true, seed = checks.labels(labels, len(T)), checks.seed(seed)
    if method not in get_args(Method):
        raise unknown("method", method, get_args(Method))
    if method == "bernoulli":
        return _bernoulli(true, T, seed)
    noisy = _exact(true, T, seed)
    if len(true):
        reached, asked = float((noisy != true).mean()), asked_rate(np.bincount(true, minlength=len(T)), T)
        if falls_short(reached, asked):
            warnings.warn(too_few(reached, asked), stacklevel=2)
    return noisy


def asked_rate(counts: NDArray[np.int64], transition: Transition) -> float:
    """The share of wrong labels that a transition gives on average to so many labels of each class."""
    return float(counts @ (1 - np.diag(transition)) / counts.sum())


def falls_short(reached: float, asked: float) -> bool:
    """Whether a rate is below what was asked for by more than `SHORT` of it."""
    return reached < (1 - SHORT) * asked


def too_few(reached: float, asked: float) -> str:
    """What to say of whole numbers of labels that fall short, in one line."""
    return (
        f"a noise rate of {reached:.4g} where {asked:.4g} was asked for: too few labels a class for exact counts, "
        'draw them with the method "bernoulli"'
    )


def _exact(true: NDArray[np.int64], T: NDArray[np.float64], seed: int) -> NDArray[np.int64]:
    # The order of the draws and the sorted pool are part of the released stream: changing them changes the labels.
    stream = np.random.RandomState(seed)
    noisy = true.copy()
    counts = np.bincount(true, minlength=len(T))
    for i in range(len(T)):
        pool = np.flatnonzero(true == i)
        for j in range(len(T)):
            flips = int(T[i, j] * counts[i])
            if j == i or flips == 0:
                continue
            picked = stream.choice(len(pool), flips, replace=False)
            noisy[pool[picked]] = j
            pool = np.delete(pool, picked)
    return noisy


def _bernoulli(true: NDArray[np.int64], T: NDArray[np.float64], seed: int) -> NDArray[np.int64]:
    uniform = np.random.Generator(np.random.PCG64(seed)).random(len(true))
    noisy = np.empty_like(true)
    for i, row in enumerate(T):
        members = true == i
        # The last reachable class takes what rounding leaves of the row's sum, so that no class of probability
        # 0 is ever drawn.
        edges = np.cumsum(row)
        edges[np.flatnonzero(row)[-1] :] = 1.0
        noisy[members] = np.searchsorted(edges, uniform[members], side="right")
    return noisy
