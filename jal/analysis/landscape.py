"""What other methods report on the paper's data: cited, not rerun, each number with where it was read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from jal.analysis.figures import INK, PALETTE
from jal.analysis.paper import read_file, reported
from jal.analysis.text import listed, number, percent
from jal.errors import InputError, unknown

SOURCES = {
    "wang2025jal": "the JAL paper",
    "han2018coteaching": "Co-teaching, 2018",
    "li2020dividemix": "DivideMix, 2020",
    "liu2020elr": "ELR, 2020",
    "wang2024epsilon": "the CIFAR-N leaderboard, as of 2024",
    "hudovernik2026cifarn": "a replication, 2026",
}
"""The sources by their keys in the bibliography, and what tables call them."""

KINDS = ("loss", "regulariser", "two networks", "semi-supervised")
"""What a method changes of plain training, from the least to the most."""

EPOCHS = ("last", "last ten", "noisy validation", "held out", "best", "not stated")
"""Which epoch's accuracy is reported; "best" is chosen on the test set itself."""

_KIND_COLOURS = dict(zip(KINDS, (PALETTE[0], PALETTE[4], PALETTE[2], PALETTE[3]), strict=True))
_EPOCH_MARKS = dict(zip(EPOCHS, ("o", "s", "v", "D", "^", "x"), strict=True))


def landscape(root: str | Path | None = None) -> pd.DataFrame:
    """Every number of `data/reported/landscape.csv`: a row for each method, label set, recipe and source.

    Returns
    -------
    a frame with the columns method, kind (one of `KINDS`), dataset, noise, variant, rate (the nominal one), accuracy
    (test, per cent), std, n (trials), network, epochs, epoch (one of `EPOCHS`), source (a key of `SOURCES`), where
    (in the source), read_in (the copy in which it was read). What is empty is missing: the copy at hand does not say.

    Raises
    ------
    InputError
        without a checkout, and for a file that cannot be read.
    """
    frame = read_file("landscape", root)
    if not np.isfinite(frame["accuracy"]).all():
        raise InputError("landscape.csv has a row without an accuracy: restore it with git checkout")
    return frame


def with_the_paper(losses: tuple[str, ...] = ("CE", "NCE+RCE", "JAL-CE")) -> pd.DataFrame:
    """`landscape`, and before it what the paper's Tables 3 and 5 report of some losses, in the same columns."""
    networks = {"cifar10": "CNN of 8 layers", "cifar100": "ResNet-34"}
    rows = []
    for table in (3, 5):
        frame = reported(table)
        frame = frame[frame["loss"].isin(losses) & frame["mean"].notna()]
        rows.append(
            pd.DataFrame(
                {
                    "method": frame["loss"],
                    "kind": "loss",
                    "dataset": frame["dataset"],
                    "noise": frame["noise"],
                    "variant": frame.get("variant", pd.NA),
                    "rate": frame["rate"],
                    "accuracy": frame["mean"],
                    "std": frame["std"],
                    "n": frame["n"],
                    "network": frame["dataset"].map(networks),
                    "epochs": frame["dataset"].map({"cifar10": 120, "cifar100": 200}),
                    "epoch": "last",
                    "source": "wang2025jal",
                    "where": f"Table {table}",
                    "read_in": "the paper",
                }
            )
        )
    theirs = landscape()
    return pd.concat([frame.astype(theirs.dtypes) for frame in (*rows, theirs)], ignore_index=True)


def true_rate(rate: float, num_classes: int, drawn_from: str) -> float:
    """The share of wrong labels behind a nominal symmetric rate.

    Parameters
    ----------
    rate
        the share of labels that are drawn anew.
    drawn_from
        "others": from the other classes, so that each is wrong. "all": from all classes, so that one in K is right.
    """
    if drawn_from not in ("others", "all"):
        raise unknown("set to draw from", drawn_from, ("others", "all"))
    return rate * (1 - 1 / num_classes) if drawn_from == "all" else rate


def table(frame: pd.DataFrame, columns: str) -> pd.DataFrame:
    """Accuracies as a table: a row for each method and recipe, a column for each value of one of the frame's columns.

    Parameters
    ----------
    frame
        rows of `landscape` of one dataset and kind of noise, or of CIFAR-N.
    columns
        "rate" or "variant".
    """
    shown = frame.assign(
        text=frame["accuracy"].map(number),
        source=frame["source"].map(SOURCES),
        network=frame["network"].fillna("not stated"),
    )
    row = ["source", "method", "epoch"]
    shown["network"] = shown.groupby(row)["network"].transform(lambda names: "; ".join(dict.fromkeys(names)))
    keys = ["method", "source", "network", "epoch"]
    wide = shown.pivot_table(index=keys, columns=columns, values="text", aggfunc="first", sort=False)
    wide = wide[sorted(wide.columns)] if columns == "rate" else wide
    if columns == "rate":
        wide.columns = [percent(rate, 0) for rate in wide.columns]
    return wide.fillna("").rename_axis(columns=None)


def dots(panels: dict[str, pd.DataFrame]) -> Figure:
    """Accuracies of methods, a panel for each label set: colour says what a method changes, shape which epoch counts.

    Parameters
    ----------
    panels
        rows of `with_the_paper`, by the panel's title. Methods are ordered by their best number in the first.
    """
    everything = pd.concat(panels.values())
    first = next(iter(panels.values())).groupby("method")["accuracy"].max()
    rest = everything.groupby("method")["accuracy"].max().drop(first.index)
    methods = [*rest.sort_values().index, *first.sort_values().index]
    places = {method: place for place, method in enumerate(methods)}
    figure: Figure
    figure, axes = plt.subplots(
        1, len(panels), figsize=(7.6, 1.2 + 0.27 * len(methods)), sharey=True, squeeze=False
    )
    for ax, (title, frame) in zip(axes[0], panels.items(), strict=True):
        ax.set_title(title)
        ax.set_xlabel("test accuracy [%]")
        for row in frame.itertuples():
            marker = _EPOCH_MARKS[row.epoch]
            fill = {"mfc": "white"} if marker != "x" else {}
            colour = _KIND_COLOURS[row.kind]
            ax.plot(row.accuracy, places[row.method], marker, color=colour, ms=6.5, mew=1.6, **fill)
    axes[0, 0].set_yticks(range(len(methods)), methods)
    axes[0, 0].set_ylim(-0.7, len(methods) - 0.3)
    kinds = [kind for kind in KINDS if kind in set(everything["kind"])]
    epochs = [epoch for epoch in EPOCHS if epoch in set(everything["epoch"])]
    handles = [Line2D([], [], color=_KIND_COLOURS[kind], lw=4, label=kind) for kind in kinds]
    handles += [
        Line2D([], [], color=INK, marker=_EPOCH_MARKS[epoch], ls="", mfc="white", mew=1.4, label=epoch)
        for epoch in epochs
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


def said_of_recipes(frame: pd.DataFrame, method: str, labels: str) -> str:
    """How far apart the numbers of one method on one set of labels are, and which recipes the ends have."""
    found = frame[frame["method"] == method].sort_values("accuracy")
    if len(found) < 2:
        raise InputError(f"{len(found)} numbers of {method} on {labels}: two or more can be apart")
    low, high = found.iloc[0], found.iloc[-1]
    return (
        f"On {labels} the {len(found)} numbers for {method} lie between {number(low.accuracy)} % "
        f"({_recipe(low)}) and {number(high.accuracy)} % ({_recipe(high)}): "
        f"{number(high.accuracy - low.accuracy)} points apart, with one and the same method."
    )


def said_of_gains(frame: pd.DataFrame, labels: str, base: str = "CE") -> str:
    """What each source's best method gains over its own cross entropy, a recipe at a time."""
    parts = []
    for (source, epoch, where), group in _recipes(frame):
        own = group.loc[group["method"] == base, "accuracy"]
        others = group[group["method"] != base]
        if own.empty or others.empty:
            continue
        best = others.loc[others["accuracy"].idxmax()]
        gain = best.accuracy - own.max()
        parts.append(f"{best.method} {number(gain)} points ({_short(source, epoch, where)})")
    return f"The most that a method gains over cross entropy in the same comparison, on {labels}: {listed(parts)}."


def said_of_leaders(frame: pd.DataFrame, among: str = "semi-supervised") -> str:
    """How often which kind of method has the highest number, in the columns that have one of a given kind."""
    columns = ["dataset", "noise", "rate", "variant"]
    leaders = []
    for _, comparison in _recipes(frame):
        for _, column in comparison.groupby(columns, dropna=False):
            if column["kind"].nunique() > 1 and among in set(column["kind"]):
                leaders.append(str(column.loc[column["accuracy"].idxmax(), "kind"]))
    if not leaders:
        return f"No column of a table has a {among} method beside another kind."
    counted = [f"{kind} in {leaders.count(kind)}" for kind in KINDS[::-1] if kind in leaders]
    return (
        f"In {len(leaders)} columns of these tables a {among} method stands beside other kinds. "
        f"The kind of the method with the highest number is {listed(counted)}."
    )


def _recipes(frame: pd.DataFrame) -> list[tuple[tuple[str, str, str], pd.DataFrame]]:
    """Rows that were compared with one another: of one source, place, and choice of the epoch."""
    place = frame["where"].str.partition(",")[0].rename("place")
    groups = frame.groupby(["source", "epoch", place], sort=False)
    return [((str(source), str(epoch), str(where)), group) for (source, epoch, where), group in groups]


def _recipe(row: pd.Series) -> str:
    network = "" if pd.isna(row["network"]) else f"{row['network']}, "
    return f"{SOURCES[row['source']]}, {network}{_epoch(row['epoch'])}"


def _short(source: str, epoch: str, where: str) -> str:
    return f"{SOURCES[source]}, {where}, {_epoch(epoch)}"


def _epoch(epoch: str) -> str:
    words = {"noisy validation": "epoch chosen by noisy labels", "not stated": "epoch not stated"}
    return words.get(epoch, f"{epoch} epochs" if epoch == "last ten" else f"{epoch} epoch")
