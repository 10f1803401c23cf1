"""What accuracies without deviations can tell: checked by hand, and on the paper's Table 6."""

import math

import numpy as np
import pytest

from jal.analysis import single_runs
from jal.analysis.benchmark_text import columns_of
from jal.analysis.comparison import cells_of, comparison
from jal.analysis.paper import reported
from jal.analysis.records import read
from jal.analysis.stats import Summary
from jal.errors import InputError
from jal.experiments.grids import get


@pytest.fixture(scope="module")
def table6():
    return columns_of(comparison(cells_of(read(get("table6"), []))))


def test_whole_numbers_of_images_betray_single_runs(table6):
    sizes = {"WebVision": 2500, "ILSVRC12": 2500, "Clothing1M": 10_526}
    first, second = single_runs.said_of_steps(table6, sizes).splitlines()
    assert "18 of 18 accuracies are a whole number of images" in first
    # Of three means rounded to two decimals one is a multiple of 0.04.
    # By 18 of them: 3 to the power of 18.
    assert "one in 390,000,000" in first
    assert second.startswith("- **Clothing1M**") and "finer than two decimals" in second

    mean_of_three = {"WebVision": {"CE": Summary(66.29, None, None), "GCE": Summary(66.28, None, None)}}
    assert "1 of 2 accuracies" in single_runs.said_of_steps(mean_of_three, sizes)


def test_means_of_three_fit_as_often_as_is_said():
    right = np.random.default_rng(0).integers(1500, 1900, (3000, 3))
    printed = (100 * right / 2500).mean(axis=1).round(2).tolist()
    whole, _ = single_runs.steps(printed, 2500)
    assert whole / 3000 == pytest.approx(single_runs.steps([60.0], 2500)[1], abs=0.03)


def test_the_spread_of_two_single_runs_is_that_of_a_difference():
    stds = np.concatenate([reported(table)["std"].dropna() for table in (3, 4, 5)])
    said = single_runs.said_of_spread()
    assert f"{np.median(stds):.2f} points" in said
    assert f"{1.959964 * math.sqrt(2) * np.median(stds):.2f} points apart" in said


def test_the_width_that_test_images_leave():
    assert single_runs.half_width(50.0, 2500) == pytest.approx(1.96, abs=1e-3)
    assert single_runs.half_width(100.0, 2500) == 0.0


@pytest.mark.parametrize(("lead", "n"), [(0.02, 2500), (0.004, 10_526)])
def test_the_disagreement_up_to_which_a_lead_is_more_than_chance(lead, n):
    columns = {"x": {"JAL-CE": Summary(100 * (0.6 + lead), None, None), "CE": Summary(60.0, None, None)}}
    row = single_runs.leads(columns, {"x": n}).loc["x"]
    largest = float(row["more than chance if they disagree on less than"].removesuffix(" %")) / 100
    # At that share the interval of the paired difference just touches zero.
    for share, beyond in ((largest - 0.001, True), (largest + 0.001, False)):
        assert (lead > 1.959964 * math.sqrt((share - lead**2) / n)) is beyond
    assert row["as images"] == f"{lead * n:.0f}"


def test_a_lead_that_is_none_has_no_such_share():
    columns = {"x": {"JAL-CE": Summary(59.0, None, None), "CE": Summary(60.0, None, None)}, "y": {}}
    table = single_runs.leads(columns, {"x": 100})
    assert table.loc["x", "more than chance if they disagree on less than"] == "none"
    assert list(table.index) == ["x"]
    with pytest.raises(InputError, match="nothing leads"):
        single_runs.leads({"y": {}}, {})
