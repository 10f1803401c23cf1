"""Test accuracies over the epochs of a training that leaves no Records: a figure, and a sentence of numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from jal.analysis.figures import line
from jal.analysis.text import number
from jal.errors import InputError


def curves(runs: Mapping[str, ArrayLike]) -> Figure:
    """Test accuracy against the epoch, a line for each loss; with several runs their mean, and a band of their range.

    Parameters
    ----------
    runs
        by loss: (runs, epochs) accuracies, per cent.
    """
    figure: Figure
    figure, ax = plt.subplots(figsize=(6.4, 3.3))
    for order, (loss, values) in enumerate(runs.items()):
        table = _checked(loss, values)
        epochs = np.arange(1, table.shape[1] + 1)
        ax.plot(epochs, table.mean(axis=0), label=loss, **line(loss, order))
        if len(table) > 1:
            colour = line(loss, order)["color"]
            ax.fill_between(
                epochs, table.min(axis=0), table.max(axis=0), color=colour, alpha=0.15, linewidth=0
            )
    ax.set(xlabel="epoch", ylabel="test accuracy [%]")
    ax.legend()
    return figure


def said_of_curves(runs: Mapping[str, ArrayLike]) -> str:
    """The best epoch and the last one of each loss, means over the runs."""
    parts = []
    for loss, values in runs.items():
        mean = _checked(loss, values).mean(axis=0)
        best = int(mean.argmax())
        parts.append(
            f"{loss}: {number(mean[best])} % after epoch {best + 1}, its best, "
            f"and {number(mean[-1])} % after the last"
        )
    return f"{'; '.join(parts)}."


def frame(runs: Mapping[str, ArrayLike]) -> pd.DataFrame:
    """The curves as rows: loss, run, epoch, accuracy."""
    rows = [
        {"loss": loss, "run": run, "epoch": epoch + 1, "accuracy": accuracy}
        for loss, values in runs.items()
        for run, curve in enumerate(_checked(loss, values))
        for epoch, accuracy in enumerate(curve)
    ]
    return pd.DataFrame(rows)


def _checked(loss: str, values: ArrayLike) -> np.ndarray:
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or not table.size:
        raise InputError(f"curves of {loss} have shape {table.shape}: give (runs, epochs) accuracies")
    return table
