"""The theory chapters' pictures show what they are given, and the two moving figures' halves agree."""

from __future__ import annotations

import json
import shutil
import subprocess
import xml.etree.ElementTree as ET

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the book's extra is not installed")

from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

from jal.checkout import find_root
from jal.errors import InputError
from jal.noise import asymmetric, symmetric
from jal.reporting import theory_figures as figures
from jal.reporting.figures import LINES, PALETTE
from jal.reporting.interactive import simplex_slider
from jal.theory import minimum_a, risk, risk_minimiser

WEIGHTS = np.array([0.5, 0.3, 0.2])
SCRIPT = "book/_static/jal-figures.js"


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def corners(ax):
    """Where a panel draws e1, e2, e3: the triangle itself."""
    return ax.patches[0].get_xy()[:3]


def test_the_grid_covers_the_simplex():
    grid = figures.simplex_grid(20)
    assert grid.shape == (21 * 22 // 2, 3)
    assert np.allclose(grid.sum(axis=1), 1) and (grid >= 0).all()
    assert len(np.unique(grid.round(6), axis=0)) == len(grid)
    for vertex in np.eye(3):
        assert (grid == vertex).all(axis=1).any()


def test_the_lowest_point_of_the_grid_is_near_the_minimiser():
    grid = figures.simplex_grid(200)
    for a in (1.0, 2.0, 5.0):
        lowest = grid[risk(grid, WEIGHTS, a).argmin()]
        assert np.abs(lowest - risk_minimiser(WEIGHTS, a)).max() < 0.01


def test_simplex_marks_weights_minimiser_and_path():
    grid = figures.simplex_grid(20)
    path = np.array([risk_minimiser(WEIGHTS, a) for a in (1, 2, 4)])
    panels = {
        f"a = {a}": figures.Landscape(grid, risk(grid, WEIGHTS, a), risk_minimiser(WEIGHTS, a), path)
        for a in (1, 5)
    }
    figure = figures.simplex(panels, WEIGHTS)
    assert [ax.get_title(loc="left") or ax.get_title() for ax in figure.axes] == list(panels)
    for ax, panel in zip(figure.axes, panels.values(), strict=True):
        drawn_path, ring, dot = ax.lines
        assert np.allclose(drawn_path.get_xydata(), path @ corners(ax))
        assert np.allclose(ring.get_xydata(), [WEIGHTS @ corners(ax)])
        assert np.allclose(dot.get_xydata(), [panel.minimiser @ corners(ax)])
    assert np.allclose(dot.get_xydata(), [corners(ax)[0]])


def test_transitions_show_every_entry_and_leave_zeros_empty():
    T = asymmetric("cifar10", 0.4)
    figure = figures.transitions({"one": T, "two": symmetric(10, 0.4)}, [str(k) for k in range(10)])
    one, two = figure.axes
    assert np.array_equal(one.images[0].get_array(), T)
    assert sorted(t.get_text() for t in one.texts) == sorted(["100"] * 5 + ["60", "40"] * 5)
    assert len(two.texts) == 100 and {t.get_text() for t in two.texts} == {"60", "4.4"}


def test_thresholds_end_where_they_are_infinite():
    rates = np.linspace(0, 0.95, 20)
    values = np.array([minimum_a(symmetric(3, rate)) for rate in rates])
    (line,) = figures.thresholds({"": {"K = 3": values}}, rates).axes[0].lines
    drawn = line.get_ydata()
    assert np.array_equal(np.isnan(drawn), rates >= 2 / 3)
    assert np.array_equal(drawn[~np.isnan(drawn)], values[np.isfinite(values)])


def test_gradient_weights_keep_the_colour_of_a_loss():
    p = np.linspace(0.1, 0.9, 5)
    figure = figures.gradient_weights(
        p, {"": {"CE": 1 - p, "AMSE, a = 2": p, "AMSE, a = 5": p}}, "y", logarithmic=True
    )
    ax = figure.axes[0]
    ce, pale, dark = ax.lines
    assert to_hex(ce.get_color()) == to_hex(LINES["CE"]["color"])
    assert to_hex(pale.get_color()) != to_hex(dark.get_color())
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def test_label_sums_tell_symmetric_losses_apart():
    ax = figures.label_sums({"MAE": 0.0, "CE": 4.0}, {"MAE"}).axes[0]
    mae, ce = ax.lines
    assert [label.get_text() for label in ax.get_yticklabels()] == ["MAE", "CE"]
    assert mae.get_color() == PALETTE[0] and ce.get_color() == PALETTE[1]
    assert mae.get_marker() != ce.get_marker()
    assert mae.get_xdata()[0] > 0


# The moving figure: its drawing, and its script.


def drawing(figure):
    return ET.fromstring(figure.html).find("svg")


def by_class(svg, name):
    return next(element for element in svg.iter() if element.get("class") == name)


def position(element):
    return np.array([float(element.get("cx")), float(element.get("cy"))])


def drawn_corners(svg):
    return np.array(
        [pair.split(",") for pair in by_class(svg, "jal-triangle").get("points").split()], dtype=float
    )


@pytest.mark.parametrize("a", [1.0, 2.0, 5.0, 8.0])
def test_the_drawing_is_complete_without_the_script(a):
    figure = simplex_slider(WEIGHTS, a)
    svg = drawing(figure)
    triangle = drawn_corners(svg)
    assert np.allclose(
        position(by_class(svg, "jal-minimiser")), risk_minimiser(WEIGHTS, a) @ triangle, atol=0.02
    )
    assert np.allclose(position(by_class(svg, "jal-weights")), WEIGHTS @ triangle, atol=0.02)
    assert svg.get("role") == "img" and f"a = {a:g}" in svg.get("aria-label")
    assert "script" not in figure.html and "http" not in figure.html
    assert figure._repr_mimebundle_() == {"text/html": figure.html, "text/plain": figure.text}


def test_the_drawing_refuses_what_it_cannot_show():
    with pytest.raises(InputError, match="three"):
        simplex_slider([0.5, 0.5])
    with pytest.raises(InputError, match="range"):
        simplex_slider(WEIGHTS, a=11)


needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


def in_node(expression, value):
    program = (
        f"const figures = require({json.dumps(str(find_root() / SCRIPT))});"
        f"const input = {json.dumps(value)};"
        f"console.log(JSON.stringify({expression}));"
    )
    return json.loads(
        subprocess.run(["node", "-e", program], check=True, capture_output=True, text=True).stdout
    )


def cases(n=200):
    random = np.random.default_rng(7)
    weights = random.dirichlet(np.ones(3), n)
    return weights, random.uniform(1, 12, n)


@needs_node
def test_the_script_projects_as_the_library_does():
    weights, a = cases()
    given = [[w.tolist(), x] for w, x in zip(weights, a, strict=True)]
    drawn = in_node("input.map(([w, a]) => figures.minimiser(w, a))", given)
    expected = [risk_minimiser(w, x) for w, x in zip(weights, a, strict=True)]
    assert np.allclose(drawn, expected, atol=1e-9)


@needs_node
def test_the_script_knows_the_threshold_and_says_so():
    dominated = [[0.4, 0.4, 0.2], [0.2, 0.5, 0.3]]
    answers = in_node("input.map((w) => [String(figures.threshold(w)), figures.describe(w, 3)])", dominated)
    assert all(threshold == "Infinity" and "no a takes it" in text for threshold, text in answers)
    for rate in (0.2, 0.5, 0.6):
        T = symmetric(3, rate)
        needed = in_node("figures.threshold(input)", T[0].tolist())
        assert needed == pytest.approx(minimum_a(T))
        at, below = in_node(
            f"[{needed}, {0.99 * needed}].map((a) => figures.describe(input, a))", T[0].tolist()
        )
        assert "is reached" in at and "needs a" in below


@needs_node
def test_the_script_draws_the_contours_of_the_static_drawing():
    a = 3.0
    svg = drawing(simplex_slider(WEIGHTS, a))
    centre = 1 / 3 + a * (WEIGHTS - 1 / 3)
    radii = in_node("figures.contourRadii(...input)", [centre.tolist(), risk_minimiser(WEIGHTS, a).tolist()])
    triangle = drawn_corners(svg)
    scale = np.linalg.norm(triangle[0] - triangle[1]) / np.sqrt(2)
    drawn = [float(circle.get("r")) for circle in by_class(svg, "jal-contours")]
    assert np.allclose(drawn, np.array(radii) * scale, atol=0.02)


def test_the_script_asks_for_nothing():
    text = (find_root() / SCRIPT).read_text()
    assert len(text.splitlines()) < 200
    for word in ("http", "fetch", "XMLHttpRequest", "import(", "eval("):
        assert word not in text
