"""The numbers of a figure, read off the figure."""

import base64
import re
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from jal.analysis.drawn import as_csv, numbers


@pytest.fixture
def figure():
    figure, (left, right) = plt.subplots(1, 2)
    left.set_title("curves", loc="left")
    left.plot([1, 2, 3], [10, 20, 30], label="CE")
    left.plot([1, 2], [5, 6])
    left.scatter([4, 5], [40, 50], label="chosen")
    left.plot([], [], label="only in the legend")
    right.bar([0, 1], [3, 4])
    yield figure
    plt.close(figure)


def test_lines_marks_and_bars_are_found_with_their_panels_and_labels(figure):
    found = numbers(figure)
    curve = found[found["series"] == "CE"]
    assert curve[["panel", "kind"]].drop_duplicates().to_numpy().tolist() == [["curves", "line"]]
    assert curve[["x", "y"]].to_numpy().tolist() == [[1, 10], [2, 20], [3, 30]]
    assert found.query("kind == 'line' and series == '2'")["y"].tolist() == [5, 6]
    assert found.query("kind == 'marks'")[["series", "x", "y"]].to_numpy().tolist() == [
        ["chosen", 4, 40],
        ["chosen", 5, 50],
    ]
    bars = found[found["kind"] == "bar"]
    assert bars["panel"].unique().tolist() == ["2"] and bars[["x", "y"]].to_numpy().tolist() == [
        [0, 3],
        [1, 4],
    ]
    assert "only in the legend" not in set(found["series"])


def test_a_lying_bar_ends_at_its_side():
    figure, axes = plt.subplots()
    axes.barh([0, 1], [3, 4])
    assert numbers(figure)[["x", "y"]].to_numpy().tolist() == [[3, 0], [4, 1]]
    plt.close(figure)


def test_a_map_has_its_values_and_a_photograph_none():
    figure, (left, right) = plt.subplots(1, 2)
    left.imshow(np.array([[1.0, 2.0], [3.0, 4.0]]))
    right.imshow(np.zeros((2, 2, 3)))
    found = numbers(figure)
    assert found[["x", "y", "value"]].to_numpy().tolist() == [[0, 0, 1], [1, 0, 2], [0, 1, 3], [1, 1, 4]]
    assert set(found["kind"]) == {"map"}
    plt.close(figure)


def test_categories_have_their_names_across_and_up():
    figure, (bars, heat) = plt.subplots(1, 2)
    bars.bar([0, 1.2], [3, 4])  # beside others
    bars.plot([0, 0.5], [3, 3.5])
    bars.set_xticks([0, 1], ["CE", "JAL\nCE"])
    heat.imshow([[1.0, 2.0]])
    heat.set_yticks([0], ["cat"])
    found = numbers(figure)
    assert found[["x", "y"]].to_numpy().tolist() == [
        [0, 3],  # between two names there is none
        [0.5, 3.5],
        ["CE", 3],
        ["JAL CE", 4],
        [0, "cat"],
        [1, "cat"],
    ]
    saved = base64.b64decode(re.search(r"base64,([^\"]+)", as_csv(figure, "a.csv").html)[1]).decode()
    assert "bar,1,JAL CE,4," in saved and "map,1,1,cat,2" in saved
    plt.close(figure)


@pytest.mark.parametrize("labels", [["0.1", "0.2"], ["10 %", "20 %"], ["1e-1", "$2\\cdot 10^{-1}$"]])
def test_ticks_whose_text_is_a_number_leave_numbers(labels):
    figure, axes = plt.subplots()
    axes.plot([0.1, 0.2], [1, 2])
    axes.set_xticks([0.1, 0.2], labels)
    assert numbers(figure)["x"].tolist() == [0.1, 0.2]
    plt.close(figure)


def test_a_line_across_the_panel_is_at_no_category():
    figure, axes = plt.subplots()
    axes.axvline(3)
    axes.set_yticks([0, 1], ["CE", "JAL"])
    found = numbers(figure)
    assert found["x"].tolist() == [3, 3] and found["y"].isna().all()
    plt.close(figure)


def test_the_link_saves_them(figure):
    data = re.search(
        r'download="curves.csv" href="data:text/csv;base64,([^"]+)"', as_csv(figure, "curves.csv").html
    )
    read = pd.read_csv(StringIO(base64.b64decode(data[1]).decode()), dtype={"series": str, "panel": str})
    assert read[["x", "y"]].to_numpy() == pytest.approx(numbers(figure)[["x", "y"]].to_numpy())


def test_small_numbers_keep_their_digits(figure):
    figure.axes[1].plot([1e-7], [2.5e-9])
    text = base64.b64decode(re.search(r"base64,([^\"]+)", as_csv(figure, "a.csv").html)[1]).decode()
    assert "1e-07,2.5e-09," in text


def test_an_empty_figure_shows_nothing():
    figure = plt.figure()
    assert numbers(figure).empty
    plt.close(figure)
