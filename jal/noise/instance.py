"""Instance-dependent noise: each image has its own probabilities, made of its pixels (PDN, Xia et al. 2020).

For image i with true label y and pixels x, with e_k the corner of class k,

    q_i ~ N(rate, .1^2) truncated to [0, 1],    W_y ~ N(0, 1) of shape (D, K),
    P_i = (1 - q_i) e_y + q_i softmax_{k != y}(x W_y),

and the given label is drawn from P_i. One q_i an image, one W_y a class. The stream, from which anyone can make the
same labels, is numpy's Generator(PCG64(seed)), asked in this order:

1. `random(N)`, u_i: q_i = rate + .1 F^-1(F(l) + u_i (F(h) - F(l))) with F the normal distribution function,
   l = -rate / .1 and h = (1 - rate) / .1;
2. `standard_normal((K, D, K))`, W, for every class, also one that no image is of;
3. `random(N)`, v_i: the given label is the first j with P_i0 + ... + P_ij > v_i.

All of it in float64. The order of the sums in x W_y, which the BLAS and its threads choose, moves P_i in its last
digits; a label changes only if its v_i falls in between, for a set of CIFAR-10's size about one time in 10^12.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jal.errors import InputError
from jal.noise import checks

Floats = NDArray[np.float64]

SPREAD = 0.1
"""The standard deviation of the images' flip rates, before truncation."""

BLOCK = 2**22
"""How many pixels are held as float64 at a time."""


def instance_dependent(
    images: ArrayLike,
    labels: ArrayLike,
    rate: float,
    seed: int,
    *,
    num_classes: int | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> NDArray[np.int64]:
    """Labels made noisy as a function of their images: PDN (Xia et al. 2020), appendix B.1 of the paper.

    The module's docstring has the formula and the order of the random stream.

    Parameters
    ----------
    images
        (N, H, W, C) uint8 pixels, unaugmented: they are divided by 255, standardised by `mean` and `std` and read
        in the order C, H, W. Or floats (N, ...), which are taken as they are.
    labels
        (N,) true labels, integers in 0..K-1.
    rate
        the mean of the images' flip rates before truncation, in [0, 1). 0 leaves every label. The truncation to
        [0, 1] draws the mean inwards at both ends: a small rate is exceeded (.2055 for .2, .101 for .05), a large one
        not reached (.871 for .9, .794 for .8).
    seed
        of rates, weights and labels.
    num_classes
        K; the largest label plus 1 if left out.
    mean, std
        C values each, of pixels / 255: the recipe's, for the paper's noise.

    Returns
    -------
    (N,) int64

    Raises
    ------
    InputError
        for images or labels of another kind, mean and std that do not fit, a rate or a seed outside its range.

    Notes
    -----
    At the scale of standardised pixels x W_y is so spread out that the softmax is nearly a corner: an image that
    flips nearly always flips to one and the same class. Hence at rate .6 the true label is not the likeliest one
    for most images, and no `a` is enough for these. `jal.noise.report` counts them.

    Examples
    --------
    >>> import numpy as np
    >>> images = np.random.default_rng(0).normal(size=(1000, 8))
    >>> true = np.arange(1000) % 10
    >>> noisy = instance_dependent(images, true, rate=0.2, seed=123)
    >>> 0.15 < float((noisy != true).mean()) < 0.25
    True
    """
    P, stream = _probabilities(images, labels, rate, seed, num_classes, mean, std)
    below = np.cumsum(P, axis=1) <= stream.random(len(P))[:, np.newaxis]
    # Where rounding leaves a sum below 1, the last class of any probability takes the rest.
    last = P.shape[1] - 1 - (P[:, ::-1] > 0).argmax(axis=1)
    given: NDArray[np.int64] = np.minimum(below.sum(axis=1), last)
    return given


def instance_probabilities(
    images: ArrayLike,
    labels: ArrayLike,
    rate: float,
    seed: int,
    *,
    num_classes: int | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Floats:
    """P(given label | image), (N, K): what `instance_dependent` draws from, for the same arguments.

    There is no transition for this noise. The class average of these rows is one for the labels as a whole, and says
    little about any image: see `jal.noise.report`.

    Returns
    -------
    (N, K) float64
        1 - q_i in the column of the true label; every row sums to 1.

    Raises
    ------
    InputError
        as `instance_dependent` does.

    Examples
    --------
    >>> import numpy as np
    >>> images = np.random.default_rng(0).normal(size=(3, 8))
    >>> rows = instance_probabilities(images, [0, 1, 2], rate=0.2, seed=123)
    >>> rows.shape, bool(np.allclose(rows.sum(axis=1), 1))
    ((3, 3), True)
    """
    return _probabilities(images, labels, rate, seed, num_classes, mean, std)[0]


def _probabilities(
    images: ArrayLike,
    labels: ArrayLike,
    rate: float,
    seed: int,
    num_classes: int | None,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
) -> tuple[Floats, np.random.Generator]:
    """P, and the stream as it stands after q and W."""
    rate = checks.rate(rate)
    stream = np.random.Generator(np.random.PCG64(checks.seed(seed)))
    try:
        pixels = np.asarray(images)
    except ValueError:
        raise InputError("images are not one array: give (N, ...), every image of the same size") from None
    grey_levels = _grey_levels(pixels, mean, std)
    N, D = len(pixels), int(np.prod(pixels.shape[1:]))
    K = _count(labels) if num_classes is None else checks.num_classes(num_classes)
    true = checks.labels(labels, K)
    if len(true) != N or not D:
        raise InputError(
            f"{len(true)} labels for images of shape {pixels.shape}: give a label and pixels for each"
        )

    q = _flip_rates(stream.random(N), rate)
    P = np.empty((N, K))
    rows = max(1, BLOCK // D)
    for y in range(K):
        # One class at a time: W as a whole would be K times as large.
        weights = stream.standard_normal((D, K))
        members = np.flatnonzero(true == y)
        for start in range(0, len(members), rows):
            chosen = members[start : start + rows]
            P[chosen] = _conditional(_rows(pixels[chosen], grey_levels), weights, y, q[chosen])
    return P, stream


def _conditional(x: Floats, weights: Floats, y: int, q: Floats) -> Floats:
    """P of images of class y: 1 - q on it, q shared out by the softmax of the other classes."""
    with np.errstate(over="ignore", invalid="ignore"):
        scores = x @ weights
    if not np.isfinite(scores).all():
        raise InputError("images hold a value that is not finite, or too large: give finite numbers")
    scores[:, y] = -np.inf
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    P: Floats = odds * (q / odds.sum(axis=1))[:, np.newaxis]
    P[:, y] = 1 - q
    return P


def _flip_rates(uniform: Floats, rate: float) -> Floats:
    """The truncated normal by its inverse distribution function."""
    if rate == 0:
        return np.zeros_like(uniform)
    # NormalDist.cdf is 0 far below the mean, where the inverse has no value either; erfc is not.
    low, high = (math.erfc((rate - end) / (SPREAD * math.sqrt(2))) / 2 for end in (0, 1))
    # Rounding may reach 1, where the inverse has no value.
    p = np.minimum(low + uniform * (high - low), np.nextafter(1, 0))
    z = np.fromiter(map(NormalDist().inv_cdf, p.tolist()), np.float64, len(p))
    return np.clip(rate + SPREAD * z, 0, 1)


def _grey_levels(
    images: NDArray[np.generic], mean: Sequence[float] | None, std: Sequence[float] | None
) -> Floats | None:
    """(C, 256) the value of each grey level in each channel, for raw pixels; None for images that are floats."""
    raw = images.dtype == np.uint8 and images.ndim == 4
    if not raw and (images.ndim < 2 or not np.issubdtype(images.dtype, np.floating)):
        raise InputError(
            f"images of shape {images.shape} and type {images.dtype}: "
            "give uint8 (N, height, width, channels), or floats (N, ...)"
        )
    if (mean is None) != (std is None):
        raise InputError("one of mean and std is missing: give both, or neither")
    if not raw:
        if mean is not None:
            raise InputError(
                "mean and std are for uint8 images: floats are taken as they are, standardise them"
            )
        return None
    C = images.shape[-1]
    try:
        shift = np.array([0.0] * C if mean is None else mean, dtype=np.float64)
        scale = np.array([1.0] * C if std is None else std, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"mean {mean!r:.60} and std {std!r:.60}: give lists of numbers") from None
    if not (shift.shape == scale.shape == (C,) and np.isfinite([shift, scale]).all() and (scale > 0).all()):
        raise InputError(
            f"mean {shift.tolist()} and std {scale.tolist()}: give {C} finite numbers each, one a channel, "
            "of pixels / 255, every std above 0"
        )
    values: Floats = (np.arange(256) / 255 - shift[:, np.newaxis]) / scale[:, np.newaxis]
    return values


def _rows(images: NDArray[np.generic], grey_levels: Floats | None) -> Floats:
    """(n, D) float64, the pixels of each image in the order C, H, W."""
    if grey_levels is None:
        return images.astype(np.float64).reshape(len(images), -1)
    n, H, W, C = images.shape
    x = np.empty((n, C, H, W))
    for c in range(C):
        x[:, c] = grey_levels[c][images[..., c]]
    return x.reshape(n, -1)


def _count(labels: ArrayLike) -> int:
    """K, where nobody says."""
    true = checks.labels(labels, np.iinfo(np.int64).max)
    if not true.size:
        raise InputError("no labels to count the classes of: give num_classes")
    return checks.num_classes(int(true.max()) + 1)
