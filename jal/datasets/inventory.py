"""What is here of each dataset, where it is, and whether it is what it should be."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jal.datasets import known, places, verified
from jal.datasets.known import Dataset
from jal.datasets.places import NumpyFiles, Place, Release
from jal.datasets.verified import Expected
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
    verified
        whether the file was checked and has not changed since; what is not is checked when it is loaded.
    """

    array: str
    source: str
    path: str
    form: str
    verified: bool

    def __str__(self) -> str:
        if not self.source:
            return f"{self.array}: not here"
        state = "verified" if self.verified else "checked when loaded"
        return f"{self.array}: {self.source}, {self.path} ({self.form}, {state})"

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
    looked = places.places(dataset, root)
    return tuple(_whereabouts(expected, looked) for expected in dataset.arrays)


def verify(name: str, root: str | Path | None = None) -> tuple[Verdict, ...]:
    """Reads every byte of a dataset that is on this machine, in every place, whatever was checked before.

    A .npy file that is ok counts as verified from then on; a damaged one does not any more.

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
    for place in places.places(dataset, root):
        for expected, detail in _checked(place, [e for e in dataset.arrays if not place.lacks(e)]):
            file, state = str(place.file(expected)), "damaged" if detail else "ok"
            verdicts[expected].append(Verdict(_stem(expected), place.kind, file, state, detail))
    missing = f"fetch it, or {places.remedy(dataset)}"
    return tuple(
        verdict
        for expected, of_array in verdicts.items()
        for verdict in of_array or [Verdict(_stem(expected), "", "", "missing", missing)]
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


def _whereabouts(expected: Expected, looked: list[Place]) -> Whereabouts:
    for place in looked:
        if not place.lacks(expected):
            file = place.file(expected)
            checked = isinstance(place, NumpyFiles) and verified.is_verified(file, expected)
            return Whereabouts(_stem(expected), place.kind, str(file), place.form, checked)
    return Whereabouts(_stem(expected), "", "", "", False)


def _checked(place: Place, held: list[Expected]) -> list[tuple[Expected, str]]:
    """Each array, and what is wrong with it: an archive is read once where nothing is."""
    if isinstance(place, Release) and len(held) > 1:
        try:
            place.read(held)
        except InputError:
            pass
        else:
            return [(expected, "") for expected in held]
    return [(expected, _wrong(place, expected)) for expected in held]


def _wrong(place: Place, expected: Expected) -> str:
    try:
        place.read([expected], afresh=True)
    except InputError as error:
        return str(error)
    return ""


def _stem(expected: Expected) -> str:
    return Path(expected.file).stem
