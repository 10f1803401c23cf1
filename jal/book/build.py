"""Build the book: papermill executes what changed, Jupyter Book renders it without executing anything."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import yaml
from filelock import FileLock, Timeout
from sphinx_external_toc.parsing import parse_toc_yaml

from jal.book.fingerprint import digest, fingerprint
from jal.book.run import check_jobs, check_profile, run_notebooks, tell
from jal.checkout import find_root
from jal.errors import InputError, JalError


class BuildFailed(JalError):
    """The book could not be built."""


def build_book(
    profile: str = "quick",
    *,
    root: str | Path | None = None,
    jobs: int | None = None,
    strict: bool = False,
    tell: Callable[[str], None] = tell,
) -> Path:
    """Build the book into `_build/html` of the checkout.

    A notebook is executed again only if its text, the profile, the library, the data or an installed
    package changed; the pages are rendered again only if something in one of them did.

    Parameters
    ----------
    profile
        "quick", "laptop" or "full": what the notebooks run afresh.
    root
        The checkout; None looks for it upwards.
    jobs
        Notebooks at a time; None for one per core.
    strict
        Whether a warning of Sphinx is an error.
    tell
        Takes the lines that say how far it is; on stderr if not given.

    Returns
    -------
    Path
        The page to open, `_build/html/index.html`.

    Raises
    ------
    InputError
        for an unknown profile, jobs < 1, and a page of the table of contents that does not exist.
    BuildFailed
        if a notebook failed (the executed notebook with its error is kept) or the rendering did.
    """
    top = find_root(root)
    pages, chapters = _contents(top)
    check_profile(profile)
    check_jobs(jobs, len(chapters))
    with _alone(top / "_build", tell):
        return _build(top, pages, chapters, profile, jobs, strict, tell)


def _build(
    top: Path,
    pages: Sequence[Path],
    chapters: Sequence[str],
    profile: str,
    jobs: int | None,
    strict: bool,
    tell: Callable[[str], None],
) -> Path:
    state = fingerprint(top)
    build = top / "_build"
    executed = build / "executed" / profile
    keys = {name: digest([state, (top / "notebooks" / f"{name}.ipynb").read_bytes()]) for name in chapters}
    _execute(keys, executed, profile=profile, jobs=jobs, root=top, tell=tell)

    wanted = {
        "_toc.yml": (top / "_toc.yml").read_bytes(),
        "_config.yml": _without_execution(top / "_config.yml"),
        **{str(path.relative_to(top)): path.read_bytes() for path in pages},
        **{f"notebooks/{name}.ipynb": _page(executed / f"{name}.ipynb") for name in chapters},
    }
    key = digest([state, str(strict), *sorted(wanted), *(wanted[name] for name in sorted(wanted))])
    index, rendered = build / "html" / "index.html", build / "rendered.key"
    if not (index.is_file() and _says(rendered, key)):
        rendered.unlink(missing_ok=True)
        _stage(build / "book", wanted)
        _render(top, strict, tell)
        rendered.write_text(key)
    tell(f"the book is built: open {index}")
    return index


@contextmanager
def _alone(build: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """One build at a time: a second one waits, and then finds most of it done."""
    build.mkdir(exist_ok=True)
    lock = FileLock(build / "lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        tell("another process is building this book: waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _contents(top: Path) -> tuple[list[Path], list[str]]:
    """The files that a reader's page needs besides notebooks, and the names of the notebooks, in reading order."""
    chapters = []
    for name in parse_toc_yaml(top / "_toc.yml"):
        if (top / f"{name}.ipynb").is_file():
            chapters.append(Path(name).name)
        elif not (top / f"{name}.md").is_file():
            raise InputError(f"_toc.yml names {name!r}, but {top} has neither {name}.md nor {name}.ipynb")
    return sorted(path for path in (top / "book").rglob("*") if path.is_file()), chapters


def _execute(keys: Mapping[str, str], executed: Path, **options: Any) -> None:
    """Run the chapters whose last successful run had another key."""
    stamps = {name: executed / f"{name}.key" for name in keys}
    stale = [
        name
        for name, key in keys.items()
        if not ((executed / f"{name}.ipynb").is_file() and _says(stamps[name], key))
    ]
    for name in stale:
        stamps[name].unlink(missing_ok=True)
    runs = run_notebooks(stale, output=executed, **options) if stale else []
    for done in runs:
        if done.error is None:
            stamps[done.name].write_text(keys[done.name])
    if failed := [f"{done.name}: {done.error} ({done.output})" for done in runs if done.error]:
        raise BuildFailed(f"{len(failed)} of {len(runs)} notebooks failed: {'; '.join(failed)}")


def _says(stamp: Path, key: str) -> bool:
    return stamp.is_file() and stamp.read_text() == key


def _without_execution(config: Path) -> bytes:
    settings = yaml.safe_load(config.read_text())
    settings.setdefault("execute", {})["execute_notebooks"] = "off"
    return str(yaml.safe_dump(settings, sort_keys=False)).encode()


def _page(executed: Path) -> bytes:
    """An executed notebook as the reader sees it: its parameters with the values that it ran with.

    papermill puts the values that replace others into a cell of their own, which would show both; and it
    notes the paths of this machine.
    """
    notebook = nbformat.read(executed, as_version=4)
    tagged = {tag: cell for cell in notebook.cells for tag in cell.metadata.get("tags", [])}
    injected = tagged.get("injected-parameters")
    if injected is not None:
        tagged["parameters"].source = _replaced(tagged["parameters"].source, injected.source)
        notebook.cells.remove(injected)
    for path in ("input_path", "output_path"):
        notebook.metadata.papermill.pop(path, None)
    return str(nbformat.writes(notebook)).encode()


def _replaced(source: str, values: str) -> str:
    """The lines of `source`, its assignments as in `values` where that has them too."""
    new = {name: ast.get_source_segment(values, node) for name, node in _assignments(values)}
    lines = source.splitlines()
    for name, node in reversed(_assignments(source)):
        if name in new:
            end = node.end_lineno or node.lineno
            comment = lines[end - 1].encode()[node.end_col_offset :].decode()
            lines[node.lineno - 1 : end] = [f"{new[name]}{comment}"]
    return "\n".join(lines)


def _assignments(source: str) -> list[tuple[str, ast.stmt]]:
    return [
        (target.id, node)
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    ]


def _stage(folder: Path, wanted: Mapping[str, bytes]) -> None:
    """Make the folder hold these files and no others."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in wanted.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _render(top: Path, strict: bool, tell: Callable[[str], None]) -> None:
    tell("rendering the pages")
    start = time.perf_counter()
    # From nothing, because it takes seconds: what Sphinx keeps would leave pages that are no longer in the book,
    # old titles in the sidebars of the others, and no second warning of a page that it warned of once.
    shutil.rmtree(top / "_build" / "html", ignore_errors=True)
    run = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", run, "build", "_build/book", "--path-output", ".", "--all", "-q"]
    command += ["-W", "--keep-going"] if strict else []
    done = subprocess.run(command, cwd=top, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise BuildFailed("Jupyter Book could not render the pages: its messages above say why")
    tell(f"rendered in {time.perf_counter() - start:.1f} s")
