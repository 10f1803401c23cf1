"""What a few seeds can tell: against scipy's own test on simulated runs, and pairs that are known."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from scipy.stats import ttest_ind

from jal.analysis.claims import reported_columns
from jal.analysis.stats import Summary
from jal.analysis.studies.seeds import chart, in_words, neighbours, smallest, told
from jal.errors import InputError


@pytest.mark.parametrize(("apart", "runs"), [(0.0, 3), (2.0, 3), (4.0, 3), (1.5, 5)])
def test_the_chance_is_that_of_welchs_test(apart, runs):
    rng, n = np.random.default_rng(0), 20000
    p = ttest_ind(rng.normal(apart, 1, (runs, n)), rng.normal(0, 1, (runs, n)), equal_var=False).pvalue
    # Three standard deviations of a share of so many.
    assert told(apart, runs) == pytest.approx((p < 0.05).mean(), abs=3 * 0.5 / n**0.5)


def test_the_smallest_difference_is_told_with_that_chance_and_shrinks_with_more_seeds():
    found = [smallest(n) for n in (2, 3, 5, 10)]
    assert found == sorted(found, reverse=True)
    assert told(smallest(3), 3) == pytest.approx(0.8, abs=1e-4)
    assert smallest(3, 0.5) < smallest(3)
    # Many seeds: the normal distribution's (1.96 + 0.84) times the error of the difference.
    assert smallest(400) == pytest.approx(2.8 * (2 / 400) ** 0.5, rel=0.01)


def test_a_chance_that_all_or_none_has_is_refused():
    for chance in (0.05, 1.0):
        with pytest.raises(InputError, match=r"give one over 0\.05 and under 1"):
            smallest(3, chance)
    with pytest.raises(InputError, match="needs two or more"):
        smallest(1)


def test_the_sentence_is_in_points():
    points = f"{0.5 * smallest(3):.1f}"
    assert in_words(0.5, [3]) == (
        f"Where one run has a standard deviation of 0.50 points, two losses have to be apart by {points} (3 seeds) "
        "points for Welch's interval to exclude 0 in 80 % of experiments."
    )


def test_neighbours_are_next_in_rank():
    column = {
        "a": Summary(80.0, 0.1, 3),
        "c": Summary(70.0, 0.1, 3),
        "b": Summary(79.9, 0.1, 3),
        "d": Summary(60.0, None, 3),
    }
    assert neighbours([column, column]) == (2, 4)
    assert neighbours([]) == (0, 0)


def test_the_papers_columns():
    columns = list(reported_columns(3, dataset="cifar10").values())
    assert len(columns) == 9
    assert columns[4]["JAL-CE"] == Summary(65.43, 0.99, 3)
    assert "LT-APL" not in columns[0]
    told_apart, pairs = neighbours(columns)
    assert 0 < told_apart < pairs


def test_the_figure_has_a_line_for_each_number():
    figure = chart([3, 5])
    (axes,) = figure.axes
    three, five, _ = axes.lines
    assert five.get_ydata()[20] > three.get_ydata()[20]
    assert three.get_ydata()[40] == pytest.approx(100 * told(4.0, 3))
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["3 seeds each", "5 seeds each"]
    plt.close(figure)
