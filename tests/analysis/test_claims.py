"""The paper's statements on rankings: what its own numbers make of them, and numbers made for the purpose."""

import pandas as pd
import pytest

from jal.analysis.claims import (
    CLAIMS,
    Gain,
    Lead,
    TopTwo,
    claims,
    columns_of,
    judge,
    lead,
    leads,
    ranks,
    top_two,
)
from jal.analysis.frame import recorded
from jal.analysis.stats import Summary, compare
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


COLUMNS = tuple(f"symmetric {rate}" for rate in (0.2, 0.4, 0.6, 0.8))
LOSSES = grid_named("table3-cifar10").rows
BEST = {"JAL-CE": 60.0, "JAL-FL": 59.5, "ANL-CE": 56.0}


def measured(means=None, spread=0.1, n=3, columns=COLUMNS, leave_out=()):
    """A tidy frame: every loss at 50 per cent unless said otherwise; those left out were not run."""
    return pd.DataFrame(
        [
            {
                "source": "ours",
                "row": loss,
                "column": column,
                "metric": "accuracy",
                "value": None if loss in leave_out else (means or {}).get(loss, 50.0) + offset,
            }
            for column in columns
            for loss in LOSSES
            for offset in (0.0, spread, -spread)[:n]
        ]
    )


def not_run(column):
    return measured(columns=[column], leave_out=LOSSES)


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
    assert judge(TopTwo(), measured(means))[0] == expected


def test_in_most_columns_is_more_than_half():
    bad = {"CE": 70.0, "FL": 70.0}
    mixed = pd.concat([measured(BEST, columns=COLUMNS[:3]), measured(bad, columns=COLUMNS[3:])])
    assert judge(TopTwo(), mixed, most=True) == ("holds", "JAL-CE in 3 of 4, JAL-FL in 3 of 4")
    assert judge(TopTwo(), mixed)[0] == "fails"
    one = judge(TopTwo(), measured(leave_out=("JAL-FL",)), most=True)
    assert one[1] == "JAL-CE in 4 of 4, JAL-FL has no number"
    half = pd.concat([measured(BEST, columns=COLUMNS[:2]), measured(bad, columns=COLUMNS[2:])])
    assert judge(TopTwo(), half, most=True)[0] == "fails"


def test_a_rival_that_was_not_run_can_push_out_but_not_in():
    few = ("GCE", "SCE")
    assert judge(TopTwo(), measured(BEST, leave_out=few))[0] == "partly run"
    assert judge(TopTwo(), measured({"CE": 70.0, "FL": 70.0}, leave_out=few))[0] == "fails"
    assert judge(Gain(2.5), measured(BEST, leave_out=few))[0] == "partly run"
    assert judge(Gain(2.5), measured({"JAL-CE": 51.0}, leave_out=few))[0] == "fails"


def test_a_column_that_was_not_run_leaves_all_of_them_open():
    some = pd.concat([measured(BEST, columns=COLUMNS[:3]), not_run(COLUMNS[3])])
    assert judge(TopTwo(), some)[0] == "partly run"
    assert judge(TopTwo(), some, most=True)[0] == "holds"
    assert judge(TopTwo(), not_run(COLUMNS[0])) == ("not run", "")
    assert judge(TopTwo(), measured(leave_out=("JAL-CE", "JAL-FL"))) == ("not run", "")


@pytest.mark.parametrize(
    ("least", "means", "spread", "n", "expected"),
    [
        (2.5, BEST, 0.1, 3, "holds"),
        (2.5, {"JAL-FL": 51.0}, 0.1, 3, "fails"),
        (2.5, BEST, 5.0, 3, "undecided"),
        (2.5, {"JAL-CE": 52.4}, 0.2, 3, "undecided"),
        (2.5, BEST, 0.1, 1, "undecided"),
        (0.0, {"JAL-CE": 50.1}, 0.1, 3, "undecided"),
        (0.0, {"CE": 60.0}, 0.1, 3, "fails"),
    ],
)
def test_a_gain_must_be_as_large_as_claimed_and_beyond_chance(least, means, spread, n, expected):
    assert judge(Gain(least), measured(means, spread, n, COLUMNS[3:]))[0] == expected


def test_a_gain_over_named_losses_looks_at_no_other():
    over, means = Gain(2.5, over=("NCE+AUL", "NCE+AGCE")), BEST | {"CE": 90.0}
    assert judge(over, measured(means, leave_out=("GCE",)))[0] == "holds"
    assert judge(Gain(2.5), measured(means))[0] == "fails"


def test_many_leads_are_counted():
    assert judge(Gain(0.0), measured(BEST))[1] == "ahead in 4 of 4, in 4 beyond the interval"


def test_what_the_papers_own_numbers_say():
    frame = claims({name: recorded(name) for name in dict.fromkeys(claim.grid for claim in CLAIMS)})
    assert list(zip(frame["where"].str.removeprefix("Section "), frame["reported"], strict=True)) == [
        ("5.1, Table 3, CIFAR-10", "holds"),
        ("5.1, Table 3, CIFAR-100", "not reported"),
        ("5.1, Table 3, CIFAR-10", "holds"),
        ("5.1, Table 3, CIFAR-100", "not reported"),
        ("5.1, Table 3, CIFAR-100", "not reported"),
        ("5.1, Table 3, CIFAR-10", "undecided"),
        ("5.1, Table 4", "holds"),
        ("5.1, Table 4", "holds"),
        ("5.1, Table 5", "holds"),
        ("5.2, Table 6", "undecided"),  # single runs have no interval
    ]
    assert frame.loc[0, "reported detail"] == "JAL-CE in 7 of 9, JAL-FL in 6 of 9"
    assert "JAL-CE over ANL-CE by +3.15" in frame.loc[2, "reported detail"]
    assert "no interval" in frame.loc[9, "reported detail"]


def test_claims_about_tables_that_are_not_given_are_left_out():
    assert len(claims({"table5": recorded("table5")})) == 1 and claims({}).empty


def test_quotes_are_short_and_columns_are_the_grids():
    for claim in CLAIMS:
        assert len(claim.quote.split()) <= 15
        assert set(claim.columns or ()) <= set(grid_named(claim.grid).columns)
        assert {*claim.test.losses} <= set(grid_named(claim.grid).rows)


def test_ranks_are_shared_and_what_has_no_number_has_none():
    table = ranks(measured(BEST | {"ANL-CE": 59.5}, leave_out=("CE",)), "ours")
    first = table["symmetric 0.2"]
    assert (first["JAL-CE"], first["JAL-FL"], first["ANL-CE"], first["GCE"]) == (1, 2, 2, 4)
    assert pd.isna(first["CE"]) and list(table.index) == list(LOSSES)
    assert table["mean rank"]["JAL-FL"] == 2.0


def test_leads_have_a_row_for_each_column_that_has_both():
    found = leads(columns_of(pd.concat([measured(BEST), not_run("clean")]), "ours"))
    assert list(found["column"]) == list(COLUMNS)
    row = found.iloc[0]
    assert (row["one"], row["over"], row["difference"]) == ("JAL-CE", "ANL-CE", 4.0)
    assert row["low"] < 4.0 < row["high"]
