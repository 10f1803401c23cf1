"""One tidy frame: a row for each source, run and metric. Tables, figures and studies are filters and groups of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from jal.analysis.paper import Lookup, in_paper
from jal.analysis.records import GridRecords, read
from jal.analysis.stats import Summary, compare
from jal.analysis.text import DATASETS, plus_minus, with_interval
from jal.errors import unknown
from jal.experiments import complete, grids, stores
from jal.experiments.record import Record
from jal.experiments.shelf import SEEDS
from jal.experiments.spec import RunSpec

COLUMNS = {
    **dict.fromkeys(("source", "profile", "grid", "row", "column", "dataset", "test_set"), "string"),
    **dict.fromkeys(("noise", "variant"), "string"),
    "rate": "float64",
    **dict.fromkeys(("loss", "precision", "id"), "string"),
    "seed": "Int64",
    "metric": "string",
    **dict.fromkeys(("value", "std"), "float64"),
    "n": "Int64",
    "record": "object",
}
"""Of a frame, with their types. Fields of the recipe in which its runs differ come before `metric`."""


def frame(
    *grids_of_records: GridRecords, profile: str = "full", lookup: Lookup | None = None
) -> pd.DataFrame:
    """A grid's runs, and what the paper reports of its cells, as one tidy frame.

    Parameters
    ----------
    grids_of_records
        what there is of one grid or of several.
    profile
        at which these are run; the column `profile`.
    lookup
        what is reported of a row and a column; the table of the paper that the grid is, if left out.

    Returns
    -------
    a frame with the columns of `COLUMNS`, and each field of the recipe in which the runs differ. A row for each

    - run and metric: source "ours", value; the metrics are "accuracy" (per cent, last epoch, on the column's test set),
      "best" and "best_epoch" (the greatest test accuracy, and its epoch from 1), and each curve's last value;
    - run that is not there: value missing, record None, metric "accuracy";
    - cell that is reported: source "paper", value, std and n, metric "accuracy"; no seed, id or record.
    """
    return _tidy([row for found in grids_of_records for row in _rows(found, profile, lookup)])


def of_records(records: Iterable[Record], profile: str) -> pd.DataFrame:
    """The same frame of Records that are no grid's: a row for each loss, a column for each noise, nothing reported."""
    rows = []
    for record in records:
        spec = record.spec
        cell = {"profile": profile, "row": spec.loss.name, "column": str(spec.noise)}
        run = {**cell, **_spec_words(spec), "source": "ours", "id": spec.id, "seed": spec.seed, "n": 1}
        rows += [
            {**run, "metric": metric, "value": value, "record": record}
            for metric, value in _metrics(record, None)
        ]
    return _tidy(rows)


def _tidy(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    specs = [row.pop("spec") for row in rows]
    recipes = pd.DataFrame([asdict(spec.recipe) for spec in specs]).drop(
        columns=["precision", "mean", "std"],
        errors="ignore",  # of the pixels
    )
    varying = recipes.loc[:, recipes.astype(str).nunique() > 1] if len(recipes) else recipes
    names = [*COLUMNS]
    at = names.index("metric")
    tidy = pd.DataFrame(rows, columns=names).astype(COLUMNS)
    return pd.concat([tidy[names[:at]], varying, tidy[names[at:]]], axis=1)


def _rows(found: GridRecords, profile: str, lookup: Lookup | None) -> Iterator[dict[str, Any]]:
    grid = found.grid
    lookup = lookup or in_paper(grid)
    for (row, column), records in found.cells.items():
        specs = grid.runs((row, column), found.seeds)
        test_set = grid.test_sets.get(column)
        words = {"profile": profile, "grid": grid.name, "row": row, "column": column, "test_set": test_set}
        reported = lookup(row, column)
        if reported is not None:
            numbers = {"value": reported.mean, "std": reported.std, "n": reported.n}
            yield {**words, **_spec_words(specs[0]), "source": "paper", "metric": "accuracy", **numbers}
        for seed, spec in zip(found.seeds, specs, strict=True):
            record = records.get(seed)
            spec = record.spec if record else spec
            run = {**words, **_spec_words(spec), "source": "ours", "id": spec.id, "seed": seed}
            for metric, value in _metrics(record, test_set) if record else [("accuracy", np.nan)]:
                yield {**run, "metric": metric, "value": value, "n": 1 if record else 0, "record": record}


def _spec_words(spec: RunSpec) -> dict[str, Any]:
    noise = spec.noise
    return {
        "spec": spec,
        "dataset": spec.dataset,
        "noise": noise.kind,
        "variant": noise.variant,
        "rate": noise.rate or 0.0,
        "loss": spec.loss.name,
        "precision": spec.recipe.precision,
    }


def _metrics(record: Record, test_set: str | None) -> Iterator[tuple[str, float]]:
    if test_set is not None and test_set in record.accuracies:
        yield "accuracy", record.accuracies[test_set]
        return  # the curves are the main test set's
    yield "accuracy", record.accuracy
    curve = record.curves["test_accuracy"]
    yield "best", max(curve)
    yield "best_epoch", 1.0 + curve.index(max(curve))
    for name in record.curves:
        yield name, record.curves[name][-1]


def recorded(
    *names: str, profile: str = "full", precision: str = "any", root: str | Path | None = None
) -> pd.DataFrame:
    """What the stores have of some grids, with their own seeds; nothing is run.

    Parameters
    ----------
    precision
        as `jal.analysis.records.read` takes it.
    root
        the checkout, if not the one found upwards.
    """
    found = [read(grids.get(name, profile=profile), stores(root), precision=precision) for name in names]
    return frame(*found, profile=profile)


def chapter(
    name: str,
    profile: str,
    *,
    settings: str = "official",
    precision: str | None = None,
    seeds: Iterable[int] = (),
    jobs: int = 0,
    shown_precision: str = "any",
    root: str | Path | None = None,
) -> pd.DataFrame:
    """What a chapter shows of a grid, at each profile; what `profile` itself lacks is run first.

    The full recipe and the laptop's are shown at every profile, if the grid has them; the digits at quick, or at laptop
    where they are all that is below the full recipe. Nothing is run at a profile that was not asked for.

    Parameters
    ----------
    settings
        "official" or "paper", of all the runs.
    precision
        of the runs of `profile`, as for `jal.experiments.grids.get`; other profiles' runs are in their recipe's own.
    seeds, jobs
        of the runs that are made, as for `jal.experiments.complete`; other profiles' have their grid's own seeds.
    shown_precision
        of the full recipe's runs, as `jal.analysis.records.read` takes it.
    root
        the checkout, if not the one found upwards.

    Raises
    ------
    InputError
        for an unknown profile or grid, and as `complete`.
    """
    if profile not in grids.PROFILES:
        raise unknown("profile", profile, grids.PROFILES)
    chosen = tuple(seeds) or None
    has = [each for each in grids.PROFILES if name in grids.names(each)]
    own = profile if profile in has else "quick" if profile == "laptop" and "quick" in has else None
    if own is not None:
        complete(grids.get(name, settings, own, precision), own, seeds=chosen, jobs=jobs, root=root)
    frames = []
    for each in (each for each in reversed(has) if each != "quick" or own == "quick"):
        grid = grids.get(name, settings, each, precision if each == own else None)
        some = chosen if each == own and chosen else SEEDS.get(each)
        at = shown_precision if each == "full" else "any"
        frames.append(frame(read(grid, stores(root), some, at), profile=each))
    return pd.concat(frames, ignore_index=True)


def runs_at(tidy: pd.DataFrame, profile: str) -> pd.DataFrame:
    """Our runs at one profile, a row for each, with its accuracy."""
    ours = tidy["source"].eq("ours") & tidy["metric"].eq("accuracy")
    return tidy[ours & tidy["profile"].eq(profile)]


CELL = ("source", "profile", "row", "column")


def summary(tidy: pd.DataFrame, by: Sequence[str] = CELL, metric: str = "accuracy") -> pd.DataFrame:
    """Mean, unbiased standard deviation and number of runs of each group, in the order of first appearance.

    Returns
    -------
    a frame with the columns of `by`, mean, std and n; of a reported cell what is reported. Mean and std are missing
    where nothing, or one run alone, is there.
    """
    groups = tidy[tidy["metric"].eq(metric)].groupby(list(by), sort=False, dropna=False)
    rows = []
    for key, group in groups:
        found = side(group)
        numbers = (np.nan, None, 0) if found is None else (found.mean, found.std, found.n)
        rows.append((*key, *numbers))
    types = {name: tidy[name].dtype for name in by} | {"mean": "float64", "std": "float64", "n": "Int64"}
    return pd.DataFrame(rows, columns=[*by, "mean", "std", "n"]).astype(types)


def side(group: pd.DataFrame) -> Summary | None:
    """What a group of one cell's rows has: its runs, or else what is reported of it; None for neither."""
    runs = group.loc[group["source"].eq("ours"), "value"].dropna()
    if len(runs):
        return Summary.of(runs.tolist())
    reported = group[group["source"].eq("paper") & group["value"].notna()]
    if reported.empty:
        return None
    row = reported.iloc[0]
    std, n = row["std"], row["n"]
    return Summary(float(row["value"]), None if pd.isna(std) else float(std), None if pd.isna(n) else int(n))


def versus(
    tidy: pd.DataFrame,
    key: str,
    one: str | Sequence[str],
    over: str | Sequence[str],
    by: Sequence[str] = ("source", "profile", "column"),
    metric: str = "accuracy",
) -> pd.DataFrame:
    """What some rows of a table have over others, in each group: `jal.analysis.stats.compare` of their runs.

    Parameters
    ----------
    key
        the column that tells the two apart, such as "loss" or "row".
    one, over
        its values; of several each is compared with each other.

    Returns
    -------
    a frame with the columns of `by`; one, over; difference, low, high (points, Welch's 95 % interval), n, n_over,
    verdict and sign (`jal.analysis.stats.Comparison`). A row for each group that has both names in it, run or not.
    """
    first, second = ([names] if isinstance(names, str) else list(names) for names in (one, over))
    rows = []
    for place, group in tidy[tidy["metric"].eq(metric)].groupby(list(by), sort=False, dropna=False):
        there = {str(name): side(cell) for name, cell in group.groupby(key, sort=False)}
        for a, b in ((a, b) for a in first for b in second if a != b and {a, b} <= there.keys()):
            gap = compare(there[a], there[b])
            numbers = gap.difference, gap.low, gap.high, gap.n, gap.n_over, gap.verdict, gap.sign
            rows.append((*place, a, b, *numbers))
    names = [*by, "one", "over", "difference", "low", "high", "n", "n_over", "verdict", "sign"]
    types = {name: tidy[name].dtype for name in by} | {"one": "string", "over": "string", "verdict": "string"}
    types |= dict.fromkeys(("difference", "low", "high"), "float64") | dict.fromkeys(
        ("n", "n_over", "sign"), "int64"
    )
    return pd.DataFrame(rows, columns=names).astype(types)


def named(tidy: pd.DataFrame) -> pd.DataFrame:
    """The same frame with a column `runs`: "as reported", or our dataset, which a chapter never averages."""
    own = tidy["dataset"].replace(DATASETS)
    return tidy.assign(runs=own.where(tidy["source"].eq("ours"), "as reported").astype("string"))


def gaps(tidy: pd.DataFrame, pairs: Iterable[tuple[str, str]], metric: str = "accuracy") -> pd.DataFrame:
    """What the first row of each pair has over the second, under each noise: in what is reported, and in our runs.

    Returns
    -------
    that of `versus`, and the columns pair, e.g. "JAL-CE over AMSE", and runs, as of `named`. Pairs of which a side is
    missing are left out.
    """
    by = ("runs", "column")
    found = pd.concat([versus(named(tidy), "row", *pair, by, metric) for pair in pairs], ignore_index=True)
    found.insert(0, "pair", found["one"] + " over " + found["over"])
    return found[found["difference"].notna()].reset_index(drop=True)


def nearest(tidy: pd.DataFrame, columns: Sequence[str] = ()) -> pd.DataFrame:
    """Our rows at one profile, the nearest to the paper's recipe at which each cell of these columns has a run.

    Where there is no such profile it is the one with most runs; without any run nothing is left.

    Parameters
    ----------
    columns
        of the grid; all if left out.
    """
    ours = tidy[tidy["source"].eq("ours")]
    asked = ours[ours["column"].isin(columns or ours["column"].unique()) & ours["metric"].eq("accuracy")]
    runs = asked.groupby(["profile", "row", "column"])["n"].sum()
    whole, total = (runs.groupby("profile").agg(how) for how in ("min", "sum"))
    order = [each for each in reversed(grids.PROFILES) if total.get(each, 0)]
    best = next((each for each in order if whole[each]), max(order, key=total.get, default=None))
    return ours[ours["profile"].eq(best)] if best else ours.iloc[:0]


def wide(
    found: pd.DataFrame, rows: str | Sequence[str], columns: str | Sequence[str], digits: int = 1
) -> pd.DataFrame:
    """A summary as "mean ± std", or differences as "+1.2 [-0.4, +2.8]": a table of text, empty where nothing was run.

    Parameters
    ----------
    found
        of `summary` or `versus`.
    rows, columns
        which of its columns go down and across, in the order of their first appearance.
    """
    if "difference" in found:
        numbers = found[["difference", "low", "high"]].astype(float).itertuples(index=False)
        texts = [with_interval(difference, low, high, digits) for difference, low, high in numbers]
    else:
        numbers = found[["mean", "std"]].astype(float).itertuples(index=False)
        texts = [plus_minus(mean, std, digits) for mean, std in numbers]
    down, across = ([names] if isinstance(names, str) else list(names) for names in (rows, columns))
    text = found[[*down, *across]].assign(text=texts)
    order = [text[names].drop_duplicates() for names in (down, across)]
    table = text.pivot(index=down, columns=across, values="text").fillna("")
    table = table.reindex(index=_labels(order[0]), columns=_labels(order[1]))
    return table.rename_axis(columns=[None] * table.columns.nlevels)


def _labels(frame: pd.DataFrame) -> pd.Index:
    return pd.Index(frame.iloc[:, 0]) if frame.shape[1] == 1 else pd.MultiIndex.from_frame(frame)


def curves(tidy: pd.DataFrame, quantities: Sequence[str] = ("test_accuracy",)) -> pd.DataFrame:
    """Every epoch of every run that is there: the runs' columns, and epoch (from 1), quantity and value.

    A run without a quantity (clean labels are not memorised) has no rows of it.
    """
    runs = tidy[tidy["metric"].eq("accuracy") & tidy["record"].notna()]
    words = [name for name in tidy.columns if name not in ("metric", "value", "std", "n", "record")]
    parts = [
        (at, quantity, np.asarray(record.curves[quantity]))
        for quantity in quantities
        for at, record in runs["record"].items()
        if quantity in record.curves
    ]
    lengths = [len(curve) for *_, curve in parts]
    long = runs.loc[np.repeat([at for at, *_ in parts], lengths), words].reset_index(drop=True)
    return long.assign(
        epoch=np.concatenate([np.arange(1, n + 1) for n in lengths] or [np.empty(0, int)]),
        quantity=np.repeat(np.array([quantity for _, quantity, _ in parts], dtype=object), lengths),
        value=np.concatenate([curve for *_, curve in parts] or [np.empty(0)]),
    )


def records(tidy: pd.DataFrame) -> Mapping[str, Record]:
    """The Records behind a frame, by id."""
    return {record.id: record for record in tidy["record"].dropna()}
