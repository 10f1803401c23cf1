"""Datasets of small images, as uint8 arrays: `load("cifar10")`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jal.datasets import sources
from jal.datasets.images import ImageData
from jal.errors import InputError, unknown

__all__ = ["ImageData", "load", "names"]

_SOURCES: dict[str, Callable[[Path | None], ImageData]] = {
    "cifar10": sources.cifar10,
    "cifar100": sources.cifar100,
    "cifar100-coarse": sources.cifar100_coarse,
    "digits": sources.digits,
    "fashion-mnist": sources.fashion_mnist,
}
_NOT_LOADED = ("clothing1m", "mnist", "webvision")


def names() -> list[str]:
    """The datasets that `load` reads."""
    return sorted(_SOURCES)


def load(name: str, root: str | Path | None = None) -> ImageData:
    """The images and true labels of a dataset.

    What comes from files is checked by SHA-256 before its first use, once, and then memory-mapped: the pixels are
    read-only.

    Parameters
    ----------
    name
        one of `names()`.
    root
        the folder that holds one folder a dataset, such as cifar10/; the environment variable JAL_DATA if left
        out. The digits need none, nor does Fashion-MNIST where Debian's dataset-fashion-mnist is installed.

    Raises
    ------
    InputError
        for an unknown name, or where the dataset's files or package are missing, damaged or another edition.
    """
    if name in _NOT_LOADED:
        raise InputError(f"{name} cannot be loaded by this version: take one of {', '.join(names())}")
    if name not in _SOURCES:
        raise unknown("dataset", name, _SOURCES)
    return _SOURCES[name](Path(root) if root is not None else None)
