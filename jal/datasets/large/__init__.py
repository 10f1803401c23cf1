"""Datasets too large to hold: mini WebVision, ILSVRC12's validation set of the same classes, Clothing1M.

`load("webvision", "train")` reads the official lists and opens each image when it is asked for; `verify("webvision")`
says what is wrong with a copy, all of it at once. Nothing is downloaded: the owners ask for a registration
(ILSVRC12) or a request (Clothing1M), and the sets may not be passed on. In the folder that JAL_DATA or `root`
names, or in webvision/, ilsvrc12/ or clothing1m/ below it:

- WebVision 1.0 (Li et al., arXiv:1708.02862): info/ of info.tar; google/ and val_images_256/ of the resized
  archives, or google/ and val_images/ of the originals. Mini is its Google part and its first 50 classes.
- ILSVRC12 (Russakovsky et al., IJCV 2015): val/ with a folder a synset; or flat, as it is released, with one of
  LOC_val_solution.csv, the development kit's ILSVRC2012_validation_ground_truth.txt and meta.mat, or Caffe's val.txt.
- Clothing1M (Xiao et al., CVPR 2015): the key lists and label files, there or in annotations/, and images/.

Tested on generated trees in these layouts; the real sets have not been read by the tests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from jal.datasets.large import lists
from jal.datasets.large.images import FINE, LargeImages
from jal.datasets.large.known import SPLITS
from jal.datasets.large.lists import Listing, Problem, shown
from jal.datasets.large.manifest import STATES, Rows, examine
from jal.datasets.large.report import Report, refusal
from jal.errors import InputError

__all__ = ["SPLITS", "LargeImages", "Problem", "Report", "load", "verify"]

Progress = Callable[[str, int, int], None]
"""Called with the split, how many images are read, and of how many."""


def load(
    name: str,
    split: str,
    root: str | Path | None = None,
    *,
    skip_broken: bool = False,
    progress: Progress | None = None,
    workers: int | None = None,
) -> LargeImages:
    """The images of an official list, in its order, with its labels.

    The first call reads every file once, for the manifest (`jal.datasets.large.manifest`); later calls read the
    lists and the manifest, and look again at what was missing or broken.

    Parameters
    ----------
    name, split
        one of `SPLITS`, and one of its splits. Clothing1M's "noisy_train" has the noisy labels, its others the
        clean ones.
    root
        the folder that holds the dataset's folder, or that itself; the environment variable JAL_DATA if left out.
    skip_broken
        leaves out what cannot be used; `left_out` of the result says what.
    progress, workers
        told while files are read; how many threads read them, as in ThreadPoolExecutor.

    Raises
    ------
    InputError
        for an unknown name or split; a list or folder that is missing, or has other classes than the known ones;
        and, all in one, for every image that is missing or broken.
    """
    listing = lists.read(name, split, root)
    rows = examine(listing, progress=_of(split, progress), workers=workers)
    problems = _problems(listing, rows)
    rows = rows[rows["state"] == STATES.index(FINE)]
    if problems and not (skip_broken and len(rows)):
        raise refusal(listing, problems)
    return LargeImages(
        name=name,
        split=split,
        root=listing.base,
        paths=np.ascontiguousarray(rows["path"]),
        labels=rows["label"].astype(np.int64),
        classes=listing.classes,
        sha256=_sum(rows),
        left_out=problems,
    )


def verify(
    name: str,
    root: str | Path | None = None,
    *,
    splits: Sequence[str] | None = None,
    thorough: bool = False,
    progress: Progress | None = None,
    workers: int | None = None,
) -> Report:
    """What is wrong with a copy of a dataset: lists, folders and images, all at once.

    Files whose size or time of change is not the manifest's are read again, and what was missing or broken. A JPEG
    is taken for whole if its header can be read and it ends with the end marker, which finds the missing, the empty,
    the cut and what is no image.

    Parameters
    ----------
    name, root, progress, workers
        as in `load`.
    splits
        which; all if left out.
    thorough
        reads every file again, and decodes it.

    Returns
    -------
    Report
        to print, or `to_dict()`; `ok` says whether all can be used.

    Raises
    ------
    InputError
        for an unknown name or split, or where there is no such folder.
    """
    lists.check_name(name, splits or ())
    folder = lists.dataset_folder(name, root)
    images: dict[str, int] = {}
    problems: list[Problem] = []
    remarks: list[str] = []
    for split in splits or SPLITS[name]:
        try:
            listing = lists.read(name, split, root)
        except InputError as error:
            images[split] = 0
            problems.append(Problem(split, "no list", str(error)))
            continue
        rows = examine(
            listing, changed=True, thorough=thorough, progress=_of(split, progress), workers=workers
        )
        images[split] = listing.count
        problems += _problems(listing, rows)
        remarks += [f"{split}: {remark}" for remark in listing.remarks + _copies(rows)]
    return Report(name, str(folder), images, tuple(problems), tuple(remarks))


def _of(split: str, progress: Progress | None) -> Callable[[int, int], None] | None:
    return progress and (lambda done, total: progress(split, done, total))


def _problems(listing: Listing, rows: Rows) -> tuple[Problem, ...]:
    broken = rows[rows["state"] != STATES.index(FINE)]
    return listing.problems + tuple(
        Problem(listing.split, STATES[state], shown(path))
        for state, path in zip(broken["state"].tolist(), broken["path"].tolist(), strict=True)
    )


def _copies(rows: Rows) -> tuple[str, ...]:
    """A remark on files that hold the same bytes under several names."""
    fine = rows[rows["state"] == STATES.index(FINE)]
    names = len(np.unique(fine["path"]))
    files = len(np.unique(np.ascontiguousarray(fine["sha256"]).view("V32")))
    return (f"images that are another's copy, byte by byte: {names - files}",) if names > files else ()


def _sum(rows: Rows) -> str:
    total = hashlib.sha256(b"\n".join(rows["path"].tolist()))
    total.update(rows["label"].tobytes())
    total.update(rows["sha256"].tobytes())
    return total.hexdigest()
