"""A sweep that is killed again and again ends with what an undisturbed one gives."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jal.experiments import Store
from jal.experiments.sweep import sweep
from jal.files import is_draft

KILLS = 20
RUNS = ("digits", "--where", "noise=symmetric,rate=0.4", "--seeds", "123")
OPTIONS = ("--alone", "--deterministic", "--device", "cpu", "--jobs", "2")


@contextmanager
def sweeping(folder):
    """A sweep in a process group of its own, which is gone afterwards."""
    script = Path(__file__).with_name("often_kept.py")
    command = [sys.executable, script, "sweep", *RUNS, *OPTIONS, "--results", folder]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def reached(folder):
    """The checkpoints and the Records; each new one has a name of its own."""
    return {*folder.glob(".checkpoints/*/*.json"), *folder.glob("digits/*.json")}


def wait_for_progress(process, folder, before):
    end = time.monotonic() + 120
    while reached(folder) <= before and process.poll() is None:
        assert time.monotonic() < end, "it makes no progress"
        time.sleep(0.01)


def results(folder):
    records = Store(folder).records(complain=pytest.fail)
    return {record.id: replace(record, environment={}, timing={}) for record in records}


def test_a_kill_between_a_record_and_the_end_of_its_checkpoints_leaves_none(record, tmp_path):
    store = Store(tmp_path)
    store.put(record)
    checkpoint = store.checkpoints / record.id / "000001.json"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    assert sweep([record.spec], store=store).ran == ()
    assert not checkpoint.parent.exists()


def test_the_lock_of_a_killed_sweep_blocks_nobody(short, tmp_path):
    lock = Store(tmp_path).lock(short().id)
    lock.parent.mkdir()
    lock.touch()
    assert sweep([short()], store=Store(tmp_path), jobs=1, budget="1m", tell=lambda _: None).exit_code == 0
    assert not lock.exists()


@pytest.mark.slow
def test_twenty_kills_change_nothing(tmp_path):
    """kill -9 to the whole process group: while it starts, trains, writes a checkpoint, goes on to the next run."""
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    began = time.monotonic()
    with sweeping(undisturbed) as process:
        assert process.wait(900) == 0
    seconds = time.monotonic() - began

    random = np.random.default_rng(0)
    left = []
    for kill in range(KILLS):
        before = reached(killed)
        with sweeping(killed) as process:
            if kill % 4:
                wait_for_progress(process, killed, before)
                time.sleep(random.uniform(0, seconds / KILLS))
            else:
                time.sleep(random.uniform(0, 5))
            assert process.poll() is None, f"it ended before kill {kill + 1}: give it more runs"
        left.append(len(list(killed.glob(".checkpoints/*/*.json"))))
    recorded, disturbed = len(results(killed)), time.monotonic() - began - seconds
    assert sum(map(bool, left)) > KILLS / 2, "most kills left no checkpoint to go on from"

    with sweeping(killed) as process:
        assert process.wait(2 * seconds + 60) == 0
    expected = results(undisturbed)
    assert len(expected) == 7 and results(killed) == expected
    files = {
        str(file.relative_to(killed)) for file in killed.rglob("*") if file.is_file() and not is_draft(file)
    }
    assert files == {f"digits/{id}.json" for id in expected}
    print(
        f"undisturbed {seconds:.0f} s; {KILLS} kills in {disturbed:.0f} s, after them {recorded} of "
        f"{len(expected)} Records; checkpoints after each kill {left}; all bits equal"
    )
