"""The verdict: its interval and tests against scipy's, its power against simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from jal.analysis.stats import Power, Summary, compare, contrast, power, power_table
from jal.errors import InputError

CASES = [
    ((87.53, 0.10, 3), (87.31, 87.62, 87.40)),
    ((65.43, 0.99, 3), (63.0, 66.1)),
    ((19.74, 1.77, 5), (25.0, 24.0, 26.5, 25.5)),
    ((90.0, 0.02, 2), (88.0, 92.0)),
    ((90.0, 0.5, 3), (90.2, 90.2, 90.2)),
]


def p_value(shift, reported, measured, alternative="two-sided"):
    """Of scipy's Welch test that the measured mean is `shift` above the reported one."""
    mean, std, n = reported
    result = stats.ttest_ind_from_stats(
        np.mean(measured), np.std(measured, ddof=1), len(measured), mean + shift, std, n,
        equal_var=False, alternative=alternative,
    )  # fmt: skip
    return result.pvalue


@pytest.mark.parametrize(("reported", "measured"), CASES)
def test_the_interval_is_where_scipys_welch_test_gives_5_per_cent(reported, measured):
    found = compare(measured, Summary(*reported))
    assert (found.n, found.n_over) == (len(measured), reported[2])
    assert found.difference == pytest.approx(np.mean(measured) - reported[0])
    assert found.low < found.difference < found.high
    for edge in (found.low, found.high):
        assert p_value(edge, reported, measured) == pytest.approx(0.05, abs=1e-9)


def test_degrees_of_freedom_are_scipys():
    measured = [63.0, 66.1, 64.0, 65.2]
    paper = [65.0, 66.5, 64.9]
    expected = stats.ttest_ind(measured, paper, equal_var=False).df
    found = compare(measured, paper)
    assert found.degrees_of_freedom == pytest.approx(expected)


def test_the_word_is_what_the_separate_tests_say():
    rng = np.random.default_rng(0)
    words = set()
    for _ in range(300):
        std = rng.choice([0.1, 0.3, 1.0])
        n, n_2 = rng.integers(2, 6, 2)
        paper = rng.normal(80.0, std, n)
        measured = rng.normal(80.0 + rng.choice([0.0, 1.0, 3.0]), rng.choice([0.1, 1.0]), n_2)
        reported = paper.mean(), paper.std(ddof=1), n
        limit = 1.0
        # Two one-sided tests: above -limit, and below limit.
        agrees = (
            max(p_value(-limit, reported, measured, "greater"), p_value(limit, reported, measured, "less"))
            < 0.05
        )
        differs = p_value(0.0, reported, measured) < 0.05 and not agrees
        found = compare(measured, Summary(*reported))
        assert found.verdict == ("agrees" if agrees else "differs" if differs else "inconclusive")
        words.add(found.verdict)
    assert words == {"agrees", "differs", "inconclusive"}


@pytest.mark.parametrize(
    ("reported", "measured", "word"),
    [
        ((90.0, 0.1, 3), [90.1, 90.0, 90.2], "agrees"),
        # The interval excludes 0, and yet all of it is within the margin.
        ((90.0, 0.01, 3), [90.5, 90.51, 90.49], "agrees"),
        ((90.0, 0.1, 3), [92.1, 92.0, 92.2], "differs"),
        ((90.0, 1.0, 3), [90.1, 92.0, 88.0], "inconclusive"),
        ((90.0, 0.1, 3), [90.1], "one run"),
        ((90.0, None, None), [90.1, 90.2], "no std"),
        ((90.0, None, 3), [90.1], "no std"),
        ((90.0, 0.1, None), [90.1, 90.2], "no n"),
        ((90.0, 0.1, 3), [], "not run"),
    ],
)
def test_every_verdict(reported, measured, word):
    assert compare(measured, Summary(*reported)).verdict == word


def test_a_missing_side_is_named_and_the_other_counted():
    assert compare([90.1, 90.2], None).verdict == "not reported"
    assert compare(None, None).verdict == compare([], [90.0, 91.0]).verdict == "not run"
    assert (compare([90.1, 90.2], None).n, compare([], [90.0, 91.0]).n_over) == (2, 2)


@pytest.mark.parametrize(
    ("reported", "measured"),
    [((90.0, 0.1, 3), [90.5]), ((90.0, None, None), [90.5]), ((90.0, 0.1, None), [90.25, 90.75])],
)
def test_without_a_test_there_is_the_difference_alone(reported, measured):
    found = compare(measured, Summary(*reported))
    assert found.difference == pytest.approx(0.5)
    assert all(map(math.isnan, (found.low, found.high, found.degrees_of_freedom)))
    assert found.interval is None and found.sign == 0


@pytest.mark.parametrize(
    ("shift", "word"), [(0.0, "agrees"), (0.5, "agrees"), (1.0, "differs"), (-1.5, "differs")]
)
def test_without_any_spread_the_difference_speaks_for_itself(shift, word):
    found = compare([90.0 + shift] * 2, Summary(90.0, 0.0, 3))
    assert (found.verdict, found.low, found.high) == (word, shift, shift)
    assert found.degrees_of_freedom == 3


def test_a_spread_on_one_side_alone_has_that_sides_freedom():
    assert compare([90.0, 91.0], Summary(90.0, 0.0, 5)).degrees_of_freedom == pytest.approx(1)
    assert compare([90.0, 90.0], Summary(90.0, 0.3, 5)).degrees_of_freedom == pytest.approx(4)
    tiny = compare(Summary(1.0, 1e-200, 3), Summary(0.0, 1e-200, 3))
    assert tiny.degrees_of_freedom == 4 and tiny.interval == (1.0, 1.0)


def test_the_margin_can_be_chosen():
    assert compare([91.0, 91.1], [90.0, 90.1], margin=2.0).verdict == "agrees"


def test_a_contrast_of_two_groups_is_their_comparison_and_of_four_scipys_sum_of_errors():
    a, b, c, d = [1.0, 2.0, 4.0], [2.0, 2.5], [7.0, 7.5, 9.0, 8.0], [3.0, 5.0, 4.0]
    found = compare(a, b)
    assert contrast([(1.0, a), (-1.0, b)]) == (found.difference, found.low, found.high)
    terms = [(0.5, a), (0.5, b), (-0.5, c), (-0.5, d)]
    value, low, high = contrast(terms)
    squares = [(weight * stats.sem(values)) ** 2 for weight, values in terms]
    freedom = sum(squares) ** 2 / sum(
        square**2 / (len(values) - 1) for square, (_, values) in zip(squares, terms, strict=True)
    )
    reach = stats.t.ppf(0.975, freedom) * math.sqrt(sum(squares))
    assert value == pytest.approx(sum(weight * np.mean(values) for weight, values in terms))
    assert (low, high) == pytest.approx((value - reach, value + reach))
    assert math.isnan(contrast([(1.0, [1.0]), (-1.0, a)])[1]) and math.isnan(
        contrast([(1.0, []), (1.0, a)])[0]
    )


@pytest.mark.parametrize(
    ("reported", "measured", "message"),
    [
        ((math.nan, 0.1, 3), [90.0], "mean of nan"),
        ((90.0, -0.1, 3), [90.0], "standard deviation of -0.1"),
        ((90.0, math.inf, 3), [90.0], "standard deviation of inf"),
        ((90.0, 0.1, 1), [90.0, 91.0], "standard deviation of 1 runs"),
        ((90.0, 0.1, 3), [90.0, math.nan], "finite numbers"),
    ],
)
def test_bad_numbers_are_refused(reported, measured, message):
    with pytest.raises(InputError, match=message):
        compare(measured, Summary(*reported))


def simulated(std, n, n_2, shift, fixed=1.0, draws=400_000):
    """The shares of "agrees" and of "differs", by drawing the runs."""
    rng = np.random.default_rng(1)
    paper, ours = rng.normal(0.0, std, (draws, n)), rng.normal(shift, std, (draws, n_2))
    a, b = paper.var(1, ddof=1) / n, ours.var(1, ddof=1) / n_2
    freedom = (a + b) ** 2 / (a**2 / (n - 1) + b**2 / (n_2 - 1))
    t = (ours.mean(1) - paper.mean(1)) / np.sqrt(a + b)
    limit = fixed / np.sqrt(a + b)
    above, below = stats.t.sf(t + limit, freedom), stats.t.cdf(t - limit, freedom)
    agrees = np.maximum(above, below) < 0.05
    differs = (2 * stats.t.sf(abs(t), freedom) < 0.05) & ~agrees
    return agrees.mean(), differs.mean()


@pytest.mark.parametrize(
    ("std", "n", "n_2", "shift", "fixed"),
    [
        (0.3, 3, 3, 0.0, 1.0),
        (1.0, 3, 3, 0.0, 1.0),
        (0.5, 2, 2, 0.0, 1.0),
        (0.7, 3, 5, 1.0, 1.0),
        (0.4, 10, 2, -0.8, 1.0),
        (1.0, 3, 3, 0.5, 2.0),
    ],
)
def test_the_power_is_what_a_simulation_gives(std, n, n_2, shift, fixed):
    found = power(std, n, n_2, true_difference=shift, margin=fixed)
    agrees, differs = simulated(std, n, n_2, shift, fixed)
    # Five standard errors of 400,000 draws.
    assert found.agrees == pytest.approx(agrees, abs=0.004)
    assert found.differs == pytest.approx(differs, abs=0.004)
    assert found.agrees + found.inconclusive + found.differs == pytest.approx(1)


def test_three_runs_against_three_of_the_same_process():
    assert round(power(0.3, 3, 3).agrees, 2) == 0.85
    assert round(power(1.0, 3, 3).agrees, 2) == 0.02


def test_power_at_its_ends():
    assert power(0.0, 3, 3) == Power(1.0, 0.0, 0.0)
    assert power(0.0, 3, 3, true_difference=-1.0) == Power(0.0, 0.0, 1.0)
    assert power(0.0, 3, 3, true_difference=1.0, margin=2.0) == Power(1.0, 0.0, 0.0)
    assert power(1e-6, 3, 3).agrees == pytest.approx(1, abs=1e-3)
    above, below = (power(0.3, 3, 3, true_difference=shift) for shift in (1.5, -1.5))
    assert (above.agrees, above.differs) == pytest.approx((below.agrees, below.differs))
    assert power(0.3, 3, 50, true_difference=3.0).differs > 0.99


@pytest.mark.parametrize(("std", "n", "n_2"), [(0.3, 1, 3), (0.3, 3, 1), (-0.1, 3, 3), (math.nan, 3, 3)])
def test_power_refuses_what_has_none(std, n, n_2):
    with pytest.raises(InputError, match=r"two or more|standard deviation"):
        power(std, n, n_2)


def test_powers_add_up():
    assert Power(0.5, 0.25, 0.25) + Power(1.0, 0.0, 0.0) == Power(1.5, 0.25, 0.25)


def test_the_table_holds_the_powers():
    table = power_table((0.3, 1.0), (0.0, 2.0))
    assert table.loc[(1.0, 2.0), "differs"] == pytest.approx(100 * power(1.0, 3, 3, 2.0).differs)
    assert table.sum(axis=1).tolist() == pytest.approx([100.0] * 4)
