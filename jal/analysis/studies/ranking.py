"""Does the ranking hold: the losses' order under the recipe, and under each change of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from scipy.stats import kendalltau, rankdata

from jal.analysis.claims import top_two
from jal.analysis.figures import line
from jal.analysis.frames import typed
from jal.analysis.records import GridRecords, difference, mean_std
from jal.analysis.stats import Summary
from jal.analysis.studies.drawing import not_run
from jal.analysis.text import listed, percent, plus_minus
from jal.errors import InputError, unknown

RECIPE = "the recipe"
"""The column that the others are changes of."""

Accuracies = Mapping[str, Sequence[float]]
"""By loss."""


def tau(column: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Kendall's tau-b of the order of the losses that both have; NaN for fewer than two, and where all are equal."""
    both = [loss for loss in column if loss in other]
    one, two = ([values[loss] for loss in both] for values in (column, other))
    if len(set(one)) < 2 or len(set(two)) < 2:
        return math.nan
    return float(kendalltau(one, two).statistic)


def agreement(records: GridRecords, baseline: str = RECIPE) -> pd.DataFrame:
    """The order of the rows in each column, beside their order in the column `baseline`.

    Only rows with runs in both columns are compared.

    Returns
    -------
    a frame with a row for each other column, and the columns column; losses (how many are compared), left_out (rows
    that lack runs in either); n (the fewest runs of a cell); kendall (tau-b of the means' order); by_seed, by_seed_std
    (the same of the runs of one seed, over the seeds that all of them have); best (here), best_before; same_best;
    top_two_shared (of the two best means, how many are the two best there: 0 to 2); pairs (of losses), turned (those
    whose means are the other way round) and turned_clearly (Welch's 95 % intervals exclude 0 on both sides). Missing
    where fewer than two losses can be compared.

    Raises
    ------
    InputError
        for a baseline that is no column of the grid.
    """
    if baseline not in records.grid.columns:
        raise unknown("column of the grid", baseline, records.grid.columns)
    rows = []
    for column in records.grid.columns:
        if column == baseline:
            continue
        both = [row for row in records.grid.rows if records.runs(row, column) and records.runs(row, baseline)]
        then, now = ({row: records.values(row, c) for row in both} for c in (baseline, column))
        found: dict[str, Any] = {
            "column": column,
            "losses": len(both),
            "left_out": len(records.grid.rows) - len(both),
            "n": min((len(values) for side in (then, now) for values in side.values()), default=0),
        }
        if len(both) > 1:
            found |= _compared(then, now)
            taus = [tau(*sides) for sides in _by_seed(records, both, (baseline, column))]
            found["by_seed"], found["by_seed_std"] = mean_std(
                [value for value in taus if not math.isnan(value)]
            )
        rows.append(found)
    return typed(
        rows,
        column=str,
        **dict.fromkeys(("losses", "left_out", "n"), "Int64"),
        **dict.fromkeys(("kendall", "by_seed", "by_seed_std"), float),
        **dict.fromkeys(("best", "best_before"), str),
        same_best="boolean",
        **dict.fromkeys(("top_two_shared", "pairs", "turned", "turned_clearly"), "Int64"),
    )


def _compared(then: Accuracies, now: Accuracies) -> dict[str, Any]:
    before, after = ({loss: mean_std(values)[0] for loss, values in side.items()} for side in (then, now))
    firsts = [_best(side) for side in (after, before)]
    runs = ({loss: Summary.of(values) for loss, values in side.items()} for side in (then, now))
    tops = [set(top_two(column)) for column in runs]
    turned = [
        _turned(difference(then[a], then[b]), difference(now[a], now[b])) for a, b in combinations(before, 2)
    ]
    return {
        "kendall": tau(before, after),
        "best": " or ".join(firsts[0]),
        "best_before": " or ".join(firsts[1]),
        "same_best": firsts[0] == firsts[1],
        "top_two_shared": min(2, len(tops[0] & tops[1])),
        "pairs": len(turned),
        "turned": sum(any(found) for found in turned),
        "turned_clearly": sum(all(found) for found in turned),
    }


def _best(means: Mapping[str, float]) -> list[str]:
    return [loss for loss, mean in means.items() if mean == max(means.values())]


def _turned(then: Sequence[float], now: Sequence[float]) -> tuple[bool, bool]:
    """Whether two differences have opposite signs, and whether both intervals exclude 0 besides."""
    turned = then[0] * now[0] < 0
    return turned, turned and all(low * high > 0 for _, low, high in (then, now))


def _by_seed(
    records: GridRecords, rows: Sequence[str], columns: Sequence[str]
) -> list[list[dict[str, float]]]:
    """For each seed that all cells have, the accuracies of the rows in each of the columns."""
    cells = {(row, column): records.runs(row, column) for row in rows for column in columns}
    return [
        [{row: cells[row, column][seed].accuracy for row in rows} for column in columns]
        for seed in records.seeds
        if all(seed in runs for runs in cells.values())
    ]


def between_seeds(records: GridRecords, column: str = RECIPE) -> tuple[float, int]:
    """Kendall's tau between the orders that two seeds give under one column: what chance alone does to a ranking.

    Returns
    -------
    the mean over all pairs of seeds that all rows with runs there have, and the number of pairs; NaN and 0 for none.

    Raises
    ------
    InputError
        for a column that the grid has not.
    """
    if column not in records.grid.columns:
        raise unknown("column of the grid", column, records.grid.columns)
    rows = [row for row in records.grid.rows if records.runs(row, column)]
    orders = [order for (order,) in _by_seed(records, rows, [column])] if len(rows) > 1 else []
    taus = [value for pair in combinations(orders, 2) if not math.isnan(value := tau(*pair))]
    return mean_std(taus)[0], len(taus)


def bump_chart(records: GridRecords) -> Figure:
    """The rank of each loss's mean in each column, 1 at the top; equal means share the mean of their ranks.

    A rank says something only among the same losses: the columns shown are those in which every loss has runs that has
    any in the first column. Without two losses in two columns the figure says that they are not run.
    """
    shown, columns = _ranked_together(records)
    size = max(len(columns), 4), max(len(shown), 4)
    figure: Figure
    figure, axes = plt.subplots(figsize=(2.6 + 1.0 * size[0], 1.0 + 0.38 * size[1]))
    axes.set_ylabel("rank")
    axes.grid(axis="x", visible=False)
    if len(shown) < 2 or len(columns) < 2:
        axes.set_yticks([])
        not_run(axes, "no two columns have runs of the same two losses yet")
        return figure
    ranks = {
        column: rankdata([-mean_std(records.values(loss, column))[0] for loss in shown]) for column in columns
    }
    for i, loss in enumerate(shown):
        order = records.grid.rows.index(loss)
        height = [ranks[column][i] for column in columns]
        axes.plot(range(len(columns)), height, marker="o", **line(loss, order))
        axes.annotate(
            loss,
            (len(columns) - 1, height[-1]),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            color=line(loss, order)["color"],
            annotation_clip=False,
        )
    axes.set_xticks(range(len(columns)), [column.replace(" ", "\n", 1) for column in columns])
    axes.set_yticks(range(1, len(shown) + 1))
    axes.set(xlim=(-0.2, len(columns) - 0.1), ylim=(len(shown) + 0.4, 0.6))
    return figure


def _ranked_together(records: GridRecords) -> tuple[list[str], list[str]]:
    first = records.grid.columns[0]
    losses = [row for row in records.grid.rows if records.runs(row, first)]
    return losses, [c for c in records.grid.columns if all(records.runs(row, c) for row in losses)]


def in_words(records: GridRecords, baseline: str = RECIPE) -> str:
    """As a Markdown list: what chance does to the ranking, and then what each change does.

    Raises
    ------
    InputError
        as `agreement`.
    """
    chance, pairs = between_seeds(records, baseline)
    lines, without = [], []
    if pairs:
        lines.append(
            f"- **{baseline}, another seed**: Kendall's tau of the losses' order is {chance:.2f} on average over "
            f"{pairs} pair{'s' * (pairs > 1)} of seeds."
        )
    for row in agreement(records, baseline).itertuples():
        if pd.isna(row.pairs):
            without.append(row.column)
            continue
        order = "" if math.isnan(row.kendall) else f"tau {row.kendall:.2f}"
        if order and not math.isnan(row.by_seed_std):
            order += f" (seed by seed {plus_minus(row.by_seed, row.by_seed_std, 2)})"
        best = (
            f"{row.best} stays the best"
            if row.same_best
            else f"{row.best} is the best in place of {row.best_before}"
        )
        two = ("neither of the two best stays", "one of the two best stays", "the two best stay")
        turned = (
            f"{row.turned} of {row.pairs} pairs {'turns' if row.turned == 1 else 'turn'} round, "
            f"{row.turned_clearly or 'none'} of them beyond both intervals"
            if row.turned
            else "no pair turns round"
        )
        parts = [order or "no order", best, two[row.top_two_shared], turned]
        missing = f" {row.left_out} of {row.losses + row.left_out} losses lack runs." if row.left_out else ""
        lines.append(f"- **{row.column}**: {'; '.join(parts)}.{missing}")
    if without:
        lines.append(f"- Without two losses to compare with {baseline} yet: {listed(without)}.")
    return "\n".join(lines)


def stability(records: GridRecords, baseline: str = RECIPE) -> str:
    """In one sentence: under how many changes the best stays the best, and the two best the two best.

    Raises
    ------
    InputError
        as `agreement`.
    """
    frame = agreement(records, baseline)
    whole = frame[frame["pairs"].notna() & frame["left_out"].eq(0)]
    if whole.empty:
        return f"No change has runs of all {len(records.grid.rows)} losses yet."
    first, both = int(whole["same_best"].sum()), int(whole["top_two_shared"].eq(2).sum())
    some = (
        f"{len(whole)} of {len(frame)} changes have"
        if len(whole) < len(frame)
        else f"All {len(frame)} changes have"
    )
    return (
        f"{some} runs of all {len(records.grid.rows)} losses. The best loss stays the best under {first or 'none'} of "
        f"these, and the two best stay the two best under {both or 'none'}."
    )


@dataclass(frozen=True)
class ByChance:
    """What another set of runs under the very same recipe would do to the ranking, on average.

    Attributes
    ----------
    losses
        how many are ranked.
    runs
        of each loss in the set.
    std
        of one run, pooled over the losses, in points.
    kendall
        tau-b of the two orders.
    same_best, same_two
        the share of sets with the same best loss, and with the same two best.
    """

    losses: int
    runs: int
    std: float
    kendall: float
    same_best: float
    same_two: float

    def __str__(self) -> str:
        return (
            f"Were the measured means of the {self.losses} losses the truth, then {self.runs} "
            f"{'run' if self.runs == 1 else 'runs'} of each, with the standard deviation of {self.std:.2f} points that "
            f"runs of one loss have here, would find the best loss in {percent(self.same_best, 0)} of repetitions and "
            f"the two best in {percent(self.same_two, 0)}; Kendall's tau would be {self.kendall:.2f} on average."
        )


def by_chance(
    records: GridRecords, runs: int, column: str = RECIPE, repetitions: int = 4000
) -> ByChance | None:
    """How far chance alone changes the ranking of one column, were it run again.

    Normal deviations with the losses' pooled standard deviation are added to the measured means, which stand for the
    truth; the measured order is then compared with the order of the sums. The means are not the truth, and the losses
    that came out on top are partly there by luck: a repetition agrees less with the measured order than this says. The
    random numbers are the same at each call.

    Parameters
    ----------
    runs
        of each loss in a repetition.

    Returns
    -------
    None where there are not two losses with two runs each, and where all means are equal.

    Raises
    ------
    InputError
        for an unknown column, and fewer than one run or repetition.
    """
    if column not in records.grid.columns:
        raise unknown("column of the grid", column, records.grid.columns)
    if min(runs, repetitions) < 1:
        raise InputError(f"{runs} runs in {repetitions} repetitions: give one or more of both")
    found = {loss: records.values(loss, column) for loss in records.grid.rows}
    found = {loss: values for loss, values in found.items() if len(values) > 1}
    means = np.array([mean_std(values)[0] for values in found.values()])
    if len(set(means)) < 2:
        return None
    squares = sum((len(values) - 1) * mean_std(values)[1] ** 2 for values in found.values())
    std = math.sqrt(squares / sum(len(values) - 1 for values in found.values()))
    again = means + np.random.default_rng(0).normal(0, std / math.sqrt(runs), (repetitions, len(means)))
    one, other = np.triu_indices(len(means), 1)
    before, after = np.sign(means[one] - means[other]), np.sign(again[:, one] - again[:, other])
    # tau-b: a pair that is equal on a side counts on neither.
    counts = np.sqrt(np.abs(before).sum() * np.abs(after).sum(axis=1))
    taus = (after @ before) / counts
    order, orders = np.argsort(-means), np.argsort(-again, axis=1)
    best = orders[:, 0] == order[0]
    two = np.sort(orders[:, :2], axis=1) == np.sort(order[:2])
    return ByChance(
        len(means), runs, std, float(taus.mean()), float(best.mean()), float(two.all(axis=1).mean())
    )
