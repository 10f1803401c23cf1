"""What accuracies without deviations can tell: single runs, and the test images as the only chance one can compute."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import special

from jal.analysis.claims import JAL, Columns, over_others
from jal.analysis.paper import reported
from jal.analysis.stats import LEVEL
from jal.analysis.text import listed, percent, signed
from jal.errors import InputError

TWO_SIDED = float(special.ndtri(1 - LEVEL / 2))
"""1.96: a normal variable is within so many standard deviations in 95 % of cases."""


def steps(accuracies: Collection[float], images: int, runs: int = 3) -> tuple[int, float]:
    """How many accuracies are those of whole test images, and how likely all would be, were they means of `runs`."""
    single, among = _reachable(images, 1), _reachable(images, runs)
    whole = sum(round(100 * value) in single for value in accuracies)
    return whole, (len(single) / len(among)) ** len(accuracies)


def said_of_steps(columns: Columns, images: Mapping[str, int], runs: int = 3) -> str:
    """Whether the reported accuracies are those of single runs: each is then a whole number of test images.

    Parameters
    ----------
    images
        how many test images each column has.
    runs
        of which a mean is the other possibility.
    """
    lines = []
    for count in dict.fromkeys(images[name] for name in columns):
        names = [name for name in columns if images[name] == count]
        values = [found.mean for name in names for found in columns[name].values()]
        if count >= 10_000:
            lines.append(
                f"- **{listed(names)}**: one image of {count:,} is {100 / count:.4f} points, finer than two "
                "decimals, so any accuracy could be that of a single run."
            )
            continue
        whole, chance = steps(values, count, runs)
        lines.append(
            f"- **{listed(names)}**: one image of {count:,} is {100 / count:.2f} points, and {whole} of "
            f"{len(values)} accuracies are a whole number of images. Were they means of {runs} runs, all would be so "
            f"by a chance of one in {float(f'{1 / chance:.2g}'):,.0f}."
        )
    return "\n".join(lines)


@cache
def _reachable(images: int, runs: int) -> frozenset[int]:
    """The accuracies that the mean of some runs can have, in hundredths of a point, as two decimals show them."""
    return frozenset(np.rint(10_000 * np.arange(runs * images + 1) / (runs * images)).astype(int).tolist())


def said_of_spread(tables: Sequence[int] = (3, 4, 5), root: str | Path | None = None) -> str:
    """By how much two single runs of one method would differ, did trials scatter as in other tables; in a sentence.

    Parameters
    ----------
    tables
        of the paper, whose standard deviations are taken.
    """
    median = float(pd.concat([reported(table, root)["std"] for table in tables]).median())
    return (
        f"In the median cell of Tables {listed(map(str, tables))} the trials have a standard deviation of "
        f"{median:.2f} points. Did they scatter as much here, two single runs of the very same method would be more "
        f"than {TWO_SIDED * math.sqrt(2) * median:.2f} points apart in one comparison of twenty."
    )


def half_width(accuracy: float, images: int) -> float:
    """Half the 95 % interval that so many test images leave an accuracy, both per cent, by the normal approximation."""
    share = accuracy / 100
    return 100 * TWO_SIDED * math.sqrt(share * (1 - share) / images)


def leads(columns: Columns, images: Mapping[str, int], losses: Sequence[str] = JAL) -> pd.DataFrame:
    """What the lead of some losses over all others can mean where each has one run and the test images are few.

    Two networks differ in accuracy by (b - c) / n, where one of them alone is right on b of n images, the other alone
    on c. Given the share d = (b + c) / n on which they disagree, the test set's chance gives that difference D the
    variance (d - D^2) / n. So D is beyond its 95 % interval only while d < D^2 (1 + n / 1.96^2).

    Parameters
    ----------
    images
        how many test images each column has.

    Returns
    -------
    a frame of text with a row for each column: who leads whom, by how much, in images, and the share of disagreement
    up to which the lead is more than the test set's chance (none for a lead that is not above 0).

    Raises
    ------
    InputError
        where no column has both.
    """
    rows = {}
    for name, found in over_others(columns, losses).items():
        n, share = images[name], found.points / 100
        largest = share**2 * (1 + n / TWO_SIDED**2)
        rows[name] = {
            "leader": f"{found.loss} over {found.over}",
            "points": signed(found.points, 2),
            "test images": f"{n:,}",
            "as images": f"{found.points * n / 100:.0f}",
            "more than chance if they disagree on less than": percent(largest) if share > 0 else "none",
        }
    if not rows:
        raise InputError(f"no column has both {' or '.join(losses)} and another loss: nothing leads")
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("column")
