"""A comparison as CSV, LaTeX, HTML and a map of differences."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from jal.analysis.cell_runs import HINT, CellRuns
from jal.analysis.figures import INK
from jal.analysis.records import GridRecords
from jal.analysis.stats import Word
from jal.analysis.text import plus_minus, signed, with_interval
from jal.errors import unknown

SIDES = ("reported", "measured")

MARKS: dict[Word, str] = {
    "agrees": "=",
    "differs": "≠",
    "inconclusive": "?",
    "one run": "¹",
    "no std": "Δ",
    "no n": "Δ",
    "not run": "–",
    "not reported": "+",
}
"""A verdict's sign: told apart by its shape, with any colour vision and in print."""

HALF = "†"
"""The mark of a cell whose runs are in bfloat16 where their recipe is not."""

_HALF = (
    "† In bfloat16, half precision, where the recipe is float32. A verdict takes these runs as any others; "
    "how the two precisions compare: {}."
)
HALF_NOTE = _HALF.format("the chapter on speed, under The same science in half precision")
_HALF_LINKED = _HALF.format(
    '<a href="speed.html#speed-half-precision">The same science in half precision</a>'
)

_LATEX_MARKS = {"≠": r"\neq", "¹": "1", "Δ": r"\Delta"}
_LATEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    HALF: r"$\dagger$",
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{
        letter: f"$\\{name}$"
        for letter, name in zip("αβγδηλ", ("alpha", "beta", "gamma", "delta", "eta", "lambda"), strict=True)
    },
}


def to_csv(frame: pd.DataFrame) -> str:
    """Tidy: a line for each cell, a column for each quantity, numbers to four decimals, what is missing empty."""
    text: str = frame.to_csv(index=False, float_format="%.4f", lineterminator="\n")
    return text


def to_latex(frame: pd.DataFrame, caption: str, label: str, sides: Sequence[str] = SIDES) -> str:
    r"""A table for a paper, laid out as the paper's own; it needs `\usepackage{booktabs}`.

    In each column and on each side the best mean is bold and the second-best underlined; equal means share their
    place. A measured value carries its verdict's sign (`MARKS`), and `HALF` where it is due.

    Parameters
    ----------
    caption, label
        the caption is LaTeX already; the label is what `\ref` takes.
    sides
        "reported", "measured", or both, which then are two lines of each row.
    """
    for side in sides:
        if side not in SIDES:
            raise unknown("side", side, SIDES)
    rows, columns, cells = _layout(frame)
    places = {side: _places(frame, _MEANS[side]) for side in sides}
    lines = []
    for row in rows:
        for at, side in enumerate(sides):
            entries = [_latex_entry(cells.get((row, column)), side, places[side]) for column in columns]
            name = _latex(row) if at == 0 else ""
            lines.append(" & ".join([name, *([side] if len(sides) > 1 else []), *entries]) + r" \\")
    before = 1 + (len(sides) > 1)
    note = [rf"\par\footnotesize {_latex(HALF_NOTE)}"] if any(r"\dagger" in line for line in lines) else []
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{caption}}}",
            rf"\label{{{label}}}",
            rf"\begin{{tabular}}{{{'l' * before}{'c' * len(columns)}}}",
            r"\toprule",
            *_latex_head(columns, before),
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            *note,
            r"\end{table}",
            "",
        ]
    )


def _latex_head(columns: Sequence[str], before: int) -> Iterator[str]:
    empty = [""] * before
    groups, names = _head(columns)
    if any(kind for kind, _ in groups):
        spans = [
            rf"\multicolumn{{{span}}}{{c}}{{{_latex(kind)}}}" if kind else " & " * (span - 1)
            for kind, span in groups
        ]
        yield " & ".join([*empty, *spans]) + r" \\"
        start, rules = before + 1, []
        for kind, span in groups:
            if kind:
                rules.append(rf"\cmidrule(lr){{{start}-{start + span - 1}}}")
            start += span
        yield " ".join(rules)
    yield " & ".join([*empty, *map(_latex, names)]) + r" \\"


def _latex_entry(cell: Any, side: str, places: dict[tuple[str, str], int]) -> str:
    if cell is None or math.isnan(getattr(cell, _MEANS[side])):
        return "-"
    text = _value(cell, side).replace("±", r"$\pm$")
    text = {1: rf"\textbf{{{text}}}", 2: rf"\underline{{{text}}}"}.get(places[cell.row, cell.column], text)
    mark = MARKS[cell.verdict]
    marks = _LATEX_MARKS.get(mark, mark) + r"\dagger" * bool(cell.precision)
    return text + (f"$^{{{marks}}}$" if side == "measured" else "")


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


def to_html(frame: pd.DataFrame, caption: str, found: GridRecords | None = None) -> str:
    """A table for the book: in each cell the measured value, the reported one, the difference and the verdict.

    All is text under headings with scopes. The colours are those that the book's style sheet gives to the classes
    `jal-comparison` and `jal-agrees`, `jal-differs`, ... in either theme; without it nothing is lost.

    Parameters
    ----------
    found
        the runs behind the cells, by the same rows and columns: each measured value then opens its cell's.
    """
    rows, columns, cells = _layout(frame)
    runs = None if found is None else CellRuns(found, f"{caption} {rows} {columns}")
    entries = [[_html_entry(cells.get((row, column)), runs) for column in columns] for row in rows]
    return _html_table("dataframe jal-comparison", caption, rows, _html_head(columns), entries, runs)


def grid_html(texts: pd.DataFrame, caption: str, found: GridRecords | None = None) -> str:
    """A table of a grid's cells as they are written in `texts`.

    Parameters
    ----------
    texts
        of the grid's rows and columns, which the heads of this table are.
    found
        the runs behind it: each cell then opens its own.
    """
    runs = CellRuns(found, f"{caption} {texts.to_csv()}") if found else None
    rows, columns = list(texts.index), list(texts.columns)
    entries = [
        [
            f"<td>{runs.button(row, column, text) if runs else escape(text)}</td>"
            for column, text in zip(columns, cells, strict=True)
        ]
        for row, cells in zip(rows, texts.to_numpy(), strict=True)
    ]
    head = _html_head(columns, str(texts.index.name or ""))
    return _html_table("dataframe jal-grid", caption, rows, head, entries, runs)


def _html_table(
    classes: str,
    caption: str,
    rows: Sequence[str],
    head: Iterable[str],
    entries: Sequence[Sequence[str]],
    runs: CellRuns | None,
) -> str:
    runs = runs if runs and runs.panels else None
    hint = f' <span class="jal-hint">{HINT}</span>' if runs else ""
    lines = [f'<table class="{classes}{" jal-cells" if runs else ""}">']
    lines += [f"<caption>{escape(caption)}{hint}</caption>"] if caption or hint else []
    lines += ["<thead>", *(f"<tr>{line}</tr>" for line in head), "</thead>", "<tbody>"]
    for row, cells in zip(rows, entries, strict=True):
        lines.append(f'<tr><th scope="row">{escape(row)}</th>{"".join(cells)}</tr>')
    table = "\n".join([*lines, "</tbody>", "</table>"])
    note = f'\n<p class="jal-origin">{_HALF_LINKED}</p>' if HALF in "".join(map("".join, entries)) else ""
    return (runs.wrapped(table) if runs else table) + note


def _html_head(columns: Sequence[str], corner: str = "") -> Iterator[str]:
    groups, names = _head(columns)
    first = f'<th scope="col">{escape(corner)}</th>' if corner else "<td></td>"
    if any(kind for kind, _ in groups):
        yield "<td></td>" + "".join(
            f'<th scope="colgroup" colspan="{span}">{escape(kind)}</th>'
            if kind
            else f'<td colspan="{span}"></td>'
            for kind, span in groups
        )
    yield first + "".join(f'<th scope="col">{escape(name)}</th>' for name in names)


def _html_entry(cell: Any, runs: CellRuns | None) -> str:
    if cell is None:
        return "<td></td>"
    lines = []
    for side in ("measured", "reported"):
        if not math.isnan(getattr(cell, _MEANS[side])):
            n = cell.n if side == "measured" else cell.reported_n
            text = f"{side} {_value(cell, side)}{'' if pd.isna(n) else f' ({n})'}"
            text += f" {HALF}" if side == "measured" and cell.precision else ""
            if runs and side == "measured":
                text = runs.button(cell.row, cell.column, text)
            lines.append(f'<div class="jal-{side}">{text}</div>')
    if not math.isnan(cell.difference):
        gap = with_interval(cell.difference, cell.low, cell.high, 2)
        lines.append(f'<div class="jal-difference">{gap}</div>')
    mark = f'<span aria-hidden="true">{MARKS[cell.verdict]}</span>'
    lines.append(f'<div class="jal-verdict">{mark} {cell.verdict}</div>')
    return f'<td class="jal-{cell.verdict.replace(" ", "-")}">{"".join(lines)}</td>'


def heat_map(frame: pd.DataFrame, limit: float = 5.0) -> Figure:
    """Measured - reported, a square for each cell, with its verdict's sign, and `HALF` where it is due.

    Blue is above the reported value and red below. A cell that was not run is hatched, one that is not reported
    dotted; where the table has no cell there is nothing.

    Parameters
    ----------
    limit
        the difference, in points, from which on the colour no longer changes.
    """
    rows, columns, _ = _layout(frame)
    figure: Figure
    figure, axes = plt.subplots(figsize=(1.8 + 0.72 * len(columns), 1.0 + 0.34 * len(rows)))
    draw_cells(axes, frame, limit)
    figure.colorbar(difference_scale(limit), ax=axes, extend="both", label="measured - reported [points]")
    return figure


def draw_cells(axes: Axes, frame: pd.DataFrame, limit: float = 5.0, size: float = 8.0) -> None:
    """The squares of `heat_map`, on axes of one's own.

    Parameters
    ----------
    size
        of the text in the squares, in points.
    """
    rows, columns, cells = _layout(frame)
    scale = difference_scale(limit)
    for (row, column), cell in cells.items():
        x, y = columns.index(column), rows.index(row)
        text, ink = MARKS[cell.verdict], INK
        if math.isnan(cell.difference):
            look: dict[str, Any] = {
                "facecolor": "white",
                "hatch": "///" if cell.verdict == "not run" else "...",
                "edgecolor": "#8c959f",
            }
            text = ""
        else:
            face = tuple(scale.to_rgba(cell.difference))
            look = {"facecolor": face, "edgecolor": "white"}
            # Where black and white are equally far from it, 4.6 : 1.
            ink = "black" if _luminance(face) > 0.179 else "white"
            text = f"{signed(cell.difference)} {text}{HALF if cell.precision else ''}"
        axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, linewidth=0.8, **look))
        axes.text(x, y, text, ha="center", va="center", color=ink, fontsize=size)
    axes.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(rows) - 0.5, -0.5))
    axes.set_xticks(range(len(columns)), columns, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0)
    axes.grid(False)
    axes.spines[:].set_visible(False)


def difference_scale(limit: float = 5.0) -> ScalarMappable:
    """The colours of measured - reported, up to `limit` points on either side."""
    return ScalarMappable(Normalize(-limit, limit, clip=True), "RdBu")


_MEANS = {"reported": "reported_mean", "measured": "mean"}
_STDS = {"reported": "reported_std", "measured": "std"}


def _layout(frame: pd.DataFrame) -> tuple[list[str], list[str], dict[tuple[str, str], Any]]:
    """Labels of rows and columns in the order of their first appearance, and the cells by both."""
    cells = {(row.row, row.column): row for row in frame.itertuples(index=False)}
    return list(dict.fromkeys(frame["row"])), list(dict.fromkeys(frame["column"])), cells


def _head(columns: Sequence[str]) -> tuple[list[tuple[str, int]], list[str]]:
    """Columns such as "symmetric 0.2", "symmetric 0.4" as one heading over two, and their own names."""
    parts = [column.rpartition(" ") for column in columns]
    groups = [(kind, len(list(group))) for kind, group in groupby(kind for kind, _, _ in parts)]
    return groups, [name for _, _, name in parts]


def _places(frame: pd.DataFrame, mean: str) -> dict[tuple[str, str], int]:
    """The place of each cell's mean in its column, as it is shown: 1 is the best, and equals share theirs."""
    places = frame[mean].round(2).groupby(frame["column"]).rank(ascending=False, method="min")
    return {
        (row, column): int(place)
        for row, column, place in zip(frame["row"], frame["column"], places, strict=True)
        if not math.isnan(place)
    }


def _value(cell: Any, side: str) -> str:
    return plus_minus(getattr(cell, _MEANS[side]), getattr(cell, _STDS[side]), 2)


def _luminance(colour: Sequence[float]) -> float:
    """WCAG's relative luminance of an sRGB colour."""
    channels = np.asarray(colour[:3])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))
