"""Images that are opened when they are asked for, and what is wrong with those that cannot be."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from io import BytesIO
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jal.datasets.images import Labels
from jal.datasets.large.lists import Paths, Problem, shown
from jal.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")
"""What an image may be, whatever its name: Pillow hands some other formats to programs of the system."""

LARGEST = 2**26
"""No image has more bytes."""

END = b"\xff\xd9"
"""The end marker of a JPEG file; it cannot occur within the data."""

FINE = "fine"


class Look(NamedTuple):
    """One look at a file: its state, and, where they could be found out, what is said of the image.

    `state` is `FINE`, "missing", "empty", "unreadable" (permission, a loop of links, no file), "too large",
    "not an image" or "damaged" (cut, or it cannot be decoded). `changed` is the file's time of change in
    nanoseconds, `sha256` the sum of its bytes.
    """

    state: str
    size: int = 0
    changed: int = 0
    width: int = 0
    height: int = 0
    sha256: bytes = bytes(32)


def look(path: Path, thorough: bool = False) -> Look:
    """Reads a file and finds what is wrong with it as an image; never raises for what it holds.

    Without `thorough` a JPEG file that ends with the end marker is not decoded, its header apart.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        status = path.stat()
        # Opening a pipe would wait for somebody to write.
        if not stat.S_ISREG(status.st_mode):
            return Look("unreadable")
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError):
        return Look("missing")
    except OSError:
        return Look("unreadable")
    when = (status.st_size, status.st_mtime_ns)
    if not content:
        return Look("empty", *when)
    if len(content) > LARGEST:
        return Look("too large", *when)
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
            if width * height > (Image.MAX_IMAGE_PIXELS or inf):
                return Look("too large", *when)
            jpeg = image.format in ("JPEG", "MPO")
            if jpeg and END not in content:
                # Zeros in the place of a tail can pass for data.
                return Look("damaged", *when)
            if thorough or not (jpeg and content.rstrip(b"\0").endswith(END)):
                # An eighth of the size reads as much of the file, in two thirds of the time.
                image.draft(None, (1, 1))
                image.load()
    except UnidentifiedImageError:
        return Look("not an image", *when)
    except Image.DecompressionBombError:
        return Look("too large", *when)
    except Exception:  # Pillow fails on a damaged file in many ways
        return Look("damaged", *when)
    return Look(FINE, *when, width, height, hashlib.sha256(content).digest())


@dataclass(frozen=True)
class LargeImages:
    """Images on disk and their labels, in the order of the official list.

    Other labels for the same images: `dataclasses.replace(images, labels=noisy)`.

    Attributes
    ----------
    name, split
        as in `jal.datasets.large.SPLITS`.
    root
        the folder that the paths start from.
    paths
        (N,), the bytes of their names: one array, so that a loader's processes share it.
    labels
        int64, (N,), 0 to K-1.
    classes
        the K classes' names, in the order of the labels.
    sha256
        the sum over the paths, the listed labels and the sums of the images: two machines with the same have the
        same data.
    left_out
        what the list has and cannot be used, if that was asked for.

    Raises
    ------
    InputError
        for labels of another type or number, or outside 0 to K-1.
    """

    name: str
    split: str
    root: Path
    paths: Paths
    labels: Labels
    classes: tuple[str, ...]
    sha256: str = ""
    left_out: tuple[Problem, ...] = ()

    def __post_init__(self) -> None:
        where = f"{self.name} {self.split}"
        if self.labels.dtype != np.int64 or self.labels.shape != self.paths.shape:
            raise InputError(
                f"{where}: labels are {self.labels.dtype} of shape {self.labels.shape}: "
                f"give int64 ({len(self.paths)},)"
            )
        outside = self.labels[(self.labels < 0) | (self.labels >= self.num_classes)]
        if outside.size:
            raise InputError(
                f"{where}: labels hold {outside[0]}, outside 0..{self.num_classes - 1}: relabel, or name every class"
            )

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.classes)

    def path(self, index: int) -> Path:
        """Where an image is."""
        return self.root / os.fsdecode(bytes(self.paths[index]))

    def open(self, index: int) -> Image:
        """An image in RGB, decoded, whatever it is in the file: CMYK, grey, a palette.

        As torchvision's loader has it: the orientation that a camera wrote beside the image is not applied.

        Raises
        ------
        InputError
            for an image that is missing or broken by now.
        """
        from PIL import Image

        path = self.path(index)
        try:
            with Image.open(path, formats=FORMATS) as image:
                return image.convert("RGB")
        except Exception as error:  # Pillow fails on a damaged file in many ways
            state = look(path, thorough=True).state
            reason = type(error).__name__ if state == FINE else state
            raise InputError(
                f"{shown(os.fsencode(path))} cannot be opened as an image ({reason}): see `jal data verify "
                f"{self.name}`, and extract it again"
            ) from None
