import gzip
import tracemalloc

import numpy as np
import pytest

from jal import datasets
from jal.datasets import known, sources, verified
from jal.errors import InputError

PARTS = ("train_images", "train_labels", "test_images", "test_labels")


@pytest.fixture
def cifar(tmp_path, monkeypatch, make):
    """Small cifar10 and cifar100, their sums the expected ones: the data folder and the arrays by file."""
    monkeypatch.delenv("JAL_DATA", raising=False)
    root, arrays = tmp_path / "data", {}
    for folder, names, K in (
        ("cifar10", ("CIFAR10",), 10),
        ("cifar100", ("CIFAR100", "CIFAR100_COARSE"), 20),
    ):
        made = {}
        for name in names:
            for expected in getattr(known, name):
                if expected.file not in made:
                    size = 30 if "train" in expected.file else 10
                    made[expected.file] = make(expected.file, (size, *expected.shape[1:]), K)
            monkeypatch.setattr(known, name, tuple(made[e.file][1] for e in getattr(known, name)))
        (root / folder).mkdir(parents=True)
        for file, (array, _) in made.items():
            arrays[folder, file] = array
            np.save(root / folder / file, array)
    return root, arrays


@pytest.fixture
def fashion(tmp_path, monkeypatch, make):
    """A small Fashion-MNIST as its release has it, in the place of Debian's package."""
    monkeypatch.delenv("JAL_DATA", raising=False)
    folder = tmp_path / "debian" / "fashion-mnist"
    folder.mkdir(parents=True)
    made = [
        make(expected.file, (20 if "train" in expected.file else 8, *expected.shape[1:]))
        for expected in known.FASHION_MNIST
    ]
    monkeypatch.setattr(known, "FASHION_MNIST", tuple(expected for _, expected in made))
    monkeypatch.setattr(sources, "DEBIAN", folder.parent)
    for file, (array, _) in zip(known.FASHION_MNIST_FILES, made, strict=True):
        (folder / file).write_bytes(gzip.compress(idx(array), 1))
    return folder, [array for array, _ in made]


def idx(array):
    sizes = array.shape[:3]
    header = bytes([0, 0, 8, len(sizes)]) + np.array(sizes, ">u4").tobytes()
    return header + array.astype(np.uint8).tobytes()


def refuse(message, name, root=None):
    with pytest.raises(InputError, match=message) as error:
        datasets.load(name, root)
    assert "\n" not in str(error.value)
    return str(error.value)


def assert_holds(data, arrays):
    for part, array in zip(PARTS, arrays, strict=True):
        np.testing.assert_array_equal(getattr(data, part), array)


def test_names():
    assert datasets.names() == ["cifar10", "cifar100", "cifar100-coarse", "digits", "fashion-mnist"]
    refuse("unknown dataset 'cifar': did you mean 'cifar10'", "cifar")
    for name in ("mnist", "webvision", "clothing1m"):
        refuse(f"{name} cannot be loaded by this version: take one of cifar10, cifar100", name)


def test_cifar_from_a_named_folder_or_the_environment(cifar, monkeypatch, tmp_path):
    root, arrays = cifar
    cifar10 = [arrays["cifar10", f"{a}.npy"] for a in ("x_train", "y_train", "x_test", "y_test")]
    data = datasets.load("cifar10", root)
    assert_holds(data, cifar10)
    assert (data.name, data.num_classes, data.classes[3]) == ("cifar10", 10, "cat")
    assert_holds(datasets.load("cifar10", str(root)), cifar10)

    monkeypatch.setenv("JAL_DATA", str(root))
    assert_holds(datasets.load("cifar10"), cifar10)
    monkeypatch.setenv("JAL_DATA", str(tmp_path / "elsewhere"))
    assert_holds(datasets.load("cifar10", root), cifar10)


def test_cifar100_under_fine_and_coarse_labels(cifar):
    root, arrays = cifar
    for name, kind, K in (("cifar100", "fine", 100), ("cifar100-coarse", "coarse", 20)):
        data = datasets.load(name, root)
        files = ("x_train", f"y_train_{kind}", "x_test", f"y_test_{kind}")
        assert_holds(data, [arrays["cifar100", f"{file}.npy"] for file in files])
        assert (data.name, data.num_classes) == (name, K)


def test_missing_files_are_named(cifar, monkeypatch, tmp_path):
    root, _ = cifar
    message = refuse("set JAL_DATA or --data-root to a folder with", "cifar10")
    assert "x_train.npy, y_train.npy, x_test.npy, y_test.npy in cifar10/" in message
    monkeypatch.setenv("JAL_DATA", "")
    refuse("set JAL_DATA or --data-root", "cifar100")
    message = refuse("no folder .*y_test_coarse.npy: set JAL_DATA", "cifar100-coarse", tmp_path / "other")
    assert str(tmp_path / "other" / "cifar100") in message
    (root / "cifar10" / "y_test.npy").unlink()
    refuse(f"no file {root / 'cifar10' / 'y_test.npy'}", "cifar10", root)


def test_labels_of_no_class_are_refused(cifar, monkeypatch, make):
    root, _ = cifar
    labels, _ = make("y_test.npy", (10,), K=1)
    labels[4] = 10
    path = root / "cifar10" / "y_test.npy"
    np.save(path, labels)
    refuse("y_test.npy is damaged or another edition", "cifar10", root)
    monkeypatch.setattr(verified, "check", lambda *_: None)
    refuse(r"cifar10: test_labels hold 10, outside 0\.\.9", "cifar10", root)


def test_fashion_mnist_from_debian_or_a_folder(fashion, tmp_path, cache):
    folder, arrays = fashion
    data = datasets.load("fashion-mnist")
    assert_holds(data, arrays)
    assert data.train_images.shape == (20, 28, 28, 1)
    assert (data.train_labels.dtype, data.classes[-1]) == (np.int64, "Ankle boot")
    assert not data.train_images.flags.writeable

    for file in (cache / "fashion-mnist").iterdir():
        file.unlink()
    own = tmp_path / "data"
    (own / "fashion-mnist").mkdir(parents=True)
    for file in folder.iterdir():
        file.rename(own / "fashion-mnist" / file.name)
    assert_holds(datasets.load("fashion-mnist", own), arrays)


def test_fashion_mnist_is_unpacked_once(fashion, cache, monkeypatch):
    folder, arrays = fashion
    datasets.load("fashion-mnist")
    assert sorted(file.name for file in (cache / "fashion-mnist").iterdir()) == [
        "x_test.npy",
        "x_train.npy",
        "y_test.npy",
        "y_train.npy",
    ]
    with monkeypatch.context() as patch:
        patch.setattr(gzip, "open", None)
        assert_holds(datasets.load("fashion-mnist"), arrays)

    (cache / "fashion-mnist" / "x_train.npy").write_bytes(b"damaged")
    assert_holds(datasets.load("fashion-mnist"), arrays)
    for file in folder.iterdir():
        file.unlink()
    assert_holds(datasets.load("fashion-mnist"), arrays)


def test_fashion_mnist_without_a_cache(fashion, cache, monkeypatch):
    _, arrays = fashion
    cache.write_text("a file where the folder should be")
    assert_holds(datasets.load("fashion-mnist"), arrays)

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(verified, "cache_folder", no_home)
    assert_holds(datasets.load("fashion-mnist"), arrays)


def test_fashion_mnist_that_is_nowhere_says_where_to_get_it(fashion, monkeypatch, tmp_path):
    monkeypatch.setattr(sources, "DEBIAN", tmp_path / "absent")
    refuse(
        "apt install dataset-fashion-mnist, or put it into fashion-mnist/ in the folder that JAL_DATA",
        "fashion-mnist",
    )
    (tmp_path / "data" / "fashion-mnist").mkdir(parents=True)
    message = refuse("no file .*train-images-idx3-ubyte.gz", "fashion-mnist", tmp_path / "data")
    assert f"put it into {tmp_path / 'data' / 'fashion-mnist'}" in message


def test_damaged_idx_files_are_refused(fashion, cache):
    folder, (images, *_) = fashion
    path = folder / known.FASHION_MNIST_FILES[0]
    packed, content = path.read_bytes(), idx(images)
    for damaged, message in [
        (b"", "does not hold"),
        (b"<html>", "is not a whole gzip file"),
        (packed[:-1], "is not a whole gzip file"),
        (packed[: len(packed) // 2], "is not a whole gzip file"),
        (packed[:-8] + bytes(8), "is not a whole gzip file"),
        (packed[:30] + bytes(30) + packed[60:], "is not a whole gzip file"),
        (gzip.compress(b"\0\0\x08\x01" + content[4:]), "does not hold the idx data of 20 x 28 x 28 bytes"),
        (gzip.compress(idx(images[:-1])), "does not hold"),
        (gzip.compress(content + b"\0"), "does not hold"),
        (gzip.compress(content[:-1] + bytes([content[-1] ^ 1])), "expected [0-9a-f]{16}"),
    ]:
        path.write_bytes(damaged)
        assert str(path) in refuse(message, "fashion-mnist")
    assert not (cache / "fashion-mnist" / "x_train.npy").exists()


def test_a_gzip_bomb_costs_no_memory(fashion):
    folder, (images, *_) = fashion
    (folder / known.FASHION_MNIST_FILES[0]).write_bytes(gzip.compress(idx(images) + bytes(2**26)))
    tracemalloc.start()
    try:
        refuse("does not hold", "fashion-mnist")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**21
