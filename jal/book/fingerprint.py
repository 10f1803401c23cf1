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
    files = [
        path
        for folder in ("jal", "data")
        for path in sorted((root / folder).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]
    versions = sorted(f"{found.name} {found.version}" for found in importlib.metadata.distributions())
    contents = [part for path in files for part in (str(path.relative_to(root)), path.read_bytes())]
    return digest([sys.version, *versions, *contents])
