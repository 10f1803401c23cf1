"""Why some losses start slowly: the slope of a loss where the network knows nothing, and how long one image takes.

Where all classes are equally likely the gradient in the logits is a multiple of e_y - 1/K for every loss that treats
the classes alike: the other classes' parts are equal, and a shift of all logits changes nothing. So there all losses
pull in one direction and differ by a factor, as different learning rates do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jal.errors import InputError
from jal.losses import Loss

Floats = NDArray[np.float64]

CERTAIN = 0.99
"""The probability of the true class at which a walk ends."""

_POINTS = 4000


def logit_slopes(loss: Loss, p: Floats, classes: int, rate: float = 0.0) -> Floats:
    """How fast the expected loss falls with the true class's logit, whose probability is p; the others share the rest.

    Parameters
    ----------
    rate
        of symmetric noise.
    """
    import torch

    q = torch.from_numpy(p)[:, None]
    others = ((1 - q) / (classes - 1)).log().expand(-1, classes - 1)
    z = torch.cat([q.log(), others], dim=1).requires_grad_()
    weights = torch.full((classes,), rate / (classes - 1), dtype=z.dtype)
    weights[0] = 1 - rate
    (loss.all_labels(z) @ weights).sum().backward()  # type: ignore[no-untyped-call]
    gradient: Floats = z.grad[:, 0].numpy() if z.grad is not None else np.zeros(len(p))
    return -gradient


@dataclass(frozen=True)
class Walk:
    """How the probability of an image's true class rises when its logits follow the slope of the expected loss.

    Attributes
    ----------
    time
        steps times learning rate, from 0.
    probability
        of the true class, at each time.
    """

    time: Floats
    probability: Floats

    def until(self, probability: float) -> float:
        """The time at which the true class has this probability; infinite if it never has."""
        if probability > self.probability[-1]:
            return float("inf")
        return float(np.interp(probability, self.probability, self.time))


def walk(loss: Loss, classes: int, rate: float = 0.0, start: float | None = None) -> Walk:
    """Gradient flow of one image's logits under symmetric noise of this rate.

    The other classes begin equal, and by symmetry stay so. One number tells the state, u, how far the true class's
    logit is above the others: du/dt = g K / (K - 1), where g is the slope of the expected loss in the true class's
    logit. The time is the integral of (K - 1) / (K g) over u (the trapezoidal rule). Where g is 0 the walk ends.

    Parameters
    ----------
    start
        the probability of the true class at the beginning; 1/K, knowing nothing, if left out.

    Raises
    ------
    InputError
        for a rate at which the true class is not the likeliest label, and a start outside (0, 0.5].
    """
    K = classes
    if not 0 <= rate < 1 - 1 / K:
        raise InputError(
            f"rate={rate:g}: give one from 0 up to, not including, {1 - 1 / K:g}, as {K} classes allow"
        )
    start = 1 / K if start is None else start
    if not 0 < start <= 0.5:
        raise InputError(f"start={start:g}: give a probability over 0, up to one half")
    first, last = (float(np.log((K - 1) * q / (1 - q))) for q in (start, CERTAIN))
    u = np.linspace(first, last, _POINTS)
    p = 1 / (1 + (K - 1) * np.exp(-u))
    g = logit_slopes(loss, p, K, rate)
    downhill = np.flatnonzero(g <= 0)
    end = int(downhill[0]) if len(downhill) else len(u)
    pace = (K - 1) / (K * g[:end])
    time = np.concatenate([[0.0], np.cumsum(np.diff(u[:end]) * (pace[1:] + pace[:-1]) / 2)])
    return Walk(time, p[:end])
