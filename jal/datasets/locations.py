"""Where the arrays of a dataset may lie on this machine: the cache, the user's folder, Debian's packages."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jal.datasets import checksum
from jal.datasets.checksum import Expected
from jal.datasets.formats import RELEASES, Release
from jal.datasets.known import Dataset
from jal.errors import InputError

Arrays = dict[Expected, NDArray[Any]]

DEBIAN = Path("/usr/share/datasets")
"""Where Debian's dataset packages put their files."""
PACKAGES = {"fashion-mnist": "dataset-fashion-mnist"}
"""Debian's packages, by folder of the dataset."""


@dataclass(frozen=True)
class Location:
    """A folder of .npy files, or the folder or archive of a release.

    Attributes
    ----------
    kind
        "cache", "folder" (the user's), "debian" or "scikit-learn".
    path
        the folder or archive.
    dataset
        whose arrays are looked for.
    release
        None for .npy files.
    """

    kind: str
    path: Path
    dataset: Dataset
    release: Release | None = None

    @property
    def form(self) -> str:
        """How the arrays are kept there."""
        if self.kind == "scikit-learn":
            return "bundled"
        return self.release.title if self.release else ".npy"

    def file(self, expected: Expected) -> Path:
        """The file of an array, or the folder or archive of its files."""
        return self.path / expected.file if self.form == ".npy" else self.path

    def has(self, expected: Expected) -> bool:
        """Whether all the files are there that an array takes."""
        if self.kind == "scikit-learn":
            return find_spec("sklearn") is not None
        if self.release:
            return not self.release.missing(self.path, self.release.files_of(expected))
        # A link that leads nowhere counts as there: reading it says what is wrong.
        return os.path.lexists(self.file(expected))

    def read(self, wanted: Sequence[Expected]) -> Arrays:
        """The arrays, each as expected; those of .npy files as read-only memory maps.

        Raises
        ------
        InputError
            for a file that is missing, damaged or another edition.
        """
        if self.kind == "scikit-learn":
            return _digits(self.path, wanted)
        if self.release:
            height, width, channels = self.dataset.arrays[0].shape[1:]
            return self.release.read(self.path, wanted, (height, width, channels))
        return {expected: checksum.read_array(self.file(expected), expected) for expected in wanted}


def locations(dataset: Dataset, root: str | Path | None) -> list[Location]:
    """Where a dataset's arrays are looked for, first to last."""
    if dataset.name == "digits":
        spec = find_spec("sklearn")
        package = Path(spec.origin).parent if spec and spec.origin else Path("sklearn")
        return [Location("scikit-learn", package / "datasets/data/digits.csv.gz", dataset)]
    named = root or os.environ.get("JAL_DATA")
    try:
        folder = Path(named).expanduser() if named else None
    except RuntimeError:
        raise InputError(
            f"{named} is in no home folder that is known: name the data folder in full"
        ) from None
    found: list[Location] = []
    with suppress(InputError):
        found += _below(cache(dataset).path.parent, dataset, "cache")
    return [
        *found,
        *(_below(folder, dataset, "folder") if folder else ()),
        *_below(DEBIAN, dataset, "debian"),
    ]


def cache(dataset: Dataset) -> Location:
    """A dataset's .npy files in the cache.

    Raises
    ------
    InputError
        where the user has no home.
    """
    try:
        return Location("cache", checksum.cache_folder() / dataset.folder, dataset)
    except RuntimeError:
        raise InputError("no cache without a home folder: name one with JAL_CACHE") from None


def _below(root: Path, dataset: Dataset, kind: str) -> Iterator[Location]:
    """Those in a folder of data: of `root`/cifar10/ or the like, and then of `root` itself.

    A release's folder or archive may lie in either. Files outside of one, whose names do not tell the dataset, count
    in a folder of the dataset's name only.
    """
    for folder in (root / dataset.folder, root):
        own = folder.absolute().name == dataset.folder
        if own:
            yield Location(kind, folder, dataset)
        for release in RELEASES[dataset.folder]:
            for path in (release.folder, "." if own else None, release.archive):
                if path is not None:
                    yield Location(kind, folder / path, dataset, release)


def remedy(dataset: Dataset) -> str:
    """How to get a dataset without `jal data fetch`."""
    if dataset.name == "digits":
        return "pip install '.[train]' in the clone for scikit-learn, which has them"
    release = RELEASES[dataset.folder][0]
    package = f"apt install {PACKAGES[dataset.folder]}, or " if dataset.folder in PACKAGES else ""
    return (
        f"{package}name with JAL_DATA or --data-root a folder that holds {dataset.folder}/ with .npy files "
        f"or {release.archive or release.folder + '/'}"
    )


def _digits(path: Path, wanted: Sequence[Expected]) -> Arrays:
    """The digits, as scikit-learn has them: every fifth image is for testing."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = np.rint(bunch.images[..., None] * (255 / 16)).astype(np.uint8)
    labels = bunch.target.astype(np.int64)
    test = np.arange(len(labels)) % 5 == 0
    split = {
        "x_train": images[~test],
        "y_train": labels[~test],
        "x_test": images[test],
        "y_test": labels[test],
    }
    for expected in wanted:
        checksum.check(split[expected.name], expected.sha256, path)
    return {expected: split[expected.name] for expected in wanted}
