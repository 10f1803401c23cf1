"""Workers: where a sweep's runs are made, each with one run at a time, and what they do with one.

On the CPU a worker is a process with one torch thread; on a GPU the workers are threads of one process, so that
their runs share its memory and fill it together. A sweep knows only `concurrent.futures.Executor`.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from jal import locks
from jal.cores import cores
from jal.errors import Stopped, TrainingError
from jal.experiments import provenance, timing
from jal.experiments.device import choose_device
from jal.experiments.failures import Failures
from jal.experiments.record import Record, RecordError
from jal.experiments.spec import RunSpec
from jal.experiments.store import Store

Runner = Callable[..., Record]
"""`jal.experiments.run`, or what has its arguments."""


class MadeElsewhere(Exception):
    """A run that is not this sweep's to make: another makes it, or it is done, or it has failed."""


def make(
    runner: Runner, spec: RunSpec, store: Store, sweep: Path, keep: tuple[str, ...] = (), **options: Any
) -> Record:
    """Makes one run, which nobody else does meanwhile; when this returns, the Record is in the store.

    It goes on for as long as somebody holds the lock `sweep`, and then raises Stopped. A run that is not this sweep's
    to make raises MadeElsewhere; one that fails is noted in the store and raises TrainingError, in one line.
    """
    import torch

    if not locks.is_held(sweep):  # stopped while the process was starting
        raise Stopped(f"{spec.loss.name} ({spec.id}) was not begun")
    lock = locks.acquire(store.lock(spec.id), wait=0)
    if lock is None:
        raise MadeElsewhere(spec.id)
    try:
        # A network file system remembers for a while that a file was absent, unless it sees its folder change.
        with suppress(OSError):
            probe = store.file(spec).with_name(f".{uuid.uuid4().hex}.tmp")
            probe.touch()
            probe.unlink()
        if outcome(spec, store, keep) is not None:
            raise MadeElsewhere(spec.id)
        if keep:
            options |= {"keep": keep, "store": store}
        stop = locks.polled(lambda: not locks.is_held(sweep))
        record = runner(spec, stop=stop, checkpoints=store.checkpoints, **options)
        store.put(record)
        shutil.rmtree(store.checkpoints / spec.id, ignore_errors=True)
        return record
    except (TrainingError, MemoryError, torch.OutOfMemoryError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        Failures(store.path).note(spec.id, reason, options["commit"][0])
        raise TrainingError(reason) from None
    finally:
        locks.release(lock)


def outcome(spec: RunSpec, store: Store, keep: Sequence[str]) -> Record | str | None:
    """What has become of a run, whoever made it: its Record with all that is to be kept, or why it failed."""
    with suppress(RecordError):
        record = store.get(spec)
        if record is not None and record.has(keep):
            return record
    return Failures(store.path).reason(spec.id)


@dataclass(eq=False)
class Worker:
    """A place for one run at a time, on a device of torch's name; `lost` once it is gone, with the run that it had.

    `hardware` is the device as in `jal.experiments.timing`; `options` are arguments of `run` that are the worker's.
    """

    executor: Executor
    device: str
    hardware: str
    options: Mapping[str, Any] = field(default_factory=dict)
    lost: bool = False

    def submit(self, task: Callable[..., Record]) -> Future[Record]:
        """Begins a run: `make`, given all but the worker's options."""
        return self.executor.submit(partial(task, device=self.device, **self.options))


class Pool(Protocol):
    """All workers of a sweep."""

    deaths: tuple[type[Exception], ...]
    """The errors of a future whose process died."""

    @property
    def workers(self) -> Sequence[Worker]:
        """Those that may be given runs; they may come and go."""

    @property
    def gone(self) -> bool:
        """Whether none will ever come again."""

    def update(self) -> None:
        """Brings `workers` up to date; called often."""

    def restart(self, worker: Worker) -> bool:
        """Makes a worker useful again after its process died; False if it died while it started."""

    def close(self, wait: bool) -> None:
        """No more runs; `wait` for those being made."""


class LocalPool:
    """The workers of this machine, each a thread or process of its own: if one is killed, no other's run goes too.

    Not more than there are `runs`, or `jobs`; on the CPU, if that is left out, one a core. `threads`, if left out,
    where there is a GPU or one worker alone.
    """

    gone = False
    deaths: tuple[type[Exception], ...] = (BrokenExecutor,)

    def __init__(
        self, device: str, runs: int, jobs: int | None, per_gpu: int, threads: bool | None = None
    ) -> None:
        devices = _devices(choose_device(device), per_gpu)
        if devices[0] == "cpu":
            devices *= jobs or cores()
        devices = devices[: max(1, min(runs, jobs or runs))]
        self._threads = devices[0] != "cpu" or len(devices) == 1 if threads is None else threads
        names = {each: hardware_of(each) for each in devices}
        self.workers = [_LocalWorker(self._executor, each, names[each]) for each in devices]

    def _executor(self) -> Executor:
        if self._threads:
            return ThreadPoolExecutor(1)
        return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _begin)

    def update(self) -> None:
        """They stay as they are."""

    def restart(self, worker: Worker) -> bool:
        """A new process for one that died; False if that never came to work."""
        assert isinstance(worker, _LocalWorker)
        return worker.restart()

    def close(self, wait: bool) -> None:
        """No more runs; `wait` for those being made."""
        for worker in self.workers:
            worker.executor.shutdown(wait=wait, cancel_futures=True)


class _LocalWorker(Worker):
    def __init__(self, make_executor: Callable[[], Executor], device: str, hardware: str) -> None:
        super().__init__(make_executor(), device, hardware)
        self._make_executor = make_executor
        self._started = self.executor.submit(os.getpid)

    def submit(self, task: Callable[..., Record]) -> Future[Record]:
        try:
            return super().submit(task)
        except BrokenExecutor:  # killed while it was idle
            self.restart()
            return super().submit(task)

    def restart(self) -> bool:
        had_started = self._started.done() and self._started.exception() is None
        self.executor = self._make_executor()
        self._started = self.executor.submit(os.getpid)
        return had_started


def hardware_of(device: str) -> str:
    """What a Record made on a device of this machine would say that it ran on."""
    return timing.hardware(provenance.environment(device, 1, (provenance.UNKNOWN, False)))


def _begin() -> None:
    """The start of a worker process."""
    # Ctrl-C and a batch system's SIGTERM reach the whole group; it is the sweep that decides what follows.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    import torch  # which takes seconds, in which a signal would end the process

    threading.Thread(target=_end_with_the_sweep, daemon=True).start()
    torch.set_num_threads(1)


def _end_with_the_sweep() -> None:
    """A sweep that was killed cannot tell its workers, and they would go on beside the next one's."""
    sweep = multiprocessing.parent_process()
    if sweep is not None:
        sweep.join()
        os._exit(1)


def _devices(device: str, per_gpu: int) -> list[str]:
    import torch

    if device == "cuda":
        return [f"cuda:{number}" for number in range(torch.cuda.device_count())] * per_gpu
    return [device] if device == "cpu" else [device] * per_gpu
