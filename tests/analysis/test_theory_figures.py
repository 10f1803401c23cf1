"""The theory chapters' pictures show what they are given."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the book's extra is not installed")

from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

from jal.analysis import theory_figures as figures
from jal.analysis.figures import LINES
from jal.theory import risk, risk_minimiser

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
