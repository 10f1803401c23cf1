"""The book on paper: figures that LaTeX can set, latexmk over what Jupyter Book wrote, and no figure missing."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from bs4 import BeautifulSoup
from nbformat import NotebookNode
from sphinx.util import texescape

from jal.book.failure import BuildFailed
from jal.errors import InputError

NAME = "jal"
"""Of the PDF, as `_config.yml` has it."""

PACKAGES = (
    "latexmk texlive-xetex texlive-latex-extra texlive-fonts-recommended fonts-freefont-otf librsvg2-bin"
)
"""Debian's, with all that is needed."""

TOOLS = ("latexmk", "xelatex", "rsvg-convert")
_IMAGES = ("application/pdf", "image/png", "image/jpeg")
_UNSEEN = {"remove-cell", "remove-output"}
_TABLE = r"<tr\b(?!.*<svg)"


def check_tools() -> None:
    """Makes sure that LaTeX is here.

    Raises
    ------
    InputError
        if it is not.
    """
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        raise InputError(
            f"a PDF needs {', '.join(missing)}, not found here: "
            f"on Debian, apt-get install --no-install-recommends {PACKAGES}"
        )


def printable(notebook: NotebookNode) -> list[str]:
    """Gives what an executed notebook shows a form that LaTeX can set: drawings, also those that move on the screen,
    and tables.

    Returns
    -------
    the checksum of each figure that a reader sees.
    """
    figures = []
    for cell in notebook.cells:
        seen = not _UNSEEN & set(cell.metadata.get("tags", []))
        for output in list(cell.get("outputs", [])):
            data = output.get("data", {})
            if set(data) == {"text/html", "text/plain"} and re.search(_TABLE, data["text/html"], re.DOTALL):
                data["text/latex"] = _table(data["text/html"])
            if r"\begin{tabular}" in data.get("text/latex", ""):
                # As it is: what a notebook calls LaTeX is taken for mathematics.
                data["text/markdown"] = f"```{{raw}} latex\n{_fitting(data.pop('text/latex'))}\n```"
            elif set(data) == {"text/html", "text/plain"} and not re.search("<table|<svg", data["text/html"]):
                data["text/markdown"] = _said(data["text/html"])
                if not data["text/markdown"]:
                    cell.outputs.remove(output)
            if re.search(r"^(```\{raw\}|\|)", data.get("text/markdown", ""), re.MULTILINE):
                # Otherwise an output's Markdown has neither directives nor tables.
                cell.metadata["mystnb"] = {**cell.metadata.get("mystnb", {}), "markdown_format": "myst"}
            if drawing := _drawing(data):
                data["application/pdf"] = base64.b64encode(_converted(drawing)).decode()
            image = next((data[kind] for kind in _IMAGES if kind in data), None)
            if seen and image is not None:
                figures.append(_checksum(base64.b64decode(image)))
    return figures


def _drawing(data: Mapping[str, str]) -> str | None:
    """The SVG of an output, if it is one, or if it is HTML that is a drawing and nothing besides."""
    if "image/svg+xml" in data:
        return data["image/svg+xml"]
    html = data.get("text/html", "")
    found = re.search("<svg.*</svg>", html, re.DOTALL) if "<table" not in html else None
    return found and found[0].replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)


def _table(html: str) -> str:
    """A data frame, as pandas shows it in HTML, in LaTeX."""
    texescape.init()
    content = BeautifulSoup(html, "html.parser")
    rows = [
        [
            (cell.get_text(" ", strip=True), int(str(cell.get("colspan", "1"))))
            for cell in row.select("th, td")
        ]
        for row in content.select("tr")
    ]
    head = len(content.select("thead tr"))
    if head > 1:
        pairs = list(zip(*rows[head - 2 : head], strict=False))
        if not any(above and below for (above, _), (below, _) in pairs):
            # The names of the index have a line of their own, but room in the one above.
            rows[head - 2 : head] = [[(above or below, span) for (above, span), (below, _) in pairs]]
            head -= 1
    width = max(sum(span for _, span in row) for row in rows)
    columns: list[list[str]] = [[] for _ in range(width)]
    lines = []
    for number, row in enumerate(rows):
        # What is missing is what an entry of the index above reaches down to.
        at = width - sum(span for _, span in row)
        entries, rules = [""] * at, ""
        for text, span in row:
            entry = texescape.escape(text, "xelatex")
            if span > 1 and text:
                rules += rf"\cmidrule(lr){{{at + 1}-{at + span}}}"
            if number >= head:
                columns[at].append(text)
            entries.append(rf"\multicolumn{{{span}}}{{c}}{{{entry}}}" if span > 1 else entry)
            at += span
        lines.append(" & ".join(entries) + r" \\" + rules)
    lines.insert(head, r"\midrule")
    begin = rf"\begin{{tabular}}{{{_alignment(columns)}}}"
    return "\n".join([begin, r"\toprule", *lines, r"\bottomrule", r"\end{tabular}"])


def _alignment(columns: Sequence[Sequence[str]]) -> str:
    """Columns of long texts in lines, of words to the left, of numbers to the right."""
    long = [max(map(len, texts), default=0) > 40 for texts in columns]
    lines = rf">{{\raggedright\arraybackslash}}p{{{36 // max(2, sum(long))}em}}"
    words = [any(text[:1].isalpha() and text not in ("NaN", "inf") for text in texts) for texts in columns]
    return "".join(
        lines if is_long else "l" if has_words else "r"
        for is_long, has_words in zip(long, words, strict=True)
    )


def _fitting(table: str) -> str:
    """A table where it stands, no larger than the page."""
    here = table.replace(r"\begin{table}", r"\begin{table}[H]")
    size = r"max totalsize={\linewidth}{0.9\textheight}"
    begun = here.replace(r"\begin{tabular}", rf"\begin{{adjustbox}}{{{size}}}\begin{{tabular}}")
    return begun.replace(r"\end{tabular}", r"\end{tabular}\end{adjustbox}")


def _said(html: str) -> str:
    """The text of HTML as Markdown, without what can only be downloaded."""
    content = BeautifulSoup(html, "html.parser")
    for link in content.select("a[download]"):
        link.decompose()
    return re.sub(r"([\\`*_{}\[\]#|<>$~^])", r"\\\1", content.get_text(" ", strip=True))


def _converted(drawing: str) -> bytes:
    command = ["rsvg-convert", "--format", "pdf"]
    return subprocess.run(command, input=drawing.encode(), capture_output=True, check=True).stdout


def typeset(folder: Path, figures: Mapping[str, list[str]]) -> Path:
    """The PDF of the LaTeX in a folder, with every figure.

    Parameters
    ----------
    figures
        checksums of those of each chapter.

    Raises
    ------
    BuildFailed
        if LaTeX fails, or a figure is missing.
    """
    # The class loads it for letters that this book has none of; Debian has it in a package of 500 MB.
    (folder / "bbm.sty").write_text("\\newcommand{\\mathbbm}{\\mathbb}\n")
    command = ["latexmk", "-xelatex", "-interaction=nonstopmode", "-halt-on-error", "-silent", f"{NAME}.tex"]
    # Names that the folder's latexmkrc reads, and complains of where they are not set.
    environment = os.environ | {"LATEXOPTS": "", "XINDYOPTS": ""}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    log = folder / f"{NAME}.log"
    text = log.read_text(errors="replace") if log.is_file() else ""
    if done.returncode or not (folder / f"{NAME}.pdf").is_file():
        reason = next((line for line in text.splitlines() if line.startswith("!")), "no message")
        raise BuildFailed(f"LaTeX could not set the PDF: {reason} (see {log})")
    if missing := _missing(folder, figures):
        raise BuildFailed(f"the PDF lacks figures of {', '.join(missing)}: see {folder / NAME}.tex")
    return folder / f"{NAME}.pdf"


def _missing(folder: Path, figures: Mapping[str, list[str]]) -> list[str]:
    """The chapters with a figure that the LaTeX does not include."""
    tex = (folder / f"{NAME}.tex").read_text()
    names = re.findall(r"\\sphinxincludegraphics(?:\[[^]]*\])?\{\{([^}]*)\}([^}]*)\}", tex)
    files = [folder / f"{stem}{suffix}" for stem, suffix in names]
    there = Counter(_checksum(file.read_bytes()) for file in files if file.is_file())
    lacking = []
    for chapter, checksums in figures.items():
        if Counter(checksums) - there:
            lacking.append(chapter)
        there -= Counter(checksums)
    return lacking


def _checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
