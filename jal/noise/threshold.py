"""The `a` that a noise asks for."""

from __future__ import annotations

import io
import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jal.errors import InputError, unknown
from jal.noise import checks
from jal.noise.transition import Transition
from jal.noise.transition import transition as check_transition
from jal.theory import margin, minimum_a
from jal.theory.asymmetry import Contest
from jal.theory.checks import exponent


@dataclass(frozen=True)
class Threshold:
    """The smallest `a` for which AMSE is asymmetric under a noise, and the class that decides it.

    `a` is inf where there is none. `true_class` is the row of the smallest margin, `rival` its likeliest wrong
    label, with the probabilities `kept` and `lost`.
    """

    a: float
    q: float
    margin: float
    true_class: int
    rival: int
    kept: float
    lost: float

    def __str__(self) -> str:
        odds = (
            f"class {self.true_class} keeps its label with probability {self.kept:.6g} "
            f"and becomes {self.rival} with {self.lost:.6g}: margin {self.margin:.6g}"
        )
        if self.margin <= 0:
            return f"no a is enough\n{odds}; AMSE needs the true label to be the likeliest one in every class"
        if math.isinf(self.a):
            return (
                f"no representable a is enough for q = {self.q:g}\n{odds}; take q = 2, where a is 1 / margin"
            )
        return f"a >= {_rounded_up(self.a):.7g}\nAMSE with q = {self.q:g}; {odds}"


def threshold(transition: ArrayLike, q: float = 2.0) -> Threshold:
    """What `jal.theory.minimum_a` says of a noise, with its reason.

    Raises
    ------
    InputError
        for an invalid transition (K, K), or q <= 0.

    Examples
    --------
    >>> from jal.noise import symmetric
    >>> round(threshold(symmetric(10, 0.8)).a, 6)
    9.0
    """
    T = check_transition(transition)
    kept = np.diag(T)
    wrong = T - np.diag(kept)
    row = int((kept - wrong.max(axis=1)).argmin())
    rival = int((wrong[row] + np.where(np.arange(len(T)) == row, -1.0, 0.0)).argmax())
    return Threshold(minimum_a(T, q), q, margin(T), row, rival, float(kept[row]), float(wrong[row, rival]))


def threshold_of(noise: str, num_classes: int, rate: float, q: float = 2.0) -> Threshold:
    """`threshold` of symmetric or pair noise, whose rows are all alike: no matrix is made, however many classes.

    Parameters
    ----------
    noise
        "symmetric" or "pair".
    num_classes
        K.
    rate
        in [0, 1).
    q
        the exponent of AMSE.

    Raises
    ------
    InputError
        for another noise, K < 2, a rate outside [0, 1), or q <= 0.

    Examples
    --------
    >>> round(threshold_of("symmetric", 50_000, 0.4).a, 4)
    1.6667
    """
    K, rate, q = checks.num_classes(num_classes), checks.rate(rate), exponent(q)
    if noise not in ("symmetric", "pair"):
        raise unknown("noise whose rows are alike", noise, ("symmetric", "pair"))
    lost = rate / (K - 1) if noise == "symmetric" else rate
    row = Contest(np.asarray(1 - rate), np.asarray(lost), np.asarray(rate))
    return Threshold(float(row.smallest_a(q)), q, float(row.lead), 0, 1, 1 - rate, lost)


def read_transition(path: str | Path) -> Transition:
    """A transition from a CSV file of K lines with K numbers; row i holds P(given label | true label i).

    As spreadsheets write it, too: with a byte order mark, a line of names above, or semicolons and decimal commas.

    Raises
    ------
    InputError
        if the file cannot be read, is not a table of numbers, or is no transition.
    """
    return check_transition(_table(path))


def read_predictions(path: str | Path) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Given labels (N,) and predictions (N, K), from a CSV file: a line an image, its label and K probabilities.

    Raises
    ------
    InputError
        if the file cannot be read, is not a table of numbers, or its first column holds no labels in 0..K-1.
    """
    table = _table(path)
    K = table.shape[1] - 1
    first = table[:, 0].astype(np.int64) if len(table) and np.isfinite(table[:, 0]).all() else None
    if K < 2 or first is None or (first != table[:, 0]).any():
        raise InputError(
            f"{path}, of shape {table.shape}, is no table of predictions: give lines of a label, an integer, and the "
            "probabilities of at least two classes"
        )
    return checks.labels(first, K, "the first column's labels"), table[:, 1:]


def _table(path: str | Path) -> NDArray[np.float64]:
    try:
        text = _numbers(Path(path).read_text(encoding="utf-8-sig"))
        return np.loadtxt(io.StringIO(text), delimiter=",", ndmin=2)
    except OSError as error:
        raise InputError(f"cannot read {path} ({error.strerror}): name a CSV file") from None
    except ValueError as error:
        reason = str(error).splitlines()[0].rstrip(".;")
        raise InputError(f"{path} is not a table of comma-separated numbers ({reason})") from None


def _numbers(text: str) -> str:
    """The lines of numbers of a CSV file, with commas between."""
    if ";" in text:
        text = text.replace(",", ".").replace(";", ",")
    first, _, rest = text.partition("\n")
    return rest if rest and re.search(r"[A-Za-z]{2}", first) and not re.search(r"\d[eE]", first) else text


def _rounded_up(value: float, digits: int = 7) -> float:
    """To so many digits, upwards: a bound that is rounded down is none."""
    step = 10.0 ** (math.floor(math.log10(value)) + 1 - digits)
    # A value a rounding error above a multiple of the step is that multiple.
    return math.ceil(value / step - 1e-6) * step
