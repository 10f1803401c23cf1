"""What others report: the file is whole and consistent, its numbers agree where two sources have the same."""

import math

import pandas as pd
import pytest
from matplotlib import pyplot as plt

from jal.analysis import landscape as module
from jal.analysis.landscape import EPOCHS, KINDS, SOURCES, landscape, with_the_paper
from jal.analysis.paper import cell
from jal.errors import InputError

KEYS = ["method", "dataset", "noise", "variant", "rate", "network", "epoch", "source", "where"]


@pytest.fixture(scope="module")
def frame():
    return landscape()


def accuracy(frame, **wanted):
    for key, value in wanted.items():
        frame = frame[frame[key] == value]
    (found,) = frame["accuracy"]
    return found


def test_every_row_says_what_it_is_and_where_it_is_from(frame):
    assert set(frame["kind"]) <= set(KINDS)
    assert set(frame["epoch"]) <= set(EPOCHS)
    assert set(frame["source"]) <= set(SOURCES)
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


def test_the_papers_numbers_stand_before_the_others(frame):
    both = with_the_paper()
    ours = both[both["source"] == "wang2025jal"]
    assert len(both) == len(ours) + len(frame)
    assert both.dtypes.equals(frame.dtypes)
    worst = accuracy(ours, method="JAL-CE", variant="worst")
    assert worst == cell(5, "cifar10", "human", None, "JAL-CE", variant="worst").mean
    assert set(ours["epoch"]) == {"last"}
    assert ours["accuracy"].notna().all()


@pytest.mark.parametrize(
    ("rate", "K", "drawn_from", "truth"), [(0.8, 10, "all", 0.72), (0.8, 10, "others", 0.8)]
)
def test_the_true_rate_of_labels_drawn_from_all_classes_is_lower(rate, K, drawn_from, truth):
    assert module.true_rate(rate, K, drawn_from) == pytest.approx(truth)


def test_an_unknown_way_to_draw_is_refused():
    with pytest.raises(InputError, match="others"):
        module.true_rate(0.4, 10, "other")


def test_a_table_has_a_row_for_each_recipe_and_a_column_for_each_rate(frame):
    chosen = frame[(frame["dataset"] == "cifar10") & (frame["noise"] == "symmetric")]
    table = module.table(chosen, "rate")
    assert list(table.columns) == ["20 %", "40 %", "50 %", "60 %", "80 %", "90 %"]
    row = table.loc[("ELR", "ELR, 2020", "ResNet-34", "not stated")]
    assert row.tolist() == ["91.2", "89.2", "", "86.1", "73.9", ""]


def test_a_table_of_peoples_labels_joins_the_networks_of_the_two_datasets():
    both = with_the_paper()
    table = module.table(both[both["noise"] == "human"], "variant")
    assert list(table.columns) == ["aggre", "rand1", "worst", "noisy"]
    row = table.loc[("JAL-CE", "the JAL paper", "CNN of 8 layers; ResNet-34", "last")]
    assert row.tolist() == ["89.9", "88.8", "81.3", "59.5"]


def made(rows):
    columns = ["method", "kind", "accuracy", "network", "epoch", "source", "where"]
    return pd.DataFrame(rows, columns=columns)


ROWS = [
    ("CE", "loss", 60.0, "CNN", "last", "wang2025jal", "Table 5"),
    ("JAL-CE", "loss", 81.5, "CNN", "last", "wang2025jal", "Table 5"),
    ("CE", "loss", 84.0, pd.NA, "best", "wang2024epsilon", "Table 4, above"),
    ("ELR", "regulariser", 83.0, pd.NA, "best", "wang2024epsilon", "Table 4, below"),
    ("ELR", "regulariser", 99.0, pd.NA, "best", "liu2020elr", "Table 1"),
]


def test_the_sentence_on_recipes_has_both_ends_and_their_distance():
    told = module.said_of_recipes(made(ROWS), "CE", "some labels")
    assert told.startswith("On some labels the 2 numbers for CE lie between 60.0 % (the JAL paper, CNN, last")
    assert "84.0 % (the CIFAR-N leaderboard, as of 2024, best epoch): 24.0 points apart" in told
    with pytest.raises(InputError, match="two or more"):
        module.said_of_recipes(made(ROWS), "JAL-CE", "some labels")


def test_the_sentence_on_gains_compares_within_a_comparison_alone():
    told = module.said_of_gains(made(ROWS), "some labels")
    assert "JAL-CE 21.5 points (the JAL paper, Table 5, last epoch)" in told
    assert "ELR −1.0 points (the CIFAR-N leaderboard, as of 2024, Table 4, best epoch)" in told
    assert "39" not in told  # liu2020elr has no cross entropy to compare with


def test_the_sentence_on_leaders_counts_the_columns_in_which_kinds_compete(frame):
    told = module.said_of_leaders(frame)
    # Table 2 of ELR's paper has 6 columns of best epochs with DivideMix, and each of three tables 4 of people's labels.
    assert told.startswith(f"In {6 + 3 * 4} columns ")
    # ELR+ leads at symmetric 80 and 90 % and on CIFAR-100 in the first, once more in a table of people's labels.
    assert told.endswith("semi-supervised in 14 and two networks in 4.")
    single = frame[frame["kind"] == "loss"]
    assert (
        module.said_of_leaders(single)
        == "No column of a table has a semi-supervised method beside another kind."
    )


def test_the_figure_has_a_mark_for_each_number_and_a_row_for_each_method():
    rows = made(ROWS)
    figure = module.dots({"one": rows, "two": rows[:2]})
    left, right = figure.axes
    assert (len(left.lines), len(right.lines)) == (5, 2)
    assert [text.get_text() for text in left.get_yticklabels()] == ["JAL-CE", "CE", "ELR"]
    plt.close(figure)


def test_a_broken_file_is_named(tmp_path):
    folder = tmp_path / "data/reported"
    folder.mkdir(parents=True)
    for name in ("notebooks", "jal"):
        (tmp_path / name).mkdir()
    (tmp_path / "_toc.yml").touch()
    head = ",".join(landscape().columns)
    (folder / "landscape.csv").write_text(f"{head}\nCE,loss,cifar10,symmetric,,0.2,,,,,,last,x,y,z\n")
    with pytest.raises(InputError, match="without an accuracy"):
        landscape(tmp_path)
    assert math.isfinite(landscape()["accuracy"].sum())
