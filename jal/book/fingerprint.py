"""What an executed notebook depends on besides its own text: the library, the data, the environment."""

from __future__ import annotations

import hashlib
import importlib.metadata
import sys
from collections.abc import Iterable
from pathlib import Path


def digest(parts: Iterable[str | bytes]) -> str:
    """A short hash of the parts in their order; where one ends and the next begins counts."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(hashlib.sha256(data).digest())
    return total.hexdigest()[:16]


def fingerprint(root: Path) -> str:
    """A hash of everything in `jal/` and `data/` of the checkout and of the versions of all installed packages."""
    # A set: where Python has the checkout itself on its path, what is installed from there is found twice.
    versions = sorted({f"{found.name} {found.version}" for found in importlib.metadata.distributions()})
    return digest([sys.version, *versions, *_files(root, "jal/**/*", "data/**/*")])


def own_records(root: Path) -> str:
    """A hash of the Records in `runs/` of the checkout, which pages show where `data/` has none."""
    return digest(_files(root, "runs/*/*.json"))


def _files(root: Path, *patterns: str) -> list[str | bytes]:
    """Paths and contents. What is hidden is left out: a sweep that works on data/results keeps its claims there."""
    parts: list[str | bytes] = []
    for path in sorted(path for pattern in patterns for path in root.glob(pattern)):
        inside = path.relative_to(root)
        if any(part.startswith(".") or part == "__pycache__" for part in inside.parts) or path.is_dir():
            continue
        try:
            parts += [str(inside), path.read_bytes()]
        except FileNotFoundError:  # gone since it was listed
            continue
    return parts
