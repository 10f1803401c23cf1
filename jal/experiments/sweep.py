"""Sweeps: the runs of a grid that a store lacks, most valuable first, until they are done or time is up.

How one works, from top to bottom:

1. `sweep` finds the runs that are missing, and the workers that can make some.
2. `_Work` gives each idle worker the next run, and keeps what comes back. A worker is a
   `concurrent.futures.Executor`: a process here, a thread on a card, dask's on other machines.
3. The worker (`jal.experiments.workers.make`) takes the run's lock, so that sweeps share a store, trains, and puts the
   Record into the store the moment the run ends.
4. All of them go on for as long as the sweep holds its own lock. When it is released, or the sweep has died, they write
   a checkpoint and stop.
"""

from __future__ import annotations

import math
import shutil
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from filelock import BaseFileLock

from jal import locks
from jal.errors import InputError, Stopped, TrainingError, printable
from jal.experiments import provenance
from jal.experiments.failures import Failures
from jal.experiments.grids import Grid, select
from jal.experiments.record import Record, RecordError
from jal.experiments.run import run
from jal.experiments.spec import RunSpec
from jal.experiments.store import Store, stored
from jal.experiments.timing import Timing, duration, parse_duration
from jal.experiments.watch import Watch, own_watch
from jal.experiments.workers import LocalPool, MadeElsewhere, Pool, Runner, Worker, make, outcome
from jal.training.signals import stop_on_sigterm

RunProgress = Callable[[int, int, Record], None]

RESERVE = 5.0, 30.0
"""Seconds of a budget that are kept for checkpoints: a twentieth of it, but no less and no more than these."""

PATIENCE = 10.0
"""Seconds that are waited for checkpoints where there is no budget."""

TICK = 0.5
"""Seconds between two looks at the clock, at signals and at what other sweeps have left."""

STARTUP = 5.0, 60.0
"""Seconds that a run takes to start: on the CPU, and where networks are compiled."""

DEATHS = 2
"""A run whose process died so often, with no checkpoint in between, has failed."""

_WHY = {
    "budget": "the budget is spent",
    "scheduler": "the scheduler is gone",
    "lock": "the sweep's own lock in .sweeps is gone",
}


@dataclass(frozen=True)
class SweepResult:
    """What a sweep found and did.

    Attributes
    ----------
    specs
        all runs that were asked for, the most valuable first.
    records
        of those that are done, by id.
    ran
        the ids of those that this sweep did.
    failed
        the reason of each failure, by id, earlier ones included.
    stopped
        None, or why runs are left: "budget", "signal", "scheduler", or "lock" where the file of the sweep's own lock
        was removed.
    """

    specs: tuple[RunSpec, ...]
    records: dict[str, Record]
    ran: tuple[str, ...]
    failed: dict[str, str]
    stopped: str | None

    @property
    def left(self) -> list[RunSpec]:
        """The runs that are neither done nor failed."""
        return [spec for spec in self.specs if spec.id not in self.records and spec.id not in self.failed]

    @property
    def exit_code(self) -> int:
        """0 where all is done, 1 where some failed, 75 where it was stopped with work left, to be resumed."""
        return 75 if self.left else 1 if self.failed else 0

    def to_dict(self) -> dict[str, Any]:
        """As JSON data: how many `runs` there are and how many are `done`; the ids of those that this sweep `ran`
        and of those that are `left`; `failed`, id to reason; `stopped`, null, "budget", "signal", "scheduler"
        or "lock"."""
        return {
            "schema": 1,
            "runs": len(self.specs),
            "done": len(self.records),
            "ran": list(self.ran),
            "failed": self.failed,
            "left": [spec.id for spec in self.left],
            "stopped": self.stopped,
        }

    def __str__(self) -> str:
        parts = [f"{len(self.records)} of {len(self.specs)} runs done"]
        if self.failed:
            parts.append(f"{len(self.failed)} failed")
        if self.left:
            why = _WHY.get(self.stopped or "", "stopped")
            parts.append(f"{len(self.left)} left ({why}); the same command goes on")
        return ", ".join(parts)


def to_stderr(line: str) -> None:
    """Prints a line of progress."""
    print(printable(line), file=sys.stderr, flush=True)


def sweep(
    what: Grid | Iterable[RunSpec],
    *,
    store: Store,
    also: Sequence[Store] = (),
    seeds: Sequence[int] | None = None,
    where: str | Sequence[str] = (),
    budget: float | str | None = None,
    jobs: int | None = None,
    per_gpu: int = 1,
    device: str = "auto",
    deterministic: bool = False,
    retry: bool = False,
    commit: tuple[str, bool] | None = None,
    tell: Callable[[str], None] = to_stderr,
    progress: RunProgress | None = None,
    watch: Watch | None = None,
    threads: bool | None = None,
    scheduler: str | None = None,
    runner: Runner = run,
    **options: Any,
) -> SweepResult:
    """Makes the runs that no store has; each Record is in `store` the moment its run ends.

    Sweeps of one store share its runs. A run that was stopped or killed goes on from its checkpoint. One that fails,
    or whose process dies twice, is noted in the store and does not stop the others. SIGTERM, or Ctrl-C once, lets
    the runs being made write a checkpoint and ends the sweep.

    A script that calls this at its top level must guard the call with `if __name__ == "__main__"`, as always with
    processes.

    Parameters
    ----------
    what
        a grid, or runs, the most valuable first.
    store
        written to.
    also
        stores that are read as well, never written.
    seeds
        of a grid, instead of its own; of runs, those to make.
    where
        conditions on the runs: see `jal.experiments.grids.select`.
    budget
        seconds, or "9m", "90s", "2h", from now: by then the sweep has ended, runs that are not done having written
        a checkpoint, and a run that could not reach one is not begun.
    jobs
        runs at a time, at most; on the CPU, if left out, one a core. Several are processes with one torch thread each.
    per_gpu
        runs at a time on each GPU.
    device, deterministic, commit
        as for `run`. "cuda" is every GPU, "cuda:1" that one.
    retry
        makes runs that failed before once more.
    tell
        is given a line after each run.
    progress
        called after each run with how many this sweep has done, how many were missing, and the Record.
    watch
        shows how far it is, all the time; it takes the lines too where `tell` is its own.
    threads
        whether runs are threads of this process; if left out, on a GPU and where there is one at a time.
    scheduler
        makes the runs on a cluster: "tcp://host:8786", dask's scheduler there, or "slurm:PROFILE", jobs of Slurm (see
        `jal.experiments.cluster.connect`). The store must be a folder that all its machines share.
    runner
        makes a run, with the arguments of `run`; at the top level of a module, so that processes find it.
    options
        more arguments of `run`, such as `plain`.

    Raises
    ------
    InputError
        for a condition, a device or data that is not to be had, and a store that cannot be written.
    """
    stop_at, patience = _deadline(budget)
    specs = what.specs(seeds) if isinstance(what, Grid) else [s for s in what if not seeds or s.seed in seeds]
    specs = select({spec.id: spec for spec in specs}.values(), where)
    keep = tuple(what.keep) if isinstance(what, Grid) else ()
    for name, number in (("jobs", jobs), ("per_gpu", per_gpu)):
        if number is not None and number < 1:
            raise InputError(f"{name}={number}: give a number from 1 on")
    store.prepare()
    _tidy(store)
    found = {spec.id: stored(spec, [store, *also], keep) for spec in specs}
    records = {id: record for id, record in found.items() if record is not None}
    failed = _failed(store, [spec for spec in specs if spec.id not in records], retry)
    missing = {spec.id: spec for spec in specs if spec.id not in records and spec.id not in failed}
    if not missing:
        return SweepResult(tuple(specs), records, (), failed, None)
    others = [record for each in (store, *also) for record in each.records(lambda _: None, but=records)]
    options |= {"deterministic": deterministic, "commit": commit or provenance.commit()}
    if options.get("data_root") is not None:
        options["data_root"] = Path(options["data_root"]).absolute()
    # Deterministic kernels are a switch of the whole process, which threads would turn off for each other.
    per_gpu = 1 if deterministic else per_gpu
    with _own_lock(store) as lock, stop_on_sigterm() as request:
        pool: Pool
        if scheduler is None:
            pool = LocalPool(device, len(missing), jobs, per_gpu, threads)
        else:
            from jal.experiments.remote import ClusterPool

            most = min(len(missing), jobs or len(missing))
            pool = ClusterPool(scheduler, Path(lock.lock_file), device, most, per_gpu, tell)
        work = _Work(
            waiting=missing,
            records=records,
            failed=failed,
            store=store,
            keep=keep,
            task=partial(make, runner, **options),
            pool=pool,
            lock=lock,
            requested=lambda: request.requested,
            stop_at=stop_at,
            patience=patience,
            timing=Timing([*records.values(), *others]),
            tell=tell,
            progress=progress,
            watch=watch,
        )
        try:
            work.go()
        finally:
            if watch is not None:
                watch.close()
    return SweepResult(tuple(specs), records, tuple(work.ran), failed, work.stopped)


def run_missing(
    what: Grid | Iterable[RunSpec],
    store: Store,
    jobs: int | None = None,
    device: str = "auto",
    deterministic: bool = False,
    progress: RunProgress | None = None,
    also: Sequence[Store] = (),
    commit: tuple[str, bool] | None = None,
    seeds: Sequence[int] | None = None,
) -> list[Record]:
    """The Records of a grid or of some runs, in their order; those that no store has are made first: see `sweep`.

    In a notebook and on a terminal a bar shows how far it is.

    Raises
    ------
    InputError
        as `sweep`.
    TrainingError
        when a run failed, after all others have ended.
    Stopped
        when a signal stopped it before the end.
    """
    what = what if isinstance(what, Grid) else list(what)
    watch = own_watch()
    done = sweep(
        what,
        store=store,
        also=also,
        seeds=seeds,
        jobs=jobs,
        device=device,
        deterministic=deterministic,
        retry=True,
        commit=commit,
        tell=watch.tell if watch else lambda _: None,
        progress=progress,
        watch=watch,
    )
    if done.left:
        raise Stopped(str(done))
    if done.failed:
        id, reason = next(iter(done.failed.items()))
        name = next(spec.loss.name for spec in done.specs if spec.id == id)
        missing = len(done.failed) + len(done.ran)
        raise TrainingError(
            f"{len(done.failed)} of {missing} runs failed; the first: {name} ({id}): {reason}"
        )
    specs = done.specs if isinstance(what, Grid) else what
    return [done.records[spec.id] for spec in specs]


def _deadline(budget: float | str | None) -> tuple[float, float]:
    """The `time.monotonic()` at which runs are asked to stop, and the seconds that they then have for checkpoints."""
    if budget is None:
        return math.inf, PATIENCE
    seconds = parse_duration(budget)
    reserve = min(max(0.05 * seconds, RESERVE[0]), RESERVE[1])
    return time.monotonic() + seconds - reserve, reserve


def _failed(store: Store, specs: Sequence[RunSpec], retry: bool) -> dict[str, str]:
    """Why some of these runs failed earlier, by id; forgotten for another try."""
    failures = Failures(store.path)
    for spec in specs if retry else ():
        failures.forgive(spec.id)
    reasons = failures.all()
    return {spec.id: reasons[spec.id] for spec in specs if spec.id in reasons}


@contextmanager
def _own_lock(store: Store) -> Iterator[BaseFileLock]:
    """The lock for which the sweep's runs go on: `<store>/.sweeps/<a name>.lock`."""
    lock = locks.acquire(store.path.absolute() / ".sweeps" / f"{uuid.uuid4().hex}.lock")
    assert lock is not None  # nobody else knows its name
    try:
        yield lock
    finally:
        locks.release(lock)
        _tidy(store)


@dataclass
class _Work:
    """The runs of a sweep: waiting, being made, done, failed; all by id."""

    waiting: dict[str, RunSpec]
    records: dict[str, Record]
    failed: dict[str, str]
    store: Store
    keep: tuple[str, ...]
    task: partial[Record]  # makes a run, given it, the store, the sweep's lock and a worker's options
    pool: Pool
    lock: BaseFileLock
    requested: Callable[[], bool]  # whether a signal asked to stop
    stop_at: float  # in any case, by time.monotonic()
    patience: float  # seconds for checkpoints then; a run elsewhere that takes longer stops unwatched
    timing: Timing
    tell: Callable[[str], None]
    progress: RunProgress | None
    watch: Watch | None
    ran: list[str] = field(default_factory=list)
    stopped: str | None = None

    def __post_init__(self) -> None:
        self._running: dict[Future[Record], tuple[Worker, RunSpec, float]] = {}
        self._missing = len(self.waiting)
        self._total = self._missing + len(self.records) + len(self.failed)
        self._deaths: Counter[tuple[str, ...]] = Counter()
        self._stillborn = 0
        self._not_before: dict[str, float] = {}
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
                self.pool.update()
                self._check_for_a_stop()
                if self.stopped is None:
                    self._begin_runs()
                elif not self._running:
                    break
                if self.watch is not None:
                    self.watch(len(self.records), self._total, len(self._running), self._time_left())
                self._wait()
            # What was not waited for may be done.
            self.waiting = {id: spec for id, spec in self.waiting.items() if not self._settled(spec)}
            if self._short_of_time:
                self.stopped = self.stopped or "budget"
        except Exception:
            locks.release(self.lock)
            for future in list(self._running):
                with suppress(Exception):
                    self._end(future)
            raise
        finally:
            locks.release(self.lock)
            # Runs are left after a second Ctrl-C alone, which does not wait for them.
            self.pool.close(wait=not self._running)

    def _check_for_a_stop(self) -> None:
        """Looks at the signals, the clock and the scheduler."""
        if self.stopped is None:
            if self.requested():
                self._stop("signal")
            elif time.monotonic() >= self.stop_at:
                self._stop("budget")
            elif self.pool.gone:
                self._stop("scheduler")
        elif time.monotonic() - self._stopped_at > self.patience:
            for future in self._running:
                future.cancel()

    def _stop(self, why: str) -> None:
        """Begins no more runs, and asks those being made to write a checkpoint and stop."""
        self.stopped = why
        self._stopped_at = time.monotonic()
        locks.release(self.lock)
        if why == "scheduler":
            self.tell("the connection to the scheduler is lost")
        else:
            self.tell(f"stopping ({why}): {len(self._running)} runs write their checkpoints")

    def _begin_runs(self) -> None:
        """Gives each idle worker a run."""
        busy = [worker for worker, _, _ in self._running.values()]
        idle = [worker for worker in self.pool.workers if worker not in busy]
        taken = self.store.running() if idle and self.waiting else set()
        for worker in idle:
            spec = self._next(worker, taken)
            if spec is None:
                break
            store = Store(self.store.path.absolute())  # a process elsewhere has another working directory
            task = partial(self.task, spec, store, Path(self.lock.lock_file), self.keep)
            self._running[worker.submit(task)] = worker, spec, time.monotonic()
        if self.waiting and idle and not self._running and not self._told_to_wait:
            self._told_to_wait = True
            self.tell(f"waiting for {len(self.waiting)} runs that another sweep is making")

    def _next(self, worker: Worker, taken: set[str]) -> RunSpec | None:
        """The first run that is worth beginning and that nobody makes."""
        for id, spec in list(self.waiting.items()):
            # To its first checkpoint: its start, and an epoch.
            seconds = STARTUP[worker.device != "cpu"] + (self.timing.epoch(spec, worker.hardware) or 0.0)
            if time.monotonic() + seconds > self.stop_at:
                del self.waiting[id]
                self._short_of_time = True
            elif id not in taken and self._not_before.get(id, 0.0) < time.monotonic():
                del self.waiting[id]
                if not self._settled(spec):
                    return spec
        return None

    def _settled(self, spec: RunSpec) -> bool:
        """Whether another sweep has done it meanwhile, or failed to."""
        found = outcome(spec, self.store, self.keep)
        if isinstance(found, Record):
            self.records[spec.id] = found
        elif found is not None:
            self.failed[spec.id] = found
        return found is not None

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
                self._stop("lock")
        except MadeElsewhere:
            self._not_before[spec.id] = time.monotonic() + TICK
            self._again(spec)
        except self.pool.deaths:
            self._died(worker, spec)
        except TrainingError as error:
            self._fail(spec, str(error))

    def _keep(self, record: Record, seconds: float) -> None:
        self.records[record.id] = record
        self.ran.append(record.id)
        self.timing.add(record)
        left = self._time_left()
        self.tell(
            f"{len(self.records)}/{self._total}  {_title(record.spec)}: {record.accuracy:.2f} % "
            f"in {duration(seconds)}" + (f", about {duration(left)} left" if left else "")
        )
        if self.progress is not None:
            self.progress(len(self.ran), self._missing, record)

    def _again(self, spec: RunSpec) -> None:
        """Back to the front of the queue."""
        self.waiting = {spec.id: spec} | self.waiting

    def _died(self, worker: Worker, spec: RunSpec) -> None:
        """The worker's process was killed, perhaps by the system for want of memory."""
        if self.pool.restart(worker):
            reached = spec.id, *sorted(map(str, (self.store.checkpoints / spec.id).glob("*")))
            self._deaths[reached] += 1
            if self._deaths[reached] >= DEATHS:
                reason = f"its process was killed {DEATHS} times: is there memory for so many jobs?"
                Failures(self.store.path).note(spec.id, reason, self.task.keywords["commit"][0])
                self._fail(spec, reason)
                return
        else:
            self._stillborn += 1
            if self._stillborn > DEATHS:
                raise InputError(
                    "the processes of the workers die while they start: in a script, guard the call with "
                    'if __name__ == "__main__", or take jobs=1'
                )
        self._again(spec)

    def _fail(self, spec: RunSpec, reason: str) -> None:
        self.failed[spec.id] = reason
        self.tell(f"failed: {_title(spec)} ({spec.id}): {reason}")

    def _time_left(self) -> float | None:
        """Seconds until all is done, where the times of all runs are known; as if the workers shared each run."""
        workers, now = self.pool.workers, time.monotonic()
        running = self._running.values()
        seconds = -sum(now - began for _, _, began in running)
        for spec in (*self.waiting.values(), *(spec for _, spec, _ in running)):
            times = [self.timing.run(spec, worker.hardware) for worker in workers]
            known = [each for each in times if each is not None]
            if not times or len(known) < len(times):
                return None
            seconds += fmean(known)
        return max(0.0, seconds) / max(1, len(workers))


def _title(spec: RunSpec) -> str:
    rate = f" {spec.noise.rate:g}" if spec.noise.rate else ""
    return f"{spec.dataset} {spec.loss.name}, {spec.noise.kind}{rate}, seed {spec.seed}"


def _tidy(store: Store) -> None:
    """Removes what sweeps that were killed have left: their locks, and checkpoints of runs that are done."""
    store.running()
    locks.held_in(store.path / ".sweeps")
    for folder in store.checkpoints.glob("*"):
        with suppress(RecordError):
            if store.get(folder.name) is None:
                continue
            # Whoever makes a run once more keeps its checkpoints there.
            lock = locks.acquire(store.lock(folder.name), wait=0)
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                locks.release(lock)
