"""Files of .npy and .npz: what is read, what is refused, and that nothing in them is run."""

import os
import pickle
import zipfile

import numpy as np
import pytest

from jal.datasets import checksum
from jal.datasets.checksum import Expected
from jal.errors import InputError

SHAPE = (3, 4, 5, 1)


class Malicious:
    """Unpickled, it leaves a file."""

    def __init__(self, witness):
        self.witness = witness

    def __reduce__(self):
        return os.system, (f"touch {self.witness}",)


@pytest.fixture
def pixels(tmp_path, make):
    """An array, what is expected of it, and its file."""
    array, expected = make("x_train.npy", SHAPE)
    np.save(tmp_path / "x_train.npy", array)
    return array, expected, tmp_path / "x_train.npy"


def refuse(message, call, *arguments):
    with pytest.raises(InputError, match=message) as error:
        call(*arguments)
    assert "\n" not in str(error.value)


def test_pixels_are_a_read_only_map_and_labels_lie_in_memory(tmp_path, make, pixels):
    array, expected, path = pixels
    read = checksum.read_array(path, expected)
    np.testing.assert_array_equal(read, array)
    assert isinstance(read.base, np.memmap) and not read.flags.writeable
    labels, expected = make("y_train.npy", (7,))
    np.save(tmp_path / "y_train.npy", labels)
    read = checksum.read_array(tmp_path / "y_train.npy", expected)
    np.testing.assert_array_equal(read, labels)
    assert read.flags.writeable


def test_damage_anywhere_is_refused(pixels):
    _, expected, path = pixels
    content = path.read_bytes()
    for at in range(0, len(content), 3):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        # A header has room for what changes nothing: then it is the array all the same.
        try:
            np.testing.assert_array_equal(checksum.read_array(path, expected), pixels[0])
        except InputError as error:
            assert str(path) in str(error) and "delete it and fetch it again" in str(error)
        path.write_bytes(content[:at])
        refuse("delete it and fetch it again", checksum.read_array, path, expected)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (np.zeros(SHAPE, np.int8), "holds int8 of shape"),
        (np.zeros((3, 4, 5), np.uint8), r"holds uint8 of shape \(3, 4, 5\)"),
        (np.zeros(SHAPE[::-1], np.uint8).T, "row by row"),
        (np.zeros(SHAPE, np.uint8), "SHA-256 .*, expected"),
    ],
)
def test_another_array_is_refused(pixels, other, message):
    _, expected, path = pixels
    np.save(path, other)
    refuse(message, checksum.read_array, path, expected)


def test_what_is_no_file_is_refused(tmp_path, pixels):
    _, expected, path = pixels
    refuse("no file", checksum.read_array, tmp_path / "nowhere", expected)
    path.unlink()
    path.mkdir()
    refuse("is not a file", checksum.read_array, path, expected)
    path.rmdir()
    os.mkfifo(path)
    refuse("is not a file", checksum.read_array, path, expected)
    refuse("is not a file", checksum.read, path)


def test_no_pickle_is_run(tmp_path, pixels):
    _, expected, path = pixels
    witness, evil = tmp_path / "witness", np.array([None])
    evil[0] = Malicious(witness)
    np.save(path, evil, allow_pickle=True)
    refuse("is not a whole .npy file", checksum.read_array, path, expected)
    path.write_bytes(pickle.dumps(Malicious(witness)))
    refuse("is not a whole .npy file", checksum.read_array, path, expected)
    np.savez(tmp_path / "evil.npz", labels=evil)
    refuse("is not a whole .npz file", checksum.from_npz, tmp_path / "evil.npz", "labels", 10_000)
    assert not witness.exists()


def test_arrays_of_an_npz_are_read_within_a_limit(tmp_path):
    path = tmp_path / "labels.npz"
    np.savez_compressed(path, labels=np.zeros(5000, np.int64))
    assert checksum.from_npz(path, "labels", 50_000).shape == (5000,)
    refuse("would unpack to more than 30000 bytes", checksum.from_npz, path, "labels", 30_000)
    refuse("has more than 10 bytes", checksum.from_npz, path, "labels", 10)
    refuse("has no array other", checksum.from_npz, path, "other", 50_000)
    content = path.read_bytes()
    for end in (0, 4, len(content) // 2, len(content) - 30):
        path.write_bytes(content[:end])
        refuse("is not a whole .npz file", checksum.from_npz, path, "labels", 50_000)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("labels.npy", b"not an array")
    refuse("labels is no array of numbers", checksum.from_npz, path, "labels", 50_000)


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch, pixels):
    array, expected, path = pixels
    path.unlink()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    refuse("No space left", checksum.write_array, path, array)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    checksum.write_array(path, array)
    np.testing.assert_array_equal(checksum.read_array(path, expected), array)


def test_the_cache_folder(monkeypatch, tmp_path):
    assert checksum.cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("JAL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert checksum.cache_folder() == tmp_path / "jal"


def test_an_array_knows_what_it_is_called_and_what_it_takes():
    labels, images = Expected("y_test.npy", (7,), ""), Expected("x_test.npy", (7, 2, 2, 3), "")
    assert (labels.name, labels.nbytes, images.nbytes) == ("y_test", 56, 84)
