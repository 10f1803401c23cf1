"""The labels of a run: its noise, put on the true labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from numpy.typing import NDArray

from jal.errors import InputError
from jal.experiments.spec import FLIPS_CIFAR100, RunSpec

if TYPE_CHECKING:
    from jal.datasets import ImageData


def transition(spec: RunSpec, data: ImageData) -> NDArray[np.float64]:
    """T of a run's noise, (K, K), T[i, j] = P(given label j | true label i).

    Raises
    ------
    InputError
        for a kind of noise that has none, or that this version does not know.
    """
    from jal import noise

    kind, rate = spec.noise.kind, spec.noise.rate
    if kind == "clean":
        return np.eye(data.num_classes)
    if rate is None or kind not in ("symmetric", "asymmetric"):
        raise InputError(f"labels of the kind {kind!r}, rate {rate}, cannot be made by this version")
    if kind == "symmetric":
        return noise.symmetric(data.num_classes, rate)
    settings = next((s for s, variant in FLIPS_CIFAR100.items() if variant == spec.noise.variant), "official")
    return noise.asymmetric(spec.dataset, rate, settings)


def noisy_labels(spec: RunSpec, data: ImageData) -> NDArray[np.int64]:
    """The labels that a run is trained with, (N,)."""
    from jal import noise

    T = transition(spec, data)
    if spec.noise.kind == "clean":
        return data.train_labels
    if spec.noise.seed is None:
        raise InputError(f"spec.noise: {spec.noise.kind} noise needs a seed")
    method = cast(Literal["exact", "bernoulli"], spec.noise.method)
    return noise.corrupt(data.train_labels, T, spec.noise.seed, method)
