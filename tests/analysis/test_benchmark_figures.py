"""Figures of the benchmark tables: what is drawn is what the tables hold."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgba

from jal.analysis.benchmark_figures import accuracy_by_rate, dots, leads, people_beside_symmetric
from jal.analysis.benchmark_text import by_true_rate, columns_of
from jal.analysis.comparison import Cell, cells_of, comparison
from jal.analysis.figures import style
from jal.analysis.noise_reports import DATASETS, read_all
from jal.analysis.records import read
from jal.analysis.stats import Summary
from jal.errors import InputError
from jal.experiments.grids import get

WHITE = to_rgba("white")


@pytest.fixture(autouse=True)
def fresh():
    mpl.use("agg")
    with plt.rc_context():
        style()
        yield
    plt.close("all")


@pytest.fixture(scope="module")
def table3():
    return comparison(cells_of(read(get("table3-cifar10"), [])))


def labels(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_panel_a_kind_of_noise_and_clean_labels_at_rate_zero(table3):
    figure = accuracy_by_rate(table3, ["CE", "LT-APL"])
    left, right = figure.axes
    assert [axes.get_title(loc="left") for axes in (left, right)] == ["symmetric", "asymmetric"]
    assert left.get_ylim() == right.get_ylim()
    (ce, lt_apl) = (container.lines[0] for container in left.containers)
    assert list(ce.get_xdata()) == [0, 0.2, 0.4, 0.6, 0.8]
    assert list(ce.get_ydata()) == [90.50, 75.21, 58.05, 38.80, 19.74]
    # The paper has a dash there.
    assert list(lt_apl.get_xdata()) == [0.2, 0.4, 0.6, 0.8]
    assert list(right.containers[0].lines[0].get_xdata()) == [0, 0.1, 0.2, 0.3, 0.4]
    bars = left.containers[0].lines[2][0].get_segments()
    assert bars[1][:, 1].tolist() == pytest.approx([75.21 - 0.39, 75.21 + 0.39])
    assert labels(figure) == ["CE", "LT-APL"]


def test_only_losses_with_a_number_have_a_line():
    frame = comparison(
        [
            Cell("CE", "symmetric 0.2", Summary(70.0, 1.0, 3), (71.0, 73.0)),
            Cell("GCE", "symmetric 0.2", Summary(80.0, 1.0, 3)),
        ]
    )
    figure = accuracy_by_rate(frame, ["GCE", "CE"], side="measured")
    assert labels(figure) == ["CE"]
    (line,) = (container.lines[0] for container in figure.axes[0].containers)
    assert (list(line.get_xdata()), list(line.get_ydata())) == ([0.2], [72.0])
    with pytest.raises(InputError, match="no measured accuracy at any noise rate"):
        accuracy_by_rate(comparison([Cell("CE", "symmetric 0.2", Summary(70.0, 1.0, 3))]), side="measured")
    with pytest.raises(InputError, match="at any noise rate"):
        accuracy_by_rate(comparison([Cell("CE", "WebVision", Summary(70.0, None, None))]))


COLUMNS = {
    "one": {"CE": Summary(50.0, 1.0, 3), "GCE": Summary(60.0, 2.0, 3), "JAL-CE": Summary(70.0, 3.0, 3)},
    "two": {"CE": Summary(40.0, None, None), "JAL-CE": Summary(30.0, None, None)},
}


def dot(axes):
    """Row -> value, whether it is filled, and the bar's ends."""
    found = {}
    for container in axes.containers:
        mark, _, bars = container.lines
        filled = to_rgba(mark.get_markerfacecolor()) != WHITE
        ends = tuple(bars[0].get_segments()[0][:, 0]) if bars else None
        found[mark.get_ydata()[0]] = (mark.get_xdata()[0], filled, ends)
    return found


def test_the_best_two_dots_of_a_column_are_filled():
    figure = dots(COLUMNS)
    one, two = figure.axes
    assert [text.get_text() for text in one.get_yticklabels()] == ["CE", "JAL-CE", "GCE"]
    assert dot(one) == {
        0: (50.0, False, (49.0, 51.0)),
        1: (70.0, True, (67.0, 73.0)),
        2: (60.0, True, (58.0, 62.0)),
    }
    assert {row: mark[:2] for row, mark in dot(two).items()} == {0: (40.0, True), 1: (30.0, True)}


def test_bars_may_be_another_length_and_panels_stand_two_or_three_across():
    figure = dots(dict.fromkeys("abcd", COLUMNS["two"]), lambda column, found: 5.0 if column == "a" else 1.0)
    assert figure.axes[0].get_subplotspec().get_gridspec().get_geometry() == (2, 2)
    assert dot(figure.axes[0])[1][2] == (35.0, 45.0)
    assert dot(figure.axes[1])[1][2] == (39.0, 41.0)
    five = dots(dict.fromkeys("abcde", COLUMNS["two"]))
    assert [axes.get_visible() for axes in five.axes] == [True] * 5 + [False]
    with pytest.raises(InputError, match="no accuracies to show"):
        dots({"a": {}})


def test_a_lead_has_its_interval_and_says_over_whom(table3):
    figure = leads(columns_of(table3))
    (axes,) = figure.axes
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names[0] == "clean" and len(names) == 9
    row = names.index("symmetric 0.8")
    marks = {line.get_ydata()[0]: line for line in axes.lines if line.get_marker() in ("o", "D")}
    assert marks[row].get_xdata()[0] == pytest.approx(65.43 - 62.28)
    assert to_rgba(marks[row].get_markerfacecolor()) != WHITE
    assert to_rgba(marks[names.index("clean")].get_markerfacecolor()) == WHITE
    # LT-APL's number of trials is not known, so there is no interval.
    assert marks[names.index("asymmetric 0.4")].get_marker() == "D"
    assert "JAL-CE over ANL-CE" in [text.get_text() for text in axes.texts]
    low, high = axes.get_xlim()
    assert low == -high and high > 5.53


def test_a_very_long_interval_does_not_flatten_the_others():
    wide = {"JAL-CE": Summary(50.0, 9.0, 2), "CE": Summary(49.0, 9.0, 2)}
    narrow = {"JAL-CE": Summary(52.0, 0.1, 3), "CE": Summary(50.0, 0.1, 3)}
    figure = leads({"wide": wide, "narrow": narrow})
    assert 2 < figure.axes[0].get_xlim()[1] < 5
    with pytest.raises(InputError, match="nothing leads"):
        leads({"alone": {"CE": Summary(1.0, None, 1)}})


def test_people_are_marks_beside_the_line_of_symmetric_noise():
    frame = by_true_rate({name: read_all(name) for name in DATASETS})
    figure = people_beside_symmetric(frame, ["CE", "JAL-CE"])
    ten, hundred = figure.axes
    drawn = {(line.get_color(), line.get_linestyle()): line for line in ten.lines}
    (line,) = (one for one in ten.lines if one.get_linestyle() == "-" and one.get_color() == "#D55E00")
    assert np.allclose(line.get_ydata(), [90.50, 75.21, 58.05, 38.80, 19.74])
    assert line.get_xdata()[-1] == pytest.approx(79.92)
    marks = drawn["#D55E00", "None"]
    assert sorted(marks.get_ydata()) == [61.43, 79.09, 85.09]
    assert [text.get_text() for text in ten.texts] == ["aggre", "rand1", "worst"]
    # JAL has no symmetric cells there.
    empty = [one for one in hundred.lines if one.get_color() == "#0072B2" and one.get_linestyle() == "-"]
    assert all(len(one.get_xdata()) == 0 for one in empty)
    assert labels(figure) == ["CE", "JAL-CE"]
