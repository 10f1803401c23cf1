"""The state of a grid: what is done, being run, failed and missing in each cell, for people and for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, takewhile
from operator import eq
from statistics import fmean, stdev

from jal.errors import InputError
from jal.experiments.failures import Failures
from jal.experiments.grids import Grid
from jal.experiments.record import Record
from jal.experiments.schema import pack, unpack
from jal.experiments.spec import RunSpec
from jal.experiments.store import Store, stored
from jal.experiments.timing import Timing, duration, hardware

SCHEMA = 1
"""The version of a Status's layout."""

SHOWN = 5
"""Failures that the text names; the JSON has them all."""

STATES = ("done", "running", "failed", "missing")


@dataclass(frozen=True)
class Counts:
    """How many `runs` there are, and how many of them are `done`, `running`, `failed` and `missing`."""

    runs: int
    done: int
    running: int
    failed: int
    missing: int


@dataclass(frozen=True)
class CellStatus:
    """One cell of the table.

    Attributes
    ----------
    row, column
        their labels.
    counts
        of its runs, one a seed.
    accuracy, std
        the mean of those that are done, after the last epoch, per cent, and its unbiased standard deviation; null
        where there is no run, or only one.
    """

    row: str
    column: str
    counts: Counts
    accuracy: float | None
    std: float | None


@dataclass(frozen=True)
class Status:
    """The state of a grid. Its JSON has these keys, all of them always.

    Attributes
    ----------
    schema
        the version of this layout, `SCHEMA`.
    grid, title, rows, columns, seeds
        of the grid, labels in the table's order.
    stores
        the folders that were looked into.
    found
        how many of the runs each of them has, by its folder; a run that several have counts for the first.
    counts
        over all cells.
    cells
        in the table's order, row by row.
    failures
        the reason of each failed run, by its id.
    seconds_left
        of training, one run at a time, by the runs that are done; null where no run of each kind is.
    hardware
        that it would take them on: the one of the latest run that is done; null where none is.
    """

    schema: int
    grid: str
    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    seeds: tuple[int, ...]
    stores: tuple[str, ...]
    found: dict[str, int]
    counts: Counts
    cells: tuple[CellStatus, ...]
    failures: dict[str, str]
    seconds_left: float | None
    hardware: str | None

    def to_json(self) -> str:
        """One JSON document, checked against this class."""
        return json.dumps(pack(self, where="status"), indent=1) + "\n"

    @staticmethod
    def from_json(text: str) -> Status:
        """The Status that `to_json` wrote.

        Raises
        ------
        InputError
            for anything else.
        """
        try:
            data = json.loads(text)
        except ValueError as error:
            raise InputError(f"a status must be JSON: {error}") from None
        return unpack(data, Status, "status")

    def __str__(self) -> str:
        """The table and what it means, for a terminal."""
        counts = self.counts
        parts = [f"{counts.done} of {counts.runs} runs done"]
        parts += [f"{n} {what}" for n, what in ((counts.running, "running"), (counts.failed, "failed")) if n]
        if self.seconds_left:
            parts.append(f"{duration(self.seconds_left)} left at one run at a time on {self.hardware}")
        return "\n".join(
            [
                f"{self.title} (seeds {', '.join(map(str, self.seeds))})",
                "",
                *self._table(),
                "",
                "mean, per cent; 1/3: one of three runs done; *: running; !: failed",
                *(f"{id} failed: {reason}" for id, reason in list(self.failures.items())[:SHOWN]),
                *([f"done: {held_in_words(self.found)}"] if len(self.found) > 1 else []),
                ", ".join(parts),
            ]
        )

    def _table(self) -> list[str]:
        entries = {(cell.row, cell.column): _entry(cell) for cell in self.cells}
        kinds, names = zip(*_headings(self.columns), strict=True)
        lines = [["", *names]]
        lines += [[row, *(entries.get((row, column), "") for column in self.columns)] for row in self.rows]
        widths = [max(map(len, texts)) + 2 for texts in zip(*lines, strict=True)]
        top, at = "", 0
        for kind, columns in groupby(kinds):
            size = len(list(columns))
            top = top.ljust(sum(widths[: at + 1])) + kind
            at += size
            # The next kind begins beyond this one.
            widths[at] += max(0, len(kind) + 2 - sum(widths[at - size + 1 : at + 1]))
        table = ["".join(map(str.ljust, line, widths)).rstrip() for line in lines]
        return [top.rstrip(), *table] if any(kinds) else table


def status(grid: Grid, stores: Sequence[Store], seeds: Iterable[int] | None = None) -> Status:
    """Where a grid stands.

    Parameters
    ----------
    stores
        to look into; a run that several have counts once.
    seeds
        instead of the grid's own.
    """
    seeds = tuple(dict.fromkeys(grid.seeds if seeds is None else seeds))
    running = {id for store in stores for id in store.running()}
    failures = {id: why for store in stores for id, why in Failures(store.path).all().items()}
    states: dict[RunSpec, str] = {}
    records: dict[str, Record] = {}

    def look(run: RunSpec) -> str:
        record = stored(run, stores)
        if record is not None:
            records[run.id] = record
            return "done"
        return "running" if run.id in running else "failed" if run.id in failures else "missing"

    cells = []
    for row, column in ((row, column) for row in grid.rows for column in grid.columns):
        if (row, column) in grid.cells:
            runs = grid.runs((row, column), seeds)
            states |= {run: look(run) for run in runs}
            done = [records[run.id].accuracy for run in runs if run.id in records]
            mean, spread = fmean(done) if done else None, stdev(done) if len(done) > 1 else None
            cells.append(CellStatus(row, column, _counts(states[run] for run in runs), mean, spread))
    waiting = [run for run, state in states.items() if state in ("running", "missing")]
    others = [other for store in stores for other in store.records(lambda _: None, but=records)]
    left, on = _time_left(waiting, [*records.values(), *others])
    return Status(
        schema=SCHEMA,
        grid=grid.name,
        title=grid.title,
        rows=grid.rows,
        columns=grid.columns,
        seeds=seeds,
        stores=tuple(str(store.path) for store in stores),
        found=held([run for run, state in states.items() if state == "done"], stores),
        counts=_counts(states.values()),
        cells=tuple(cells),
        failures={run.id: failures[run.id] for run, state in states.items() if state == "failed"},
        seconds_left=left,
        hardware=on,
    )


def held(runs: Iterable[RunSpec], stores: Sequence[Store]) -> dict[str, int]:
    """How many of these runs each store has, by its folder; a run that several have counts for the first."""
    firsts = (next((store for store in stores if store.file(run).is_file()), None) for run in runs)
    numbers = Counter(str(store.path) for store in firsts if store is not None)
    return {str(store.path): numbers[str(store.path)] for store in stores}


def held_in_words(found: Mapping[str, int]) -> str:
    """Which store has how many, such as "3 in runs, 144 in data/results"."""
    return ", ".join(f"{number} in {folder}" for folder, number in found.items())


def _counts(states: Iterable[str]) -> Counts:
    numbers = Counter(states)
    return Counts(runs=numbers.total(), **{name: numbers[name] for name in STATES})


def _time_left(waiting: Iterable[RunSpec], records: Sequence[Record]) -> tuple[float | None, str | None]:
    """Seconds that runs will take, and on what."""
    if not records:
        return None, None
    latest = max(records, key=lambda record: str(record.environment.get("finished", "")))
    timing, on = Timing(records), hardware(latest.environment)
    times = [timing.run(spec, on) for spec in waiting]
    known = [time for time in times if time is not None]
    return sum(known) if len(known) == len(times) else None, on


def _headings(columns: Sequence[str]) -> list[tuple[str, str]]:
    """Of each column the first words, if a neighbour has them too, and the rest: "symmetric" and "0.2"."""
    words = [column.split() for column in columns]
    found = []
    for at, own in enumerate(words):
        neighbours = words[max(0, at - 1) : at] + words[at + 1 : at + 2]
        shared = max((sum(takewhile(bool, map(eq, own, other))) for other in neighbours), default=0)
        shared = min(shared, len(own) - 1)
        found.append((" ".join(own[:shared]), " ".join(own[shared:])))
    return found


def _entry(cell: CellStatus) -> str:
    """A cell as text, e.g. "82.03", "81.90 2/3 *", "-"."""
    counts = cell.counts
    parts = ["-" if cell.accuracy is None else f"{cell.accuracy:.2f}"]
    if 0 < counts.done < counts.runs:
        parts.append(f"{counts.done}/{counts.runs}")
    parts += ["*"] * bool(counts.running) + ["!"] * bool(counts.failed)
    return " ".join(parts)
