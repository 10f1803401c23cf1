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

from jal._version import __version__
from jal.errors import InputError, JalError
from jal.executors import Cluster, connect
from jal.experiments import provenance
from jal.experiments.device import choose_device
from jal.experiments.record import Record
from jal.experiments.spec import SCIENCE, RunSpec
from jal.experiments.workers import Runner, Worker, hardware_of, make

LOOK = 2.0
"""Seconds between two looks at which workers there are."""


@dataclass(frozen=True)
class Introduction:
    """What a worker process says of itself.

    Attributes
    ----------
    host
        its machine.
    device
        what kind it computes on: torch's name.
    gpus
        the identity of each GPU that it sees, the same in every process of a machine.
    hardware
        see `jal.experiments.pace.hardware`.
    code
        what must be as it is here: the versions of jal, of its numbers and of dask.
    versions
        what may differ, and is told.
    commit
        of its code, and whether jal/ has changes on top of it.
    shares
        whether it sees the store's folder.
    """

    host: str
    device: str
    gpus: tuple[str, ...]
    hardware: str
    code: str
    versions: Mapping[str, str]
    commit: tuple[str, bool]
    shares: bool


def introduce(device: str, permit: Path) -> Introduction:
    """Of the process in which it is called, which is ready for runs afterwards.

    Parameters
    ----------
    device
        "auto", "cpu", "cuda" or "mps".
    permit
        the sweep's lease, in its store.

    Raises
    ------
    InputError
        for a device that is not here.
    """
    import torch

    device = choose_device(device)
    if device == "cpu":
        torch.set_num_threads(1)
    count = torch.cuda.device_count() if device == "cuda" else 0
    return Introduction(
        host=socket.gethostname(),
        device=device,
        gpus=tuple(str(torch.cuda.get_device_properties(number).uuid) for number in range(count)),
        hardware=hardware_of(device),
        code=_code(),
        versions=_versions(),
        commit=provenance.commit(otherwise=provenance.UNKNOWN),
        shares=permit.is_file(),
    )


def _code() -> str:
    return f"jal {__version__} with science {SCIENCE}, distributed {version('distributed')}"


def _versions() -> dict[str, str]:
    import torch

    return {"Python": platform.python_version(), "PyTorch": torch.__version__}


@dataclass
class Remote(Worker):
    """A place for one run at a time, in a process on another machine.

    Attributes
    ----------
    gpu
        the identity of its GPU, if it has one.
    look
        for the workers that there are, at once.
    """

    gpu: str = ""
    look: Callable[[], None] = lambda: None

    def restart(self) -> None:
        # Its nanny does, under another address; a run sent to the old one would be lost, and count as a second death.
        self.look()

    def submit(self, runner: Runner, spec: RunSpec, **options: Any) -> Future[Record]:
        task = partial(_there, runner, spec, device=self.device, **(options | dict(self.options)))
        return self.executor.submit(task)


def _there(runner: Runner, spec: RunSpec, **options: Any) -> Record:
    """`make`; bad input may be one machine's alone, which is named."""
    try:
        return make(runner, spec, **options)
    except InputError as error:
        raise InputError(f"{error} (on {socket.gethostname()})") from None


class ClusterStaff:
    """The workers of a cluster: one a process on the CPU; on GPUs as many as a process has threads.

    Each GPU gets at most `per_gpu` runs at a time, whichever processes see it. A process that declares the resource
    GPU has as many of them, and its runs occupy it; one that declares GPU=0 computes on the CPU.

    Parameters
    ----------
    where
        see `jal.executors.connect`.
    permit
        the sweep's lease, in its store.
    device
        "auto", "cpu", "cuda" or "mps".
    runs, jobs, per_gpu
        see `sweep`.
    tell
        is given a line for each worker that comes, goes or cannot be used.

    Raises
    ------
    InputError
        for a device by number, and as `connect`.
    """

    def __init__(
        self,
        where: str,
        permit: Path,
        device: str,
        runs: int,
        jobs: int | None,
        per_gpu: int,
        tell: Callable[[str], None],
    ) -> None:
        if device not in ("auto", "cpu", "cuda", "mps"):
            raise InputError(
                f"device {device!r} on a cluster: take auto, cpu, cuda or mps; GPUs are assigned"
            )
        self._permit = permit
        self._device = device
        self._most = min(runs, jobs or runs)
        self._per_gpu = per_gpu
        self._tell = tell
        self._known: dict[str, Future[Introduction] | list[Remote]] = {}
        self._refused: dict[str, str] = {}
        self._told: set[str] = set()
        self._load: Counter[str] = Counter()
        self._due = 0.0
        self._cluster: Cluster = connect(where, self._most, permit.parents[1] / ".slurm", tell)

    @property
    def gone(self) -> bool:
        """Whether the scheduler is."""
        return self._cluster.gone

    @property
    def workers(self) -> list[Worker]:
        """Those that may be given runs."""
        found = [worker for each in self._known.values() if isinstance(each, list) for worker in each]
        return list(found[: self._most]) if self._cluster.connected else []

    def look(self) -> None:
        """Finds those that have come and gone.

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
        for address in [address for address in self._known if address not in there]:
            self._lose(address)
        for address, worker in there.items():
            found = self._known.get(address)
            if found is None or (isinstance(found, Future) and found.cancelled()):
                self._known[address] = self._cluster.executor(address).submit(
                    introduce, self._device_of(worker), self._permit
                )
            elif isinstance(found, Future) and found.done():
                self._known[address] = self._welcome(address, worker, found)
        if there and not any(isinstance(each, list) for each in self._known.values()):
            self._once(f"asking the workers of {self._cluster.where}; those at work answer afterwards")
        if not there:
            self._once(f"waiting for workers of {self._cluster.where}")
        elif len(self._refused) == len(there):
            raise InputError(
                f"no worker of {self._cluster.where} can be used; {next(iter(self._refused.values()))}"
            )

    def close(self, wait: bool) -> None:
        """Lets the workers go."""
        self._cluster.close()

    def _welcome(self, address: str, worker: Mapping[str, Any], said: Future[Introduction]) -> list[Remote]:
        """The places of a worker that has introduced itself."""
        try:
            there = said.result()
            refusal = self._unfit(there)
        except Exception as error:  # what another machine may lack is not known here
            refusal = f"{type(error).__name__}: {error}" if not isinstance(error, JalError) else str(error)
        if refusal:
            self._refused[address] = f"the worker {address} is left out: {' '.join(refusal.split())}"
            self._tell(self._refused[address])
            return []
        for name, here in _versions().items():
            if there.versions[name] != here:
                self._once(f"{there.host} has {name} {there.versions[name]}, this machine {here}")
        declared = worker["resources"].get("GPU")
        resources = {}
        if there.device == "cuda" and declared:
            resources = {"GPU": (1 - 1e-9) / self._per_gpu}  # so that the last fits in spite of rounding
        executor = self._cluster.executor(address, resources)
        commit = {} if there.commit[0] == provenance.UNKNOWN else {"commit": there.commit}
        devices = self._devices(there, worker["nthreads"], declared)
        names = ", ".join(device for device, _ in devices) or "nothing: its GPUs have their runs"
        self._tell(f"{address} on {there.host} makes runs on {names}")
        deaths = (self._cluster.killed,)
        return [
            Remote(executor, device, there.hardware, commit, deaths, gpu=gpu, look=self._look_soon)
            for device, gpu in devices
        ]

    def _look_soon(self) -> None:
        self._due = 0.0

    def _unfit(self, there: Introduction) -> str:
        """Why a worker cannot be used, if so."""
        if there.code != _code():
            return f"{there.host} has {there.code}, this machine {_code()}: install the same version"
        if not there.shares:
            store = self._permit.parents[1]
            return f"{there.host} does not see the folder {store}: name one that all machines share"
        return ""

    def _device_of(self, worker: Mapping[str, Any]) -> str:
        """What it is asked for."""
        return "cpu" if self._device == "auto" and worker["resources"].get("GPU") == 0 else self._device

    def _devices(self, there: Introduction, threads: int, declared: float | None) -> list[tuple[str, str]]:
        """Of each of a worker's places the device, and the GPU behind it: the one with the fewest runs."""
        if there.device != "cuda":
            return [(there.device, "")]
        fewest = sorted(there.gpus, key=lambda each: self._load[each])
        gpus = fewest if declared is None else fewest[: math.ceil(declared)]
        devices = []
        for _ in range(threads):
            gpu = min(gpus, key=lambda each: self._load[each])
            if self._load[gpu] >= self._per_gpu:
                break
            self._load[gpu] += 1
            devices.append((f"cuda:{there.gpus.index(gpu)}", gpu))
        return devices

    def _lose(self, address: str) -> None:
        found = self._known.pop(address)
        self._refused.pop(address, None)
        if isinstance(found, Future):
            found.cancel()
            return
        for worker in found:
            worker.lost = True
            self._load[worker.gpu] -= 1
        self._tell(f"{address} is lost")

    def _once(self, line: str) -> None:
        if line not in self._told:
            self._told.add(line)
            self._tell(line)
