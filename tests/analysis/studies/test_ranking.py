"""Does the ranking hold: orders that are known, with runs missing, one seed and ties."""

import math

import pytest
from matplotlib import pyplot as plt

from jal.analysis.figures import style
from jal.analysis.studies.ranking import (
    agreement,
    between_seeds,
    bump_chart,
    by_chance,
    in_words,
    stability,
    tau,
)
from jal.errors import InputError
from jal.experiments.grids import get
from tests.analysis.filled import filled

GRID = get("ranking", profile="quick")
LOSSES = GRID.rows
CHANGES = GRID.columns[1:]
PLACE = {loss: i for i, loss in enumerate(LOSSES)}


def tenth(seed):
    return (seed - 124) / 10


def swapped(*losses):
    """Accuracies that rise down the rows, two losses with each other's."""
    order = dict(PLACE)
    if losses:
        order[losses[0]], order[losses[1]] = PLACE[losses[1]], PLACE[losses[0]]
    return lambda row, seed: 80.0 + order[row] + tenth(seed)


def under(changes):
    """The grid filled: the rising order but where a column has its own."""
    rising = swapped()
    return filled(GRID, lambda row, column, seed: changes.get(column, rising)(row, seed))


def test_tau_by_hand():
    one = {"a": 1.0, "b": 2.0, "c": 3.0}
    assert tau(one, one) == 1.0
    assert tau(one, {"a": 3.0, "b": 2.0, "c": 1.0}) == -1.0
    assert tau(one, {"a": 1.0, "b": 3.0, "c": 2.0, "d": 9.0}) == pytest.approx(1 / 3)
    assert tau(one, {"a": 1.0, "b": 1.0, "c": 2.0}) == pytest.approx(2 / math.sqrt(3 * 2))
    assert math.isnan(tau(one, {"a": 1.0})) and math.isnan(tau(one, {"a": 1.0, "b": 1.0}))


def test_the_same_order_agrees_wholly():
    frame = agreement(under({}))
    assert frame["column"].tolist() == list(CHANGES)
    for name, value in {"kendall": 1, "by_seed": 1, "by_seed_std": 0}.items():
        assert frame[name].tolist() == pytest.approx([value] * 6)
    assert frame["best"].tolist() == ["JAL-CE"] * 6 and frame["same_best"].all()
    assert (
        (frame["top_two_shared"] == 2).all() and (frame["turned"] == 0).all() and (frame["pairs"] == 15).all()
    )


def test_a_swap_of_the_two_best_keeps_the_two_best():
    row = agreement(under({"epochs / 2": swapped("ANL-CE", "JAL-CE")})).set_index("column").loc["epochs / 2"]
    # One of 15 pairs turns.
    assert row["kendall"] == pytest.approx(13 / 15)
    assert (row["best"], row["best_before"], row["same_best"]) == ("ANL-CE", "JAL-CE", False)
    assert (row["top_two_shared"], row["turned"], row["turned_clearly"]) == (2, 1, 1)


def test_a_swap_within_the_spread_of_the_seeds_is_not_clear():
    def close(row, seed):
        return 80.0 + PLACE[row] + 5 * tenth(seed) * (1 if PLACE[row] % 2 else -1)

    def other(row, seed):
        return close({"ANL-CE": "JAL-CE", "JAL-CE": "ANL-CE"}.get(row, row), seed)

    records = filled(
        GRID, lambda row, column, seed: other(row, seed) if column == "width / 2" else close(row, seed)
    )
    row = agreement(records).set_index("column").loc["width / 2"]
    assert (row["turned"], row["turned_clearly"]) == (1, 0)


def test_only_losses_with_runs_on_both_sides_are_compared():
    def run(row, column, seed):
        return None if (row, column) == ("JAL-CE", "epochs x 2") else swapped()(row, seed)

    frame = agreement(filled(GRID, run)).set_index("column")
    assert frame.loc["epochs x 2", ["losses", "left_out", "best"]].tolist() == [5, 1, "ANL-CE"]
    assert frame.loc["epochs / 2", ["losses", "left_out"]].tolist() == [6, 0]
    assert "1 of 6 losses lack runs." in in_words(filled(GRID, run))


def test_without_two_losses_nothing_is_compared():
    def run(row, column, seed):
        return swapped()(row, seed) if column == "the recipe" or row == "CE" else None

    frame = agreement(filled(GRID, run))
    assert frame["losses"].tolist() == [1] * 6
    assert frame[["kendall", "best", "same_best", "pairs", "turned"]].isna().all(axis=None)
    text = in_words(filled(GRID, run))
    assert (
        text.splitlines()[-1]
        == f"- Without two losses to compare with the recipe yet: {', '.join(CHANGES[:-1])} and {CHANGES[-1]}."
    )
    assert stability(filled(GRID, run)) == "No change has runs of all 6 losses yet."


def test_nothing_run():
    records = filled(GRID, lambda *run: None)
    assert between_seeds(records)[1] == 0
    assert in_words(records).startswith(
        "- Without two losses to compare with the recipe yet: learning rate / 3, "
    )
    assert by_chance(records, 3) is None


def test_one_seed_has_an_order_and_no_spread():
    records = filled(GRID, lambda row, column, seed: swapped()(row, seed) if seed == 123 else None)
    row = agreement(records).iloc[0]
    assert (row["kendall"], row["by_seed"], row["n"]) == (pytest.approx(1), pytest.approx(1), 1)
    assert math.isnan(row["by_seed_std"]) and row["turned_clearly"] == 0
    assert between_seeds(records)[1] == 0
    assert "another seed" not in in_words(records) and "seed by seed" not in in_words(records)


def test_ties_share_the_first_place():
    records = under({"epochs x 2": lambda row, seed: 80.0})
    row = agreement(records).set_index("column").loc["epochs x 2"]
    assert row["best"] == " or ".join(LOSSES) and not row["same_best"] and math.isnan(row["kendall"])
    assert (row["top_two_shared"], row["turned"]) == (2, 0)
    assert "- **epochs x 2**: no order;" in in_words(records)


def test_what_another_seed_does_to_the_ranking():
    def run(row, column, seed):
        return swapped("ANL-CE", "JAL-CE")(row, seed) if seed == 125 else swapped()(row, seed)

    value, pairs = between_seeds(filled(GRID, run))
    assert pairs == 3 and value == pytest.approx((1 + 2 * 13 / 15) / 3)
    assert in_words(filled(GRID, run)).splitlines()[0] == (
        "- **the recipe, another seed**: Kendall's tau of the losses' order is 0.91 on average over 3 pairs of seeds."
    )


def test_unknown_columns_are_refused():
    with pytest.raises(InputError, match="unknown column of the grid 'recipe': did you mean 'the recipe'"):
        agreement(under({}), "recipe")
    with pytest.raises(InputError, match="unknown column of the grid"):
        between_seeds(under({}), "recipe")


def test_sentences_hold_the_numbers():
    records = under({"epochs / 2": swapped("ANL-CE", "JAL-CE"), "width x 2": swapped("CE", "JAL-CE")})
    lines = in_words(records).splitlines()
    assert lines[3] == (
        "- **epochs / 2**: tau 0.87 (seed by seed 0.87 ± 0.00); ANL-CE is the best in place of JAL-CE; the two best "
        "stay; 1 of 15 pairs turns round, 1 of them beyond both intervals."
    )
    assert "; one of the two best stays; " in lines[-1] and lines[1].endswith(
        "the two best stay; no pair turns round."
    )
    assert stability(records) == (
        "All 6 changes have runs of all 6 losses. The best loss stays the best under 4 of these, and the two best stay "
        "the two best under 5."
    )
    turned = {column: swapped("CE", "JAL-CE") for column in CHANGES}
    assert stability(under(turned)).endswith(
        "The best loss stays the best under none of these, and the two best stay the two best under none."
    )


def test_the_chart_has_each_losses_ranks():
    with plt.rc_context():
        style()
        figure = bump_chart(under({"epochs / 2": swapped("ANL-CE", "JAL-CE")}))
    (axes,) = figure.axes
    ranks = {
        text.get_text(): list(line.get_ydata()) for line, text in zip(axes.lines, axes.texts, strict=True)
    }
    assert ranks["JAL-CE"] == [1, 1, 1, 2, 1, 1, 1]
    assert ranks["ANL-CE"] == [2, 2, 2, 1, 2, 2, 2]
    assert ranks["CE"] == [6] * 7
    plt.close(figure)


def test_the_chart_leaves_out_columns_that_lack_a_loss():
    def run(row, column, seed):
        if row == "GCE" or (row, column) == ("CE", "epochs x 2"):
            return None
        return swapped()(row, seed)

    figure = bump_chart(filled(GRID, run))
    (axes,) = figure.axes
    assert len(axes.lines) == 5 and {len(line.get_ydata()) for line in axes.lines} == {6}
    assert "epochs\nx 2" not in [tick.get_text() for tick in axes.get_xticklabels()]
    plt.close(figure)


def test_a_chart_of_one_column_says_that_there_is_no_other():
    figure = bump_chart(filled(GRID, lambda row, column, seed: 80.0 if column == "the recipe" else None))
    (axes,) = figure.axes
    assert not axes.lines
    assert [text.get_text() for text in axes.texts] == ["no two columns have runs of the same two losses yet"]
    plt.close(figure)


def test_losses_far_apart_keep_their_order_by_chance():
    found = by_chance(under({}), 3)
    assert (found.losses, found.runs, found.std) == (6, 3, pytest.approx(0.1))
    assert (found.kendall, found.same_best, found.same_two) == (1.0, 1.0, 1.0)


def test_two_losses_a_standard_error_apart_change_places_as_often_as_the_normal_distribution_says():
    def run(row, column, seed):
        return {"CE": 80.0, "GCE": 81.0}[row] + (seed - 124) if row in ("CE", "GCE") else None

    found = by_chance(filled(GRID, run), 2, repetitions=20000)
    # The difference of two means of two runs has a variance of 1: it keeps its sign with probability Phi(1).
    expected = (1 + math.erf(1 / math.sqrt(2))) / 2
    assert found.same_best == pytest.approx(expected, abs=0.01)
    assert found.kendall == pytest.approx(2 * expected - 1, abs=0.02)
    assert found.same_two == 1.0
    assert by_chance(filled(GRID, run), 2) == by_chance(filled(GRID, run), 2)
    assert str(found).startswith(
        "Were the measured means of the 2 losses the truth, then 2 runs of each, with the standard deviation of 1.00 "
        "points that runs of one loss have here, would find the best loss in 84 % of repetitions"
    )


def test_chance_needs_a_spread_and_an_order():
    one_seed = filled(GRID, lambda row, column, seed: swapped()(row, seed) if seed == 123 else None)
    assert by_chance(one_seed, 3) is None
    assert by_chance(filled(GRID, lambda row, column, seed: 80.0 + tenth(seed)), 3) is None
    with pytest.raises(InputError, match="unknown column of the grid"):
        by_chance(under({}), 3, "recipe")
    with pytest.raises(InputError, match="give one or more of both"):
        by_chance(under({}), 0)
