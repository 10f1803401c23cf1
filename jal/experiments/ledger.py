"""The ledger of a store: which runs are being made, by whom, and which failed.

Beside the Records: a claim `<store>/.claims/<id>.json` for each run that is being made, so that several sweeps of
one store, on one machine or on many that share the folder, do no run twice; and a note `<store>/.failed/<id>.json`
for each that failed: `reason`, one line, `commit` and `time`.
"""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from jal import files

HEARTBEAT = 30.0
"""Seconds after which a claim is renewed."""

STALE = 600.0
"""Seconds without a sign of life after which a claim on another machine is void."""

_PROCESS = uuid.uuid4().hex
"""Tells this process from an earlier one that had the same number."""


class Ledger:
    """The claims and failures of one store.

    Parameters
    ----------
    store
        the store's folder.
    """

    def __init__(self, store: Path) -> None:
        self._claims = store / ".claims"
        self._failed = store / ".failed"
        self._mine: set[str] = set()
        self._renewed = time.monotonic()

    def claim(self, id: str) -> bool:
        """Whether the run is now this ledger's to make. A claim whose owner is dead is taken over.

        Raises
        ------
        InputError
            if the folder cannot be written.
        """
        file = self._claims / f"{id}.json"
        owner = {"host": socket.gethostname(), "pid": os.getpid(), "process": _PROCESS, "since": _now()}
        try:
            files.make_folder(self._claims)
            if not _create(file, json.dumps(owner)) and not (
                _clear(file) and _create(file, json.dumps(owner))
            ):
                return False
        except OSError as error:
            raise files.unwritable(self._claims, error) from None
        self._mine.add(id)
        return True

    def renew(self) -> None:
        """Signs of life for this ledger's claims, where they are due."""
        if time.monotonic() - self._renewed >= HEARTBEAT:
            self._renewed = time.monotonic()
            for id in self._mine:
                with suppress(OSError):
                    os.utime(self._claims / f"{id}.json")

    def release(self, id: str) -> None:
        """Gives a run up, or back."""
        self._mine.discard(id)
        (self._claims / f"{id}.json").unlink(missing_ok=True)

    def running(self) -> set[str]:
        """The ids that somebody alive has claimed."""
        return {file.stem for file in _listing(self._claims) if _look(file)[1]}

    def fail(self, id: str, reason: str, commit: str) -> None:
        """Notes that a run failed, and why, in one line.

        Raises
        ------
        InputError
            if the folder cannot be written.
        """
        note = {"reason": reason, "commit": commit, "time": _now()}
        files.write(self._failed / f"{id}.json", json.dumps(note) + "\n")

    def failures(self) -> dict[str, str]:
        """The reason of each failure, by the run's id."""
        found = ((file.stem, self.failure(file.stem)) for file in _listing(self._failed))
        return {id: reason for id, reason in found if reason is not None}

    def failure(self, id: str) -> str | None:
        """The reason of a failure; None where there is no readable note."""
        try:
            return str(json.loads((self._failed / f"{id}.json").read_text(encoding="utf-8"))["reason"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def forgive(self, id: str) -> None:
        """Forgets a failure."""
        (self._failed / f"{id}.json").unlink(missing_ok=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _listing(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"))


def _create(file: Path, text: str) -> bool:
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(text)
    except FileExistsError:
        return False
    return True


def _clear(file: Path) -> bool:
    """Removes a claim whose owner is dead; False if it is alive."""
    text, alive = _look(file)
    if alive:
        return False
    tomb = file.with_name(f".{file.stem}.{uuid.uuid4().hex}.tmp")
    try:
        file.rename(tomb)
    except FileNotFoundError:
        return True
    mistaken = tomb.read_text(encoding="utf-8") != text
    if mistaken:  # somebody else took it over after the look: theirs goes back
        with suppress(FileExistsError):
            os.link(tomb, file)
    tomb.unlink()
    return not mistaken


def _look(file: Path) -> tuple[str | None, bool]:
    """A claim's text, and whether its owner may be alive."""
    try:
        text, age = file.read_text(encoding="utf-8"), time.time() - file.stat().st_mtime
    except FileNotFoundError:
        return None, False
    try:
        owner = json.loads(text)
        host, pid, process = owner["host"], int(owner["pid"]), owner["process"]
    except (ValueError, KeyError, TypeError):
        return text, age < STALE  # perhaps it is being written
    if age >= STALE or host != socket.gethostname():
        return text, age < STALE
    return text, process == _PROCESS if pid == os.getpid() else _exists(pid)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
