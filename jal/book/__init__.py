"""The book: run its notebooks with papermill, many at a time, and render the result with Jupyter Book."""

from jal.book.build import build_book
from jal.book.failure import BuildFailed
from jal.book.run import NotebookRun, run_notebooks
from jal.experiments.grids import PROFILES

__all__ = ["PROFILES", "BuildFailed", "NotebookRun", "build_book", "run_notebooks"]
