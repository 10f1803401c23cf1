"""The runs behind a table's cells: a panel for each cell, opened by the button that the cell is.

The button and its panel are HTML's own popover: they work without a script, by keyboard and by touch. What
`book/_static/jal-figures.js` adds is that pointing at a cell is enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from html import escape

import numpy as np

from jal.analysis.records import GridRecords
from jal.analysis.text import listed, number
from jal.experiments.provenance import commit_in_words
from jal.experiments.record import Record

HINT = "Point at a cell, or press it, to see its runs; the arrow keys go from cell to cell."

_POINTS = 40
"""Of a drawn curve, at most: more would be finer than the drawing."""

# The drawing's units, those of its viewBox: 144 for 100 per cent.
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 472, 10, 154
_LINES = {
    "test_accuracy": ("jal-accuracy", "test accuracy", 'stroke="#0072b2"'),
    "memorised": ("jal-memorised", "wrong labels reproduced", 'stroke="#d55e00" stroke-dasharray="9 6"'),
}


def accuracy(found: GridRecords, column: str, record: Record) -> float:
    """After the last epoch, per cent, on the test set that the column shows."""
    return record.accuracies.get(found.grid.test_sets.get(column, ""), record.accuracy)


class CellRuns:
    """Buttons and panels of one table.

    Parameters
    ----------
    found
        the runs.
    name
        what tells this table from the others of a page, as the panels' ids must differ.

    Attributes
    ----------
    panels
        in HTML, by their ids, of the buttons made so far.
    """

    def __init__(self, found: GridRecords, name: str) -> None:
        self._found = found
        self._prefix = f"jal-{sha256(f'{name} {found.grid.name} {found.seeds}'.encode()).hexdigest()[:8]}"
        self.panels: dict[str, str] = {}

    def button(self, row: str, column: str, text: str) -> str:
        """The text as the button that opens the cell's runs; the text alone where there are none."""
        runs = self._found.runs(row, column)
        if not runs:
            return escape(text)
        name = f"{self._prefix}-{len(self.panels)}"
        self.panels[name] = self._panel(name, row, column, runs)
        return f'<button type="button" class="jal-cell" popovertarget="{name}">{escape(text)}</button>'

    def wrapped(self, table: str) -> str:
        """The table with the panels of all buttons made so far."""
        return f'<div class="jal-moving">{table}{"".join(self.panels.values())}</div>'

    def _panel(self, name: str, row: str, column: str, runs: Mapping[int, Record]) -> str:
        lines = "".join(
            f"<tr><td>{seed}</td><td>{number(accuracy(self._found, column, record), 2)}</td>"
            f"<td>{escape(_device(record))}</td><td>{escape(commit_in_words(record.environment, 7))}</td></tr>"
            for seed, record in runs.items()
        )
        heads = "".join(
            f'<th scope="col">{head}</th>' for head in ("seed", "accuracy [%]", "device, precision", "commit")
        )
        title = f"{row}, {column}"
        return (
            f'<div popover class="jal-runs" id="{name}" role="dialog" aria-label="{escape(title)}">'
            f"<p>{escape(title)}</p><table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>"
            f"{drawing(runs.values())}</div>"
        )


def _device(record: Record) -> str:
    return f"{record.environment['device']}, {record.spec.recipe.precision}"


def drawing(records: Iterable[Record]) -> str:
    """Some runs' curves over the epochs, as a small drawing in SVG: a line for each run and quantity."""
    records = list(records)
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
    middle = (_TOP + _BOTTOM) // 2
    across = f"h{_RIGHT - _LEFT}"
    return (
        f'<svg viewBox="0 0 480 220" role="img" aria-label="Over {epochs} epochs, {"; ".join(ends)}" '
        f'font-size="18" font-family="sans-serif">'
        f'<path class="jal-lines" stroke="#c0c0c0" '
        f'd="M{_LEFT} {_TOP}{across}M{_LEFT} {middle}{across}M{_LEFT} {_BOTTOM}{across}"/>'
        f'<g text-anchor="end"><text x="52" y="{_TOP + 6}">100 %</text><text x="52" y="{_BOTTOM + 6}">0 %</text>'
        f'<text x="{_RIGHT}" y="{_BOTTOM + 22}">epoch {epochs}</text></g>'
        f'<text x="{_LEFT}" y="{_BOTTOM + 22}">1</text>{"".join(groups)}{"".join(keys)}</svg>'
    )


def _path(curve: Iterable[float]) -> str:
    """A curve as short as SVG can say it: whole units, each step relative to the one before."""
    values = np.clip(np.fromiter(curve, np.float64), 0, 100)
    chosen = np.unique(np.linspace(0, len(values) - 1, min(_POINTS, len(values))).round().astype(int))
    x = np.rint(_LEFT + (_RIGHT - _LEFT) * chosen / max(len(values) - 1, 1)).astype(int)
    y = np.rint(_BOTTOM - (_BOTTOM - _TOP) * values[chosen] / 100).astype(int)
    steps = " ".join(f"{dx} {dy}" for dx, dy in zip(np.diff(x), np.diff(y), strict=True))
    return f"M{x[0]} {y[0]}l{steps}".replace(" -", "-") if steps else f"M{x[0]} {y[0]}h3"
