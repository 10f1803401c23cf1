"""Sentences out of Records: what a page says of its own numbers is computed with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean

from jal.analysis.groups import cells, noise_title
from jal.analysis.old_tables import Value, last, lost_after_best
from jal.experiments.record import Record


def memorisation(records: Iterable[Record], losses: Sequence[str]) -> str:
    """For each noise, as a Markdown list: the wrong labels that a network reproduces, the accuracy it lost.

    Means over the seeds. `losses` says of which, in order; those without Records are passed over.
    """
    lines = []
    for noise, runs in cells(records).items():
        shown = [loss for loss in losses if loss in runs and "memorised" in runs[loss][0].curves]
        if not shown:
            continue
        reproduced = _list(shown, runs, last("memorised"), " %")
        lost = _list(shown, runs, lost_after_best, "")
        lines.append(
            f"- **{noise_title(noise)}**: of the wrong labels the network reproduces, after the last epoch, "
            f"{reproduced}. From its best epoch to the last the test accuracy falls by {lost} points."
        )
    return "\n".join(lines)


def _list(losses: Sequence[str], runs: dict[str, list[Record]], value: Value, unit: str) -> str:
    parts = [f"{fmean(map(value, runs[loss])):.1f}{unit} ({loss})" for loss in losses]
    return ", ".join(parts)
