"""Workers: where a sweep's runs are made, each with one run at a time.

On the CPU a worker is a process with one torch thread; on a GPU the workers are threads of one process, so that
their runs share its memory and fill it together. A sweep knows only `concurrent.futures.Executor`.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from typing import Any

from jal.errors import InputError, Stopped
from jal.experiments.device import choose_device
from jal.experiments.record import Record
from jal.experiments.spec import RunSpec

Runner = Callable[..., Record]
"""`jal.experiments.run`, or what has its arguments."""


class Worker:
    """An executor of one thread or process, its own: if it is killed, no other worker's run goes with it.

    Parameters
    ----------
    device
        where its runs are made: torch's name.
    executor
        makes one.
    stop
        whether the sweep is to stop; None in a process, which knows that itself.
    """

    def __init__(
        self, device: str, executor: Callable[[], Executor], stop: Callable[[], bool] | None
    ) -> None:
        self.device = device
        self._make = executor
        self._stop = stop
        self.restart()

    def restart(self) -> None:
        """A new executor; the one before, if any, is left to end."""
        self._executor = self._make()
        self._first = self._executor.submit(os.getpid)

    def submit(self, runner: Runner, spec: RunSpec, **options: Any) -> Future[Record]:
        """Begins a run; its Record comes in the future, or what `runner` raised, or BrokenExecutor."""
        task = partial(_run, runner, spec, self._stop, device=self.device, **options)
        try:
            return self._executor.submit(task)
        except BrokenExecutor:  # killed while it was idle
            self.restart()
            return self._executor.submit(task)

    def started(self) -> bool:
        """Whether the thread or process has come as far as being of use."""
        return self._first.done() and self._first.exception() is None

    def close(self, wait: bool) -> None:
        """No more runs; `wait` for the one being made."""
        self._executor.shutdown(wait=wait, cancel_futures=True)


class Staff:
    """All workers of a sweep.

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
        for a device that is not here, and for no workers.
    """

    def __init__(
        self, device: str, runs: int, jobs: int | None, per_gpu: int, threads: bool | None = None
    ) -> None:
        for name, value in (("jobs", jobs), ("per_gpu", per_gpu)):
            if value is not None and value < 1:
                raise InputError(f"{name}={value}: give a number from 1 on")
        devices = _devices(choose_device(device), per_gpu)
        self.device = devices[0]
        if self.device == "cpu":
            devices *= jobs or _cores()
        devices = devices[: max(1, min(runs, jobs or runs))]
        if threads is None:
            threads = self.device != "cpu" or len(devices) == 1
        context = multiprocessing.get_context("spawn")
        # Without a lock, which a worker that is killed would keep for ever.
        self._flag: Any = context.RawValue("b", 0)

        def process() -> Executor:
            return ProcessPoolExecutor(1, context, _begin, (self._flag,))

        def thread() -> Executor:
            return ThreadPoolExecutor(1)

        stop = self.stopping if threads else None
        self.workers = [Worker(each, thread if threads else process, stop) for each in devices]

    def stop(self) -> None:
        """Asks all runs to write a checkpoint and stop."""
        self._flag.value = 1

    def stopping(self) -> bool:
        """Whether they have been asked."""
        return bool(self._flag.value)

    def close(self, wait: bool = True) -> None:
        """Asks all runs to stop and lets the workers go."""
        self.stop()
        for worker in self.workers:
            worker.close(wait)


_flag: Any = None
"""In a worker process: the sweep's."""


def _begin(flag: Any) -> None:
    """The start of a worker process."""
    import torch

    global _flag
    _flag = flag
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


def _asked() -> bool:
    return bool(_flag.value)


def _run(runner: Runner, spec: RunSpec, stop: Callable[[], bool] | None, **options: Any) -> Record:
    stop = stop or _asked
    if stop():  # while the process was starting
        raise Stopped(f"{spec.loss.name} ({spec.id}) was not begun")
    return runner(spec, stop=stop, **options)


def _devices(device: str, per_gpu: int) -> list[str]:
    import torch

    if device == "cuda":
        return [f"cuda:{number}" for number in range(torch.cuda.device_count())] * per_gpu
    return [device] if device == "cpu" else [device] * per_gpu


def _cores() -> int:
    """Those that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
