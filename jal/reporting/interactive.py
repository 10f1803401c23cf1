"""Figures that move: a drawing complete by itself, which `book/_static/jal-figures.js` brings to life.

Nothing of the script is embedded in a page. Without it, or in a notebook, the drawing is the figure.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jal.errors import InputError
from jal.theory import risk_minimiser

Array = NDArray[np.float64]

# Class 1, the true one, is the top corner. The units are those of the drawing's viewBox.
_WIDTH, _HEIGHT = 440, 392
_CORNERS = np.array([(220.0, 40.0), (40.0, 351.77), (400.0, 351.77)])
_LABELS = ((220, 26, "e₁, the true class"), (40, 378, "e₂"), (400, 378, "e₃"))
_LEVELS = 12


@dataclass(frozen=True)
class Interactive:
    """A figure in HTML, and the sentence that stands for it where HTML cannot be shown."""

    html: str
    text: str

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.text}


def simplex_slider(weights: ArrayLike, a: float = 2.0, a_max: float = 10.0) -> Interactive:
    """The minimiser of the weighted risk of AMSE (q = 2) on the simplex of three classes, with sliders.

    The sliders move `a`, the noise rate, and how unevenly the noise falls on the two wrong classes.

    Parameters
    ----------
    weights
        (3,) the weights of the risk to start with; the first, the true class's, is the largest.
    a, a_max
        where the slider of `a` starts, and where it ends; it begins at 1.

    Returns
    -------
    Interactive
        with the drawing at `weights` and `a` as a static twin in it.

    Raises
    ------
    InputError
        for other than three weights, or `a` outside [1, a_max].
    """
    w = np.asarray(weights, dtype=np.float64)
    if w.shape != (3,):
        raise InputError(f"weights of shape {w.shape}: the drawing is of three classes, give three weights")
    if not 1 <= a <= a_max:
        raise InputError(f"a = {a} is outside the slider's range: choose 1 <= a <= {a_max}")
    w = w / w.sum()
    nearest = risk_minimiser(w, a)
    shown = ", ".join(f"{p:.2f}" for p in nearest)
    text = f"Minimiser of the weighted risk at a = {a:g}: ({shown}). The figure moves in the online book."
    html = (
        f'<figure class="jal-simplex" data-weights="{",".join(f"{x:.6g}" for x in w)}" '
        f'data-a="{a:g}" data-a-max="{a_max:g}">\n{_drawing(w, a, a_max, nearest, text)}\n</figure>'
    )
    return Interactive(html, text)


def _drawing(w: Array, a: float, a_max: float, nearest: Array, text: str) -> str:
    # a w seen in the plane of the simplex: a times its deviation from the middle.
    centre = 1 / 3 + a * (w - 1 / 3)
    path = [_place(risk_minimiser(w, float(value))) for value in np.linspace(1, a_max, 101)]
    (x, y), (cx, cy), (wx, wy) = _place(nearest), _place(centre), _place(w)
    circles = "".join(f'<circle cx="{cx}" cy="{cy}" r="{r}"/>' for r in _contour_radii(centre, nearest))
    labels = "".join(
        f'<text x="{left}" y="{top}" text-anchor="middle" font-size="17">{label}</text>'
        for left, top, label in _LABELS
    )
    # The presentation attributes are what a viewer without the book's style sheet sees.
    return f"""<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(text)}">
<clipPath id="jal-simplex-clip"><polygon points="{_points(_CORNERS)}"/></clipPath>
<g class="jal-contours" clip-path="url(#jal-simplex-clip)" fill="none" stroke="gray">{circles}</g>
<polygon class="jal-triangle" points="{_points(_CORNERS)}" fill="none" stroke="gray" stroke-width="1.5"/>
<polyline class="jal-path" points="{_points(path)}" fill="none" stroke="#0072b2" stroke-width="3"/>
<line class="jal-pull" x1="{x}" y1="{y}" x2="{cx}" y2="{cy}" stroke="gray" stroke-dasharray="4 4"/>
<circle class="jal-target" cx="{cx}" cy="{cy}" r="5" fill="none" stroke="gray" stroke-width="1.5"/>
<circle class="jal-weights" cx="{wx}" cy="{wy}" r="6" fill="white" stroke="#0072b2" stroke-width="3"/>
<circle class="jal-minimiser" cx="{x}" cy="{y}" r="8" fill="#d55e00" stroke="white" stroke-width="2"/>
{labels}
</svg>"""


def _place(point: Array) -> tuple[float, float]:
    """Barycentric coordinates to the drawing's."""
    x, y = point @ _CORNERS
    return round(float(x), 2), round(float(y), 2)


def _points(pairs: object) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in np.asarray(pairs))


def _contour_radii(centre: Array, nearest: Array) -> list[float]:
    """Radii of equal steps of the risk: up to scale and constant it is the squared distance to `centre`."""
    lowest = float(np.sum((nearest - centre) ** 2))
    highest = max(float(np.sum((corner - centre) ** 2)) for corner in np.eye(3))
    side = float(np.hypot(*(_CORNERS[0] - _CORNERS[1])))
    steps = lowest + (highest - lowest) * np.arange(_LEVELS) / _LEVELS
    return [round(float(r), 2) for r in np.sqrt(steps) * side / np.sqrt(2)]
