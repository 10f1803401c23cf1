"""Tables and sentences on label noise say what the reports hold."""

import math
from dataclasses import replace

import numpy as np
import pytest

from jal import datasets
from jal.analysis import noise_text as text
from jal.analysis.noise_reports import DATASETS, document, kept, read_all, read_annotators
from jal.analysis.text import percent
from jal.errors import InputError
from jal.experiments import resolve
from jal.noise import flip_map
from jal.noise.transition import CIFAR100_SUPERCLASS

CLASSES = tuple("0123456789")


@pytest.fixture(scope="module")
def reports():
    return {name: read_all(name) for name in DATASETS}


@pytest.fixture(scope="module")
def drawn():
    data = datasets.load("digits")
    return {
        f"instance pdn {rate:g}": kept(
            document(resolve(dataset="digits", noise="instance", rate=rate, loss="CE"), data)
        )
        for rate in (0.2, 0.6)
    }


def test_a_smallest_a_is_rounded_up():
    assert text.number(1.2) == "1.200"
    assert text.number(9 / 7) == "1.286"
    assert text.number(1.25301) == "1.254"
    assert text.number(9.000000000000002) == "9.000"
    assert text.number(math.inf) == "inf"


def test_rates_stand_in_the_row_of_their_noise_and_the_column_of_their_nominal_rate(reports):
    table = text.by_rate(reports, lambda one: percent(one.report.rate, 2))
    assert list(table.columns) == ["10 %", "20 %", "30 %", "40 %", "60 %", "80 %"]
    assert table.loc[("CIFAR-10", "symmetric"), "80 %"] == "79.92 %"
    assert table.loc[("CIFAR-100", "symmetric"), "80 %"] == "79.20 %"
    assert table.loc[("CIFAR-10", "asymmetric"), "40 %"] == "20.00 %"
    assert table.loc[("CIFAR-10", "pair flips"), "80 %"] == ""
    assert len(table) == 5 + 6
    assert all(table.loc[(name, "instance (fixed)"), "60 %"] == "60.00 %" for name in DATASETS.values())


def test_thresholds_are_the_theorys(reports):
    table = text.by_rate(reports, lambda one: text.number(one.smallest_a))
    row = table.loc[("CIFAR-10", "symmetric")]
    assert row[["20 %", "40 %", "60 %", "80 %"]].tolist() == ["1.286", "1.800", "3.000", "9.000"]
    assert table.loc[("CIFAR-100", "asymmetric (blocks)"), "40 %"] == "5.000"


def test_people_of_a_hundred_classes_have_no_a(reports):
    table = text.people(reports)
    assert table.loc["CIFAR-100N, noisy", "smallest a"] == "inf"
    assert table.loc["CIFAR-10N, worst", "labels wrong"] == "40.2 %"
    assert len(table) == 6


def test_coverage_has_each_set_whose_images_are_known(reports, drawn):
    table = text.coverage({"digits": drawn, **reports})
    assert list(table.index)[:3] == [("digits", "20 %"), ("digits", "60 %"), ("CIFAR-10", "20 %")]
    assert len(table) == 2 + 3 + 3
    shares = table.loc[("CIFAR-10", "60 %")].str.removesuffix(" %").astype(float)
    a, *covered = shares[[f"covered by a = {a}" for a in text.SCALES]]
    assert a < covered[0] < covered[1] < shares["images whose true label leads"] < 50


def test_the_spread_of_wrong_labels():
    even = np.array([[6, 2, 2], [0, 8, 0], [1, 1, 8]])
    assert text.spread(even) == pytest.approx((2.0, 0.5))
    one = np.array([[6, 4, 0], [0, 8, 0], [0, 0, 8]])
    assert text.spread(one) == pytest.approx((1.0, 1.0))
    # Of six wrong labels four are of a class with one rival.
    both = np.array([[6, 4, 0], [0, 8, 0], [1, 1, 8]])
    assert text.spread(both) == pytest.approx(((4 * 1 + 2 * 2) / 6, (4 * 1 + 2 * 0.5) / 6))
    assert all(math.isnan(value) for value in text.spread(np.diag([3, 4])))


def test_the_margin_of_a_class_may_be_negative_or_missing():
    margins = text.class_margins(np.array([[6, 4, 0], [7, 3, 0], [0, 0, 0]]))
    assert margins[:2] == pytest.approx([0.2, -0.4])
    assert math.isnan(margins[2])


def test_concentration_tells_one_rival_from_nine(reports):
    ten = reports["cifar10"]
    table = text.concentration({"s": ten["symmetric 0.4"], "p": ten["pair 0.4"]}, CLASSES)
    assert table["rivals"].tolist() == ["9.0", "1.0"]
    assert table["likeliest rival"].tolist() == ["11.1 %", "100.0 %"]
    assert table.loc["p", "where"] == "0, 1"


def test_annotators_beside_what_the_class_alone_would_give(reports):
    # One class and equal rates: a binomial distribution.
    one = reports["cifar10"]["pair 0.2"]
    counts = np.tile([5, 3, 1, 1], (10, 1))
    table = text.annotators(counts, {f"human rand{i}": one for i in (1, 2, 3)})
    assert table.iloc[0].tolist() == pytest.approx([0.5, 0.3, 0.1, 0.1])
    assert table.iloc[1].tolist() == pytest.approx([0.512, 0.384, 0.096, 0.008])
    said = text.said_of_annotators(table)
    assert "wrong for 10.00 %" in said and "12.5 times as many" in said
    assert "At least one is wrong for 50.0 %, rather than for 48.8 %" in said


def test_real_annotators_err_together(reports):
    table = text.annotators(read_annotators(), reports["cifar10"])
    assert table.sum(axis=1).tolist() == pytest.approx([1, 1])
    assert table.iloc[0, 3] > 2 * table.iloc[1, 3] and table.iloc[0, 0] > table.iloc[1, 0]


def test_sentences_carry_the_reports_numbers(reports):
    said = text.said_of_rates(reports)
    for number in ("79.92 %", "79.20 %", "20.00 % on CIFAR-10, of whose classes 5 stay clean", "40.21 %"):
        assert number in said
    assert "to the last label, in 6 of 6 sets" in said
    ten = reports["cifar10"]
    others = {"symmetric": ten["symmetric 0.4"]}
    said = text.said_of_people(ten["human worst"], others, datasets.known.CIFAR10_CLASSES)
    assert "truck, which is called automobile for 28.2 %" in said
    assert "compared with 1.799 for symmetric." in said


def test_what_the_class_view_hides_is_said(reports, drawn):
    said = text.said_of_images(reports["cifar10"]["instance pdn 0.6"])
    assert "the true label leads everywhere, and *a* ≥ 5.203 would do" in said
    assert "leads for 17.9 %; for the other 82.1 % no *a* is enough" in said
    assert said.endswith(
        "no *a* is enough. Enough is *a* = 10 for 7.9 %, *a* = 20 for 12.2 %, *a* = 30 for 13.9 %."
    )
    assert "does not lead in 2 of 10 classes" in text.said_of_images(drawn["instance pdn 0.6"])
    with pytest.raises(InputError, match=r"cifar10, symmetric 0\.4: no probabilities of single images"):
        text.said_of_images(reports["cifar10"]["symmetric 0.4"])


def test_the_classes_that_people_misname_are_named(reports):
    said = text.said_of_hundred(reports["cifar100"]["human noisy"], datasets.known.CIFAR100_CLASSES)
    assert (
        "3 of 100 classes" in said and "pine tree (called oak tree 125 times, by its name 96 times)" in said
    )
    everywhere = text.said_of_hundred(reports["cifar10"]["human worst"], CLASSES)
    assert everywhere == "In CIFAR-100N the true label leads in every class."


def test_flips_within_super_classes_are_counted():
    flips = {"one": flip_map("cifar100"), "other": flip_map("cifar100", "paper")}
    said = text.said_of_super_classes(flips, CIFAR100_SUPERCLASS)
    assert said == "The flips that stay in their super-class are 6 of 100 in one and 100 of 100 in other."


def test_the_origin_names_commit_and_versions(reports):
    made = reports["cifar10"]["symmetric 0.4"].made
    said = text.origin(reports)
    assert "46 reports" in said and str(made["commit"])[:12] in said and made["numpy"] in said


def test_what_a_report_says_of_its_making_is_no_markup(reports):
    made = {"numpy": "<b>2</b>", "python": "3", "commit": "`<i>", "dirty": False, "date": "[to](day)"}
    kept = replace(reports["cifar10"]["symmetric 0.4"], made=made)
    said = text.origin({"cifar10": {"one": kept}})
    assert "numpy \\<b\\>2\\</b\\>" in said and "`` `<i> ``" in said and "\\[to\\](day)" in said
