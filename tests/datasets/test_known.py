import re

import pytest

from jal.datasets import known


@pytest.mark.parametrize(
    "arrays", [known.CIFAR10, known.CIFAR100, known.CIFAR100_COARSE, known.FASHION_MNIST]
)
def test_expectations_are_whole(arrays):
    train_images, train_labels, test_images, test_labels = arrays
    assert train_images.shape[:1] == train_labels.shape
    assert test_images.shape[:1] == test_labels.shape
    assert train_images.shape[1:] == test_images.shape[1:]
    assert all(re.fullmatch("[0-9a-f]{64}", array.sha256) for array in arrays)
    assert len({array.sha256 for array in arrays}) == 4


def test_class_names():
    for classes, K in (
        (known.CIFAR10_CLASSES, 10),
        (known.CIFAR100_CLASSES, 100),
        (known.CIFAR100_COARSE_CLASSES, 20),
        (known.FASHION_MNIST_CLASSES, 10),
    ):
        assert len(set(classes)) == len(classes) == K
    # Both lists of CIFAR-100 are alphabetical, and so is CIFAR-10's.
    for classes in (known.CIFAR10_CLASSES, known.CIFAR100_CLASSES, known.CIFAR100_COARSE_CLASSES):
        assert list(classes) == sorted(classes)


@pytest.mark.parametrize(
    ("superclass", "members"),
    [
        ("aquatic_mammals", {"beaver", "dolphin", "otter", "seal", "whale"}),
        ("household_electrical_devices", {"clock", "keyboard", "lamp", "telephone", "television"}),
        ("people", {"baby", "boy", "girl", "man", "woman"}),
        ("trees", {"maple_tree", "oak_tree", "palm_tree", "pine_tree", "willow_tree"}),
        ("vehicles_2", {"lawn_mower", "rocket", "streetcar", "tank", "tractor"}),
    ],
)
def test_fine_and_coarse_names_fit_the_super_classes(superclass, members):
    from jal.noise.transition import CIFAR100_SUPERCLASS

    number = known.CIFAR100_COARSE_CLASSES.index(superclass)
    fine = zip(known.CIFAR100_CLASSES, CIFAR100_SUPERCLASS, strict=True)
    assert {name for name, group in fine if group == number} == members
