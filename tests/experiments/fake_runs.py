"""Runs that take no training: what a sweep needs of `run`, at a known pace, with deaths and failures on demand.

$FAKE_RUNS is a folder: `plan.json` in it says what happens to which loss; `starts` is a line for each beginning: the
run's seed, its process and the step it began at.
"""

import json
import os
import signal
import time
from pathlib import Path

from jal.errors import InputError, Stopped, TrainingError
from jal.experiments import Record

STEPS = 20


def run(
    spec, device="cpu", deterministic=False, commit=None, checkpoints=None, stop=lambda: False, data_root=None
):
    folder = Path(os.environ["FAKE_RUNS"])
    plan = json.loads((folder / "plan.json").read_text())
    fate = plan.get("fates", {}).get(str(spec.seed), "")
    kept = Path(checkpoints) / spec.id / "step"
    first = int(kept.read_text()) if kept.exists() else 0
    with (folder / "starts").open("a") as log:
        log.write(f"{spec.seed} {os.getpid()} {first}\n")
    for step in range(first, STEPS):
        time.sleep(plan["seconds"] / STEPS)
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
    return finished(spec, plan["seconds"])


def finished(spec, seconds):
    """The Record of a run."""
    accuracy = float(spec.seed % 100)
    return Record(
        schema=1,
        id=spec.id,
        spec=spec,
        accuracy=accuracy,
        curves={"test_accuracy": [accuracy] * spec.recipe.epochs},
        environment={"device": "cpu", "processor": processor(), "commit": "0123456789abcdef", "dirty": False},
        timing={"seconds": float(seconds), "images_per_second": 1.0},
    )


def processor():
    from jal.experiments import provenance

    return provenance.processor()
