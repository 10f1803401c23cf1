"""Time: how long runs take, from those that have ended; budgets and durations as text."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from statistics import median

from jal.errors import InputError
from jal.experiments.record import Record
from jal.experiments.spec import RunSpec

_UNITS = {"s": 1, "m": 60, "h": 3600}


class Timing:
    """What a run takes: the median over the Records of the same dataset and network on the same hardware."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._epochs: dict[tuple[object, ...], list[float]] = defaultdict(list)
        self._medians: dict[tuple[object, ...], float] = {}
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        """Takes a Record in."""
        kind = _kind(record.spec, hardware(record.environment))
        self._epochs[kind].append(record.timing["seconds"] / record.spec.recipe.epochs)
        self._medians.pop(kind, None)

    def epoch(self, spec: RunSpec, hardware: str) -> float | None:
        """Seconds that an epoch takes; None if no such run has ended yet."""
        kind = _kind(spec, hardware)
        if kind in self._epochs and kind not in self._medians:
            self._medians[kind] = median(self._epochs[kind])
        return self._medians.get(kind)

    def run(self, spec: RunSpec, hardware: str) -> float | None:
        """Seconds that a run takes; None if no such run has ended yet."""
        seconds = self.epoch(spec, hardware)
        return None if seconds is None else seconds * spec.recipe.epochs


def hardware(environment: Mapping[str, object]) -> str:
    """What a Record's environment says that it ran on: the accelerator's name, or the processor's."""
    return str(environment["processor" if environment["device"] == "cpu" else "device"])


def parse_duration(text: str | float) -> float:
    """The seconds of a duration such as "90s", "9m", "1h30m", or of a number of them.

    Raises
    ------
    InputError
        for anything else, and for what is not over 0.
    """
    parts = re.fullmatch(r"((?:\d+(?:\.\d+)?[smh])+)|(\d+(?:\.\d+)?)", str(text).strip())
    value = 0.0
    if parts:
        value = float(parts[2] or 0) + sum(
            float(number) * _UNITS[unit] for number, unit in re.findall(r"([\d.]+)([smh])", parts[1] or "")
        )
    if not (0 < value < math.inf):
        raise InputError(f"the duration {text!r} is not one over 0: write 90s, 9m, 1h30m, or seconds")
    return value


def duration(seconds: float) -> str:
    """For people, to the two largest units: "45 s", "9 min 30 s", "2 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _kind(spec: RunSpec, hardware: str) -> tuple[object, ...]:
    return hardware, spec.dataset, spec.recipe.model, spec.recipe.width, spec.recipe.precision
