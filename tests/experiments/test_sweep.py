"""Sweeps: most valuable first, nothing lost, nothing twice, whatever is killed."""

import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from jal import locks
from jal.errors import InputError
from jal.experiments import Store, grids
from jal.experiments.failures import Failures
from jal.experiments.status import status
from jal.experiments.sweep import sweep
from jal.experiments.workers import LocalPool, Worker

HERE = Path(__file__).parent


@pytest.fixture
def fake(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(HERE)
    return importlib.import_module("fake_runs").prepared(tmp_path, monkeypatch)


@pytest.fixture
def specs_of(fake):
    return fake.specs_of


def test_what_is_missing_is_run_in_order_and_kept_at_once(fake, specs_of):
    other = Store(fake.folder / "results")
    specs = specs_of([5, 3, 4, 3, 9])
    other.put(fake.finished(specs[2], 1))
    seen = []

    def look(done, missing, record):
        assert fake.store.get(record.id) == record
        seen.append((done, missing, record.spec.seed))

    done = fake.sweep(specs, also=[other], progress=look)
    assert fake.begun() == [5, 3, 9]
    assert seen == [(1, 3, 5), (2, 3, 3), (3, 3, 9)]
    assert [spec.seed for spec in done.specs] == [5, 3, 4, 9]
    assert sorted(record.spec.seed for record in done.records.values()) == [3, 4, 5, 9]
    assert (done.exit_code, done.stopped, done.left) == (0, None, [])
    assert fake.lines[0].startswith("2/4  digits CE, clean, seed 5: 5.00 % in 0 s, about")
    assert fake.lines[-1].startswith("4/4") and "left" not in fake.lines[-1]
    assert fake.leftovers() == []
    again = fake.sweep(specs, also=[other])
    assert (again.ran, again.records.keys(), len(fake.begun())) == ((), done.records.keys(), 3)


def test_a_grid_with_seeds_and_conditions(fake, specs_of):
    grid = grids.get("digits")
    done = fake.sweep(grid, seeds=[7], where=["loss=JAL-CE,loss=CE", "noise=symmetric"], jobs=3)
    assert [(s.loss.name, s.noise.rate) for s in done.specs] == [
        ("CE", 0.4),
        ("JAL-CE", 0.4),
        ("CE", 0.6),
        ("JAL-CE", 0.6),
    ]
    assert done.exit_code == 0 and fake.begun() == [7] * 4
    assert [spec.seed for spec in fake.sweep(specs_of([1, 2, 3]), seeds=[3, 1]).specs] == [1, 3]
    with pytest.raises(InputError, match="unknown loss among these runs 'JALCE': did you mean 'JAL-CE'"):
        fake.sweep(grid, where="loss=JALCE")


def test_threads_share_a_process_and_run_side_by_side(fake, specs_of):
    fake.plan(seconds=0.5)
    began = time.monotonic()
    assert fake.sweep(specs_of(range(4)), jobs=4).exit_code == 0
    assert time.monotonic() - began < 1.5
    assert {process for _, process, _ in fake.starts()} == {os.getpid()}


def test_a_budget_stops_in_time_and_the_next_sweep_goes_on(fake, specs_of):
    fake.plan(seconds=0.6)
    specs = specs_of(range(3))
    began = time.monotonic()
    done = fake.sweep(specs, budget="2s")  # of which one is for checkpoints
    assert time.monotonic() - began < 2
    assert (done.exit_code, done.stopped) == (75, "budget")
    assert fake.done() == [0] and fake.begun() == [0, 1]
    assert [spec.seed for spec in done.left] == [1, 2]
    assert fake.leftovers() == [f".checkpoints/{specs[1].id}/step"]
    assert fake.lines[-1] == "stopping (budget): 1 runs write their checkpoints"
    done = fake.sweep(specs)
    assert done.exit_code == 0 and fake.begun() == [0, 1, 1, 2]
    assert fake.starts()[2][2] > 0, "it was not gone on with"
    assert fake.leftovers() == []


def test_a_budget_holds_though_a_machine_elsewhere_does_not_answer(fake, specs_of, monkeypatch):
    class Silent(LocalPool):
        def __init__(self, *arguments):
            self.workers = [Worker(self, "cpu", "elsewhere")]

        def submit(self, task):
            return Future()

        def close(self, wait):
            pass

    monkeypatch.setattr(sys.modules[sweep.__module__], "LocalPool", Silent)
    specs = specs_of([1])
    began = time.monotonic()
    done = fake.sweep(specs, budget="2s")
    assert 1 < time.monotonic() - began < 3
    assert (done.exit_code, done.stopped, len(done.left)) == (75, "budget", 1)


def test_all_workers_elsewhere_may_be_lost_at_any_time(fake, specs_of, monkeypatch):
    """Those of a cluster; a Record that comes meanwhile is told without an estimate."""

    class Fleeting(LocalPool):
        """Its worker is there only while nothing runs."""

        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.ashore, self.begun, self.told = self.workers, [], []
            (worker,) = self.workers
            submit = worker.submit
            worker.submit = lambda *given, **more: self.begun.append(submit(*given, **more)) or self.begun[-1]

        def update(self):
            self.workers = self.ashore if self.told == self.begun else []
            # What has ended by now is told before the next update.
            self.told = [run for run in self.begun if run.done()]

    monkeypatch.setattr(sys.modules[sweep.__module__], "LocalPool", Fleeting)
    fake.plan(seconds=0.3)
    done = fake.sweep(specs_of([1, 2, 3]))
    assert done.exit_code == 0 and fake.begun() == [1, 2, 3]
    assert not any("left" in line for line in fake.lines)


def test_a_run_that_cannot_reach_a_checkpoint_is_not_begun(fake, specs_of):
    specs = specs_of(range(3))
    fake.store.put(fake.finished(specs[0], 10 * 100))  # an epoch takes 100 s
    began = time.monotonic()
    done = fake.sweep(specs, budget="1m30s")
    assert time.monotonic() - began < 3
    assert (done.exit_code, done.stopped, fake.begun()) == (75, "budget", [])
    assert str(done) == "1 of 3 runs done, 2 left (the budget is spent); the same command goes on"
    slow = replace(specs[0], dataset="elsewhere")
    fake.store.put(fake.finished(slow, 10 * 1000))  # another kind of run: of no matter
    assert fake.sweep(specs, budget="3m").exit_code == 0


def test_a_failure_is_noted_and_stops_nothing_and_is_not_run_again_unless_asked(fake, specs_of):
    fake.plan(s2="failure")
    specs = specs_of([1, 2, 3])
    done = fake.sweep(specs)
    assert (done.exit_code, done.failed, fake.done()) == (1, {specs[1].id: "the loss is not finite"}, [1, 3])
    assert f"failed: digits CE, clean, seed 2 ({specs[1].id}): the loss is not finite" in fake.lines
    note = json.loads((fake.store.path / ".failed" / f"{specs[1].id}.json").read_text())
    assert note["reason"] == "the loss is not finite"
    assert note["commit"] == "0123456789abcdef" and note["time"].endswith("+00:00")
    fake.plan()
    done = fake.sweep(specs)
    assert (done.exit_code, fake.begun()) == (1, [1, 2, 3])
    assert json.loads(json.dumps(done.to_dict())) == {
        "schema": 1,
        "runs": 3,
        "done": 2,
        "ran": [],
        "failed": {specs[1].id: "the loss is not finite"},
        "left": [],
        "stopped": None,
    }
    assert fake.sweep(specs, retry=True).exit_code == 0
    assert fake.begun() == [1, 2, 3, 2] and Failures(fake.store.path).all() == {}


def test_what_would_hit_all_runs_ends_the_sweep_and_keeps_what_is_done(fake, specs_of):
    fake.plan(seconds=0.3, s2="bad input")
    with pytest.raises(InputError, match="no such data"):
        fake.sweep(specs_of([1, 2, 3, 4]), jobs=2)
    assert sorted(fake.begun()) == [1, 2]
    assert fake.leftovers() == [f".checkpoints/{specs_of([1])[0].id}/step"]
    fake.plan()
    assert fake.sweep(specs_of([1, 2, 3, 4])).exit_code == 0


def test_a_killed_worker_loses_no_run_and_a_second_death_is_a_failure(fake, specs_of):
    fake.plan(seconds=0.6, s1="one death", s2="death")
    specs = specs_of([1, 2, 3, 4, 5])
    done = fake.sweep(specs, jobs=2, threads=False)
    assert fake.done() == [1, 3, 4, 5]
    assert done.failed == {specs[1].id: "its process was killed 2 times: is there memory for so many jobs?"}
    assert Counter(fake.begun()) == {1: 2, 2: 2, 3: 1, 4: 1, 5: 1}, "a death took another run with it"
    assert [step for seed, _, step in fake.starts() if seed == 1] == [0, 11], "it was not gone on with"
    assert done.exit_code == 1


def test_deaths_with_a_checkpoint_in_between_are_no_failure(fake, specs_of):
    """As when a batch system's time is up again and again."""
    fake.plan(seconds=0.2, s1="deaths")
    done = fake.sweep(specs_of([1]), threads=False)
    assert [step for _, _, step in fake.starts()] == [0, 8, 16]
    assert done.exit_code == 0 and fake.ended() == [1]


def test_each_record_is_read_once(fake, specs_of, monkeypatch):
    grid, other = grids.get("digits"), Store(fake.folder / "results")
    for store, specs in (
        (fake.store, grid.specs([7])[:3]),
        (other, grid.specs([7])[3:5] + grid.specs([8])[:2]),
    ):
        for spec in specs:
            store.put(fake.finished(spec, 1))
    reads, read = Counter(), Store._read
    monkeypatch.setattr(Store, "_read", lambda self, file: reads.update([file]) or read(self, file))
    assert status(grid, [fake.store, other], [7]).counts.done == 5
    assert len(reads) == 7 and set(reads.values()) == {1}, "by status"
    reads.clear()
    done = fake.sweep(grid, seeds=[7], also=[other], where="loss=CE")
    before = [fake.store.file(spec) for spec in grid.specs([7])[:3]]
    assert done.exit_code == 0 and done.ran
    assert {reads[file] for file in before} == {1}, "by sweep"


def test_what_is_no_record_of_this_version_is_named_and_made_again(fake, specs_of):
    cut, older, other, good = specs = specs_of([1, 2, 3, 4])
    for spec in specs:
        fake.store.put(fake.finished(spec, 1))
    file = fake.store.file(cut)
    file.write_text(file.read_text()[:100])
    file = fake.store.file(older)
    file.write_text(json.dumps(json.loads(file.read_text()) | {"schema": 0}))
    science = replace(other, science=other.science + 1)
    fake.store.file(other).write_text(fake.finished(science, 1).to_json())
    with pytest.warns(UserWarning) as warned:
        done = fake.sweep(specs)
    named = sorted({str(each.message) for each in warned})
    assert len(named) == 3 and all(name.endswith("it is run again") for name in named)
    for spec, problem in {
        cut: "not a valid Record",
        older: "schema 0",
        other: f"holds the Record {science.id}",
    }.items():
        assert any(str(fake.store.file(spec)) in name and problem in name for name in named)
    assert fake.begun() == [1, 2, 3] and done.exit_code == 0
    assert [record.id for record in fake.store.records()] == sorted(spec.id for spec in specs)
    assert good.id not in done.ran
    aside = {file.stem for file in (fake.store.path / ".aside").rglob("*.json")}
    assert aside == {cut.id, older.id, other.id}, "what was there is kept, to be looked at"


def test_sweeps_of_one_store_share_its_runs(fake):
    fake.plan(seconds=0.2)
    sweeps = [fake.process(range(12)) for _ in range(2)]
    assert [each.wait(60) for each in sweeps] == [0, 0]
    for each in sweeps:
        each.stderr.close()
    assert fake.done() == list(range(12))
    assert sorted(fake.begun()) == list(range(12))
    assert len({process for _, process, _ in fake.starts()}) == 2
    assert fake.leftovers() == []


def test_signals_leave_checkpoints_and_75(fake, specs_of):
    fake.plan(seconds=4)
    with fake.process([1, 2, 3], jobs=2, where="processes", start_new_session=True) as first:
        fake.until(2)
        time.sleep(0.5)
        # As a terminal and a batch system send them: the workers hear them too.
        os.killpg(first.pid, signal.SIGINT)
        os.killpg(first.pid, signal.SIGTERM)
        assert first.wait(10) == 75
        assert "stopping (signal): 2 runs write their checkpoints" in first.stderr.read()
    assert [Path(file).parts[0] for file in fake.leftovers()] == [".checkpoints"] * 2
    fake.plan()
    assert fake.sweep(specs_of([1, 2, 3])).exit_code == 0
    assert [seed for seed, _, step in fake.starts() if step > 0] == [1, 2]


def test_a_sweep_that_is_killed_takes_its_workers_along_and_blocks_nobody(fake):
    fake.plan(seconds=0.5, s1="long", s2="long")
    with fake.process([1, 2, 3], jobs=2, where="processes") as first:
        fake.until(2)
        second = fake.process([1, 2, 3])  # begins the third, and waits for the others
        fake.until(3)
        fake.plan()  # for whoever takes the long ones over, which may be at once
        first.kill()
    workers = [process for _, process, _ in fake.starts()][:2]
    end = time.monotonic() + 10
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < end, "a worker outlived its sweep"
        time.sleep(0.02)
    with second:
        assert second.wait(30) == 0
    assert fake.done() == [1, 2, 3]
    assert sorted(fake.begun()) == [1, 1, 2, 2, 3]
    assert fake.leftovers() == []


def wait_for_end(process, seconds=20):
    """Its exit code and what it said."""
    _, said = process.communicate(timeout=seconds)
    return process.returncode, said


@pytest.mark.parametrize("where", ["threads", "processes"])
def test_a_sweep_whose_lock_is_removed_ends_with_75(fake, specs_of, where):
    """As when its folder is cleaned up."""
    fake.plan(seconds=4)
    with fake.process([1, 2], where=where) as process:
        fake.until(1)
        shutil.rmtree(fake.store.path / ".sweeps")
        code, said = wait_for_end(process)
    assert code == 75 and "Traceback" not in said
    assert said.splitlines()[-1].startswith(
        "0 of 2 runs done, 2 left (the sweep's own lock in .sweeps is gone"
    )
    assert fake.begun() == [1], "it went on without a lock"
    fake.plan()
    assert fake.sweep(specs_of([1, 2])).exit_code == 0
    assert [step > 0 for _, _, step in fake.starts()] == [False, True, False], "it was not gone on with"


DEEP = b"[" * 100_000


def hostile(record):
    """Files that somebody else, or a broken disk, may leave in a store: where, and what they hold."""
    text = json.loads(record.to_json())
    other = "0123456789abcdef"
    return {
        "deep note": (f".failed/{other}.json", DEEP),
        "note that is not UTF-8": (f".failed/{other}.json", b"\xff"),
        "half a pair in a note": (f".failed/{other}.json", b'{"reason": "\\ud800"}'),
        "deep checkpoint": (f".checkpoints/{record.id}/000001.json", DEEP),
        "deep Record": (f"digits/{record.id}.json", DEEP),
        **{
            f"{name} {value}": (f"digits/{record.id}.json", json.dumps(text | {name: value}).encode())
            for name, value in {
                "environment": {},
                "timing": {},
                "labels": {"from": "\ud800"},
            }.items()
        },
        "1e308 seconds": (
            f"digits/{record.id}.json",
            json.dumps(text | {"timing": {"seconds": 1e308, "images_per_second": 1.0}}).encode(),
        ),
    }


def test_a_bad_file_in_a_store_stops_neither_sweep_nor_status(record, tmp_path):
    """Each is named in one line; the run is made, and the status is told."""
    for what, (name, content) in hostile(record).items():
        store = Store(tmp_path / what)
        file = store.path / name
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
        os.utime(file, (time.time() - 15,) * 2)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            state = status(grids.get("digits"), [store])
            assert sweep([record.spec], store=store, jobs=1, tell=lambda _: None).exit_code == 0, what
        assert state.counts.done == 0 and str(state)
        named = {str(each.message) for each in warned if str(file.parent) in str(each.message)}
        assert named and not any("\n" in line for line in named), what
        assert store.get(record.id).accuracy == record.accuracy, what


def test_a_script_without_a_guard_is_told_so(fake, specs_of):
    script = fake.folder / "script.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(HERE)!r})\n"
        "import fake_runs\n"
        "from jal.experiments import RunSpec, Store\n"
        "from jal.experiments.sweep import sweep\n"
        f"specs = [RunSpec.from_json(text) for text in {[spec.to_json() for spec in specs_of([1, 2])]}]\n"
        f"sweep(specs, store=Store({str(fake.store.path)!r}), jobs=2, runner=fake_runs.run)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60)
    assert done.stderr.strip().splitlines()[-1].endswith('if __name__ == "__main__", or take jobs=1')
    assert fake.leftovers() == []


def test_impossible_numbers_are_refused(fake, specs_of):
    for options in ({"jobs": 0}, {"per_gpu": 0}, {"device": "gpu"}, {"budget": "soon"}, {"budget": 0}):
        with pytest.raises(InputError, match=rf"{next(iter(options))}|duration"):
            fake.sweep(specs_of([1]), **options)


@pytest.mark.parametrize("threads", [True, False])
def test_plain_reaches_each_worker(fake, specs_of, threads):
    assert fake.sweep(specs_of([1, 2]), jobs=2, threads=threads, plain=True).exit_code == 0
    seen = [file.name.split()[1:] for file in fake.folder.glob("plain *")]
    assert sorted(seed for seed, _ in seen) == ["1", "2"]
    assert all((int(process) == os.getpid()) == threads for _, process in seen)


def test_a_real_sweep_gives_the_same_bits_as_a_run(record, tmp_path):
    specs = [record.spec, replace(record.spec, seed=124)]
    store = Store(tmp_path)
    done = sweep(specs, store=store, jobs=2, deterministic=True, tell=lambda _: None)
    assert done.exit_code == 0 and len(store.records()) == 2
    again = done.records[record.id]
    assert replace(again, environment={}, timing={}) == replace(record, environment={}, timing={})
    assert again.environment["threads"] == 1


def test_a_sweep_costs_less_than_a_hundredth_of_a_run_of_20_seconds(fake, specs_of, monkeypatch):
    """Of processor time: what a run costs to begin, to watch and to keep."""
    monkeypatch.setattr(sys.modules[sweep.__module__], "TICK", 0.5)
    monkeypatch.setattr(locks, "POLL", 0.5)

    def cost(seconds, seeds):
        fake.plan(seconds)
        before = time.process_time()
        assert fake.sweep(specs_of(seeds)).exit_code == 0
        return time.process_time() - before

    def bare(seconds):
        """What such a run takes without a sweep: on some machines every wake-up costs a millisecond or two."""
        fake.plan(seconds)
        (spec,) = specs_of([33])
        before = time.process_time()
        with ThreadPoolExecutor(1) as thread:
            thread.submit(fake.run, spec, checkpoints=fake.folder / "bare").result()
        return time.process_time() - before

    cost(0, [0])  # what is imported but once
    a_run = cost(0, range(1, 31)) / 30
    a_second = (cost(2, [31]) - cost(0, [32]) - bare(2) + bare(0)) / 2
    print(f"{1000 * a_run:.1f} ms a run and {1000 * a_second:.2f} ms for each of its seconds")
    assert a_run + 20 * a_second < 0.01 * 20


@pytest.mark.slow
def test_two_workers_have_nearly_twice_the_throughput_of_one(short, tmp_path):
    """Where the machine has a second core to give: two processes without a sweep are tried first."""
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("there is one core")
    specs = [short(seed=seed, epochs=100) for seed in range(8)]

    def bare(number):
        """Seconds that each of so many processes takes for one of the runs, after a first one, side by side."""
        code = (
            "import time; from jal.experiments import RunSpec, run\n"
            f"spec = RunSpec.from_json({specs[0].to_json()!r})\n"
            "run(spec, deterministic=True); began = time.time(); run(spec, deterministic=True)\n"
            "print(time.time() - began); run(spec, deterministic=True)"
        )
        processes = [
            subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
            for _ in range(number)
        ]
        return max(float(process.communicate()[0]) for process in processes)

    def throughput(jobs):
        """Runs a second, from the time that all workers have done one."""
        ends = []
        done = sweep(
            specs,
            store=Store(tmp_path / str(jobs)),
            jobs=jobs,
            deterministic=True,
            threads=False,
            tell=lambda _: None,
            progress=lambda *_: ends.append(time.monotonic()),
        )
        assert done.exit_code == 0
        return (len(ends) - jobs) / (ends[-1] - ends[jobs - 1])

    machine = 2 * bare(1) / bare(2)
    if machine < 1.95:
        pytest.skip(f"two processes without a sweep have {machine:.2f} times the throughput of one here")
    gain = throughput(2) / throughput(1)
    print(f"{gain:.3f} times the throughput, where two processes without a sweep have {machine:.3f} times")
    assert gain >= 1.9
