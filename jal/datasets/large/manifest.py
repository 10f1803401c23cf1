"""The manifest of a split: for each image its path, label, size, checksum and state, found out once.

It is one .npy file in the cache folder, in large/, named by the dataset, its folder and its list: another folder or
list has another. It is an array of records because a million of them need no parser. While images are read, what is
known goes into a journal beside it every thousand of them, and who is interrupted goes on from there. Two processes
at once do the work twice, and no harm.

The list alone says which image has which label. What the cache says of the files is believed only if it is of the same
list and nobody but this user can have written it (`jal.files.is_ours`); else the images are read again.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jal.datasets import checksum
from jal.datasets.large.images import FINE, look
from jal.datasets.large.lists import Listing
from jal.errors import InputError
from jal.files import is_ours

Numbers = NDArray[np.intp]
Rows = NDArray[Any]
"""A manifest: a row an image, with the fields path, label and those of `FOUND`."""

STATES = ("", FINE, "missing", "empty", "unreadable", "too large", "not an image", "damaged")
"""What the numbers of the field `state` mean; those not looked at yet have 0."""

FOUND = [
    ("state", "u1"),
    ("size", "<i8"),
    ("changed", "<i8"),
    ("width", "<i4"),
    ("height", "<i4"),
    ("sha256", "u1", (32,)),
]
"""The fields of `jal.datasets.large.images.Look`."""

_ENTRY = np.dtype([("row", "<i8"), *FOUND])
_VERSION = 1
_SAVED = 1024
_AT_ONCE = 64


def examine(
    listing: Listing,
    *,
    changed: bool = False,
    thorough: bool = False,
    progress: Callable[[int, int], None] | None = None,
    workers: int | None = None,
) -> Rows:
    """The manifest of a listing. Images that are not in the cached one, or were broken, are read.

    Parameters
    ----------
    changed
        reads also those whose size or time of change is no longer the manifest's.
    thorough
        reads and decodes all.
    progress
        called with how many images are read, and of how many.
    workers
        how many threads, as in ThreadPoolExecutor. They wait for the disk together; Pillow decodes one at a time.

    Returns
    -------
    Rows
        (N,), in the order of the listing.
    """
    file = _file(listing)
    rows = _cached(file, listing)
    base = str(listing.base)
    paths = [f"{base}/{os.fsdecode(path)}" for path in rows["path"].tolist()]
    journal = file and file.with_name(f"{file.stem}.{uuid.uuid4().hex}.part")
    asked = np.full(len(rows), thorough) | (rows["state"] != STATES.index(FINE))
    with ThreadPoolExecutor(workers) as pool:
        if changed:
            blocks = _blocks(np.flatnonzero(~asked), _SAVED)
            for differ in pool.map(lambda block: _changed(block, paths, rows), blocks):
                asked[differ] = True
        todo = np.flatnonzero(asked)
        done = 0
        for part in _blocks(todo, _SAVED):
            entries = np.concatenate(
                list(pool.map(lambda block: _looked_at(block, paths, thorough), _blocks(part, _AT_ONCE)))
            )
            _enter(rows, entries)
            journal = _noted(journal, entries)
            done += len(part)
            if progress:
                progress(done, len(todo))
    if len(todo) and file:
        _keep(file, rows)
    return rows


def _blocks(numbers: Numbers, size: int) -> list[Numbers]:
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]


def _looked_at(block: Numbers, paths: list[str], thorough: bool) -> NDArray[Any]:
    entries = []
    for row in block.tolist():
        state, *found, total = look(Path(paths[row]), thorough)
        entries.append((row, STATES.index(state), *found, list(total)))
    return np.array(entries, _ENTRY)


def _changed(block: Numbers, paths: list[str], rows: Rows) -> list[int]:
    """Those of a block whose size or time of change is no longer the manifest's."""
    known = zip(block.tolist(), rows["size"][block].tolist(), rows["changed"][block].tolist(), strict=True)
    return [row for row, *then in known if _now(paths[row]) != then]


def _now(path: str) -> list[int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116  a million Paths take seconds
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]


def _enter(rows: Rows, entries: NDArray[Any]) -> None:
    for name, *_ in FOUND:
        rows[name][entries["row"]] = entries[name]


def _file(listing: Listing) -> Path | None:
    base = str(listing.base.absolute()).encode(errors="surrogateescape")
    key = hashlib.sha256(b"%d\0%s\0" % (_VERSION, base))
    where = key.hexdigest()[:12]
    key.update(listing.paths.tobytes())
    key.update(listing.labels.tobytes())
    with suppress(RuntimeError):  # the user has no home
        name = f"{listing.name}-{listing.split}-{where}-{key.hexdigest()[:16]}.npy"
        return checksum.cache_folder() / "large" / name
    return None


def _cached(file: Path | None, listing: Listing) -> Rows:
    """The manifest of the cache, brought up to date by what interrupted readings left; rows of state 0 without one."""
    rows = np.zeros(len(listing.paths), [("path", listing.paths.dtype), ("label", "<i8"), *FOUND])
    rows["path"], rows["label"] = listing.paths, listing.labels
    if file is None:
        return rows
    with suppress(Exception):  # a damaged file fails in many ways, and then the images are read anew
        kept = np.load(file, mmap_mode="r", allow_pickle=False) if is_ours(file) else rows[:0]
        if kept.dtype == rows.dtype and all(np.array_equal(kept[of], rows[of]) for of in ("path", "label")):
            for name, *_ in FOUND:
                rows[name] = kept[name]
    for journal in sorted(file.parent.glob(f"{file.stem}.*.part")):
        with suppress(OSError):
            content = journal.read_bytes() if is_ours(journal) else b""
            entries = np.frombuffer(content, _ENTRY, len(content) // _ENTRY.itemsize)
            # After a loss of power a file may end in zeros.
            there = (entries["state"] > 0) & (entries["row"] >= 0) & (entries["row"] < len(rows))
            _enter(rows, entries[there])
    rows["state"][rows["state"] >= len(STATES)] = 0
    return rows


def _noted(journal: Path | None, entries: NDArray[Any]) -> Path | None:
    """Appends to the journal; None, and no journal from then on, where it cannot be written."""
    with suppress(OSError):
        if journal:
            journal.parent.mkdir(parents=True, exist_ok=True)
            with journal.open("ab") as file:
                file.write(entries.tobytes())
            return journal
    return None


def _keep(file: Path, rows: Rows) -> None:
    """Writes the manifest; those of the folder's earlier lists go, and the journals. If it cannot, nothing changes."""
    with suppress(OSError, InputError):
        checksum.write_array(file, rows)
        for old in file.parent.glob(f"{file.stem.rpartition('-')[0]}-*"):
            if old != file:
                old.unlink(missing_ok=True)
