"""The ledger: one owner a run, and the claims of the dead are void."""

import json
import os
import socket
import subprocess
import sys
import time

import pytest

from jal.errors import InputError
from jal.experiments import ledger
from jal.experiments.ledger import Ledger


@pytest.fixture
def claim(tmp_path):
    """Puts a claim of somebody else there, of some age in seconds."""

    def put(age=0.0, text=None, **owner):
        owner = {"host": socket.gethostname(), "pid": os.getppid(), "process": "another"} | owner
        file = tmp_path / ".claims" / "run.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(owner) if text is None else text)
        os.utime(file, (time.time() - age,) * 2)
        return file

    return put


def dead():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_one_owner_at_a_time(tmp_path):
    one, other = Ledger(tmp_path), Ledger(tmp_path)
    assert one.claim("run") and not other.claim("run") and not one.claim("run")
    assert other.claim("second")
    assert one.running() == {"run", "second"}
    one.release("run")
    assert other.claim("run")
    assert Ledger(tmp_path / "elsewhere").running() == set()


@pytest.mark.parametrize(
    ("owner", "alive"),
    [
        ({}, True),
        ({"age": 599}, True),
        ({"age": 601}, False),
        ({"pid": dead}, False),
        ({"host": "elsewhere", "pid": dead}, True),
        ({"host": "elsewhere", "age": 601}, False),
        ({"pid": os.getpid}, False),  # an earlier process of the same number
        ({"text": ""}, True),  # being written
        ({"text": "", "age": 601}, False),
        ({"text": "[]", "age": 601}, False),
    ],
)
def test_whose_claim_holds(claim, tmp_path, owner, alive):
    claim(**{name: value() if callable(value) else value for name, value in owner.items()})
    assert (Ledger(tmp_path).running() == {"run"}) is alive
    assert Ledger(tmp_path).claim("run") is not alive
    assert [file.name for file in (tmp_path / ".claims").iterdir()] == ["run.json"]


def test_a_takeover_that_comes_second_gives_the_claim_back(claim, tmp_path, monkeypatch):
    file = claim(pid=dead())
    look = ledger._look

    def and_then_another_takes_over(path):
        seen = look(path)
        if seen[0] is not None and "another" in seen[0]:
            file.write_text("theirs")
        return seen

    monkeypatch.setattr(ledger, "_look", and_then_another_takes_over)
    assert not Ledger(tmp_path).claim("run")
    assert file.read_text() == "theirs"
    assert list(file.parent.iterdir()) == [file]


def test_signs_of_life(tmp_path, monkeypatch):
    one = Ledger(tmp_path)
    one.claim("run")
    file = tmp_path / ".claims" / "run.json"
    os.utime(file, (0, 0))
    one.renew()
    assert file.stat().st_mtime == 0, "it is not due yet"
    monkeypatch.setattr(ledger, "HEARTBEAT", 0.0)
    one.renew()
    assert time.time() - file.stat().st_mtime < 60
    file.unlink()
    one.renew()
    one.release("run")


def test_failures(tmp_path):
    one = Ledger(tmp_path)
    assert one.failures() == {} and one.failure("run") is None
    one.fail("run", "not finite", "0123")
    assert one.failures() == {"run": "not finite"} and one.failure("run") == "not finite"
    (tmp_path / ".failed" / "damaged.json").write_text("{")
    assert one.failures() == {"run": "not finite"}
    one.forgive("run")
    one.forgive("run")
    assert one.failures() == {}


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / ".claims").write_text("")
    with pytest.raises(InputError, match="cannot write to the folder"):
        Ledger(tmp_path).claim("run")
