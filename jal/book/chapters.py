"""The book's notebooks: those that changed are executed, and each is made the page that a reader sees."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import inf
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from jal.analysis.text import UNTRUE
from jal.book import colophon
from jal.book.failure import BuildFailed
from jal.book.fingerprint import changed, digest, fingerprint, looked_for
from jal.book.run import run_notebooks
from jal.experiments import provenance
from jal.experiments.device import choose_device


def execute(
    names: Sequence[str], top: Path, *, profile: str, jobs: int | None, tell: Callable[[str], None]
) -> dict[str, Path]:
    """Run the chapters that changed, or anything that they depend on, since they last ran without an error.

    All depend on the library and the data, each on those Records alone that it looked for.

    Returns
    -------
    the executed notebook of each chapter.

    Raises
    ------
    BuildFailed
        if one fails; the notebook with its error is kept.
    """
    folder = top / "_build" / "executed" / profile
    executed = {name: folder / f"{name}.ipynb" for name in names}
    stamps = {name: folder / f"{name}.key" for name in names}
    notes = {name: folder / f"{name}.reads" for name in names}
    texts = {name: (top / "notebooks" / f"{name}.ipynb").read_bytes() for name in names}
    state = fingerprint(top)

    def keys() -> dict[str, str]:
        return {name: digest([state, looked_for(top, notes[name]), text]) for name, text in texts.items()}

    stale = [
        name for name, key in keys().items() if not (executed[name].is_file() and says(stamps[name], key))
    ]
    if not stale:
        return executed
    for name in stale:
        stamps[name].unlink(missing_ok=True)
        notes[name].unlink(missing_ok=True)
    # The longest first, so that none is left alone at the end; one that never ran may be the longest.
    stale.sort(key=lambda name: _last_seconds(executed[name]), reverse=True)
    with ThreadPoolExecutor(1) as beside:  # asking torch for the device takes as long as a short chapter
        environment = beside.submit(_environment)
        runs = run_notebooks(
            stale, output=folder, profile=profile, jobs=jobs, root=top, tell=tell, name_values=False
        )
    failed = {done.name: f"{done.name}: {done.error} ({done.output})" for done in runs if done.error}
    for name in set(stale) - set(failed):
        _note(executed[name], {"profile": profile, "environment": environment.result()})
    if fingerprint(top) == state:
        # With the Records that a chapter itself has made: they are no reason to run it again. Those that came after it
        # had looked for them are.
        for name, key in keys().items():
            if name not in failed and not (name in stale and changed(notes[name])):
                stamps[name].write_text(key)
    else:
        tell("jal/ or data/ changed while the chapters ran: the next build runs them again")
    if failed:
        raise BuildFailed(f"{len(failed)} of {len(runs)} notebooks failed: {'; '.join(failed.values())}")
    return executed


def untrue(chapter: NotebookNode) -> list[str]:
    """The sentences that a chapter's numbers no longer bear out (`jal.analysis.page.check`)."""
    outputs = (output for cell in chapter.cells for output in cell.get("outputs", []))
    return [output.data[UNTRUE] for output in outputs if UNTRUE in output.get("data", {})]


def says(stamp: Path, key: str) -> bool:
    """Whether a file holds this key."""
    return stamp.is_file() and stamp.read_text() == key


def _last_seconds(executed: Path) -> float:
    """How long a notebook ran; infinite if that is not known."""
    try:
        return float(nbformat.read(executed, as_version=4).metadata.papermill.duration)
    except (OSError, ValueError, AttributeError, TypeError):  # it never ran, or was stopped half way
        return inf


def _environment() -> dict[str, Any]:
    about = provenance.environment(choose_device(), 1, provenance.commit(otherwise=provenance.UNKNOWN))
    return {name: about[name] for name in ("device", "processor", *colophon.VERSIONS, "commit", "dirty")}


def _note(executed: Path, about: Mapping[str, Any]) -> None:
    """Write into an executed notebook what papermill does not."""
    notebook = nbformat.read(executed, as_version=4)
    notebook.metadata[colophon.KEY] = about
    nbformat.write(notebook, executed)


def page(executed: Path, repository: str, printed: bool = False) -> NotebookNode:
    """An executed notebook as the reader sees it: its parameters with the values that it ran with, and signed.

    papermill puts the values that replace others into a cell of their own, which would show both; and it
    notes the paths of this machine.

    Parameters
    ----------
    repository
        the address of the public one, or nothing.
    printed
        for paper.
    """
    notebook = nbformat.read(executed, as_version=4)
    tagged = {tag: cell for cell in notebook.cells for tag in cell.metadata.get("tags", [])}
    injected = tagged.get("injected-parameters")
    if injected is not None:
        tagged["parameters"].source = _replaced(tagged["parameters"].source, injected.source)
        notebook.cells.remove(injected)
    for path in ("input_path", "output_path"):
        notebook.metadata.papermill.pop(path, None)
    colophon.sign(notebook, executed.stem, repository, printed)
    return notebook


def _replaced(source: str, values: str) -> str:
    """The lines of `source`, its assignments as in `values` where that has them too."""
    new = {name: value for name, value, _ in colophon.assignments(values)}
    lines = source.splitlines()
    for name, _, node in reversed(colophon.assignments(source)):
        if name in new:
            end = node.end_lineno or node.lineno
            comment = lines[end - 1].encode()[node.end_col_offset :].decode()
            kind = f": {ast.unparse(node.annotation)}" if isinstance(node, ast.AnnAssign) else ""
            lines[node.lineno - 1 : end] = [f"{name}{kind} = {new[name]}{comment}"]
    return "\n".join(lines)
