"""Locks: who is at work on what, for all processes and machines that share a folder.

A lock is a file that the operating system has locked for a process (`filelock`; on Unix flock). The system frees it the
moment its owner ends, however that is: nobody is asked for signs of life, and after `kill -9` the next one has it at
once. Empty files are all that is left of the dead; whoever comes upon one removes it.

Machines know each other's locks where the file system that they share carries them: NFS version 4 (its server frees the
locks of a machine that is gone after a grace of about 90 seconds), Lustre mounted with the option `flock`, and most
others. One that has no locks is refused, in one line. One that keeps them to each machine (Lustre's `localflock`, NFS's
`local_lock`) cannot be told from one machine: there two machines may do the same work, each for itself.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from jal import files
from jal.errors import InputError

POLL = 0.5
"""Seconds between two looks of those who wait for a lock, or go on for as long as one is held."""

_FLEETING = 1.0
"""Seconds for which a lock may seem to be taken only because somebody asks whether it is."""


def acquire(path: Path, wait: float = _FLEETING) -> BaseFileLock | None:
    """The lock of this path, held until it is released or this process ends; None if somebody else has it.

    Parameters
    ----------
    path
        of its file, made if need be with its folder.
    wait
        seconds for which to try.

    Raises
    ------
    InputError
        for a folder that cannot be written, or whose files cannot be locked.
    """
    lock = FileLock(path, thread_local=False)  # whichever thread gives it back
    try:
        files.make_folder(path.parent)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of filelock, that it makes do with the file alone
            lock.acquire(timeout=wait, poll_interval=0.05)
    except Timeout:
        return None
    except OSError as error:
        raise files.unwritable(path.parent, error) from None
    except NotImplementedError:  # filelock's, before it made do
        raise _no_locks(path) from None
    if type(lock) is not FileLock:  # one that the file alone makes, and that outlives its owner
        lock.release()
        raise _no_locks(path)
    return lock


def release(lock: BaseFileLock) -> None:
    """Gives a lock back; nothing if it has been."""
    if lock.is_locked:
        with suppress(OSError):  # first: whoever has opened the file by now sees that it has no name any more
            Path(lock.lock_file).unlink()
        lock.release()


def is_held(path: Path) -> bool:
    """Whether somebody has the lock of this path. The file that somebody dead has left is removed."""
    try:
        # Opened, not only looked at: a network file system then asks its server.
        path.open("rb").close()
        lock = acquire(path, wait=0)
    except FileNotFoundError:
        return False
    except (OSError, InputError):
        return True  # a file system's hiccup, or another user's file
    if lock is not None:
        release(lock)
    return lock is None


def held_in(folder: Path) -> set[str]:
    """The names of the locks in a folder that somebody has: of their files, without the suffix .lock."""
    return {path.stem for path in sorted(folder.glob("*.lock")) if is_held(path)}


def polled(question: Callable[[], bool]) -> Callable[[], bool]:
    """The same question, to be asked as often as one likes: it is put every `POLL` seconds, until the answer is yes."""
    answer, due = False, 0.0

    def ask() -> bool:
        nonlocal answer, due
        if not answer and time.monotonic() >= due:
            answer, due = question(), time.monotonic() + POLL
        return answer

    return ask


def _no_locks(path: Path) -> InputError:
    return InputError(
        f"files in the folder {path.parent} cannot be locked: name one on a file system with locks"
    )
