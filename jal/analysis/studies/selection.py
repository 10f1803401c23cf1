"""Choosing without clean labels: does the accuracy on noisy validation labels pick what test accuracy would?

The labels that a run is validated on are those of its test images, made noisy by the same T. So both accuracies share
their images' luck, and a validation set of other images would choose a little worse than is found here.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from statistics import StatisticsError, fmean, linear_regression
from typing import Any, Literal

import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import kendalltau, spearmanr

from jal.analysis.figures import INK, QUANTITIES, line
from jal.analysis.frames import typed
from jal.analysis.panels import legend, panels
from jal.analysis.records import GridRecords, mean_std
from jal.analysis.studies.cell_curves import best_epoch, shown
from jal.analysis.studies.detection import MARKERS
from jal.analysis.text import listed, number, plus_minus, signed
from jal.errors import InputError, unknown
from jal.experiments.record import Record

Epoch = Literal["last", "chosen"]

VALIDATION = "validation_accuracy"

Runs = Mapping[str, Mapping[int, Record | None]]
"""By alternative, then by seed; None where a run is missing."""


def scores(
    alternatives: Mapping[str, Iterable[Record]], group: str = "", epoch: Epoch = "last"
) -> pd.DataFrame:
    """Test accuracy and noisy-validation accuracy of runs among which somebody chooses.

    Parameters
    ----------
    alternatives
        the runs of each, one a seed: with the same labels, seed by seed, they differ in a hyperparameter or a loss.
    group
        what the choice is called.
    epoch
        "last", or "chosen": each run is stopped where its own noisy-validation accuracy is greatest.

    Returns
    -------
    a frame with the columns group, alternative, seed, test and validation (per cent), a row for each alternative and
    each seed that any has; missing where there is no run, and where a run was validated on no noisy labels.

    Raises
    ------
    InputError
        for two runs of one alternative with the same seed, and for runs of one seed with other labels.
    """
    runs: dict[str, dict[int, Record | None]] = {}
    for alternative, records in alternatives.items():
        by_seed = runs.setdefault(alternative, {})
        for record in records:
            if record.spec.seed in by_seed:
                raise InputError(f"{alternative} has two runs of seed {record.spec.seed}: give one a seed")
            by_seed[record.spec.seed] = record
    seeds = sorted({seed for found in runs.values() for seed in found})
    return _frame({group: {name: {s: found.get(s) for s in seeds} for name, found in runs.items()}}, epoch)


def between_rows(records: GridRecords, epoch: Epoch = "last") -> pd.DataFrame:
    """`scores` of a choice between the rows (say, losses), in each column."""
    return _between(records, lambda row, column: (column, row), epoch)


def between_columns(records: GridRecords, epoch: Epoch = "last") -> pd.DataFrame:
    """`scores` of a choice between the columns (say, values of `a`), in each row."""
    return _between(records, lambda row, column: (row, column), epoch)


def _between(
    records: GridRecords, place: Callable[[str, str], tuple[str, str]], epoch: Epoch
) -> pd.DataFrame:
    groups: dict[str, dict[str, dict[int, Record | None]]] = {}
    for cell in shown(records):
        group, alternative = place(*cell)
        runs = records.runs(*cell)
        groups.setdefault(group, {})[alternative] = {seed: runs.get(seed) for seed in records.seeds}
    return _frame(groups, epoch)


def _frame(groups: Mapping[str, Runs], epoch: Epoch) -> pd.DataFrame:
    if epoch not in ("last", "chosen"):
        raise unknown("epoch", epoch, ("last", "chosen"))
    rows = []
    for group, runs in groups.items():
        _check_labels(group, runs)
        for alternative, by_seed in runs.items():
            for seed, record in by_seed.items():
                rows.append((group, alternative, seed, *_score(record, epoch)))
    return typed(rows, group=str, alternative=str, seed=int, test=float, validation=float)


def _check_labels(group: str, runs: Runs) -> None:
    """Noisy accuracies on different labels say nothing of one another."""
    first: dict[int, tuple[str, Record]] = {}
    for alternative, by_seed in runs.items():
        for seed, record in by_seed.items():
            if record is None:
                continue
            other, known = first.setdefault(seed, (alternative, record))
            if (known.spec.dataset, known.spec.noise) != (record.spec.dataset, record.spec.noise):
                raise InputError(
                    f"{alternative} and {other} ({group}) have other labels with seed {seed}: "
                    "choose between runs of the same noise"
                )


def _score(record: Record | None, epoch: Epoch) -> tuple[float, float]:
    if record is None:
        return math.nan, math.nan
    if VALIDATION not in record.curves:
        return record.accuracy, math.nan
    at = -1 if epoch == "last" else best_epoch(record, VALIDATION) - 1
    return record.curves["test_accuracy"][at], record.curves[VALIDATION][at]


def choices(scores: pd.DataFrame) -> pd.DataFrame:
    """Each seed's choice: what noisy-validation accuracy picks, what test accuracy would, and what that costs.

    Alternatives without any run are left out, and so are seeds that lack one of the others; a choice needs two
    alternatives. Alternatives that share the highest validation accuracy are all picked ("A or B"), and count with
    the mean of their test accuracies.

    Parameters
    ----------
    scores
        from `scores`, `between_rows` or `between_columns`.

    Returns
    -------
    a frame with a row for each group and seed, and the columns group, seed, alternatives (how many), best, pick,
    right (whether every pick is a best one), best_accuracy, pick_accuracy (on the test set, per cent), regret (best -
    pick, points), chance (the regret of a pick at random), kendall (tau-b) and spearman (between test and validation
    accuracy, missing where either is constant), slope (points of noisy accuracy for one of test accuracy, by least
    squares).
    """
    rows = []
    for group, test, validation in _complete(scores):
        for seed in test.index:
            t, v = test.loc[seed], validation.loc[seed]
            best, pick = t[t == t.max()], t[v == v.max()]
            right = set(pick.index) <= set(best.index)
            rows.append(
                {
                    "group": group,
                    "seed": seed,
                    "alternatives": len(t),
                    "best": " or ".join(best.index),
                    "pick": " or ".join(pick.index),
                    "right": right,
                    "best_accuracy": t.max(),
                    "pick_accuracy": fmean(pick),
                    "regret": 0.0 if right else t.max() - fmean(pick),
                    "chance": t.max() - fmean(t),
                    **_correlation(list(t), list(v)),
                }
            )
    numbers = ("best_accuracy", "pick_accuracy", "regret", "chance", "kendall", "spearman", "slope")
    return typed(
        rows,
        group=str,
        seed=int,
        alternatives=int,
        best=str,
        pick=str,
        right=bool,
        **dict.fromkeys(numbers, float),
    )


def _complete(scores: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Of each group with a choice: test and validation accuracies, a row for each complete seed."""
    for group, frame in scores.groupby("group", sort=False):
        order = list(dict.fromkeys(frame["alternative"]))
        test, validation = (
            frame.pivot(index="seed", columns="alternative", values=name)[order]
            for name in ("test", "validation")
        )
        there = test.notna() & validation.notna()
        kept = there.columns[there.any()]
        seeds = there.index[there[kept].all(axis=1)]
        if len(kept) > 1:
            yield str(group), test.loc[seeds, kept], validation.loc[seeds, kept]


def _correlation(test: Sequence[float], validation: Sequence[float]) -> dict[str, float]:
    if len(set(test)) < 2 or len(set(validation)) < 2:
        return dict.fromkeys(("kendall", "spearman"), math.nan) | {"slope": least_squares(test, validation)}
    return {
        "kendall": float(kendalltau(test, validation).statistic),
        "spearman": float(spearmanr(test, validation).statistic),
        "slope": least_squares(test, validation),
    }


def least_squares(test: Sequence[float], validation: Sequence[float]) -> float:
    """The slope of validation on test accuracy; missing where all test accuracies are one."""
    try:
        return linear_regression(test, validation).slope
    except StatisticsError:
        return math.nan


def regrets(scores: pd.DataFrame) -> pd.DataFrame:
    """`choices`, averaged over the seeds: a row for each group, those without a choice too.

    Returns
    -------
    a frame with the columns group, n (seeds), alternatives, not_run (those without any run), incomplete (seeds left
    out because they lack a run), right (the seeds whose pick is the best), best, pick (each with the number of its
    seeds where they disagree), regret, regret_std, regret_max, chance, kendall,
    kendall_std, spearman, spearman_std, slope, and why: empty, or why there is no choice (n = 0).
    """
    made = choices(scores)
    rows = []
    for group, frame in scores.groupby("group", sort=False):
        found = made[made["group"] == group]
        means = {}
        for name in ("regret", "kendall", "spearman"):
            means[name], means[f"{name}_std"] = mean_std(list(found[name].dropna()))
        rows.append(
            {
                "group": group,
                "n": len(found),
                "alternatives": int(found["alternatives"].max()) if len(found) else 0,
                "not_run": int(frame.groupby("alternative")["test"].count().eq(0).sum()),
                "incomplete": frame.loc[frame["test"].notna(), "seed"].nunique() - len(found),
                "right": int(found["right"].sum()),
                "best": _counted(found["best"]),
                "pick": _counted(found["pick"]),
                **means,
                "regret_max": found["regret"].max(),
                "chance": found["chance"].mean(),
                "slope": found["slope"].mean(),
                "why": "" if len(found) else _why(frame),
            }
        )
    numbers = (
        "regret",
        "regret_std",
        "regret_max",
        "chance",
        "kendall",
        "kendall_std",
        "spearman",
        "spearman_std",
    )
    return typed(
        rows,
        group=str,
        **dict.fromkeys(("n", "alternatives", "not_run", "incomplete", "right"), int),
        **dict.fromkeys(("best", "pick"), str),
        **dict.fromkeys((*numbers, "slope"), float),
        why=str,
    )


def _counted(names: Iterable[str]) -> str:
    counts = Counter(names).most_common()
    return listed(name if len(counts) == 1 else f"{name} ({n})" for name, n in counts)


def _why(scores: pd.DataFrame) -> str:
    run = scores[scores["test"].notna()]
    if run.empty:
        return "not run"
    validated = run[run["validation"].notna()]
    if validated.empty:
        return "no noisy validation labels"
    if validated["alternative"].nunique() < 2:
        return f"only {validated['alternative'].iloc[0]} was run"
    return "no seed has all the alternatives that were run"


def regret_table(scores: pd.DataFrame) -> pd.DataFrame:
    """`regrets` as text: a row for each group, what was picked and what it cost; why not, where nothing could be."""
    rows = {}
    for row in regrets(scores).itertuples():
        rows[row.group] = {
            "picked by noisy labels": row.pick,
            "by test labels": row.best,
            "the same": f"{row.right} of {row.n}" if row.n else row.why,
            "regret [points]": plus_minus(row.regret, row.regret_std, 2),
            "of a pick at random": number(row.chance, 2),
            "Kendall's tau": plus_minus(row.kendall, row.kendall_std, 2),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def regrets_in_words(scores: pd.DataFrame) -> str:
    """For each group, as a Markdown list: how often the pick is right, what it costs, how far the ranks agree."""
    lines = []
    for row in regrets(scores).itertuples():
        if row.why:
            lines.append(f"- **{row.group}**: no choice to judge ({row.why}).")
            continue
        of = f"{row.right} of {row.n} seeds" if row.n > 1 else f"{row.right} of 1 seed"
        ranks = (
            ""
            if math.isnan(row.kendall)
            else f" Kendall's tau is {plus_minus(row.kendall, row.kendall_std, 2)}."
        )
        shows = (
            ""
            if math.isnan(row.slope)
            else f" A point of test accuracy shows as {row.slope:.2f} of noisy accuracy."
        )
        lines.append(
            f"- **{row.group}**: of {row.alternatives} alternatives the noisy labels pick {row.pick}, the test labels "
            f"{row.best}: the same in {of}. It costs {plus_minus(row.regret, row.regret_std, 2)} points, where a pick "
            f"at random costs {row.chance:.2f}.{ranks}{shows}{_left_out(row.not_run, row.incomplete)}"
        )
    return "\n".join(lines)


def _left_out(alternatives: int, seeds: int) -> str:
    parts = [
        f"{n} more {what}{'s' * (n > 1)}" for n, what in ((alternatives, "alternative"), (seeds, "seed")) if n
    ]
    return f" For want of runs {listed(parts)} had to be left out." if parts else ""


def early_stopping(records: GridRecords) -> pd.DataFrame:
    """Each run stopped at the epoch at which its noisy-validation accuracy is greatest, the earliest of several.

    Returns
    -------
    a frame with a row for each cell, run or not, and the columns row, column, n (runs with such a curve), epoch (the
    mean of those stopped at), stopped, stopped_std (test accuracy there, per cent), gain, gain_std (over the last
    epoch), regret, regret_std (below the epoch that test accuracy would choose), in points.
    """
    rows = []
    for row, column in shown(records):
        runs = [record for record in records.runs(row, column).values() if VALIDATION in record.curves]
        epochs = [best_epoch(record, VALIDATION) for record in runs]
        tests = [record.curves["test_accuracy"] for record in runs]
        stopped = [test[epoch - 1] for test, epoch in zip(tests, epochs, strict=True)]
        gain = [value - test[-1] for value, test in zip(stopped, tests, strict=True)]
        regret = [max(test) - value for value, test in zip(stopped, tests, strict=True)]
        epoch = fmean(epochs) if epochs else math.nan
        rows.append((row, column, len(runs), epoch, *mean_std(stopped), *mean_std(gain), *mean_std(regret)))
    names = ("epoch", "stopped", "stopped_std", "gain", "gain_std", "regret", "regret_std")
    return typed(rows, row=str, column=str, n=int, **dict.fromkeys(names, float))


def early_stopping_in_words(records: GridRecords) -> str:
    """For each column, as a Markdown list: what stopping by the noisy labels gains, and what it leaves."""
    lines = []
    for column, frame in early_stopping(records).groupby("column", sort=False):
        there = [row for row in frame.itertuples() if row.n]
        if not there:
            run = any(records.runs(str(row.row), str(column)) for row in frame.itertuples())
            why = "no noisy validation labels" if run else "not run"
            lines.append(f"- **{column}**: {why}.")
            continue
        parts = [
            f"{row.row} {signed(row.gain)} points (epoch {row.epoch:.0f}, {number(row.regret)} below its best)"
            for row in there
        ]
        lines.append(f"- **{column}**: against the last epoch, {listed(parts)}.")
    return "\n".join(lines)


def scatter(scores: pd.DataFrame) -> Figure:
    """Test against noisy-validation accuracy: a panel for each group, a point for each run, the picks ringed.

    A group without a choice has no panel.

    Raises
    ------
    InputError
        if no group has a choice.
    """
    groups = [found for found in _complete(scores) if len(found[1])]
    if not groups:
        raise InputError("no choice to show: run two or more alternatives on noisy labels first")
    names = list(dict.fromkeys(scores["alternative"]))
    looks = {name: _look(name, order) for order, name in enumerate(names)}
    titles = [group for group, _, _ in groups]
    figure, grid = panels(titles, "on noisy labels [%]", QUANTITIES["test_accuracy"], share=False)
    for axes, (_, test, validation) in zip(grid, groups, strict=True):
        for name in test:
            axes.plot(validation[name], test[name], **looks[name])
        picked = validation.eq(validation.max(axis=1), axis=0).to_numpy()
        axes.plot(validation.to_numpy()[picked], test.to_numpy()[picked], **_RING)
    shown = [name for name in names if any(name in test for _, test, _ in groups)]
    legend(figure, {name: looks[name] for name in shown} | {"picked": _RING})
    return figure


_RING: dict[str, Any] = {
    "linestyle": "",
    "marker": "o",
    "markersize": 11,
    "markerfacecolor": "none",
    "markeredgecolor": INK,
}


def _look(alternative: str, order: int) -> dict[str, Any]:
    marker = MARKERS[order % len(MARKERS)]
    return {"color": line(alternative, order)["color"], "marker": marker, "markersize": 5, "linestyle": ""}
