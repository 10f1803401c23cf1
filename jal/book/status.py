"""The tables of the page on the book's state, in Markdown: what its chapters ran, and which Records there are."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import nbformat

from jal import files
from jal.book import fingerprint
from jal.book.colophon import Made, made
from jal.experiments import grids, stores
from jal.experiments.shelf import counts


def chapters(folder: Path, names: Iterable[str]) -> str:
    """How each chapter of a book was made; empty if `jal book` did not execute them.

    Parameters
    ----------
    folder
        of the book's sources.
    names
        of its pages, in reading order.
    """
    found: dict[str, Made] = {}
    for name in names:
        notebook = folder / f"{name}.ipynb"
        done = made(nbformat.read(notebook, as_version=4)) if notebook.is_file() else None
        if done is not None:
            found[name] = done
    if not found:
        return ""
    total = f"{len(found)} chapters ran for {sum(done.seconds for done in found.values()):.0f} seconds in all"
    heads = ["Chapter", "Profile", "Seconds", "Run on", "With"]
    rows = []
    for name, done in found.items():
        ran = [f"{{doc}}`/{name}`", done.profile, f"{done.seconds:.1f}", f"{done.began:%Y-%m-%d}"]
        rows.append([*ran, f"{done.versions}, commit {done.commit}"])
    if len(tools := {row[-1] for row in rows}) == 1:
        return f"{total}, with {tools.pop()}.\n\n{_table(heads[:-1], [row[:-1] for row in rows])}"
    return f"{total}.\n\n{_table(heads, rows)}"


def records(root: Path, memory: Path) -> str:
    """How many runs of each grid have a Record in the checkout's stores, at each profile.

    Parameters
    ----------
    memory
        a file that keeps the table until a Record, a grid or anything else changes.
    """
    state = fingerprint.digest([fingerprint.fingerprint(root), fingerprint.records(root)])
    kept = json.loads(memory.read_text()) if memory.is_file() else {}
    if kept.get("state") != state:
        kept = {"state": state, "table": _count(root)}
        files.write(memory, json.dumps(kept))
    return str(kept["table"])


def _count(root: Path) -> str:
    rows = []
    for name, runs in counts(stores(root)).items():
        title = grids.get(name, profile=next(iter(runs))).title
        rows.append((f"`{name}`", title, *(runs.get(profile, "") for profile in grids.PROFILES)))
    return _table(("Grid", "What", *grids.PROFILES), rows)


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(heads), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
