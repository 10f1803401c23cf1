"""The paper's statements on rankings: what its own numbers make of them, and numbers made for the purpose."""

from dataclasses import replace

import pytest

from jal.analysis.claims import CLAIMS, Claim, Gain, Lead, TopTwo, claims, judge, lead, top_two
from jal.analysis.comparison import Cell, cells_of
from jal.analysis.paper import reported
from jal.analysis.records import read
from jal.analysis.stats import Summary, compare
from jal.errors import InputError
from jal.experiments.grids import get as grid_named


def column(**means):
    return {loss: Summary(mean, 0.1, 3) for loss, mean in means.items()}


def test_the_two_best_and_who_shares_their_place():
    assert top_two(column(a=1.0, b=3.0, c=2.0)) == ("b", "c")
    assert top_two(column(a=1.0, b=3.0, c=3.0)) == ("b", "c")
    assert top_two(column(a=2.0, b=3.0, c=2.0)) == ("b", "a", "c")
    assert top_two(column(a=2.0)) == ("a",)


def test_a_lead_is_the_difference_of_the_bests_with_welchs_interval():
    table = {"a": Summary(65.43, 0.99, 3), "b": Summary(60.0, 0.1, 3), "c": Summary(62.28, 1.10, 3)}
    found = lead(table, ("a", "z"), ("b", "c"))
    assert (found.loss, found.over) == ("a", "c")
    assert found.points == pytest.approx(3.15)
    assert found.interval == compare(Summary(65.43, 0.99, 3), Summary(62.28, 1.10, 3)).interval
    assert str(found).startswith("a over c by +3.15 [+0.7")
    assert lead(table, ("z",), ("b",)) is None and lead(table, ("a",), ()) is None
    alone = lead({"a": Summary(2.0, None, None), "b": Summary(1.0, None, None)}, "a", "b")
    assert alone.interval is None and str(alone) == "a over b by +1.00 (no interval)"
    behind = Lead("a", "b", -8.314, (-12.7, -3.91))
    assert str(behind) == "a over b by −8.31 [−12.70, −3.91]"


def claim(test, conditions=("cifar10 symmetric 0.8",), most=False):
    return Claim("said", "somewhere", 3, "table3-cifar10", tuple(conditions), test, most)


SYMMETRIC = tuple(f"cifar10 symmetric {rate}" for rate in (0.2, 0.4, 0.6, 0.8))
LOSSES = tuple(reported(3).query("dataset == 'cifar10' and rate == 0.8 and noise == 'symmetric'")["loss"])


def cells(means=None, spread=0.1, n=3, conditions=SYMMETRIC, leave_out=()):
    """Measured: every loss at 50 per cent unless said otherwise."""
    offsets = (0.0, spread, -spread)[:n]
    return [
        Cell(
            loss,
            condition,
            None,
            tuple((means or {}).get(loss, 50.0) + offset for offset in offsets),
            condition,
        )
        for loss in LOSSES
        for condition in conditions
        if loss not in leave_out
    ]


def outcome(claim, measured):
    (row,) = claims({"table3-cifar10": measured}, [claim]).to_dict("records")
    return row["measured"], row["measured_detail"]


BEST = {"JAL-CE": 60.0, "JAL-FL": 59.5, "ANL-CE": 56.0}


@pytest.mark.parametrize(
    ("means", "expected"),
    [
        (BEST, "holds"),
        (BEST | {"ANL-CE": 59.7}, "fails"),
        (BEST | {"ANL-CE": 59.5}, "holds"),
        ({"ANL-CE": 56.0, "CE": 56.0}, "fails"),
    ],
)
def test_top_two_is_told_by_the_means(means, expected):
    assert outcome(claim(TopTwo(), SYMMETRIC), cells(means))[0] == expected


def test_in_most_columns_is_more_than_half():
    good, bad = SYMMETRIC[:3], SYMMETRIC[3:]
    mixed = cells(BEST, conditions=good) + cells(BEST | {"CE": 70.0, "FL": 70.0}, conditions=bad)
    assert outcome(claim(TopTwo(), SYMMETRIC, most=True), mixed) == (
        "holds",
        "JAL-CE in 3 of 4, JAL-FL in 3 of 4",
    )
    assert outcome(claim(TopTwo(), SYMMETRIC), mixed)[0] == "fails"
    one = outcome(claim(TopTwo(), SYMMETRIC, most=True), cells(leave_out=("JAL-FL",)))
    assert one[1] == "JAL-CE in 4 of 4, JAL-FL has no number"
    half = cells(BEST, conditions=good[:2]) + cells({"CE": 70.0, "FL": 70.0}, conditions=SYMMETRIC[2:])
    assert outcome(claim(TopTwo(), SYMMETRIC, most=True), half)[0] == "fails"


def test_a_rival_that_was_not_run_can_push_out_but_not_in():
    few = ("GCE", "SCE")
    assert outcome(claim(TopTwo(), SYMMETRIC), cells(BEST, leave_out=few))[0] == "partly run"
    assert outcome(claim(TopTwo(), SYMMETRIC), cells({"CE": 70.0, "FL": 70.0}, leave_out=few))[0] == "fails"
    assert outcome(claim(Gain(2.5)), cells(BEST, leave_out=few))[0] == "partly run"
    assert outcome(claim(Gain(2.5)), cells({"JAL-CE": 51.0}, leave_out=few))[0] == "fails"


def test_a_column_that_was_not_run_leaves_all_of_them_open():
    assert outcome(claim(TopTwo(), SYMMETRIC), cells(BEST, conditions=SYMMETRIC[:3]))[0] == "partly run"
    assert outcome(claim(TopTwo(), SYMMETRIC, most=True), cells(BEST, conditions=SYMMETRIC[:3]))[0] == "holds"
    assert outcome(claim(TopTwo(), SYMMETRIC), []) == ("not run", "")
    assert outcome(claim(TopTwo(), SYMMETRIC), cells(leave_out=("JAL-CE", "JAL-FL"))) == ("not run", "")


@pytest.mark.parametrize(
    ("least", "means", "spread", "n", "expected"),
    [
        (2.5, BEST, 0.1, 3, "holds"),
        (2.5, {"JAL-FL": 51.0}, 0.1, 3, "fails"),
        (2.5, BEST, 5.0, 3, "inconclusive"),
        (2.5, {"JAL-CE": 52.4}, 0.2, 3, "inconclusive"),
        (2.5, BEST, 0.1, 1, "inconclusive"),
        (0.0, {"JAL-CE": 50.1}, 0.1, 3, "inconclusive"),
        (0.0, {"CE": 60.0}, 0.1, 3, "fails"),
    ],
)
def test_a_gain_must_be_as_large_as_claimed_and_beyond_chance(least, means, spread, n, expected):
    assert outcome(claim(Gain(least)), cells(means, spread, n))[0] == expected


def test_a_gain_over_named_losses_looks_at_no_other():
    over = Gain(2.5, over=("NCE+AUL", "NCE+AGCE"))
    assert outcome(claim(over), cells(BEST | {"CE": 90.0}, leave_out=("GCE",)))[0] == "holds"
    assert outcome(claim(Gain(2.5)), cells(BEST | {"CE": 90.0}))[0] == "fails"


def test_many_leads_are_counted():
    assert outcome(claim(Gain(0.0), SYMMETRIC), cells(BEST))[1] == "ahead in 4 of 4, in 4 beyond the interval"


def test_what_the_papers_own_numbers_say():
    frame = claims()
    assert list(zip(frame["where"].str.removeprefix("Section "), frame["reported"], strict=True)) == [
        ("5.1, Table 3, CIFAR-10", "holds"),
        ("5.1, Table 3, CIFAR-100", "not reported"),
        ("5.1, Table 3, CIFAR-10", "holds"),
        ("5.1, Table 3, CIFAR-100", "not reported"),
        ("5.1, Table 3, CIFAR-100", "not reported"),
        ("5.1, Table 3, CIFAR-10", "inconclusive"),
        ("5.1, Table 4", "holds"),
        ("5.1, Table 4", "holds"),
        ("5.1, Table 5", "holds"),
        ("5.2, Table 6", "holds"),
    ]
    assert frame.loc[0, "reported_detail"] == "JAL-CE in 7 of 9, JAL-FL in 6 of 9"
    assert "JAL-CE over ANL-CE by +3.15" in frame.loc[2, "reported_detail"]
    assert "no interval" in frame.loc[9, "reported_detail"]
    assert set(frame["measured"]) == {"not run"}


def test_quotes_are_short_and_conditions_are_the_tables():
    assert all(len(said.quote.split()) <= 15 for said in CLAIMS)
    with pytest.raises(InputError, match=r"unknown condition of table 3 .cifar10 symmetric 0\.5"):
        claims(which=[claim(TopTwo(), ["cifar10 symmetric 0.5"])])


def test_conditions_are_those_of_the_grids_cells():
    for said in CLAIMS:
        cells = cells_of(read(grid_named(said.grid), [], []))
        assert set(said.conditions) <= {cell.condition for cell in cells}
        assert {*said.test.losses} <= {cell.row for cell in cells}


def test_any_grid_of_losses_can_be_asked():
    asked = [replace(cell, condition="fashion-mnist " + cell.column) for cell in cells(BEST)]
    assert judge(TopTwo(), asked) == ("holds", "JAL-CE in 4 of 4, JAL-FL in 4 of 4")
    assert judge(Gain(5.0), asked)[0] == "fails"
    missing = [replace(cell, measured=()) if cell.row == "CE" else cell for cell in asked]
    assert judge(TopTwo(), missing)[0] == "partly run"
    assert judge(TopTwo(), [replace(cell, measured=()) for cell in asked]) == ("not run", "")
    assert judge(TopTwo(), []) == ("not run", "")


def test_columns_under_one_condition_are_kept_apart():
    one, other = (
        cells(BEST, conditions=SYMMETRIC[:1]),
        cells({"CE": 70.0, "FL": 70.0}, conditions=SYMMETRIC[1:2]),
    )
    asked = [replace(cell, condition="digits symmetric 0.6") for cell in one + other]
    assert judge(TopTwo(), asked) == ("fails", "JAL-CE in 1 of 2, JAL-FL in 1 of 2")
