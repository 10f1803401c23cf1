"""The `a` that a noise asks for when the noise is not known but estimated."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jal.errors import InputError, unknown
from jal.noise import checks
from jal.noise.transition import Transition
from jal.theory import minimum_a
from jal.theory.asymmetry import Contest

Floats = NDArray[np.float64]

Estimator = Literal["confident_joint", "anchor_points"]

BLOCK = 2**22
"""How many random numbers are held at a time."""

IMBALANCE = 10
"""How many times the images of the rarest class the most frequent one may have: beyond, estimates of `a` were seen to
be off by a factor of two and more."""

TOLERANCE = 1e-6
"""Of a predicted probability, to the mean that it must reach."""


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
    draws: Floats = field(repr=False)

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

    Examples
    --------
    >>> found = smallest_a([[80, 20], [20, 80]])
    >>> round(found.estimate, 3), found.enough(0.95) > found.estimate
    (1.667, True)
    """
    table = _counts(counts)
    if draws < 1:
        raise InputError(f"{draws} draws: give a number of at least 1")
    K = len(table)
    sizes = table.sum(axis=1, keepdims=True)
    # A class of which nothing was checked asks for nothing in the estimate, and for much in the draws.
    shares = np.divide(table, sizes, out=np.eye(K), where=sizes > 0)
    generator = np.random.default_rng(seed)
    estimate = minimum_a(shares, q)
    block = max(1, BLOCK // K)
    sizes_of_blocks = [min(block, draws - start) for start in range(0, draws, block)]
    return SmallestA(
        estimate, np.sort(np.concatenate([_drawn(table, n, q, generator) for n in sizes_of_blocks]))
    )


def _drawn(table: NDArray[np.int64], draws: int, q: float, generator: np.random.Generator) -> Floats:
    """(draws,) the `a` of transitions drawn from the posterior; a row at a time, since K x K draws are many."""
    a = np.ones(draws)
    for i, row in enumerate(table):
        contest = _drawn_row(row, i, draws, generator)
        # Few rows ask for more than all before: only these need the root.
        short = ~contest.won(a, q)
        a[short] = np.maximum(a[short], Contest(*(part[short] for part in contest)).smallest_a(q))
    return a


def _drawn_row(row: NDArray[np.int64], i: int, draws: int, generator: np.random.Generator) -> Contest:
    """What decides of draws of row i. Gamma variates over their sum are Dirichlet's."""
    K = len(row)
    seen = np.flatnonzero((row > 0) & (np.arange(K) != i))
    unseen = K - 1 - len(seen)
    own = generator.standard_gamma(row[i] + 1 / K, draws)
    others = generator.standard_gamma(row[seen] + 1 / K, (draws, len(seen)))
    # The labels that were never given are drawn together: it is the largest that counts.
    rest = generator.standard_gamma(unseen / K, draws)
    rival = np.maximum(others.max(axis=1, initial=0), rest * _largest_part(unseen, 1 / K, draws, generator))
    wrong = others.sum(axis=1) + rest
    total = own + wrong
    return Contest(own / total, rival / total, wrong / total)


def _largest_part(parts: int, weight: float, draws: int, generator: np.random.Generator) -> Floats:
    """(draws,) the largest of so many parts of 1 with equal Dirichlet weights.

    The parts come in size-biased order, where each takes a Beta-distributed share of what is left (Pitman 1996,
    Random discrete distributions invariant under size-biased permutation): a few suffice until no later one can be
    the largest.
    """
    largest, left = np.zeros(draws), np.ones(draws)
    for j in range(parts):
        taken = left * (generator.beta(1 + weight, (parts - 1 - j) * weight, draws) if j < parts - 1 else 1.0)
        largest, left = np.maximum(largest, taken), left - taken
        if (left <= largest).all():
            break
    return largest


def transition_from_predictions(
    probabilities: ArrayLike,
    given: ArrayLike | None = None,
    method: Estimator = "confident_joint",
    share: float = 0.02,
) -> Transition:
    """A transition without any true label, from the predictions of a model that was trained on noisy ones.

    Both estimates are biased, and on opposite sides.

    - "confident_joint" (Northcutt et al., 2021) counts: see `confident_joint`. Where the model errs, labels of other
      classes are counted as noise: `a` comes out too large, which is the safe side. Exceptions are noise that goes
      to one rival at a rate near a half, where the model takes many of a class for its rival.
    - "anchor_points" (Patrini et al., 2017) averages: a model of the *given* label predicts, for an image that surely
      is of class i, the row i. As such images the ones are taken that it is surest of. The highest of uncertain
      numbers are too high: `a` comes out too small, which is the unsafe side, the more so the stronger the noise (by
      a factor of two to three for a rate of .4 to one rival).

    What chance alone leaves open is `smallest_a(confident_joint(...))`; the bias comes on top. Both fail for a class
    that is rare: a warning says so.

    Parameters
    ----------
    probabilities
        (N, K) predictions of the given label, for images that the model was not fitted to; rows sum to 1.
    given
        (N,) the labels that these images were given, integers in 0..K-1; "anchor_points" needs none.
    method
        the estimate.
    share
        for "anchor_points": of the images predicted to be of a class, in (0, 1], the part that is averaged for it,
        the surest. A single one would do in theory, and hangs on chance.

    Returns
    -------
    (K, K) float64
        row-stochastic.

    Raises
    ------
    InputError
        if the probabilities are not N distributions over K >= 2 classes, the labels are missing or not N integers in
        0..K-1, the method is unknown, or the share is outside (0, 1].

    Warns
    -----
    UserWarning
        where a class is so rare that neither estimate is to be relied on.

    Examples
    --------
    >>> import numpy as np
    >>> sure = np.eye(2)[np.repeat([0, 1], 50)]
    >>> given = np.repeat([0, 1, 1], [40, 10, 50])
    >>> transition_from_predictions(sure, given).tolist()
    [[0.8, 0.2], [0.0, 1.0]]
    """
    P = _distributions(probabilities)
    if method not in get_args(Estimator):
        raise unknown("method", method, get_args(Estimator))
    if method == "anchor_points":
        averaged = _anchor_points(P, share)
        likeliest = np.bincount(P.argmax(axis=1), minlength=P.shape[1])
        _warn_of_rare(likeliest, P.sum(axis=0), np.zeros(P.shape[1], dtype=bool))
        return averaged
    if given is None:
        raise InputError(
            'no given labels for the confident joint: give those of the images, or method="anchor_points"'
        )
    joint = confident_joint(P, given)
    # Among the images with a rare class's label those of a frequent class may be more.
    swamped = (np.diag(joint) < joint.max(axis=0)) & joint.any(axis=0)
    _warn_of_rare(joint.sum(axis=1), joint.sum(axis=0).astype(np.float64), swamped)
    sizes = joint.sum(axis=1, keepdims=True)
    # A class that no image is of asks for nothing.
    T: Transition = np.divide(joint, sizes, out=np.eye(len(joint)), where=sizes > 0)
    return T


def confident_joint(probabilities: ArrayLike, given: ArrayLike) -> NDArray[np.int64]:
    """How many labels of each true class were given as each, by a model's predictions; calibrated to the labels.

    The confident joint of Northcutt, Jiang and Chuang (2021), Confident learning, Journal of Artificial Intelligence
    Research 70, equations (1) to (3). An image counts as of the likeliest class among those that it is predicted
    to be of with at least the mean probability of the images that were given this label; one without any does not
    count. Then the counts of each given label are scaled to how often it was given, and rounded to whole numbers that
    keep these sums. Ties and roundings are those of the authors' package, cleanlab.

    `smallest_a` takes it as counts of checked labels. The interval is that of chance alone: what the model gets wrong
    is not in it.

    Parameters
    ----------
    probabilities
        (N, K) predictions of the given label, for images that the model was not fitted to; rows sum to 1.
    given
        (N,) the labels that these images were given, integers in 0..K-1.

    Returns
    -------
    (K, K) int64
        [i, j]: how many of true class i were given as j; columns sum to how often j was given. No row is 0 but where
        rounding makes it so.

    Raises
    ------
    InputError
        if the probabilities are not N distributions over K >= 2 classes, or the labels not N integers in 0..K-1.

    Examples
    --------
    >>> import numpy as np
    >>> sure = np.eye(2)[[0, 0, 0, 1, 1, 1]]
    >>> confident_joint(sure, [0, 0, 1, 1, 1, 1]).tolist()
    [[2, 1], [0, 3]]
    """
    P = _distributions(probabilities)
    K = P.shape[1]
    labels = checks.labels(given, K, "given labels")
    if len(labels) != len(P):
        raise InputError(f"{len(labels)} given labels for {len(P)} predictions: give one for each")
    times = np.bincount(labels, minlength=K)
    sums = np.bincount(labels, weights=P[np.arange(len(P)), labels], minlength=K)
    # No image is confidently of a class whose label was never given.
    needed = np.divide(sums, times, out=np.full(K, np.inf), where=times > 0)
    confident = np.maximum(needed, 2 * TOLERANCE) - TOLERANCE <= P
    several = confident.sum(axis=1) > 1
    guessed = np.where(several, P.argmax(axis=1), confident.argmax(axis=1))
    counted = confident.any(axis=1)
    joint = np.bincount(labels[counted] * K + guessed[counted], minlength=K * K).reshape(K, K)
    np.fill_diagonal(joint, np.maximum(np.diag(joint), 1))
    calibrated = joint * (times / joint.sum(axis=1))[:, np.newaxis]
    return np.array([_rounded(row, int(n)) for row, n in zip(calibrated, times, strict=True)]).T


def _rounded(row: Floats, total: int) -> NDArray[np.int64]:
    """Whole numbers of this sum: the nearest ones, and where they miss it those that were rounded furthest."""
    whole = np.rint(row)
    missing = int(total - whole.sum())
    order = np.argsort(row - whole)
    whole[order[::-1][:missing] if missing > 0 else order[:-missing]] += np.sign(missing)
    return whole.astype(np.int64)


def _anchor_points(P: Floats, share: float) -> Transition:
    if not 0 < share <= 1:
        raise InputError(f"share {share:g} of the images: give a number in (0, 1], e.g. 0.02")
    surest = np.argsort(-P, axis=0, kind="stable")
    # Of the class's own images, as many as the predictions say there are: a share of all would mix in those of others.
    counts = np.maximum(np.ceil(share * P.sum(axis=0) - 1e-9), 1).astype(int)
    T: Transition = np.stack([P[surest[:n, i]].mean(axis=0) for i, n in enumerate(counts)])
    T /= T.sum(axis=1, keepdims=True)
    return T


def _warn_of_rare(images: NDArray[np.int64], labels: Floats, swamped: NDArray[np.bool_]) -> None:
    """One line where the classes are too unequal, by the numbers of images that each is estimated to have.

    The rare class is named by its labels: of its images an estimate that fails may find too many.
    """
    rare = images * IMBALANCE < images.max()
    if (rare | swamped & (2 * images < images.mean())).any():
        rarest = int(labels.argmin())
        warnings.warn(
            f"class {rarest} is rare, {labels[rarest]:,.0f} of {labels.sum():,.0f} images have its label: no estimate "
            "from predictions holds for it, check some of its labels",
            stacklevel=3,
        )


def _distributions(probabilities: ArrayLike) -> Floats:
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
    return P


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


def labels_to_check(transition: Transition, precision: float) -> int:
    """How many labels *of the deciding class* to check for a relative standard error of `a` (q = 2).

    Parameters
    ----------
    transition
        (K, K) the noise.
    precision
        the standard error wished for, as a share of `a`.

    Raises
    ------
    InputError
        where no `a` is enough, or for a precision that is not above 0.

    Examples
    --------
    >>> from jal.noise import pair
    >>> labels_to_check(pair(10, 0.4), precision=0.1)
    2400
    """
    if not precision > 0:
        raise InputError(f"precision {precision:g}: give a relative standard error above 0, e.g. 0.1")
    T = np.asarray(transition)
    own, rival = np.diag(T), (T - np.diag(np.diag(T))).max(axis=1)
    at = (own - rival).argmin()
    lead = float(own[at] - rival[at])
    if lead <= 0:
        raise InputError(f"margin {lead:g}: no a is enough for this noise, however well it is known")
    needed = float(own[at] + rival[at] - lead**2) / (lead * precision) ** 2
    return math.ceil(needed * (1 - 1e-12))  # 0.6 - 0.4 is not 0.2: a whole number is not to be rounded up
