"""Images and labels as arrays, the same for every dataset of small images."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from jal.errors import InputError

Pixels = NDArray[np.uint8]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class ImageData:
    """A dataset of small images, held whole.

    The pixels may be read-only: those of a file are a memory map of it, of which `torch.from_numpy` warns.
    `torch.from_numpy(np.array(data.train_images))` copies them, in half the time of `torch.tensor`.

    Attributes
    ----------
    name
        as in `jal.datasets.names()`.
    train_images, test_images
        uint8, (N, height, width, channels), grey levels 0 to 255.
    train_labels, test_labels
        int64, (N,), the true labels, 0 to K-1.
    classes
        the K classes' names, in the order of the labels.

    Raises
    ------
    InputError
        for arrays of another type or shape, images without a label, or a label outside 0 to K-1.
    """

    name: str
    train_images: Pixels
    train_labels: Labels
    test_images: Pixels
    test_labels: Labels
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        for part, images, labels in (
            ("train", self.train_images, self.train_labels),
            ("test", self.test_images, self.test_labels),
        ):
            where = f"{self.name}: {part}"
            if images.dtype != np.uint8 or images.ndim != 4:
                raise InputError(
                    f"{where}_images are {images.dtype} of shape {images.shape}: "
                    "give uint8 (N, height, width, channels)"
                )
            if labels.dtype != np.int64 or labels.shape != images.shape[:1]:
                raise InputError(
                    f"{where}_labels are {labels.dtype} of shape {labels.shape}: give int64 ({len(images)},)"
                )
            outside = labels[(labels < 0) | (labels >= self.num_classes)]
            if outside.size:
                raise InputError(
                    f"{where}_labels hold {outside[0]}, outside 0..{self.num_classes - 1}: "
                    "relabel, or name every class"
                )

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.classes)

    def first(self, n: int) -> ImageData:
        """The same dataset with its first `n` training images only; the test images stay.

        Raises
        ------
        InputError
            unless n is in 1..N.
        """
        if not 1 <= n <= len(self.train_labels):
            raise InputError(
                f"the first {n} training images of {self.name}: it has {len(self.train_labels)}, ask for 1 to all"
            )
        return replace(self, train_images=self.train_images[:n], train_labels=self.train_labels[:n])
