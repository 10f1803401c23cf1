"""Tables out of Records, as pandas DataFrames."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import fmean, stdev

import pandas as pd

from jal.analysis.groups import cells, noise_title
from jal.analysis.text import gap
from jal.experiments.record import Record

Value = Callable[[Record], float]


def last_accuracy(record: Record) -> float:
    """On the test set after the last epoch, per cent: what the paper's tables hold."""
    return record.accuracy


def last(quantity: str) -> Value:
    """A curve's last value."""
    return lambda record: record.curves[quantity][-1]


def lost_after_best(record: Record) -> float:
    """How far the test accuracy falls from its best epoch to its last, in points."""
    return max(record.curves["test_accuracy"]) - record.accuracy


def summary(records: Iterable[Record], value: Value = last_accuracy) -> pd.DataFrame:
    """Mean, unbiased standard deviation and number of runs, for each noise and loss.

    Returns
    -------
    a frame with columns noise, loss, mean, std (NaN for one run) and n, a row for each pair.
    """
    rows = [
        {
            "noise": noise_title(noise),
            "loss": loss,
            "mean": fmean(values),
            "std": stdev(values) if len(values) > 1 else float("nan"),
            "n": len(values),
        }
        for noise, losses in cells(records).items()
        for loss, runs in losses.items()
        for values in [[value(run) for run in runs]]
    ]
    return pd.DataFrame(rows)


def accuracy_table(
    records: Iterable[Record], value: Value = last_accuracy, losses: Sequence[str] | None = None
) -> pd.DataFrame:
    """Losses down, noises across, "mean ± std" in the cells; the mean alone for one run.

    Parameters
    ----------
    value
        what of a Record; the last epoch's test accuracy unless said otherwise.
    losses
        which, and in which order.
    """
    frame = summary(records, value)
    frame["cell"] = [
        f"{row.mean:.1f}" + (f" ± {row.std:.1f}" if row.n > 1 else "")
        for row in frame[["mean", "std", "n"]].itertuples()
    ]
    table = frame.pivot(index="loss", columns="noise", values="cell")
    order = list(losses) if losses is not None else list(frame["loss"].drop_duplicates())
    return (
        table.reindex(index=order, columns=frame["noise"].drop_duplicates())
        .fillna("")
        .rename_axis(index="loss", columns=None)
    )


def gap_table(frame: pd.DataFrame, rows: str) -> pd.DataFrame:
    """Differences as text, "+1.2 [−0.4, +2.8]": rows down, noises across; nothing where a side was not run.

    Rows of which nothing was run are left out.

    Parameters
    ----------
    frame
        with the columns column, difference, low and high.
    rows
        its column that has the rows' labels.
    """
    wide = frame.assign(text=list(map(gap, frame.itertuples())))
    wide = wide.pivot(index=rows, columns="column", values="text")
    down, across = (list(dict.fromkeys(frame[name])) for name in (rows, "column"))
    wide = wide.reindex(index=down, columns=across)
    return wide[wide.ne("").any(axis=1)].rename_axis(index=None, columns=None)
