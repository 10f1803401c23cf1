"""What the book's build raises."""

from __future__ import annotations

from jal.errors import JalError


class BuildFailed(JalError):
    """The book could not be built."""
