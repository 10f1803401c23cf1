"""What the paper's Table 6 trains and tests on: a list of images to train on, and one or two to test on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from jal.datasets.images import Labels
from jal.datasets.large import load
from jal.datasets.large.images import LargeImages
from jal.errors import InputError, unknown

TRAINED = {
    "webvision": (("webvision", "train"), ("webvision", "val"), ("ilsvrc12", "val")),
    "clothing1m": (("clothing1m", "noisy_train"), ("clothing1m", "clean_test")),
}
"""For each dataset that is trained on: the training split, the main test split, and others to be tested on."""


@dataclass(frozen=True)
class LargeData:
    """A dataset that is read image by image: the counterpart of `jal.datasets.ImageData`.

    Attributes
    ----------
    train, test
        images with their labels; the training labels are as they come, partly wrong.
    others
        further test images, by the name of their dataset.
    """

    train: LargeImages
    test: LargeImages
    others: Mapping[str, LargeImages]

    @property
    def train_labels(self) -> Labels:
        """int64, (N,)."""
        return self.train.labels

    @property
    def num_classes(self) -> int:
        """K."""
        return self.train.num_classes

    @property
    def left_out(self) -> dict[str, list[str]]:
        """What the lists have and cannot be used: of each list that has such, what is wrong with which image."""
        lists = (self.train, self.test, *self.others.values())
        return {
            f"{images.name} {images.split}": [
                f"{problem.kind}: {problem.name}" for problem in images.left_out
            ]
            for images in lists
            if images.left_out
        }

    def first(self, n: int) -> LargeData:
        """The same with the first `n` training images only.

        Raises
        ------
        InputError
            unless n is in 1..N.
        """
        if not 1 <= n <= len(self.train):
            raise InputError(f"{n} of {len(self.train)} training images: give a number from 1 to all of them")
        part = replace(self.train, paths=self.train.paths[:n], labels=self.train.labels[:n])
        return replace(self, train=part)


def load_sets(name: str, root: str | Path | None = None, skip_broken: bool = False) -> LargeData:
    """All that a run on one of the large datasets reads, checked as `jal.datasets.large.load` does.

    Parameters
    ----------
    name
        one of `TRAINED`.
    root
        the folder of the datasets' folders; $JAL_DATA if left out.
    skip_broken
        leaves out what cannot be used, of every list; `left_out` says what.

    Raises
    ------
    InputError
        for an unknown name, and as `jal.datasets.large.load` for what is missing or broken.
    """
    if name not in TRAINED:
        raise unknown("large dataset to train on", name, TRAINED)
    train, test, *others = (load(*split, root, skip_broken=skip_broken) for split in TRAINED[name])
    return LargeData(train, test, {images.name: images for images in others})
