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

from jal import lease
from jal.cores import cores
from jal.errors import InputError, Stopped, TrainingError
from jal.experiments import pace, provenance
from jal.experiments.device import choose_device
from jal.experiments.ledger import Ledger
from jal.experiments.record import Record, RecordError
from jal.experiments.spec import RunSpec
from jal.experiments.store import Store

Runner = Callable[..., Record]
"""`jal.experiments.run`, or what has its arguments."""


class Elsewhere(Exception):
    """A run that is not this sweep's to make: another makes it, or it is done, or it has failed."""


def make(
    runner: Runner, spec: RunSpec, store: Store, permit: Path, keep: tuple[str, ...] = (), **options: Any
) -> Record:
    """Makes one run, which nobody else does meanwhile; when this returns, the Record is in the store.

    Parameters
    ----------
    permit
        the sweep's lease; once it is gone, the run writes a checkpoint and stops.
    keep
        what the run keeps besides its Record; one without it counts as missing.
    options
        more arguments of `runner`.

    Raises
    ------
    Elsewhere
        if it is not to be made.
    Stopped
        if it was asked to, or has lost its claim.
    TrainingError
        if it failed, in one line, which the ledger has too.
    InputError
        as `runner`, or if the store cannot be written.
    """
    import torch

    if not lease.alive(permit):  # asked while the process was starting
        raise Stopped(f"{spec.loss.name} ({spec.id}) was not begun")
    ledger = Ledger(store.path)
    claim = ledger.claim(spec.id)
    if claim is None:
        raise Elsewhere(spec.id)
    try:
        if _settled(spec, store, ledger, keep):
            raise Elsewhere(spec.id)
        stop = lease.polled(lambda: not (lease.alive(permit) and claim.held()))
        if keep:
            options |= {"keep": keep, "store": store}
        record = runner(spec, stop=stop, checkpoints=store.checkpoints, **options)
        if not claim.held():
            raise lost(spec)
        store.put(record)
        shutil.rmtree(store.checkpoints / spec.id, ignore_errors=True)
        return record
    except (TrainingError, MemoryError, torch.OutOfMemoryError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        ledger.fail(spec.id, reason, options["commit"][0])
        raise TrainingError(reason) from None
    finally:
        claim.release()


def lost(spec: RunSpec) -> Stopped:
    """The error of a run whose claim was lost while it was made."""
    return Stopped(
        f"{spec.loss.name} ({spec.id}) is no longer this process's to make: its claim is gone, or another's; "
        "the same command goes on"
    )


@dataclass
class Worker:
    """A place for one run at a time.

    Attributes
    ----------
    executor
        has it.
    device
        torch's name of where its runs are made.
    hardware
        the same, as in `jal.experiments.pace`.
    options
        arguments of `run` that are the worker's.
    deaths
        the errors of a future whose process died.
    lost
        whether it is gone, and the run that it had with it.
    """

    executor: Executor
    device: str
    hardware: str
    options: Mapping[str, Any] = field(default_factory=dict)
    deaths: tuple[type[Exception], ...] = (BrokenExecutor,)
    lost: bool = False

    def submit(self, runner: Runner, spec: RunSpec, **options: Any) -> Future[Record]:
        """Begins a run: see `make`. The future has its Record, or what `make` raised, or one of `deaths`."""
        return self.executor.submit(
            partial(make, runner, spec, device=self.device, **(options | dict(self.options)))
        )

    def started(self) -> bool:
        """Whether it has come as far as being of use."""
        return True

    def restart(self) -> None:
        """Makes it useful again after its process died."""


class Local(Worker):
    """A thread or process of this machine, of its own: if it is killed, no other worker's run goes with it.

    Parameters
    ----------
    make
        its executor.
    """

    def __init__(self, make: Callable[[], Executor], device: str, hardware: str) -> None:
        self._make = make
        super().__init__(make(), device, hardware)
        self._first = self.executor.submit(os.getpid)

    def submit(self, runner: Runner, spec: RunSpec, **options: Any) -> Future[Record]:
        try:
            return super().submit(runner, spec, **options)
        except BrokenExecutor:  # killed while it was idle
            self.restart()
            return super().submit(runner, spec, **options)

    def started(self) -> bool:
        return self._first.done() and self._first.exception() is None

    def restart(self) -> None:
        self.executor = self._make()
        self._first = self.executor.submit(os.getpid)


class Staff(Protocol):
    """All workers of a sweep."""

    @property
    def workers(self) -> Sequence[Worker]:
        """Those that may be given runs; they may come and go."""

    @property
    def gone(self) -> bool:
        """Whether none will ever come again."""

    def look(self) -> None:
        """Brings `workers` up to date; asked often."""

    def close(self, wait: bool) -> None:
        """No more runs; `wait` for those being made."""


class LocalStaff:
    """The workers of this machine.

    Parameters
    ----------
    device
        torch's name, or "auto". "cuda" is every GPU that is visible, "cuda:1" that one.
    runs
        how many there are to make: no more workers than that.
    jobs
        workers at most; on the CPU, if left out, one a core.
    per_gpu
        workers of each GPU.
    threads
        whether workers are threads; if left out, on a GPU and where there is one worker alone.

    Raises
    ------
    InputError
        for a device that is not here.
    """

    gone = False

    def __init__(
        self, device: str, runs: int, jobs: int | None, per_gpu: int, threads: bool | None = None
    ) -> None:
        devices = _devices(choose_device(device), per_gpu)
        if devices[0] == "cpu":
            devices *= jobs or cores()
        devices = devices[: max(1, min(runs, jobs or runs))]
        if threads is None:
            threads = devices[0] != "cpu" or len(devices) == 1
        context = multiprocessing.get_context("spawn")

        def process() -> Executor:
            return ProcessPoolExecutor(1, context, _begin)

        def thread() -> Executor:
            return ThreadPoolExecutor(1)

        hardware = {each: hardware_of(each) for each in devices}
        self.workers = [Local(thread if threads else process, each, hardware[each]) for each in devices]

    def look(self) -> None:
        """They stay as they are."""

    def close(self, wait: bool) -> None:
        """No more runs; `wait` for those being made."""
        for worker in self.workers:
            worker.executor.shutdown(wait=wait, cancel_futures=True)


def _settled(spec: RunSpec, store: Store, ledger: Ledger, keep: tuple[str, ...]) -> bool:
    """Whether it is done, or has failed."""
    folder = store.file(spec).parent
    probe = folder / f".{uuid.uuid4().hex}.tmp"
    # A network file system remembers for a while that a file was absent, unless it sees its folder change.
    with suppress(OSError):
        probe.touch()
        probe.unlink()
    try:
        record = store.get(spec)
        return (record is not None and record.has(keep)) or ledger.failure(spec.id) is not None
    except RecordError:
        return False


def check_numbers(jobs: int | None, per_gpu: int) -> None:
    """
    Raises
    ------
    InputError
        for no workers.
    """
    for name, value in (("jobs", jobs), ("per_gpu", per_gpu)):
        if value is not None and value < 1:
            raise InputError(f"{name}={value}: give a number from 1 on")


def hardware_of(device: str) -> str:
    """What a Record made on a device of this machine would say that it ran on."""
    return pace.hardware(provenance.environment(device, 1, (provenance.UNKNOWN, False)))


def _begin() -> None:
    """The start of a worker process."""
    import torch

    # Ctrl-C and a batch system's SIGTERM reach the whole group; it is the sweep that decides what follows.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
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
