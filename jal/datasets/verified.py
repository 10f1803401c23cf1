"""Arrays out of files that somebody else wrote: checked by SHA-256 before first use, then memory-mapped.

A file that passed is not read again: an empty file in the cache folder, named by what the operating system says of
the checked one, stands for the check. Where none can be written, the next load checks again.
"""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from jal.errors import InputError
from jal.files import is_draft, is_ours, make_folder

AGAIN = "delete it and fetch it again"

ABANDONED = 3600
"""The seconds without a change after which a draft is one that a crash left."""


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


def read(path: Path, expected: Expected, afresh: bool = False) -> NDArray[Any]:
    """The array in the .npy file at `path`: pixels as a read-only memory map, labels in memory.

    Parameters
    ----------
    afresh
        every byte is read and checked, whatever was before.

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
    known = _identity(path, stat, expected)
    if afresh:
        _unstamp(known)
    if not _is_stamped(known):
        check(mapped, expected, path)
        _stamp(known)
    return mapped if mapped.ndim > 1 else mapped.copy()


def is_verified(path: Path, expected: Expected) -> bool:
    """Whether the file was checked and has not changed since."""
    with suppress(OSError):
        return _is_stamped(_identity(path, path.stat(), expected))
    return False


def check(array: NDArray[Any], expected: Expected, path: Path) -> None:
    """Raises InputError, which names `path`, unless the array's bytes have the expected sum."""
    found = hashlib.sha256(array.reshape(-1).data).hexdigest()
    if found != expected.sha256:
        raise InputError(
            f"{path} is damaged or another edition: SHA-256 {found[:16]}..., "
            f"expected {expected.sha256[:16]}...: {AGAIN}"
        )


def write(path: Path, array: NDArray[Any]) -> None:
    """Writes a .npy file that is whole whenever it is there, whoever else writes it, and after a crash.

    Raises
    ------
    OSError
        if it cannot be written. Nothing is left then.
    """
    make_folder(path.parent)
    clean(path.parent)
    draft = draft_beside(path)
    try:
        with draft.open("xb") as file:
            np.save(file, array, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def draft_beside(path: Path) -> Path:
    """A name in the same folder that nobody else takes and `jal.files.is_draft` knows."""
    return path.with_name(f".{path.stem}.{uuid.uuid4().hex}.tmp")


def clean(folder: Path) -> None:
    """Removes the drafts, files and folders, that crashes left; those somebody is writing stay."""
    with suppress(OSError):
        for draft in filter(is_draft, folder.iterdir()):
            changed = max(path.lstat().st_mtime for path in (draft, *draft.rglob("*")))
            if time.time() - changed > ABANDONED:
                shutil.rmtree(draft) if draft.is_dir() and not draft.is_symlink() else draft.unlink()


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
            f"{path} holds {dtype!s:.40} of shape {shape!s:.60}{order}, "
            f"expected {expected.dtype} of shape {expected.shape}: {AGAIN}"
        )
    start = file.tell()
    whole = start + expected.nbytes
    if size != whole:
        raise InputError(f"{path} has {size} bytes, expected {whole}: it is cut or mixed up, {AGAIN}")
    return np.memmap(file, dtype, "r", start, shape).view(np.ndarray)


def _identity(path: Path, stat: os.stat_result, expected: Expected) -> tuple[str | int, ...]:
    # The change time is there for a file rewritten under its old size and modification time.
    times = stat.st_mtime_ns, stat.st_ctime_ns
    return str(path.absolute()), stat.st_ino, stat.st_size, *times, expected.sha256


def _stamp_path(known: tuple[str | int, ...]) -> Path:
    return cache_folder() / "verified" / hashlib.sha256(repr(known).encode()).hexdigest()[:32]


def _is_stamped(known: tuple[str | int, ...]) -> bool:
    with suppress(OSError, RuntimeError):
        stamp = _stamp_path(known)
        return stamp.is_file() and is_ours(stamp)
    return False


def _stamp(known: tuple[str | int, ...]) -> None:
    with suppress(OSError, RuntimeError):
        stamp = _stamp_path(known)
        stamp.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        stamp.touch(mode=0o600)


def _unstamp(known: tuple[str | int, ...]) -> None:
    with suppress(OSError, RuntimeError):
        _stamp_path(known).unlink(missing_ok=True)
