"""Other machines: dask's workers, reached through their scheduler's address or started as Slurm's jobs.

Whoever sends them work knows `concurrent.futures.Executor` alone.
"""

from __future__ import annotations

import asyncio
import logging
import math
import shutil
import subprocess
import sys
import time
import tomllib
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jal import files
from jal.errors import InputError
from jal.experiments.schema import unpack

TIMEOUT = 10.0
"""Seconds that a scheduler has to answer."""

UNHEARD = 30.0
"""Seconds after which Slurm is asked about a job whose workers are not heard of any more; dask does so after 15."""


QUIET = {"distributed.worker.profile.enabled": False, "distributed.admin.tick.interval": "1s"}
"""dask's settings with which its processes take little of a core. By its defaults they sample the stacks of what runs,
which can freeze Python 3.11 before 3.11.9 (python/cpython#106883)."""

NO_PAGE = "127.0.0.1:0"
"""Where dask's processes serve what they measure over HTTP, which nobody has to log in to: to their machine alone."""

OPEN = (
    "{}: without TLS, whoever reaches this port runs code in its workers; use a network that you trust, or tls:// "
    "with certificates"
)
"""What is said of a scheduler at tcp://."""


@dataclass(frozen=True)
class Profile:
    """What a Slurm job of workers is: the keys of a profile, a TOML file.

    Attributes
    ----------
    jobs
        how many at a time, at most.
    cores
        of a job. On the CPU it makes as many runs at a time, each in a process of its own with one thread.
    memory
        of a job, such as "16GB".
    walltime
        of a job, as Slurm writes it: "04:00:00".
    gpus
        of a job: a process for each, and the cores are the threads of those processes, together. 0: none.
    queue, account
        Slurm's partition and account; its defaults if left out.
    directives
        more options of sbatch, such as "--constraint=a100".
    skip
        options of sbatch that are left out, such as "--mem" where Slurm takes none.
    setup
        shell lines that come before the workers, such as "module load cuda".
    interface
        the network interface by which workers and scheduler reach each other, such as "ib0". If left out, the
        scheduler listens at this machine's address in the outer network alone.
    python
        the workers' interpreter; this one if left out.
    """

    jobs: int
    cores: int
    memory: str
    walltime: str
    gpus: int = 0
    queue: str | None = None
    account: str | None = None
    directives: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()
    interface: str | None = None
    python: str = field(default_factory=lambda: sys.executable)

    @property
    def processes(self) -> int:
        """Of one job."""
        return self.gpus or self.cores


def read_profile(path: str | Path) -> Profile:
    """The profile in a file.

    Raises
    ------
    InputError
        for a file that is not there or is none.
    """
    path = Path(path)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"the Slurm profile {path} cannot be read ({error.strerror}): name a file") from None
    except ValueError as error:
        raise InputError(f"the Slurm profile {path} is not TOML: {error}") from None
    profile = unpack(data, Profile, f"the Slurm profile {path}")
    for name, least in {"jobs": 1, "cores": max(1, profile.gpus), "gpus": 0}.items():
        if getattr(profile, name) < least:
            raise InputError(
                f"{name} = {getattr(profile, name)} in the Slurm profile {path}: give {least} or more"
                + ", one a GPU" * (least > 1)
            )
    return profile


class Cluster:
    """A connection to dask's workers: see `connect`."""

    def __init__(self, where: str, client: Any, slurm: _Slurm | None = None) -> None:
        self.where = where
        self.client = client
        self._slurm = slurm

    @property
    def gone(self) -> bool:
        """Whether the scheduler is, for good."""
        return self.client.status in ("closing", "closed")

    @property
    def connected(self) -> bool:
        """Whether the scheduler answers."""
        return bool(self.client.status == "running")

    @property
    def killed(self) -> type[Exception]:
        """What a future has whose worker died, where dask gives it up."""
        from distributed import KilledWorker

        return KilledWorker  # type: ignore[no-any-return]

    def workers(self) -> dict[str, Mapping[str, Any]] | None:
        """What the scheduler says of each worker, by its address; None while it does not answer."""
        if not self.connected:
            return None
        try:
            client = self.client  # whose own scheduler_info would wait for ever for a scheduler that hangs
            found = client.sync(client.scheduler.identity, n_workers=-1, callback_timeout=TIMEOUT)["workers"]
        except (OSError, TimeoutError):
            return None
        if self._slurm is not None:
            self._slurm.replace({str(worker["name"]) for worker in found.values()})
        return dict(found)

    def executor(self, worker: str | None = None, resources: Mapping[str, float] | None = None) -> Executor:
        """Sends work to one worker, or to any; it occupies these resources there."""
        only = {} if worker is None else {"workers": [worker], "allow_other_workers": False}
        options = {"resources": dict(resources)} if resources else {}
        executor: Executor = self.client.get_executor(pure=False, **only, **options)
        return executor

    def close(self) -> None:
        """Ends the connection, and Slurm's jobs."""
        with suppress(OSError, TimeoutError):
            self.client.close(timeout=TIMEOUT)
        if self._slurm is not None:
            self._slurm.close()


def connect(where: str, work: int, logs: Path, tell: Callable[[str], None] = lambda _: None) -> Cluster:
    """A connection to workers on other machines.

    dask runs the code that it is sent. Slurm's jobs and their scheduler speak TLS with a certificate of their own,
    made for this connection: who does not have its key is refused.

    Parameters
    ----------
    where
        "tcp://host:8786" (or tls://), the address of a `dask scheduler`; or "slurm:FILE", Slurm's jobs by the
        `Profile` in a file: they begin as Slurm lets them, are replaced when their time is up, and end at `close`.
    work
        how many things there are to do at most: no more jobs than that asks for.
    logs
        the folder for what jobs print, and for the key of their certificate, which their user alone can read.
    tell
        is given a line where the connection is open to others.

    Raises
    ------
    InputError
        where nobody answers, or a dask of another version; for a profile that is none; and where dask or Slurm is
        not installed.
    """
    scheme, _, rest = where.partition(":")
    if scheme not in ("tcp", "tls", "slurm") or not rest:
        raise InputError(f"the scheduler {where!r}: give an address, tcp://host:8786, or slurm:PROFILE")
    profile = read_profile(Path(rest).expanduser()) if scheme == "slurm" else None
    try:
        import dask
        import distributed
    except ImportError:
        raise InputError(
            "--scheduler needs dask, which is not installed: pip install '.[cluster]' in the clone"
        ) from None
    # Whatever they have to say, somebody here says it in one line.
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with dask.config.set(QUIET), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        slurm = None if profile is None else _Slurm(profile, work, logs)
        try:
            if slurm is None:
                _check_version(where)
            client = distributed.Client(
                where if slurm is None else slurm.cluster, timeout=TIMEOUT, set_as_default=False
            )
        except (OSError, TimeoutError, ValueError, TypeError) as error:
            if slurm is not None:
                slurm.close()
            if isinstance(error, InputError):
                raise
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(
                f"no scheduler answers at {where} ({reason}): start one with `dask scheduler`, "
                "and name the address that it prints"
            ) from None
    if scheme == "tcp":
        tell(OPEN.format(where))
    return Cluster(where, client, slurm)


def _check_version(address: str) -> None:
    """
    Raises
    ------
    InputError
        if a scheduler is of another version of dask: they talk past each other.
    """
    import distributed

    async def ask() -> str:
        security = distributed.Security().get_connection_args("client")
        async with distributed.rpc(address, timeout=TIMEOUT, connection_args=security) as scheduler:
            return str((await scheduler.versions())["packages"]["distributed"])

    # In a thread: a notebook has a loop of its own in this one.
    with ThreadPoolExecutor(1) as thread:
        there, here = thread.submit(asyncio.run, ask()).result(), distributed.__version__
    if there != here:
        raise InputError(
            f"the scheduler at {address} is of distributed {there}, this machine of {here}: "
            "install the same version on all machines"
        )


class _Slurm:
    """Jobs of workers, and their scheduler in this process."""

    def __init__(self, profile: Profile, work: int, logs: Path) -> None:
        for command in ("sbatch", "squeue", "scancel"):
            if shutil.which(command) is None:
                raise InputError(
                    f"slurm needs {command}, which is not here: run this on a machine that sends jobs"
                )
        try:
            from dask_jobqueue import SLURMCluster
            from distributed import Security
            from distributed.utils import get_ip

            security = Security.temporary()
        except ImportError:
            raise InputError(
                "slurm needs dask-jobqueue and cryptography, and one is not installed: "
                "pip install '.[cluster]' in the clone"
            ) from None
        files.make_folder(logs)
        # Without an interface dask would listen at all of them; this is the address that it gives the workers.
        listening = {} if profile.interface else {"host": get_ip()}
        self._jobs = max(1, min(profile.jobs, math.ceil(work / profile.processes)))
        gpus = [f"--gres=gpu:{profile.gpus}"] if profile.gpus else []
        try:
            self.cluster = SLURMCluster(
                queue=profile.queue,
                account=profile.account,
                cores=profile.cores,
                processes=profile.processes,
                memory=profile.memory,
                walltime=profile.walltime,
                interface=profile.interface,
                python=profile.python,
                job_extra_directives=[*gpus, *profile.directives],
                job_directives_skip=list(profile.skip),
                job_script_prologue=[*map(_export, QUIET.items()), *profile.setup],
                worker_extra_args=[
                    *("--no-dashboard", "--dashboard-address", NO_PAGE),
                    *(("--resources", "GPU=1") if profile.gpus else ()),
                ],
                log_directory=str(logs),
                job_name="jal",
                security=security,
                shared_temp_directory=str(logs.absolute()),
                scheduler_options={"dashboard": False, "dashboard_address": NO_PAGE, **listening},
            )
        except (ValueError, OSError, RuntimeError) as error:
            raise InputError(f"Slurm's workers cannot be set up: {str(error).splitlines()[0]}") from None
        refusal = self._refused()
        if refusal:
            self.close()
            raise InputError(f"Slurm refuses such jobs: {refusal}")
        self._heard: dict[str, float] = {}
        self.cluster.scale(jobs=self._jobs)

    def _refused(self) -> str:
        """Why Slurm would not take the jobs; nothing if it would."""
        script = self.cluster.job_script()
        done = subprocess.run(["sbatch", "--test-only"], input=script, capture_output=True, text=True)
        lines = done.stderr.strip().splitlines()
        return lines[-1] if done.returncode and lines else ""

    def replace(self, names: set[str]) -> None:
        """Sends a job for each that has ended.

        Parameters
        ----------
        names
            of the workers that are there.
        """
        now, ended = time.monotonic(), []
        for job, of in list(self.cluster.workers.items()):
            # A job with several processes has a worker of each: job-0, job-1, ...
            if any(name == str(job) or name.startswith(f"{job}-") for name in names):
                self._heard[job] = now
            elif now - self._heard.get(job, now) > UNHEARD and not _in_queue(of.job_id):
                ended.append(job)
        for job in ended:
            del self.cluster.workers[job], self._heard[job]
        if ended or len(self.cluster.workers) < self._jobs:
            self.cluster.scale(jobs=self._jobs)

    def close(self) -> None:
        """Ends the jobs and their scheduler."""
        with suppress(OSError, TimeoutError, RuntimeError):
            self.cluster.close(timeout=TIMEOUT)
        for name in (
            "ca_file",
            "cert",
            "key",
        ):  # which would lie in the store until Python's memory is tidied
            file = getattr(self.cluster, f"_job_{name}", None)
            if file is not None:
                file.close()


def _export(setting: tuple[str, object]) -> str:
    """A setting of dask as a line of the shell."""
    name, value = setting
    return f"export DASK_{name.upper().replace('.', '__')}={value}"


def _in_queue(job: str) -> bool:
    """Whether Slurm still has a job, waiting or running."""
    done = subprocess.run(["squeue", "--noheader", "--jobs", str(job)], capture_output=True, text=True)
    # Where the controller does not answer, nothing is known.
    return bool(done.stdout.strip()) or (done.returncode != 0 and "Invalid job id" not in done.stderr)
