"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from pathlib import Path

from jal.errors import InputError


def write(target: Path, content: str | bytes) -> None:
    """Writes a file, and its folder if need be; whoever reads meanwhile, or after a crash, sees the old or the new.

    Text is written as UTF-8.

    Raises
    ------
    InputError
        if it cannot be written. The old file is as it was, and nothing else is left.
    """
    if not target.name:
        raise InputError(f"cannot write to {target}, which is a folder: name a file")
    draft = target.with_name(f".{target.stem}.{uuid.uuid4().hex}.tmp")
    try:
        make_folder(target.parent)
        with draft.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
        _sync(target.parent)
    except OSError as error:
        raise unwritable(target.parent, error) from None
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Keeps the new name of a file through a loss of power, where the system can."""
    with suppress(OSError):  # the file is whole in any case
        place = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(place)
        finally:
            os.close(place)


def is_draft(file: Path) -> bool:
    """Whether this is what `write` leaves behind if it is killed."""
    return file.name.startswith(".") and file.suffix == ".tmp"


def make_folder(folder: Path) -> None:
    """Makes a folder with its parents, though another process may be removing the parents while they are empty."""
    with suppress(FileNotFoundError):
        folder.mkdir(parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)


def unwritable(folder: Path, error: OSError) -> InputError:
    """The one-line error for a folder that cannot be written."""
    return InputError(
        f"cannot write to the folder {folder} ({error.strerror}): give it room and permission, or name another one"
    )
