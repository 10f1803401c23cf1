"""Figures that move: a drawing complete by itself, which `book/_static/jal-figures.js` brings to life.

Nothing of the script is embedded in a page. Without it, in a notebook or on paper, the drawing is the figure.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jal.analysis.noise_text import number as rounded_up
from jal.analysis.text import percent
from jal.errors import InputError
from jal.noise import pair, symmetric
from jal.theory import minimum_a, risk_minimiser

Array = NDArray[np.float64]

# Class 1, the true one, is the top corner. The units are those of the drawing's viewBox.
_WIDTH, _HEIGHT = 440, 392
_CORNERS = np.array([(220.0, 40.0), (40.0, 351.77), (400.0, 351.77)])
_LABELS = ((220, 26, "e₁, the true class"), (40, 378, "e₂"), (400, 378, "e₃"))
_LEVELS = 12


# What moves in the drawing of thresholds: classes, exponent, and the largest a that there is room for.
_CLASSES, _EXPONENT, _HIGHEST = 100, 4.0, 100.0
# Its frame: left, top, width, height.
_FRAME = (58, 14, 400, 250)
_TICKS = (1, 2, 5, 10, 20, 50, 100)
_NOISES = {"symmetric": symmetric, "pair": pair}
_MARKS = {"symmetric": '<circle r="7"/>', "pair": '<path d="M0-9L9 0L0 9L-9 0Z"/>'}
_LOOKS = {
    "symmetric": 'stroke="#0072b2"',
    "pair": 'stroke="#d55e00" stroke-dasharray="9 5"',
}


@dataclass(frozen=True)
class Interactive:
    """A figure that moves: its drawing, what the script needs to know of it, and a sentence that says what is drawn."""

    kind: str
    drawing: str
    text: str
    data: dict[str, str]

    @property
    def html(self) -> str:
        """The figure, to which the script adds its sliders."""
        data = "".join(f' data-{name}="{escape(value)}"' for name, value in self.data.items())
        return f'<figure class="jal-moving jal-{self.kind}"{data}>\n{self.drawing}\n</figure>'

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.html, "image/svg+xml": self.drawing, "text/plain": self.text}


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
    data = {"weights": ",".join(f"{x:.6g}" for x in w), "a": f"{a:g}", "a-max": f"{a_max:g}"}
    return Interactive("simplex", _simplex(w, a, a_max, nearest, text), text, data)


def threshold_slider(K: int = 10, rate: float = 0.4, q: float = 2.0) -> Interactive:
    """The smallest `a` of Theorem 4.1 against the noise rate, under symmetric noise and pair flips, with sliders.

    The sliders move the number of classes, the noise rate and the exponent.

    Parameters
    ----------
    K, rate, q
        where the sliders start.

    Returns
    -------
    Interactive
        with the drawing at these values as a static twin in it.

    Raises
    ------
    InputError
        for a value outside its slider's range: 2 to 100 classes, rates of 0 to .95, exponents of 1 to 4.
    """
    for name, value, low, high in (("K", K, 2, _CLASSES), ("rate", rate, 0, 0.95), ("q", q, 1, _EXPONENT)):
        if not low <= value <= high:
            raise InputError(
                f"{name} = {value} is outside the slider's range: choose {low} <= {name} <= {high}"
            )
    needed = {name: minimum_a(noise(K, rate), q) for name, noise in _NOISES.items()}
    parts = [
        f"no a suffices for {name} noise" if np.isinf(a) else f"{name} noise needs a ≥ {rounded_up(a)}"
        for name, a in needed.items()
    ]
    text = f"K = {K}, noise rate {percent(rate, 0)}, q = {q:g}: {', '.join(parts)}."
    data = {
        "classes": K,
        "rate": rate,
        "q": q,
        "classes-max": _CLASSES,
        "q-max": _EXPONENT,
        "a-max": _HIGHEST,
    }
    texts = {name: f"{value:g}" for name, value in data.items()}
    return Interactive("threshold", _thresholds(K, rate, q, needed, text), text, texts)


def _thresholds(K: int, rate: float, q: float, needed: dict[str, float], text: str) -> str:
    left, top, width, height = _FRAME

    def place(share: float, a: float) -> tuple[float, float]:
        up = min(np.log(a) / np.log(_HIGHEST), 1)
        return round(left + width * share, 1), round(top + height * (1 - float(up)), 1)

    lines, marks, keys = [], [], []
    for at, (name, noise) in enumerate(_NOISES.items()):
        # Rates just below 1: the noise itself must leave something of the true label.
        rates = np.linspace(0, 1, 200, endpoint=False)
        smallest = [minimum_a(noise(K, float(r)), q) for r in rates]
        points = [place(float(r), a) for r, a in zip(rates, smallest, strict=True) if a <= _HIGHEST]
        look = f'fill="none" stroke-width="3" {_LOOKS[name]}'
        lines.append(f'<polyline class="jal-line jal-{name}" {look} points="{_points(points)}"/>')
        x, y = place(rate, needed[name])
        away = ' style="display: none"' if needed[name] > _HIGHEST else ""
        marks.append(
            f'<g class="jal-point jal-{name}" transform="translate({x:g} {y:g})"{away} '
            f'fill="{_LOOKS[name][8:15]}" stroke="white" stroke-width="2">{_MARKS[name]}</g>'
        )
        keys.append(
            f'<path class="jal-line jal-key-{name}" {look} d="M{left + 14} {top + 18 + 24 * at}h34"/>'
            f'<text x="{left + 56}" y="{top + 24 + 24 * at}">{name}</text>'
        )
    grid = "".join(f"M{left} {place(0, a)[1]:g}h{width}" for a in _TICKS)
    ticks = "".join(
        f'<text x="{left - 8}" y="{place(0, a)[1] + 5:g}" text-anchor="end">{a}</text>' for a in _TICKS
    ) + "".join(
        f'<text x="{place(r / 100, 1)[0]:g}" y="{top + height + 20}" text-anchor="middle">{r}</text>'
        for r in range(0, 101, 20)
    )
    x = place(rate, 1)[0]
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 480 312" role="img" aria-label="{escape(text)}" \
font-family="sans-serif" font-size="15">
<path class="jal-lines" stroke="#c0c0c0" d="{grid}"/>
<rect class="jal-frame" x="{left}" y="{top}" width="{width}" height="{height}" fill="none" stroke="gray"/>
<line class="jal-here" x1="{x:g}" x2="{x:g}" y1="{top}" y2="{top + height}" stroke="gray" stroke-dasharray="2 4"/>
{"".join(lines)}{"".join(marks)}{"".join(keys)}
{ticks}
<text x="{left + width / 2:g}" y="{top + height + 42}" text-anchor="middle">noise rate [%]</text>
<text transform="translate(16 {top + height / 2:g}) rotate(-90)" text-anchor="middle">smallest sufficient a</text>
</svg>"""


def _simplex(w: Array, a: float, a_max: float, nearest: Array, text: str) -> str:
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
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" \
aria-label="{escape(text)}" font-family="sans-serif">
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
