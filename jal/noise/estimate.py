"""The `a` that a noise asks for when the noise is not known but estimated."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jal.errors import InputError
from jal.noise import checks
from jal.noise.transition import Transition
from jal.theory import minimum_a

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SmallestA:
    """What is known of the smallest sufficient `a` of a noise that was estimated.

    Attributes
    ----------
    estimate
        the `a` that the estimated transition asks for, as if it were the true one.
    draws
        (D,) the same for transitions that the data leave possible, sorted; inf where no `a` is enough.
    """

    estimate: float
    draws: Floats

    def enough(self, confidence: float = 0.95) -> float:
        """An `a` that is sufficient with this probability; inf where none can be promised.

        Raises
        ------
        InputError
            for a confidence outside (0, 1).
        """
        if not 0 < confidence < 1:
            raise InputError(f"confidence {confidence:g}: give a probability inside (0, 1)")
        return float(self.draws[math.ceil(confidence * len(self.draws)) - 1])

    @property
    def none(self) -> float:
        """The probability that no `a` is enough, since some class's true label does not lead."""
        return float(np.isinf(self.draws).mean())


def smallest_a(counts: ArrayLike, q: float = 2.0, draws: int = 1000, seed: int = 0) -> SmallestA:
    """The smallest sufficient `a` after some labels have been checked, with its uncertainty.

    Each row of the transition is given a Dirichlet prior of total weight 1, spread evenly (Perks' prior), so that
    one checked label counts as much as all that was believed before. The draws are of the rows' posteriors,
    independent of one another. The smallest margin of many classes is that of the class whose draw is worst: with
    few labels the draws lie above the truth, on the safe side.

    Parameters
    ----------
    counts
        (K, K) how many labels of true class i were given as j: `jal.noise.report(true, given, K).counts`.
    q
        AMSE's exponent.
    draws
        their number.
    seed
        of numpy's generator.

    Raises
    ------
    InputError
        if the counts are not a square array of integers of at least 0 with one above it, or q <= 0, or draws < 1.
    """
    table = _counts(counts)
    if draws < 1:
        raise InputError(f"{draws} draws: give a number of at least 1")
    K = len(table)
    sizes = table.sum(axis=1, keepdims=True)
    # A class of which nothing was checked asks for nothing in the estimate, and for much in the draws.
    shares = np.divide(table, sizes, out=np.eye(K), where=sizes > 0)
    generator = np.random.default_rng(seed)
    # Gamma variates over their sum are Dirichlet's; a row whose variates all vanish is that of one sure label.
    variates = generator.standard_gamma(table + 1 / K, size=(draws, K, K))
    rows = variates / variates.sum(axis=2, keepdims=True)
    return SmallestA(minimum_a(shares, q), np.sort([minimum_a(T, q) for T in rows]))


def transition_from_predictions(probabilities: ArrayLike, share: float = 0.02) -> Transition:
    """A transition without any true label, from images that surely are of a class (Patrini et al., 2017).

    A model trained on noisy labels estimates the probabilities of the *given* label. For an image that surely is of
    class i these are the row i of the transition. As such images the ones are taken that the model is surest of.

    Parameters
    ----------
    probabilities
        (N, K) predictions for images that the model was not fitted to; rows sum to 1.
    share
        of the images, in (0, 1], which are averaged for each class: the surest ones. A single one would do in theory,
        and hangs on chance.

    Returns
    -------
    (K, K) float64
        row-stochastic.

    Raises
    ------
    InputError
        if the probabilities are not N distributions over K >= 2 classes, or the share is outside (0, 1].
    """
    try:
        P = np.asarray(probabilities, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError("probabilities are not an array of numbers: give (N, K), one row an image") from None
    if P.ndim != 2 or not len(P) or P.shape[1] < 2:
        raise InputError(f"probabilities of shape {P.shape}: give (N, K), one row an image, K at least 2")
    # Written so that NaN is refused as well.
    if not ((P >= 0).all() and np.allclose(P.sum(axis=1), 1, atol=1e-4)):
        raise InputError(
            "probabilities with rows that are no distributions: give a softmax's, which sum to 1"
        )
    if not 0 < share <= 1:
        raise InputError(f"share {share:g} of the images: give a number in (0, 1], e.g. 0.02")
    surest = np.argsort(-P, axis=0, kind="stable")[: math.ceil(share * len(P))]
    T: Transition = P[surest].mean(axis=0)
    T /= T.sum(axis=1, keepdims=True)
    return T


def _counts(counts: ArrayLike) -> NDArray[np.int64]:
    try:
        table = np.asarray(counts)
    except ValueError:
        raise InputError("counts are not a table of numbers: give (K, K) integers") from None
    if table.ndim != 2 or table.shape[0] != table.shape[1] or not np.issubdtype(table.dtype, np.integer):
        raise InputError(f"counts of shape {table.shape} and type {table.dtype}: give (K, K) integers")
    checks.num_classes(len(table))
    if (table < 0).any() or not table.any():
        raise InputError("counts below 0, or none above it: give how many labels of class i were given as j")
    return table.astype(np.int64)
