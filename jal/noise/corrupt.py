"""Labels made noisy by a transition."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jal.errors import unknown
from jal.noise import checks
from jal.noise.transition import transition as check_transition

Method = Literal["exact", "bernoulli"]


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
        for symmetric .2 on CIFAR-10). "bernoulli" draws every label independently, as equation (1) has it.

    Returns
    -------
    (N,) int64

    Raises
    ------
    InputError
        for labels that are not integers in 0..K-1, an invalid transition or seed, or an unknown method.
    """
    T = check_transition(transition)
    true, seed = checks.labels(labels, len(T)), checks.seed(seed)
    if method not in get_args(Method):
        raise unknown("method", method, get_args(Method))
    draw = _exact if method == "exact" else _bernoulli
    return draw(true, T, seed)


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
