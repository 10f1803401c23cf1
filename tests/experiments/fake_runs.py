"""Runs that take no training: what a sweep needs of `run`, at a known pace, with deaths and failures on demand.

$FAKE_RUNS is a folder: `plan.json` in it says what happens to the run of which seed; `starts` is a line for each
beginning: the run's seed, its process and the step it began at; `ends` one for each that came to its end.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from jal.errors import InputError, Stopped, TrainingError
from jal.experiments import Record, Store, resolve

HERE = Path(__file__).parent
STEPS = 20


def run(
    spec,
    device="cpu",
    deterministic=False,
    commit=None,
    checkpoints=None,
    stop=lambda: False,
    data_root=None,
    plain=False,
):
    folder = Path(os.environ["FAKE_RUNS"])
    if plain:
        (folder / f"plain {spec.seed} {os.getpid()}").touch()
    plan = json.loads((folder / "plan.json").read_text())
    fate = plan.get("fates", {}).get(str(spec.seed), "")
    seconds = 60 if fate == "long" else plan["seconds"]
    kept = Path(checkpoints) / spec.id / "step"
    first = int(kept.read_text()) if kept.exists() else 0
    with (folder / "starts").open("a") as log:
        log.write(f"{spec.seed} {os.getpid()} {first}\n")
    for step in range(first, STEPS):
        time.sleep(seconds / STEPS)
        kept.parent.mkdir(parents=True, exist_ok=True)
        if stop() or step == STEPS // 2:
            kept.write_text(str(step + 1))
        if stop():
            raise Stopped("stopped")
        if fate == "failure":
            raise TrainingError("the loss is not\nfinite")
        if fate == "bad input":
            raise InputError("no such data")
        if step > STEPS // 2 and (fate == "death" or (fate == "one death" and first == 0)):
            os.kill(os.getpid(), signal.SIGKILL)
        if fate == "deaths" and step % 8 == 7:  # each after a checkpoint of its own
            (kept.parent / f"step{step}").touch()
            kept.write_text(str(step + 1))
            os.kill(os.getpid(), signal.SIGKILL)
    with (folder / "ends").open("a") as log:
        log.write(f"{spec.seed}\n")
    return finished(spec, seconds, commit)


def finished(spec, seconds, commit=None):
    """The Record of a run."""
    from jal.experiments import provenance

    accuracy = float(spec.seed % 100)
    commit, dirty = commit or ("0123456789abcdef", False)
    return Record(
        schema=1,
        id=spec.id,
        spec=spec,
        accuracy=accuracy,
        curves={"test_accuracy": [accuracy] * spec.recipe.epochs},
        environment={"device": "cpu", "processor": provenance.processor(), "commit": commit, "dirty": dirty},
        timing={"seconds": float(seconds), "images_per_second": 1.0},
    )


def specs_of(seeds):
    return [resolve(dataset="digits", loss="CE", epochs=10, seed=seed) for seed in seeds]


class Fake:
    """A store, sweeps of fake runs, and what became of them."""

    specs_of, finished, run = staticmethod(specs_of), staticmethod(finished), staticmethod(run)

    def __init__(self, folder):
        self.folder = folder
        self.store = Store(folder / "runs")
        self.lines = []
        self.plan()

    def plan(self, seconds=0.02, **fates):
        """Each run's seconds, and what happens to the runs of some seeds."""
        fates = {str(seed)[1:]: fate for seed, fate in fates.items()}
        (self.folder / "plan.json").write_text(json.dumps({"seconds": seconds, "fates": fates}))

    def sweep(self, what, **options):
        from jal.experiments.sweep import sweep

        options = {"threads": True, "jobs": 1} | options
        return sweep(what, store=self.store, runner=run, tell=self.lines.append, **options)

    def process(self, seeds, jobs=1, where="threads", **options):
        """A sweep in a process of its own; `where` is threads, processes or a scheduler."""
        command = [sys.executable, HERE / "fake_sweep.py", self.store.path, str(jobs), where]
        return subprocess.Popen([*command, *map(str, seeds)], stderr=subprocess.PIPE, text=True, **options)

    def starts(self):
        """Of each beginning: seed, process, step."""
        return [tuple(map(int, line.split())) for line in self._log("starts")]

    def begun(self):
        return [seed for seed, _, _ in self.starts()]

    def ended(self):
        """The seed of each run that came to its end, as often as it did."""
        return sorted(map(int, self._log("ends")))

    def until(self, begun, kept=0, seconds=60):
        """Waits for that many beginnings and checkpoints."""
        end = time.monotonic() + seconds
        while len(self.starts()) < begun or len(list(self.store.checkpoints.glob("*/step"))) < kept:
            assert time.monotonic() < end, "no run began, or reached a checkpoint"
            time.sleep(0.02)

    def done(self):
        return sorted(record.spec.seed for record in self.store.records())

    def leftovers(self):
        """Files beside the Records."""
        return sorted(
            str(file.relative_to(self.store.path))
            for file in self.store.path.rglob("*")
            if file.is_file() and file.relative_to(self.store.path).parts[0].startswith(".")
        )

    def _log(self, name):
        log = self.folder / name
        return log.read_text().splitlines() if log.exists() else []


def prepared(folder, monkeypatch):
    """Fake runs in a folder, and sweeps that look around more often than every half second."""
    import importlib

    from jal import locks

    monkeypatch.setenv("FAKE_RUNS", str(folder))
    # `jal.experiments.sweep` may be the function of that name.
    sweeps = importlib.import_module("jal.experiments.sweep")
    monkeypatch.setattr(sweeps, "STARTUP", (0.0, 0.0))
    monkeypatch.setattr(sweeps, "TICK", 0.05)
    monkeypatch.setattr(sweeps, "RESERVE", (1.0, 30.0))
    monkeypatch.setattr(locks, "POLL", 0.02)
    return Fake(folder)
