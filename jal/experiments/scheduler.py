"""The scheduler: gives a sweep's runs to workers, one after another, and keeps what comes back."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from jal.errors import InputError, Stopped, TrainingError
from jal.experiments.ledger import Ledger
from jal.experiments.pace import Pace, duration
from jal.experiments.record import Record, RecordError
from jal.experiments.spec import RunSpec
from jal.experiments.store import Store
from jal.experiments.workers import Elsewhere, Runner, Staff, Worker
from jal.lease import Lease

TICK = 0.5
"""Seconds between two looks at the clock, at signals and at what other sweeps have left."""

STARTUP = 5.0, 60.0
"""Seconds that a run takes to start, as long as that is not known: on the CPU, and where networks are compiled."""

DEATHS = 2
"""A run whose process died so often, with no checkpoint in between, has failed."""


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
    permit
        what the runs being made go on for: given up, it asks them to write a checkpoint and stop.
    stop_at
        the `time.monotonic()` at which that is.
    patience
        seconds that are waited for them; what runs elsewhere and has not stopped by then stops unwatched.
    requested
        whether a signal asked the sweep to stop.
    runner, options
        make a run.
    tell, progress, watch
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
    permit: Lease
    pace: Pace
    stop_at: float
    patience: float
    requested: Callable[[], bool]
    runner: Runner
    options: Mapping[str, Any]
    tell: Callable[[str], None]
    progress: Callable[[int, int, Record], None] | None
    watch: Callable[[int, int, int, float | None], None] | None = None
    ran: list[str] = field(default_factory=list)
    stopped: str | None = None

    def __post_init__(self) -> None:
        self._running: dict[Future[Record], tuple[Worker, RunSpec, float]] = {}
        self._missing = len(self.waiting)
        self._deaths: Counter[tuple[str, ...]] = Counter()
        self._stillborn = 0
        self._startups: list[float] = []
        self._elsewhere: dict[str, float] = {}
        self._told_to_wait = self._short_of_time = False
        self._stopped_at = math.inf

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
                if self.watch is not None:
                    self.watch(len(self.records), self.total, len(self._running), self._estimate())
                self._wait()
            # What was not waited for may be done.
            self.waiting = {id: spec for id, spec in self.waiting.items() if not self._settled(spec)}
            if self._short_of_time:
                self.stopped = self.stopped or "budget"
        except Exception:
            self.permit.release()
            for future in list(self._running):
                with suppress(Exception):
                    self._end(future)
            raise
        finally:
            self.permit.release()
            # Runs are left after a second Ctrl-C alone, which does not wait for them.
            self.staff.close(wait=not self._running)

    def _heed(self) -> None:
        """The workers, the signals and the clock."""
        self.staff.look()
        if self.stopped is None:
            if self.requested():
                self._stop("signal")
            elif self._time_left() <= 0:
                self._stop("budget")
            elif self.staff.gone:
                self._stop("scheduler")
            elif not self.permit.held():
                self._stop("permit")
        elif time.monotonic() - self._stopped_at > self.patience:
            for future in self._running:
                future.cancel()

    def _stop(self, why: str) -> None:
        """Begins no more runs, and asks those being made to write a checkpoint and stop."""
        self.stopped = why
        self.permit.release()
        self._stopped_at = time.monotonic()
        self.tell(
            f"stopping ({why}): {len(self._running)} runs write their checkpoints"
            if why != "scheduler"
            else "the connection to the scheduler is lost"
        )

    def _time_left(self) -> float:
        """Seconds until the runs are asked to stop."""
        return self.stop_at - time.monotonic()

    def _begin(self) -> None:
        """Gives each idle worker a run."""
        busy = {id(worker) for worker, _, _ in self._running.values()}
        idle = [worker for worker in self.staff.workers if id(worker) not in busy]
        claimed = self.ledger.running() if idle and self.waiting else set()
        for worker in idle:
            spec = self._next(worker, claimed)
            if spec is None:
                break
            future = worker.submit(self.runner, spec, **self.options)
            self._running[future] = worker, spec, time.monotonic()
        if self.waiting and idle and not self._running and not self._told_to_wait:
            self._told_to_wait = True
            self.tell(f"waiting for {len(self.waiting)} runs that another sweep is making")

    def _next(self, worker: Worker, claimed: set[str]) -> RunSpec | None:
        """The first run that is worth beginning and that nobody makes."""
        for id, spec in list(self.waiting.items()):
            if self._shortest(spec, worker) > self._time_left():
                del self.waiting[id]
                self._short_of_time = True
            elif id not in claimed and self._elsewhere.get(id, 0.0) < time.monotonic():
                del self.waiting[id]
                if not self._settled(spec):
                    return spec
        return None

    def _shortest(self, spec: RunSpec, worker: Worker) -> float:
        """Seconds to a run's first checkpoint: its start, the compilation of its network included, and an epoch."""
        unknown = STARTUP[worker.device != "cpu"]
        return max(self._startups, default=unknown) + (self.pace.epoch(spec, worker.hardware) or 0.0)

    def _settled(self, spec: RunSpec) -> bool:
        """Whether another sweep has done it meanwhile, or failed to."""
        with suppress(RecordError):
            record = self.store.get(spec)
            if record is not None and record.has(self.options.get("keep", ())):
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
        ended |= {f for f, (worker, _, _) in self._running.items() if worker.lost or f.cancelled()}
        for future in ended:
            self._end(future)

    def _end(self, future: Future[Record]) -> None:
        """A run that has ended, in whatever way."""
        worker, spec, began = self._running.pop(future)
        if worker.lost and not future.done():
            future.cancel()
            self._died(worker, spec)
            return
        try:
            self._keep(future.result(), time.monotonic() - began)
        except CancelledError:  # with the connection to the workers
            self._again(spec)
        except Stopped:
            self._again(spec)
            # Nobody here asked it to: begun again, it would stop again, for ever and in silence.
            if self.stopped is None:
                self._stop("claim" if self.permit.held() else "permit")
        except Elsewhere:
            self._elsewhere[spec.id] = time.monotonic() + TICK
            self._again(spec)
        except worker.deaths:
            self._died(worker, spec)
        except TrainingError as error:
            self._fail(spec, str(error))

    def _keep(self, record: Record, seconds: float) -> None:
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
        reached = spec.id, *sorted(map(str, (self.store.checkpoints / spec.id).glob("*")))
        if worker.started():
            self._deaths[reached] += 1
        else:
            self._stillborn += 1
            if self._stillborn > DEATHS:
                raise InputError(
                    "the processes of the workers die while they start: in a script, guard the call with "
                    'if __name__ == "__main__", or take jobs=1'
                )
        if self._deaths[reached] >= DEATHS:
            reason = f"its process was killed {DEATHS} times: is there memory for so many jobs?"
            self.ledger.fail(spec.id, reason, self.options["commit"][0])
            self._fail(spec, reason)
        else:
            self._again(spec)
        if self.stopped is None:
            worker.restart()

    def _fail(self, spec: RunSpec, reason: str) -> None:
        self.failed[spec.id] = reason
        self.tell(f"failed: {_title(spec)} ({spec.id}): {reason}")

    def _estimate(self) -> float | None:
        """Seconds until all is done, where the times of all runs are known; as if the workers shared each run."""
        now = time.monotonic()
        workers = Counter(worker.hardware for worker in self.staff.workers)
        shares = [(spec, 1.0) for spec in self.waiting.values()]
        for worker, spec, began in self._running.values():
            expected = self.pace.run(spec, worker.hardware)
            shares.append((spec, max(0.0, 1 - (now - began) / expected) if expected else 1.0))
        seconds = 0.0
        for spec, share in shares:
            times = {hardware: self.pace.run(spec, hardware) for hardware in workers}
            if not (times and all(times.values())):
                return None
            seconds += share / sum(n / (times[hardware] or math.inf) for hardware, n in workers.items())
        return seconds


def _title(spec: RunSpec) -> str:
    rate = f" {spec.noise.rate:g}" if spec.noise.rate else ""
    return f"{spec.dataset} {spec.loss.name}, {spec.noise.kind}{rate}, seed {spec.seed}"
