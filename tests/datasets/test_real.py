"""The real files, where they are."""

import hashlib
import os
import time
from pathlib import Path

import numpy as np
import pytest

from jal import datasets
from jal.datasets import known, sources


def sums(data):
    parts = (data.train_images, data.train_labels, data.test_images, data.test_labels)
    return [hashlib.sha256(part.tobytes()).hexdigest() for part in parts]


@pytest.mark.parametrize(
    ("name", "folder", "expected"),
    [
        ("cifar10", "cifar10", known.CIFAR10),
        ("cifar100", "cifar100", known.CIFAR100),
        ("cifar100-coarse", "cifar100", known.CIFAR100_COARSE),
    ],
)
def test_cifar(name, folder, expected):
    root = Path(os.environ.get("JAL_DATA") or "absent")
    if not (root / folder / "x_train.npy").exists():
        pytest.skip(f"no arrays of {folder}: set JAL_DATA to the folder that holds {folder}/x_train.npy")
    data = datasets.load(name)
    assert sums(data) == [e.sha256 for e in expected]
    assert np.bincount(data.train_labels).tolist() == [50_000 // data.num_classes] * data.num_classes

    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        datasets.load(name)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.3


def test_fashion_mnist():
    if not (sources.DEBIAN / "fashion-mnist").is_dir():
        pytest.skip("no Fashion-MNIST: apt install dataset-fashion-mnist")
    data = datasets.load("fashion-mnist")
    assert sums(data) == [e.sha256 for e in known.FASHION_MNIST]
    assert np.bincount(data.train_labels).tolist() == [6000] * 10
    # The first training image is an ankle boot, as in the release's own gallery.
    assert data.classes[data.train_labels[0]] == "Ankle boot"


@pytest.mark.parametrize(("name", "expected"), [("cifar10", known.CIFAR10), ("cifar100", known.CIFAR100)])
def test_the_training_labels_have_the_sum_that_is_asked_for(cifar_labels, name, expected):
    assert hashlib.sha256(cifar_labels(name).tobytes()).hexdigest() == expected[1].sha256
