"""Figures: what is drawn is what the Records hold."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb

from jal.analysis.figures import (
    FAINT,
    INK,
    LINES,
    PALETTE,
    against,
    by_rate,
    dots,
    epochs,
    intervals,
    labelled_images,
    line,
    style,
)
from jal.analysis.frame import curves, frame, of_records, summary
from jal.errors import InputError
from jal.experiments import grids
from tests.analysis.filled import filled


@pytest.fixture(autouse=True)
def fresh():
    with plt.rc_context():
        style()
        yield
    plt.close("all")


def luminance(colour):
    channels = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return np.dot([0.2126, 0.7152, 0.0722], channels)


def contrast(colour, ground="white"):
    light, dark = sorted((luminance(colour), luminance(ground)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_figures_bring_their_own_ground_so_that_any_theme_will_do(make, tmp_path):
    figure = epochs(curves(of_records([make()], "quick")))
    figure.savefig(tmp_path / "figure.png")
    corner = plt.imread(tmp_path / "figure.png")[0, 0]
    assert (corner == 1).all()
    assert contrast(INK) > 7 and contrast(FAINT) < 2
    assert all(contrast(colour) > 2 for colour in PALETTE)


def test_no_two_losses_share_a_line():
    looks = [(look["color"], look["linestyle"]) for look in LINES.values()]
    assert len(set(looks)) == len(looks)
    assert {look["color"] for look in LINES.values()} <= set(PALETTE)
    assert line("GCE", 3) != line("SCE", 4)


def test_the_same_figure_is_the_same_file(make, tmp_path):
    for name in ("a", "b"):
        epochs(curves(of_records([make()], "quick"))).savefig(
            tmp_path / f"{name}.svg", metadata={"Date": None}
        )
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_images_stand_under_the_label_they_were_given():
    images = np.arange(3 * 64, dtype=np.uint8).reshape(3, 8, 8, 1)
    figure = labelled_images(images, np.array([1, 0, 1]), np.array([1, 1, 1]), ("no", "yes"), columns=2)
    titles = [ax.get_title() for ax in figure.axes]
    assert titles == ["yes", "yes → no", "yes", ""]
    assert (figure.axes[2].images[0].get_array() == images[2, ..., 0]).all()


@pytest.fixture
def tidy(make):
    runs = filled(
        grids.get("table3-cifar10", profile="quick"),
        lambda row, column, seed: {"test_accuracy": [seed - 60.0] * 80, "memorised": [1.0] * 80},
    )
    return frame(runs, lookup=lambda *_: None)


def test_curves_have_a_line_a_loss_in_its_own_colour_and_a_panel_a_column(tidy):
    some = tidy[
        tidy["loss"].isin(["CE", "JAL-CE"]) & tidy["column"].isin(["symmetric 0.4", "asymmetric 0.4"])
    ]
    grid = epochs(curves(some, ["test_accuracy", "memorised"]))
    assert grid.axes.shape == (2, 2)
    assert [axes.get_ylabel() for axes in grid.axes[:, 0]] == [
        "test accuracy [%]",
        "wrong labels reproduced [%]",
    ]
    lines = grid.axes[0, 0].lines
    assert [line.get_color() for line in lines[:2]] == [LINES[loss]["color"] for loss in ("CE", "JAL-CE")]
    assert set(lines[0].get_ydata()) == {64.0}  # the mean over the seeds
    assert [axes.get_title("left") for axes in epochs(curves(some)).axes.flat] == [
        "symmetric 0.4",
        "asymmetric 0.4",
    ]


def test_clean_labels_are_the_rate_0_of_every_kind(tidy):
    found = summary(tidy, ["noise", "rate", "loss"])
    grid = by_rate(found, ["JAL-CE", "CE", "no such"])
    assert [axes.get_title("left") for axes in grid.axes.flat] == ["symmetric", "asymmetric"]
    for axes in grid.axes.flat:
        assert all(line.get_xdata()[0] == 0.0 for line in axes.lines[::3])
    with pytest.raises(InputError, match="no accuracy at any noise rate"):
        by_rate(found, ["no such"])


def test_an_interval_that_excludes_0_fills_its_mark():
    found = pd.DataFrame(
        [("a", "x", 1.0, 0.5, 1.5), ("a", "y", 1.0, -0.5, 2.5), ("b", "x", -1.0, np.nan, np.nan)],
        columns=["row", "over", "difference", "low", "high"],
    )
    (axes,) = intervals(found, "row", "over").axes.flat
    marks = [line for line in axes.lines if line.get_marker() in "oD"]
    assert [line.get_marker() for line in marks] == ["o", "o", "D"]
    assert [line.get_markerfacecolor() == line.get_color() for line in marks] == [True, False, False]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]


def test_dots_fill_the_two_highest_of_each_panel(tidy):
    some = tidy[tidy["column"].isin(["clean", "symmetric 0.4"])]
    grid = dots(summary(some, ["column", "loss"]))
    assert [axes.get_title("left") for axes in grid.axes.flat] == ["clean", "symmetric 0.4"]
    with pytest.raises(InputError, match="no accuracies"):
        dots(summary(some, ["column", "loss"]).assign(mean=np.nan))


def test_accuracy_against_a_parameter_is_a_line_in_its_order_with_bars_of_a_deviation():
    found = pd.DataFrame(
        [("one", 20.0, "A", 60.0, 2.0), ("one", 5.0, "A", 50.0, np.nan), ("one", 5.0, "B", np.nan, np.nan)],
        columns=["panel", "a", "name", "mean", "std"],
    )
    look = {name: {"color": colour, "linestyle": "-"} for name, colour in zip("AB", PALETTE, strict=False)}
    grid = against(found, "a", "name", "panel", look, ticks=[5, 20])
    (axes,) = grid.axes.flat
    line, *_ = axes.lines
    assert (list(line.get_xdata()), list(line.get_ydata())) == ([5.0, 20.0], [50.0, 60.0])
    (bars,) = axes.collections
    assert [tuple(bar[:, 1]) for bar in bars.get_segments()] == [(50.0, 50.0), (58.0, 62.0)]
    assert axes.get_xscale() == "log" and list(axes.get_xticks()) == [5, 20]
    assert [text.get_text() for text in grid.legend.get_texts()] == ["A"]
