"""What one row has over another, on every side; and what a loss is as a multiple of 1 - p_y."""

import math
from dataclasses import replace

import numpy as np
import pytest

from jal.analysis import parts
from jal.analysis.old_tables import last
from jal.analysis.paper import reported
from jal.analysis.stats import Summary, compare
from jal.errors import InputError
from jal.experiments.grids import get
from jal.losses import build
from jal.noise import symmetric
from tests.analysis.filled import filled


def short(grid):
    """The same grid in runs of two epochs."""
    return replace(grid, cells={cell: {**words, "epochs": 2} for cell, words in grid.cells.items()})


GRID = short(get("table2", profile="quick"))
FULL = get("table2")
FITS = {"NCE": 60.0, "AMSE": 90.0, "JAL-CE": 95.0}


def curves(row, column, seed):
    level = FITS[row] + (seed - 124)
    return {
        "test_accuracy": [10.0, level],
        "clean_accuracy": [20.0, level + 2],
        "memorised": [5.0, 100 - level],
    }


def with_environment(found):
    """As if run: what the line of provenance reads."""
    made = {"device": "cpu", "processor": "An Engine", "commit": "0123456789abcdef", "dirty": False}
    cells = {
        cell: {
            seed: replace(record, environment=made, timing={"seconds": 60.0}) for seed, record in runs.items()
        }
        for cell, runs in found.cells.items()
    }
    return replace(found, cells=cells)


@pytest.fixture
def quick():
    return with_environment(filled(GRID, curves))


@pytest.fixture
def empty():
    return filled(FULL, lambda *run: None)


@pytest.fixture
def found(quick, empty):
    laptop = filled(get("table2", profile="laptop"), lambda *run: None)
    return {"full": empty, "laptop": laptop, "quick": quick}


@pytest.fixture
def asked(monkeypatch):
    """The runs that a chapter would make."""
    calls = []
    monkeypatch.setattr(
        parts, "complete", lambda grid, profile, **words: calls.append((grid, profile, words))
    )
    return calls


@pytest.mark.parametrize(
    ("name", "profile", "shown", "made"),
    [
        ("table1", "quick", ["full", "laptop", "quick"], "quick"),
        ("table1", "laptop", ["full", "laptop"], "laptop"),
        ("table1", "full", ["full", "laptop"], "full"),
        # Table 7 has no version for a laptop.
        ("table7", "laptop", ["full", "quick"], "quick"),
        ("table7", "full", ["full"], "full"),
    ],
)
def test_a_profile_makes_its_own_runs_and_shows_the_larger_ones(asked, name, profile, shown, made):
    found = parts.evidence(name, profile)
    assert list(found) == shown
    ((grid, at, words),) = asked
    assert (grid.name, at, words["seeds"]) == (name, made, None)
    assert all(records.grid.name == name for records in found.values())


def test_seeds_and_settings_are_passed_on(asked):
    found = parts.evidence("table1", "quick", settings="paper", seeds=[7, 8], jobs=2)
    ((grid, _, words),) = asked
    assert words["seeds"] == (7, 8) and words["jobs"] == 2
    assert found["quick"].seeds == (7, 8)
    assert found["laptop"].seeds == get("table1", profile="laptop").seeds
    cell = ("NCE+RCE", "symmetric 0.4")
    assert grid.cells[cell]["settings"] == found["full"].grid.cells[cell]["settings"] == "paper"


def test_a_precision_is_that_of_the_live_runs_alone(asked):
    found = parts.evidence("table1", "quick", precision="bfloat16")
    ((grid, _, _),) = asked
    assert found["quick"].grid is grid
    precisions = {at: {spec.recipe.precision for spec in each.grid.specs([1])} for at, each in found.items()}
    assert precisions == {"full": {"float32"}, "laptop": {"float32"}, "quick": {"bfloat16"}}


def test_quick_counts_the_one_seed_that_it_runs(asked):
    assert parts.evidence("table1", "quick")["quick"].seeds == (123,)


def test_an_unknown_profile_is_refused(asked):
    with pytest.raises(InputError, match="unknown profile 'slow'"):
        parts.evidence("table1", "slow")


def test_a_side_is_named_by_what_it_runs(found):
    assert parts.name_of(found["quick"]) == "digits, 2 epochs"
    assert parts.name_of(found["laptop"]) == "Fashion-MNIST, 20 epochs"
    assert list(parts.ours(found)) == ["digits, 2 epochs"]
    assert list(parts.sides(found)) == [parts.REPORTED, "digits, 2 epochs"]


def test_the_papers_side_is_its_table():
    side = parts.reported_side(filled(FULL, lambda *run: None))
    cells = {(row.noise, row.rate, row.loss): (row.mean, row.std, row.n) for row in reported(2).itertuples()}
    ours = {
        (column.split()[0], float(column.split()[1]), row): (summary.mean, summary.std, summary.n)
        for column, rows in side.items()
        for row, summary in rows.items()
    }
    assert ours == cells


def test_a_grid_of_ours_has_nothing_reported():
    assert parts.reported_side(filled(get("figure2"), lambda *run: None)) == {}


def test_the_measured_side_is_mean_deviation_and_number(quick):
    side = parts.measured_side(quick)
    assert side["symmetric 0.8"]["JAL-CE"] == Summary(95.0, 1.0, 3)
    assert parts.measured_side(quick, last("memorised"))["symmetric 0.8"]["NCE"] == Summary(40.0, 1.0, 3)
    one = filled(GRID, lambda row, column, seed: 50.0 if seed == 123 and row == "NCE" else None)
    assert parts.measured_side(one)["symmetric 0.4"] == {"NCE": Summary(50.0, None, 1)}


def test_the_foremost_side_is_the_nearest_one_that_is_whole(quick, empty):
    columns = ["symmetric 0.8", "asymmetric 0.4"]
    laptop = get("table2", profile="laptop")
    half = filled(laptop, lambda row, column, seed: 50.0 if column == "symmetric 0.8" else None)
    whole = filled(laptop, lambda row, column, seed: 50.0 if seed == 123 else None)

    def chosen(laptop, quick):
        return list(parts.foremost({"full": empty, "laptop": laptop, "quick": quick}, columns))

    assert chosen(half, quick) == ["digits, 2 epochs"]
    assert chosen(whole, quick) == ["Fashion-MNIST, 20 epochs"]
    assert chosen(half, filled(GRID, lambda *run: None)) == ["Fashion-MNIST, 20 epochs"]
    assert parts.foremost({"full": empty}, columns) == {}
    assert list(parts.foremost({"full": empty, "laptop": half, "quick": quick}, columns[:1])) == [
        "Fashion-MNIST, 20 epochs"
    ]


def test_own_tables_leave_out_the_paper_and_say_what_is_missing(found):
    line, table, origin = parts.own_tables(found)
    assert "0 of 36 runs" in line.html and "<table" not in line.html
    assert "digits, 2 epochs (profile quick): test accuracy after the last epoch" in table.html
    assert "95.0 ± 1.0" in table.html and "95.0 ± 1.0" in table.markdown
    assert "36 of 36 runs" in origin.html
    shares = {"right": last("clean_accuracy"), "wrong": last("memorised")}
    _, right, wrong, _ = parts.own_tables(found, shares)
    assert "97.0 ± 1.0" in right.html and "5.0 ± 1.0" in wrong.html


def test_origins_name_the_profiles_of_a_figure(found):
    every = parts.origins(found)
    assert every.html.count("jal-origin") == 3 and "table2, profile quick" in every.markdown
    assert parts.origins(found, ["digits, 2 epochs"]).html.count("jal-origin") == 1
    assert parts.origins(found, []) == every


def test_shares_are_of_right_and_of_wrong_labels(found):
    sides = parts.shares(found)
    assert list(sides) == [f"{what} labels reproduced, digits, 2 epochs" for what in ("right", "wrong")]
    right, wrong = sides.values()
    assert (right["symmetric 0.4"]["AMSE"].mean, wrong["symmetric 0.4"]["AMSE"].mean) == (92.0, 10.0)


def side(**means):
    """Two noises; a mean, or (mean, deviation) of three runs."""
    summaries = {
        row: Summary(mean[0], mean[1], 3) if isinstance(mean, tuple) else Summary(mean, None, 1)
        for row, mean in means.items()
    }
    return {"here": summaries, "there": summaries}


def test_gaps_have_welchs_interval_where_there_is_one():
    sides = {"ours": side(a=(80.0, 1.0), b=(75.0, 2.0)), "alone": side(a=1.0, b=3.0), "none": side(a=1.0)}
    frame = parts.gaps(sides, [("a", "b")])
    low, high = compare(Summary(80.0, 1.0, 3), Summary(75.0, 2.0, 3)).interval
    assert list(frame.columns) == ["here", "there"]
    assert frame.loc[("a over b", "ours"), "here"] == f"+5.0 [+{low:.1f}, +{high:.1f}]"
    assert frame.loc[("a over b", "alone"), "there"] == "−2.0"
    assert len(frame) == 2
    assert parts.gaps({}, [("a", "b")]).empty and parts.gaps({"none": {}}, [("a", "b")]).empty


@pytest.mark.parametrize(
    ("one", "other", "text"),
    [
        ((80.0, 0.1), (75.0, 0.1), "above under both noises"),
        ((75.0, 0.1), (80.0, 0.1), "below under both noises"),
        ((75.0, 5.0), (76.0, 5.0), "not told apart under both noises"),
        (75.0, (74.0, 0.1), "higher, untested, under both noises"),
        (74.0, 75.0, "lower, untested, under both noises"),
        (75.0, 75.0, "equal under both noises"),
    ],
)
def test_a_pairs_standing(one, other, text):
    assert parts.said_of_pair(side(a=one, b=other), "a", "b") == f"a against b: {text}."


def test_noises_with_different_outcomes_are_named():
    mixed = {
        "x": {"a": Summary(80.0, 0.1, 3), "b": Summary(70.0, 0.1, 3)},
        "y": {"a": Summary(70.0, 0.1, 3), "b": Summary(80.0, 0.1, 3)},
        "z": {"a": Summary(80.0, 0.1, 3), "b": Summary(70.0, 0.1, 3)},
        "only one": {"a": Summary(80.0, 0.1, 3)},
    }
    assert parts.said_of_pair(mixed, "a", "b") == "a against b: above under x and z; below under y."
    assert parts.said_of_pair({"x": mixed["x"]}, "a", "b") == "a against b: above under x."
    assert parts.said_of_pair(mixed, "a", "c") == ""


def test_every_side_says_something():
    text = parts.said({"ours": side(a=1.0, b=2.0), "theirs": side(a=1.0)}, ("a", "b"), ("a", "c"))
    assert text == (
        "- **ours**\n  - a against b: lower, untested, under both noises.\n- **theirs**: nothing to compare yet."
    )
    assert parts.said({}, ("a", "b")) == "None of these runs is there yet."


def test_multiples_of_one_less_p():
    mae = parts.multiple(build("MAE", "cifar10"))
    assert (mae.height, mae.bend) == pytest.approx((2.0, 0.0))
    assert parts.multiple(build("RCE", "cifar10")).height == pytest.approx(4 * math.log(10))
    # 2 a / K for q = 2, and 2 / K for q = 1, whatever a.
    assert parts.multiple(build("AMSE", "cifar10", a=7.0), 5).height == pytest.approx(14 / 5)
    for a in (1.0, 9.0):
        assert parts.multiple(build("AMSE", "cifar10", a=a, q=1.0), 5).height == pytest.approx(2 / 5)


def test_the_bend_is_the_distance_from_the_straight_line():
    # GCE with q = 2 is (1 - p^2) / 2; halfway it is 3/8, the line 1/4.
    found = parts.multiple(build("GCE", "cifar10", q=2.0))
    assert (found.height, found.bend) == pytest.approx((0.5, 0.25), abs=1e-6)


def test_agce_plus_mae_is_a_multiple_of_mae_to_within_a_per_cent():
    found = parts.multiple(build("AGCE+MAE", "cifar10"))
    assert found.height == pytest.approx((7**1.5 - 6**1.5) / 1.5 + 1)
    assert 0 < found.bend < 0.01


def test_multiples_of_rows_and_of_the_parts_of_joint_ones():
    grids = [filled(get(name), lambda *run: None) for name in ("table7", "table2")]
    rows = ["MAE", "AGCE+MAE (1, 10)", "NCE+RCE", "JAL-CE"]
    found = parts.multiples(grids, rows, {"NCE+RCE": "RCE", "JAL-CE": "AMSE"})
    agce = (7**1.5 - 6**1.5) / 1.5
    assert found == pytest.approx(dict(zip(rows, (2.0, agce + 10, 4 * math.log(10), 6.0), strict=True)))
    with pytest.raises(InputError, match="JAL-CE is no multiple"):
        parts.multiples(grids, ["JAL-CE"])


@pytest.mark.parametrize("name", ["NCE", "CE"])
def test_a_loss_without_a_value_at_zero_is_no_multiple(name):
    with pytest.raises(InputError, match=f"{name} is no multiple"):
        parts.multiple(build(name, "cifar10"))


def test_attention_is_the_slope_in_p_for_a_loss_of_p_alone():
    p = np.array([1e-4, 0.1, 0.5, 0.99])
    assert parts.attention(build("MAE", "cifar10"), p) == pytest.approx([2.0] * 4)
    assert parts.attention(build("CE", "cifar10"), p) == pytest.approx(1 / p)
    assert parts.attention(build("AGCE", "cifar10"), p, 7) == pytest.approx((0.6 + p) ** -0.4)


def test_agce_asks_for_the_ratio_that_its_authors_give():
    at_0, at_1 = parts.attention(build("AGCE", "cifar10"), [1e-9, 1 - 1e-9])
    assert at_0 / at_1 == pytest.approx((1.6 / 0.6) ** 0.4, rel=1e-6)
    T = symmetric(10, 0.8)
    assert T[0, 0] / T[0, 1] == pytest.approx(2.25)


def test_curve_data_is_of_the_columns_asked_for(found):
    frame = parts.curve_data(found, ["symmetric 0.8"], ["memorised"])
    assert set(frame["column"]) == {"symmetric 0.8"} and set(frame["profile"]) == {"quick"}
    assert len(frame) == 3 * 3 * 2
    assert parts.curve_data({"full": found["full"]}, ["symmetric 0.8"], ["memorised"]).empty


def test_data_is_a_link(found):
    block = parts.data(parts.curve_data(found, ["symmetric 0.8"], ["memorised"]), "a.csv", "the curves")
    assert 'download="a.csv"' in block.html and "the curves" in block.markdown


FIGURE4 = get("figure4", profile="quick")


def by_a(accuracy):
    return parts.by_parameter(filled(FIGURE4, accuracy), "a")


def test_runs_by_the_value_of_a_parameter():
    points = by_a(lambda row, column, seed: None if column == "a = 20" else float(column.split()[-1]))
    assert points["q = 2"] == {a: Summary(a, 0.0, 3) for a in (5.0, 10.0, 30.0, 40.0)}
    assert points["q = 1"] == {30.0: Summary(30.0, 0.0, 3)}
    with pytest.raises(InputError, match=r"NCE, symmetric 0\.4 of table2 sets no a"):
        parts.by_parameter(filled(GRID, lambda *run: 1.0), "a")


def test_what_is_said_of_the_scale():
    rises = {"q = 1": 0.0, "q = 2": 1.0, "q = 3": 0.5}
    points = by_a(lambda row, column, seed: 10 + rises[row] * float(column.split()[-1]))
    text = parts.said_of_scale(points, {"q = 2": 9.0, "q = 3": 4.7})
    assert text == (
        "For q = 2 the accuracy lies between 15.0 (*a* = 5) and 50.0 (*a* = 40); *a* = 5, below its bound, is the "
        "worst of them. For q = 3 the accuracy lies between 12.5 (*a* = 5) and 30.0 (*a* = 40). It depends more on "
        "*a* for q = 2 (35.0 points) than for q = 3 (17.5)."
    )
    falls = by_a(lambda row, column, seed: 90 - float(column.split()[-1]))
    text = parts.said_of_scale(falls, {"q = 2": 15.0})
    assert "*a* = 5 and 10, below its bound, are not the worst of them" in text and "depends" not in text
    assert parts.said_of_scale({"q = 1": {}}, {}) == "There are not two values to compare yet."


def test_sides_join_and_the_first_one_wins():
    one, two = (
        {"x": {"a": Summary(1.0, None, 1)}},
        {"x": {"a": Summary(2.0, None, 1), "b": Summary(3.0, None, 1)}},
    )
    assert parts.joined(one, two) == {"x": {"a": one["x"]["a"], "b": two["x"]["b"]}}


def test_rows_at_their_places():
    places = {"a": 2.0, "b": 4.0}
    there = {"x": {"a": Summary(1.0, 0.5, 3), "c": Summary(9.0, None, 1)}}
    panels = parts.by_group(there, places, {"first": ["a", "b"], "second": ["b"]})
    assert panels == {"x": {"first": {2.0: Summary(1.0, 0.5, 3)}, "second": {}}}
    assert parts.points(there, places).to_dict("records") == [
        {"column": "x", "row": "a", "place": 2.0, "mean": 1.0, "std": 0.5, "n": 3}
    ]
