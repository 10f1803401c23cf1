"""The figures of parts and scale show what they are given, and say so where there is nothing."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the book's extra is not installed")

from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

from jal.analysis import scale_figures as figures
from jal.analysis.figures import LINES
from jal.analysis.stats import Summary
from jal.errors import InputError
from jal.experiments.grids import get
from tests.analysis.filled import filled


def short(grid):
    """The same grid in runs of two epochs."""
    return replace(grid, cells={cell: {**words, "epochs": 2} for cell, words in grid.cells.items()})


GRID = short(get("table2", profile="quick"))
NOISES = ["symmetric 0.8", "asymmetric 0.4"]


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def found():
    def curves(row, column, seed):
        if row == "AMSE":
            return None
        level = GRID.rows.index(row) + GRID.columns.index(column) + (seed - 123)
        return {name: [level, 2.0 * level] for name in ("test_accuracy", "clean_accuracy", "memorised")}

    return filled(GRID, curves)


def text_of(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def legend_of(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_curves_are_means_with_their_range(found):
    figure = figures.curves({"here": found}, NOISES, ["memorised", "test_accuracy"])
    assert len(figure.axes) == 4
    axes = figure.axes[0]
    assert axes.get_title(loc="left") or axes.get_title() == "here:\nsymmetric 0.8"
    nce, jal = axes.lines
    assert nce.get_ydata().tolist() == [2.0, 4.0] and nce.get_xdata().tolist() == [1, 2]
    assert jal.get_ydata().tolist() == [4.0, 8.0]
    assert to_hex(jal.get_color()) == to_hex(LINES["JAL-CE"]["color"])
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (1.0, 6.0)
    assert legend_of(figure) == list(GRID.rows)
    assert figure.axes[0].get_ylabel() != figure.axes[2].get_ylabel()


def test_each_side_has_its_panels(found):
    figure = figures.curves({"here": found, "there": found}, NOISES)
    titles = [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes]
    assert titles == [f"{side}:\n{noise}" for side in ("here", "there") for noise in NOISES]


def test_unknown_curves_are_refused(found):
    with pytest.raises(InputError, match="unknown quantity 'speed'"):
        figures.curves({"here": found}, NOISES, ["speed"])
    with pytest.raises(InputError, match=r"unknown column of the grid 'symmetric 0\.5'"):
        figures.curves({"here": found}, ["symmetric 0.5"])


@pytest.mark.parametrize(
    "draw",
    [
        lambda: figures.curves({}, NOISES),
        lambda: figures.plane({}, NOISES),
        lambda: figures.against({}, {}, "a"),
    ],
)
def test_without_runs_a_figure_says_so(draw):
    assert text_of(draw()) == ["None of these runs is there yet."]


def test_a_path_goes_from_wrong_to_right(found):
    figure = figures.plane({"here": found}, NOISES)
    nce, jal = figure.axes[0].lines
    assert nce.get_xydata().tolist() == [[2.0, 2.0], [4.0, 4.0]]
    assert nce.get_markevery() == [-1] and nce.get_marker() != jal.get_marker()
    assert nce.get_zorder() > jal.get_zorder()
    assert legend_of(figure) == list(GRID.rows)


def test_accuracies_against_a_parameter():
    looks = figures.family(["q = 1", "q = 2"], "q")
    points = {
        "q = 1": {30.0: Summary(40.0, None, 1)},
        "q = 2": {20.0: Summary(60.0, 2.0, 3), 5.0: Summary(50.0, None, 1)},
    }
    figure = figures.against({"here": points}, looks, "$a$", thresholds={"q = 2": 9.0}, across=["q = 1"])
    axes = figure.axes[0]
    level, marks, bound = (line for line in axes.lines if line.get_marker() not in ("_", "|"))
    assert set(level.get_ydata()) == {40.0}
    assert marks.get_xydata().tolist() == [[5.0, 50.0], [20.0, 60.0]]
    assert set(bound.get_xdata()) == {9.0} and to_hex(bound.get_color()) == to_hex(marks.get_color())
    (bars,) = axes.containers[0].lines[2]
    assert [segment[:, 1].tolist() for segment in bars.get_segments()] == [[50.0, 50.0], [58.0, 62.0]]


def test_panels_without_a_place_are_hidden():
    looks = {"one": {"color": "k"}}
    panels = {name: {"one": {2.0: Summary(50.0, None, 1)}} for name in "abc"}
    figure = figures.against(panels, looks, "x", logarithmic=True)
    assert [axes.get_visible() for axes in figure.axes] == [True, True, True, False]
    assert figure.axes[0].get_xscale() == "log"


def test_a_family_is_told_apart_without_colour():
    rows = ["AMSE, a = 10", "AMSE, a = 20", "NNCE"]
    looks = figures.family(rows, "AMSE")
    assert list(looks) == rows
    assert len({str(look["linestyle"]) for look in looks.values()}) == 3
    assert figures.look("JAL-CE") == LINES["JAL-CE"]


def test_heights_are_drawn_as_given():
    figure = figures.heights([1.0, 10.0], {"q = 1": [0.2, 0.2], "q = 2": [0.2, 2.0]}, "fall")
    axes = figure.axes[0]
    assert [line.get_ydata().tolist() for line in axes.lines] == [[0.2, 0.2], [0.2, 2.0]]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert np.array_equal(axes.get_xticks(), [1, 2, 5, 10, 20, 40])
