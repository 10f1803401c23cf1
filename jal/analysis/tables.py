"""Tables out of the tidy frame: ours beside the paper's, each cell with the runs behind it; for pages and for papers.

A cell's runs open from the button that the cell is: HTML's own popover, which needs no script.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from html import escape
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from jal.analysis.frame import side
from jal.analysis.stats import Word, compare
from jal.analysis.text import listed, number, plus_minus, signed, with_interval
from jal.experiments.provenance import commit_in_words
from jal.experiments.record import Record

MARKS: dict[Word, str] = {
    "agrees": "=",
    "differs": "≠",
    "inconclusive": "?",
    "one run": "¹",
    "no std": "Δ",
    "no n": "Δ",
    "not run": "-",
    "not reported": "+",
}
"""A verdict's sign: told apart by its shape, with any colour vision and in print."""

HALF = "†"
"""The mark of a cell whose runs are in bfloat16 where their recipe is not."""
_HALF_NOTE = (
    "† In bfloat16, half precision, where the recipe is float32. A verdict takes these runs as any others; how the two "
    "precisions compare: {}."
)
HALF_NOTE = _HALF_NOTE.format("the chapter on speed, under The same science in half precision")
_HALF_LINKED = _HALF_NOTE.format(
    '<a href="speed.html#speed-half-precision">The same science in half precision</a>'
)
HINT = "Point at a cell, or press it, to see its runs; the arrow keys go from cell to cell."

Runs = Mapping[tuple[str, str], Sequence[tuple[Record, float]]]
"""The Records behind a table's cells, by row and column, each with its accuracy on the column's test set."""


def against_paper(tidy: pd.DataFrame) -> pd.DataFrame:
    """A row for each cell: reported, measured, the difference with its 95 % interval, and the verdict.

    Parameters
    ----------
    tidy
        of `jal.analysis.frame`, of one profile.

    Returns
    -------
    a frame with the columns row, column, reported_mean, reported_std, reported_n, mean, std, n, difference, low, high,
    verdict (`jal.analysis.stats.Comparison`) and half (whether our runs are in bfloat16 where their recipe is not);
    in points of accuracy, missing where there is no such number.
    """
    rows = []
    for (row, column), cell in tidy[tidy["metric"].eq("accuracy")].groupby(["row", "column"], sort=False):
        paper, ours = (side(cell[cell["source"].eq(name)]) for name in ("paper", "ours"))
        found = compare(ours, paper)
        reported = (paper.mean, paper.std, paper.n) if paper else (None, None, None)
        measured = (ours.mean, ours.std, ours.n) if ours else (None, None, 0)
        half = _in_half(cell)
        numbers = found.difference, found.low, found.high, found.verdict, half
        rows.append((row, column, *reported, *measured, *numbers))
    floats = dict.fromkeys(
        ("reported_mean", "reported_std", "mean", "std", "difference", "low", "high"), "float64"
    )
    types = {"row": "string", "column": "string", "reported_n": "Int64", "n": "int64", "verdict": "string"}
    names = "row column reported_mean reported_std reported_n mean std n difference low high verdict half"
    return pd.DataFrame(rows, columns=names.split()).astype(types | floats | {"half": "bool"})


def _in_half(cell: pd.DataFrame) -> bool:
    """Whether a cell's runs are in bfloat16 where their recipe is not."""
    return any(record.spec.in_half for record in cell["record"].dropna())


def runs_of(tidy: pd.DataFrame) -> Runs:
    """The Records of a frame's cells."""
    there = tidy[tidy["metric"].eq("accuracy") & tidy["record"].notna()]
    return {
        cell: list(zip(group["record"], group["value"], strict=True))
        for cell, group in there.groupby(["row", "column"], sort=False)
    }


def comparison_html(cells: pd.DataFrame, caption: str, runs: Runs) -> str:
    """A table for the book: in each cell the measured value, the reported one, the difference and the verdict.

    All is text under headings with scopes; what the style sheet adds are colours.

    Parameters
    ----------
    cells
        of `against_paper`.
    """
    entries = _entries(cells)
    rows, columns = _labels(cells)
    panels = _Panels(runs, caption)
    body = [[_comparison_entry(entries.get((row, column)), panels) for column in columns] for row in rows]
    return _html("dataframe jal-comparison", caption, rows, _html_head(columns), body, panels)


def grid_html(texts: pd.DataFrame, caption: str, runs: Runs) -> str:
    """A table of cells as they are written in `texts`, each the button of its runs."""
    panels = _Panels(runs, caption + texts.to_csv())
    body = [
        [
            f"<td>{panels.button(str(row), str(column), text)}</td>"
            for column, text in zip(texts.columns, line, strict=True)
        ]
        for row, line in zip(texts.index, texts.to_numpy(), strict=True)
    ]
    head = _html_head(list(map(str, texts.columns)), str(texts.index.name or ""))
    return _html("dataframe jal-grid", caption, list(map(str, texts.index)), head, body, panels)


def grid_texts(tidy: pd.DataFrame, digits: int = 1, metric: str = "accuracy") -> pd.DataFrame:
    """Rows down, columns across, "mean ± std" of our runs in the cells, with `HALF` where it is due; empty for none."""
    ours = tidy[tidy["source"].eq("ours")]
    texts: dict[str, dict[str, str]] = {str(row): {} for row in ours["row"].drop_duplicates()}
    for (row, column), cell in ours.groupby(["row", "column"], sort=False):
        found = side(cell[cell["metric"].eq(metric)])
        half = _in_half(cell)
        text = "" if found is None else plus_minus(found.mean, found.std or math.nan, digits)
        texts[row][column] = text + f" {HALF}" * (half and bool(text))
    columns = list(ours["column"].drop_duplicates())
    return pd.DataFrame.from_dict(texts, orient="index", columns=columns).fillna("").astype("string")


def _entries(cells: pd.DataFrame) -> dict[tuple[str, str], Any]:
    return {(cell.row, cell.column): cell for cell in cells.itertuples(index=False)}


def _labels(cells: pd.DataFrame) -> tuple[list[str], list[str]]:
    return list(dict.fromkeys(cells["row"])), list(dict.fromkeys(cells["column"]))


def _comparison_entry(cell: Any, panels: _Panels) -> str:
    if cell is None:
        return "<td></td>"
    lines = []
    if not math.isnan(cell.mean):
        text = f"measured {plus_minus(cell.mean, cell.std, 2)} ({cell.n})" + f" {HALF}" * cell.half
        lines.append(f'<div class="jal-measured">{panels.button(cell.row, cell.column, text)}</div>')
    if not math.isnan(cell.reported_mean):
        trials = "" if pd.isna(cell.reported_n) else f" ({cell.reported_n})"
        text = f"reported {plus_minus(cell.reported_mean, cell.reported_std, 2)}{trials}"
        lines.append(f'<div class="jal-reported">{text}</div>')
    if not math.isnan(cell.difference):
        gap = with_interval(cell.difference, cell.low, cell.high, 2)
        lines.append(f'<div class="jal-difference">{gap}</div>')
    mark = f'<span aria-hidden="true">{MARKS[cell.verdict]}</span>'
    lines.append(f'<div class="jal-verdict">{mark} {cell.verdict}</div>')
    return f'<td class="jal-{cell.verdict.replace(" ", "-")}">{"".join(lines)}</td>'


def _html(
    classes: str,
    caption: str,
    rows: Sequence[str],
    head: Iterator[str],
    body: Sequence[Sequence[str]],
    panels: _Panels,
) -> str:
    live = bool(panels.html)
    hint = f' <span class="jal-hint">{HINT}</span>' if live else ""
    lines = [f'<table class="{classes}{" jal-cells" * live}">']
    lines += [f"<caption>{escape(caption)}{hint}</caption>"] if caption or hint else []
    lines += ["<thead>", *(f"<tr>{line}</tr>" for line in head), "</thead>", "<tbody>"]
    for row, cells in zip(rows, body, strict=True):
        lines.append(f'<tr><th scope="row">{escape(row)}</th>{"".join(cells)}</tr>')
    table = "\n".join([*lines, "</tbody>", "</table>"])
    note = f'\n<p class="jal-origin">{_HALF_LINKED}</p>' if HALF in "".join(map("".join, body)) else ""
    return (f'<div class="jal-moving">{table}{"".join(panels.html)}</div>' if live else table) + note


def _head(columns: Sequence[str]) -> tuple[list[tuple[str, int]], list[str]]:
    """Columns such as "symmetric 0.2", "symmetric 0.4" as one heading over two; other headings are whole."""
    parts = [(kind, rate) if _is_number(rate) else ("", name) for name in columns
             for kind, _, rate in [name.rpartition(" ")]]  # fmt: skip
    groups = [(kind, len(list(group))) for kind, group in groupby(kind for kind, _ in parts)]
    if all(kind == "" or span == 1 for kind, span in groups):
        return [("", len(columns))], list(columns)
    return groups, [name for _, name in parts]


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()


def _html_head(columns: Sequence[str], corner: str = "") -> Iterator[str]:
    groups, names = _head(columns)
    if any(kind for kind, _ in groups):
        yield "<td></td>" + "".join(
            f'<th scope="colgroup" colspan="{span}">{escape(kind)}</th>'
            if kind
            else f'<td colspan="{span}"></td>'
            for kind, span in groups
        )
    first = f'<th scope="col">{escape(corner)}</th>' if corner else "<td></td>"
    yield first + "".join(f'<th scope="col">{escape(name)}</th>' for name in names)


class _Panels:
    """Buttons, and the panels of runs that they open.

    Parameters
    ----------
    runs
        behind each cell.
    name
        what tells this table from the others of a page, as the panels' ids must differ.
    """

    def __init__(self, runs: Runs, name: str) -> None:
        self.html: list[str] = []
        self._runs = runs
        ids = [record.id for records in runs.values() for record, _ in records]
        self._prefix = f"jal-{sha256(f'{name} {ids}'.encode()).hexdigest()[:8]}"

    def button(self, row: str, column: str, text: str) -> str:
        """The text as the button that opens the cell's runs; the text alone where there are none."""
        runs = self._runs.get((row, column), ())
        if not runs:
            return escape(text)
        name = f"{self._prefix}-{len(self.html)}"
        lines = "".join(
            f"<tr><td>{record.spec.seed}</td><td>{number(accuracy, 2)}</td>"
            f"<td>{escape(str(record.environment['device']))}, {record.spec.recipe.precision}</td>"
            f"<td>{escape(commit_in_words(record.environment, 7))}</td></tr>"
            for record, accuracy in runs
        )
        heads = ("seed", "accuracy [%]", "device, precision", "commit")
        head = "".join(f'<th scope="col">{each}</th>' for each in heads)
        title = escape(f"{row}, {column}")
        curves = drawing([record for record, _ in runs])
        self.html.append(
            f'<div popover class="jal-runs" id="{name}" role="dialog" aria-label="{title}"><p>{title}</p>'
            f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>{curves}</div>"
        )
        return f'<button type="button" class="jal-cell" popovertarget="{name}">{escape(text)}</button>'


# The drawing's units, those of its viewBox: 144 for 100 per cent.
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 472, 10, 154
_POINTS = 40
"""Of a drawn curve, at most: more would be finer than the drawing."""
_LINES = {
    "test_accuracy": ("jal-accuracy", "test accuracy", 'stroke="#0072b2"'),
    "memorised": ("jal-memorised", "wrong labels reproduced", 'stroke="#d55e00" stroke-dasharray="9 6"'),
}


def drawing(records: Sequence[Record]) -> str:
    """Some runs' curves over the epochs, as a small drawing in SVG: a line for each run and quantity."""
    epochs = max(record.spec.recipe.epochs for record in records)
    groups: list[str] = []
    ends: list[str] = []
    keys: list[str] = []
    for quantity, (kind, words, look) in _LINES.items():
        curves = [record.curves[quantity] for record in records if quantity in record.curves]
        if not curves:
            continue
        lines = "".join(f'<path d="{_path(curve)}"/>' for curve in curves)
        groups.append(f'<g class="{kind}" fill="none" stroke-width="2.5" {look}>{lines}</g>')
        ends.append(f"{words} ends at {listed(number(curve[-1]) for curve in curves)} per cent")
        start = 210 if keys else 20
        keys.append(
            f'<path class="{kind}" fill="none" stroke-width="2.5" {look} d="M{start} 206h36"/>'
            f'<text x="{start + 44}" y="212">{words}</text>'
        )
    middle, across = (_TOP + _BOTTOM) // 2, f"h{_RIGHT - _LEFT}"
    return (
        f'<svg viewBox="0 0 480 220" role="img" aria-label="Over {epochs} epochs, {"; ".join(ends)}" '
        f'font-size="18" font-family="sans-serif"><path class="jal-lines" stroke="#c0c0c0" '
        f'd="M{_LEFT} {_TOP}{across}M{_LEFT} {middle}{across}M{_LEFT} {_BOTTOM}{across}"/>'
        f'<g text-anchor="end"><text x="52" y="{_TOP + 6}">100 %</text><text x="52" y="{_BOTTOM + 6}">0 %</text>'
        f'<text x="{_RIGHT}" y="{_BOTTOM + 22}">epoch {epochs}</text></g>'
        f'<text x="{_LEFT}" y="{_BOTTOM + 22}">1</text>{"".join(groups)}{"".join(keys)}</svg>'
    )


def _path(curve: Sequence[float]) -> str:
    """A curve as short as SVG can say it: whole units, each step relative to the one before."""
    values = np.clip(np.asarray(curve, np.float64), 0, 100)
    chosen = np.unique(np.linspace(0, len(values) - 1, min(_POINTS, len(values))).round().astype(int))
    x = np.rint(_LEFT + (_RIGHT - _LEFT) * chosen / max(len(values) - 1, 1)).astype(int)
    y = np.rint(_BOTTOM - (_BOTTOM - _TOP) * values[chosen] / 100).astype(int)
    steps = " ".join(f"{dx} {dy}" for dx, dy in zip(np.diff(x), np.diff(y), strict=True))
    return f"M{x[0]} {y[0]}l{steps}".replace(" -", "-") if steps else f"M{x[0]} {y[0]}h3"


_LATEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    HALF: r"$\dagger$",
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "−": "$-$",
    "≠": r"$\neq$",
    "Δ": r"$\Delta$",
    "¹": "$^1$",
    **dict(
        zip(
            "αβγδηλ",
            (rf"$\{name}$" for name in ["alpha", "beta", "gamma", "delta", "eta", "lambda"]),
            strict=True,
        )
    ),
}


def latex(text: str) -> str:
    """Text as LaTeX has it."""
    return "".join(_LATEX.get(character, character) for character in text)


def comparison_latex(cells: pd.DataFrame, caption: str) -> str:
    r"""The table for a paper, laid out as the paper's own; it needs `\usepackage{booktabs}`.

    In each column and on each side the best mean is bold and the second-best underlined; equal means share their
    place. A measured value carries its verdict's sign (`MARKS`), and `HALF` where it is due.

    Parameters
    ----------
    cells
        of `against_paper`; the side measured is left out where nothing was run.
    """
    (rows, columns), entries = _labels(cells), _entries(cells)
    sides = {"reported": "reported_"} | ({"measured": ""} if cells["n"].any() else {})
    places = {
        name: cells[f"{prefix}mean"].round(2).groupby(cells["column"]).rank(ascending=False, method="min")
        for name, prefix in sides.items()
    }
    at = {cell: position for position, cell in enumerate(zip(cells["row"], cells["column"], strict=True))}

    def entry(row: str, column: str, name: str) -> str:
        cell = entries.get((row, column))
        if cell is None or math.isnan(getattr(cell, f"{sides[name]}mean")):
            return "-"
        mean, std = (getattr(cell, sides[name] + part) for part in ("mean", "std"))
        text = latex(plus_minus(mean, std, 2))
        place = places[name].iloc[at[row, column]]
        text = {1: rf"\textbf{{{text}}}", 2: rf"\underline{{{text}}}"}.get(int(place), text)
        mark = latex(MARKS[cell.verdict] + HALF * cell.half)
        return text + (rf"\textsuperscript{{{mark}}}" if name == "measured" else "")

    table = pd.DataFrame(
        [
            [latex(row) if name == "reported" else "", name, *(entry(row, c, name) for c in columns)]
            for row in rows
            for name in sides
        ],
        columns=["", "", *map(latex, columns)],
    )
    body = table.iloc[:, [0, *range(2, table.shape[1])]] if len(sides) == 1 else table
    note = rf" {latex(HALF_NOTE)}" if cells["half"].any() else ""
    text: str = body.to_latex(index=False, escape=False, caption=latex(caption) + note, position="H")
    return text


def heat_map(cells: pd.DataFrame, limit: float = 5.0, axes: Axes | None = None, size: float = 8.0) -> Axes:
    """Measured - reported, a square for each cell, with its verdict's sign, and `HALF` where it is due.

    Blue is above the reported value and red below; a cell that was not run, or is not reported, is hatched.

    Parameters
    ----------
    cells
        of `against_paper`.
    limit
        the difference, in points, from which on the colour no longer changes.
    axes, size
        to draw on, new ones if left out; and the points of the text in the squares.
    """
    rows, columns = _labels(cells)
    texts = [
        ""
        if math.isnan(cell.difference)
        else f"{signed(cell.difference)} {MARKS[cell.verdict]}{HALF * cell.half}"
        for cell in cells.itertuples()
    ]
    wide = cells.assign(text=texts).pivot(index="row", columns="column").reindex(index=rows)
    differences = wide["difference"].reindex(columns=columns)
    if axes is None:
        size_of = (1.8 + 0.72 * len(columns), 1.0 + 0.34 * len(rows))
        _, axes = plt.subplots(figsize=size_of)
    axes.patch.set(hatch="///", edgecolor="#8c959f")
    sns.heatmap(
        differences, annot=wide["text"].reindex(columns=columns).fillna(""), fmt="", cmap="RdBu", center=0.0,
        vmin=-limit, vmax=limit, mask=differences.isna(), linewidths=0.8, annot_kws={"fontsize": size},
        cbar_kws={"extend": "both", "label": "measured - reported [points]"}, ax=axes,
    )  # fmt: skip
    axes.set(xlabel="", ylabel="")
    axes.set_xticks(axes.get_xticks(), columns, rotation=40, ha="right", rotation_mode="anchor")
    return axes
