"""Where and with what a run was made."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from jal._version import __version__
from jal.errors import InputError

UNKNOWN = "unknown"
DISTRIBUTION = "jal-losses"
_SOURCE = Path(__file__).resolve().parents[2]


def commit(otherwise: str | None = None) -> tuple[str, bool]:
    """The commit that this code is of, and whether jal/ has changes on top of it.

    $JAL_COMMIT where it is set, and then without changes; else what git says of the folder this file is in; else
    `UNKNOWN` for an installed distribution, which has a version instead; else `otherwise`.

    Raises
    ------
    InputError
        where none of them knows. JAL_COMMIT=unknown is an answer too.
    """
    named = os.environ.get("JAL_COMMIT")
    if named:
        return named, False
    try:
        if Path(_git("rev-parse", "--show-toplevel")).resolve() == _SOURCE:
            return _git("rev-parse", "HEAD"), bool(_git("status", "--porcelain", "--", "jal"))
    except (OSError, subprocess.CalledProcessError):
        pass
    if installed() is not None:
        return UNKNOWN, False
    if otherwise is not None:
        return otherwise, False
    raise InputError(
        "the commit of this code is not known (no git checkout with a commit): name it in the variable "
        "JAL_COMMIT, or set JAL_COMMIT=unknown to keep Records without one"
    )


def installed() -> str | None:
    """The distribution that put this code where it is, such as "jal-losses 1.0"; None for a source tree.

    An editable installation is a source tree: it lists a pointer among its files, not the code. So is one in which
    something was built: what that leaves there has no list of what was installed.
    """
    code = _SOURCE / "jal" / "__init__.py"
    try:
        found = importlib.metadata.distribution(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return None
    listed = found.read_text("RECORD") is not None and found.files
    held = any(file.as_posix() == "jal/__init__.py" for file in listed or ())
    if held and Path(str(found.locate_file("jal/__init__.py"))).resolve() == code:
        return f"{DISTRIBUTION} {found.version}"
    return None


def environment(device: str, threads: int, at: tuple[str, bool]) -> dict[str, str | int | bool]:
    """What a Record says of the machine and the software.

    Parameters
    ----------
    device
        torch's name for it.
    threads
        of torch, in the process of the run.
    at
        what `commit` gives.
    """
    import torch

    on = torch.device(device)
    distribution = installed()
    return {
        "device": torch.cuda.get_device_name(on) if on.type == "cuda" else on.type,
        "processor": processor(),
        "threads": threads,
        "platform": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "jal": __version__,
        "commit": at[0],
        "dirty": at[1],
        **({} if distribution is None else {"distribution": distribution}),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def commit_in_words(about: Mapping[str, object], digits: int = 12, shown: Callable[[str], str] = str) -> str:
    """The commit of an `environment`, shortened, and whether there were changes on top of it.

    Where the code was installed without a commit, the distribution.

    Parameters
    ----------
    shown
        makes of the commit, which may be any text, what a page can hold.
    """
    if about["commit"] == UNKNOWN and "distribution" in about:
        return shown(str(about["distribution"]))
    return f"{shown(str(about['commit'])[:digits])}{' with changes' if about['dirty'] else ''}"


def processor() -> str:
    """The processor's name, as far as the system tells."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine() or UNKNOWN


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=_SOURCE, capture_output=True, text=True, check=True)
    return done.stdout.strip()
