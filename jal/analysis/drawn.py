"""The numbers that a figure shows, read off the figure itself, for whoever wants to draw it anew."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator
from numpy.typing import ArrayLike

from jal.analysis.page import Block, source

_COLUMNS = ("panel", "kind", "series", "x", "y", "value")


def as_csv(figure: Figure, file: str, text: str = "The numbers that the figure shows.") -> Block:
    """The line under a figure, with a link to what it shows.

    Parameters
    ----------
    file
        the name of the CSV file that the link saves.
    text
        a sentence on where they are from.
    """
    frame = numbers(figure)
    short = {name: frame[name].map(_short) for name in ("x", "y", "value")}
    return source(text, frame.assign(**short), file)


def numbers(figure: Figure) -> pd.DataFrame:
    """What is drawn in the panels of a figure: its lines, marks, bars and maps; no photographs, no decoration.

    Returns
    -------
    a frame with the columns panel (its title, or its number from 1), kind ("line", "marks", "bar" or "map"), series
    (the label, or a number within the panel), x, y and, for a map, value. The coordinates are the axes' own, or the
    names of the categories there; a bar's are the middle of its far end, and a line across the panel has but one.
    """
    frames = [
        pd.DataFrame(
            {
                "panel": panel,
                "kind": kind,
                "series": name,
                "x": _named(axes.xaxis, x),
                "y": _named(axes.yaxis, y),
                "value": value,
            }
        )
        for number, axes in enumerate(figure.axes, 1)
        for panel in [axes.get_title("left") or axes.get_title() or str(number)]
        for kind, name, x, y, value in _series(axes)
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(_COLUMNS))


def _series(axes: Axes) -> Iterator[tuple[str, str, ArrayLike, ArrayLike, ArrayLike]]:
    for number, line in enumerate((line for line in axes.lines if np.size(line.get_xdata())), 1):
        in_x, in_y = line.get_transform().contains_branch_seperately(axes.transData)
        x, y = line.get_xdata() if in_x else np.nan, line.get_ydata() if in_y else np.nan
        if in_x or in_y:
            yield "line", _name(line.get_label(), number), x, y, np.nan
    marks = [found for found in axes.collections if np.size(found.get_offsets()) and found.get_paths()]
    for number, found in enumerate((found for found in marks if found.get_array() is None), 1):
        x, y = np.asarray(found.get_offsets()).T
        yield "marks", _name(found.get_label(), number), x, y, np.nan
    for number, bars in enumerate(axes.containers, 1):
        for bar in (patch for patch in bars if hasattr(patch, "get_height")):
            x, y = bar.get_x(), bar.get_y()
            upright = bar.get_height() > 0 and y == 0
            end = (x + bar.get_width() / 2, y + bar.get_height())
            aside = (x + bar.get_width(), y + bar.get_height() / 2)
            across, up = end if upright else aside
            yield "bar", _name(bars.get_label(), number), [across], [up], np.nan
    maps = [np.asarray(image.get_array()) for image in axes.images]
    for number, values in enumerate((values for values in maps if values.ndim == 2), 1):
        down, across = np.indices(values.shape)
        yield "map", str(number), across.ravel(), down.ravel(), values.ravel()


def _named(axis: Axis, places: ArrayLike) -> ArrayLike:
    """The names of places on an axis whose ticks name categories, if each place is by a tick; else the places."""
    if not isinstance(axis.get_major_locator(), FixedLocator):
        return places
    ticks = axis.get_majorticklocs()
    labels = [" ".join(label.split()) for label in axis.get_major_formatter().format_ticks(list(ticks))]
    # "20 %", "1e-05" and "$10^{-3}$" are numbers.
    words = re.sub(r"\$[^$]*\$|\de[-+]?\d", "", " ".join(labels))
    if not all(labels) or not re.search(r"[^\W\d_]", words):
        return places
    at = np.atleast_1d(places).astype(float)
    nearest = np.abs(np.subtract.outer(ticks, at)).argmin(axis=0)
    # What belongs to one category may be drawn side by side.
    room = 0.45 * np.abs(np.diff(ticks)).min(initial=1)
    return np.array(labels)[nearest] if (np.abs(ticks[nearest] - at) < room).all() else places


def _short(number: float | str) -> str:
    return number if isinstance(number, str) else f"{number:.5g}".replace("nan", "")


def _name(label: object, number: int) -> str:
    text = str(label)
    return str(number) if text.startswith("_") or not text else text
