"""The moving figures: what is drawn without the script is right, and the script computes what the library does."""

import json
import shutil
import subprocess
from xml.etree import ElementTree

import numpy as np
import pytest

from jal.analysis.interactive import simplex_slider, threshold_slider
from jal.checkout import find_root
from jal.errors import InputError
from jal.noise import pair, symmetric
from jal.theory import minimum_a, risk_minimiser

WEIGHTS = np.array([0.5, 0.3, 0.2])
SCRIPT = "book/_static/jal-figures.js"
SVG = "{http://www.w3.org/2000/svg}"


def drawing(figure):
    tree = ElementTree.fromstring(figure.html)
    (svg,) = tree
    assert svg.tag == f"{SVG}svg" and tree.get("class").startswith("jal-moving ")
    return svg


def by_class(svg, name):
    return next(element for element in svg.iter() if element.get("class") == name)


def pairs(text):
    return np.array([pair.split(",") for pair in text.split()], dtype=float)


def position(element):
    return np.array([float(element.get("cx")), float(element.get("cy"))])


def alone(figure):
    """What stands for a figure where nothing moves."""
    bundle = figure._repr_mimebundle_()
    assert set(bundle) == {"text/html", "image/svg+xml", "text/plain"}
    assert bundle["image/svg+xml"] in bundle["text/html"]
    svg = ElementTree.fromstring(bundle["image/svg+xml"])
    assert svg.get("role") == "img" and svg.get("aria-label") == bundle["text/plain"]
    assert "script" not in figure.html and "http" not in figure.html.replace(SVG[1:-1], "")
    return bundle["text/plain"]


@pytest.mark.parametrize("a", [1.0, 2.0, 5.0, 8.0])
def test_the_simplex_is_complete_without_the_script(a):
    figure = simplex_slider(WEIGHTS, a)
    svg = drawing(figure)
    triangle = pairs(by_class(svg, "jal-triangle").get("points"))
    minimiser = risk_minimiser(WEIGHTS, a) @ triangle
    assert np.allclose(position(by_class(svg, "jal-minimiser")), minimiser, atol=0.02)
    assert np.allclose(position(by_class(svg, "jal-weights")), WEIGHTS @ triangle, atol=0.02)
    assert f"a = {a:g}" in alone(figure)


def test_the_simplex_refuses_what_it_cannot_show():
    with pytest.raises(InputError, match="three"):
        simplex_slider([0.5, 0.5])
    with pytest.raises(InputError, match="range"):
        simplex_slider(WEIGHTS, a=11)


def read_off(svg, x, y):
    """The noise rate and the a of a place in the drawing of thresholds, by its own ticks."""
    texts = [(text, text.get("x"), text.get("y")) for text in svg.iter(f"{SVG}text") if text.get("x")]
    rates = {
        int(t.text): float(left)
        for t, left, _ in texts
        if t.get("text-anchor") == "middle" and t.text.isdigit()
    }
    scales = {int(t.text): float(top) - 5 for t, _, top in texts if t.get("text-anchor") == "end"}
    rate = (x - rates[0]) / (rates[100] - rates[0])
    return rate, 100 ** ((scales[1] - y) / (scales[1] - scales[100]))


@pytest.mark.parametrize(("K", "rate", "q"), [(10, 0.4, 2.0), (3, 0.2, 1.5), (100, 0.45, 3.0)])
def test_the_thresholds_are_complete_without_the_script(K, rate, q):
    figure = threshold_slider(K, rate, q)
    svg = drawing(figure)
    for name, noise in (("symmetric", symmetric), ("pair", pair)):
        place = (
            by_class(svg, f"jal-point jal-{name}")
            .get("transform")
            .removeprefix("translate(")
            .removesuffix(")")
        )
        at, a = read_off(svg, *map(float, place.split()))
        assert at == pytest.approx(rate, abs=1e-3)
        assert a == pytest.approx(minimum_a(noise(K, rate), q), rel=0.003)
        line = [read_off(svg, x, y) for x, y in pairs(by_class(svg, f"jal-line jal-{name}").get("points"))]
        assert len(line) > 50
        for share, value in line[::10]:
            assert value == pytest.approx(minimum_a(noise(K, max(share, 0)), q), rel=0.03, abs=0.01)
    assert f"K = {K}, noise rate {100 * rate:.0f} %, q = {q:g}" in alone(figure)


def test_the_sentence_rounds_up_and_knows_where_nothing_suffices():
    assert threshold_slider(10, 0.8, 3).text.endswith(
        "symmetric noise needs a ≥ 4.740, no a suffices for pair noise."
    )
    assert "symmetric noise needs a ≥ 1.800, pair noise needs a ≥ 5.000" in threshold_slider().text


def test_a_threshold_beyond_the_drawing_is_not_drawn():
    svg = drawing(threshold_slider(10, 0.5, 2))
    assert by_class(svg, "jal-point jal-pair").get("style") == "display: none"
    assert by_class(svg, "jal-point jal-symmetric").get("style") is None


@pytest.mark.parametrize("wrong", [{"K": 1}, {"K": 101}, {"rate": 1.0}, {"rate": -0.1}, {"q": 0.5}, {"q": 5}])
def test_the_thresholds_refuse_what_no_slider_reaches(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(InputError, match=rf"{name} = {value} is outside the slider's range"):
        threshold_slider(**wrong)


# The script's arithmetic.

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
    return random.dirichlet(np.ones(3), n), random.uniform(1, 12, n)


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
@pytest.mark.parametrize("q", [0.7, 1.0, 1.5, 2.0, 2.5, 3.0])
def test_the_script_solves_the_condition_of_the_theorem(q):
    random = np.random.default_rng(3)
    rows = [row for row in random.dirichlet(0.3 * np.ones(5), 300) if row.max() > np.sort(row)[-2] + 1e-6][
        :100
    ]
    rows = [np.roll(row, -int(row.argmax())) for row in rows]
    given = [[row[0], row[1:].max(), row[1:].sum(), q] for row in rows]
    solved = in_node("input.map((x) => String(figures.smallestA(...x)))", given)
    # A circulant matrix has the same contest in every row.
    expected = [minimum_a([np.roll(row, shift) for shift in range(5)], q) for row in rows]
    assert np.allclose([float(a) for a in solved], expected, rtol=1e-8)


@needs_node
def test_the_script_draws_the_contours_of_the_static_drawing():
    a = 3.0
    svg = drawing(simplex_slider(WEIGHTS, a))
    centre = 1 / 3 + a * (WEIGHTS - 1 / 3)
    radii = in_node("figures.contourRadii(...input)", [centre.tolist(), risk_minimiser(WEIGHTS, a).tolist()])
    triangle = pairs(by_class(svg, "jal-triangle").get("points"))
    scale = np.linalg.norm(triangle[0] - triangle[1]) / np.sqrt(2)
    drawn = [float(circle.get("r")) for circle in by_class(svg, "jal-contours")]
    assert np.allclose(drawn, np.array(radii) * scale, atol=0.02)


def test_the_script_asks_for_nothing():
    text = (find_root() / SCRIPT).read_text()
    assert len(text) < 20_000
    for word in ("http", "fetch", "XMLHttpRequest", "import(", "eval("):
        assert word not in text
