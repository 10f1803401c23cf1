"""What each noise does to CIFAR's labels, kept in the book's data: made here, and read back.

So a page about CIFAR's noisy labels can be built on a machine that has no CIFAR. What is kept is counts and shares of
whole classes, of no image and no single label. With the data at hand (book/data.md),

    python -c "from jal.analysis.noise_reports import write_all; write_all()"

makes all of it again, the same but for the key "made".
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from jal import files
from jal._version import __version__
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
DATASETS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}
"""Those whose reports are kept, and what a page calls them."""
ANNOTATORS = ("rand1", "rand2", "rand3")
"""CIFAR-10N's labels of three people for each image."""
FACTS = (
    *("unanimous", "unanimously wrong", "three different", "aggre is the majority"),
    *("aggre follows the fixed order", "aggre is right among three", "truth among three"),
    *("somebody is wrong", "worst is the last wrong one"),
)
"""Counts of CIFAR-10's training images. A majority is of two or three people; where all three differ there is none."""
_PREFERRED = np.array([0, 1, 2, 3, 4, 5, 6, 7, 0, 1])
"""By class, its place in the order in which aggre was taken where all three differ: ship and airplane, then truck and
automobile, then bird, cat, deer, dog, frog, horse; of two in one place the earlier person's."""
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


def write_all(
    folder: str | Path | None = None,
    root: str | Path | None = None,
    tell: Callable[[str], object] = sys.stderr.write,
) -> None:
    """Makes every report anew, in a minute or two: CIFAR, CIFAR-N and the release's fixed labels must be here.

    Parameters
    ----------
    folder
        where to; `FOLDER` of the checkout if left out.
    root
        the folder of the datasets' folders; $JAL_DATA if left out.
    tell
        takes the lines that say how far it is.

    Raises
    ------
    InputError
        for data that is not here, or a folder that cannot be written.
    """
    from jal.datasets import load

    target = _folder(folder)
    for dataset in DATASETS:
        data = load(dataset, root)
        for spec in specs(dataset):
            _write(_file(target, dataset, spec.noise), document(spec, data, root))
            tell(f"{dataset} {spec.noise}\n")
        if dataset == "cifar10":
            _write(_annotators_file(target), annotators_document(data, root))


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
        "made": _made(),
    }


def annotators_document(data: ImageData, root: str | Path | None = None) -> Document:
    """What CIFAR-10N's three people gave, in counts of images, and how its other sets were made of it.

    Returns
    -------
    JSON data. "wrong": by true class, how many images have 0, 1, 2 and 3 wrong labels. "sets": of aggre, rand1 and
    worst, how many wrong labels stand on images that 0, 1, 2 and 3 people named wrongly. "facts": the counts that
    `FACTS` names.

    Raises
    ------
    InputError
        for labels that are not here.
    """
    from jal.datasets.human import human_labels, human_source

    true = data.train_labels
    three = np.stack([human_labels(data.name, variant, root, true) for variant in ANNOTATORS])
    aggre, worst = (human_labels(data.name, variant, root, true) for variant in ("aggre", "worst"))
    wrong = (three != true).sum(0)
    table = np.zeros((data.num_classes, len(ANNOTATORS) + 1), dtype=int)
    np.add.at(table, (true, wrong), 1)
    sets = {"aggre": aggre, "rand1": three[0], "worst": worst}
    sources = {variant: human_source(data.name, variant) for variant in ANNOTATORS}
    first = sources[ANNOTATORS[0]]
    return {
        "schema": SCHEMA,
        "dataset": data.name,
        "labels_sha256": {variant: source["sha256"] for variant, source in sources.items()},
        "clean_sha256": labels_sha256(true),
        "licence": first["licence"],
        "citation": first["citation"],
        "wrong": table.tolist(),
        "sets": {
            name: np.bincount(wrong[labels != true], minlength=4).tolist() for name, labels in sets.items()
        },
        "facts": {
            name: int(count) for name, count in zip(FACTS, _facts(three, aggre, worst, true), strict=True)
        },
        "made": _made(),
    }


def _facts(three: Labels, aggre: Labels, worst: Labels, true: Labels) -> Iterator[int]:
    """The counts of `FACTS`, in that order, from (3, N) and (N,) labels."""
    one, two, last = three
    same = np.stack([one == two, two == last, one == last])
    yield same.all(0).sum()
    yield (same.all(0) & (one != true)).sum()
    ties = ~same.any(0)
    majority = np.where(same[1], two, one)
    yield ties.sum()
    yield (aggre == majority)[~ties].sum()
    yield (aggre == np.take_along_axis(three, _PREFERRED[three].argmin(0)[None], 0)[0])[ties].sum()
    yield (aggre == true)[ties].sum()
    yield (three == true).any(0)[ties].sum()
    wrong = three != true
    latest = np.where(wrong[2], last, np.where(wrong[1], two, one))
    yield wrong.any(0).sum()
    yield (worst == latest)[wrong.any(0)].sum()


def read_all(dataset: str, folder: str | Path | None = None) -> dict[str, Kept]:
    """A dataset's kept reports by noise, such as "symmetric 0.4" or "human worst", in the order of `specs`.

    Raises
    ------
    InputError
        for a file that is missing, or does not hold its report.
    """
    return {str(spec.noise): read(_file(_folder(folder), dataset, spec.noise)) for spec in specs(dataset)}


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
    """(K, 4) the counts "wrong" of `annotators_document`.

    Raises
    ------
    InputError
        for a file that is missing, or does not hold them.
    """
    file = _annotators_file(_folder(folder))
    data = _read(file)
    try:
        counts = np.array(data["wrong"], dtype=np.int64)
    except (KeyError, TypeError, ValueError):
        raise _refused(file) from None
    if counts.ndim != 2 or counts.shape[1] != len(ANNOTATORS) + 1 or not counts.sum(axis=1).all():
        raise _refused(file)
    return counts


def read_sets(folder: str | Path | None = None) -> tuple[dict[str, list[int]], dict[str, int]]:
    """The "sets" and the "facts" of `annotators_document`.

    Raises
    ------
    InputError
        for a file that is missing, or does not hold them.
    """
    file = _annotators_file(_folder(folder))
    data = _read(file)
    if set(data.get("facts", ())) != set(FACTS) or not isinstance(data.get("sets"), dict):
        raise _refused(file)
    return data["sets"], data["facts"]


def _folder(folder: str | Path | None) -> Path:
    return find_root() / FOLDER if folder is None else Path(folder)


def _file(folder: Path, dataset: str, noise: NoiseSpec) -> Path:
    return folder / f"{dataset}-{str(noise).replace(' ', '-')}.json"


def _annotators_file(folder: Path) -> Path:
    return folder / "cifar10-annotators.json"


def _write(file: Path, data: Document) -> None:
    """A line for each key and for each row of counts: small, and readable as text."""
    lines = []
    for key, value in data.items():
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        if key == "counts":
            text = "[\n" + ",\n".join(f"  {json.dumps(row)}" for row in value) + "\n]"
        lines.append(f"{json.dumps(key)}: {text}")
    files.write(file, "{\n" + ",\n".join(lines) + "\n}\n")


def _read(file: Path) -> Document:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        data = None
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise _refused(file)
    return data


def _refused(file: Path) -> InputError:
    return InputError(
        f"{file} is no report on noise of schema {SCHEMA}: restore it, or make all of them with "
        "jal.analysis.noise_reports.write_all()"
    )


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


def _made() -> Document:
    commit, dirty = provenance.commit(otherwise=provenance.UNKNOWN)
    return {
        "jal": __version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "commit": commit,
        "dirty": dirty,
        "date": datetime.now(UTC).date().isoformat(),
    }
