"""What noisy labels are like: how many are wrong, where they go, and which `a` they ask for."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jal.errors import InputError
from jal.noise import checks
from jal.noise.corrupt import asked_rate, falls_short, too_few
from jal.noise.threshold import Threshold, threshold
from jal.noise.transition import Transition
from jal.noise.transition import transition as check_transition
from jal.theory.asymmetry import Contest

Floats = NDArray[np.float64]

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
SCALES = (2.0, 5.0, 10.0, 20.0, 30.0, 40.0)
"""The `a` that a report speaks of: the paper's (section 4.3 and appendix B.1), and 2."""


@dataclass(frozen=True, eq=False)
class ImageOdds:
    """What instance-dependent noise leaves each image: the paper's condition (section 3) is one on every image.

    Attributes
    ----------
    kept, rival
        (N,) the probabilities of the true label and of the likeliest wrong one.
    """

    kept: Floats
    rival: Floats

    @property
    def margins(self) -> Floats:
        """(N,) by how much the true label leads, from -1 to 1; 0 is a tie, rounding included."""
        return self._contest.lead

    @property
    def dominant_share(self) -> float:
        """The share of images whose true label is strictly the likeliest."""
        return float((self.margins > 0).mean())

    @property
    def _contest(self) -> Contest:
        return Contest(self.kept, self.rival, 1 - self.kept)

    def covered(self, a: float, q: float = 2.0) -> float:
        """The share of images for which AMSE is asymmetric: a >= 1 / margin for q = 2, Theorem 4.1 in general.

        Raises
        ------
        InputError
            if a < 1 or q <= 0.
        """
        if not (math.isfinite(a) and a >= 1 and math.isfinite(q) and q > 0):
            raise InputError(f"a = {a:g}, q = {q:g}: give a finite a of at least 1 and a finite q above 0")
        return float(self._contest.won(a, q).mean())


@dataclass(frozen=True, eq=False)
class NoiseReport:
    """A report on noisy labels. `report` makes it; `str` says it in words, `to_dict` as JSON data.

    Attributes
    ----------
    counts
        (K, K) int64, how many labels of true class i are given as j.
    nominal
        the rate that was asked for, or None.
    transition
        (K, K), what the labels were drawn from, or None.
    images
        of instance-dependent noise, or None.
    q
        an exponent of AMSE that the report speaks of, beside 2.
    """

    counts: NDArray[np.int64]
    nominal: float | None = None
    transition: Transition | None = None
    images: ImageOdds | None = None
    q: float = 2.0

    @property
    def rate(self) -> float:
        """The share of labels that are wrong."""
        return float((self.counts.sum() - np.trace(self.counts)) / self.counts.sum())

    @property
    def class_rates(self) -> Floats:
        """(K,) the same within each true class, NaN for a class that is absent."""
        return np.diag(_shares(self.counts.sum(axis=1, keepdims=True) - self.counts, self.counts))

    @property
    def empirical(self) -> Transition:
        """(K, K) what `empirical_transition` gives."""
        return _shares(self.counts, self.counts)

    @property
    def short(self) -> bool:
        """Whether the rate is below what was asked for by more than `jal.noise.corrupt.SHORT` of it."""
        return falls_short(self.rate, self.asked)

    @property
    def asked(self) -> float:
        """The rate that the transition gives these true labels on average; 0 without a transition."""
        return 0.0 if self.transition is None else asked_rate(self.counts.sum(axis=1), self.transition)

    @property
    def absent(self) -> list[int]:
        """The classes that no true label is of."""
        return [i for i, row in enumerate(self.counts) if not row.any()]

    @property
    def not_dominant(self) -> list[int]:
        """The classes for which the paper's condition fails, since another label is as likely as the true one."""
        own = np.diag(self.counts)
        wrong = (self.counts - np.diag(own)).max(axis=1)
        return [i for i in np.flatnonzero(own <= wrong).tolist() if i not in self.absent]

    def threshold(self, q: float = 2.0) -> Threshold:
        """The `a` that the empirical transition asks for; classes that are absent ask for nothing."""
        present = self.counts.sum(axis=1) > 0
        answer = threshold(np.where(present[:, np.newaxis], self.empirical, np.eye(len(self.counts))), q)
        if present[answer.true_class]:
            return answer
        # All that is there is clean, and one of it decides.
        first = int(present.argmax())
        return replace(answer, true_class=first, rival=0 if first else 1)

    def nominal_threshold(self, q: float = 2.0) -> Threshold | None:
        """The `a` that `transition` asks for, if there is one."""
        return None if self.transition is None else threshold(self.transition, q)

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON data; None stands for an `a` that would be infinite and for an absent class's rate."""
        nominal = [self.nominal_threshold(q) for q in self._exponents()]
        data: dict[str, Any] = {
            "num_labels": int(self.counts.sum()),
            "num_classes": len(self.counts),
            "nominal_rate": self.nominal,
            "rate": self.rate,
            **({"too_few": too_few(self.rate, self.asked)} if self.short else {}),
            "class_rates": [_finite(rate) for rate in self.class_rates.tolist()],
            "counts": self.counts.tolist(),
            "absent": self.absent,
            "not_dominant": self.not_dominant,
            "thresholds": [_plain(self.threshold(q)) for q in self._exponents()],
            "nominal_thresholds": [_plain(answer) for answer in nominal if answer],
        }
        if self.images is not None:
            margins = np.quantile(self.images.margins, QUANTILES).tolist()
            data["images"] = {
                "dominant_share": self.images.dominant_share,
                "margins": [{"quantile": p, "margin": m} for p, m in zip(QUANTILES, margins, strict=True)],
                "covered": [
                    {"a": a, "q": q, "share": self.images.covered(a, q)}
                    for q in self._exponents()
                    for a in SCALES
                ],
            }
        return data

    def __str__(self) -> str:
        answer, absent, lost = self.threshold(), self.absent, self.not_dominant
        asked = "" if self.nominal is None else f" ({_percent(self.nominal)} asked for)"
        where = f"not the likeliest one in {_classes(lost)}" if lost else "the likeliest one in every class"
        odds = f"class {answer.true_class} keeps {_percent(answer.kept)}"
        lines = [
            f"labels     {self.counts.sum():,} of {len(self.counts)} classes, {_percent(self.rate)} wrong{asked}",
            f"by class   {_range(self.class_rates)}{f'; no image is of {_classes(absent)}' if absent else ''}",
            f"dominance  the true label is {where}",
            f"margin     {answer.margin:.4g}: {odds}, loses {_percent(answer.lost)} to class {answer.rival}",
            f"threshold  {self._bounds(self.threshold)}",
        ]
        if self.short:
            lines.insert(1, f"too few    {too_few(self.rate, self.asked)}")
        if self.transition is not None:
            lines.append(f"drawn from a transition that asks for {self._bounds(self.nominal_threshold)}")
        if self.images is not None:
            ends = zip(QUANTILES, np.quantile(self.images.margins, QUANTILES), strict=True)
            lines += [
                "images     each has its own probabilities: no single transition holds, those above are averages",
                f"           {_percent(self.images.dominant_share)} have their true label as the likeliest one",
                f"           margins {', '.join(f'{margin:.3g} at {p:.0%}' for p, margin in ends)}",
            ]
            for q in self._exponents():
                shares = ", ".join(f"{_percent(self.images.covered(a, q))} by a = {a:g}" for a in SCALES)
                lines.append(f"           covered with q = {q:g}: {shares}")
        return "\n".join(lines)

    def _exponents(self) -> list[float]:
        return sorted({2.0, self.q})

    def _bounds(self, of: Callable[[float], Threshold | None]) -> str:
        answers = [answer for q in self._exponents() if (answer := of(q)) is not None]
        return ", ".join(f"{str(answer).splitlines()[0]} (q = {answer.q:g})" for answer in answers)


def report(
    true: ArrayLike,
    given: ArrayLike,
    num_classes: int,
    *,
    nominal: float | None = None,
    transition: ArrayLike | None = None,
    probabilities: ArrayLike | None = None,
    q: float = 2.0,
) -> NoiseReport:
    """What noisy labels are like, whatever made them: a transition, images, or people.

    Of labels that nobody knows the making of, people's among them, the empirical transition is all there is to see:
    an average over the images of each class, each of which may be harder or easier.

    Parameters
    ----------
    true, given
        (N,) true and noisy labels of the same images, integers in 0..K-1, N >= 1.
    num_classes
        K.
    nominal
        the rate that was asked for, in [0, 1).
    transition
        (K, K), what the labels were drawn from.
    probabilities
        (N, K), what they were drawn from where each image has its own: `jal.noise.instance_probabilities`. There is
        no single transition then, and the paper's condition (clean-label-dominant noise, section 3) is one on each
        image: the report counts the images that satisfy it, and those that a given `a` covers.
    q
        the exponent of AMSE whose threshold is wanted.

    Raises
    ------
    InputError
        for labels outside 0..K-1, of different lengths or none; an invalid rate, transition or q; probabilities
        that are not N distributions over K classes.

    Examples
    --------
    >>> found = report([0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1], 2)
    >>> found.counts.tolist()
    [[2, 1], [0, 3]]
    """
    counts = _counts(true, given, num_classes)
    if not counts.sum():
        raise InputError("no labels to report on: give at least one")
    T = None if transition is None else check_transition(transition)
    if T is not None and len(T) != len(counts):
        raise InputError(
            f"a transition of {len(T)} classes for labels of {len(counts)}: give that of the labels"
        )
    images = None if probabilities is None else _odds(probabilities, np.asarray(true), len(counts))
    rate = None if nominal is None else checks.rate(nominal)
    made = NoiseReport(counts, rate, T, images, float(q))
    made.threshold(q)  # refuses a bad q here rather than when the report is read
    return made


def empirical_transition(true: ArrayLike, given: ArrayLike, num_classes: int) -> Transition:
    """The transition that pairs of true and given labels show: counts, each row divided by its sum.

    It is the maximum-likelihood estimate of a noise that depends on the class alone; for any other noise, that of
    people included, it is an average over each class's images. `threshold` takes it, and `numpy.savetxt` with
    delimiter="," writes it as `jal threshold --matrix` reads it. Patrini et al. (2017) estimate the same without
    true labels, from images that surely are of a class.

    Parameters
    ----------
    true, given
        (N,) true and noisy labels of the same images, integers in 0..K-1.
    num_classes
        K.

    Returns
    -------
    (K, K) float64
        row-stochastic, but for the rows of classes that no true label is of, which are NaN: nothing is known of them.
        `threshold` refuses these by name; `report(...).threshold()` passes them over.

    Raises
    ------
    InputError
        for labels outside 0..K-1, or of different lengths.

    Examples
    --------
    >>> empirical_transition([0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1], 2).tolist()
    [[0.75, 0.25], [0.0, 1.0]]
    """
    counts = _counts(true, given, num_classes)
    return _shares(counts, counts)


def _counts(true: ArrayLike, given: ArrayLike, num_classes: int) -> NDArray[np.int64]:
    K = checks.num_classes(num_classes)
    t, g = checks.labels(true, K, "true labels"), checks.labels(given, K, "given labels")
    if len(t) != len(g):
        raise InputError(f"{len(t)} true and {len(g)} given labels: give both for the same images")
    return np.bincount(t * K + g, minlength=K * K).reshape(K, K)


def _shares(part: NDArray[np.int64], counts: NDArray[np.int64]) -> Floats:
    """`part` of each row of `counts`, over the row's sum; NaN where that is 0."""
    sizes = counts.sum(axis=1, keepdims=True)
    shares: Floats = np.divide(part, sizes, out=np.full(part.shape, np.nan), where=sizes > 0)
    return shares


def _odds(probabilities: ArrayLike, true: NDArray[np.int64], K: int) -> ImageOdds:
    try:
        P = np.array(probabilities, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError("probabilities are not an array of numbers: give (N, K), one row an image") from None
    if P.shape != (len(true), K):
        raise InputError(f"probabilities of shape {P.shape}: give ({len(true)}, {K}), one row an image")
    # Written so that NaN is refused as well.
    wrong = ~((P >= 0).all(axis=1) & (np.abs(P.sum(axis=1) - 1) <= 1e-6))
    if wrong.any():
        row = int(wrong.argmax())
        raise InputError(
            f"row {row} of the probabilities is no distribution (least {P[row].min():g}, sum {P[row].sum():.9g}): "
            "give numbers of at least 0 that sum to 1"
        )
    index = np.arange(len(true))
    kept = P[index, true]
    P[index, true] = -1
    return ImageOdds(kept, P.max(axis=1))


def _plain(answer: Threshold) -> dict[str, Any]:
    return {**asdict(answer), "a": _finite(answer.a)}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"


def _range(rates: Floats) -> str:
    low, high = int(np.nanargmin(rates)), int(np.nanargmax(rates))
    if rates[low] == rates[high]:
        return f"{_percent(rates[low])} in every class"
    return f"from {_percent(rates[low])} (class {low}) to {_percent(rates[high])} (class {high})"


def _classes(which: list[int]) -> str:
    """Some classes by number, not more than a line holds."""
    shown = ", ".join(map(str, which[:10]))
    more = f" and {len(which) - 10} more" if len(which) > 10 else ""
    return f"class{'es' if len(which) > 1 else ''} {shown}{more}"
