"""How a page was made: its parameters, its profile, how long it ran, on what and with what."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any
from urllib.parse import quote

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from jal.analysis.text import code, plain
from jal.experiments.provenance import UNKNOWN, commit_in_words

KEY = "jal"
"""Where an executed notebook's metadata holds what papermill does not note: the profile and the environment."""

VERSIONS = ("python", "torch", "numpy", "jal")


@dataclass(frozen=True)
class Made:
    """How a notebook was executed.

    Attributes
    ----------
    profile
        at which.
    seconds
        that it ran.
    began
        when.
    environment
        of `jal.experiments.provenance.environment`.
    """

    profile: str
    seconds: float
    began: datetime
    environment: Mapping[str, Any]

    @property
    def versions(self) -> str:
        """Of what it ran with."""
        return ", ".join(f"{name} {self.environment[name]}" for name in VERSIONS)

    @property
    def commit(self) -> str:
        """Of the code, and whether there were changes on top of it."""
        return commit_in_words(self.environment)


def made(notebook: NotebookNode) -> Made | None:
    """How this notebook was executed; None if the book's build has not done it."""
    ours, papermill = notebook.metadata.get(KEY), notebook.metadata.get("papermill")
    if ours is None or papermill is None:
        return None
    began = datetime.fromisoformat(papermill.start_time)
    return Made(ours.profile, float(papermill.duration), began, ours.environment)


def sign(notebook: NotebookNode, name: str, repository: str, printed: bool) -> None:
    """Puts at the end of an executed notebook how it was made, and where it can be had without outputs.

    Parameters
    ----------
    repository
        the address of the public one, or nothing.
    printed
        for paper, where nothing can be downloaded.
    """
    done = made(notebook)
    if done is None:
        return
    parameters = [code(f"{name} = {value}") for name, value in _parameters(notebook).items()]
    about = done.environment
    commit = plain(done.commit)
    linked = repository and not about["dirty"] and about["commit"] != UNKNOWN
    entries = {
        "Parameters": ", ".join(parameters),
        "Executed": f"{done.began.day} {done.began:%B %Y} at the profile {done.profile}, "
        f"in {done.seconds:.1f} seconds, on {plain(about['device'])} ({plain(about['processor'])})",
        "With": plain(done.versions),
        "Commit": f"[{commit}]({repository}/commit/{quote(about['commit'], safe='')})" if linked else commit,
    }
    if not printed:
        file = f"../_sources/notebooks/{escape(name)}.ipynb"
        entries["To run it"] = f'<a href="{file}" download>this chapter as a notebook</a>, without outputs'
    text = "\n\n".join(f"{term}\n: {value}" for term, value in entries.items() if value)
    notebook.cells.append(new_markdown_cell(f":::{{container}} jal-made\n{text}\n:::", id="made"))


def _parameters(notebook: NotebookNode) -> dict[str, str]:
    """What the cell tagged `parameters` assigns, as it stands there."""
    sources = [cell.source for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    return {name: text for source in sources for name, text, _ in assignments(source)}


def assignments(source: str) -> list[tuple[str, str, ast.stmt]]:
    """The variables that some code assigns: the name, the value as it is written, the statement."""
    return [
        (target.id, ast.get_source_segment(source, node.value) or "", node)
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    ]
