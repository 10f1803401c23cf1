"""Folders of Records: one JSON file a run, `<store>/<dataset>/<id>.json`."""

from __future__ import annotations

import re
import uuid
import warnings
from collections.abc import Callable, Container, Iterable, Sequence
from functools import lru_cache
from hashlib import sha256
from itertools import count
from pathlib import Path

from jal import files, locks
from jal.experiments import reads
from jal.experiments.record import Record, RecordError, check_complete, read, sealed
from jal.experiments.spec import SCIENCE, RunSpec

_ID = re.compile("[0-9a-f]{16}")

LIST = "without_digest.sha256"
"""The file of a store that lists the Records from before there were digests, as `sha256sum` writes it: those
alone are then read without one."""

ASIDE = ".aside"
"""The folder of a store for files that held no Record where a Record was to be."""


class Store:
    """A folder of Records."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"

    def file(self, spec: RunSpec) -> Path:
        """Where the Record of `spec` is, or would be."""
        return self.path / spec.dataset / f"{spec.id}.json"

    @property
    def checkpoints(self) -> Path:
        """The folder of what unfinished runs have reached."""
        return self.path / ".checkpoints"

    def lock(self, id: str) -> Path:
        """The lock of a run, which whoever makes it holds: see `jal.locks`."""
        return self.path / ".locks" / f"{id}.lock"

    def running(self) -> set[str]:
        """The ids of the runs that somebody is making."""
        return locks.held_in(self.path / ".locks")

    def prepare(self) -> None:
        """Makes the folder, and makes sure, before hours of training, that it can be written.

        Raises
        ------
        InputError
            if it cannot.
        """
        probe = self.path / f".{uuid.uuid4().hex}.tmp"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise files.unwritable(self.path, error) from None

    def put(self, record: Record) -> Path:
        """Writes a Record, whole or not at all, and says where; a file there that holds none is kept in `ASIDE`.

        Raises
        ------
        InputError
            if the folder cannot be written, or the Record is not one.
        """
        text, target = sealed(record), self.file(record.spec)
        self._set_aside(target)
        files.write(target, text)
        reads.note(target)
        return target

    def _set_aside(self, file: Path) -> None:
        """Moves a file that holds no Record to where it can be looked at."""
        if not file.is_file():
            return
        try:
            self._read(file)
        except RecordError:
            folder = self.path / ASIDE / file.parent.name
            names = (folder / f"{file.stem}{f'.{n}' * bool(n)}.json" for n in count())
            try:
                files.make_folder(folder)
                file.rename(next(name for name in names if not name.exists()))
            except OSError as error:
                raise files.unwritable(folder, error) from None

    def get(self, run: RunSpec | str) -> Record | None:
        """The Record of a spec or of an id, or None.

        Raises
        ------
        RecordError
            for a file that does not hold it.
        """
        if isinstance(run, RunSpec):
            reads.note(self.file(run))
        found = [self.file(run)] if isinstance(run, RunSpec) else self._files(f"{run}.json")
        return next((self._read(file) for file in found if file.is_file()), None)

    def records(
        self, complain: Callable[[str], None] = warnings.warn, but: Container[str] = ()
    ) -> list[Record]:
        """All Records of this version's numbers; each file that holds none of them is named to `complain`.

        Parameters
        ----------
        but
            the ids of those that are left out, because they have been read already.
        """
        found = []
        for file in self._files("*.json"):
            if file.stem in but:
                continue
            try:
                record = self._read(file)
                if record.spec.science != SCIENCE:
                    raise RecordError(
                        f"{file}: science {record.spec.science}, where this version is {SCIENCE}: left out"
                    )
                found.append(record)
            except RecordError as error:
                complain(str(error))
        return found

    def _read(self, file: Path) -> Record:
        try:
            content = file.read_bytes()
            record, has_digest = read(content.decode())
            check_complete(record)
        except (OSError, UnicodeDecodeError) as error:
            raise RecordError(f"{file} cannot be read ({error}): remove it, or restore it") from None
        except RecordError as error:
            raise RecordError(f"{file} is not a valid Record ({error}): remove it, or restore it") from None
        if file.stem != record.id:
            raise RecordError(f"{file} holds the Record {record.id}: rename it, or remove it")
        if not has_digest:
            self._check_listed(file, content)
        return record

    def _check_listed(self, file: Path, content: bytes) -> None:
        """
        Raises
        ------
        RecordError
            for a Record without a digest that is not as the store's list has it, where there is a list.
        """
        listing = self.path / LIST
        try:
            about = listing.stat()
        except OSError:
            return
        listed = _listed(listing, about.st_mtime_ns, about.st_size)
        if listed.get(f"{file.parent.name}/{file.name}") != sha256(content).hexdigest():
            raise RecordError(
                f"{file} has no digest and is not as {listing} has it: remove it, or restore it"
            )

    def _files(self, pattern: str) -> list[Path]:
        # Folders with a dot are for what is not a Record: checkpoints, locks, failures. And a Record is named by its
        # id: beside those of data/results there are benchmarks and reports.
        files = (file for file in self.path.glob(f"*/{pattern}") if not file.parent.name.startswith("."))
        found = (file for file in files if _ID.fullmatch(file.stem))
        return sorted(found, key=lambda file: file.parts)


def find(run: RunSpec | str, stores: Iterable[Store]) -> tuple[Record, Store] | None:
    """The first Record of a spec or an id in several stores, and the store that has it."""
    for store in stores:
        record = store.get(run)
        if record is not None:
            return record, store
    return None


def stored(spec: RunSpec, stores: Iterable[Store], keep: Sequence[str] = ()) -> Record | None:
    """The first Record of a spec that has kept all of these; a damaged file counts as missing, and is named."""
    for store in stores:
        try:
            record = store.get(spec)
        except RecordError as error:
            warnings.warn(f"{error}; it is kept in {ASIDE} when it is run again", stacklevel=3)
            continue
        if record is not None and record.has(keep):
            return record
    return None


@lru_cache(maxsize=8)
def _listed(listing: Path, changed: int, size: int) -> dict[str, str]:
    """The SHA-256 of each file in a list, by its path; read again once the list has changed."""
    lines = listing.read_bytes().decode(errors="replace").splitlines()
    entries = (line.partition("  ") for line in lines if not line.startswith("#"))
    return {path: digest for digest, _, path in entries}
