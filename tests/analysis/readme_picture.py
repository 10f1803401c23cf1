"""The README's picture, drawn anew: `python tests/analysis/readme_picture.py`."""

from pathlib import Path

import numpy as np

from jal.analysis.figures import style
from jal.analysis.theory_figures import Landscape, simplex, simplex_grid
from jal.theory import risk, risk_minimiser

WEIGHTS = np.array([0.5, 0.3, 0.2])
PICTURE = Path(__file__).parents[2] / "book/_static/simplex.svg"


def draw():
    style()
    needed = 1 / (WEIGHTS[0] - WEIGHTS[1])
    path = np.array([risk_minimiser(WEIGHTS, a) for a in np.linspace(1, needed, 200)])
    points = simplex_grid(100)
    panels = {
        f"$a = {a:.3g}$": Landscape(points, risk(points, WEIGHTS, a), risk_minimiser(WEIGHTS, a), path)
        for a in (1, (1 + needed) / 2, needed)
    }
    return simplex(panels, WEIGHTS)


if __name__ == "__main__":
    # Without a date, so that the same picture is the same file.
    draw().savefig(PICTURE, bbox_inches="tight", metadata={"Date": None})
