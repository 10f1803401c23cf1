"""Which samples are noisy: how well a training image's loss tells a wrong label from a right one.

The AUROC is the share of pairs of a wrong and a right label in which the wrong one has the larger loss, a tie counting
half: 0.5 is what guessing gives. A Record has it of each epoch's own batches, every image's loss before the step that
it took part in.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from jal.analysis.figures import INK, curve, line
from jal.analysis.frames import typed
from jal.analysis.groups import cells, noise_title
from jal.analysis.panels import legend, panels
from jal.analysis.records import GridRecords, mean_std
from jal.analysis.studies.cell_curves import best_epoch, ends, shown
from jal.analysis.text import listed, number, plus_minus, signed
from jal.errors import InputError
from jal.experiments.record import Record

AUROC = "noise_auroc"
GUESSING = 0.5

MARKERS = ("o", "s", "^", "D", "v", "P", "X")


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
        if no Record has an AUROC, or they do not belong together (`jal.analysis.groups.cells`).
    """
    noisy = [record for record in records if AUROC in record.curves]
    if not noisy:
        raise InputError("no Records with wrong labels to tell: run the experiment under noise first")
    by_noise = cells(noisy)
    names = (
        losses
        if losses is not None
        else list(dict.fromkeys(loss for runs in by_noise.values() for loss in runs))
    )
    figure, grid = panels([noise_title(noise) for noise in by_noise], "epoch", "AUROC")
    for axes, runs in zip(grid, by_noise.values(), strict=True):
        axes.axhline(GUESSING, color=INK, linewidth=0.8, linestyle=(0, (1, 2)))
        for order, loss in enumerate(names):
            curve(axes, runs.get(loss, []), AUROC, line(loss, order))
    legend(figure, {loss: line(loss, order) for order, loss in enumerate(names)})
    return figure


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
        lines.append(text + (f" {missing} of {len(frame)} losses are not run yet." if missing else ""))
    return "\n".join(lines)


# Why: what a network fits and what it memorises


def fits(records: GridRecords) -> pd.DataFrame:
    """Each run's AUROC after the last epoch, and what fit and memory alone would make of it.

    A loss that only says whether a network reproduces a label, 0 or 1, has the AUROC (1 + c - m) / 2: c is the share
    of right labels that it reproduces, m that of wrong ones.

    Returns
    -------
    a frame with the columns row, column, seed, auroc, two_valued, right and memorised (c and m, per cent).
    """
    rows = []
    for row, column in shown(records):
        for seed, record in records.runs(row, column).items():
            if AUROC in record.curves:
                c, m = record.curves["clean_accuracy"][-1], record.curves["memorised"][-1]
                rows.append((row, column, seed, record.curves[AUROC][-1], (1 + (c - m) / 100) / 2, c, m))
    numbers = dict.fromkeys(("auroc", "two_valued", "right", "memorised"), float)
    return typed(rows, row=str, column=str, seed=int, **numbers)


def fit_chart(fits: pd.DataFrame) -> Figure:
    """The AUROC of each run against that of a two-valued loss; below the diagonal the loss's size would mislead.

    Raises
    ------
    InputError
        without a run.
    """
    if fits.empty:
        raise InputError("no Records with wrong labels to tell: run the experiment under noise first")
    figure, (axes,) = panels([""], "(1 + right − memorised) / 2", "AUROC of the loss")
    figure.set_size_inches(6.4, 3.6)
    ends = [min(fits["two_valued"].min(), fits["auroc"].min()) - 0.02, 1.0]
    axes.plot(ends, ends, color=INK, linewidth=0.8, linestyle=(0, (1, 2)))
    for order, (row, some) in enumerate(fits.groupby("row", sort=False)):
        look = {"color": line(str(row), order)["color"], "marker": MARKERS[order % len(MARKERS)]}
        axes.plot(some["two_valued"], some["auroc"], linestyle="", markersize=5, label=row, **look)
    figure.legend(loc="outside right upper")
    return figure


def said_of_fits(fits: pd.DataFrame) -> str:
    """How near the AUROC is to that of a two-valued loss, and on which side."""
    if fits.empty:
        return "No run with wrong labels is there yet."
    more = fits["auroc"] - fits["two_valued"]
    together = fits["auroc"].corr(fits["two_valued"]) if fits["two_valued"].nunique() > 1 else math.nan
    above = int(more.gt(0).sum())
    return (
        f"Over the {len(fits)} runs the AUROC lies above the two-valued one in {above}; the difference is "
        f"{signed(more.mean(), 3)} on average, from {signed(more.min(), 3)} to {signed(more.max(), 3)}"
        + ("." if math.isnan(together) else f", and the two correlate with {together:.3f}.")
    )


# With the losses of the samples at hand


def auroc(values: ArrayLike, wrong: ArrayLike) -> float:
    """Of all pairs of a wrong and a right label, the share whose wrong one has the larger value; a tie counts half.

    Parameters
    ----------
    values
        (N,): the larger, the more suspect.
    wrong
        (N,) whether the label is wrong.

    Raises
    ------
    InputError
        if not some labels are right and some wrong.
    """
    scores, flags = _told(values, wrong)
    count = int(flags.sum())
    return float((rankdata(scores)[flags].sum() - count * (count + 1) / 2) / (count * (len(flags) - count)))


def precision(values: ArrayLike, wrong: ArrayLike) -> NDArray[np.float64]:
    """Of the k samples with the largest values, the share whose label is wrong: for k = 1, ..., N.

    Raises
    ------
    InputError
        as `auroc`.
    """
    scores, flags = _told(values, wrong)
    order = np.argsort(-scores, kind="stable")
    return np.asarray(flags[order].cumsum() / np.arange(1, len(flags) + 1), np.float64)


def _told(values: ArrayLike, wrong: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    scores, flags = np.asarray(values, np.float64), np.asarray(wrong, bool)
    if scores.shape != flags.shape or scores.ndim != 1 or not 0 < flags.sum() < len(flags):
        raise InputError(
            f"{scores.shape} values for {flags.shape} labels, {int(flags.sum())} of them wrong: give one value a "
            "label, and labels of both kinds"
        )
    return scores, flags


def precision_table(
    suspicions: Mapping[str, ArrayLike], wrong: ArrayLike, sizes: Sequence[int]
) -> pd.DataFrame:
    """For each way to suspect labels its AUROC, and the precision at some k: per cent, as text."""
    rows = {
        name: {"AUROC": number(auroc(values, wrong), 3)}
        | {f"first {k} [%]": number(100 * float(precision(values, wrong)[k - 1])) for k in sizes}
        for name, values in suspicions.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def precision_chart(
    suspicions: Mapping[str, ArrayLike], wrong: ArrayLike, looks: Mapping[str, Mapping[str, Any]]
) -> Figure:
    """The precision at every k, a line for each way to suspect labels; dotted, what drawing lots gives.

    Parameters
    ----------
    looks
        colour and dash of each line.
    """
    flags = np.asarray(wrong, bool)
    figure, (axes,) = panels([""], "samples looked at, the most suspect first", "of them wrong [%]")
    figure.set_size_inches(6.4, 3.4)
    axes.axhline(100 * flags.mean(), color=INK, linewidth=0.8, linestyle=(0, (1, 2)))
    axes.axvline(flags.sum(), color=INK, linewidth=0.8, linestyle=(0, (1, 2)))
    for name, values in suspicions.items():
        axes.plot(np.arange(1, len(flags) + 1), 100 * precision(values, flags), label=name, **looks[name])
    axes.set_ylim(0, 102)
    figure.legend(loc="outside right upper")
    return figure
