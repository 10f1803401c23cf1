"""Tables and sentences: every cell is its Records' number."""

import math
from statistics import stdev

import pytest

from jal.analysis.old_tables import accuracy_table, last, lost_after_best, summary
from jal.analysis.sentences import memorisation


@pytest.fixture
def records(make):
    return [
        make("CE", (50.0, 90.0, 80.0)),
        make("CE", (50.0, 91.0, 83.0), seed=124),
        make("JAL-CE", (40.0, 95.0, 94.5), (5.0, 5.0, 6.25)),
        make("JAL-CE", (40.0, 95.0, 93.0), (5.0, 5.0, 5.0), noise="asymmetric"),
    ]


def test_summary_has_mean_unbiased_deviation_and_count(records):
    frame = summary(records).set_index(["noise", "loss"])
    row = frame.loc[("symmetric 0.4", "CE")]
    assert (row["mean"], row["n"]) == (81.5, 2)
    assert row["std"] == pytest.approx(stdev([80.0, 83.0]))
    assert math.isnan(frame.loc[("symmetric 0.4", "JAL-CE"), "std"])
    assert len(frame) == 3


def test_the_table_holds_the_last_epoch(records):
    table = accuracy_table(records)
    assert table.loc["CE", "symmetric 0.4"] == "81.5 ± 2.1"
    assert table.loc["JAL-CE", "symmetric 0.4"] == "94.5"
    assert table.loc["CE", "asymmetric 0.4"] == ""
    assert list(table.columns) == ["symmetric 0.4", "asymmetric 0.4"]


def test_any_quantity_and_order(records):
    table = accuracy_table(records, last("memorised"), ["JAL-CE", "CE", "GCE"])
    assert list(table.index) == ["JAL-CE", "CE", "GCE"]
    assert table.loc["JAL-CE", "symmetric 0.4"] == "6.2"
    assert (table.loc["GCE"] == "").all()


def test_what_is_lost_after_the_best_epoch(records):
    assert [lost_after_best(record) for record in records] == [10.0, 8.0, 0.5, 2.0]


def test_sentences_hold_the_records_numbers(records):
    text = memorisation(records, ["CE", "JAL-CE", "GCE"])
    first, second = text.splitlines()
    assert first == (
        "- **symmetric 0.4**: of the wrong labels the network reproduces, after the last epoch, 70.0 % (CE), "
        "6.2 % (JAL-CE). From its best epoch to the last the test accuracy falls by 9.0 (CE), 0.5 (JAL-CE) points."
    )
    assert second.startswith("- **asymmetric 0.4**: ") and "(CE)" not in second


def test_clean_labels_have_no_sentence(make):
    assert memorisation([make(memorised=None, noise="clean", rate=None)], ["CE"]) == ""
