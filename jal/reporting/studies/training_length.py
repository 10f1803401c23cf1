"""How much training a loss needs: from how many epochs on it beats cross entropy.

Every length is a run of its own, with its own learning-rate schedule, and not a part of a longer run.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from jal.errors import InputError, unknown
from jal.experiments.noises import NoiseSpec
from jal.reporting.figures import INK, line
from jal.reporting.panels import panels
from jal.reporting.records import GridRecords, difference
from jal.reporting.wording import listed, with_interval

_LEADS = ["difference", "low", "high"]


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
    runs: dict[tuple[str, str], dict[int, list[float]]] = {}
    for (row, column), words in records.grid.cells.items():
        if "epochs" not in words:
            raise InputError(
                f"{row} under {column} of {records.grid.name} names no number of epochs: take a grid of lengths"
            )
        noise = NoiseSpec(words.get("noise", "clean"), words.get("variant"), words.get("rate"))
        lengths = runs.setdefault((str(noise), str(words["loss"])), {})
        if words["epochs"] in lengths:
            raise InputError(f"{row} under {column} comes twice: compare one cell for each number of epochs")
        lengths[words["epochs"]] = records.values(row, column)
    losses = {loss for _, loss in runs}
    if over not in losses:
        raise unknown("loss of the grid", over, losses)
    rows = [
        (noise, loss, epochs, *difference(values, others), len(values), len(others))
        for (noise, loss), lengths in runs.items()
        if loss != over
        for epochs, values in sorted(lengths.items())
        for others in [runs.get((noise, over), {}).get(epochs, [])]
    ]
    types = {"noise": "string", "loss": "string"} | dict.fromkeys(_LEADS, "float64")
    counts = dict.fromkeys(("epochs", "n", "n_over"), "int64")
    return pd.DataFrame(rows, columns=["noise", "loss", "epochs", *_LEADS, "n", "n_over"]).astype(
        types | counts
    )


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
    counts = ["lengths", "not_run", "longest", "from_epochs", "clearly_from"]
    frame = pd.DataFrame(rows, columns=["noise", "loss", *counts])
    return frame.astype({"noise": "string", "loss": "string"} | dict.fromkeys(counts, "Int64"))


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
    compared = leads(records, over)
    lines = []
    for noise, frame in overtaking(compared).groupby("noise", sort=False):
        there = [_in_words(row) for row in frame.itertuples() if row.lengths]
        without = listed(row.loss for row in frame.itertuples() if not row.lengths)
        text = f"{over} is beaten by {'; '.join(there)}." if there else "not run."
        lines.append(f"- **{noise}**: {text}" + (f" Not compared: {without}." if there and without else ""))
    return "\n".join(lines)


def _in_words(row: Any) -> str:
    of = row.lengths + row.not_run
    compared = f"; {row.lengths} of {of} lengths compared" if row.not_run else ""
    if pd.isna(row.from_epochs):
        return f"{row.loss} not for good up to {row.longest} epochs{compared}"
    if pd.isna(row.clearly_from):
        clearly = "not beyond an interval"
    elif row.clearly_from == row.from_epochs:
        clearly = "beyond the interval"
    else:
        clearly = f"beyond the interval from {row.clearly_from}"
    return f"{row.loss} from {row.from_epochs} epochs on ({clearly}{compared})"


def table(leads: pd.DataFrame) -> pd.DataFrame:
    """The leads, such as "+1.2 [−0.4, +2.8]": noises and losses down, epochs across; nothing where one was not run."""
    texts = [with_interval(row.difference, row.low, row.high) for row in leads.itertuples()]
    keys = ["noise", "loss"]
    wide = leads.assign(text=texts).pivot(index=keys, columns="epochs", values="text").fillna("")
    rows = pd.MultiIndex.from_tuples(
        list(dict.fromkeys(zip(*(leads[key] for key in keys), strict=True))), names=keys
    )
    return wide.reindex(index=rows)


def chart(leads: pd.DataFrame, over: str = "CE") -> Figure:
    """The lead over `over` against the number of epochs: a panel for each noise, a line for each loss.

    Bars are Welch's 95 % intervals; a point without one has a single run on a side.

    Raises
    ------
    InputError
        if no length has runs of two losses.
    """
    there = leads[leads["difference"].notna()]
    if there.empty:
        raise InputError(f"no length has runs of {over} and of another loss: run more of the grid first")
    noises = list(dict.fromkeys(there["noise"]))
    losses = list(dict.fromkeys(leads["loss"]))
    figure, grid = panels(noises, "epochs of the run", f"test accuracy less that of {over} [points]")
    for axes, noise in zip(grid, noises, strict=True):
        axes.axhline(0, color=INK, linewidth=0.8)
        for order, loss in enumerate(losses):
            some = there[(there["noise"] == noise) & (there["loss"] == loss)]
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
        axes.set_xscale("log")
    ticks = sorted(set(there["epochs"]))
    grid[0].set_xticks(ticks, [str(tick) for tick in ticks])
    grid[0].xaxis.set_minor_locator(NullLocator())
    handles = [Line2D([], [], label=loss, **line(loss, order)) for order, loss in enumerate(losses)]
    figure.legend(handles=handles, loc="outside right upper")
    return figure
