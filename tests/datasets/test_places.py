"""The released files' names and addresses are those that torchvision knows."""

import re

import pytest

from jal import vision
from jal.datasets import download, known, places


@pytest.fixture(scope="module")
def torchvision():
    return vision.torchvision().datasets


@pytest.mark.parametrize(("folder", "name"), [("cifar10", "CIFAR10"), ("cifar100", "CIFAR100")])
def test_cifar_is_where_torchvision_has_it(torchvision, folder, name):
    theirs, (layout, *_) = getattr(torchvision, name), places.LAYOUTS[folder]
    assert (layout.folder, layout.archive) == (theirs.base_folder, theirs.filename)
    assert layout.files["x_train"] == tuple(file for file, _ in theirs.train_list)
    assert layout.files["x_test"] == tuple(file for file, _ in theirs.test_list)
    host = download.HOSTS[folder]
    assert [host.address + file for file in host.files] == [theirs.url]
    assert [file.rpartition("/")[2] for file in host.files] == [layout.archive]


@pytest.mark.parametrize(("folder", "name"), [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST")])
def test_the_idx_files_are_where_torchvision_has_them(torchvision, folder, name):
    theirs, (layout, *_) = getattr(torchvision, name), places.LAYOUTS[folder]
    host = download.HOSTS[folder]
    assert host.address in theirs.mirrors
    assert host.files == tuple(file for file, _ in theirs.resources)
    assert layout.folder == host.folder == f"{theirs.__name__}/raw"
    files = [file for files in layout.files.values() for file in files]
    assert [f"{file}.gz" for file in files] == list(host.files)


def test_the_npm_packages_are_the_archives_that_are_looked_for():
    for folder, package in download.NPM.items():
        archive = re.sub("@", "-", package.spec) + ".tgz"
        assert archive in [layout.archive for layout in places.LAYOUTS[folder]]


def test_every_dataset_but_the_digits_has_a_form_and_a_host():
    folders = {dataset.folder for dataset in known.DATASETS.values()} - {"digits"}
    assert set(places.LAYOUTS) == set(download.HOSTS) == folders
    for layout in (layout for layouts in places.LAYOUTS.values() for layout in layouts):
        assert set(layout.files) == {"x_train", "y_train", "x_test", "y_test"}
