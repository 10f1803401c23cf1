"""What the paper says of its rankings, as tests that its own numbers and ours take alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan
from pathlib import Path

import pandas as pd

from jal.analysis.comparison import Cell, accuracies
from jal.analysis.stats import Summary, compare
from jal.analysis.text import with_interval
from jal.errors import unknown

JAL = ("JAL-CE", "JAL-FL")


Column = Mapping[str, Summary]
"""The losses under one noise."""

Columns = Mapping[str, Column]
"""A table's columns by their labels, each with the losses that are there."""


def by_column(
    frame: pd.DataFrame, column: str, row: str, values: Sequence[str] = ("mean", "std", "n")
) -> dict[str, dict[str, Summary]]:
    """The summaries that a frame holds, by the labels of column and row; without the cells that are empty there.

    Parameters
    ----------
    column, row, values
        which of the frame's columns have the labels, and mean, deviation and number of runs.
    """
    columns: dict[str, dict[str, Summary]] = {name: {} for name in frame[column]}
    for at, name, mean, *rest in frame[[column, row, *values]].astype(object).itertuples(index=False):
        if not pd.isna(mean):
            columns[at][name] = Summary(mean, *(None if pd.isna(value) else value for value in rest))
    return columns


def reported_columns(
    table: int, root: str | Path | None = None, dataset: str | None = None
) -> dict[str, dict[str, Summary]]:
    """A table of the paper, or what it has of one dataset, by condition and loss."""
    frame = accuracies(table, root)
    return by_column(frame if dataset is None else frame[frame["dataset"].eq(dataset)], "condition", "loss")


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


def over_others(columns: Columns, losses: Sequence[str] = JAL) -> dict[str, Lead]:
    """The best of some losses against the best of all others, in each column that has both."""
    return {
        name: found
        for name, column in columns.items()
        if (found := lead(column, losses, [loss for loss in column if loss not in losses]))
    }


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

    def detail(self, columns: Mapping[str, Column], rivals: Mapping[str, frozenset[str]]) -> str:
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

    Yes: the lead is that much, and Welch's 95 % interval excludes 0. No: the interval stays below `least`. Where
    standard deviations are not reported the lead alone decides; one run decides nothing.
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
        if found is None:
            return [None]
        if found.interval is None and 1 in (column[found.loss].n, column[found.over].n):
            return [None]
        low, high = found.interval or (found.points, found.points)
        if high < self.least and column.keys() >= set(self.losses):
            return [False]
        return [True if found.points >= self.least and low > 0 and rivals <= column.keys() else None]

    def detail(self, columns: Mapping[str, Column], rivals: Mapping[str, frozenset[str]]) -> str:
        """The leads, or of many how many there are."""
        leads = {name: found for name in columns if (found := lead(columns[name], self.losses, rivals[name]))}
        if len(leads) <= 3:
            return "; ".join(f"{name}: {found}" for name, found in leads.items())
        ahead = sum(found.points > 0 for found in leads.values())
        clear = sum(found.interval is not None and found.interval[0] > 0 for found in leads.values())
        return f"ahead in {ahead} of {len(leads)}, in {clear} beyond the interval"


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper and its test.

    Attributes
    ----------
    quote, where
        its words, and where they stand.
    table, conditions
        of the paper's tables, and of its conditions (`Cell.condition`), those that the sentence is about.
    grid
        whose cells are measured for it.
    test
        what has to hold under each condition,
    most
        or under more than half of them.
    """

    quote: str
    where: str
    table: int
    grid: str
    conditions: tuple[str, ...]
    test: TopTwo | Gain
    most: bool = False


def _conditions(dataset: str) -> tuple[str, ...]:
    """Table 3's."""
    return (
        f"{dataset} clean",
        *(f"{dataset} symmetric {rate}" for rate in (0.2, 0.4, 0.6, 0.8)),
        *(f"{dataset} asymmetric {rate}" for rate in (0.1, 0.2, 0.3, 0.4)),
    )


_INSTANCE = tuple(
    f"{dataset} instance {rate}" for dataset in ("cifar10", "cifar100") for rate in (0.2, 0.4, 0.6)
)
_HUMAN = ("cifar10 human aggre", "cifar10 human rand1", "cifar10 human worst", "cifar100 human noisy")
_REAL = ("webvision", "webvision ilsvrc12", "clothing1m")
_EARLIER = ("NCE+AUL", "NCE+AGCE")

CLAIMS = (
    Claim(
        "consistently ranking among the top-2 in most scenarios",
        "Section 5.1, Table 3, CIFAR-10", 3, "table3-cifar10", _conditions("cifar10"), TopTwo(), most=True,
    ),
    Claim(
        "consistently ranking among the top-2 in most scenarios",
        "Section 5.1, Table 3, CIFAR-100", 3, "table3-cifar100", _conditions("cifar100"), TopTwo(), most=True,
    ),
    Claim(
        "JAL achieves an improvement in accuracy of about 3%",
        "Section 5.1, Table 3, CIFAR-10", 3, "table3-cifar10", ("cifar10 symmetric 0.8",), Gain(2.5),
    ),
    Claim(
        "our method significantly outperforms previous state-of-the-art methods in most cases",
        "Section 5.1, Table 3, CIFAR-100", 3, "table3-cifar100", _conditions("cifar100"), Gain(0.0), most=True,
    ),
    Claim(
        "our method improves accuracy by 10% under 0.4 asymmetric noise",
        "Section 5.1, Table 3, CIFAR-100", 3, "table3-cifar100", ("cifar100 asymmetric 0.4",), Gain(9.5),
    ),
    Claim(
        "our JAL method outperforms previous asymmetric loss approaches",
        "Section 5.1, Table 3, CIFAR-10", 3, "table3-cifar10", _conditions("cifar10"), Gain(0.0, over=_EARLIER),
    ),
    Claim(
        "our JAL-CE and JAL-FL consistently achieve top-2 performance across all cases",
        "Section 5.1, Table 4", 4, "table4", _INSTANCE, TopTwo(),
    ),
    Claim(
        "3~4% increase in accuracy under 0.6 instance-dependent noise",
        "Section 5.1, Table 4", 4, "table4", ("cifar10 instance 0.6", "cifar100 instance 0.6"), Gain(2.5),
    ),
    Claim(
        "our method achieves top-2 performance",
        "Section 5.1, Table 5", 5, "table5", _HUMAN, TopTwo(),
    ),
    Claim(
        "achieving the highest accuracy across all real-world datasets",
        "Section 5.2, Table 6", 6, "table6", _REAL, Gain(0.0),
    ),
)  # fmt: skip
"""The paper's statements on rankings and leads. "About 3 %" is read as 2.5 points or more, 10 % as 9.5 or more."""


def claims(
    measured: Mapping[str, Iterable[Cell]] | None = None,
    which: Sequence[Claim] = CLAIMS,
    root: str | Path | None = None,
) -> pd.DataFrame:
    """Each claim's test on the reported numbers and on ours.

    Parameters
    ----------
    measured
        cells by the name of their grid; their rows are losses.
    root
        the checkout that holds the reported numbers, if not the one found upwards.

    Returns
    -------
    a frame with the columns claim, where, test, reported, reported_detail, measured, measured_detail. The outcome on
    either side is "holds", "fails", "inconclusive" (the runs cannot tell), "not reported", "not run", or "partly
    reported", "partly run" where what is missing could decide it.

    Raises
    ------
    InputError
        for a claim about a condition that neither the paper's table nor a given grid has.
    """
    rows = []
    for claim in which:
        paper = reported_columns(claim.table, root)
        for name in claim.conditions:
            if name not in paper:
                raise unknown(f"condition of table {claim.table}", name, paper)
        ours = _columns((measured or {}).get(claim.grid, ()))
        rivals = {name: _rivals(claim.test, paper[name]) for name in claim.conditions}
        on_paper = _judge(claim.test, paper, rivals, claim.most, "reported")
        on_ours = _judge(claim.test, ours, rivals, claim.most, "run")
        rows.append((f"“{claim.quote}”", claim.where, _in_words(claim), *on_paper, *on_ours))
    return pd.DataFrame(
        rows,
        columns=["claim", "where", "test", "reported", "reported_detail", "measured", "measured_detail"],
        dtype="string",
    )


def judge(test: TopTwo | Gain, cells: Iterable[Cell], most: bool = False) -> tuple[str, str]:
    """Outcome and detail, as in `claims`, of a test on the measured values of any grid whose rows are losses.

    Parameters
    ----------
    most
        whether more than half of the columns will do; otherwise all must.
    """
    # By the column's label: a grid may have several columns under one condition, with other recipes.
    cells = [replace(cell, condition=cell.column) for cell in cells]
    rows: dict[str, set[str]] = {}
    for cell in cells:
        rows.setdefault(cell.condition, set()).add(cell.row)
    rivals = {name: _rivals(test, losses) for name, losses in rows.items()}
    return _judge(test, _columns(cells), rivals, most, "run")


def _judge(
    test: TopTwo | Gain,
    table: Mapping[str, Column],
    rivals: Mapping[str, frozenset[str]],
    most: bool,
    verb: str,
) -> tuple[str, str]:
    columns = {name: table.get(name, {}) for name in rivals}
    if not any(loss in column for column in columns.values() for loss in test.losses):
        return f"not {verb}", ""
    needed = len(columns) // 2 + 1 if most else len(columns)
    votes = zip(*(test.votes(column, rivals[name]) for name, column in columns.items()), strict=True)
    verdicts = [
        True if vote.count(True) >= needed else False if len(vote) - vote.count(False) < needed else None
        for vote in votes
    ]
    if False in verdicts:
        outcome = "fails"
    elif all(verdicts):
        outcome = "holds"
    else:
        complete = all(column.keys() >= rivals[name].union(test.losses) for name, column in columns.items())
        outcome = "inconclusive" if complete else f"partly {verb}"
    return outcome, test.detail(columns, rivals)


def _rivals(test: TopTwo | Gain, losses: Iterable[str]) -> frozenset[str]:
    """Those that the test's own losses stand against: the ones it names, or all others that are there."""
    named = test.over if isinstance(test, Gain) else None
    return frozenset(named or set(losses) - set(test.losses))


def _in_words(claim: Claim) -> str:
    many = len(claim.conditions)
    scope = f"in more than half of {many} columns" if claim.most else f"in all {many} columns"
    return f"{claim.test}, {scope}" if many > 1 else f"{claim.test}, {claim.conditions[0]}"


def _columns(cells: Iterable[Cell]) -> dict[str, dict[str, Summary]]:
    """The measured values, by condition and loss."""
    columns: dict[str, dict[str, Summary]] = {}
    for cell in cells:
        if cell.measured:
            columns.setdefault(cell.condition, {})[cell.row] = Summary.of(cell.measured)
    return columns
