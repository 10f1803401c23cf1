"""Figures that move: a drawing complete by itself, which `book/_static/jal-figures.js` brings to life.

Nothing of the script is embedded in a page. Without it, in a notebook or on paper, the drawing is the figure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jal.analysis.text import percent, upwards
from jal.errors import InputError
from jal.noise import pair, symmetric
from jal.theory import minimum_a, risk_minimiser

Array = NDArray[np.float64]


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


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InputError(f"{name} = {value} is outside the slider's range: choose {low} <= {name} <= {high}")


def _svg(width: int, height: int, text: str, *elements: str) -> str:
    # The elements' presentation attributes are what a viewer without the book's style sheet sees.
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(text)}" font-family="sans-serif" font-size="15">\n'
        + "\n".join(elements)
        + "\n</svg>"
    )


def _points(pairs: ArrayLike) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in np.asarray(pairs))


# The simplex. Class 1, the true one, is the top corner; the units are those of the drawing's viewBox.
_CORNERS = np.array([(220.0, 40.0), (40.0, 351.77), (400.0, 351.77)])
_CONTOURS = 12


def simplex_slider(weights: ArrayLike, a: float = 2.0, a_max: float = 10.0) -> Interactive:
    """The minimiser of the weighted risk of AMSE (q = 2) on the simplex of three classes, with sliders.

    The sliders move `a`, the noise rate, and how unevenly the noise falls on the two wrong classes.

    Parameters
    ----------
    weights
        (3,) the weights of the risk to start with; the first, the true class's, is the largest.
    a, a_max
        where the slider of `a` starts, and where it ends; it begins at 1.

    Raises
    ------
    InputError
        for other than three weights, or `a` outside [1, a_max].
    """
    w = np.asarray(weights, dtype=np.float64)
    if w.shape != (3,):
        raise InputError(f"weights of shape {w.shape}: the drawing is of three classes, give three weights")
    _check_range("a", a, 1, a_max)
    w = w / w.sum()
    nearest = risk_minimiser(w, a)
    shown = ", ".join(f"{p:.2f}" for p in nearest)
    text = f"Minimiser of the weighted risk at a = {a:g}: ({shown}). The figure moves in the online book."
    data = {"weights": ",".join(f"{x:.6g}" for x in w), "a": f"{a:g}", "a-max": f"{a_max:g}"}
    # a w seen in the plane of the simplex: a times its deviation from the middle.
    centre = 1 / 3 + a * (w - 1 / 3)
    path = [risk_minimiser(w, float(value)) for value in np.linspace(1, a_max, 101)]
    corners, line = _points(_CORNERS), _points((path @ _CORNERS).round(2))
    (x, y), (cx, cy), (wx, wy) = (np.array([nearest, centre, w]) @ _CORNERS).round(2)
    circles = "".join(f'<circle cx="{cx}" cy="{cy}" r="{r}"/>' for r in _contour_radii(centre, nearest))
    labels = ((220, 26, "e₁, the true class"), (40, 378, "e₂"), (400, 378, "e₃"))
    drawing = _svg(
        440,
        392,
        text,
        f'<clipPath id="jal-simplex-clip"><polygon points="{corners}"/></clipPath>',
        '<g class="jal-contours" clip-path="url(#jal-simplex-clip)" fill="none" stroke="gray">'
        + circles
        + "</g>",
        f'<polygon class="jal-triangle" points="{corners}" fill="none" stroke="gray" stroke-width="1.5"/>',
        f'<polyline class="jal-path" points="{line}" fill="none" stroke="#0072b2" stroke-width="3"/>',
        f'<line class="jal-pull" x1="{x}" y1="{y}" x2="{cx}" y2="{cy}" stroke="gray" stroke-dasharray="4 4"/>',
        f'<circle class="jal-target" cx="{cx}" cy="{cy}" r="5" fill="none" stroke="gray" stroke-width="1.5"/>',
        f'<circle class="jal-weights" cx="{wx}" cy="{wy}" r="6" fill="white" stroke="#0072b2" stroke-width="3"/>',
        f'<circle class="jal-minimiser" cx="{x}" cy="{y}" r="8" fill="#d55e00" stroke="white" stroke-width="2"/>',
        *(
            f'<text x="{x}" y="{y}" text-anchor="middle" font-size="17">{name}</text>'
            for x, y, name in labels
        ),
    )
    return Interactive("simplex", drawing, text, data)


def _contour_radii(centre: Array, nearest: Array) -> list[float]:
    """Radii of equal steps of the risk: up to scale and constant it is the squared distance to `centre`."""
    lowest = float(np.sum((nearest - centre) ** 2))
    highest = max(float(np.sum((corner - centre) ** 2)) for corner in np.eye(3))
    side = float(np.hypot(*(_CORNERS[0] - _CORNERS[1])))
    steps = lowest + (highest - lowest) * np.arange(_CONTOURS) / _CONTOURS
    return [round(float(r), 2) for r in np.sqrt(steps) * side / np.sqrt(2)]


# The thresholds: the frame's place in the drawing, the sliders' ends, and the largest a that there is room for.
_LEFT, _TOP, _WIDTH, _HEIGHT = 58, 14, 400, 250
_CLASSES, _EXPONENT, _HIGHEST = 100, 4.0, 100.0
_NOISES = {
    "symmetric": (symmetric, "#0072b2", "none", '<circle r="7"/>'),
    "pair": (pair, "#d55e00", "9 5", '<path d="M0-9L9 0L0 9L-9 0Z"/>'),
}


def threshold_slider(K: int = 10, rate: float = 0.4, q: float = 2.0) -> Interactive:
    """The smallest `a` of Theorem 4.1 against the noise rate, under symmetric noise and pair flips, with sliders.

    The sliders move the number of classes, the noise rate and the exponent.

    Parameters
    ----------
    K, rate, q
        where the sliders start.

    Raises
    ------
    InputError
        for a value outside its slider's range: 2 to 100 classes, rates of 0 to .95, exponents of 1 to 4.
    """
    for name, value, low, high in (("K", K, 2, _CLASSES), ("rate", rate, 0, 0.95), ("q", q, 1, _EXPONENT)):
        _check_range(name, value, low, high)
    needed = {name: minimum_a(noise(K, rate), q) for name, (noise, *_) in _NOISES.items()}
    parts = [
        f"no a suffices for {name} noise" if math.isinf(a) else f"{name} noise needs a ≥ {upwards(a, 3)}"
        for name, a in needed.items()
    ]
    text = f"K = {K}, noise rate {percent(rate, 0)}, q = {q:g}: {', '.join(parts)}."
    ends = {"classes-max": _CLASSES, "q-max": _EXPONENT, "a-max": _HIGHEST}
    data = {name: f"{value:g}" for name, value in ({"classes": K, "rate": rate, "q": q} | ends).items()}
    x, middle, bottom = _place(rate, 1)[0], _LEFT + _WIDTH / 2, _TOP + _HEIGHT
    drawing = _svg(
        480,
        312,
        text,
        *_grid(),
        f'<line class="jal-here" x1="{x:g}" x2="{x:g}" y1="{_TOP}" y2="{bottom}" stroke="gray" '
        'stroke-dasharray="2 4"/>',
        *(_curve(name, K, q) for name in _NOISES),
        *(_mark(name, rate, a) for name, a in needed.items()),
        f'<text x="{middle:g}" y="{bottom + 42}" text-anchor="middle">noise rate [%]</text>',
        f'<text transform="translate(16 {_TOP + _HEIGHT / 2:g}) rotate(-90)" text-anchor="middle">'
        "smallest sufficient a</text>",
    )
    return Interactive("threshold", drawing, text, data)


def _place(rate: float, a: float) -> tuple[float, float]:
    up = min(math.log(a) / math.log(_HIGHEST), 1)
    return round(_LEFT + _WIDTH * rate, 1), round(_TOP + _HEIGHT * (1 - up), 1)


def _curve(name: str, K: int, q: float) -> str:
    """A noise's line, and its key in the upper left corner."""
    noise, colour, dash, _ = _NOISES[name]
    # Rates just below 1: the noise itself must leave something of the true label.
    rates = [float(rate) for rate in np.linspace(0, 1, 200, endpoint=False)]
    smallest = [minimum_a(noise(K, rate), q) for rate in rates]
    points = [_place(rate, a) for rate, a in zip(rates, smallest, strict=True) if a <= _HIGHEST]
    look = f'fill="none" stroke-width="3" stroke="{colour}" stroke-dasharray="{dash}"'
    y = _TOP + 18 + 24 * list(_NOISES).index(name)
    return (
        f'<polyline class="jal-line jal-{name}" {look} points="{_points(points)}"/>'
        f'<path class="jal-line jal-key-{name}" {look} d="M{_LEFT + 14} {y}h34"/>'
        f'<text x="{_LEFT + 56}" y="{y + 6}">{name}</text>'
    )


def _mark(name: str, rate: float, a: float) -> str:
    _, colour, _, shape = _NOISES[name]
    x, y = _place(rate, a)
    away = ' style="display: none"' if a > _HIGHEST else ""
    return (
        f'<g class="jal-point jal-{name}" transform="translate({x:g} {y:g})"{away} fill="{colour}" '
        f'stroke="white" stroke-width="2">{shape}</g>'
    )


def _grid() -> list[str]:
    """The frame, and ticks with their numbers."""
    heights = {a: _place(0, a)[1] for a in (1, 2, 5, 10, 20, 50, 100)}
    lines = "".join(f"M{_LEFT} {y:g}h{_WIDTH}" for y in heights.values())
    percents = {rate: _place(rate / 100, 1)[0] for rate in range(0, 101, 20)}
    return [
        f'<path class="jal-lines" stroke="#c0c0c0" d="{lines}"/>',
        f'<rect class="jal-frame" x="{_LEFT}" y="{_TOP}" width="{_WIDTH}" height="{_HEIGHT}" fill="none" '
        'stroke="gray"/>',
        *(f'<text x="{_LEFT - 8}" y="{y + 5:g}" text-anchor="end">{a}</text>' for a, y in heights.items()),
        *(
            f'<text x="{x:g}" y="{_TOP + _HEIGHT + 20}" text-anchor="middle">{rate}</text>'
            for rate, x in percents.items()
        ),
    ]
