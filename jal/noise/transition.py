"""Transitions: row-stochastic K x K float64 arrays, T[i, j] = P(given label j | true label i)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jal.errors import unknown
from jal.noise import checks
from jal.theory import row_stochastic

Transition = NDArray[np.float64]

CIFAR10_FLIPS = {9: 1, 2: 0, 4: 7, 3: 5, 5: 3}
"""truck -> automobile, bird -> airplane, deer -> horse, cat <-> dog (Patrini et al. 2017)."""

DIGIT_FLIPS = {7: 1, 2: 7, 5: 6, 6: 5, 3: 8}
"""7 -> 1, 2 -> 7, 5 <-> 6, 3 -> 8 (Patrini et al. 2017): MNIST, used for Fashion-MNIST and digits as well."""

CIFAR100_SUPERCLASS = (
    4, 1, 14, 8, 0, 6, 7, 7, 18, 3, 3, 14, 9, 18, 7, 11, 3, 9, 7, 11, 6, 11, 5, 10, 7,
    6, 13, 15, 3, 15, 0, 11, 1, 10, 12, 14, 16, 9, 11, 5, 5, 19, 8, 8, 15, 13, 14, 17, 18, 10,
    16, 4, 17, 4, 2, 0, 17, 4, 18, 17, 10, 3, 2, 12, 12, 16, 12, 1, 9, 19, 2, 10, 0, 1, 16,
    12, 9, 13, 15, 13, 16, 19, 2, 4, 6, 19, 5, 5, 8, 19, 18, 1, 2, 15, 6, 0, 17, 8, 14, 13,
)  # fmt: skip
"""The super-class of each of CIFAR-100's fine classes (its `coarse_labels`)."""


def transition(matrix: ArrayLike) -> Transition:
    """`matrix` as a checked Transition.

    Parameters
    ----------
    matrix
        (K, K), K >= 2; row i holds the probabilities of the given labels of true class i.

    Raises
    ------
    InputError
        if it is not square, has an entry that is not a probability, or a row that does not sum to 1.

    Examples
    --------
    >>> transition([[0.9, 0.1], [0.3, 0.7]]).shape
    (2, 2)
    """
    return row_stochastic(matrix).copy()


def symmetric(K: int, rate: float) -> Transition:
    """Symmetric noise: 1 - rate on the diagonal, rate / (K - 1) off it (section 3 of the paper).

    Raises
    ------
    InputError
        if K < 2 or the rate is outside [0, 1).

    Examples
    --------
    >>> symmetric(3, 0.2).tolist()
    [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]
    """
    rate, K = checks.rate(rate), checks.num_classes(K)
    T = np.full((K, K), rate / (K - 1))
    np.fill_diagonal(T, 1 - rate)
    return T


def pair(K: int, rate: float) -> Transition:
    """Pair flips: class i becomes i + 1, the last one the first, with probability `rate` (Han et al. 2018).

    From a rate of .5 on the true label is no longer the likeliest one, and no `a` is enough.

    Raises
    ------
    InputError
        if K < 2 or the rate is outside [0, 1).

    Examples
    --------
    >>> pair(3, 0.25).tolist()
    [[0.75, 0.25, 0.0], [0.0, 0.75, 0.25], [0.25, 0.0, 0.75]]
    """
    rate, K = checks.rate(rate), checks.num_classes(K)
    return (1 - rate) * np.eye(K) + rate * np.roll(np.eye(K), 1, axis=1)


def asymmetric(dataset: str, rate: float, settings: str = "official") -> Transition:
    """Asymmetric noise: each class flips to a similar one with probability `rate` (appendix B.1 of the paper).

    Parameters
    ----------
    dataset
        "cifar10", "cifar100", "mnist", "fashion-mnist" or "digits".
    rate
        in [0, 1).
    settings
        for CIFAR-100: "paper" flips to the next class of the same super-class, the last to the first;
        "official", the authors' released code, does so in blocks of five consecutive class numbers, which are
        alphabetical: 6 of its 100 flips stay in the super-class. The other datasets have one kind.

    Returns
    -------
    (K, K) float64

    Raises
    ------
    InputError
        for an unknown dataset or settings, or a rate outside [0, 1).

    Examples
    --------
    A truck is given as an automobile in four of ten cases; its row is the last.

    >>> asymmetric("cifar10", 0.4)[9].tolist()
    [0.0, 0.4, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.6]
    """
    rate = checks.rate(rate)
    flips = flip_map(dataset, settings)
    T = np.eye(len(flips))
    for source, target in enumerate(flips):
        if source != target:
            T[source, source], T[source, target] = 1 - rate, rate
    return T


def flip_map(dataset: str, settings: str = "official") -> tuple[int, ...]:
    """The class that each class flips to under asymmetric noise; itself where it stays clean.

    Examples
    --------
    >>> flip_map("cifar10")
    (0, 1, 0, 5, 7, 3, 6, 7, 8, 1)
    """
    if settings not in ("official", "paper"):
        raise unknown("settings", settings, ("official", "paper"))
    if dataset == "cifar100":
        group = [i // 5 for i in range(100)] if settings == "official" else list(CIFAR100_SUPERCLASS)
        members = [[j for j in range(100) if group[j] == group[i]] for i in range(100)]
        return tuple(m[(m.index(i) + 1) % len(m)] for i, m in enumerate(members))
    flips = {
        "cifar10": CIFAR10_FLIPS,
        "mnist": DIGIT_FLIPS,
        "fashion-mnist": DIGIT_FLIPS,
        "digits": DIGIT_FLIPS,
    }
    if dataset not in flips:
        raise unknown("dataset for asymmetric noise", dataset, [*flips, "cifar100"])
    return tuple(flips[dataset].get(i, i) for i in range(10))
