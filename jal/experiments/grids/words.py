"""The words that grids are made of: datasets, noises and losses, by the labels of rows and columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from jal.experiments.grids.grid import Grid, Words

Versions = Mapping[str, Callable[[str], Grid]]
"""A grid for each profile that it has, by the settings."""

LAPTOP: Words = {"dataset": "fashion-mnist", "train_size": 20000}
"""A third of Fashion-MNIST: with a third of the steps a run takes minutes, and cross entropy still learns wrong
labels by heart."""

QUICK: Words = {"dataset": "digits"}

SYMMETRIC = ("symmetric 0.2", "symmetric 0.4", "symmetric 0.6", "symmetric 0.8")
ASYMMETRIC = ("asymmetric 0.1", "asymmetric 0.2", "asymmetric 0.3", "asymmetric 0.4")

LAPTOP_NOISES = ("clean", *SYMMETRIC, "asymmetric 0.2", "asymmetric 0.4")
QUICK_NOISES = ("symmetric 0.4", "symmetric 0.6", "asymmetric 0.3", "asymmetric 0.4")

TELLING = ("symmetric 0.8", "symmetric 0.4", "asymmetric 0.4", "clean")
"""The noises at which the losses part most, and what they are measured against."""


def losses(*names: str) -> dict[str, Words]:
    """A row for each loss."""
    return {name: {"loss": name} for name in names}


def noises(*labels: str) -> dict[str, Words]:
    """A column for each noise, such as "clean", "symmetric 0.4" or "human worst"."""
    return {label: noise(label) for label in labels}


def noise(label: str) -> Words:
    """The words of a label."""
    kind, _, more = label.partition(" ")
    if not more:
        return {"noise": kind}
    return {"noise": kind, "variant": more} if kind == "human" else {"noise": kind, "rate": float(more)}
