"""Run notebooks with other parameters, several at a time, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import papermill

from jal.checkout import find_root
from jal.errors import InputError, unknown

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
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def run_notebooks(
    notebooks: Sequence[str] | None = None,
    parameters: Mapping[str, object] | None = None,
    *,
    profile: str | None = None,
    jobs: int | None = None,
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
        for an unknown notebook, parameter or profile, for jobs < 1, and for an output folder that is not
        writable or holds the sources.
    """
    top = find_root(root)
    sources = _sources(top, notebooks)
    given = dict(parameters or {})
    if profile is not None:
        given["profile"] = check_profile(profile)
    values = _values(sources, given, everywhere=notebooks is not None)
    workers = check_jobs(jobs, len(sources))
    folder = _writable(Path(output) if output is not None else top / "runs" / "notebooks", top)
    environment = os.environ | (dict.fromkeys(_THREADS, "1") if workers > 1 else {})

    def one(name: str) -> NotebookRun:
        tell(f"{name}: started")
        target = folder / f"{name}.ipynb"
        target.unlink(missing_ok=True)
        start = time.perf_counter()
        error = _execute(sources[name], target, values[name], environment, running)
        return NotebookRun(name, target, time.perf_counter() - start, error)

    runs: dict[str, NotebookRun] = {}
    running: set[subprocess.Popen[bytes]] = set()
    pool = ThreadPoolExecutor(workers)
    try:
        for future in as_completed([pool.submit(one, name) for name in sources]):
            run = future.result()
            runs[run.name] = run
            end = f"failed: {run.error} ({run.output})" if run.error else "done"
            tell(f"[{len(runs)}/{len(sources)}] {run.name}: {run.seconds:.1f} s, {end}")
    finally:
        # Only an interruption comes here with something still to do.
        pool.shutdown(wait=False, cancel_futures=True)
        for process in list(running):
            process.kill()
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
    return max(1, min(jobs or os.cpu_count() or 1, most))


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
    environment: Mapping[str, str],
    running: set[subprocess.Popen[bytes]],
) -> str | None:
    command = [sys.executable, "-m", "jal.book.execute", source.name, str(target), json.dumps(values)]
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        # papermill's own `cwd` would change the directory of the whole process.
        with subprocess.Popen(
            command, cwd=source.parent, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log
        ) as process:
            running.add(process)
            process.wait()
            running.discard(process)
        if process.returncode == 0:
            return None
        log.seek(0)
        lines = [line.strip() for line in log if line.strip()]
    return lines[-1] if lines else f"its process ended with status {process.returncode}"
