"""How much training a loss needs: from how many epochs on it beats cross entropy.

Every length is a run of its own, with its own learning-rate schedule, and not a part of a longer run. Why some losses
need long is in `jal.analysis.studies.start`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from jal.analysis.figures import INK, line
from jal.analysis.frames import typed
from jal.analysis.old_tables import lost_after_best
from jal.analysis.panels import legend
from jal.analysis.records import GridRecords, difference
from jal.analysis.studies.drawing import not_run, two_across
from jal.analysis.text import gap, listed, number
from jal.errors import InputError, unknown
from jal.experiments.noises import NoiseSpec
from jal.experiments.record import Record

_LENGTH = "epochs of the run"


def leads(records: GridRecords, over: str = "CE") -> pd.DataFrame:
    """The test accuracy of each loss after the last epoch, less that of `over`, for each noise and length.

    Parameters
    ----------
    records
        of a grid whose rows are losses under noises, and whose columns are numbers of epochs.

    Returns
    -------
    a frame with a row for each noise, other loss and length, run or not, and the columns noise, loss, epochs,
    difference, low, high (Welch's 95 % interval, points; missing for one run), n, n_over.

    Raises
    ------
    InputError
        for a loss that the grid has not, a grid whose cells have no number of epochs, and two cells of the same noise,
        loss and number of epochs.
    """
    runs = _by_length(records)
    losses = {loss for _, loss in runs}
    if over not in losses:
        raise unknown("loss of the grid", over, losses)
    rows = [
        (noise, loss, epochs, *difference(values, others), len(values), len(others))
        for (noise, loss), lengths in runs.items()
        if loss != over
        for epochs, found in sorted(lengths.items())
        for values in [[record.accuracy for record in found]]
        for others in [[record.accuracy for record in runs.get((noise, over), {}).get(epochs, [])]]
    ]
    return typed(
        rows, noise=str, loss=str, epochs=int, difference=float, low=float, high=float, n=int, n_over=int
    )


def _by_length(records: GridRecords) -> dict[tuple[str, str], dict[int, list[Record]]]:
    """For each noise and loss the runs of each number of epochs."""
    runs: dict[tuple[str, str], dict[int, list[Record]]] = {}
    for (row, column), words in records.grid.cells.items():
        if "epochs" not in words:
            raise InputError(
                f"{row} under {column} of {records.grid.name} names no number of epochs: take a grid of lengths"
            )
        noise = NoiseSpec(words.get("noise", "clean"), words.get("variant"), words.get("rate"))
        lengths = runs.setdefault((str(noise), str(words["loss"])), {})
        if words["epochs"] in lengths:
            raise InputError(f"{row} under {column} comes twice: compare one cell for each number of epochs")
        lengths[words["epochs"]] = list(records.runs(row, column).values())
    return runs


def overtaking(leads: pd.DataFrame) -> pd.DataFrame:
    """From how many epochs on each loss is ahead: at that length, and at every longer one that both were run for.

    Parameters
    ----------
    leads
        from `leads`.

    Returns
    -------
    a frame with the columns noise, loss, lengths (how many are compared), not_run (how many are not), longest,
    from_epochs, clearly_from (Welch's 95 % interval is above 0 as well); missing where there is no such length.
    """
    rows = []
    for (noise, loss), frame in leads.groupby(["noise", "loss"], sort=False):
        there = frame[frame["difference"].notna()].sort_values("epochs")
        ahead = [
            _from(there["epochs"].tolist(), there[bound].gt(0).tolist()) for bound in ("difference", "low")
        ]
        longest = None if there.empty else there["epochs"].max()
        rows.append((noise, loss, len(there), len(frame) - len(there), longest, *ahead))
    counts = ("lengths", "not_run", "longest", "from_epochs", "clearly_from")
    return typed(rows, noise=str, loss=str, **dict.fromkeys(counts, "Int64"))


def _from(epochs: list[int], ahead: list[bool]) -> int | None:
    """The first length from which on it is always ahead."""
    behind = max((i for i, yes in enumerate(ahead) if not yes), default=-1)
    return epochs[behind + 1] if behind + 1 < len(epochs) else None


def in_words(records: GridRecords, over: str = "CE") -> str:
    """For each noise, as a Markdown list: from how many epochs on each loss beats `over`.

    Raises
    ------
    InputError
        as `leads`.
    """
    lines = []
    for noise, frame in overtaking(leads(records, over)).groupby("noise", sort=False):
        there = [row for row in frame.itertuples() if row.lengths]
        if not there:
            lines.append(f"- **{noise}**: not run.")
            continue
        text = f"- **{noise}**, against {over}: {'; '.join(_in_words(row) for row in there)}."
        if frame["not_run"].any():
            each = [f"{row.loss} at {row.lengths}" for row in frame.itertuples()]
            alike = frame["lengths"].nunique() == 1
            of = there[0].lengths + there[0].not_run
            text += f" Compared so far: {there[0].lengths if alike else listed(each)} of {of} lengths."
        lines.append(text)
    return "\n".join(lines)


def _in_words(row: Any) -> str:
    if pd.isna(row.from_epochs):
        return f"{row.loss} is not ahead at {_epochs(row.longest)}"
    alone = row.from_epochs == row.longest
    if pd.isna(row.clearly_from):
        # At a shorter length it may well be.
        clearly = "not beyond an interval" if alone else f"not beyond an interval at {row.longest}"
    elif row.clearly_from == row.from_epochs:
        clearly = "beyond the interval"
    else:
        clearly = f"beyond the interval from {row.clearly_from}"
    length = _epochs(row.from_epochs)
    since = f"at {length}" if alone else f"from {length} on"
    return f"{row.loss} is ahead {since} ({clearly})"


def _epochs(n: int) -> str:
    return f"{n} epoch{'' if n == 1 else 's'}"


def table(leads: pd.DataFrame) -> pd.DataFrame:
    """The leads, such as "+1.2 [−0.4, +2.8]": noises and losses down, epochs across; nothing where one was not run."""
    texts = [gap(row) for row in leads.itertuples()]
    keys = ["noise", "loss"]
    wide = leads.assign(text=texts).pivot(index=keys, columns="epochs", values="text").fillna("")
    rows = pd.MultiIndex.from_tuples(
        list(dict.fromkeys(zip(*(leads[key] for key in keys), strict=True))), names=keys
    )
    return wide.reindex(index=rows)


def chart(panel: Mapping[str, GridRecords], over: str = "CE") -> Figure:
    """The lead over `over` against the number of epochs: a panel for each title and noise, a line for each loss.

    Bars are Welch's 95 % intervals; a point without one has a single run on a side. A panel without two losses to
    compare says so.

    Raises
    ------
    InputError
        as `leads`.
    """
    frames = {
        f"{title}: {noise}": frame
        for title, records in panel.items()
        for noise, frame in leads(records, over).groupby("noise", sort=False)
    }
    losses = list(dict.fromkeys(loss for frame in frames.values() for loss in frame["loss"]))
    figure, grid = two_across(list(frames), _LENGTH, f"test accuracy less that of {over} [points]")
    for axes, frame in zip(grid, frames.values(), strict=True):
        there = frame[frame["difference"].notna()]
        axes.axhline(0, color=INK, linewidth=0.8)
        for order, loss in enumerate(losses):
            some = there[there["loss"] == loss]
            reach = (some["high"] - some["difference"]).fillna(0.0)
            axes.errorbar(
                some["epochs"],
                some["difference"],
                yerr=reach,
                marker="o",
                markersize=4,
                capsize=2,
                **line(loss, order),
            )
        _lengths(axes, frame["epochs"], empty=there.empty)
    legend(figure, {loss: line(loss, order) for order, loss in enumerate(losses)})
    return figure


def ends(panel: Mapping[str, GridRecords]) -> Figure:
    """Runs of every length in one picture: a panel for each title and noise, a line and marks for each loss.

    The line is the test accuracy along the longest run there is (the mean over its seeds), a mark the accuracy that
    a shorter run of its own ends with. A panel without runs says so.

    Raises
    ------
    InputError
        as `leads`.
    """
    found = {title: _by_length(records) for title, records in panel.items()}
    places = {f"{title}: {noise}": (title, noise) for title, runs in found.items() for noise, _ in runs}
    losses = list(dict.fromkeys(loss for runs in found.values() for _, loss in runs))
    figure, grid = two_across(list(places), _LENGTH, "test accuracy [%]")
    for axes, (title, noise) in zip(grid, places.values(), strict=True):
        every: set[int] = set()
        some = False
        for order, loss in enumerate(losses):
            lengths = found[title].get((noise, loss), {})
            every.update(lengths)
            ran = {epochs: runs for epochs, runs in sorted(lengths.items()) if runs}
            if ran:
                some = True
                curves = np.mean([record.curves["test_accuracy"] for record in ran[max(ran)]], axis=0)
                axes.plot(np.arange(1, len(curves) + 1), curves, **line(loss, order))
                last = [fmean(record.accuracy for record in runs) for runs in ran.values()]
                axes.plot(list(ran), last, "o", markersize=4.5, color=line(loss, order)["color"])
        _lengths(axes, every, empty=not some)
    legend(figure, {loss: line(loss, order) for order, loss in enumerate(losses)})
    return figure


def _lengths(axes: Axes, epochs: Iterable[int], empty: bool) -> None:
    ticks = sorted(set(epochs))
    axes.set_xscale("log")
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(0.85 * ticks[0], ticks[-1] / 0.85)
    if empty:
        not_run(axes)


def best_and_last(records: GridRecords) -> pd.DataFrame:
    """What the last epoch gives away: for each noise and loss, of its longest runs that are there.

    The best epoch is picked by the accuracy on the test images, so `best` flatters; no one could have picked it.

    Returns
    -------
    a frame with a row for each noise and loss, run or not, and the columns noise, loss, epochs (of these runs), n, best
    and last (mean accuracies, per cent), lost (the mean of their difference, in points), best_epoch (the mean);
    missing where nothing was run.

    Raises
    ------
    InputError
        as `leads`.
    """
    rows = []
    for (noise, loss), lengths in _by_length(records).items():
        epochs = max((epochs for epochs, runs in lengths.items() if runs), default=None)
        row: dict[str, Any] = {"noise": noise, "loss": loss, "epochs": epochs, "n": 0}
        if epochs is not None:
            runs = lengths[epochs]
            curves = [record.curves["test_accuracy"] for record in runs]
            row |= {
                "n": len(runs),
                "best": fmean(map(max, curves)),
                "last": fmean(record.accuracy for record in runs),
                "lost": fmean(map(lost_after_best, runs)),
                "best_epoch": fmean(curve.index(max(curve)) + 1 for curve in curves),
            }
        rows.append(row)
    numbers = dict.fromkeys(("best", "last", "lost", "best_epoch"), float)
    return typed(rows, noise=str, loss=str, epochs="Int64", n=int, **numbers)


def best_in_words(records: GridRecords) -> str:
    """For each noise, as a Markdown list: what each loss loses from its best epoch to its last, most first.

    Raises
    ------
    InputError
        as `leads`.
    """
    lines = []
    for noise, frame in best_and_last(records).groupby("noise", sort=False):
        there = frame[frame["n"] > 0].sort_values("lost", ascending=False)
        parts = [
            f"{row.loss} {number(row.lost)} (best after epoch {row.best_epoch:.0f} of {row.epochs})"
            for row in there.itertuples()
        ]
        text = (
            f"from its best epoch to its last a loss gives away, in points: {listed(parts)}."
            if parts
            else "not run."
        )
        lines.append(f"- **{noise}**: {text}")
    return "\n".join(lines)
