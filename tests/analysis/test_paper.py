"""The paper's numbers: every cell is the paper's, where it is at hand; and what must hold of them in any case."""

import os
import re
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from jal.analysis import paper as module
from jal.analysis.paper import TABLES, cell, reported, secondary
from jal.analysis.stats import Summary
from jal.errors import InputError
from jal.losses import names
from jal.losses.catalog import CATALOG, ELSEWHERE
from tests.analysis import paper_tables

# Cells, and how many of them are empty.
SIZES = {
    "table1": (20, 0),
    "table2": (12, 0),
    "table3": (252, 4 + 18),
    "table4": (60, 0),
    "table5": (40, 0),
    "table6": (27, 0),
    "table7": (32, 0),
    "table8": (120, 8 + 10),
    "secondary": (9, 0),
}
ACCURACIES = [name for name in SIZES if name not in ("table8", "secondary")]
WITH_TRIALS = [name for name in ACCURACIES if name != "table6"]
JAL = ["JAL-CE", "JAL-FL"]


@pytest.fixture(scope="module")
def paper():
    file = Path(os.environ.get("JAL_PAPER") or "absent")
    if not file.is_file():
        pytest.skip("no copy of the paper: set JAL_PAPER to its Markdown file")
    return file.read_text(encoding="utf-8")


def column(name, dataset, noise, rate=None):
    """The means of one column of a table, by loss."""
    frame = reported(name).query("dataset == @dataset and noise == @noise")
    chosen = frame["rate"].isna() if rate is None else frame["rate"] == rate
    return frame[chosen].set_index("loss")["mean"]


# Against the paper.


@pytest.mark.parametrize("name", [name for name in TABLES if name != "secondary"])
def test_every_cell_is_the_papers_and_none_is_missing(paper, name):
    text = (paper_tables.FOLDER / f"{name}.csv").read_text(encoding="utf-8")
    assert text == paper_tables.to_csv(name, paper_tables.read(paper)[name])


def test_the_papers_numbers_are_these_however_its_tables_are_read(paper):
    written = Counter(re.findall(r"\d+\.\d\d±\d+\.\d\d", paper))
    files = [paper_tables.FOLDER / f"{name}.csv" for name in WITH_TRIALS]
    frame = pd.concat([pd.read_csv(file, dtype="string") for file in files])
    assert written == Counter((frame["mean"] + "±" + frame["std"]).dropna())


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("| 85.25±0.12 |", "| 85.25±0.1 |", "an accuracy or a dash where '85.25±0.1' stands"),
        ("| 0.2 ", "| 0.9 ", "one fall in the rates"),
        ("Table 7. ", "Tab. 7. ", "eight captioned tables"),
        ("Aggregate Random 1", "Random 1 Aggregate", "Table 5's shifted header"),
        ("Clothing1M<br>67.93", "Clothes<br>67.93", "Table 6's labels"),
        ("57.80±2.53 |  |", "57.80±2.53 | 1 |", "no more than 4 cells in the row 'AGCE[+]MAE'"),
    ],
)
def test_a_copy_with_another_layout_is_refused_rather_than_misread(paper, old, new, complaint):
    changed = re.sub(re.escape(old).replace(r"\ ", " +"), new, paper)
    assert changed != paper
    with pytest.raises(paper_tables.LayoutError, match=complaint):
        paper_tables.read(changed)


def test_the_missing_rows_are_read_where_a_copy_has_them(paper):
    last = re.search(r"\| LT-APL +\| - +\| 63\.29.*\n", paper)[0]
    row = "| JAL-CE |" + " 1.00±0.50 |" * 9 + "\n"
    cells = paper_tables.read(paper.replace(last, last + row))["table3"]
    assert [c["n"] for c in cells if c["mean"] == "1.00"] == ["3"] * 9
    assert sum(c["mean"] == "" for c in cells) == 4 + 9


# In any case.


@pytest.mark.parametrize("name", TABLES)
def test_the_number_of_cells_and_of_empty_ones(name):
    frame = reported(name)
    value = "value" if name == "table8" else "mean"
    assert (len(frame), frame[value].isna().sum()) == SIZES[name]
    assert (frame["table"] == (3 if name == "secondary" else int(name[-1]))).all()


@pytest.mark.parametrize("name", TABLES)
def test_no_cell_comes_twice(name):
    frame = reported(name)
    keys = [key for key in frame if key not in ("mean", "std", "n", "value", "label", "source")]
    assert not frame.duplicated(keys).any()


@pytest.mark.parametrize("name", TABLES)
def test_names_are_this_projects(name):
    frame = reported(name)
    assert set(frame["loss"].dropna()) <= {*names(), *ELSEWHERE}
    assert set(frame["dataset"]) <= {"cifar10", "cifar100", "webvision", "clothing1m"}
    if "noise" in frame:
        assert set(frame["noise"].dropna()) <= {"clean", "symmetric", "asymmetric", "instance", "human"}
        drawn = frame["noise"].isin(["symmetric", "asymmetric", "instance"])
        assert frame["rate"].notna().equals(drawn)
        assert frame["rate"].dropna().isin([0.1, 0.2, 0.3, 0.4, 0.6, 0.8]).all()


@pytest.mark.parametrize("name", ACCURACIES)
def test_numbers_are_in_range_and_a_deviation_goes_with_a_mean(name):
    frame = reported(name)
    assert frame["mean"].dropna().between(0, 100).all()
    assert (frame["std"].dropna() > 0).all()
    assert frame["std"].notna().equals(frame["mean"].notna() & (name != "table6"))


@pytest.mark.parametrize("name", ACCURACIES)
def test_three_trials_but_where_the_paper_does_not_say(name):
    frame = reported(name)
    theirs = frame["std"].notna() & (frame["loss"] != "LT-APL")
    assert (frame.loc[theirs, "n"] == 3).all()
    assert frame.loc[~theirs, "n"].isna().all()


def test_which_cells_of_table_3_are_empty():
    frame = reported(3)
    empty = frame[frame["mean"].isna()]
    lost = (empty["dataset"] == "cifar100") & empty["loss"].isin(JAL)
    assert lost.sum() == 18
    never = empty[~lost]
    assert set(never["loss"]) == {"LT-APL"}
    assert set(zip(never["noise"], never["rate"].fillna(0), strict=True)) == {
        ("clean", 0),
        ("asymmetric", 0.1),
    }


def test_a_secondary_source_stands_apart_and_only_where_the_paper_is_missing():
    second = reported("secondary")
    keys = ["dataset", "noise", "rate", "loss"]
    named = second.dropna(subset="loss").merge(reported(3), on=keys, how="left", suffixes=("", "_paper"))
    assert len(named) == 8
    assert named["mean_paper"].isna().all()
    assert second["source"].notna().all()
    unnamed = second[second["loss"].isna()]
    assert list(unnamed["label"]) == ["JAL"]


def test_what_several_tables_report_is_the_same():
    frames = pd.concat([reported(number) for number in (1, 2, 3, 7)])
    frames = frames[(frames["dataset"] == "cifar10") & ~frames["alpha"].gt(1) & ~frames["beta"].gt(1)]
    groups = frames.groupby(["noise", "rate", "loss"])[["mean", "std"]]
    assert (groups.size() > 1).sum() == 4 * 6
    assert (groups.nunique() <= 1).all(axis=None)


def test_the_papers_claims_hold_of_the_cells_that_it_makes_them_of():
    for noise in (0.2, 0.4, 0.6):
        for dataset in ("cifar10", "cifar100"):
            assert set(column(4, dataset, "instance", noise).nlargest(2).index) == set(JAL)
    human = reported(5)
    for _, cells in human.groupby("variant"):
        assert set(cells.nlargest(2, "mean")["loss"]) == set(JAL)
    for _, cells in reported(6).groupby("test_set"):
        assert list(cells.nlargest(2, "mean")["loss"]) == JAL
    for table, noise, rate, gain in ((3, "symmetric", 0.8, 3.15), (4, "instance", 0.6, 4.13)):
        means = column(table, "cifar10", noise, rate)
        assert means["JAL-CE"] - means.drop(JAL).max() == pytest.approx(gain)


def test_the_papers_slips_are_kept():
    assert cell(3, "cifar10", "clean", None, "GCE") == cell(3, "cifar10", "symmetric", 0.2, "GCE")
    assert set(reported(8).query("parameter == 'A'")["value"]) == {-4.0}


def test_jal_is_not_always_among_the_two_best():
    assert column(3, "cifar10", "asymmetric", 0.4).idxmax() == "LT-APL"
    assert column(3, "cifar10", "clean").idxmax() == "ANL-CE"


def test_webvision_accuracies_are_whole_images_of_single_runs():
    """2,500 validation images: a run's accuracy is a multiple of .04, a mean of three seldom is."""
    means = reported(6).query("dataset == 'webvision'")["mean"]
    assert ((means * 100).round() % 4 == 0).all()


def test_table_8_is_the_catalogues_paper_settings():
    for (dataset, loss), cells in reported(8).dropna(subset="value").groupby(["dataset", "loss"]):
        given = cells[cells["parameter"] != "A"].set_index("parameter")["value"].to_dict()
        assert given.items() <= CATALOG[loss].values(dataset, "paper", {}).items(), (dataset, loss)


# Reading them.


def test_columns_are_typed_and_what_is_empty_is_missing():
    frame = reported("table3")
    assert {key: str(kind) for key, kind in frame.dtypes.items()} == {
        "table": "int64",
        "dataset": "string",
        "noise": "string",
        "rate": "float64",
        "loss": "string",
        "mean": "float64",
        "std": "float64",
        "n": "Int64",
        "label": "string",
    }
    assert frame["label"].isna().all()


@pytest.mark.parametrize("table", [3, "3", "table3"])
def test_a_table_has_three_names(table):
    pd.testing.assert_frame_equal(reported(table), reported("table3"))


def test_a_caller_may_change_what_it_got():
    mine = reported(1)
    mine["mean"] = 0.0
    assert reported(1)["mean"].min() > 0


def test_a_cell():
    assert cell(3, "cifar10", "symmetric", 0.8, "JAL-CE") == Summary(65.43, 0.99, 3)
    assert cell(3, "cifar10", "clean", 0, "CE") == Summary(90.50, 0.22, 3)
    assert cell(3, "cifar10", "symmetric", 0.8, "LT-APL") == Summary(40.87, 1.57, None)
    assert cell(5, "cifar10", "human", None, "JAL-FL", variant="worst") == Summary(81.25, 0.10, 3)
    assert cell(6, "webvision", None, None, "JAL-FL", test_set="ilsvrc12") == Summary(66.00, None, None)
    assert cell(6, "clothing1m", None, None, "CE") == Summary(67.93, None, None)
    assert cell(7, "cifar10", "symmetric", 0.8, "AGCE+MAE", alpha=10, beta=1) == Summary(23.36, 2.85, 3)


@pytest.mark.parametrize(
    "key",
    [
        (3, "cifar100", "symmetric", 0.8, "JAL-CE"),
        (3, "cifar10", "clean", None, "LT-APL"),
        (3, "cifar10", "symmetric", 0.5, "CE"),
        (3, "cifar10", "symmetric", 0.8, "AMSE"),
        (1, "digits", "symmetric", 0.8, "CE"),
    ],
)
def test_no_cell_or_an_empty_one_is_none(key):
    assert cell(*key) is None


@pytest.mark.parametrize(
    ("key", "more", "message"),
    [
        ((9, "cifar10", "clean", None, "CE"), {}, "unknown table of the paper 9: .*table1, "),
        (("tabel3", "cifar10", "clean", None, "CE"), {}, "did you mean 'table3'"),
        ((8, "cifar10", "clean", None, "CE"), {}, "table 8 holds no accuracies of trials: choose one of"),
        (("secondary", "cifar10", "clean", None, "CE"), {}, "holds no accuracies"),
        ((3, "cifar-10", "clean", None, "CE"), {}, "unknown dataset 'cifar-10': did you mean 'cifar10'"),
        ((3, "cifar10", "symetric", 0.2, "CE"), {}, "unknown noise 'symetric': did you mean 'symmetric'"),
        ((3, "cifar10", "clean", None, "JALCE"), {}, "unknown loss 'JALCE': did you mean 'JAL-CE'"),
        ((3, "cifar10", "symmetric", "0.2", "CE"), {}, "rate '0.2': give a number"),
        ((7, "cifar10", "symmetric", 0.8, "AGCE+MAE"), {"alpha": "x", "beta": 1}, "alpha 'x': give a number"),
        ((3, "cifar10", 0.2, "symmetric", "CE"), {}, "noise 0.2: give a name"),
        ((5, "cifar10", "human", None, "CE"), {"variant": "worse"}, "did you mean 'worst'"),
        (
            (3, "cifar10", "clean", None, "CE"),
            {"variant": "worst"},
            "unknown key of a cell of table 3 'variant'",
        ),
        (
            (5, "cifar10", "human", None, "CE"),
            {},
            "3 cells of table 5 fit CE on cifar10: name the variant too",
        ),
        ((7, "cifar10", "symmetric", 0.8, "AGCE+MAE"), {}, "4 cells .*: name the alpha, beta too"),
    ],
)
def test_a_cell_asked_for_wrongly(key, more, message):
    with pytest.raises(InputError, match=message) as caught:
        cell(*key, **more)
    assert "\n" not in str(caught.value)


@pytest.fixture
def checkout(tmp_path):
    for folder in ("notebooks", "jal", "data/reported"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "_toc.yml").touch()
    return tmp_path


def test_a_table_that_is_not_there(checkout):
    with pytest.raises(
        InputError, match=r"cannot read .*table1.csv \(No such file or directory\): restore it"
    ):
        reported(1, root=checkout)


@pytest.mark.parametrize(
    "content", [b"", b"table,mean\n1,about 90\n", b"table,mean\n1,2,3\n1,2,3,4\n", b"table,label\n1,\xff\n"]
)
def test_a_damaged_table(checkout, content):
    (checkout / "data/reported/table1.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"cannot read .*table1.csv .*restore it") as caught:
        reported(1, root=checkout)
    assert "\n" not in str(caught.value)


def test_a_table_is_read_once(monkeypatch):
    module._read.cache_clear()
    calls = []
    read_csv = pd.read_csv
    monkeypatch.setattr(pd, "read_csv", lambda *a, **k: calls.append(a) or read_csv(*a, **k))
    for _ in range(3):
        reported(4)
    assert len(calls) == 1


def test_second_hand_numbers_stand_beside_the_best_of_the_paper():
    found = secondary().set_index(["noise", "rate"])
    assert found.loc[("asymmetric", 0.4), "mean"].tolist() == [56.17, 56.26]
    first = found.loc[("symmetric", 0.8)]
    assert pd.isna(first["loss"]) and (first["mean"], first["best other loss"]) == (22.80, "ANL-FL")
    assert first["lead"] == pytest.approx(-6.01)
    # And they are not in the paper's table.
    hundred = reported(3).query("dataset == 'cifar100' and loss in ('JAL-CE', 'JAL-FL')")
    assert len(hundred) == 18 and hundred["mean"].isna().all()
