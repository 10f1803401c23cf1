"""What an executed notebook depends on besides its own text: the library, the data, the environment."""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from jal.experiments.reads import noted


def digest(parts: Iterable[str | bytes]) -> str:
    """A short hash of the parts in their order; where one ends and the next begins counts."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(hashlib.sha256(data).digest())
    return total.hexdigest()[:16]


def fingerprint(root: Path) -> str:
    """A hash of `jal/` and `data/` of the checkout, but for Records, and of all installed packages' versions."""
    # A set: where Python has the checkout itself on its path, what is installed from there is found twice.
    versions = sorted({f"{found.name} {found.version}" for found in importlib.metadata.distributions()})
    files = [path for path in _files(root, "jal/**/*", "data/**/*") if not _is_record(path, root)]
    return digest([sys.version, *versions, *_contents(root, files)])


def records(root: Path) -> str:
    """A hash of all Records of the checkout's two stores."""
    found = _files(root, "data/results/*/*.json", "runs/*/*.json")
    return digest(_contents(root, [path for path in found if _is_record(path, root)]))


def looked_for(root: Path, notes: Path) -> str:
    """A hash of those Records of the checkout's stores that a chapter looked for, as they are now."""
    stores = (root / "data" / "results", root / "runs")
    found = sorted(path for path in noted(notes) if any(path.is_relative_to(store) for store in stores))
    return digest(_contents(root, found))


def changed(notes: Path) -> bool:
    """Whether a Record came or went after a chapter had looked for it the last time."""
    return any(path.is_file() is not there for path, there in noted(notes).items())


def _is_record(path: Path, root: Path) -> bool:
    """Whether this is a Record in one of the stores, or an artifact beside one: they are named by the run's id."""
    store = path.parent.parent
    return bool(store in (root / "data" / "results", root / "runs") and _ID.match(path.name))


_ID = re.compile(r"[0-9a-f]{16}\.")


def _files(root: Path, *patterns: str) -> list[Path]:
    """What is hidden is left out: a sweep that works on data/results keeps its claims there."""
    found = []
    for path in sorted(path for pattern in patterns for path in root.glob(pattern)):
        inside = path.relative_to(root)
        if any(part.startswith(".") or part == "__pycache__" for part in inside.parts) or path.is_dir():
            continue
        found.append(path)
    return found


def _contents(root: Path, files: Iterable[Path]) -> list[str | bytes]:
    """Paths and contents of those that are there."""
    parts: list[str | bytes] = []
    for path in files:
        try:
            parts += [str(path.relative_to(root)), path.read_bytes()]
        except FileNotFoundError:
            continue
    return parts
