"""What the paper reports: its Tables 1 to 8 as data, read from `data/reported` in the checkout."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from jal.analysis.stats import Summary
from jal.checkout import find_root
from jal.errors import InputError, unknown
from jal.experiments.grids import Grid

TABLES = (*(f"table{number}" for number in range(1, 9)), "secondary")
"""The paper's tables, and what a secondary source gives of the cells that Table 3 lacks here."""

_TYPES = {"table": "int64", "n": "Int64", "epochs": "Int64"} | dict.fromkeys(
    ("rate", "alpha", "beta", "mean", "std", "value", "accuracy"), "float64"
)
_VALUES = ("table", "mean", "std", "n", "label")


def reported(table: str | int, root: str | Path | None = None) -> pd.DataFrame:
    """A table of the paper: a row for each cell, or in Table 8 for each parameter, in the paper's order.

    Parameters
    ----------
    table
        1 to 8, "table1" to "table8", or "secondary".
    root
        the checkout, if not the one found upwards.

    Returns
    -------
    a frame with the columns that `data/reported/README.md` explains. Text is "string"; rate, alpha, beta, mean, std
    and value are float64; n is "Int64". What is empty is missing: <NA> or NaN.

    Raises
    ------
    InputError
        for another table, without a checkout, and for a file that cannot be read.
    """
    name = f"table{table}" if str(table).isdecimal() else str(table)
    if name not in TABLES:
        raise unknown("table of the paper", table, TABLES)
    return read_file(name, root)


def read_file(name: str, root: str | Path | None = None) -> pd.DataFrame:
    """A file of `data/reported`, with the types of its columns.

    Raises
    ------
    InputError
        without a checkout, and for a file that cannot be read.
    """
    return _read(find_root(root) / "data" / "reported" / f"{name}.csv").copy()


def cell(
    table: str | int,
    dataset: str,
    noise: str | None,
    rate: float | None,
    loss: str,
    *,
    root: str | Path | None = None,
    **more: str | float,
) -> Summary | None:
    """A cell of Tables 1 to 7, or None where the table has no such cell or has it empty.

    Parameters
    ----------
    table, root
        as for `reported`.
    dataset, noise, rate, loss
        by this project's names. The rate is None (or 0) for clean and human labels; in Table 6, whose labels are
        noisy as they come, noise is None too.
    more
        what else tells cells apart: `variant` in Table 5, `test_set` in Table 6, `alpha` and `beta` in Table 7.

    Raises
    ------
    InputError
        as for `reported`, for a key or a name that neither the table nor this project knows, and where several
        cells fit.
    """
    frame = reported(table, root)
    if "std" not in frame:
        raise InputError(f"table {table!r} holds no accuracies of trials: choose one of Tables 1 to 7")
    keys = [column for column in frame if column not in _VALUES]
    wanted = {"dataset": dataset, "noise": noise, "rate": rate or None, "loss": loss} | more
    for key, value in wanted.items():
        if key not in keys:
            raise unknown(f"key of a cell of table {table}", key, keys)
        if value is not None:
            _check(key, value, frame[key])
    for key, value in wanted.items():
        frame = frame[frame[key].isna() if value is None else frame[key].eq(value).fillna(False)]
    if len(frame) > 1:
        apart = ", ".join(key for key in keys if frame[key].nunique(dropna=False) > 1)
        raise InputError(f"{len(frame)} cells of table {table} fit {loss} on {dataset}: name the {apart} too")
    if frame["mean"].isna().all():
        return None
    row = frame.iloc[0]
    std, n = row["std"], row["n"]
    return Summary(float(row["mean"]), None if pd.isna(std) else float(std), None if pd.isna(n) else int(n))


def _check(key: str, value: object, column: pd.Series) -> None:
    if isinstance(value, str) == pd.api.types.is_numeric_dtype(column):
        raise InputError(f"{key} {value!r}: give a {'number' if isinstance(value, str) else 'name'}")
    if not isinstance(value, str) or value in set(column):
        return
    # A table need not hold all of this project's names. Imported late: the catalogue needs torch.
    from jal.experiments.noises import NOISES
    from jal.losses.catalog import CATALOG, ELSEWHERE
    from jal.training.recipe import RECIPES

    ours = {"dataset": {*RECIPES}, "noise": {*NOISES}, "loss": {*CATALOG, *ELSEWHERE}}.get(key, set())
    if value not in ours:
        raise unknown(key, value, ours.union(column.dropna()))


@cache
def _read(file: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(
            file, dtype=defaultdict(lambda: "string", _TYPES), keep_default_na=False, na_values=[""]
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "; ".join(str(error).splitlines())
        raise InputError(
            f"cannot read the reported numbers from {file} ({reason}): restore it with git checkout"
        ) from None


Lookup = Callable[[str, str], Summary | None]
"""What is reported, by the labels of row and column."""


def in_paper(grid: Grid, root: str | Path | None = None) -> Lookup:
    """What the table of the paper that `grid` is reports; nothing, if it is none.

    Parameters
    ----------
    root
        the checkout, if not the one found upwards.
    """

    def lookup(row: str, column: str) -> Summary | None:
        if grid.table is None or (row, column) not in grid.cells:
            return None
        where = place(grid, row, column)
        more: dict[str, Any] = {}
        if grid.table == 5:
            more = {"variant": where["variant"]}
        elif grid.table == 6:
            more = {"test_set": where["test_set"] or where["dataset"]}
        elif grid.table == 7:
            weights = grid.cells[row, column].get("loss_parameters", {})
            more = {name: weights.get(name) for name in ("alpha", "beta")}
        loss = grid.cells[row, column]["loss"]
        return cell(grid.table, where["dataset"], where["noise"], where["rate"], loss, root=root, **more)

    return lookup


def place(grid: Grid, row: str, column: str) -> dict[str, Any]:
    """What a cell is about, but for the loss."""
    words = grid.cells[row, column]
    return {
        "dataset": words["dataset"],
        "test_set": grid.test_sets.get(column),
        **{key: words.get(key) for key in ("noise", "variant", "rate")},
    }


def condition(
    dataset: str,
    test_set: str | None = None,
    noise: str | None = None,
    variant: str | None = None,
    rate: float | None = None,
) -> str:
    """What a cell is about, but for the loss: e.g. "cifar10 symmetric 0.8", "webvision ilsvrc12"."""
    other = None if test_set == dataset else test_set
    words = (dataset, other, noise, variant, None if rate is None else f"{rate:g}")
    return " ".join(word for word in words if word)


def accuracies(table: str | int, root: str | Path | None = None) -> pd.DataFrame:
    """A table of the paper that has accuracies, with `condition`: what each cell is about, but for the loss."""
    frame = reported(table, root)
    keys = [key for key in ("test_set", "noise", "variant", "rate") if key in frame]
    places = frame[keys].astype(object).where(frame[keys].notna(), None).to_dict("records")
    frame["condition"] = [
        condition(dataset, **place) for dataset, place in zip(frame["dataset"], places, strict=True)
    ]
    return frame


def secondary(root: str | Path | None = None) -> pd.DataFrame:
    """JAL's accuracies on CIFAR-100 that only a secondary source has, beside the best other loss of Table 3.

    They are means without a deviation, second hand and not checked.

    Returns
    -------
    a frame with the columns noise, rate, loss (missing where the source does not name the row), mean, best other loss,
    its mean, and lead: by how many points JAL is above it.
    """
    source = reported("secondary", root)[["noise", "rate", "loss", "mean"]]
    table = reported(3, root)
    others = table[
        table["dataset"].eq("cifar100") & ~table["loss"].str.startswith("JAL") & table["mean"].notna()
    ]
    best = others.loc[others.groupby(["noise", "rate"])["mean"].idxmax(), ["noise", "rate", "loss", "mean"]]
    best = best.rename(columns={"loss": "best other loss", "mean": "its mean"})
    found = source.merge(best, on=["noise", "rate"])
    return found.assign(lead=found["mean"] - found["its mean"])
