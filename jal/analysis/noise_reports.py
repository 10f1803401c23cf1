"""What each noise does to CIFAR's labels, as it is kept in the book's data.

So a page about CIFAR's noisy labels can be built on a machine that has no CIFAR. What is kept is counts and shares of
whole classes, of no image and no single label. `tests/analysis/noise_files.py` makes the files.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from jal._version import __version__
from jal.analysis import text
from jal.checkout import find_root
from jal.errors import InputError
from jal.experiments import provenance
from jal.experiments.labels import noisy_labels, report_of, source_of, transition
from jal.experiments.noises import NoiseSpec
from jal.experiments.schema import pack, unpack
from jal.experiments.spec import RunSpec, resolve
from jal.noise import NoiseReport, labels_sha256

if TYPE_CHECKING:
    from jal.datasets import ImageData

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Document = dict[str, Any]

SCHEMA = 1
FOLDER = "data/results/noise"
"""In the checkout: a JSON file for each dataset and noise."""
DATASETS = {name: text.DATASETS[name] for name in ("cifar10", "cifar100")}
"""Those whose reports are kept, and what a page calls them."""
ANNOTATORS = ("rand1", "rand2", "rand3")
"""CIFAR-10N's labels of three people for each image."""
PERCENTILES = np.linspace(0, 1, 101)
DIGITS = 6
"""Of a margin: its last ones hang on the order in which a machine sums."""

_LOW, _MIDDLE, _HIGH = (0.1, 0.2, 0.3, 0.4), (0.2, 0.4, 0.6), (0.2, 0.4, 0.6, 0.8)


@dataclass(frozen=True, eq=False)
class Images:
    """What instance-dependent noise leaves the images of a dataset, in aggregate: see `jal.noise.report.ImageOdds`.

    Attributes
    ----------
    margins
        (101,) the percentiles of the images' margins, from the least to the greatest.
    dominant_share
        the share of images whose true label is strictly the likeliest.
    covered
        a -> the share of images for which AMSE with q = 2 is asymmetric.
    """

    margins: Floats
    dominant_share: float
    covered: Mapping[float, float]


@dataclass(frozen=True, eq=False)
class Kept:
    """A report as it is kept.

    Attributes
    ----------
    dataset, noise
        whose labels, and what made them noisy.
    report
        the counts and what follows from them. Its `images` are left out: `images` here has their aggregate.
    images
        of PDN's labels, whose probabilities are known.
    made
        with what, and when.
    """

    dataset: str
    noise: NoiseSpec
    report: NoiseReport
    images: Images | None
    made: Mapping[str, Any]

    @property
    def smallest_a(self) -> float:
        """That of the transition that the labels are drawn from, and where there is none of their counts; or inf."""
        return (self.report.nominal_threshold() or self.report.threshold()).a


Reports = Mapping[str, Mapping[str, Kept]]
"""By dataset, then by noise: what `read_all` gives for each."""


def specs(dataset: str) -> list[RunSpec]:
    """The noises whose reports are kept, in their order: those of the paper's tables, and pair flips."""

    def noises() -> Iterator[tuple[str, str | None, Sequence[float | None]]]:
        ten = dataset == "cifar10"
        yield "symmetric", None, _HIGH
        for variant in (None,) if ten else ("blocks", "superclasses"):
            yield "asymmetric", variant, _LOW
        yield "pair", None, _LOW
        yield "instance", "pdn", _MIDDLE
        yield "instance", "fixed", _MIDDLE
        for variant in ("aggre", *ANNOTATORS, "worst") if ten else ("noisy",):
            yield "human", variant, (None,)

    return [
        # The loss has no say in the labels.
        resolve(dataset=dataset, noise=kind, variant=variant, rate=rate, loss="CE")
        for kind, variant, rates in noises()
        for rate in rates
    ]


def document(spec: RunSpec, data: ImageData, root: str | Path | None = None) -> Document:
    """The report on the noise of a spec as JSON data, in aggregate.

    Raises
    ------
    InputError
        for labels that are not here.
    """
    report = report_of(spec, data, root)
    given = noisy_labels(spec, data, root)
    source = source_of(spec.noise, spec.dataset)
    found = report.to_dict()
    found["counts"] = [_packed(row) for row in found["counts"]]
    if report.images is not None:
        found["images"]["margins"] = np.quantile(report.images.margins, PERCENTILES).round(DIGITS).tolist()
    return {
        "schema": SCHEMA,
        "dataset": spec.dataset,
        "noise": pack(spec.noise),
        "clean_sha256": labels_sha256(data.train_labels),
        "labels_sha256": labels_sha256(given),
        **{key: source[key] for key in ("source", "licence", "citation") if key in source},
        **found,
        "made": made(),
    }


def read_all(dataset: str, folder: str | Path | None = None) -> dict[str, Kept]:
    """A dataset's kept reports by noise, such as "symmetric 0.4" or "human worst", in the order of `specs`.

    Raises
    ------
    InputError
        for a file that is missing, or does not hold its report.
    """
    return {
        str(spec.noise): read(report_file(_folder(folder), dataset, spec.noise)) for spec in specs(dataset)
    }


def read(file: Path) -> Kept:
    """A report out of its file.

    Raises
    ------
    InputError
        for a file that is missing, or does not hold one.
    """
    data = _read(file)
    try:
        return kept(data)
    except (AttributeError, KeyError, TypeError, ValueError, InputError):
        raise _refused(file) from None


def kept(data: Document) -> Kept:
    """What `document` gives as an object; also for noise of other images than CIFAR's."""
    counts = np.array([_unpacked(row) for row in data["counts"]], dtype=np.int64)
    K, noise = len(counts), unpack(data["noise"], NoiseSpec, "noise")
    if counts.shape != (K, K) or counts.sum() != data["num_labels"]:
        raise ValueError("the counts are not those of the labels")
    report = NoiseReport(counts, data["nominal_rate"], transition(noise, data["dataset"], K))
    images = _images(data["images"]) if "images" in data else None
    return Kept(data["dataset"], noise, report, images, data["made"])


def read_annotators(folder: str | Path | None = None) -> NDArray[np.int64]:
    """(K, 4) of each true class, how many images of CIFAR-10N have 0, 1, 2 and 3 wrong labels.

    Raises
    ------
    InputError
        for a file that is missing, or does not hold them.
    """
    return np.array(_read(annotators_file(_folder(folder)), "wrong")["wrong"], dtype=np.int64)


def read_sets(folder: str | Path | None = None) -> tuple[dict[str, list[int]], dict[str, int]]:
    """How CIFAR-10N's sets were made of three people's labels, in counts of images.

    Returns
    -------
    of aggre, rand1 and worst, how many wrong labels stand on images that 0, 1, 2 and 3 people named wrongly; and counts
    by what is counted.

    Raises
    ------
    InputError
        for a file that is missing, or does not hold them.
    """
    data = _read(annotators_file(_folder(folder)), "sets", "facts")
    return data["sets"], data["facts"]


def _folder(folder: str | Path | None) -> Path:
    return find_root() / FOLDER if folder is None else Path(folder)


def report_file(folder: Path, dataset: str, noise: NoiseSpec) -> Path:
    return folder / f"{dataset}-{str(noise).replace(' ', '-')}.json"


def annotators_file(folder: Path) -> Path:
    return folder / "cifar10-annotators.json"


def _read(file: Path, *keys: str) -> Document:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        data = None
    if not isinstance(data, dict) or data.get("schema") != SCHEMA or not data.keys() >= set(keys):
        raise _refused(file)
    return data


def _refused(file: Path) -> InputError:
    return InputError(f"{file} is no report on noise of schema {SCHEMA}: restore it with git checkout")


def _images(data: Mapping[str, Any]) -> Images:
    margins = np.array(data["margins"], dtype=np.float64)
    if margins.shape != PERCENTILES.shape:
        raise ValueError("margins that are not percentiles")
    covered = {float(entry["a"]): float(entry["share"]) for entry in data["covered"] if entry["q"] == 2}
    return Images(margins, float(data["dominant_share"]), covered)


def _packed(row: Sequence[int]) -> str:
    """Counts as text, `9*222` for nine times 222."""
    runs = [(value, len(list(run))) for value, run in groupby(row)]
    return " ".join(f"{times}*{value}" if times > 1 else str(value) for value, times in runs)


def _unpacked(text: str) -> list[int]:
    words = [word.rpartition("*") for word in text.split()]
    return [int(value) for times, _, value in words for _ in range(int(times or 1))]


def made() -> Document:
    """With what a report is made, and when."""
    commit, dirty = provenance.commit(otherwise=provenance.UNKNOWN)
    return {
        "jal": __version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "commit": commit,
        "dirty": dirty,
        "date": datetime.now(UTC).date().isoformat(),
    }


def origin(reports: Reports) -> str:
    """One line of Markdown under what is shown of the kept reports: what made them."""
    made = [one.made for of_dataset in reports.values() for one in of_dataset.values()]
    commits = sorted({provenance.commit_in_words(m, shown=text.code) for m in made})
    versions = sorted({text.plain(f"numpy {m['numpy']}, Python {m['python']}") for m in made})
    days = sorted({text.plain(m["date"]) for m in made})
    return (
        f"*From `{FOLDER}`: {len(made)} reports on the real labels, no label among them. {'; '.join(versions)}. "
        f"Commit: {', '.join(commits)}, {' and '.join(days)}.*"
    )
