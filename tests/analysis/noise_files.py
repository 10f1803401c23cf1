"""The kept reports on CIFAR's noise: `python -m tests.analysis.noise_files` writes them, in a minute or two.

CIFAR, CIFAR-N and the release's fixed labels must be here (book/data.md). All is made again, the same but for the key
"made".
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from jal import files
from jal.analysis.noise_reports import (
    ANNOTATORS,
    DATASETS,
    FOLDER,
    SCHEMA,
    Document,
    Labels,
    annotators_file,
    document,
    made,
    report_file,
    specs,
)
from jal.checkout import find_root
from jal.datasets import ImageData, load
from jal.datasets.human import human_labels, human_source
from jal.noise import labels_sha256

FACTS = (
    *("unanimous", "unanimously wrong", "three different", "aggre is the majority"),
    *("aggre follows the fixed order", "aggre is right among three", "truth among three"),
    *("somebody is wrong", "worst is the last wrong one"),
)
"""Counts of CIFAR-10's training images. A majority is of two or three people; where all three differ there is none."""
_PREFERRED = np.array([0, 1, 2, 3, 4, 5, 6, 7, 0, 1])
"""By class, its place in the order in which aggre was taken where all three differ: ship and airplane, then truck and
automobile, then bird, cat, deer, dog, frog, horse; of two in one place the earlier person's."""


def write_all(
    folder: str | Path | None = None,
    root: str | Path | None = None,
    tell: Callable[[str], object] = sys.stderr.write,
) -> None:
    """Makes every report anew: into `folder`, of the datasets under `root`; `tell` takes how far it is."""
    target = find_root() / FOLDER if folder is None else Path(folder)
    for dataset in DATASETS:
        data = load(dataset, root)
        for spec in specs(dataset):
            _write(report_file(target, dataset, spec.noise), document(spec, data, root))
            tell(f"{dataset} {spec.noise}\n")
        if dataset == "cifar10":
            _write(annotators_file(target), annotators_document(data, root))


def annotators_document(data: ImageData, root: str | Path | None = None) -> Document:
    """What CIFAR-10N's three people gave, in counts of images, and how its other sets were made of it.

    "wrong": by true class, how many images have 0, 1, 2 and 3 wrong labels. "sets": of aggre, rand1 and worst, how many
    wrong labels stand on images that 0, 1, 2 and 3 people named wrongly. "facts": the counts that `FACTS` names.
    """
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
        "made": made(),
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


def _write(file: Path, data: Document) -> None:
    """A line for each key and for each row of counts: small, and readable as text."""
    lines = []
    for key, value in data.items():
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        if key == "counts":
            text = "[\n" + ",\n".join(f"  {json.dumps(row)}" for row in value) + "\n]"
        lines.append(f"{json.dumps(key)}: {text}")
    files.write(file, "{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    write_all()
