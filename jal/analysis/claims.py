"""What the paper says of its rankings, as tests that its own numbers and ours take alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import nan

import pandas as pd

from jal.analysis.frame import side, summary
from jal.analysis.stats import Summary, compare
from jal.analysis.text import with_interval

JAL = ("JAL-CE", "JAL-FL")

Column = Mapping[str, Summary]
"""The losses under one noise."""

Columns = Mapping[str, Column]
"""A table's columns by their labels, each with the losses that are there."""


def columns_of(tidy: pd.DataFrame, source: str = "paper") -> dict[str, dict[str, Summary]]:
    """One side of a tidy frame, by column and row; a column without a number is there, and empty."""
    cells = tidy[tidy["metric"].eq("accuracy")]
    columns: dict[str, dict[str, Summary]] = {str(name): {} for name in cells["column"].drop_duplicates()}
    for (column, row), cell in cells[cells["source"].eq(source)].groupby(["column", "row"], sort=False):
        found = side(cell)
        if found is not None:
            columns[column][row] = found
    return columns


def ranks(tidy: pd.DataFrame, source: str = "paper") -> pd.DataFrame:
    """The rank of each row's mean in each column, 1 for the highest, equals sharing the better; and "mean rank"."""
    found = summary(tidy[tidy["source"].eq(source)], ["row", "column"])
    means = found.pivot(index="row", columns="column", values="mean")
    order = [found[name].drop_duplicates() for name in ("row", "column")]
    table = means.reindex(index=order[0], columns=order[1]).rank(ascending=False, method="min")
    return table.assign(**{"mean rank": table.mean(axis=1).round(1)}).rename_axis(index=None, columns=None)


def top_two(column: Column) -> tuple[str, ...]:
    """The losses with the two highest means, best first; those that share the second place are all there."""
    ranked = sorted(column, key=lambda loss: -column[loss].mean)
    return tuple(
        loss for loss in ranked if sum(column[other].mean > column[loss].mean for other in ranked) < 2
    )


@dataclass(frozen=True)
class Lead:
    """How far `loss`, the best of some, is above `over`, the best of others: points, and Welch's 95 % interval.

    The interval is that of two means; that both are the best of several is not in it. None without a spread.
    """

    loss: str
    over: str
    points: float
    interval: tuple[float, float] | None

    def __str__(self) -> str:
        points = with_interval(self.points, *(self.interval or (nan, nan)), digits=2)
        return f"{self.loss} over {self.over} by {points}{'' if self.interval else ' (no interval)'}"


def lead(column: Column, losses: Iterable[str], over: Iterable[str]) -> Lead | None:
    """The best of `losses` against the best of `over`, among those that are there; None where either has none."""
    ours, others = ([loss for loss in names if loss in column] for names in (losses, over))
    if not (ours and others):
        return None
    best, second = (max(names, key=lambda loss: column[loss].mean) for names in (ours, others))
    gap = compare(column[best], column[second])
    return Lead(best, second, gap.difference, gap.interval)


def leads(columns: Columns, losses: Sequence[str] = JAL) -> pd.DataFrame:
    """The best of some losses against the best of all others, a row for each column that has both.

    Returns
    -------
    a frame with the columns column, one, over, difference, low and high, as `jal.analysis.frame.versus` has them, and
    pair: all three names, as a figure writes them beside a mark.
    """
    rows = []
    for name, column in columns.items():
        found = lead(column, losses, [loss for loss in column if loss not in losses])
        if found is not None:
            low, high = found.interval or (nan, nan)
            rows.append((name, found.loss, found.over, found.points, low, high))
    found_in = pd.DataFrame(rows, columns=["column", "one", "over", "difference", "low", "high"])
    return found_in.assign(pair=found_in["column"] + "\n" + found_in["one"] + " over " + found_in["over"])


@dataclass(frozen=True)
class TopTwo:
    """Each of `losses` has one of the two highest means: what the paper's bold type says, without a test."""

    losses: tuple[str, ...] = JAL

    def __str__(self) -> str:
        return f"{' and '.join(self.losses)} each among the two highest means"

    def votes(self, column: Column, rivals: frozenset[str]) -> list[bool | None]:
        """For each loss whether it is; None where it, or a rival that might push it out, was not run."""
        best, complete = top_two(column), rivals.union(self.losses) <= column.keys()
        return [
            None if loss not in column else False if loss not in best else True if complete else None
            for loss in self.losses
        ]

    def detail(self, columns: Columns, rivals: frozenset[str]) -> str:
        """How often each is, among the columns that have it."""
        counts = []
        for loss in self.losses:
            there = [column for column in columns.values() if loss in column]
            among = sum(loss in top_two(column) for column in there)
            counts.append(f"{loss} in {among} of {len(there)}" if there else f"{loss} has no number")
        return ", ".join(counts)


@dataclass(frozen=True)
class Gain:
    """The best of `losses` leads the best of `over` (None: of all others) by `least` points or more, beyond chance.

    Yes: the lead is that much, and Welch's 95 % interval excludes 0. No: the interval stays below `least`. Without an
    interval, as single runs have none, nothing is decided.
    """

    least: float
    losses: tuple[str, ...] = JAL
    over: tuple[str, ...] | None = None

    def __str__(self) -> str:
        rival = f"the better of {' and '.join(self.over)}" if self.over else "the best other loss"
        points = f" by {self.least:g} points or more" if self.least else ""
        return (
            f"the better of {' and '.join(self.losses)} above {rival}{points}, Welch's 95 % interval above 0"
        )

    def votes(self, column: Column, rivals: frozenset[str]) -> list[bool | None]:
        """Whether it does; None where the runs cannot tell, or a loss that might change it was not run."""
        found = lead(column, self.losses, rivals)
        if found is None or found.interval is None:
            return [None]
        low, high = found.interval
        if high < self.least and column.keys() >= set(self.losses):
            return [False]
        return [True if found.points >= self.least and low > 0 and rivals <= column.keys() else None]

    def detail(self, columns: Columns, rivals: frozenset[str]) -> str:
        """The leads, or of many how many there are."""
        found = {name: lead(column, self.losses, rivals) for name, column in columns.items()}
        there = {name: one for name, one in found.items() if one is not None}
        if len(there) <= 3:
            return "; ".join(f"{name}: {one}" for name, one in there.items())
        ahead = sum(one.points > 0 for one in there.values())
        clear = sum(one.interval is not None and one.interval[0] > 0 for one in there.values())
        return f"ahead in {ahead} of {len(there)}, in {clear} beyond the interval"


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper and its test.

    Attributes
    ----------
    quote, where
        its words, and where they stand.
    grid, columns
        the table that it is about, by the grid's name, and its columns; None: all.
    test
        what has to hold in each column,
    most
        or in more than half of them.
    """

    quote: str
    where: str
    grid: str
    test: TopTwo | Gain
    columns: tuple[str, ...] | None = None
    most: bool = False


_TEN, _HUNDRED = "Section 5.1, Table 3, CIFAR-10", "Section 5.1, Table 3, CIFAR-100"

CLAIMS = (
    Claim(
        "consistently ranking among the top-2 in most scenarios", _TEN, "table3-cifar10", TopTwo(), most=True
    ),
    Claim(
        "consistently ranking among the top-2 in most scenarios", _HUNDRED, "table3-cifar100", TopTwo(), most=True
    ),
    Claim(
        "JAL achieves an improvement in accuracy of about 3%", _TEN, "table3-cifar10", Gain(2.5), ("symmetric 0.8",)
    ),
    Claim(
        "our method significantly outperforms previous state-of-the-art methods in most cases",
        _HUNDRED, "table3-cifar100", Gain(0.0), most=True,
    ),
    Claim(
        "our method improves accuracy by 10% under 0.4 asymmetric noise",
        _HUNDRED, "table3-cifar100", Gain(9.5), ("asymmetric 0.4",),
    ),
    Claim(
        "our JAL method outperforms previous asymmetric loss approaches",
        _TEN, "table3-cifar10", Gain(0.0, over=("NCE+AUL", "NCE+AGCE")),
    ),
    Claim(
        "our JAL-CE and JAL-FL consistently achieve top-2 performance across all cases",
        "Section 5.1, Table 4", "table4", TopTwo(),
    ),
    Claim(
        "3~4% increase in accuracy under 0.6 instance-dependent noise",
        "Section 5.1, Table 4", "table4", Gain(2.5), ("CIFAR-10 0.6", "CIFAR-100 0.6"),
    ),
    Claim("our method achieves top-2 performance", "Section 5.1, Table 5", "table5", TopTwo()),
    Claim(
        "achieving the highest accuracy across all real-world datasets",
        "Section 5.2, Table 6", "table6", Gain(0.0),
    ),
)  # fmt: skip
"""The paper's statements on rankings and leads. "About 3 %" is read as 2.5 points or more, 10 % as 9.5 or more."""


def claims(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Each claim's test on the reported numbers and on ours.

    Parameters
    ----------
    tables
        tidy frames of the full recipe by the name of their grid; claims about other grids are left out.

    Returns
    -------
    a frame with the columns claim, where, test, reported, reported detail, measured, measured detail. The outcome on
    either side is "holds", "fails", "undecided" (the trials cannot tell), "not reported", "not run", or "partly
    reported", "partly run" where what is missing could decide it.
    """
    rows = []
    for claim in CLAIMS:
        if claim.grid not in tables:
            continue
        tidy = tables[claim.grid]
        wanted = list(claim.columns or tidy["column"].drop_duplicates())
        tidy = tidy[tidy["column"].isin(wanted)]
        scope = f"in {'more than half of' if claim.most else 'all'} {len(wanted)} columns"
        test = f"{claim.test}, {scope if len(wanted) > 1 else wanted[0]}"
        sides = (judge(claim.test, tidy, source, claim.most) for source in ("paper", "ours"))
        rows.append((f"“{claim.quote}”", claim.where, test, *(text for side in sides for text in side)))
    names = ("claim", "where", "test", "reported", "reported detail", "measured", "measured detail")
    return pd.DataFrame(rows, columns=names, dtype="string")


def judge(
    test: TopTwo | Gain, tidy: pd.DataFrame, source: str = "ours", most: bool = False
) -> tuple[str, str]:
    """Outcome and detail, as in `claims`, of a test on one side of a tidy frame whose rows are losses.

    Parameters
    ----------
    most
        whether more than half of the columns will do; otherwise all must.
    """
    verb = "run" if source == "ours" else "reported"
    losses = set(tidy["row"].drop_duplicates())
    named = test.over if isinstance(test, Gain) else None
    rivals = frozenset(loss for loss in named or losses - set(test.losses) if loss in losses)
    columns = columns_of(tidy, source)
    if not any(loss in column for column in columns.values() for loss in test.losses):
        return f"not {verb}", ""
    needed = len(columns) // 2 + 1 if most else len(columns)
    votes = zip(*(test.votes(column, rivals) for column in columns.values()), strict=True)
    verdicts = [
        True if vote.count(True) >= needed else False if len(vote) - vote.count(False) < needed else None
        for vote in votes
    ]
    if False in verdicts:
        outcome = "fails"
    elif all(verdicts):
        outcome = "holds"
    else:
        complete = all(column.keys() >= rivals.union(test.losses) for column in columns.values())
        outcome = "undecided" if complete else f"partly {verb}"
    return outcome, test.detail(columns, rivals)
