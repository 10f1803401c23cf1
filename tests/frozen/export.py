"""What the book's pages say in numbers: every table, and every word of a verdict, out of executed notebooks.

    python -m tests.frozen.export _build/executed/quick tests/frozen

Kept while the code behind the pages is rewritten: what it says afterwards is compared with what it said before.
"""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path

import nbformat
from bs4 import BeautifulSoup

WORDS = re.compile(
    r"\*\*(holds|fails|inconclusive|not run|partly \w+|not reported)\*\*|<strong>([\w ]+)</strong>"
)
TIMES = re.compile(r"\d+ (?:h|min|s)\b(?: \d+ (?:min|s)\b)?")


def export(notebook: Path, folder: Path) -> None:
    """Writes `<folder>/<name>.csv`: the id of a cell, then a table's row or a verdict a line."""
    lines: list[list[str]] = []
    for cell in nbformat.read(notebook, 4).cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            soup = BeautifulSoup(data.get("text/html", ""), "html.parser")
            for hidden in soup.select("[popover], .jal-hint"):
                hidden.decompose()
            for row in soup.select("tr"):
                texts = (" ".join(entry.get_text(" ").split()) for entry in row.select("th, td"))
                lines.append([cell.id, *(TIMES.sub("(time)", text) for text in texts)])
            for found in WORDS.findall(data.get("text/markdown", "")):
                lines.append([cell.id, "verdict", *filter(None, found)])
    with (folder / f"{notebook.stem}.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(lines)


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    for each in sorted(source.glob("*.ipynb")):
        export(each, target)
