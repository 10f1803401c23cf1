"""Grids: the paper's tables and figures, and ours, as named sets of runs with the layout that they fill."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from jal.errors import InputError, unknown
from jal.experiments.spec import RunSpec, resolve

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
    """

    name: str
    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: Mapping[Cell, Mapping[str, object]]
    waves: tuple[tuple[Cell, ...], ...]
    seeds: tuple[int, ...] = SEEDS

    def runs(self, cell: Cell, seeds: Iterable[int] | None = None) -> list[RunSpec]:
        """The runs of one cell, by seed."""
        words = self.cells[cell]
        return [resolve(**words, seed=seed) for seed in _distinct(seeds, self.seeds)]  # type: ignore[arg-type]

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
        return [
            run for wave in self.waves for seed in seeds for cell in wave for run in self.runs(cell, [seed])
        ]


def names() -> list[str]:
    """The grids that there are."""
    return list(_GRIDS)


def get(name: str, settings: str = "official") -> Grid:
    """A grid by its name.

    Parameters
    ----------
    settings
        "official" (the authors' released code) or "paper" (its text and Table 8).

    Raises
    ------
    InputError
        for a name that is none of `names()`.
    """
    if name not in _GRIDS:
        raise unknown("grid", name, _GRIDS)
    return _GRIDS[name](settings)


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


def _rates(kind: str, *rates: float) -> tuple[str, ...]:
    return tuple(f"{kind} {rate}" for rate in rates)


def _noise(column: str) -> dict[str, object]:
    """The words of a column such as "clean" or "symmetric 0.4"."""
    kind, _, rate = column.partition(" ")
    return {"noise": kind, "rate": float(rate)} if rate else {"noise": kind}


def _losses_by_noises(
    name: str,
    title: str,
    dataset: str,
    settings: str,
    rows: tuple[str, ...],
    columns: tuple[str, ...],
    first: tuple[str, ...],
    by_worth: tuple[str, ...],
) -> Grid:
    """A grid of losses and noises on one dataset.

    Parameters
    ----------
    first
        the losses of the first wave.
    by_worth
        the columns in the order in which they are run.
    """
    waves = first, tuple(row for row in rows if row not in first)
    return Grid(
        name=name,
        title=title,
        rows=rows,
        columns=columns,
        cells={
            (row, column): {"dataset": dataset, "loss": row, "settings": settings, **_noise(column)}
            for row in rows
            for column in columns
        },
        waves=tuple(tuple((row, column) for column in by_worth for row in wave) for wave in waves),
    )


def _table3_cifar10(settings: str) -> Grid:
    rows = ("CE", "FL", "GCE", "SCE", "NCE", "NCE+RCE", "NCE+AUL", "NCE+AGCE", "CE+LC", "ANL-CE", "ANL-FL")
    symmetric, asymmetric = _rates("symmetric", 0.2, 0.4, 0.6, 0.8), _rates("asymmetric", 0.1, 0.2, 0.3, 0.4)
    columns = ("clean", *symmetric, *asymmetric)
    # The noises at which the losses part most come first, then what they are measured against, then the rest.
    foremost = ("symmetric 0.8", "symmetric 0.4", "asymmetric 0.4", "clean")
    return _losses_by_noises(
        name="table3-cifar10",
        title="Table 3: last-epoch test accuracy on CIFAR-10 under clean, symmetric and asymmetric noise",
        dataset="cifar10",
        settings=settings,
        rows=(*rows, "LT-APL", "JAL-CE", "JAL-FL"),
        columns=columns,
        first=("CE", "NCE+RCE", "ANL-CE", "JAL-CE"),
        by_worth=foremost + tuple(column for column in columns if column not in foremost),
    )


def _digits(settings: str) -> Grid:
    columns = _rates("symmetric", 0.4, 0.6) + _rates("asymmetric", 0.3, 0.4)
    return _losses_by_noises(
        name="digits",
        title="Digits: last-epoch test accuracy of the first experiment's losses, in seconds a run",
        dataset="digits",
        settings=settings,
        rows=("CE", "MAE", "NCE", "NCE+RCE", "ANL-CE", "JAL-CE", "JAL-FL"),
        columns=columns,
        first=("CE", "JAL-CE"),
        by_worth=columns,
    )


_GRIDS: dict[str, Callable[[str], Grid]] = {"table3-cifar10": _table3_cifar10, "digits": _digits}
