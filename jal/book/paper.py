"""The book on paper: figures that LaTeX can set, latexmk over what Jupyter Book wrote, and no figure missing."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from nbformat import NotebookNode

from jal.book.failure import BuildFailed
from jal.errors import InputError

NAME = "jal"
"""Of the PDF, as `_config.yml` has it."""

PACKAGES = (
    "latexmk texlive-xetex texlive-latex-extra texlive-fonts-recommended fonts-freefont-otf librsvg2-bin"
)
"""Debian's, with all that is needed."""

TOOLS = ("latexmk", "xelatex", "rsvg-convert")
_UNSEEN = {"remove-cell", "remove-output"}


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
    """Gives each drawing of an executed notebook, also one that moves on the screen, a twin that LaTeX can set.

    Returns
    -------
    the checksum of each figure that a reader sees.
    """
    figures = []
    for cell in notebook.cells:
        seen = not _UNSEEN & set(cell.metadata.get("tags", []))
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if drawing := _drawing(data):
                data["application/pdf"] = base64.b64encode(_converted(drawing)).decode()
            image = next(
                (data[kind] for kind in ("application/pdf", "image/png", "image/jpeg") if kind in data), None
            )
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
