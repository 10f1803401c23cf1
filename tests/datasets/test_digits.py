"""scikit-learn's digits as ImageData."""

import hashlib

import numpy as np
import pytest
from sklearn.datasets import load_digits

from jal import datasets
from jal.datasets import locations
from jal.errors import InputError


@pytest.fixture(scope="module")
def data():
    return datasets.load("digits")


def test_sizes_and_types(data):
    assert data.name == "digits"
    assert data.train_images.shape == (1437, 8, 8, 1)
    assert data.test_images.shape == (360, 8, 8, 1)
    assert data.train_images.dtype == data.test_images.dtype == np.uint8
    assert data.train_labels.dtype == data.test_labels.dtype == np.int64
    assert data.classes == tuple("0123456789")
    assert data.num_classes == 10


def test_every_fifth_image_is_a_test_image_and_greys_fill_a_byte(data):
    bunch = load_digits()
    assert (data.test_labels == bunch.target[::5]).all()
    assert np.abs(data.test_images[..., 0] / 255 - bunch.images[::5] / 16).max() <= 0.5 / 255
    assert (data.train_labels[:4] == bunch.target[1:5]).all()
    assert data.train_images.min() == 0 and data.train_images.max() == 255


def test_the_split_never_changes(data):
    """Runs are known by ids that name the dataset alone: other pixels or another order would make them lie."""
    parts = (data.train_images, data.train_labels, data.test_images, data.test_labels)
    digest = hashlib.sha256(b"".join(part.astype("<i8").tobytes() for part in parts)).hexdigest()
    assert digest[:16] == "52ddeb4f91f2a593"


def test_another_edition_of_scikit_learn_would_be_noticed(monkeypatch):
    bunch = load_digits()
    bunch.target[0] = 1 - bunch.target[0]
    monkeypatch.setattr("sklearn.datasets.load_digits", lambda: bunch)
    with pytest.raises(InputError, match=r"digits\.csv\.gz is damaged or another edition"):
        datasets.load("digits")


def test_without_scikit_learn_they_say_so(monkeypatch):
    monkeypatch.setattr(locations, "find_spec", lambda name: None)
    for attempt in (datasets.load, datasets.fetch):
        with pytest.raises(InputError, match=r"no x_train, .*: pip install '\.\[train\]'"):
            attempt("digits")
    assert {one.source for one in datasets.where("digits")} == {""}
