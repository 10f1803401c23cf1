"""A cache of its own for every test, and small datasets whose sums are the expected ones."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from jal.datasets.verified import Expected


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The cache folder, not there yet."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("JAL_CACHE", str(folder))
    return folder


@pytest.fixture
def make():
    """(file, shape, K) -> an array, random pixels or labels below K, and what is expected of its file."""
    stream = np.random.default_rng(0)

    def build(file, shape, K=10):
        labels = len(shape) == 1
        array = stream.integers(0, K if labels else 256, shape).astype(np.int64 if labels else np.uint8)
        return array, Expected(file, shape, hashlib.sha256(array.tobytes()).hexdigest())

    return build
