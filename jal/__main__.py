"""The command `jal`, and `python -m jal`: runs the command line and turns errors into one line and an exit code."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Sequence

from jal._version import __version__
from jal.errors import JalError, printable

EXTRA_OF = {
    "typer": "train",
    "safetensors": "train",
    "filelock": "train",
    "sklearn": "train",
    "torchvision": "train",
    "PIL": "train",
    "tensorboardX": "tensorboard",
    "distributed": "cluster",
    "dask": "cluster",
    "dask_jobqueue": "cluster",
    "cryptography": "cluster",
    "papermill": "book",
    "nbformat": "book",
    "nbclient": "book",
    "jupyter_book": "book",
    "matplotlib": "book",
    "seaborn": "book",
    "pandas": "book",
}
"""The extra of this distribution that brings each optional package."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 1 a run or notebook failed, 2 bad input,
    75 stopped and resumable."""
    formatted = warnings.formatwarning
    warnings.formatwarning = _in_one_line
    try:
        given = list(sys.argv[1:] if arguments is None else arguments)
        if given == ["--version"]:  # which needs none of the command line's packages
            print(f"jal-losses {__version__}")
            return 0
        from jal.cli import app

        code = int(app(arguments, standalone_mode=False) or 0)
        # New releases of typer make this of Ctrl-C themselves, and say nothing.
        return _refuse("interrupted", code) if code == 130 else code
    except JalError as error:
        return _refuse(str(error), error.exit_code)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRA_OF:
            raise
        return _refuse(
            f"this command needs {package}, which is not installed: it comes with the extra {EXTRA_OF[package]}, "
            f"pip install '.[{EXTRA_OF[package]}]' in the clone"
        )
    except KeyboardInterrupt:
        return _refuse("interrupted", code=130)
    except Exception as error:
        # typer's usage errors: old releases raise click's classes, new ones carry a copy of their own.
        if hasattr(error, "format_message"):
            return _refuse(error.format_message())
        if type(error).__name__ == "Abort":
            return _refuse("interrupted", code=130)
        raise
    finally:
        warnings.formatwarning = formatted
        if arguments is None and threading.current_thread() is threading.main_thread():
            # What is left is the end of the process, in which Ctrl-C would print a traceback of somebody's clean-up.
            signal.signal(signal.SIGINT, lambda *_: os._exit(130))


def _in_one_line(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """A warning as a person reads it: without the place in the code that has it."""
    return f"jal: {' '.join(str(message).split())}\n"


def _refuse(message: str, code: int = 2) -> int:
    print(f"jal: {printable(message)}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
