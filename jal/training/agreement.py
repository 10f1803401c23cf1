"""Whether two ways of computing the same steps agree: how far apart they are, and how far rounding takes them."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

ROUNDING = {"float64": 2.0**-53, "float32": 2.0**-24, "bfloat16": 2.0**-8}
"""The relative error of one rounding."""

TF32 = 2.0**-11
"""That of float32 on an accelerator, whose convolutions may read ten bits of it."""


class Outcome(NamedTuple):
    """What some steps and a test after them gave, on the host.

    Attributes
    ----------
    losses
        of the training images, (N,), before their step; 0 where there was none.
    moved
        by how much the steps changed the weights, (P,).
    test
        the sum of the test images' losses.
    """

    losses: Tensor
    moved: Tensor
    test: float


class Difference(NamedTuple):
    """How far one outcome is from another, relative to the other: of its losses, and of what its weights moved."""

    losses: float
    weights: float

    def within(self, allowed: Difference) -> bool:
        """Whether neither is larger than allowed; not a number is larger."""
        return self.losses <= allowed.losses and self.weights <= allowed.weights

    def beyond(self, allowed: Difference) -> str:
        """Both, and what is allowed, in words."""
        return (
            f"losses by {self.losses:.1g} ({allowed.losses:.1g} is allowed), "
            f"weights by {self.weights:.1g} ({allowed.weights:.1g})"
        )


def difference(found: Outcome, expected: Outcome) -> Difference:
    """The distance of `found` from `expected`, by Euclid's norm; the test's loss counts as the losses do."""
    test = _relative(abs(found.test - expected.test), abs(expected.test))
    losses = _apart(found.losses, expected.losses)
    return Difference(_larger(losses, test), _apart(found.moved, expected.moved))


def tolerance(precision: str, device: str) -> Difference:
    """How far rounding alone may take a handful of steps.

    It grows with the square root of the relative error u of one rounding: of the units a share of about u lies so
    near to a switch of its ReLU or max-pooling that rounding throws it, each passes another gradient whole, and the
    distance of two gradients is the root of the share that differs; Adam's first steps, which are signs, behave alike.
    So it was measured, over three steps of cnn8 on CIFAR-10 against float32 on a processor, for CE and JAL-CE:

    ========= ================ =============== ================ ===============
    u         losses, sgd      weights, sgd    losses, adam     weights, adam
    ========= ================ =============== ================ ===============
    TF32      at most 0.003    0.08            at most 0.021    0.20
    bfloat16  at most 0.010    0.20            at most 0.047    0.40
    ========= ================ =============== ================ ===============

    3 sqrt(u) for the losses and 12 sqrt(u) for the weights are above all of these. The weights have 0.05 more: a
    gradient that is rounding alone, as that of a bias before batch normalisation, decides a sign that Adam and the L1
    penalty take whole, whatever the precision. What a graph does wrong is larger:
    with a batch of other images, or an update left out, the losses of whole batches are others (about 1), and weights
    that have not moved are 1 apart.

    Parameters
    ----------
    precision
        of the recipe.
    device
        the kind, torch's name for it.
    """
    u = ROUNDING[precision]
    if precision == "float32" and device != "cpu":
        u = TF32
    return Difference(3 * math.sqrt(u), 12 * math.sqrt(u) + 0.05)


def _apart(found: Tensor, expected: Tensor) -> float:
    distance = torch.linalg.vector_norm(found.double() - expected.double())
    return _relative(float(distance), float(torch.linalg.vector_norm(expected.double())))


def _relative(distance: float, size: float) -> float:
    if distance == 0:
        return 0.0
    return distance / size if size else math.inf


def _larger(one: float, other: float) -> float:
    """The larger of two, or not a number if one is not."""
    return math.nan if math.isnan(one) or math.isnan(other) else max(one, other)
