"""Arrays out of files that somebody else wrote: checked by SHA-256 before first use, then memory-mapped.

A file that passed is not read again: an empty file in the cache folder, named by what the operating system says of
the checked one, stands for the check. Where none can be written, the next load checks again.
"""

from __future__ import annotations

import hashlib
import math
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from jal.errors import InputError

AGAIN = "delete it and fetch it again"


@dataclass(frozen=True)
class Expected:
    """An array as it must be: uint8 pixels (N, height, width, channels) or int64 labels (N,).

    `file` is the .npy file that holds it, `sha256` the sum of its bytes, little-endian, without the file's header.
    """

    file: str
    shape: tuple[int, ...]
    sha256: str

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype("<i8" if len(self.shape) == 1 else "u1")


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


def read(path: Path, expected: Expected) -> NDArray[Any]:
    """The array in the .npy file at `path`: pixels as a read-only memory map, labels in memory.

    Raises
    ------
    InputError
        for a file that is missing, unreadable, truncated, or holds anything but the expected array.
    """
    try:
        if not path.is_file():
            raise InputError(f"no file {path}: fetch it, or name another folder with JAL_DATA or --data-root")
        with path.open("rb") as file:
            # Before the bytes are read: a change while they are makes the stamp void.
            stat = os.fstat(file.fileno())
            mapped = _mapped(file, path, stat.st_size, expected)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror or error}): see to it, or {AGAIN}"
        ) from None
    # The change time is there for a file rewritten under its old size and modification time.
    known = (
        str(path.absolute()),
        stat.st_ino,
        stat.st_size,
        stat.st_mtime_ns,
        stat.st_ctime_ns,
        expected.sha256,
    )
    if not _is_stamped(known):
        check(mapped, expected, path)
        _stamp(known)
    return mapped if mapped.ndim > 1 else mapped.copy()


def check(array: NDArray[Any], expected: Expected, path: Path) -> None:
    """Raises InputError, which names `path`, unless the array's bytes have the expected sum."""
    found = hashlib.sha256(array.reshape(-1).data).hexdigest()
    if found != expected.sha256:
        raise InputError(
            f"{path} is damaged or another edition: SHA-256 {found[:16]}..., "
            f"expected {expected.sha256[:16]}...: {AGAIN}"
        )


def write(path: Path, array: NDArray[Any]) -> None:
    """Writes a .npy file that is whole whenever it is there, whoever else writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        part = Path(file.name)
        try:
            np.save(file, array, allow_pickle=False)
            file.flush()
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def _mapped(file: BinaryIO, path: Path, size: int, expected: Expected) -> NDArray[Any]:
    # Not np.load: that takes zip archives as well, and trusts the header for how much to map.
    try:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError("version")
        shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
    except OSError:
        raise
    except Exception:  # numpy evaluates the header, and a malicious one fails in many ways
        raise InputError(f"{path} is not a .npy file of numbers: {AGAIN}") from None
    if (shape, dtype) != (expected.shape, expected.dtype) or fortran_order:
        order = ", column by column" if fortran_order else ""
        raise InputError(
            f"{path} holds {dtype} of shape {shape}{order}, expected {expected.dtype} of shape {expected.shape}: "
            f"{AGAIN}"
        )
    start = file.tell()
    whole = start + math.prod(shape) * dtype.itemsize
    if size != whole:
        raise InputError(f"{path} has {size} bytes, expected {whole}: it is cut or mixed up, {AGAIN}")
    return np.memmap(file, dtype, "r", start, shape).view(np.ndarray)


def _stamp_path(known: tuple[str | int, ...]) -> Path:
    return cache_folder() / "verified" / hashlib.sha256(repr(known).encode()).hexdigest()[:32]


def _is_stamped(known: tuple[str | int, ...]) -> bool:
    with suppress(OSError, RuntimeError):
        return _stamp_path(known).is_file()
    return False


def _stamp(known: tuple[str | int, ...]) -> None:
    with suppress(OSError, RuntimeError):
        stamp = _stamp_path(known)
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.touch()
