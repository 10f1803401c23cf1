"""Locks: one owner at a time, in one process or many, and those of the dead are free."""

import os
import signal
import subprocess
import sys
import threading
import time
from errno import ENOLCK, ENOSYS
from pathlib import Path

import filelock
import pytest

from jal import locks
from jal.errors import InputError


def in_another_process(path, then="input()"):
    """A process that has the lock, says so, and does something."""
    code = (
        "import os, pathlib, signal, sys; from jal import locks; "
        f"lock = locks.acquire(pathlib.Path({str(path)!r})); print(lock is not None, flush=True); {then}"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_one_owner_at_a_time(tmp_path):
    path = tmp_path / "folder" / "run.lock"
    assert not locks.is_held(path)
    one = locks.acquire(path)
    assert locks.is_held(path) and locks.acquire(path, wait=0) is None
    assert locks.held_in(path.parent) == {"run"}
    locks.release(one)
    locks.release(one)
    assert not locks.is_held(path) and list(path.parent.iterdir()) == []
    other = locks.acquire(path)
    locks.release(one)
    assert locks.is_held(path), "it was not the first one's to give back"
    locks.release(other)


def test_another_process_has_it_until_it_gives_it_back(tmp_path):
    path = tmp_path / "run.lock"
    with in_another_process(path, "input(); locks.release(lock)") as other:
        assert other.stdout.readline() == "True\n"
        assert locks.is_held(path) and locks.acquire(path, wait=0) is None
        other.communicate("\n", timeout=30)
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_a_killed_process_is_free_at_once(tmp_path):
    path = tmp_path / "run.lock"
    with in_another_process(path) as other:
        assert other.stdout.readline() == "True\n"
        assert locks.is_held(path)
        other.send_signal(signal.SIGKILL)
        other.wait()
        began = time.monotonic()
        assert path.exists() and not locks.is_held(path), "a dead one's"
        assert time.monotonic() - began < 0.5
    assert not path.exists()


def test_who_is_dead_is_tidied_away_and_who_lives_is_not(tmp_path):
    (tmp_path / "dead.lock").touch()
    (tmp_path / "note.txt").touch()
    lock = locks.acquire(tmp_path / "alive.lock")
    assert locks.held_in(tmp_path) == {"alive"}
    assert {file.name for file in tmp_path.iterdir()} == {"alive.lock", "note.txt"}
    locks.release(lock)
    assert locks.held_in(tmp_path / "absent") == set()


def test_many_that_want_one_lock_never_have_it_together(tmp_path):
    """Though each removes the file when it gives it back, and others ask whether it is held."""
    path, inside, most, had = tmp_path / "run.lock", [0], [0], []
    guard, stop = threading.Lock(), time.monotonic() + 1.5

    def work():
        while time.monotonic() < stop:
            lock = locks.acquire(path, wait=0)
            locks.is_held(path)
            if lock is None:
                continue
            with guard:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            time.sleep(0.0005)
            with guard:
                inside[0] -= 1
                had.append(1)
            locks.release(lock)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] and len(had) > 50


def test_a_file_whose_owner_is_asking_is_no_obstacle(tmp_path):
    """`is_held` has a dead one's lock itself for a moment."""
    path = tmp_path / "run.lock"
    asking = locks.acquire(path)
    threading.Timer(0.3, locks.release, [asking]).start()
    lock = locks.acquire(path)
    assert lock is not None
    locks.release(lock)


@pytest.mark.parametrize("error", [ENOSYS, ENOLCK])
def test_a_file_system_without_locks_is_refused_in_one_line(tmp_path, monkeypatch, error):
    def refuse(*_):
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(
        InputError, match=r"cannot be locked: name one on|cannot write to the folder"
    ) as raised:
        locks.acquire(tmp_path / "run.lock")
    assert "\n" not in str(raised.value)


def test_a_hiccup_of_the_file_system_ends_nothing(tmp_path, monkeypatch):
    lock = locks.acquire(tmp_path / "run.lock")

    def stale(*arguments, **options):
        raise OSError(116, "Stale file handle")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", stale)
        assert locks.is_held(tmp_path / "run.lock")
    locks.release(lock)


def test_a_question_is_put_now_and_then_until_the_answer_is_yes(monkeypatch):
    answers = iter([False, False, True])
    ask = locks.polled(lambda: next(answers))
    assert [ask(), ask(), ask()] == [False] * 3, "it was put too often"
    monkeypatch.setattr(locks, "POLL", 0.0)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 1)
    assert [ask(), ask(), ask()] == [False, True, True]


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write to the folder"):
        locks.acquire(tmp_path / "file" / "run.lock")


def test_a_filelock_is_what_it_is(tmp_path):
    """Others may use the library itself on the same file."""
    lock = locks.acquire(tmp_path / "run.lock")
    with pytest.raises(filelock.Timeout):
        filelock.FileLock(tmp_path / "run.lock").acquire(blocking=False)
    locks.release(lock)
