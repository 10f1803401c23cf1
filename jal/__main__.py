"""The command `jal`, and `python -m jal`: runs the command line and turns errors into one line and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from jal._version import __version__
from jal.errors import JalError

EXTRA_OF = {
    "typer": "train",
    "safetensors": "train",
    "sklearn": "train",
    "torchvision": "train",
    "PIL": "train",
    "tensorboardX": "tensorboard",
    "distributed": "cluster",
    "dask": "cluster",
    "dask_jobqueue": "cluster",
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
    try:
        given = list(sys.argv[1:] if arguments is None else arguments)
        if given == ["--version"]:  # which needs none of the command line's packages
            print(f"jal-losses {__version__}")
            return 0
        from jal.cli import app

        return int(app(arguments, standalone_mode=False) or 0)
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


def _refuse(message: str, code: int = 2) -> int:
    print(f"jal: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
