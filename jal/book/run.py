"""Run notebooks with other parameters, several at a time, each in a process of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import papermill

from jal import lease
from jal.checkout import find_root
from jal.cores import cores
from jal.errors import InputError, printable, unknown
from jal.executors import connect
from jal.lease import Lease

PROFILES = ("quick", "laptop", "full")
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class NotebookRun:
    """What became of one notebook.

    `output` is the executed notebook, up to its error if it failed; `error` is one line, or None.
    """

    name: str
    output: Path
    seconds: float
    error: str | None


def tell(line: str) -> None:
    """Progress, for a person: on stderr, at once."""
    sys.stderr.write(f"{printable(line)}\n")
    sys.stderr.flush()


def run_notebooks(
    notebooks: Sequence[str] | None = None,
    parameters: Mapping[str, object] | None = None,
    *,
    profile: str | None = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    output: str | Path | None = None,
    root: str | Path | None = None,
    tell: Callable[[str], None] = tell,
) -> list[NotebookRun]:
    """Execute notebooks of the book; one that fails does not stop the others.

    Parameters
    ----------
    notebooks
        Names, with or without `notebooks/` and `.ipynb`; None for all of them.
    parameters
        Values that replace those of the notebooks' cell tagged `parameters`. A notebook that is named must
        have each of them; when all are run, each goes to the notebooks that have it, at least one.
    profile
        "quick", "laptop" or "full": the parameter of that name. None leaves the notebooks' own.
    jobs
        Processes at a time; None for one per core. With more than one, each computes on a single thread.
    scheduler
        Runs them on a cluster that shares this folder: an address, or a Slurm profile (see
        `jal.executors.connect`). Its workers say how many run at a time.
    output
        Folder for the executed notebooks, made if need be; None for `runs/notebooks` of the checkout.
    root
        The checkout; None looks for it upwards.
    tell
        Takes the lines that say how far it is; on stderr if not given.

    Returns
    -------
    list of NotebookRun
        In the order of `notebooks`.

    Raises
    ------
    InputError
        for an unknown notebook, parameter or profile, for jobs < 1, for an output folder that is not
        writable or holds the sources, and for a scheduler that does not answer.
    """
    top = find_root(root)
    sources = _sources(top, notebooks)
    given = dict(parameters or {})
    if profile is not None:
        given["profile"] = check_profile(profile)
    values = _values(sources, given, everywhere=notebooks is not None)
    if scheduler is not None and jobs is not None:
        raise InputError(
            f"jobs={jobs} with the scheduler {scheduler}: its workers say how many; leave one out"
        )
    workers = check_jobs(jobs, len(sources))
    folder = _writable(Path(output) if output is not None else top / "runs" / "notebooks", top)
    runs: dict[str, NotebookRun] = {}
    with ExitStack() as at_the_end:
        permit = Lease(folder / f".{uuid.uuid4().hex}.json")
        execute = partial(_execute, permit=permit.file, single=scheduler is not None or workers > 1)
        if scheduler is None:
            pool: Executor = ThreadPoolExecutor(workers)
            execute = partial(execute, tell=tell)
        else:
            cluster = connect(scheduler, len(sources), folder / ".slurm", tell)
            at_the_end.callback(cluster.close)
            pool = cluster.executor()
            tell(f"{len(sources)} notebooks go to {scheduler}")
        at_the_end.callback(pool.shutdown, wait=False)
        permit.take()
        # Only an interruption comes to an end with something still to do: it stops without the permit.
        at_the_end.callback(permit.release)
        futures = {
            pool.submit(execute, source, folder / f"{name}.ipynb", values[name]): name
            for name, source in sources.items()
        }
        for future in futures:
            at_the_end.callback(future.cancel)
        for future in as_completed(futures):
            name = futures[future]
            try:
                run = future.result()
            except Exception as error:  # the cluster's: its workers, or the way to them
                reason = " ".join(f"{type(error).__name__}: {error}".split())
                run = NotebookRun(name, folder / f"{name}.ipynb", 0.0, reason)
            runs[name] = run
            end = f"failed: {run.error} ({run.output})" if run.error else "done"
            tell(f"[{len(runs)}/{len(sources)}] {run.name}: {run.seconds:.1f} s, {end}")
    return [runs[name] for name in sources]


def check_profile(profile: str) -> str:
    """`profile` itself, if it is one; raises InputError if not."""
    if profile not in PROFILES:
        raise unknown("profile", profile, PROFILES)
    return profile


def check_jobs(jobs: int | None, most: int) -> int:
    """How many processes to use for `most` tasks: `jobs`, or one per core; raises InputError below 1."""
    if jobs is not None and jobs < 1:
        raise InputError(f"jobs is {jobs}: it must be at least 1")
    return max(1, min(jobs or cores(), most))


def _sources(top: Path, notebooks: Sequence[str] | None) -> dict[str, Path]:
    known = {path.stem: path for path in sorted((top / "notebooks").glob("*.ipynb"))}
    if notebooks is None:
        return known
    names = [
        str(name).removeprefix("./").removeprefix("notebooks/").removesuffix(".ipynb") for name in notebooks
    ]
    for name in names:
        if name not in known:
            raise unknown("notebook", name, known)
    return {name: known[name] for name in names}


def _values(
    sources: Mapping[str, Path], given: Mapping[str, object], *, everywhere: bool
) -> dict[str, dict[str, object]]:
    """The given values that go to each notebook; papermill itself only warns about a name it does not find."""
    known = (
        {name: set(papermill.inspect_notebook(str(path))) for name, path in sources.items()} if given else {}
    )
    for parameter in given:
        holders = [name for name in sources if parameter in known[name]]
        if not holders or (everywhere and len(holders) < len(sources)):
            lacking = next(name for name in sources if name not in holders)
            names = known[lacking] if everywhere else set().union(*known.values())
            raise unknown(f"parameter of {lacking if everywhere else 'the notebooks'}", parameter, names)
    return {
        name: {parameter: value for parameter, value in given.items() if parameter in known[name]}
        for name in sources
    }


def _writable(folder: Path, top: Path) -> Path:
    folder = folder.resolve()
    if folder == top / "notebooks":
        raise InputError(f"the output folder {folder} holds the notebooks themselves: name another one")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise InputError(
            f"cannot write to the output folder {folder} ({error.strerror}): name another one"
        ) from error
    return folder


def _execute(
    source: Path,
    target: Path,
    values: Mapping[str, object],
    permit: Path,
    single: bool,
    tell: Callable[[str], None] = lambda _: None,
) -> NotebookRun:
    """Executes one notebook, on one thread if asked, for as long as the `permit` is held."""
    name = source.stem
    if not (source.is_file() and lease.alive(permit)):
        reason = f"{socket.gethostname()} does not see {source} and {target.parent}: they must be shared"
        return NotebookRun(name, target, 0.0, reason)
    tell(f"{name}: started")
    target.unlink(missing_ok=True)
    start = time.perf_counter()
    environment = os.environ | (dict.fromkeys(_THREADS, "1") if single else {})
    command = [sys.executable, "-m", "jal.book.execute", source.name, str(target), json.dumps(values)]
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        # papermill's own `cwd` would change the directory of the whole process.
        with subprocess.Popen(
            command, cwd=source.parent, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log
        ) as process:
            while process.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(lease.POLL)
                if not lease.alive(permit):
                    process.kill()
        log.seek(0)
        lines = [line.strip() for line in log if line.strip()]
    error = lines[-1] if lines else f"its process ended with status {process.returncode}"
    return NotebookRun(name, target, time.perf_counter() - start, error if process.returncode else None)
