"""A lead over another loss with another penalty: parts that are known, and that add up."""

import math

import numpy as np
import pytest
from matplotlib import pyplot as plt
from scipy.stats import t, ttest_ind

from jal.analysis.studies.lead_parts import chart, in_words, parts, told
from jal.errors import InputError
from jal.experiments.grids import get
from tests.analysis.filled import filled

GRID = get("regulariser", profile="quick")
SPREAD = {"JAL-CE, L1": 1.0, "JAL-CE, L2": 0.5, "NCE+RCE, L1": 2.0, "NCE+RCE, L2": 0.1}


def accuracy(row, column, seed):
    """JAL-CE has 3 points over all others; L1 has 2 over L2, and 4 more with JAL-CE."""
    jal, l1 = row.startswith("JAL-CE"), row.endswith("L1")
    return 70.0 + 3 * jal + 2 * l1 + 4 * (jal and l1) + SPREAD.get(row, 1.0) * (seed - 124)


def column(frame, name="clean"):
    return frame[frame["column"] == name].set_index("part")


def test_the_parts_are_averages_over_both_ways_and_add_up():
    found = column(parts(filled(GRID, accuracy)))
    assert found.loc["together", "difference"] == pytest.approx(9)
    assert found.loc["loss", "difference"] == pytest.approx((7 + 3) / 2)
    assert found.loc["regulariser", "difference"] == pytest.approx((6 + 2) / 2)
    assert (found["n"] == 3).all()


def test_the_lead_has_welchs_interval():
    found = column(parts(filled(GRID, accuracy))).loc["together"]
    one, other = ([accuracy(row, "clean", s) for s in GRID.seeds] for row in ("JAL-CE, L1", "NCE+RCE, L2"))
    interval = ttest_ind(one, other, equal_var=False).confidence_interval()
    assert found[["low", "high"]].tolist() == pytest.approx([interval.low, interval.high])


def test_the_parts_have_welch_and_satterthwaites():
    # Half of each of four means of three runs, whose standard deviations are those of SPREAD.
    errors = np.array([std**2 / 4 / 3 for std in SPREAD.values()])
    reach = t.ppf(0.975, errors.sum() ** 2 / (errors**2 / 2).sum()) * math.sqrt(errors.sum())
    found = column(parts(filled(GRID, accuracy)))
    for part, value in (("loss", 5), ("regulariser", 4)):
        assert found.loc[part, ["low", "high"]].tolist() == pytest.approx([value - reach, value + reach])


def test_without_any_spread_the_interval_is_the_value():
    found = column(parts(filled(GRID, lambda row, column, seed: accuracy(row, column, 124))))
    assert found["low"].tolist() == found["high"].tolist() == pytest.approx([9, 5, 4])


def test_a_cell_that_is_missing_leaves_the_lead():
    records = filled(GRID, lambda row, *run: None if row == "JAL-CE, L2" else accuracy(row, *run))
    found = column(parts(records))
    assert found["difference"].notna().tolist() == [True, False, False] and found["n"].tolist() == [3, 0, 0]
    assert in_words(parts(records)).splitlines()[0] == (
        "- **clean**: +9.0 [+6.5, +11.5] points; whose they are cannot be told before each loss has runs under both "
        "penalties."
    )


def test_the_sentence_holds_the_numbers_and_names_what_is_not_run():
    records = filled(
        GRID,
        lambda row, column, seed: accuracy(row, column, 124) if column == "clean" and seed == 123 else None,
    )
    assert in_words(parts(records)).splitlines() == [
        "- **clean**: +9.0 points, of which +5.0 are the loss's and +4.0 the regulariser's.",
        "- Not run on both sides: symmetric 0.4, symmetric 0.8, asymmetric 0.2 and asymmetric 0.4.",
    ]


def test_where_a_part_is_told_from_0():
    frame = parts(filled(GRID, accuracy))
    is_loss, is_clean = frame["part"].eq("loss"), frame["column"].eq("clean")
    frame.loc[is_loss, ["low", "high"]] = [-1.0, 1.0]
    frame.loc[is_loss & is_clean, ["low", "high"]] = [-2.0, -1.0]
    frame = frame[frame["column"].isin(["clean", "symmetric 0.4"])]
    assert told(frame) == (
        "the loss's part is below 0 under clean and not told from 0 under symmetric 0.4; "
        "the regulariser's part is above 0 under clean and symmetric 0.4"
    )
    assert told(frame.assign(low=math.nan, high=math.nan)) == ""


def test_rows_that_do_not_differ_in_both_are_refused():
    records = filled(GRID, accuracy)
    with pytest.raises(InputError, match="give rows that differ in loss and in penalty"):
        parts(records, theirs=("ANL-CE", "L1"))
    with pytest.raises(InputError, match="give rows that differ in loss and in penalty"):
        parts(records, theirs=("JAL-CE", "L2"))
    with pytest.raises(InputError, match="unknown loss of the grid 'CE'"):
        parts(records, theirs=("CE", "L2"))


def test_the_figure_draws_each_part_and_says_what_is_not_run():
    empty = filled(GRID, lambda *run: None)
    figure = chart({"one": parts(filled(GRID, accuracy)), "none": parts(empty)})
    one, none = figure.axes
    drawn = [container.lines[0].get_xdata() for container in one.containers]
    assert [float(values[0]) for values in drawn] == pytest.approx([9, 5, 4])
    assert [text.get_text() for text in none.texts] == ["not run yet"] and not one.texts
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "the lead",
        "the loss's part",
        "the regulariser's part",
    ]
    plt.close(figure)
