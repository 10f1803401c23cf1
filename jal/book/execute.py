"""Execute one notebook in this process: `python -m jal.book.execute SOURCE TARGET`.

Its parameters are the first line on standard input, as JSON. The last line on stderr says why it failed. The process
ends when its standard input closes, so that it never outlives the one that started it; half a notebook goes with it.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import nbformat
import papermill
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config


class RunningPython(AsyncKernelManager):
    """Kernels of the Python that runs this, whatever kernel specifications the machine has."""

    @property
    def kernel_spec(self) -> KernelSpec:
        return KernelSpec(**get_kernel_dict())


def execute(source: str, target: str, parameters: dict[str, Any]) -> NotebookNode:
    """Execute `source` into `target`, which is returned too; the working directory is the caller's.

    Raises
    ------
    papermill.exceptions.PapermillExecutionError
        if a cell fails; the notebook with its error is in `target`.
    """
    # Kernels that start at the same moment can be given the same TCP port; files in a folder of one's own
    # cannot collide. A short path, because a socket's path has room for about a hundred characters.
    short = None if len(tempfile.gettempdir()) <= 60 else "/tmp"
    with tempfile.TemporaryDirectory(prefix="jal-", dir=short) as folder:
        kernel = {"transport": "ipc", "connection_file": f"{folder}/k.json"}
        return papermill.execute_notebook(
            source,
            target,
            parameters,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            kernel_manager_class=RunningPython,
            config=Config({"KernelManager": kernel}),
        )


def unfinished(notebook: NotebookNode) -> str | None:
    """The first cell that was not completed, in words; None if all were.

    To papermill a cell that ends its kernel as if nothing were wrong, by `sys.exit(0)`, is no failure.
    """
    for number, cell in enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), 1):
        if cell.source.strip() and (
            cell.execution_count is None or cell.metadata.papermill.status != "completed"
        ):
            raised = [out for out in cell.outputs if out.output_type == "error"]
            end = f"raised {raised[0].ename}: {raised[0].evalue}" if raised else "did not run"
            return f"cell [{cell.execution_count or number}] {end}: it was not completed, nor were those after it"
    return None


def _died_in(target: str) -> str:
    """The cell in which the kernel died."""
    cells = [cell for cell in nbformat.read(target, as_version=4).cells if cell.cell_type == "code"]
    began = [number for number, cell in enumerate(cells, 1) if cell.metadata.papermill.start_time]
    return f"the kernel died in cell [{began[-1] if began else 1}]"


def _end_with_the_parent(target: str) -> None:
    sys.stdin.read()
    Path(target).unlink(missing_ok=True)
    os._exit(1)


def _main(source: str, target: str) -> str | None:
    """What is wrong with the notebook, if anything is."""
    parameters = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_parent, args=[target], daemon=True).start()
    try:
        return unfinished(execute(source, target, parameters))
    except PapermillExecutionError as failure:
        reason = f"{failure.ename}: {failure.evalue}".strip().splitlines()[0]
        return f"cell [{failure.exec_count}] raised {reason}"
    except DeadKernelError:
        return _died_in(target)


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
