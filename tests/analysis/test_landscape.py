"""What others report: the file is whole and consistent, its numbers agree where two sources have the same."""

import re

import pytest

from jal.analysis.paper import read_file
from jal.checkout import find_root

KINDS = {"loss", "regulariser", "two networks", "semi-supervised"}
EPOCHS = {"last", "last ten", "noisy validation", "held out", "best", "not stated"}
KEYS = ["method", "dataset", "noise", "variant", "rate", "network", "epoch", "source", "where"]


@pytest.fixture(scope="module")
def frame():
    return read_file("landscape")


def accuracy(frame, **wanted):
    for key, value in wanted.items():
        frame = frame[frame[key] == value]
    (found,) = frame["accuracy"]
    return found


def test_every_row_says_what_it_is_and_where_it_is_from(frame):
    assert set(frame["kind"]) <= KINDS
    assert set(frame["epoch"]) <= EPOCHS
    entries = re.findall(r"@\w+\{(\w+),", (find_root() / "book" / "references.bib").read_text())
    assert set(frame["source"]) <= set(entries)
    assert set(frame["dataset"]) == {"cifar10", "cifar100"}
    for column in ("method", "where", "read_in"):
        assert frame[column].str.strip().str.len().gt(3 if column != "method" else 1).all()
    assert frame["accuracy"].between(1, 100).all()
    assert frame["std"].dropna().between(0, 5).all()
    assert frame.loc[frame["std"].notna(), "n"].notna().all()


def test_a_noise_has_a_rate_and_people_have_a_set_of_labels(frame):
    human = frame["noise"] == "human"
    assert frame.loc[human, "rate"].isna().all()
    assert frame.loc[human, "variant"].notna().all()
    assert frame.loc[~human, "rate"].between(0.1, 0.9).all()
    assert frame.loc[~human, "variant"].isna().all()
    assert set(frame["noise"]) == {"symmetric", "asymmetric", "pair", "human"}


def test_no_number_is_there_twice(frame):
    assert not frame.duplicated(KEYS).any()


def test_a_method_is_of_one_kind(frame):
    assert (frame.groupby("method")["kind"].nunique() == 1).all()


@pytest.mark.parametrize(
    ("method", "value"),
    [
        ("CE", 87.77),
        ("Co-teaching+", 90.61),
        ("ELR+", 94.83),
        ("DivideMix", 95.01),
        ("PES (semi)", 94.66),
        ("SOP+", 95.61),
    ],
)
def test_the_leaderboard_agrees_with_what_the_replication_quotes_of_it(frame, method, value):
    """Its Table 1 has a column of the accuracies reported for the aggregate labels."""
    assert accuracy(frame, method=method, source="wang2024epsilon", variant="aggre") == value


@pytest.mark.parametrize(("rate", "value"), [(0.2, 96.1), (0.5, 94.6), (0.8, 93.2), (0.9, 76.0)])
def test_dividemix_is_quoted_alike_by_two_sources(frame, rate, value):
    """Issue 17 of its authors' repository quotes the best epochs too; issue 26 those of asymmetric noise."""
    found = frame[frame["noise"] == "symmetric"]
    assert accuracy(found, method="DivideMix", dataset="cifar10", epoch="best", rate=rate) == value
    asymmetric = frame[frame["noise"] == "asymmetric"]
    assert accuracy(asymmetric, method="DivideMix", epoch="best") == 93.4


@pytest.mark.parametrize(("rate", "value"), [(0.2, 91.16), (0.4, 89.15), (0.6, 86.12), (0.8, 73.86)])
def test_elr_is_quoted_alike_by_two_sources(frame, rate, value):
    """A copy of its authors' README has these four too."""
    found = frame[(frame["noise"] == "symmetric") & (frame["dataset"] == "cifar10")]
    assert accuracy(found, method="ELR", rate=rate) == value


def test_the_last_epoch_of_a_run_is_not_better_than_its_best(frame):
    runs = frame[frame["method"] == "DivideMix"].dropna(subset=["rate"])
    wide = runs.pivot_table(index=["dataset", "noise", "rate"], columns="epoch", values="accuracy")
    both = wide.dropna(subset=["best", "last"])
    assert len(both) == 5
    assert (both["last"] <= both["best"]).all()


def test_more_noise_leaves_less(frame):
    table = frame[(frame["source"] == "liu2020elr") & (frame["where"] == "Table 1")]
    for _, group in table.groupby(["method", "dataset", "noise"]):
        ordered = group.sort_values("rate")["accuracy"]
        # One pair in the source rises with the rate, by a quarter of a point.
        assert (ordered.diff().dropna() < 0.3).all()
        assert ordered.iloc[-1] < ordered.iloc[0]
