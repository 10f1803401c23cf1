"""Leases: one owner at a time, on one machine or many, and those of the dead are void."""

import json
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from jal import lease
from jal.errors import InputError
from jal.lease import Lease


@pytest.fixture
def put(tmp_path):
    """Puts a lease of somebody else there, of some age in seconds."""

    def write(age=0.0, text=None, **owner):
        here = {"host": socket.gethostname(), "processes": lease._processes()}
        owner = here | {"pid": os.getppid(), "process": "another"} | owner
        file = tmp_path / "run.json"
        file.write_bytes((json.dumps(owner) if text is None else text).encode(errors="surrogateescape"))
        os.utime(file, (time.time() - age,) * 2)
        return file

    return write


def dead():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_one_owner_at_a_time(tmp_path):
    file = tmp_path / "folder" / "run.json"
    one, other = Lease(file), Lease(file)
    assert one.take() and not other.take()
    assert one.held() and not other.held() and lease.alive(file)
    other.release()
    assert one.held(), "it was not the other's to give back"
    one.release()
    assert not lease.alive(file) and list(file.parent.iterdir()) == []
    assert other.take() and not one.held()
    other.release()


@pytest.mark.parametrize(
    ("owner", "alive"),
    [
        ({}, True),
        ({"age": 599}, True),
        ({"age": 601}, False),
        ({"pid": dead}, False),
        ({"host": "elsewhere", "pid": dead}, True),
        ({"processes": "of a container", "pid": dead}, True),
        ({"host": "elsewhere", "age": 601}, False),
        ({"pid": os.getpid}, False),  # an earlier process of the same number
        ({"text": ""}, True),  # being written
        ({"text": "", "age": 15}, False),  # its owner was killed then
        ({"text": "[]", "age": 15}, False),
        ({"text": '{"host": "elsewh', "age": 15}, False),
        ({"text": "\udcff\udcfe", "age": 15}, False),  # not UTF-8
        ({"text": "\udcff\udcfe"}, True),
        ({"text": "[" * 100_000, "age": 15}, False),
        ({"text": '{"host": "a", "processes": "", "pid": Infinity, "process": ""}', "age": 15}, False),
        ({"pid": 10**30}, False),
        ({"pid": -1}, False),
        ({"pid": 0}, False),
    ],
)
@pytest.mark.filterwarnings("ignore:.*does not say whose it is")
def test_whose_lease_holds(put, tmp_path, owner, alive):
    file = put(**{name: value() if callable(value) else value for name, value in owner.items()})
    assert lease.alive(file) is alive
    mine = Lease(file)
    assert mine.take() is not alive
    assert mine.held() is not alive
    assert list(tmp_path.iterdir()) == [file]
    mine.release()


def test_a_lease_that_names_nobody_is_named_in_one_line(put):
    file = put(text="\udcff", age=15)
    with pytest.warns(UserWarning) as warned:
        assert not lease.alive(file)
    assert [str(each.message) for each in warned] == [
        f"{file} does not say whose it is: nobody's, passed over"
    ]


def test_ages_are_by_the_file_systems_clock(put, monkeypatch):
    """A server's clock that is a quarter of an hour off makes nobody dead, and keeps nobody alive."""
    file = put(host="elsewhere", age=900)
    monkeypatch.setattr(lease, "_ahead", lambda folder: -900.0)
    assert lease.alive(file)
    monkeypatch.setattr(lease, "_ahead", lambda folder: 900.0)
    file = put(host="elsewhere")
    assert not lease.alive(file)


def test_the_file_systems_clock_is_asked_once_and_leaves_nothing(tmp_path):
    assert abs(lease._ahead(tmp_path)) < 1
    assert list(tmp_path.iterdir()) == []
    assert lease._ahead(tmp_path / "absent") == 0


def test_a_takeover_that_comes_second_gives_the_lease_back(put, monkeypatch):
    file = put(pid=dead())
    look = lease._look

    def and_then_another_takes_over(path):
        found = look(path)
        file.write_text("another's")
        return found

    monkeypatch.setattr(lease, "_look", and_then_another_takes_over)
    assert not Lease(file).take()
    assert file.read_text() == "another's"
    assert list(file.parent.iterdir()) == [file]


@pytest.fixture
def beating(monkeypatch):
    """A heart that beats often, instead of the process's."""
    monkeypatch.setattr(lease, "HEARTBEAT", 0.02)
    lease._start_to_beat.cache_clear()


def wait_until(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_signs_of_life_of_all_leases_by_one_thread(tmp_path, beating):
    before = threading.active_count()
    leases = [Lease(tmp_path / f"{name}.json") for name in "abc"]
    for each in leases:
        each.take()
        os.utime(each.file, (0, 0))
    wait_until(lambda: all(each.file.stat().st_mtime > 0 for each in leases))
    assert threading.active_count() == before + 1
    for each in leases:
        each.release()
    assert list(tmp_path.iterdir()) == [] and not lease._held & set(leases)


def test_who_has_lost_it_gives_no_signs_and_takes_nothing_away(tmp_path, beating):
    file = tmp_path / "run.json"
    one = Lease(file)
    one.take()
    file.write_text("another's")
    os.utime(file, (0, 0))
    wait_until(lambda: one not in lease._held)
    assert not one.held()
    one.release()
    assert file.read_text() == "another's" and file.stat().st_mtime == 0


def test_a_hiccup_of_the_file_system_ends_nothing(tmp_path, monkeypatch):
    file = tmp_path / "run.json"
    one = Lease(file)
    one.take()

    def stale(*arguments, **options):
        raise OSError(116, "Stale file handle")

    with monkeypatch.context() as patch:
        patch.setattr(type(file), "open", stale)
        patch.setattr(type(file), "read_bytes", stale)
        assert one.held() and lease.alive(file)
    one.release()


def test_a_question_is_put_now_and_then_until_the_answer_is_yes(monkeypatch):
    answers = iter([False, False, True])
    ask = lease.polled(lambda: next(answers))
    assert [ask(), ask(), ask()] == [False] * 3, "it was put too often"
    monkeypatch.setattr(lease, "POLL", 0.0)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 1)
    assert [ask(), ask(), ask()] == [False, True, True]


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write to the folder"):
        Lease(tmp_path / "file" / "run.json").take()
