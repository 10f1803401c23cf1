import json

import pytest

from jal import datasets
from jal.datasets import known
from jal.datasets.formats import RELEASES
from jal.errors import InputError

PYTHON = RELEASES["cifar10"][0]
NAMES = ("x_train", "y_train", "x_test", "y_test")


def states(name, root=None):
    return [(one.array, one.source, one.state) for one in datasets.verify(name, root)]


def damage(path):
    """Changes the last byte."""
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def test_where_follows_a_dataset_from_nowhere_through_an_archive_into_the_cache(small, tmp_path, cache):
    assert [str(one) for one in datasets.where("cifar10")] == [f"{name}: not here" for name in NAMES]

    archive = small.release(tmp_path, "cifar10", PYTHON, archived=True)
    for one, name in zip(datasets.where("cifar10", tmp_path), NAMES, strict=True):
        assert str(one) == f"{name}: folder, {archive} (Python version)"

    datasets.load("cifar10", tmp_path)
    for one, name in zip(datasets.where("cifar10"), NAMES, strict=True):
        assert str(one) == f"{name}: cache, {cache}/cifar10/{name}.npy (.npy)"
        assert json.loads(json.dumps(one.to_dict())) == {
            "array": name,
            "source": "cache",
            "path": f"{cache}/cifar10/{name}.npy",
            "form": ".npy",
        }


def test_verify_reads_every_byte(small, tmp_path):
    path = small.npy(tmp_path, "cifar10") / "x_test.npy"
    damage(path)
    images = known.DATASETS["cifar10"].arrays[2]
    assert states("cifar10", tmp_path) == [
        (name, "folder", "damaged" if name == "x_test" else "ok") for name in NAMES
    ]
    (bad,) = (one for one in datasets.verify("cifar10", tmp_path) if one.state == "damaged")
    assert f"expected {images.sha256[:16]}...: delete it and fetch it again" in bad.detail
    assert str(bad) == f"x_test: damaged: {bad.detail}"
    assert json.loads(json.dumps(bad.to_dict()))["path"] == str(path)
    with pytest.raises(InputError, match=r"x_test\.npy is damaged"):
        datasets.load("cifar10", tmp_path)


def test_verify_looks_into_every_place(small, tmp_path, cache):
    archive = small.release(tmp_path, "cifar10", PYTHON, archived=True)
    datasets.load("cifar10", tmp_path)
    small.npy(tmp_path, "cifar10")
    damage(cache / "cifar10" / "y_train.npy")
    verdicts = datasets.verify("cifar10", tmp_path)
    assert len(verdicts) == 12
    assert {(one.source, one.path) for one in verdicts if one.state == "damaged"} == {
        ("cache", f"{cache}/cifar10/y_train.npy")
    }
    assert [one for one in verdicts if one.path == str(archive)] and all(
        str(one) == f"{one.array}: ok, {archive}" for one in verdicts if one.path == str(archive)
    )


def test_verify_says_which_arrays_of_a_release_are_damaged(small, tmp_path):
    folder = small.release(tmp_path, "cifar10", PYTHON)
    content = (folder / "test_batch").read_bytes()
    (folder / "test_batch").write_bytes(content[:-100])
    (folder / "data_batch_1").unlink()
    assert states("cifar10", tmp_path) == [
        ("x_train", "", "missing"),
        ("y_train", "", "missing"),
        ("x_test", "folder", "damaged"),
        ("y_test", "folder", "damaged"),
    ]
    missing = datasets.verify("cifar10", tmp_path)[0]
    assert "missing: fetch it, or name with JAL_DATA" in str(missing)

    small.release(tmp_path / "other", "mnist", RELEASES["mnist"][0])
    labels = tmp_path / "other" / "MNIST" / "raw" / "t10k-labels-idx1-ubyte"
    damage(labels)
    assert [state for *_, state in states("mnist", tmp_path / "other")] == ["ok", "ok", "ok", "damaged"]


def test_verify_the_digits():
    assert states("digits") == [(name, "scikit-learn", "ok") for name in NAMES]


def test_the_listing_has_every_dataset_and_whether_it_is_here(small, tmp_path):
    small.npy(tmp_path, "cifar100")
    entries = {entry.name: entry for entry in datasets.listing(tmp_path)}
    assert list(entries) == datasets.names()
    here = {name: entry.sources for name, entry in entries.items() if entry.here}
    assert here == {
        "cifar100": ("folder",),
        "cifar100-coarse": ("folder",),
        "digits": ("scikit-learn",),
    }
    (tmp_path / "cifar100" / "y_test_coarse.npy").unlink()
    entries = {entry.name: entry for entry in datasets.listing(tmp_path)}
    assert (entries["cifar100"].here, entries["cifar100-coarse"].here) == (True, False)
    for entry in entries.values():
        assert json.loads(json.dumps(entry.to_dict()))["name"] == entry.name
        assert entry.licence in str(entry) and entry.citation in str(entry)


def test_the_listing_gives_the_sizes():
    text = {entry.name: str(entry) for entry in datasets.listing()}
    assert text["cifar10"].startswith("cifar10: 50000 + 10000 images of 32x32x3, 10 classes, 184.8 MB: ")
    assert text["digits"].startswith(
        "digits: 1437 + 360 images of 8x8x1, 10 classes, 0.1 MB: here (scikit-learn)"
    )


def test_an_unknown_name_is_refused():
    for ask in (datasets.where, datasets.verify, datasets.fetch):
        with pytest.raises(InputError, match="unknown dataset 'cifar'"):
            ask("cifar")
