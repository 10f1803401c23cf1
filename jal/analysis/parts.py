"""Chapters about the parts of a loss: a grid's runs at each profile, and what one row has over another, on each side.

A side is a table of accuracies that can be asked by itself: the paper's reported one, and ours at each profile, which
differ in dataset and recipe and are never averaged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jal.analysis import page
from jal.analysis.claims import Column, lead
from jal.analysis.old_tables import Value, last, last_accuracy
from jal.analysis.paper import in_paper
from jal.analysis.records import GridRecords, read
from jal.analysis.stats import Summary
from jal.analysis.studies.cell_curves import curves
from jal.analysis.text import listed, number, signed, with_interval
from jal.errors import InputError, unknown
from jal.experiments import complete, grids, stores
from jal.experiments.shelf import SEEDS

if TYPE_CHECKING:
    from jal.losses.loss import Loss

Found = Mapping[str, GridRecords]
"""What there is of a grid, by profile."""

Side = Mapping[str, Column]
"""A table of accuracies: by column, then by row."""

Pair = tuple[str, str]
"""Two rows, of which the first is asked what it has over the second."""

DATASETS = {"cifar10": "CIFAR-10", "fashion-mnist": "Fashion-MNIST", "digits": "digits"}
REPORTED = "as reported"
LABELS: Mapping[str, Value] = {
    "right labels reproduced": last("clean_accuracy"),
    "wrong labels reproduced": last("memorised"),
}
LAST_ACCURACY: Mapping[str, Value] = {"test accuracy after the last epoch, per cent": last_accuracy}


def evidence(
    name: str,
    profile: str,
    *,
    settings: str = "official",
    precision: str | None = None,
    seeds: Iterable[int] = (),
    jobs: int = 0,
    shown_precision: str = "any",
    root: str | Path | None = None,
) -> dict[str, GridRecords]:
    """What there is of a grid at each profile that a chapter shows; what `profile` itself lacks is run first.

    A chapter shows the full recipe and the laptop's at every profile, if the grid has them; the digits at quick, or
    where they are all that is below the full recipe.

    Parameters
    ----------
    settings
        "official" or "paper", of all the runs.
    precision
        of the runs of `profile`, as for `jal.experiments.grids.get`; the other profiles' runs are shown in their
        recipe's own.
    seeds, jobs
        of the runs that are made, as for `jal.experiments.complete`; the other profiles' runs are shown with their
        grid's own seeds.
    shown_precision
        of the full recipe's runs, as `jal.analysis.records.read` takes it.
    root
        the checkout, if not the one found upwards.
    """
    chosen = tuple(seeds) or None
    has = [each for each in grids.PROFILES if name in grids.names(each)]
    if profile not in grids.PROFILES:
        raise unknown("profile", profile, grids.PROFILES)
    own = profile if profile in has else has[0]
    live = grids.get(name, settings, own, precision)
    complete(live, own, seeds=chosen, jobs=jobs, root=root)
    shown = [each for each in reversed(has) if each != "quick" or own == "quick"]
    return {
        each: read(
            live if each == own else grids.get(name, settings, each),
            stores(root),
            chosen if each == own and chosen else SEEDS.get(each),
            shown_precision if each == "full" else "any",
        )
        for each in shown
    }


def name_of(found: GridRecords) -> str:
    """Dataset and length of a grid's runs, e.g. "Fashion-MNIST, 20 epochs"."""
    words = next(iter(found.grid.cells))
    (spec,) = found.grid.runs(words, found.seeds[:1])
    return f"{DATASETS.get(spec.dataset, spec.dataset)}, {spec.recipe.epochs} epochs"


def ours(found: Found) -> dict[str, GridRecords]:
    """The profiles that have any runs, by the name of what they run."""
    return {name_of(records): records for records in found.values() if records.records}


def foremost(found: Found, columns: Sequence[str]) -> dict[str, GridRecords]:
    """Of the profiles the one whose runs tell most of these columns, by its name; nothing where none was run.

    That is the nearest to the paper's recipe in which no cell is without a run, or else the one with most cells.
    """

    def cells(profile: str) -> list[bool]:
        return [bool(runs) for (_, column), runs in found[profile].cells.items() if column in columns]

    order = [profile for profile in reversed(grids.PROFILES) if profile in found and any(cells(profile))]
    if not order:
        return {}
    whole = [profile for profile in order if all(cells(profile))]
    best = whole[0] if whole else max(order, key=lambda profile: sum(cells(profile)))
    return {name_of(found[best]): found[best]}


def own_tables(found: Found, values: Mapping[str, Value] = LAST_ACCURACY) -> list[page.Block]:
    """The tables of each profile but the full one, with the line that says where they are from.

    Parameters
    ----------
    values
        what of a Record, by how the caption calls it.
    """
    blocks = []
    for profile, records in found.items():
        if profile == "full":
            continue
        if records.records:
            title = f"{name_of(records)} (profile {profile})"
            blocks += [
                page.grid_block(records, f"{title}: {what}", value=value) for what, value in values.items()
            ]
        blocks.append(page.origin(records, profile))
    return blocks


def origins(found: Found, names: Collection[str] | None = None) -> page.Block:
    """Where a figure of several profiles is from: a line for each.

    Parameters
    ----------
    names
        of the profiles that the figure shows (`name_of`); all of them if left out, or if it shows none.
    """
    lines = [
        page.origin(records, profile)
        for profile, records in found.items()
        if not names or name_of(records) in names
    ]
    return page.Block("\n".join(line.html for line in lines), "\n\n".join(line.markdown for line in lines))


def data(frame: pd.DataFrame, file: str, text: str) -> page.Block:
    """A line with a link to the numbers behind a figure that no Record holds as they are drawn."""
    html = f'<p class="jal-origin">{page.download(frame, file, text)}</p>'
    return page.Block(html, f"*On the web page: {text}.*")


def reported_side(found: GridRecords, root: str | Path | None = None) -> dict[str, dict[str, Summary]]:
    """The paper's own numbers of the table that a grid is; nothing if it is none."""
    lookup = in_paper(found.grid, root)
    side: dict[str, dict[str, Summary]] = {}
    for row, column in found.cells:
        cell = lookup(row, column)
        if cell is not None:
            side.setdefault(column, {})[row] = Summary(cell.mean, cell.std, cell.n)
    return side


def measured_side(found: GridRecords, value: Value = last_accuracy) -> dict[str, dict[str, Summary]]:
    """Mean, deviation and number of a grid's runs, where there are any.

    Parameters
    ----------
    value
        what of a Record; the last epoch's test accuracy unless said otherwise.
    """
    side: dict[str, dict[str, Summary]] = {}
    for row, column in found.cells:
        if values := found.values(row, column, value):
            side.setdefault(column, {})[row] = Summary.of(values)
    return side


def sides(found: Found, root: str | Path | None = None) -> dict[str, Side]:
    """The paper's numbers, and ours at each profile that has any runs."""
    paper = reported_side(found["full"], root)
    named: dict[str, Side] = {REPORTED: paper} if paper else {}
    return named | {name: measured_side(records) for name, records in ours(found).items()}


def shares(found: Found) -> dict[str, Side]:
    """What of the right labels a network reproduces after the last epoch, and what of the wrong ones; in per cent."""
    return {
        f"{what}, {name}": measured_side(records, value)
        for what, value in LABELS.items()
        for name, records in ours(found).items()
    }


def gaps(sides: Mapping[str, Side], pairs: Sequence[Pair]) -> pd.DataFrame:
    """What the first of each pair has over the second: "+1.2 [−0.4, +2.8]" with Welch's 95 % interval, in points.

    Returns
    -------
    a frame with a row for each pair and side, and a column for each column of the sides; the difference alone where
    one of the two has no deviation, nothing where one is missing.
    """
    columns = list(dict.fromkeys(column for side in sides.values() for column in side))
    rows = {
        (f"{one} over {other}", name): [_gap(side.get(column, {}), one, other) for column in columns]
        for one, other in pairs
        for name, side in sides.items()
    }
    rows = {key: texts for key, texts in rows.items() if any(texts)}
    index = pd.MultiIndex.from_arrays([[key[at] for key in rows] for at in (0, 1)])
    return pd.DataFrame(list(rows.values()), index=index, columns=columns, dtype="string")


def _gap(column: Column, one: str, other: str) -> str:
    found = lead(column, [one], [other])
    if found is None:
        return ""
    return with_interval(found.points, *found.interval) if found.interval else signed(found.points)


def said_of_pair(side: Side, one: str, other: str) -> str:
    """Where one row is above another beyond Welch's 95 % interval, where below, and where there is no telling.

    Empty if neither has been run.
    """
    places: dict[str, list[str]] = {}
    for column, summaries in side.items():
        found = lead(summaries, [one], [other])
        if found is not None:
            places.setdefault(_standing(found.points, found.interval), []).append(column)
    total = sum(map(len, places.values()))
    parts = [f"{word} {_where(places[word], total)}" for word in _STANDINGS if word in places]
    return f"{one} against {other}: {'; '.join(parts)}." if parts else ""


_STANDINGS = ("above", "below", "not told apart", "higher, untested,", "lower, untested,", "equal")


def _standing(points: float, interval: tuple[float, float] | None) -> str:
    above, below, not_told, higher, lower, equal = _STANDINGS
    if interval is None:
        return higher if points > 0 else lower if points < 0 else equal
    return above if interval[0] > 0 else below if interval[1] < 0 else not_told


def _where(columns: Sequence[str], total: int) -> str:
    if len(columns) == total > 1:
        return "under both noises" if total == 2 else f"under all {total} noises"
    return f"under {listed(columns)}"


def said(sides: Mapping[str, Side], *pairs: Pair) -> str:
    """For each side, as a Markdown list, how the pairs stand. "Untested": one of the two has a single run."""
    lines = []
    for name, side in sides.items():
        found = [text for pair in pairs if (text := said_of_pair(side, *pair))]
        lines.append(f"- **{name}**{'' if found else ': nothing to compare yet.'}")
        lines += [f"  - {text}" for text in found]
    return "\n".join(lines) or "None of these runs is there yet."


@dataclass(frozen=True)
class Multiple:
    """A loss whose value is a straight line in the label's probability, or nearly so.

    Attributes
    ----------
    height
        by how much it falls from p_y = 0 to p_y = 1: its multiple of 1 - p_y.
    bend
        how far it is from the straight line at most, as a share of the height.
    """

    height: float
    bend: float


def multiple(loss: Loss, classes: int = 10, steps: int = 101) -> Multiple:
    """A loss against multiples of 1 - p_y, the rest of the probability being with one other class.

    Parameters
    ----------
    loss
        with a value at p_y = 0: cross entropy and NCE have none.
    steps
        points on the way from p_y = 0 to 1.
    """
    import torch

    p_y = torch.linspace(0, 1, steps, dtype=torch.float64)
    rest = torch.zeros(steps, classes - 2, dtype=torch.float64)
    log_p = torch.cat([torch.stack([p_y, 1 - p_y], 1), rest], 1).log()
    # The formulas themselves: logits of log 0 would mask a class, and the loss of its label would be infinite.
    terms = [term.weight * term.formula(log_p[:, :1], log_p)[:, 0] for term in loss.terms]
    values = torch.stack(terms).sum(0).numpy()
    height = float(values[0] - values[-1])
    if not np.isfinite(values).all() or height <= 0:
        raise InputError(f"{loss.name} is no multiple of 1 - p_y: it is not finite, or does not fall")
    line = values[0] - height * p_y.numpy()
    return Multiple(height, float(np.abs(values - line).max()) / height)


def multiples(
    found: Sequence[GridRecords], rows: Collection[str], part: Mapping[str, str] | None = None
) -> dict[str, float]:
    """The multiple of 1 - p_y that each of some rows has in its loss.

    Parameters
    ----------
    found
        the grids of these rows.
    part
        for a joint loss the one of its parts that is a multiple, if the whole is none.
    """
    from jal.losses import build

    words = {row: cell for records in found for (row, _), cell in records.grid.cells.items() if row in rows}
    return {
        row: multiple(
            build(
                (part or {}).get(cell["loss"], cell["loss"]),
                cell["dataset"],
                **cell.get("loss_parameters", {}),
            )
        ).height
        for row, cell in words.items()
    }


def attention(
    loss: Loss, p_y: Sequence[float] | NDArray[np.float64], classes: int = 10
) -> NDArray[np.float64]:
    """The slope |dL/dz_y| of a loss in units of that of 1 - p_y, whose own is p_y (1 - p_y).

    So MAE is a constant, and a loss l(p_y) has |l'(p_y)|. The rest of the probability is spread evenly.

    Parameters
    ----------
    p_y
        (N,) probabilities of the label, over 0 and below 1.

    Returns
    -------
    (N,) float64
    """
    from jal.analysis.slopes import logit_slopes

    own = np.asarray(p_y, np.float64)
    relative: NDArray[np.float64] = np.abs(logit_slopes(loss, own, classes)) / (own * (1 - own))
    return relative


def curve_data(found: Found, columns: Sequence[str], quantities: Sequence[str]) -> pd.DataFrame:
    """The values behind a figure of curves: those of `cell_curves.curves`, and the profile."""
    frames = [
        curves(records, quantities).assign(profile=profile)
        for profile, records in found.items()
        if records.records
    ]
    if not frames:
        return pd.DataFrame(columns=["row", "column", "seed", "epoch", "quantity", "value", "profile"])
    frame = pd.concat(frames, ignore_index=True)
    return frame[frame["column"].isin(list(columns))]


def by_parameter(
    found: GridRecords, name: str, value: Value = last_accuracy
) -> dict[str, dict[float, Summary]]:
    """A grid whose columns are the values of a loss's parameter: for each row its runs by that value.

    Raises
    ------
    InputError
        for a cell that does not set the parameter.
    """
    measured = measured_side(found, value)
    points: dict[str, dict[float, Summary]] = {row: {} for row in found.grid.rows}
    for (row, column), words in found.grid.cells.items():
        if name not in words.get("loss_parameters", {}):
            raise InputError(
                f"the cell {row}, {column} of {found.grid.name} sets no {name}: take another grid"
            )
        if row in measured.get(column, {}):
            points[row][float(words["loss_parameters"][name])] = measured[column][row]
    return points


def said_of_scale(
    points: Mapping[str, Mapping[float, Summary]], bounds: Mapping[str, float], name: str = "*a*"
) -> str:
    """How far each row's accuracy depends on a parameter, and whether the values below the row's bound are its worst.

    Parameters
    ----------
    points
        of `by_parameter`; a row with fewer than two values is passed over.
    bounds
        by row, where its condition begins to hold.
    """
    sentences = []
    spreads: dict[str, float] = {}
    for row, values in points.items():
        if len(values) < 2:
            continue
        low, high = (pick(values, key=lambda at: values[at].mean) for pick in (min, max))
        spreads[row] = values[high].mean - values[low].mean
        text = (
            f"For {row} the accuracy lies between {number(values[low].mean)} ({name} = {low:g}) and "
            f"{number(values[high].mean)} ({name} = {high:g})"
        )
        below = [at for at in values if at < bounds.get(row, 0.0)]
        if below and len(below) < len(values):
            best_below = max(values[at].mean for at in below)
            least_above = min(values[at].mean for at in values if at not in below)
            which = f"{name} = {listed(f'{at:g}' for at in sorted(below))}"
            worse = "is the worst of them" if len(below) == 1 else "are the worst of them"
            better = "is not the worst of them" if len(below) == 1 else "are not the worst of them"
            text += f"; {which}, below its bound, {worse if best_below < least_above else better}"
        sentences.append(f"{text}.")
    if len(spreads) > 1 and len(set(spreads.values())) > 1:
        most, least = (pick(spreads, key=spreads.__getitem__) for pick in (max, min))
        sentences.append(
            f"It depends more on {name} for {most} ({number(spreads[most])} points) than for {least} "
            f"({number(spreads[least])})."
        )
    return " ".join(sentences) or "There are not two values to compare yet."


def joined(*sides: Side) -> dict[str, dict[str, Summary]]:
    """Sides of the same runs as one; where two have a cell, the first one's."""
    columns = dict.fromkeys(column for side in sides for column in side)
    return {
        column: {row: found for side in reversed(sides) for row, found in side.get(column, {}).items()}
        for column in columns
    }


def by_group(
    side: Side, places: Mapping[str, float], groups: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, dict[float, Summary]]]:
    """A side as panels of `scale_figures.against`: column -> group -> the place of each of its rows -> summary."""
    return {
        column: {
            name: {places[row]: summaries[row] for row in rows if row in summaries}
            for name, rows in groups.items()
        }
        for column, summaries in side.items()
    }


def points(side: Side, places: Mapping[str, float]) -> pd.DataFrame:
    """The rows of a side that have a place: a line for each, with the columns column, row, place, mean, std and n."""
    rows = [
        (column, row, places[row], found.mean, found.std, found.n)
        for column, summaries in side.items()
        for row, found in summaries.items()
        if row in places
    ]
    return pd.DataFrame(rows, columns=["column", "row", "place", "mean", "std", "n"])
