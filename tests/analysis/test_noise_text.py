"""Tables and sentences on label noise say what the reports hold."""

import math
from dataclasses import replace

import pytest

from jal import datasets
from jal.analysis import noise_text as text
from jal.analysis.noise_reports import DATASETS, document, kept, read_all
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


def test_the_smallest_a_of_a_kept_report_is_the_theorys(reports):
    ten, hundred = reports["cifar10"], reports["cifar100"]
    found = [ten[f"symmetric {rate}"].smallest_a for rate in (0.2, 0.4, 0.6, 0.8)]
    assert found == pytest.approx([9 / 7, 1.8, 3, 9])
    assert hundred["asymmetric blocks 0.4"].smallest_a == pytest.approx(5)
    assert hundred["human noisy"].smallest_a == math.inf
