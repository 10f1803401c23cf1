"""Panels three across."""

import pytest
from matplotlib import pyplot as plt

from jal.analysis.panels import panels


@pytest.mark.parametrize(("count", "shape"), [(1, (1, 1)), (3, (1, 3)), (4, (2, 3)), (6, (2, 3))])
def test_each_title_has_a_panel_and_each_edge_its_label(count, shape):
    figure, used = panels([f"panel {i}" for i in range(count)], "x", "y")
    rows, columns = shape
    assert used[0].get_gridspec().get_geometry() == shape
    assert [axes.get_title() for axes in used] == [f"panel {i}" for i in range(count)]
    assert [axes.get_ylabel() for axes in used] == ["" if i % columns else "y" for i in range(count)]
    # The lowest panel of each column names x.
    assert [axes.get_xlabel() for axes in used] == ["x" if i + columns >= count else "" for i in range(count)]
    assert [axes.get_visible() for axes in figure.axes] == [i < count for i in range(rows * columns)]
    plt.close(figure)
