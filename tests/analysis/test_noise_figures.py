"""The pictures of label noise show what they are given."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

from jal.analysis import noise_figures as figures
from jal.analysis.figures import INK, PALETTE, style
from jal.errors import InputError
from jal.noise import asymmetric, symmetric

CLASSES = ("no", "yes", "maybe")


@pytest.fixture(autouse=True)
def fresh():
    with plt.rc_context():
        style()
        yield
    plt.close("all")


def grey(n):
    """Images of one grey level each, told apart by it."""
    return np.arange(n, dtype=np.uint8)[:, None, None, None] + np.zeros((n, 4, 4, 1), dtype=np.uint8)


def shown(axes):
    """What each image is, by its grey level, and the text under it."""
    drawn = [ax for ax in axes if ax.images]
    return [(int(ax.images[0].get_array()[0, 0]), ax.texts[0].get_text()) for ax in drawn]


def test_the_same_images_stand_under_each_noise_with_the_label_given():
    truth = np.array([0, 1, 1, 0, 0, 2])
    noises = {"none": truth, "some": np.array([1, 1, 0, 0, 2, 2])}
    figure = figures.given_labels(grey(6), truth, noises, CLASSES, rows=2)
    none, some = figure.subfigs
    assert [block.get_suptitle() for block in (none, some)] == ["none", "some"]
    # Row by row: the first of each class, then the second; class 2 has one image.
    assert shown(none.axes) == [(0, "no"), (1, "yes"), (5, "maybe"), (3, "no"), (2, "yes")]
    assert shown(some.axes) == [(0, "yes"), (1, "yes"), (5, "maybe"), (3, "no"), (2, "no")]


def test_a_wrong_label_is_marked_by_more_than_its_colour():
    truth = np.array([0, 1, 2])
    figure = figures.given_labels(grey(3), truth, {"": np.array([0, 2, 2])}, CLASSES, rows=1)
    right, wrong, _ = (ax.texts[0] for ax in figure.axes)
    assert (to_hex(right.get_color()), right.get_fontweight()) == (INK, "normal")
    assert (to_hex(wrong.get_color()).upper(), wrong.get_fontweight()) == (PALETTE[1], "bold")


def test_heat_maps_share_one_scale_and_leave_zeros_empty():
    panels = {"one": asymmetric("cifar10", 0.4), "two": symmetric(10, 0.4), "three": np.eye(10)}
    figure = figures.heat_maps(panels, [str(k) for k in range(10)])
    maps = [ax for ax in figure.axes if ax.images]
    assert [ax.get_title(loc="left") for ax in maps] == list(panels)
    for ax, T in zip(maps, panels.values(), strict=True):
        assert np.array_equal(ax.images[0].get_array(), T)
        assert (ax.images[0].norm.vmin, ax.images[0].norm.vmax) == (0, 1)
    one, two, three = maps
    assert sorted(t.get_text() for t in one.texts) == sorted(["100"] * 5 + ["60", "40"] * 5)
    assert len(two.texts) == 100 and {t.get_text() for t in two.texts} == {"60", "4"}
    assert len(three.texts) == 10
    (bar,) = [ax for ax in figure.axes if ax.get_label() == "<colorbar>"]
    assert [label.get_text() for label in bar.get_yticklabels()][-1] == "100 %"


def test_a_number_is_dark_on_pale_and_white_on_dark():
    (ax, *_) = figures.heat_maps({"": symmetric(10, 0.4)}, [str(k) for k in range(10)], columns=1).axes
    inks = {t.get_text(): t.get_color() for t in ax.texts}
    assert inks == {"60": "white", "4": INK}


def test_rivals_are_rows_by_frequency_and_images_rise_in_their_flip_rate():
    # Class 0 of three: images 0, 2, 3 would become 2, image 1 would become 1.
    P = np.array([[0.3, 0.1, 0.6], [0.8, 0.2, 0.0], [0.9, 0.0, 0.1], [0.6, 0.1, 0.3]])
    figure = figures.rivals(grey(4) * 10, P, 0, CLASSES, rows=2, columns=5)
    many, few = figure.subfigs
    assert many.get_suptitle() == "no → maybe: 75 % of the class"
    assert few.get_suptitle() == "no → yes: 25 % of the class"
    assert shown(many.axes) == [(17, "average"), (20, "10 %"), (30, "40 %"), (0, "70 %")]
    assert shown(few.axes) == [(10, "average"), (10, "20 %")]
    weights = [ax.texts[0].get_fontweight() for ax in many.axes if ax.images]
    assert weights == ["normal", "normal", "normal", "bold"]


def test_rivals_that_nobody_has_get_no_row():
    P = np.array([[0.9, 0.1, 0.0], [0.8, 0.2, 0.0]])
    figure = figures.rivals(grey(2), P, 0, CLASSES, rows=2, columns=3)
    assert [block.get_suptitle() for block in figure.subfigs] == ["no → yes: 100 % of the class"]
    with pytest.raises(InputError, match="no image of class 7: take one of 0 to 2"):
        figures.rivals(grey(2)[:0], P[:0], 7, CLASSES)


def test_margin_curves_run_from_the_least_to_the_greatest_and_mark_the_class_view():
    margins = np.array([-0.5, 0.0, 0.2, 0.9])
    figure = figures.margin_curves({"a": {"40 %": (margins, 0.3)}, "b": {"40 %": (margins - 0.1, 0.1)}})
    for ax, shift, seen in zip(figure.axes, (0, 0.1), (0.3, 0.1), strict=True):
        curve, mark = ax.lines
        assert np.allclose(curve.get_xdata(), margins - shift)
        assert np.allclose(curve.get_ydata(), [0, 1 / 3, 2 / 3, 1])
        assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (seen, 0)
        assert to_hex(mark.get_color()) == to_hex(curve.get_color())
    assert [entry.get_text() for entry in figure.axes[0].get_legend().get_texts()] == ["40 %"]


def test_margins_of_classes_stand_side_by_side():
    panels = {"people": np.array([0.1, 0.5, -0.2]), "symmetric": np.array([0.1, 0.1, 0.1])}
    ax = figures.class_margins(panels, CLASSES).axes[0]
    people, symmetric_noise, zero = ax.lines
    assert np.array_equal(people.get_xdata(), panels["people"])
    assert np.array_equal(symmetric_noise.get_xdata(), panels["symmetric"])
    assert (np.round(people.get_ydata()) == range(3)).all()
    assert people.get_ydata()[0] != symmetric_noise.get_ydata()[0]
    assert people.get_marker() != symmetric_noise.get_marker()
    assert list(zero.get_xdata()) == [0, 0]
    assert [label.get_text() for label in ax.get_yticklabels()] == list(CLASSES)


def test_the_same_figure_is_the_same_file(tmp_path):
    for name in ("a", "b"):
        figures.heat_maps({"": symmetric(10, 0.4)}, [str(k) for k in range(10)]).savefig(
            tmp_path / f"{name}.svg", metadata={"Date": None}
        )
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
