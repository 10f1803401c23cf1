"""Which samples are noisy: how well a training image's loss tells a wrong label from a right one.

The AUROC is taken over each epoch's own batches, every image's loss before the step that it took part in. It is the
share of pairs of a wrong and a right label in which the wrong one has the larger loss: 0.5 is what guessing gives.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from jal.errors import InputError
from jal.experiments.record import Record
from jal.reporting.figures import INK, line
from jal.reporting.groups import cells, noise_title
from jal.reporting.panels import panels
from jal.reporting.records import GridRecords, mean_std
from jal.reporting.studies.cell_curves import best_epoch, ends
from jal.reporting.wording import listed, plus_minus

AUROC = "noise_auroc"
GUESSING = 0.5


def aurocs(records: GridRecords) -> pd.DataFrame:
    """For each cell the AUROC after the last epoch, at its best one, and at the one that noisy labels choose.

    The best epoch is chosen with the true labels at hand; `chosen` needs none: it is the epoch at which the accuracy
    on noisy validation labels is greatest.

    Returns
    -------
    a frame with a row for each cell whose labels are noisy, run or not, and the columns row, column, n (runs with
    wrong labels), last, last_std, best, best_std, best_epoch (the mean), chosen, chosen_std.
    """
    frame = ends(records, AUROC).drop(columns=["memorised", "memorised_std"])
    places = zip(frame.row, frame.column, strict=True)
    noisy = [records.grid.cells[place].get("noise", "clean") != "clean" for place in places]
    frame = frame[np.array(noisy, dtype=bool)].reset_index(drop=True)
    chosen = [
        mean_std([_at_chosen(record) for record in records.runs(row, column).values() if _both(record)])
        for row, column in zip(frame.row, frame.column, strict=True)
    ]
    frame[["chosen", "chosen_std"]] = pd.DataFrame(chosen, columns=["chosen", "chosen_std"], dtype="float64")
    return frame


def _both(record: Record) -> bool:
    return AUROC in record.curves and "validation_accuracy" in record.curves


def _at_chosen(record: Record) -> float:
    return record.curves[AUROC][best_epoch(record, "validation_accuracy") - 1]


def curves(records: Iterable[Record], losses: Sequence[str] | None = None) -> Figure:
    """The AUROC over the epochs: a panel for each noise, a line for each loss.

    With several seeds the line is their mean and the band goes from the least to the greatest.

    Parameters
    ----------
    records
        of one dataset; runs without wrong labels are passed over.
    losses
        which, and in which order in the legend; all of them otherwise.

    Raises
    ------
    InputError
        if no Record has an AUROC, or they do not belong together (`jal.reporting.groups.cells`).
    """
    noisy = [record for record in records if AUROC in record.curves]
    if not noisy:
        raise InputError("no Records with wrong labels to tell: run the experiment under noise first")
    by_noise = cells(noisy)
    shown = (
        losses
        if losses is not None
        else list(dict.fromkeys(loss for runs in by_noise.values() for loss in runs))
    )
    figure, grid = panels([noise_title(noise) for noise in by_noise], "epoch", "AUROC")
    for axes, runs in zip(grid, by_noise.values(), strict=True):
        axes.axhline(GUESSING, color=INK, linewidth=0.8, linestyle=(0, (1, 2)))
        for order, loss in enumerate(shown):
            _draw(axes, [record.curves[AUROC] for record in runs.get(loss, [])], line(loss, order))
    handles = [Line2D([], [], label=loss, **line(loss, order)) for order, loss in enumerate(shown)]
    figure.legend(handles=handles, loc="outside right upper")
    return figure


def _draw(axes: Axes, curves: Sequence[Sequence[float]], look: Mapping[str, Any]) -> None:
    if curves:
        values = np.array(curves)
        epochs = np.arange(1, values.shape[1] + 1)
        axes.plot(epochs, values.mean(0), **look)
        axes.fill_between(epochs, values.min(0), values.max(0), color=look["color"], alpha=0.15, linewidth=0)


def in_words(records: GridRecords) -> str:
    """For each noise, as a Markdown list: whose loss tells wrong labels best in the end, and whose lost most."""
    lines = []
    for column, frame in aurocs(records).groupby("column", sort=False):
        there = [row for row in frame.itertuples() if row.n]
        if not there:
            lines.append(f"- **{column}**: not run.")
            continue
        there.sort(key=lambda row: -row.last)
        last = listed(f"{plus_minus(row.last, row.last_std, 3)} ({row.row})" for row in there)
        most = max(there, key=lambda row: row.best - row.last)
        text = f"- **{column}**: after the last epoch the AUROC is {last}."
        if most.best > most.last:
            text += (
                f" It falls most for {most.row}, from {most.best:.3f} at its best (epoch {most.best_epoch:.0f}) "
                f"to {most.last:.3f}"
            )
            known = not math.isnan(most.chosen)
            text += f"; where the noisy labels would stop it is {most.chosen:.3f}." if known else "."
        missing = len(frame) - len(there)
        lines.append(text + (f" {missing} of {len(frame)} are not run." if missing else ""))
    return "\n".join(lines)
