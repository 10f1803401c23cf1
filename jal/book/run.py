"""Run notebooks with other parameters, several at a time, each in a process of its own."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import papermill  # noqa: F401  Its processes need it: one that lacks it is told so at once, not once a notebook.

from jal import locks
from jal.book.parameters import NotReadable, Parameter, plain, read
from jal.checkout import find_root
from jal.cores import cores
from jal.errors import InputError, printable, unknown
from jal.experiments import reads
from jal.experiments.cluster import connect
from jal.experiments.grids import PROFILES
from jal.experiments.watch import BATCH, SILENCE

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
    name_values: bool = True,
) -> list[NotebookRun]:
    """Execute notebooks of the book; one that fails does not stop the others.

    An executed notebook is there whole, or not at all: it is kept when its run has ended, up to its error if it failed.

    Parameters
    ----------
    notebooks
        Names, with or without `notebooks/` and `.ipynb`; None for all of them.
    parameters
        Values that replace those of the notebooks' cell tagged `parameters`: numbers, texts, and lists and dicts of
        them; numpy's numbers and arrays, paths and dates are converted. A notebook that is named must have each of
        them; when all are run, each goes to the notebooks that have it, at least one.
    profile
        "quick", "laptop" or "full": the parameter of that name. None leaves the notebooks' own.
    jobs
        Processes at a time; None for one per core. With more than one, each computes on a single thread.
    scheduler
        Runs them on a cluster that shares this folder: an address, or a Slurm profile (see
        `jal.experiments.cluster.connect`). Its workers say how many run at a time.
    output
        Folder for the executed notebooks, made if need be; None for `runs/notebooks` of the checkout.
    root
        The checkout; None looks for it upwards.
    tell
        Takes the lines that say how far it is; on stderr if not given.
    name_values
        Whether the given values are in the executed notebooks' names, so that runs with others stand beside them. If
        not, what each notebook looks for in stores is noted beside it.

    Returns
    -------
    list of NotebookRun
        In the order of `notebooks`.

    Raises
    ------
    InputError
        for an unknown notebook, parameter or profile, a value that a parameter does not take, for jobs < 1, for an
        output folder that is not writable or holds the sources, and for a scheduler that does not answer.
    """
    top = find_root(root)
    sources = _sources(top, notebooks)
    given = dict(parameters or {})
    if profile is not None:
        given["profile"] = check_profile(profile)
    known, broken = _parameters(sources)
    values = _values(known, given, everywhere=notebooks is not None)
    if scheduler is not None and jobs is not None:
        raise InputError(
            f"jobs={jobs} with the scheduler {scheduler}: its workers say how many; leave one out"
        )
    workers = check_jobs(jobs, len(sources))
    folder = _writable(Path(output) if output is not None else top / "runs" / "notebooks", top)
    runs: dict[str, NotebookRun] = {}
    with ExitStack() as at_the_end:
        flag = folder / f".{uuid.uuid4().hex}.lock"
        single = scheduler is not None or workers > 1
        execute = partial(_execute, flag=flag, single=single, note=not name_values)
        if scheduler is None:
            pool: Executor = ThreadPoolExecutor(workers)
            execute = partial(execute, tell=tell)
        else:
            cluster = connect(scheduler, len(sources), folder / ".slurm", tell)
            at_the_end.callback(cluster.close)
            pool = cluster.executor()
            tell(f"{len(sources)} notebooks go to {scheduler}")
        at_the_end.callback(pool.shutdown, wait=False)
        lock = locks.acquire(flag)
        assert lock is not None  # nobody else knows its name
        # Only an interruption comes to an end with something still to do: it stops without the lock.
        at_the_end.callback(locks.release, lock)

        def ended(run: NotebookRun) -> None:
            runs[run.name] = run
            end = f"failed: {run.error} ({run.output})" if run.error else f"done: {run.output}"
            tell(f"[{len(runs)}/{len(sources)}] {run.name}: {run.seconds:.1f} s, {end}")

        for name, reason in broken.items():
            ended(NotebookRun(name, sources[name], 0.0, reason))
        labels = {name: _label(values[name]) if name_values else "" for name in known}
        targets = {name: folder / f"{name}{labels[name]}.ipynb" for name in known}
        futures = {
            pool.submit(execute, sources[name], target, values[name]): name
            for name, target in targets.items()
        }
        for future in futures:
            at_the_end.callback(future.cancel)
        for future in _as_completed(futures, tell):
            name = futures[future]
            try:
                run = future.result()
            except Exception as error:  # the cluster's: its workers, or the way to them
                reason = " ".join(f"{type(error).__name__}: {error}".split())
                run = NotebookRun(name, targets[name], 0.0, reason)
            ended(run)
    return [runs[name] for name in sources]


def _as_completed(
    futures: Mapping[Future[NotebookRun], str], tell: Callable[[str], None]
) -> Iterator[Future[NotebookRun]]:
    """Each as it ends; a line says which are left whenever none has for half a minute."""
    left = set(futures)
    while left:
        done, left = wait(left, SILENCE, FIRST_COMPLETED)
        yield from done
        if not done:
            running = sorted(futures[future] for future in left if future.running())
            tell(f"{len(left)} of {len(futures)} to go, being run: {', '.join(running)}")


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


def _parameters(sources: Mapping[str, Path]) -> tuple[dict[str, dict[str, Parameter]], dict[str, str]]:
    """The parameters of each notebook, and what is wrong with those that are none."""
    known, broken = {}, {}
    for name, path in sources.items():
        try:
            known[name] = read(path)
        except NotReadable as error:
            broken[name] = str(error)
    return known, broken


def _values(
    known: Mapping[str, Mapping[str, Parameter]], given: Mapping[str, object], *, everywhere: bool
) -> dict[str, dict[str, object]]:
    """The given values that go to each notebook, in the form that it takes."""
    values: dict[str, dict[str, object]] = {name: {} for name in known}
    for parameter, value in given.items():
        value = plain(parameter, value)
        holders = [name for name in known if parameter in known[name]]
        if known and (not holders or (everywhere and len(holders) < len(known))):
            lacking = next(name for name in known if name not in holders)
            names = known[lacking] if everywhere else set().union(*known.values())
            raise unknown(f"parameter of {lacking if everywhere else 'the notebooks'}", parameter, names)
        for name in holders:
            values[name][parameter] = known[name][parameter].fit(value, name)
    return values


def _label(values: Mapping[str, object]) -> str:
    """What tells a run with these values from others, in a file's name."""
    if not values:
        return ""
    text = ",".join(
        f"{name}={'+'.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in values.items()
    )
    short = re.sub(r"[^\w.+,=-]+", "_", text, flags=re.ASCII)[:80]
    if short != text:
        short += "-" + hashlib.sha256(json.dumps(values).encode()).hexdigest()[:8]
    return f"-{short}"


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
    flag: Path,
    single: bool,
    note: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> NotebookRun:
    """Executes one notebook, on one thread if asked, for as long as somebody holds the lock `flag`.

    If asked, it notes what the notebook looks for in stores, in a file beside the target.
    """
    name = source.stem
    if not (source.is_file() and locks.is_held(flag)):
        reason = f"{socket.gethostname()} does not see {source} and {target.parent}: they must be shared"
        return NotebookRun(name, target, 0.0, reason)
    tell(f"{name}: started")
    start = time.perf_counter()
    environment = os.environ | {BATCH: "1"} | (dict.fromkeys(_THREADS, "1") if single else {})
    if note:
        environment[reads.VARIABLE] = str(target.with_suffix(".reads"))
    draft = target.with_name(f".{name}.{uuid.uuid4().hex}.ipynb")
    command = [sys.executable, "-m", "jal.book.execute", source.name, str(draft)]
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        # papermill's own `cwd` would change the directory of the whole process.
        with subprocess.Popen(
            command, cwd=source.parent, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log
        ) as process:
            ended = _attend(process, json.dumps(values), flag)
        log.seek(0)
        lines = [line.strip() for line in log if line.strip()]
    if ended and draft.is_file():
        draft.replace(target)
    elif ended:
        target.unlink(missing_ok=True)  # an earlier one, which this one's failure would pass for
    draft.unlink(missing_ok=True)
    error = lines[-1] if lines else f"its process ended with status {process.returncode}"
    return NotebookRun(name, target, time.perf_counter() - start, error if process.returncode else None)


def _attend(process: subprocess.Popen[bytes], values: str, flag: Path) -> bool:
    """Gives a notebook's process its values, and waits; whether it came to its end, the lock being held."""
    if process.stdin is not None:
        with suppress(BrokenPipeError):
            process.stdin.write(f"{values}\n".encode())
            process.stdin.flush()
    while process.poll() is None:
        with suppress(subprocess.TimeoutExpired):
            process.wait(locks.POLL)
        if not locks.is_held(flag):
            process.kill()
            process.wait()
            return False
    return True
