"""Where the checkout is: the book, the notebooks and the data live there, not in the installed package."""

from __future__ import annotations

from pathlib import Path

from jal.errors import InputError


def find_root(root: str | Path | None = None) -> Path:
    """The checkout's top folder: `root` itself if given, else the nearest one upwards.

    The search starts at the current folder, then at this file (an editable installation).

    Raises
    ------
    InputError
        if there is no checkout at `root`, or none upwards.
    """
    if root is not None:
        path = Path(root).resolve()
        if not _is_checkout(path):
            raise InputError(
                f"no checkout of the book at {path}: --root must name the one with _toc.yml and notebooks/"
            )
        return path
    for start in (Path.cwd(), Path(__file__).resolve().parent):
        for folder in (start, *start.parents):
            if _is_checkout(folder):
                return folder
    raise InputError(
        "this needs the book's checkout, and none was found upwards of the current folder: "
        "run it inside a clone, or name one with --root"
    )


def _is_checkout(folder: Path) -> bool:
    return all((folder / name).exists() for name in ("_toc.yml", "notebooks", "jal"))
