"""A sweep's workers on other machines: dask's processes, and the GPUs that each of their runs is given."""

from __future__ import annotations

import math
import platform
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jal import locks
from jal._version import __version__
from jal.errors import InputError, JalError
from jal.experiments import provenance
from jal.experiments.cluster import connect
from jal.experiments.device import choose_device
from jal.experiments.record import Record
from jal.experiments.spec import SCIENCE
from jal.experiments.workers import Worker, hardware_of

LOOK = 2.0
"""Seconds between two looks at which workers there are."""


@dataclass(frozen=True)
class Description:
    """What a worker process says of itself: its machine; the kind of device that it computes on; the identities of the
    GPUs that it sees, the same in all processes of a machine; versions that may differ; and the commit of its code."""

    host: str
    device: str
    gpus: tuple[str, ...]
    hardware: str
    versions: Mapping[str, str]
    commit: tuple[str, bool]


def describe(device: str, sweep: Path, code: str) -> Description:
    """The process in which this is called, which is ready for runs afterwards.

    Raises
    ------
    InputError
        if it cannot make the sweep's runs: it has other code, not the sweep's folder, no locks, or no such device.
    """
    import torch

    host = socket.gethostname()
    if code_version() != code:
        raise InputError(f"{host} has {code_version()}, this machine {code}: install the same version")
    if not sweep.is_file():
        raise InputError(
            f"{host} does not see the folder {sweep.parents[1]}: name one that all machines share"
        )
    if not locks.is_held(sweep):
        raise InputError(
            f"{host} does not see the locks in {sweep.parents[1]}: mount it so that machines share them"
        )
    device = choose_device(device)
    if device == "cpu":
        torch.set_num_threads(1)
    count = torch.cuda.device_count() if device == "cuda" else 0
    return Description(
        host=host,
        device=device,
        gpus=tuple(str(torch.cuda.get_device_properties(number).uuid) for number in range(count)),
        hardware=hardware_of(device),
        versions=_versions(),
        commit=provenance.commit(otherwise=provenance.UNKNOWN),
    )


def code_version() -> str:
    """What must be the same on all machines: the versions of jal, of its numbers and of dask."""
    return f"jal {__version__} with science {SCIENCE}, distributed {version('distributed')}"


def _versions() -> dict[str, str]:
    import torch

    return {"Python": platform.python_version(), "PyTorch": torch.__version__}


def _naming_its_machine(task: Callable[..., Record], **options: Any) -> Record:
    """A run; bad input may be one machine's alone."""
    try:
        return task(**options)
    except InputError as error:
        raise InputError(f"{error} (on {socket.gethostname()})") from None


@dataclass(eq=False)
class RemoteWorker(Worker):
    """A place for one run at a time in a process of dask's; `gpu` is the identity of its GPU, if it has one."""

    gpu: str = ""

    def submit(self, task: Callable[..., Record]) -> Future[Record]:
        return super().submit(partial(_naming_its_machine, task))


class ClusterPool:
    """The workers of a cluster: one a process on the CPU; on GPUs as many as a process has threads.

    Each GPU gets at most `per_gpu` runs at a time, whichever processes see it. A process that declares the resource
    GPU has as many of them, and its runs occupy it; one that declares GPU=0 computes on the CPU.

    There are `most` workers at most. Of each process that comes, goes or cannot be used `tell` is given a line.
    """

    def __init__(
        self, where: str, sweep: Path, device: str, most: int, per_gpu: int, tell: Callable[[str], None]
    ) -> None:
        if device not in ("auto", "cpu", "cuda", "mps"):
            raise InputError(
                f"device {device!r} on a cluster: take auto, cpu, cuda or mps; GPUs are assigned"
            )
        self._sweep, self._device, self._most, self._per_gpu = sweep, device, most, per_gpu
        self._tell = tell
        self._told: set[str] = set()
        self._asked: dict[str, Future[Description]] = {}
        self._workers: dict[str, list[RemoteWorker]] = {}
        self._refused: dict[str, str] = {}
        self._runs_of: Counter[str] = Counter()
        self._due = 0.0
        self._cluster = connect(where, most, sweep.parents[1] / ".slurm", tell)
        self.deaths: tuple[type[Exception], ...] = (self._cluster.killed,)

    @property
    def gone(self) -> bool:
        """Whether the scheduler is."""
        return self._cluster.gone

    @property
    def workers(self) -> list[Worker]:
        """Those that may be given runs."""
        found: list[Worker] = [worker for some in self._workers.values() for worker in some]
        return found[: self._most] if self._cluster.connected else []

    def update(self) -> None:
        """Asks those that have come for what they are, and lets go of those that are gone.

        Raises
        ------
        InputError
            if there are workers, and none of them can be used.
        """
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + LOOK
        there = self._cluster.workers()
        if there is None:
            return
        for address in {*self._asked, *self._workers, *self._refused} - there.keys():
            self._lose(address)
        for address, known in there.items():
            asked = self._asked.get(address)
            if asked is not None and asked.done() and not asked.cancelled():
                del self._asked[address]
                self._hear(address, known, asked)
            elif (
                address not in self._workers
                and address not in self._refused
                and (not asked or asked.cancelled())
            ):
                cpu = self._device == "auto" and known["resources"].get("GPU") == 0
                self._asked[address] = self._cluster.executor(address).submit(
                    describe, "cpu" if cpu else self._device, self._sweep, code_version()
                )
        if not there:
            self._tell_once(f"waiting for workers of {self._cluster.where}")
        elif len(self._refused) == len(there):
            raise InputError(
                f"no worker of {self._cluster.where} can be used; {next(iter(self._refused.values()))}"
            )
        elif len(self._asked) == len(there):
            self._tell_once(f"asking the workers of {self._cluster.where}; those at work answer afterwards")

    def restart(self, worker: Worker) -> bool:
        """Its nanny does, under another address; a run sent to the old one would be lost, a second death."""
        self._due = 0.0
        return True

    def close(self, wait: bool) -> None:
        """Lets the workers go."""
        self._cluster.close()

    def _hear(self, address: str, known: Mapping[str, Any], asked: Future[Description]) -> None:
        """The places of a worker that has described itself."""
        try:
            there = asked.result()
        except Exception as error:  # what another machine may lack is not known here
            reason = str(error) if isinstance(error, JalError) else f"{type(error).__name__}: {error}"
            self._refused[address] = f"the worker {address} is left out: {' '.join(reason.split())}"
            self._tell(self._refused[address])
            return
        for name, here in _versions().items():
            if there.versions[name] != here:
                self._tell_once(f"{there.host} has {name} {there.versions[name]}, this machine {here}")
        declared = known["resources"].get("GPU")
        resources = {}
        if there.device == "cuda" and declared:
            resources = {"GPU": (1 - 1e-9) / self._per_gpu}  # so that the last fits in spite of rounding
        executor = self._cluster.executor(address, resources)
        commit = {} if there.commit[0] == provenance.UNKNOWN else {"commit": there.commit}
        self._workers[address] = [
            RemoteWorker(executor, device, there.hardware, commit, gpu=gpu)
            for device, gpu in self._devices(there, known["nthreads"], declared)
        ]
        names = ", ".join(worker.device for worker in self._workers[address])
        self._tell(f"{address} on {there.host} makes runs on {names or 'nothing: its GPUs have their runs'}")

    def _devices(self, there: Description, threads: int, declared: float | None) -> list[tuple[str, str]]:
        """Of each of a worker's places the device, and the GPU behind it: the one with the fewest runs."""
        if there.device != "cuda":
            return [(there.device, "")]
        gpus = sorted(there.gpus, key=lambda each: self._runs_of[each])
        gpus = gpus if declared is None else gpus[: math.ceil(declared)]
        devices = []
        for _ in range(threads):
            gpu = min(gpus, key=lambda each: self._runs_of[each])
            if self._runs_of[gpu] >= self._per_gpu:
                break
            self._runs_of[gpu] += 1
            devices.append((f"cuda:{there.gpus.index(gpu)}", gpu))
        return devices

    def _lose(self, address: str) -> None:
        self._refused.pop(address, None)
        if address in self._asked:
            self._asked.pop(address).cancel()
        for worker in (lost := self._workers.pop(address, [])):
            worker.lost = True
            self._runs_of[worker.gpu] -= 1
        if lost:
            self._tell(f"{address} is lost")

    def _tell_once(self, line: str) -> None:
        if line not in self._told:
            self._told.add(line)
            self._tell(line)
