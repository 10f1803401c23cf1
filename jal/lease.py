"""Leases: files that say who is at work, for as long as they live, to all machines that share the folder.

A lease is one file, made by whoever comes first; its owner touches it every half minute. It is void once its owner's
process has ended, where that can be seen, and elsewhere after ten minutes without a sign of life.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
import warnings
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from jal import files

HEARTBEAT = 30.0
"""Seconds after which a lease is touched."""

STALE = 600.0
"""Seconds without a sign of life after which a lease is void."""

UNFINISHED = 10.0
"""Seconds that a lease may be without its owner's name: it is being written, or whoever wrote it was killed."""

POLL = 0.5
"""Seconds between two looks of those who go on for as long as a lease is held."""

_PROCESS = uuid.uuid4().hex
"""Tells this process from an earlier one that had the same number."""


class Lease:
    """One lease, to be had by one owner at a time.

    Parameters
    ----------
    file
        its file; owners of the same thing name the same.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._text: str | None = None

    def take(self) -> bool:
        """Whether it is now this one's. A void one is taken over.

        Raises
        ------
        InputError
            if the folder cannot be written.
        """
        owner = {"pid": os.getpid(), "process": _PROCESS, "lease": uuid.uuid4().hex, "since": _now()}
        text = json.dumps({"host": socket.gethostname(), "processes": _processes(), **owner})
        try:
            files.make_folder(self.file.parent)
            if not _create(self.file, text) and not (clear(self.file) and _create(self.file, text)):
                return False
        except OSError as error:
            raise files.unwritable(self.file.parent, error) from None
        self._text = text
        _held.add(self)
        _start_to_beat()
        return True

    def held(self) -> bool:
        """Whether it is still this one's; after a long silence, such as a machine's sleep, others may have it."""
        try:
            return _decoded(self.file.read_bytes()) == self._text
        except FileNotFoundError:
            return False
        except OSError:
            return True  # a file system's hiccup

    def release(self) -> None:
        """Gives it back."""
        _held.discard(self)
        if self.held():
            with suppress(OSError):
                self.file.unlink(missing_ok=True)


def alive(file: Path) -> bool:
    """Whether somebody who may be alive holds a lease."""
    return _look(file)[1]


def clear(file: Path) -> bool:
    """Removes a void lease; False if it may not be void."""
    text, alive = _look(file)
    if alive:
        return False
    tomb = file.with_name(f".{file.stem}.{uuid.uuid4().hex}.tmp")
    try:
        file.rename(tomb)
    except FileNotFoundError:
        return True
    mistaken = _decoded(tomb.read_bytes()) != text
    if mistaken:  # somebody else took it over after the look: theirs goes back
        with suppress(FileExistsError):
            os.link(tomb, file)
    tomb.unlink()
    return not mistaken


def polled(question: Callable[[], bool]) -> Callable[[], bool]:
    """The same question, to be asked as often as one likes: it is put every `POLL` seconds, until the answer is yes."""
    answer, due = False, 0.0

    def ask() -> bool:
        nonlocal answer, due
        if not answer and time.monotonic() >= due:
            answer, due = question(), time.monotonic() + POLL
        return answer

    return ask


_held: set[Lease] = set()
"""This process's."""


@cache
def _start_to_beat() -> None:
    # One thread for all leases: where threads come and go while something samples them, Python 3.11 may freeze.
    threading.Thread(target=_beat, daemon=True).start()


def _beat() -> None:
    while True:
        time.sleep(HEARTBEAT)
        for lease in tuple(_held):
            if lease.held():
                with suppress(OSError):
                    os.utime(lease.file)
            else:
                _held.discard(lease)


def _look(file: Path) -> tuple[str | None, bool]:
    """A lease's text, and whether its owner may be alive."""
    try:
        # Opened, not only looked at: a network file system then asks its server.
        with file.open("rb") as lease:
            text, touched = _decoded(lease.read()), os.fstat(lease.fileno()).st_mtime
    except FileNotFoundError:
        return None, False
    except OSError:
        return None, True
    age = time.time() + _ahead(file.parent) - touched
    try:
        owner = json.loads(text)
        place, pid, process = (owner["host"], owner["processes"]), int(owner["pid"]), owner["process"]
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        if text and age >= UNFINISHED:  # an empty one is of somebody who was killed while writing it
            warnings.warn(f"{file} does not say whose it is: nobody's, passed over", stacklevel=3)
        return text, age < UNFINISHED
    if age >= STALE or place != (socket.gethostname(), _processes()):
        return text, age < STALE
    return text, process == _PROCESS if pid == os.getpid() else _exists(pid)


def _create(file: Path, text: str) -> bool:
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(text)
    except FileExistsError:
        return False
    return True


def _decoded(content: bytes) -> str:
    """Whatever a lease holds, as text."""
    return content.decode(errors="surrogateescape")


def _exists(pid: int) -> bool:
    if pid <= 0:  # a group of processes, to the system
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


@cache
def _ahead(folder: Path) -> float:
    """Seconds that a file system's clock is ahead of this machine's; 0 where it cannot be tried."""
    probe = folder / f".{uuid.uuid4().hex}.tmp"
    try:
        probe.touch()
        return probe.stat().st_mtime - time.time()
    except OSError:
        return 0.0
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)


@cache
def _processes() -> str:
    """Which processes are seen from here: containers with one host name do not see each other's."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
