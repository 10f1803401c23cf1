"""The theory chapters' pictures show what they are given."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the book's extra is not installed")

from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

from jal.analysis import theory_figures as figures
from jal.analysis.figures import LINES, PALETTE
from jal.noise import asymmetric, symmetric
from jal.theory import minimum_a, risk, risk_minimiser

WEIGHTS = np.array([0.5, 0.3, 0.2])


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
