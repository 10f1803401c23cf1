"""Joint Asymmetric Loss (JAL) and its kin: losses, label noise and theory for learning with noisy labels.

The names below are imported on first use, so that `import jal.theory` never imports torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from jal._version import __version__

if TYPE_CHECKING:
    from jal.losses import AMSE, JALCE, JALFL
    from jal.theory import minimum_a

_LAZY = {"AMSE": "jal.losses", "JALCE": "jal.losses", "JALFL": "jal.losses", "minimum_a": "jal.theory"}

__all__ = ["AMSE", "JALCE", "JALFL", "__version__", "minimum_a"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'jal' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
