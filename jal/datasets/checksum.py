"""Files that somebody else wrote: read within a bound, and compared with the checksum that is known.

Only what has a known checksum is given to a reader that could run code (`pickle`, `torch.load`, `tarfile`).
"""

from __future__ import annotations

import hashlib
import math
import os
import stat
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jal import files
from jal.errors import InputError

AGAIN = "delete it and fetch it again"

LARGEST_FILE = 2**28
"""Bytes. No released file of small images has more, packed or unpacked; the largest has 170 million."""

_ABANDONED = 3600
"""The seconds without a change after which a half-written file is one that a crash left."""


@dataclass(frozen=True)
class Expected:
    """An array as it must be: uint8 pixels (N, height, width, channels) or int64 labels (N,).

    `file` is the .npy file that holds it, `sha256` the sum of its bytes, little-endian, without the file's header.
    """

    file: str
    shape: tuple[int, ...]
    sha256: str

    @property
    def name(self) -> str:
        """x_train, y_train_fine and so on."""
        return self.file.removesuffix(".npy")

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype("<i8" if len(self.shape) == 1 else "u1")

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def cache_folder() -> Path:
    """$JAL_CACHE, else jal/ in $XDG_CACHE_HOME or ~/.cache.

    Raises
    ------
    RuntimeError
        where the user has no home.
    """
    if named := os.environ.get("JAL_CACHE"):
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "jal"


def find(root: str | Path | None, names: Iterable[str]) -> Path | None:
    """The first of these files that is there, below `root`, else below the folder that JAL_DATA names."""
    folder = root or os.environ.get("JAL_DATA")
    if not folder:
        return None
    paths = (Path(folder).expanduser() / name for name in names)
    # A link that leads nowhere counts as there: reading it says what is wrong.
    return next((path for path in paths if os.path.lexists(path)), None)


def check_is_file(path: Path) -> None:
    """Raises InputError for a folder, a device or a pipe, and OSError for what is not there."""
    # Opening a pipe would wait for somebody to write.
    if not stat.S_ISREG(path.stat().st_mode):
        raise InputError(f"{path} is not a file: put the file itself there, or name another folder")


def unreadable(path: Path, error: OSError) -> InputError:
    """The one-line error for a file that the system does not give."""
    return InputError(f"{path} cannot be read ({error.strerror or error}): see to it, or {AGAIN}")


def read(path: Path, limit: int = LARGEST_FILE) -> bytes:
    """What a file holds.

    Raises
    ------
    InputError
        for what is not a file, cannot be read, or holds more than `limit` bytes.
    """
    try:
        check_is_file(path)
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise unreadable(path, error) from None
    if len(content) > limit:
        raise InputError(f"{path} has more than {limit} bytes: it is not the released file, {AGAIN}")
    return content


def check(content: bytes | NDArray[Any], known: str, path: Path, instead: str = AGAIN) -> None:
    """Raises InputError, which names `path` and the remedy, unless bytes have the known SHA-256, or "md5:" sum."""
    algorithm, _, digest = known.rpartition(":")
    data = content.reshape(-1).data if isinstance(content, np.ndarray) else content
    found = hashlib.new(algorithm or "sha256", data).hexdigest()
    if found != digest:
        raise InputError(
            f"{path} is damaged or another edition: {(algorithm or 'SHA-256').upper()} {found[:16]}..., "
            f"expected {digest[:16]}...: {instead}"
        )


def read_array(path: Path, expected: Expected) -> NDArray[Any]:
    """The array in the .npy file at `path`: pixels as a read-only memory map, labels in memory.

    Raises
    ------
    InputError
        for a file that is missing, unreadable, truncated, or holds anything but the expected array.
    """
    try:
        check_is_file(path)
        with path.open("rb") as file:
            # Not np.load, which takes zip archives as well.
            mapped = np.lib.format.open_memmap(path, mode="r") if file.read(6) == b"\x93NUMPY" else None
    except FileNotFoundError:
        raise InputError(
            f"no file {path}: fetch it, or name another folder with JAL_DATA or --data-root"
        ) from None
    except OSError as error:
        raise unreadable(path, error) from None
    except InputError:
        raise
    except Exception:  # numpy evaluates the header, and a malicious one fails in many ways
        mapped = None
    if mapped is None:
        raise InputError(f"{path} is not a whole .npy file of numbers: {AGAIN}")
    if (mapped.shape, mapped.dtype) != (expected.shape, expected.dtype) or not mapped.flags.c_contiguous:
        raise InputError(
            f"{path} holds {mapped.dtype!s:.40} of shape {mapped.shape!s:.60}, expected {expected.dtype} of shape "
            f"{expected.shape}, row by row: {AGAIN}"
        )
    check(mapped, expected.sha256, path)
    return mapped.view(np.ndarray) if mapped.ndim > 1 else np.array(mapped)


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Writes a .npy file that is whole whenever it is there, whoever else writes it, and after a crash.

    Raises
    ------
    InputError
        if it cannot be written. Nothing is left then.
    """
    clean(path.parent)
    buffer = BytesIO()
    np.save(buffer, array, allow_pickle=False)
    files.write(path, buffer.getvalue())


def from_npz(path: Path, key: str, limit: int) -> NDArray[Any]:
    """The array of numbers named `key` in a .npz file.

    Raises
    ------
    InputError
        for what is no such file, lacks the array, or holds more than `limit` bytes, packed or unpacked.
    """
    content = BytesIO(read(path, limit))
    try:
        with np.load(content, allow_pickle=False) as held:
            if key not in held.files:
                raise InputError(f"{path} has no array {key}: {AGAIN}")
            if held.zip.getinfo(f"{key}.npy").file_size > limit:
                raise InputError(f"{path}: {key} would unpack to more than {limit} bytes: {AGAIN}")
            array = held[key]
            if not isinstance(array, np.ndarray):  # numpy gives the bytes of a member that is no array
                raise InputError(f"{path}: {key} is no array of numbers: {AGAIN}")
    except InputError:
        raise
    except Exception as error:  # a damaged archive fails in many ways
        raise InputError(
            f"{path} is not a whole .npz file of numbers ({type(error).__name__}): {AGAIN}"
        ) from None
    return array


def clean(folder: Path) -> None:
    """Removes what crashes left half written in a folder; what somebody is writing stays."""
    with suppress(OSError):
        for file in folder.iterdir():
            # `jal.files` writes the former, pooch the latter.
            half = files.is_draft(file) or file.name.startswith("tmp")
            if half and time.time() - file.lstat().st_mtime > _ABANDONED:
                file.unlink()
