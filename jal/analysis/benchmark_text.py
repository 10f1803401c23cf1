"""The chapters on the paper's benchmark tables in tables and sentences: places, leads, claims, ends and gaps."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from jal.analysis.claims import (
    CLAIMS,
    JAL,
    Claim,
    Columns,
    Gain,
    by_column,
    judge,
    over_others,
    reported_columns,
    top_two,
)
from jal.analysis.comparison import Cell, accuracies
from jal.analysis.noise_reports import DATASETS, Kept, Reports
from jal.analysis.noise_text import number
from jal.analysis.paper import reported
from jal.analysis.stats import Summary
from jal.analysis.text import listed, percent, signed
from jal.errors import unknown

_SIDES = {"reported": ("reported_mean", "reported_std", "reported_n"), "measured": ("mean", "std", "n")}


def columns_of(frame: pd.DataFrame, side: str = "reported") -> dict[str, dict[str, Summary]]:
    """One side of a comparison, by column and row; what is empty there is left out.

    Parameters
    ----------
    frame
        of `jal.analysis.comparison.comparison`, with losses as rows.
    side
        "reported" or "measured".

    Raises
    ------
    InputError
        for another side.
    """
    if side not in _SIDES:
        raise unknown("side", side, _SIDES)
    return by_column(frame, "column", "row", _SIDES[side])


def places(columns: Columns) -> pd.DataFrame:
    """The place of each loss's mean in each column, 1 for the highest; equal means share the better place.

    Returns
    -------
    a frame of text with a row for each loss, a column for each column, such as ("symmetric", "0.2"), and "mean place";
    empty where there is no mean.
    """
    means = pd.DataFrame(
        {name: {loss: found.mean for loss, found in column.items()} for name, column in columns.items()}
    )
    order = list(dict.fromkeys(loss for column in columns.values() for loss in column))
    ranks = means.reindex(order).rank(ascending=False, method="min")
    text = ranks.apply(lambda column: column.map(lambda rank: "" if math.isnan(rank) else f"{rank:.0f}"))
    text["mean place"] = ranks.mean(axis=1).map("{:.1f}".format)
    heads = [(name.rpartition(" ")[0], name.rpartition(" ")[2]) for name in columns]
    names = pd.MultiIndex.from_tuples([*heads, ("", "mean place")])
    return text.rename_axis("loss").set_axis(names, axis=1)


def said_of_places(columns: Columns, losses: Sequence[str] = JAL) -> str:
    """How often each of some losses is first and second, and who is first elsewhere; in a sentence or two."""
    full = {name: column for name, column in columns.items() if column}
    if not full:
        return "No column has a number yet, so there are no places."
    first = Counter(max(column, key=lambda loss: column[loss].mean) for column in full.values())
    parts = []
    for loss in losses:
        there = [column for column in full.values() if loss in column]
        second = sum(loss in top_two(column) for column in there) - first[loss]
        parts.append(
            f"{loss} is first in {first[loss]} and second in {second} of {_columns(len(there))}"
            if there
            else f"{loss} has no number there"
        )
    others = [f"{loss} ({count})" for loss, count in first.most_common() if loss not in losses]
    rest = f" First elsewhere: {listed(others)}." if others else ""
    return f"{'; '.join(parts)}.{rest}"


def said_of_leads(columns: Columns, losses: Sequence[str] = JAL) -> str:
    """How often the best of some losses leads all others, and by how much; in two sentences."""
    found = over_others(columns, losses)
    if not found:
        return f"No column has both {' or '.join(losses)} and another loss, so nothing leads."
    ahead = [one for one in found.values() if one.points > 0]
    clear = [one for one in ahead if one.interval and one.interval[0] > 0]
    behind = [one for one in found.values() if one.interval and one.interval[1] < 0]
    (most, best), (least, worst) = (
        choose(found.items(), key=lambda pair: pair[1].points) for choose in (max, min)
    )
    return (
        f"The better of {' and '.join(losses)} has the higher mean in {len(ahead)} of {_columns(len(found))}, beyond "
        f"the interval in {len(clear) or 'none'}; it is behind by more than the interval in {len(behind) or 'none'}. "
        f"The lead goes from {signed(worst.points, 2)} points ({least}, over {worst.over}) to "
        f"{signed(best.points, 2)} ({most}, over {best.over})."
    )


def _columns(n: int) -> str:
    return f"{n} column" if n == 1 else f"{n} columns"


def of_table(table: int) -> tuple[Claim, ...]:
    """The paper's claims about one of its tables."""
    return tuple(claim for claim in CLAIMS if claim.table == table)


def as_list(judged: pd.DataFrame) -> str:
    """What `jal.analysis.claims.claims` found, as a Markdown list."""
    return "\n".join(
        f"- {row.claim} ({row.where}). Test: {row.test}. "
        f"Reported: **{row.reported}**{_detail(row.reported_detail)}. "
        f"Measured: **{row.measured}**{_detail(row.measured_detail)}."
        for row in judged.itertuples()
    )


def _detail(text: str) -> str:
    return f", {text}" if text else ""


def elsewhere(cells: Iterable[Cell], grid: str = "table3-cifar10") -> str:
    """The tests of the claims about a grid, on the cells of another whose columns have the same names.

    A claim is the paper's about its own data: here its test alone is borrowed. Columns that the other grid has not
    are passed over, and so are rivals; a claim without any column left is left out.

    Parameters
    ----------
    cells
        of another version of the grid; rows are losses.

    Returns
    -------
    a Markdown list.
    """
    cells = list(cells)
    losses = {cell.row for cell in cells}
    labels = list(dict.fromkeys(cell.column for cell in cells))
    lines = []
    for claim in (claim for claim in CLAIMS if claim.grid == grid):
        wanted = {name.partition(" ")[2] for name in claim.conditions}
        shown = [label for label in labels if label in wanted]
        test = claim.test
        if isinstance(test, Gain) and test.over:
            test = replace(test, over=tuple(loss for loss in test.over if loss in losses))
        if not shown or (isinstance(test, Gain) and test.over == ()):
            continue
        outcome, detail = judge(test, [cell for cell in cells if cell.column in shown], claim.most)
        words = str(test)
        if isinstance(test, Gain) and test.over and len(test.over) == 1:
            words = words.replace(f"the better of {test.over[0]}", test.over[0])
        scope = f"in {'more than half of' if claim.most else 'all'} {_columns(len(shown))}"
        where = scope if len(shown) > 1 else shown[0]
        lines.append(f"- {words[0].upper()}{words[1:]}, {where}: **{outcome}**{_detail(detail)}.")
    return "\n".join(lines)


def secondary(root: str | Path | None = None) -> pd.DataFrame:
    """JAL's accuracies on CIFAR-100 that only a secondary source has, beside the best other loss of Table 3.

    Returns
    -------
    a frame with the columns condition, loss ("not said" where the source does not name the row), mean, best other, its
    mean, and lead: by how many points JAL is above it.
    """
    paper = reported_columns(3, root)
    rows = []
    for one in accuracies("secondary", root).itertuples():
        others = {loss: found.mean for loss, found in paper[one.condition].items() if loss not in JAL}
        best = max(others, key=others.__getitem__)
        loss = "not said" if pd.isna(one.loss) else one.loss
        rows.append((one.condition, loss, one.mean, best, others[best], one.mean - others[best]))
    return pd.DataFrame(rows, columns=["condition", "loss", "mean", "best other", "its mean", "lead"])


def second_hand(root: str | Path | None = None) -> pd.DataFrame:
    """`secondary` as text, a row for each noise.

    The two stand apart from the paper's cells: they are means without a deviation, second hand and not checked.

    Returns
    -------
    a frame of text by noise, in the order of the source: JAL-CE, JAL-FL, "JAL, row not named", "best other loss" as
    the paper reports it, and the difference of the better JAL from it.
    """
    rows = {}
    for where, found in secondary(root).groupby("condition", sort=False):
        best = found.iloc[0]
        rows[where.partition(" ")[2]] = {
            **dict(zip(found["loss"], found["mean"].map("{:.2f}".format), strict=True)),
            "best other loss": f"{best['best other']} {best['its mean']:.2f}",
            "difference": signed(found["lead"].max(), 2),
        }
    names = [*JAL, "not said", "best other loss", "difference"]
    table = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=names).fillna("")
    return table.rename(columns={"not said": "JAL, row not named"})


def said_of_ends(ends: pd.DataFrame, near: float = 1.0) -> str:
    """What the last epoch loses against the best, in a few sentences.

    Parameters
    ----------
    ends
        of `jal.analysis.studies.cell_curves.ends`, on test accuracy.
    near
        points within which the last epoch is as good as the best.
    """
    run = ends[ends["n"] > 0].assign(lost=lambda frame: frame["best"] - frame["last"])
    if run.empty:
        return "No cell has been run yet."
    worst = run.loc[run["lost"].idxmax()]
    kept = int((run["lost"] <= near).sum())
    pairs = [
        (group.loc[group["last"].idxmax(), "row"], group.loc[group["best"].idxmax(), "row"])
        for _, group in run.groupby("column", sort=False)
        if len(group) > 1
    ]
    changed = sum(last != best for last, best in pairs)
    return (
        f"In {kept} of {len(run)} cells with a run the last epoch is within {near:g} point of the best. The most is "
        f"lost by {worst['row']} under {worst['column']}: {worst['lost']:.1f} points from epoch "
        f"{worst['best_epoch']:.0f} to the last. Ranked by the best epoch instead of the last, another loss would "
        f"come first in {changed} of {_columns(len(pairs))}."
    )


def two_noises(reports: Reports) -> pd.DataFrame:
    """Both instance-dependent noises side by side: a row for each dataset and nominal rate.

    Returns
    -------
    a frame of text whose columns are pairs: what is said, and of which noise, "PDN" or "fixed".
    """
    rows = {}
    for dataset, found in reports.items():
        for one in (one for one in found.values() if one.noise.variant == "pdn"):
            fixed = found[f"instance fixed {one.noise.rate:g}"]
            rows[DATASETS[dataset], percent(one.noise.rate or 0, 0)] = {
                (what, noise): say(kept)
                for what, say in _SAID.items()
                for noise, kept in (("PDN", one), ("fixed", fixed))
            }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis(["dataset", "nominal rate"])
    return table.set_axis(pd.MultiIndex.from_tuples(table.columns), axis=1)


_SAID: dict[str, Callable[[Kept], str]] = {
    "labels wrong": lambda one: percent(one.report.rate, 2),
    "smallest margin of a class": lambda one: f"{one.report.threshold().margin:.3f}",
    "images whose true label leads": lambda one: (
        percent(one.images.dominant_share) if one.images else "not known"
    ),
}


def condition(reports: Reports, a: Mapping[str, float]) -> pd.DataFrame:
    """Whether the theorem's condition holds for people's labels, class by class.

    Parameters
    ----------
    a
        AMSE's, for each dataset.

    Returns
    -------
    a frame of text with a row for each set of labels.
    """
    rows = {}
    for one in _people(reports):
        led = len(one.report.counts) - len(one.report.not_dominant)
        rows[f"{DATASETS[one.dataset]}N, {one.noise.variant}"] = {
            "labels wrong": percent(one.report.rate),
            "classes whose true label leads": f"{led} of {len(one.report.counts)}",
            "smallest a": number(one.smallest_a),
            "a of JAL-CE": f"{a[one.dataset]:g}",
            "condition": "holds" if a[one.dataset] >= one.smallest_a else "fails",
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("labels")


def _people(reports: Reports) -> list[Kept]:
    return [one for found in reports.values() for one in found.values() if one.noise.kind == "human"]


def by_true_rate(reports: Reports, root: str | Path | None = None) -> pd.DataFrame:
    """What Tables 3 and 5 report for clean, symmetric and people's labels, by the share of labels that are wrong.

    Returns
    -------
    a frame with the columns dataset, noise ("symmetric", clean labels among them, or a name of people's labels),
    loss, rate, mean, std; a row for each reported cell.
    """
    rows = []
    for table in (3, 5):
        for row in reported(table, root).astype(object).to_dict("records"):
            if row["noise"] not in ("clean", "symmetric", "human") or pd.isna(row["mean"]):
                continue
            more = row["variant"] if row["noise"] == "human" else f"{row['rate']:g}"
            clean = row["noise"] == "clean"
            rate = 0.0 if clean else reports[row["dataset"]][f"{row['noise']} {more}"].report.rate
            name = more if row["noise"] == "human" else "symmetric"
            rows.append((row["dataset"], name, row["loss"], rate, row["mean"], row["std"]))
    return pd.DataFrame(rows, columns=["dataset", "noise", "loss", "rate", "mean", "std"])


def gaps(frame: pd.DataFrame) -> pd.DataFrame:
    """For people's labels the accuracy beside that of symmetric noise with as many wrong labels.

    The latter is read off between the two nearest reported rates, on the straight line that joins them.

    Parameters
    ----------
    frame
        of `by_true_rate`.

    Returns
    -------
    a frame with the columns dataset, noise, loss, rate, people, symmetric and gap (people - symmetric, in points);
    losses whose symmetric cells are not reported are left out.
    """
    lines = {
        key: group.sort_values("rate")
        for key, group in frame[frame["noise"].eq("symmetric")].groupby(["dataset", "loss"])
    }
    rows = []
    for row in frame[frame["noise"].ne("symmetric")].itertuples():
        line = lines.get((row.dataset, row.loss))
        if line is not None:
            between = float(np.interp(row.rate, line["rate"].astype(float), line["mean"].astype(float)))
            rows.append((row.dataset, row.noise, row.loss, row.rate, row.mean, between, row.mean - between))
    return pd.DataFrame(rows, columns=["dataset", "noise", "loss", "rate", "people", "symmetric", "gap"])


def gap_table(found: pd.DataFrame) -> pd.DataFrame:
    """The gaps as text: losses down, people's labels across."""
    names = [f"{DATASETS[row.dataset]}N {row.noise}" for row in found.itertuples()]
    table = found.assign(name=names).pivot(index="loss", columns="name", values="gap")
    table = table.loc[list(dict.fromkeys(found["loss"])), list(dict.fromkeys(names))]
    texts = table.apply(lambda column: column.map(lambda value: signed(value, 1)))
    return texts.rename_axis(index="loss", columns=None)


def said_of_gaps(found: pd.DataFrame) -> str:
    """For each of people's labels, how many losses do worse than under symmetric noise, and the two ends; a list."""
    lines = []
    for (dataset, noise), group in found.groupby(["dataset", "noise"], sort=False):
        least, most = group.loc[group["gap"].idxmin()], group.loc[group["gap"].idxmax()]
        lines.append(
            f"- **{DATASETS[str(dataset)]}N {noise}** ({percent(group['rate'].iloc[0])} wrong): "
            f"{int((group['gap'] < 0).sum())} of {len(group)} losses do worse than under symmetric noise of that rate; "
            f"from {signed(least['gap'])} points ({least['loss']}) to {signed(most['gap'])} ({most['loss']})."
        )
    return "\n".join(lines)
