"""The scheduler: gives a sweep's runs to workers, one after another, and keeps what comes back."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from jal.errors import InputError, Stopped, TrainingError
from jal.experiments.ledger import Ledger
from jal.experiments.pace import Pace, duration
from jal.experiments.record import Record, RecordError
from jal.experiments.spec import RunSpec
from jal.experiments.store import Store
from jal.experiments.workers import Runner, Staff, Worker

"""Of half-finished runs: a folder in the store's."""

TICK = 0.5
"""Seconds between two looks at the clock, at signals and at what other sweeps have left."""

STARTUP = 5.0, 60.0
"""Seconds that a run takes to start, as long as that is not known: on the CPU, and where networks are compiled."""

DEATHS = 2
"""A run whose process died so often has failed."""


@dataclass
class Scheduler:
    """The runs of a sweep: waiting, being made, done, failed.

    Attributes
    ----------
    waiting
        by id, the most valuable first.
    records, failed
        by id: what is done, and the reasons of failures.
    total
        how many runs the sweep is of.
    stop_at
        the `time.monotonic()` at which runs are asked to stop.
    requested
        whether a signal asked the sweep to stop.
    runner, options
        make a run.
    tell, progress
        see `sweep`.
    ran, stopped
        see `SweepResult`.
    """

    waiting: dict[str, RunSpec]
    records: dict[str, Record]
    failed: dict[str, str]
    total: int
    store: Store
    ledger: Ledger
    staff: Staff
    pace: Pace
    stop_at: float
    requested: Callable[[], bool]
    runner: Runner
    options: Mapping[str, Any]
    tell: Callable[[str], None]
    progress: Callable[[int, int, Record], None] | None
    ran: list[str] = field(default_factory=list)
    stopped: str | None = None

    def __post_init__(self) -> None:
        self._running: dict[Future[Record], tuple[Worker, RunSpec, float]] = {}
        self._missing = len(self.waiting)
        self._deaths: Counter[str] = Counter()
        self._stillborn = 0
        self._startups: list[float] = []
        self._told_to_wait = self._short_of_time = False

    def go(self) -> None:
        """Until all is done, or it is told to stop and all runs have stopped.

        Raises
        ------
        InputError
            of a run, which all others would meet as well; and whatever is no failure of that run alone.
        """
        try:
            while self._running or self.waiting:
                self._heed()
                if self.stopped is None:
                    self._begin()
                elif not self._running:
                    break
                self._wait()
            if self._short_of_time:
                self.stopped = self.stopped or "budget"
        except Exception:
            self.staff.stop()
            for future in list(self._running):
                with suppress(Exception):
                    self._end(future)
            raise
        finally:
            # Runs are left after a second Ctrl-C alone, which does not wait for them.
            self.staff.close(wait=not self._running)

    def _heed(self) -> None:
        """Signs of life; the signals and the clock."""
        self.ledger.renew()
        if self.stopped is None:
            if self.requested():
                self.stopped = "signal"
            elif self._time_left() <= 0:
                self.stopped = "budget"
            if self.stopped:
                self.staff.stop()
                self.tell(f"stopping ({self.stopped}): {len(self._running)} runs write their checkpoints")

    def _time_left(self) -> float:
        """Seconds until the runs are asked to stop."""
        return self.stop_at - time.monotonic()

    def _begin(self) -> None:
        """Gives each idle worker a run."""
        busy = {id(worker) for worker, _, _ in self._running.values()}
        for worker in self.staff.workers:
            if id(worker) not in busy:
                spec = self._next()
                if spec is None:
                    break
                future = worker.submit(self.runner, spec, **self.options)
                self._running[future] = worker, spec, time.monotonic()
        if self.waiting and not self._running and not self._told_to_wait:
            self._told_to_wait = True
            self.tell(f"waiting for {len(self.waiting)} runs that another sweep is making")

    def _next(self) -> RunSpec | None:
        """The first run that is worth beginning, claimed."""
        for id, spec in list(self.waiting.items()):
            if self._shortest(spec) > self._time_left():
                del self.waiting[id]
                self._short_of_time = True
            elif self.ledger.claim(id):
                del self.waiting[id]
                if not self._settled(spec):
                    return spec
                self.ledger.release(id)
        return None

    def _shortest(self, spec: RunSpec) -> float:
        """Seconds to a run's first checkpoint: its start, the compilation of its network included, and an epoch."""
        unknown = STARTUP[self.staff.device != "cpu"]
        return max(self._startups, default=unknown) + (self.pace.epoch(spec) or 0.0)

    def _settled(self, spec: RunSpec) -> bool:
        """Whether another sweep has done it meanwhile, or failed to."""
        with suppress(RecordError):
            record = self.store.get(spec)
            if record is not None:
                self.records[spec.id] = record
                return True
        reason = self.ledger.failure(spec.id)
        if reason is not None:
            self.failed[spec.id] = reason
        return reason is not None

    def _wait(self) -> None:
        if not self._running:
            time.sleep(TICK)
            return
        ended, _ = wait(self._running, TICK, FIRST_COMPLETED)
        for future in ended:
            self._end(future)

    def _end(self, future: Future[Record]) -> None:
        """A run that has ended, in whatever way."""
        import torch

        worker, spec, began = self._running.pop(future)
        try:
            record = future.result()
            self._keep(record, time.monotonic() - began)
        except Stopped:
            self._again(spec)
        except BrokenExecutor:
            self._died(worker, spec)
        except (TrainingError, MemoryError, torch.OutOfMemoryError) as error:
            self._fail(spec, " ".join(str(error).split()) or type(error).__name__)
        finally:
            self.ledger.release(spec.id)

    def _keep(self, record: Record, seconds: float) -> None:
        self.store.put(record)
        self.ledger.forgive(record.id)
        shutil.rmtree(self.store.checkpoints / record.id, ignore_errors=True)
        self.records[record.id] = record
        self.ran.append(record.id)
        self.pace.learn(record)
        if seconds > record.timing["seconds"]:  # it was not resumed
            self._startups.append(seconds - record.timing["seconds"])
        left = self._estimate()
        self.tell(
            f"{len(self.records)}/{self.total}  {_title(record.spec)}: {record.accuracy:.2f} % "
            f"in {duration(seconds)}" + (f", about {duration(left)} left" if left else "")
        )
        if self.progress is not None:
            self.progress(len(self.ran), self._missing, record)

    def _again(self, spec: RunSpec) -> None:
        """Back to the front of the queue."""
        self.waiting = {spec.id: spec} | self.waiting

    def _died(self, worker: Worker, spec: RunSpec) -> None:
        """The worker's process was killed, perhaps by the system for want of memory."""
        if worker.started():
            self._deaths[spec.id] += 1
        else:
            self._stillborn += 1
            if self._stillborn > DEATHS:
                raise InputError(
                    "the processes of the workers die while they start: in a script, guard the call with "
                    'if __name__ == "__main__", or take jobs=1'
                )
        if self._deaths[spec.id] >= DEATHS:
            self._fail(spec, f"its process was killed {DEATHS} times: is there memory for so many jobs?")
        else:
            self._again(spec)
        if self.stopped is None:
            worker.restart()

    def _fail(self, spec: RunSpec, reason: str) -> None:
        self.ledger.fail(spec.id, reason, self.options["commit"][0])
        self.failed[spec.id] = reason
        self.tell(f"failed: {_title(spec)} ({spec.id}): {reason}")

    def _estimate(self) -> float | None:
        """Seconds until all is done, where the times of all runs are known."""
        now = time.monotonic()
        shares = [(spec, now - began) for _, spec, began in self._running.values()]
        shares += [(spec, 0.0) for spec in self.waiting.values()]
        seconds = 0.0
        for spec, spent in shares:
            expected = self.pace.run(spec)
            if expected is None:
                return None
            seconds += max(0.0, expected - spent)
        return seconds / len(self.staff.workers)


def _title(spec: RunSpec) -> str:
    rate = f" {spec.noise.rate:g}" if spec.noise.rate else ""
    return f"{spec.dataset} {spec.loss.name}, {spec.noise.kind}{rate}, seed {spec.seed}"
