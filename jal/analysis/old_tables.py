"""What of a Record a table shows."""

from __future__ import annotations

from collections.abc import Callable

from jal.experiments.record import Record

Value = Callable[[Record], float]


def last_accuracy(record: Record) -> float:
    """On the test set after the last epoch, per cent: what the paper's tables hold."""
    return record.accuracy
