import re

import pytest

from jal.datasets import known


@pytest.mark.parametrize("dataset", known.DATASETS.values(), ids=known.DATASETS)
def test_expectations_are_whole(dataset):
    train_images, train_labels, test_images, test_labels = dataset.arrays
    assert train_images.shape[:1] == train_labels.shape
    assert test_images.shape[:1] == test_labels.shape
    assert train_images.shape[1:] == test_images.shape[1:]
    assert all(re.fullmatch("[0-9a-f]{64}", array.sha256) for array in dataset.arrays)
    assert [array.file.split("_")[:2] for array in dataset.arrays] == [
        ["x", "train.npy"],
        train_labels.file.split("_")[:2],
        ["x", "test.npy"],
        test_labels.file.split("_")[:2],
    ]
    assert dataset.licence and dataset.citation


def test_no_two_arrays_share_a_sum():
    every = {array for dataset in known.DATASETS.values() for array in dataset.arrays}
    assert len({array.sha256 for array in every}) == len(every) == 22


def test_class_names():
    for name, K in (
        ("cifar10", 10),
        ("cifar100", 100),
        ("cifar100-coarse", 20),
        ("digits", 10),
        ("fashion-mnist", 10),
        ("mnist", 10),
    ):
        classes = known.find(name).classes
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
