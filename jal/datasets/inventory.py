"""What is here of each dataset, where it is, and whether it is what it should be."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jal.datasets import known
from jal.datasets.checksum import Expected
from jal.datasets.known import Dataset
from jal.datasets.locations import Location, locations, remedy
from jal.errors import InputError


@dataclass(frozen=True)
class Whereabouts:
    """Where an array of a dataset is.

    Attributes
    ----------
    array
        x_train, y_train, x_test or y_test; the labels of CIFAR-100 are y_train_fine and so on.
    source
        "cache", "folder" (the user's), "debian", "scikit-learn", or "" where it is nowhere.
    path
        the file or the folder or archive of the release; "" where it is nowhere.
    form
        ".npy", or the name of the release's form, which is decoded at the first load.
    """

    array: str
    source: str
    path: str
    form: str

    def __str__(self) -> str:
        if not self.source:
            return f"{self.array}: not here"
        return f"{self.array}: {self.source}, {self.path} ({self.form})"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Verdict:
    """What a check of every byte of an array gave.

    Attributes
    ----------
    array, source, path
        as in `Whereabouts`.
    state
        "ok", "damaged" or "missing".
    detail
        what was expected, what was found and what to do; "" where all is well.
    """

    array: str
    source: str
    path: str
    state: str
    detail: str = ""

    def __str__(self) -> str:
        if self.state == "ok":
            return f"{self.array}: ok, {self.path}"
        return f"{self.array}: {self.state}: {self.detail}"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Entry:
    """A dataset in the list of all.

    Attributes
    ----------
    name
        as `jal.datasets.load` takes it.
    classes, train, test
        the numbers of classes and of images.
    image
        height, width, channels.
    megabytes
        of the arrays, 10^6 bytes.
    here
        whether `load` would find all of it.
    sources
        where it is, as in `Whereabouts`.
    licence, citation
        its authors'.
    """

    name: str
    classes: int
    train: int
    test: int
    image: tuple[int, int, int]
    megabytes: float
    here: bool
    sources: tuple[str, ...]
    licence: str
    citation: str

    def __str__(self) -> str:
        size = "x".join(map(str, self.image))
        where = f"here ({', '.join(self.sources)})" if self.here else "not here"
        return (
            f"{self.name}: {self.train} + {self.test} images of {size}, {self.classes} classes, "
            f"{self.megabytes:g} MB: {where}; licence: {self.licence}; {self.citation}"
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def where(name: str, root: str | Path | None = None) -> tuple[Whereabouts, ...]:
    """Where `load` would take each array of a dataset from, in the order of `ImageData`. Nothing is read.

    Parameters
    ----------
    name, root
        as `load` takes them.

    Raises
    ------
    InputError
        for an unknown name.
    """
    dataset = known.find(name)
    searched = locations(dataset, root)
    return tuple(_whereabouts(expected, searched) for expected in dataset.arrays)


def verify(name: str, root: str | Path | None = None) -> tuple[Verdict, ...]:
    """Reads every byte of a dataset that is on this machine, wherever it is.

    Parameters
    ----------
    name, root
        as `load` takes them.

    Returns
    -------
    one or more for each array, in the order of `ImageData`

    Raises
    ------
    InputError
        for an unknown name.
    """
    dataset = known.find(name)
    verdicts: dict[Expected, list[Verdict]] = {expected: [] for expected in dataset.arrays}
    for location in locations(dataset, root):
        for expected, detail in _checked(location, [each for each in dataset.arrays if location.has(each)]):
            file, state = str(location.file(expected)), "damaged" if detail else "ok"
            verdicts[expected].append(Verdict(expected.name, location.kind, file, state, detail))
    missing = f"fetch it, or {remedy(dataset)}"
    return tuple(
        verdict
        for expected, of_array in verdicts.items()
        for verdict in of_array or [Verdict(expected.name, "", "", "missing", missing)]
    )


def listing(root: str | Path | None = None) -> tuple[Entry, ...]:
    """Every dataset of small images, and whether it is here. Nothing is read.

    Parameters
    ----------
    root
        as `load` takes it.
    """
    return tuple(_entry(dataset, root) for _, dataset in sorted(known.DATASETS.items()))


def _entry(dataset: Dataset, root: str | Path | None) -> Entry:
    found = where(dataset.name, root)
    images, _, test, _ = dataset.arrays
    height, width, channels = images.shape[1:]
    return Entry(
        name=dataset.name,
        classes=len(dataset.classes),
        train=images.shape[0],
        test=test.shape[0],
        image=(height, width, channels),
        megabytes=round(sum(expected.nbytes for expected in dataset.arrays) / 1e6, 1),
        here=all(one.source for one in found),
        sources=tuple(dict.fromkeys(one.source for one in found if one.source)),
        licence=dataset.licence,
        citation=dataset.citation,
    )


def _whereabouts(expected: Expected, searched: list[Location]) -> Whereabouts:
    for location in searched:
        if location.has(expected):
            return Whereabouts(expected.name, location.kind, str(location.file(expected)), location.form)
    return Whereabouts(expected.name, "", "", "")


def _checked(location: Location, arrays: list[Expected]) -> list[tuple[Expected, str]]:
    """Each array, and what is wrong with it: an archive is read once where nothing is."""
    try:
        location.read(arrays)
    except InputError as error:
        if len(arrays) == 1:
            return [(arrays[0], str(error))]
        return [pair for each in arrays for pair in _checked(location, [each])]
    return [(expected, "") for expected in arrays]
