"""Execute one notebook in this process: `python -m jal.book.execute SOURCE TARGET PARAMETERS_AS_JSON`.

The last line on stderr says why it failed. The process ends when its standard input closes, so that it
never outlives the one that started it.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
from typing import Any

import papermill
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config


class RunningPython(AsyncKernelManager):
    """Kernels of the Python that runs this, whatever kernel specifications the machine has."""

    @property
    def kernel_spec(self) -> KernelSpec:
        return KernelSpec(**get_kernel_dict())


def execute(source: str, target: str, parameters: dict[str, Any]) -> None:
    """Execute `source` into `target`; the working directory is the caller's.

    Raises
    ------
    papermill.exceptions.PapermillExecutionError
        if a cell fails; the notebook with its error is in `target`.
    """
    # Kernels that start at the same moment can be given the same TCP port; files in a folder of one's own
    # cannot collide. A short path, because a socket's path has room for about a hundred characters.
    with tempfile.TemporaryDirectory(prefix="jal-") as folder:
        kernel = {"transport": "ipc", "connection_file": f"{folder}/k.json"}
        papermill.execute_notebook(
            source,
            target,
            parameters,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            kernel_manager_class=RunningPython,
            config=Config({"KernelManager": kernel}),
        )


def _end_with_the_parent() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    try:
        execute(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
    except PapermillExecutionError as failure:
        reason = f"{failure.ename}: {failure.evalue}".strip().splitlines()[0]
        sys.exit(f"cell [{failure.exec_count}] raised {reason}")
