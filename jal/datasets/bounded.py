"""Small files of somebody else's: found, and read whole, but never further than a bound."""

from __future__ import annotations

import os
import stat
import struct
import zlib
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from jal.datasets.verified import AGAIN
from jal.errors import InputError

LONGEST_LINE = 2**16
_PACKED = 15
"""The kind of a part of a MATLAB file that holds another one, compressed."""


def find(root: str | Path | None, places: Iterable[str]) -> Path | None:
    """The first of `places` that is there, below `root`, else below the folder that JAL_DATA names."""
    folder = root or os.environ.get("JAL_DATA")
    if not folder:
        return None
    paths = (Path(folder).expanduser() / place for place in places)
    # A link that leads nowhere counts as there: reading it says what is wrong.
    return next((path for path in paths if os.path.lexists(path)), None)


def read(path: Path, limit: int) -> bytes:
    """What a file holds.

    Raises
    ------
    InputError
        for what is not a file, cannot be read, or holds more than `limit` bytes.
    """
    try:
        # Opening a pipe would wait for somebody to write.
        if not stat.S_ISREG(path.stat().st_mode):
            raise InputError(f"{path} is not a file: put the file itself there, or name another folder")
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror or error}): see to it, or {AGAIN}"
        ) from None
    if len(content) > limit:
        raise InputError(f"{path} has more than {limit} bytes: it is not the released file, {AGAIN}")
    return content


def lines(path: Path, limit: int) -> Iterator[bytes]:
    """The lines of a file one by one, stripped, whichever system's line ends; the file is never held whole.

    Raises
    ------
    InputError
        as `read`, and for a line of more than `LONGEST_LINE` bytes.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise InputError(f"{path} is not a file: put the file itself there, or name another folder")
        total = 0
        # In Latin-1 a byte is a letter, so that the text reader finds the ends of lines and changes nothing.
        with path.open(encoding="latin-1") as file:
            while line := file.readline(LONGEST_LINE):
                total += len(line)
                if total > limit or (len(line) == LONGEST_LINE and not line.endswith("\n")):
                    raise InputError(
                        f"{path} has more than {limit} bytes, or a line of {LONGEST_LINE}: "
                        f"it is not the released file, {AGAIN}"
                    )
                yield line.encode("latin-1").strip()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror or error}): see to it, or {AGAIN}"
        ) from None


def inflated(content: bytes, limit: int, path: Path) -> bytes:
    """A MATLAB file of version 5 whose parts are unpacked, so that whoever reads it has nothing to unpack.

    Anything else is given back as it is: the older and newer versions are not packed this way.

    Raises
    ------
    InputError
        names `path`: for parts that would unpack to more than `limit` bytes, all together.
    """
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    if order is None:
        return content
    parts, place = [content[:128]], 128
    while place + 8 <= len(content):
        kind, size = struct.unpack_from(f"{order}II", content, place)
        end = place + 8 + size
        if kind == _PACKED:
            parts.append(zlib.decompressobj().decompress(content[place + 8 : end], limit + 1))
        else:
            parts.append(content[place:end])
        limit -= len(parts[-1])
        if limit < 0:
            raise InputError(f"{path} would unpack to too many bytes: it is not the released file, {AGAIN}")
        place = end
    return b"".join(parts)


def member(content: bytes, ending: str, limit: int, path: Path) -> bytes:
    """The one member of a zip archive whose name has this ending.

    Raises
    ------
    InputError
        names `path`: for what is no whole zip archive, for a member that is missing or there twice, or that
        holds more than `limit` bytes.
    """
    try:
        with ZipFile(BytesIO(content)) as archive:
            infos = [info for info in archive.infolist() if info.filename.endswith(ending)]
            if len(infos) != 1:
                raise InputError(f"{path} has {len(infos)} members {ending}, expected one: {AGAIN}")
            # bzip2 and lzma unpack without a bound.
            if infos[0].compress_type not in (ZIP_STORED, ZIP_DEFLATED) or infos[0].file_size > limit:
                raise InputError(
                    f"{path}: {ending} would unpack to {infos[0].file_size} bytes by method "
                    f"{infos[0].compress_type}: it is not the released file, {AGAIN}"
                )
            with archive.open(infos[0]) as file:
                return file.read(limit)
    except InputError:
        raise
    except Exception as error:  # a damaged archive fails in many ways
        raise InputError(f"{path} is not a whole zip archive ({type(error).__name__}): {AGAIN}") from None
