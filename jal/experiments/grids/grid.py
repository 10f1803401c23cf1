"""A grid: a named set of runs with the layout of the table or figure that it fills."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jal.errors import InputError, unknown
from jal.experiments.spec import RunSpec, resolve

Words = Mapping[str, Any]
"""Arguments of `resolve`."""

Cell = tuple[str, str]
"""A row's label and a column's."""

SEEDS = (123, 124, 125)
"""Of the paper's three trials, as in the released code."""


@dataclass(frozen=True)
class Grid:
    """A named set of runs, laid out as a table.

    Attributes
    ----------
    name, title
        what commands and people call it.
    rows, columns
        their labels, in the order of the table.
    cells
        for each row and column the words that `resolve` makes a run of, but for the seed.
    waves
        the cells in the order of their worth. A wave is run with the first seed, then with the second, ...; then
        comes the next wave.
    seeds
        of each cell's runs.
    table
        the number of the paper's table that this is.
    test_sets
        of columns that show another than the main test set: which.
    keep
        what each run keeps besides its Record (`jal.training.observe.ARTIFACTS`).
    """

    name: str
    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: Mapping[Cell, Words]
    waves: tuple[tuple[Cell, ...], ...]
    seeds: tuple[int, ...] = SEEDS
    table: int | None = None
    test_sets: Mapping[str, str] = field(default_factory=dict)
    keep: tuple[str, ...] = ()

    @property
    def names_precision(self) -> bool:
        """Whether cells say in which precision they are: no run in another may then stand for theirs."""
        return any("precision" in words for words in self.cells.values())

    def runs(self, cell: Cell, seeds: Iterable[int] | None = None) -> list[RunSpec]:
        """The runs of one cell, by seed."""
        words = self.cells[cell]
        return [resolve(**words, seed=seed) for seed in _distinct(seeds, self.seeds)]

    def specs(self, seeds: Iterable[int] | None = None) -> list[RunSpec]:
        """All runs, the most valuable first.

        Whole waves seed by seed: wherever a sweep stops there is a whole table, with as many seeds as there was
        time for, rather than some cells in triplicate and the others empty. Within a seed column by column: the
        losses of a column have the same noisy labels, so that each comparison of losses is complete at once.

        Parameters
        ----------
        seeds
            instead of the grid's own.
        """
        seeds = _distinct(seeds, self.seeds)
        runs = (
            run for wave in self.waves for seed in seeds for cell in wave for run in self.runs(cell, [seed])
        )
        # Two cells may show the same run.
        return list({run.id: run for run in runs}.values())


def select(runs: Iterable[RunSpec], where: str | Sequence[str] = ()) -> list[RunSpec]:
    """The runs that meet conditions, in their order.

    Parameters
    ----------
    where
        e.g. "loss=JAL-CE,noise=symmetric,rate=0.4", or several such texts. The keys are dataset, model, loss,
        noise, rate (0 for clean labels) and seed. A key that comes several times may have any of its values.

    Raises
    ------
    InputError
        for an unknown key, a value that no run has, or conditions that no run meets.
    """
    runs = list(runs)
    texts = [where] if isinstance(where, str) else where
    wanted: dict[str, list[str]] = {}
    for condition in (part.strip() for text in texts for part in text.split(",") if part.strip()):
        key, equals, value = (part.strip() for part in condition.partition("="))
        if not equals:
            raise InputError(f"the condition {condition!r} is not of the form key=value, such as loss=JAL-CE")
        if key not in _KEYS:
            raise unknown("key of a condition", key, _KEYS)
        if not any(_equal(_KEYS[key](run), value) for run in runs):
            raise unknown(f"{key} among these runs", value, {str(_KEYS[key](run)) for run in runs})
        wanted.setdefault(key, []).append(value)
    chosen = [
        run
        for run in runs
        if all(any(_equal(_KEYS[key](run), value) for value in values) for key, values in wanted.items())
    ]
    if wanted and not chosen:
        raise InputError(f"no run meets all of {','.join(texts)}: leave a condition out")
    return chosen


_KEYS: dict[str, Callable[[RunSpec], str | float]] = {
    "dataset": lambda run: run.dataset,
    "model": lambda run: run.recipe.model,
    "loss": lambda run: run.loss.name,
    "noise": lambda run: run.noise.kind,
    "rate": lambda run: run.noise.rate or 0.0,
    "seed": lambda run: run.seed,
}


def _equal(value: str | float, text: str) -> bool:
    if isinstance(value, str):
        return value == text
    try:
        return value == float(text)
    except ValueError:
        return False


def _distinct(seeds: Iterable[int] | None, default: tuple[int, ...]) -> tuple[int, ...]:
    return default if seeds is None else tuple(dict.fromkeys(seeds))


def product(
    name: str,
    title: str,
    rows: Mapping[str, Words],
    columns: Mapping[str, Words],
    common: Words,
    *,
    rows_first: Iterable[str] = (),
    columns_first: Iterable[str] = (),
    seeds: tuple[int, ...] = SEEDS,
    table: int | None = None,
    without: Callable[[str, str], bool] = lambda row, column: False,
    test_sets: Mapping[str, str] | None = None,
    keep: tuple[str, ...] = (),
) -> Grid:
    """The grid whose cells are a row's words with a column's and what all have in common.

    Parameters
    ----------
    rows, columns
        label to words, in the order of the table. Parameters of a loss that a row and a column give are joined.
    rows_first
        the rows of the first wave; the others are the second.
    columns_first
        the columns that are run before the others.
    without
        which cells the table does not have.
    """
    cells = {
        (row, column): _joined(common, rows[row], columns[column])
        for row in rows
        for column in columns
        if not without(row, column)
    }
    by_worth = list(dict.fromkeys([*columns_first, *columns]))
    first = list(rows_first) or list(rows)
    waves = [first, [row for row in rows if row not in first]]
    return Grid(
        name=name,
        title=title,
        rows=tuple(rows),
        columns=tuple(columns),
        cells=cells,
        waves=tuple(
            tuple((row, column) for column in by_worth for row in wave if (row, column) in cells)
            for wave in waves
            if wave
        ),
        seeds=seeds,
        table=table,
        test_sets=test_sets or {},
        keep=keep,
    )


def _joined(*parts: Words) -> Words:
    joined = {name: value for part in parts for name, value in part.items()}
    parameters = {n: v for part in parts for n, v in part.get("loss_parameters", {}).items()}
    return joined | ({"loss_parameters": parameters} if parameters else {})
