"""Datasets as arrays: `load("cifar10")`, from this machine's files; `fetch("cifar10")`, from the network.

`where`, `verify` and `listing` say what is here. The names in `_LAZY` are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from jal.datasets import known
from jal.datasets.download import fetch
from jal.datasets.images import ImageData
from jal.datasets.inventory import listing, verify, where
from jal.datasets.loading import load

if TYPE_CHECKING:
    from jal.datasets.human import human_labels
    from jal.datasets.instance import fixed_instance_labels

_LAZY = {
    "fixed_instance_labels": "jal.datasets.instance",
    "human_labels": "jal.datasets.human",
}

__all__ = [
    "ImageData",
    "fetch",
    "fixed_instance_labels",
    "human_labels",
    "listing",
    "load",
    "names",
    "verify",
    "where",
]


def names() -> list[str]:
    """The datasets that `load` reads."""
    return sorted(known.DATASETS)


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'jal.datasets' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
