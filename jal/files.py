"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import stat
import uuid
from contextlib import suppress
from functools import cache
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


def is_ours(path: Path) -> bool:
    """Whether nobody but this user, and root, can have written what is at a path.

    It and the folders above it belong to one of the two, and others can write neither; in a folder such as /tmp, whose
    files only their owners may replace, others may write. Where a system knows no owners, everything is.

    Raises
    ------
    OSError
        if it is not there.
    """
    if not hasattr(os, "geteuid"):
        return True
    path = path.resolve(strict=True)
    return all(_only_ours(each.stat()) for each in (path, *path.parents))


def _only_ours(status: os.stat_result) -> bool:
    if status.st_uid not in (0, os.geteuid()):
        return False
    if stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX:
        return True
    others = stat.S_IWOTH if _is_private(status.st_gid) else stat.S_IWOTH | stat.S_IWGRP
    return not status.st_mode & others


@cache
def _is_private(group: int) -> bool:
    """Whether this user is all of a group: where a user has one, what they write may be the group's to write too."""
    import grp
    import pwd

    try:
        user, found = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:
        return False
    return found.gr_gid == user.pw_gid and found.gr_name == user.pw_name and {*found.gr_mem} <= {user.pw_name}


def unwritable(folder: Path, error: OSError) -> InputError:
    """The one-line error for a folder that cannot be written."""
    return InputError(
        f"cannot write to the folder {folder} ({error.strerror}): give it room and permission, or name another one"
    )
