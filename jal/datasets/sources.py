"""Where each dataset comes from: one function a dataset, from the folder of all data (or none) to `ImageData`."""

from __future__ import annotations

import gzip
import math
import os
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jal.datasets import known, verified
from jal.datasets.images import ImageData
from jal.datasets.verified import Expected
from jal.errors import InputError

DEBIAN = Path("/usr/share/datasets")
"""Where Debian's dataset packages put their files."""


def digits(root: Path | None = None) -> ImageData:
    """1,797 handwritten digits of 8 x 8 pixels, 17 greys, bundled with scikit-learn: `root` is not needed.

    The collection has no test set of its own: every fifth image, from the first on, is ours.
    Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise InputError(
            "the digits come with scikit-learn, which is not installed: pip install 'jal-losses[train]'"
        ) from None
    bunch = load_digits()
    images = np.rint(bunch.images[..., None] * (255 / 16)).astype(np.uint8)
    labels = bunch.target.astype(np.int64)
    test = np.arange(len(labels)) % 5 == 0
    return ImageData(
        name="digits",
        train_images=images[~test],
        train_labels=labels[~test],
        test_images=images[test],
        test_labels=labels[test],
        classes=tuple("0123456789"),
    )


def cifar10(root: Path | None = None) -> ImageData:
    """CIFAR-10: 50,000 training and 10,000 test images, 32 x 32 in colour, of 10 classes.

    In cifar10/: x_train.npy and x_test.npy, uint8 (N, 32, 32, 3), y_train.npy and y_test.npy, int64: what
    `torchvision.datasets.CIFAR10` holds as `data` and `targets`.
    Source: Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
    """
    return _from_npy("cifar10", "cifar10", known.CIFAR10, known.CIFAR10_CLASSES, root)


def cifar100(root: Path | None = None) -> ImageData:
    """CIFAR-100: as CIFAR-10, of 100 classes.

    In cifar100/: x_train.npy, x_test.npy, y_train_fine.npy and y_test_fine.npy, as for CIFAR-10.
    """
    return _from_npy("cifar100", "cifar100", known.CIFAR100, known.CIFAR100_CLASSES, root)


def cifar100_coarse(root: Path | None = None) -> ImageData:
    """CIFAR-100's images under their 20 super-classes: y_train_coarse.npy and y_test_coarse.npy in cifar100/."""
    return _from_npy(
        "cifar100-coarse", "cifar100", known.CIFAR100_COARSE, known.CIFAR100_COARSE_CLASSES, root
    )


def fashion_mnist(root: Path | None = None) -> ImageData:
    """Fashion-MNIST: 60,000 training and 10,000 test images, 28 x 28 in grey, of 10 classes.

    The four gzipped idx files of its release, from fashion-mnist/ below the data folder where that is, else from
    Debian's package dataset-fashion-mnist; decompressed once, into the cache.
    Source: Xiao, Rasul and Vollgraf, Fashion-MNIST, arXiv:1708.07747.
    """
    train_images, train_labels, test_images, test_labels = (
        _unpacked("fashion-mnist", file, expected, root)
        for file, expected in zip(known.FASHION_MNIST_FILES, known.FASHION_MNIST, strict=True)
    )
    return ImageData(
        "fashion-mnist", train_images, train_labels, test_images, test_labels, known.FASHION_MNIST_CLASSES
    )


def _data_folder(root: Path | None) -> Path | None:
    named = root or os.environ.get("JAL_DATA")
    return Path(named).expanduser() if named else None


def _from_npy(
    name: str, folder: str, arrays: tuple[Expected, ...], classes: tuple[str, ...], root: Path | None
) -> ImageData:
    data = _data_folder(root)
    files = ", ".join(expected.file for expected in arrays)
    if data is None:
        raise InputError(
            f"{name} needs its files: set JAL_DATA or --data-root to a folder with {files} in {folder}/"
        )
    if not (data / folder).is_dir():
        raise InputError(
            f"{name}: no folder {data / folder}, which should hold {files}: "
            f"set JAL_DATA or --data-root to the folder that has {folder}/ in it"
        )
    train_images, train_labels, test_images, test_labels = (
        verified.read(data / folder / expected.file, expected) for expected in arrays
    )
    return ImageData(name, train_images, train_labels, test_images, test_labels, classes)


def _unpacked(name: str, file: str, expected: Expected, root: Path | None) -> NDArray[Any]:
    """An array out of its idx file, kept as .npy in the cache; a damaged .npy there is made again."""
    # Without a home, or on a full or read-only disk, the array is unpacked every time.
    with suppress(InputError, RuntimeError):
        return verified.read(verified.cache_folder() / name / expected.file, expected)
    array = _from_idx(_idx_file(name, file, root), expected)
    with suppress(InputError, OSError, RuntimeError):
        kept = verified.cache_folder() / name / expected.file
        verified.write(kept, array)
        return verified.read(kept, expected)
    return array


def _idx_file(name: str, file: str, root: Path | None) -> Path:
    data = _data_folder(root)
    own = data / name if data else None
    folder = own if own and own.is_dir() else DEBIAN / name
    if (folder / file).is_file():
        return folder / file
    raise InputError(
        f"{name}: no file {folder / file}: apt install dataset-{name}, "
        f"or put it into {own or f'{name}/ in the folder that JAL_DATA or --data-root names'}"
    )


def _from_idx(path: Path, expected: Expected) -> NDArray[Any]:
    sizes = expected.shape[:3]  # the file knows no channels
    header = bytes((0, 0, 8, len(sizes))) + b"".join(size.to_bytes(4, "big") for size in sizes)
    whole = len(header) + math.prod(sizes)
    try:
        with gzip.open(path) as file:
            # One byte more tells a file that is too long, and makes gzip check its own sum.
            content = file.read(whole + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} is not a whole gzip file ({error}): {verified.AGAIN}") from None
    if len(content) != whole or not content.startswith(header):
        raise InputError(
            f"{path} does not hold the idx data of {' x '.join(map(str, sizes))} bytes: {verified.AGAIN}"
        )
    array = (
        np.frombuffer(content, np.uint8, offset=len(header)).reshape(expected.shape).astype(expected.dtype)
    )
    verified.check(array, expected, path)
    return array
