"""The audit's evidence: what it finds in the paper's numbers, and in numbers that were changed for the purpose."""

import shutil

import numpy as np
import pytest
from matplotlib import pyplot as plt

from jal.analysis import audit
from jal.analysis.figures import style
from jal.analysis.noise_reports import read_all
from jal.analysis.paper import reported
from jal.checkout import find_root


@pytest.fixture
def changed(tmp_path):
    """A checkout with the paper's numbers, one table of them changed: `changed(6, frame -> frame)`."""
    for folder in ("notebooks", "jal"):
        (tmp_path / folder).mkdir()
    (tmp_path / "_toc.yml").touch()
    shutil.copytree(find_root() / "data/reported", tmp_path / "data/reported")

    def change(table, edit):
        edit(reported(table)).to_csv(tmp_path / f"data/reported/table{table}.csv", index=False)
        return tmp_path

    return change


@pytest.fixture(scope="module")
def reports():
    return {dataset: read_all(dataset) for dataset in ("cifar10", "cifar100")}


def put(loss, noise, rate, **values):
    """An edit: other values in the cell of CIFAR-10."""

    def edit(frame):
        at = frame["loss"].eq(loss) & frame["noise"].eq(noise) & frame["dataset"].eq("cifar10")
        at &= frame["rate"].isna() if rate is None else frame["rate"].eq(rate)
        assert at.sum() == 1
        for name, value in values.items():
            frame.loc[at, name] = value
        return frame

    return edit


def test_the_one_cell_that_is_printed_twice_is_found(changed):
    (found,) = audit.repeated().to_dict("records")
    assert (found["table"], found["loss"]) == (3, "GCE")
    assert found["conditions"] == "cifar10 clean and cifar10 symmetric 0.2"
    assert audit.repeated(changed(3, put("GCE", "clean", None, mean=91.0))).empty


def test_cells_with_other_weights_are_no_repetition(changed):
    root = changed(7, lambda frame: frame.assign(mean=50.0, std=1.0))
    found = audit.repeated(root).query("table == 7")
    # Each of the eight rows repeats itself over its four columns; no two rows are one.
    assert len(found) == 8 and set(found["conditions"].str.count("cifar10")) == {4}


def test_cells_of_several_tables_agree_until_one_is_changed(changed):
    found = audit.shared()
    assert found["agree"].all() and len(found) == 24
    assert set(found.query("loss == 'AMSE'")["tables"]) == set(), "AMSE stands in Table 2 alone"
    one = found.query("loss == 'AGCE+MAE'")
    assert len(one) == 4 and set(one["tables"]) == {"1 and 7"}, "of four weights the one of Table 1"
    now = audit.shared(changed(2, put("NCE", "symmetric", 0.4, std=0.23)))
    (differs,) = now[~now["agree"]].to_dict("records")
    assert (differs["condition"], differs["loss"]) == ("cifar10 symmetric 0.4", "NCE")


def test_accuracies_of_single_runs_are_told_from_means(changed):
    found = audit.single_runs()
    assert found["step"].round(4).tolist() == [0.04, 0.04, 0.0095]
    assert found["fit"].tolist() == found["cells"].tolist() == [9, 9, 9]
    assert found["chance"].tolist() == pytest.approx([3.0**-9, 3.0**-9, 1], rel=0.02)

    def thirds(frame):
        return frame.assign(mean=(frame["mean"] + 0.01).round(2))

    other = audit.single_runs(changed(6, thirds))
    assert other["fit"].tolist() == [0, 0, 9]


def test_places_are_those_of_the_columns(changed):
    places = audit.ranks()
    assert places.shape == (14, 9 + 6 + 4 + 3)
    assert places[3, "CIFAR-10", "asym. 0.4"].loc[["LT-APL", "JAL-CE", "JAL-FL"]].tolist() == [1, 2, 3]
    assert places[4, "CIFAR-100", "0.6"].loc[["JAL-CE", "JAL-FL", "ANL-CE"]].tolist() == [1, 1, 3], "a tie"
    assert places[5, "CIFAR-N"].loc["LT-APL"].isna().all()
    assert places[6, "large images", "ILSVRC12"].rank().notna().sum() == 9
    other = audit.ranks(changed(3, put("CE", "clean", None, mean=99.0)))
    assert other[3, "CIFAR-10", "clean"].loc[["CE", "ANL-CE"]].tolist() == [1, 2]


def test_rows_that_later_tables_leave_out(changed):
    assert audit.dropped()[4] == ["FL", "NCE", "NCE+AUL", "LT-APL"]
    assert set(audit.dropped()[6]) - set(audit.dropped()[4]) == {"CE+LC"}
    three = reported(3).query("loss in ['CE', 'JAL-CE']")
    assert audit.dropped(changed(3, lambda frame: three)) == {4: [], 5: [], 6: []}


def test_the_map_has_each_place_once_and_marks_the_first_two():
    with plt.rc_context():
        style()
        places = audit.ranks()
        (axes,) = audit.rank_map(places).axes
    squares = [patch for patch in axes.patches if patch.get_width() < 1]
    assert len(squares) == places.notna().to_numpy().sum()
    bold = [text.get_text() for text in axes.texts if text.get_weight() == "bold"]
    assert len(bold) == (places <= 2).to_numpy().sum() and set(bold) == {"1", "2"}
    assert [tick.get_text() for tick in axes.get_yticklabels()] == list(places.index)
    plt.close("all")


def test_the_printed_a_is_the_decimal_logarithm():
    found = audit.golden()
    assert found.loc["NCE+RCE", "A = ln 1e-4"] == pytest.approx(7.4929780, abs=1e-6)
    assert found.loc["SCE", "A = ln 1e-4"] == pytest.approx(7.6503740, abs=1e-6)
    ratio = found.loc["RCE", "A = ln 1e-4"] / found.loc["RCE", "A = -4"]
    assert ratio == pytest.approx(np.log(10))
    assert found["weight of MAE"].tolist() == pytest.approx([-np.log(1e-4) / 2] * 3)
    assert found["were A = -4"].tolist() == [2, 2, 2]


def test_the_theorem_and_a_search_agree(monkeypatch):
    found = audit.rule_against_search(cases=100, points=200)
    assert found["cases"].sum() == 100
    assert not found["lower then"].any()
    assert (found["asymmetric"] + found["lower otherwise"]).equals(found["cases"])
    # A rule that always says yes is found out.
    monkeypatch.setattr(audit, "is_asymmetric", lambda *_: True)
    wrong = audit.rule_against_search(cases=100, points=200)
    assert wrong.loc[["q = 1.5", "q = 2", "q = 3"], "lower then"].gt(0).all()
    assert not wrong.loc[["q = 0.5", "q = 1"], "lower then"].any()


def test_rates_are_the_reports(reports):
    found = audit.rates(reports).set_index(["dataset", "noise", "nominal"])["true"]
    assert found["CIFAR-10", "symmetric", 0.8] == pytest.approx(0.7992)
    assert found["CIFAR-10", "asymmetric", 0.4] == pytest.approx(0.2)
    assert found["CIFAR-100", "asymmetric", 0.4] == pytest.approx(0.4)
    assert found["CIFAR-100", "symmetric", 0.4] == pytest.approx(0.396)
    assert "pair" not in found.index.get_level_values("noise")
    assert len(found) == 2 * (4 + 4 + 3 + 3)


def test_the_picture_of_rates_has_a_mark_for_each(reports):
    found = audit.rates(reports)
    ten, hundred = audit.rate_map(found).axes
    assert [ten.get_title(), hundred.get_title()] == ["CIFAR-10", "CIFAR-100"]
    for axes in (ten, hundred):
        marks = [line for line in axes.lines if line.get_marker() != "None"]
        drawn = sorted(float(y) for line in marks for y in line.get_ydata())
        assert drawn == pytest.approx(sorted(found.query("dataset == @axes.get_title()")["true"]))
    plt.close("all")
