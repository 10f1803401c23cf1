"""What a program looks for in stores: a chapter is out of date when that has changed, and not for other Records."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

VARIABLE = "JAL_READS"
"""The environment's variable that names the file to note them in; nothing is noted without it."""

_noted: dict[tuple[str, Path], bool] = {}


def note(record: Path) -> None:
    """Notes that a Record's file was looked for, and whether it was there; again only if that has changed."""
    target = os.environ.get(VARIABLE)
    if target is None:
        return
    there = record.is_file()
    if _noted.get((target, record)) is not there:
        _noted[target, record] = there
        # One short line at a time: processes that a chapter starts add to the same file.
        with suppress(OSError), Path(target).open("a", encoding="utf-8") as notes:
            notes.write(json.dumps([str(record.resolve()), there]) + "\n")


def noted(target: Path) -> dict[Path, bool]:
    """What was looked for, and whether it was there the last time; nothing where no notes can be read."""
    try:
        lines = target.read_text(encoding="utf-8").splitlines()
        return {Path(name): bool(there) for name, there in map(json.loads, lines)}
    except (OSError, ValueError):
        return {}
