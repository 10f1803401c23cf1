"""Sweeps: the runs of a grid that a store lacks, most valuable first, until they are done or time is up."""

from __future__ import annotations

import math
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jal import lease
from jal.errors import Stopped, TrainingError, printable
from jal.experiments import pace, provenance
from jal.experiments.grids import Grid, select
from jal.experiments.ledger import Ledger
from jal.experiments.record import Record, RecordError
from jal.experiments.run import run
from jal.experiments.scheduler import Scheduler
from jal.experiments.spec import RunSpec
from jal.experiments.store import Store, stored
from jal.experiments.watch import Watch, own_watch
from jal.experiments.workers import LocalStaff, Runner, Staff, check_numbers
from jal.lease import Lease
from jal.training.signals import stop_on_sigterm

RunProgress = Callable[[int, int, Record], None]


RESERVE = 5.0, 30.0
"""Seconds of a budget that are kept for checkpoints: a twentieth of it, but no less and no more than these."""

PATIENCE = 10.0
"""Seconds that are waited for checkpoints where there is no budget."""

_WHY = {
    "budget": "the budget is spent",
    "scheduler": "the scheduler is gone",
    "permit": "the sweep's own file in .sweeps is gone, as after a machine's long sleep",
    "claim": "a run's claim is gone or another's, as after a machine's long sleep",
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
        None, or why runs are left: "budget", "signal", "scheduler", or "permit" or "claim" where the sweep's right to
        go on, or to make a run, was lost.
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
        and of those that are `left`; `failed`, id to reason; `stopped`, null, "budget", "signal", "scheduler",
        "permit" or "claim"."""
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
        `jal.executors.connect`). The store must be a folder that all its machines share.
    runner
        makes a run, with the arguments of `run`; at the top level of a module, so that processes find it.
    options
        more arguments of `run`, such as `plain`.

    Raises
    ------
    InputError
        for a condition, a device or data that is not to be had, and a store that cannot be written.
    """
    check_numbers(jobs, per_gpu)
    reserve, stop_at = PATIENCE, math.inf
    if budget is not None:
        least, most = RESERVE
        reserve = min(most, max(least, 0.05 * pace.seconds(budget)))
        stop_at = time.monotonic() + pace.seconds(budget) - reserve
    specs = what.specs(seeds) if isinstance(what, Grid) else [s for s in what if not seeds or s.seed in seeds]
    specs = select({spec.id: spec for spec in specs}.values(), where)
    store.prepare()
    keep = what.keep if isinstance(what, Grid) else ()
    found = {spec.id: _with(keep, spec, [store, *also]) for spec in specs}
    records = {id: record for id, record in found.items() if record is not None}
    ledger = Ledger(store.path)
    _tidy(store, ledger)
    if retry:
        for spec in specs:
            ledger.forgive(spec.id)
    failures = ledger.failures()
    failed = {spec.id: failures[spec.id] for spec in specs if spec.id in failures and spec.id not in records}
    missing = [spec for spec in specs if spec.id not in records and spec.id not in failed]
    if not missing:
        return SweepResult(tuple(specs), records, (), failed, None)
    commit = commit or provenance.commit()
    options |= {"deterministic": deterministic, "commit": commit, "store": Store(store.path.absolute())}
    if keep:
        options["keep"] = keep
    if options.get("data_root") is not None:
        options["data_root"] = Path(options["data_root"]).absolute()
    known = pace.Pace()
    for each in (store, *also):
        for record in each.records(complain=lambda _: None):
            known.learn(record)
    # Deterministic kernels are a switch of the whole process, which threads would turn off for each other.
    per_gpu = 1 if deterministic else per_gpu
    permit = Lease(store.path.absolute() / ".sweeps" / f"{uuid.uuid4().hex}.json")
    permit.take()
    try:
        staff: Staff
        if scheduler is None:
            staff = LocalStaff(device, len(missing), jobs, per_gpu, threads)
        else:
            from jal.experiments.cluster import ClusterStaff

            staff = ClusterStaff(scheduler, permit.file, device, len(missing), jobs, per_gpu, tell)
        with stop_on_sigterm() as request:
            work = Scheduler(
                waiting={spec.id: spec for spec in missing},
                records=records,
                failed=failed,
                total=len(specs),
                store=store,
                ledger=ledger,
                staff=staff,
                permit=permit,
                pace=known,
                stop_at=stop_at,
                patience=reserve,
                requested=lambda: request.requested,
                runner=runner,
                options=options | {"permit": permit.file},
                tell=tell,
                progress=progress,
                watch=watch,
            )
            work.go()
    finally:
        if watch is not None:
            watch.close()
        permit.release()
        _tidy(store, ledger)
    return SweepResult(tuple(specs), records, tuple(work.ran), failed, work.stopped)


def _with(keep: Iterable[str], spec: RunSpec, stores: Iterable[Store]) -> Record | None:
    """The first Record of a spec that kept all of these: one store may have the run, and another more of it."""
    records = (stored(spec, [store]) for store in stores)
    return next((record for record in records if record is not None and record.has(keep)), None)


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


def _tidy(store: Store, ledger: Ledger) -> None:
    """Removes what sweeps that were killed have left: claims, leases, and checkpoints of runs that are done."""
    ledger.tidy()
    for file in (store.path / ".sweeps").glob("*.json"):
        lease.clear(file)
    for folder in store.checkpoints.glob("*"):
        with suppress(RecordError):
            if store.get(folder.name) is None:
                continue
            # Whoever makes a run once more keeps its checkpoints there.
            claim = ledger.claim(folder.name)
            if claim is not None:
                shutil.rmtree(folder, ignore_errors=True)
                claim.release()
