"""How often the bound on the gradient binds: counted on norms made for the purpose, and what the audit says of ours."""

import json
import math

import pytest
from matplotlib import pyplot as plt

from jal.analysis import clip
from jal.checkout import find_root
from jal.errors import InputError
from jal.losses import build


def case(part, dataset, loss, *norms, precision="float32"):
    same = {"part": part, "dataset": dataset, "loss": loss, "precision": precision, "clip_norm": 5.0}
    return same | {"norms": list(map(list, norms))}


MADE = {
    "schema": 1,
    "cases": [
        case("first steps", "cifar10", "CE", [10, 20, 30]),
        case("first steps", "cifar10", "JAL-CE", [4, 5, 6]),
        case("first steps", "cifar10", "GCE", [1, 2, 3]),
        case("first steps", "cifar100", "CE", [50, 100], precision="bfloat16"),
        case("epochs", "cifar10", "CE", [6, 6, 6, 6], [6, 4, 4, 4]),
        case("epochs", "cifar10", "GCE", [1, 1, 1, 6], [1, 1, 1, 1]),
        case("epochs", "cifar10", "ANL-CE", [1, 1, 1, 1], [1, 1, 1, 1]),
        case("precision", "cifar100", "CE", [50, 4]),
    ],
}


@pytest.fixture
def root(tmp_path):
    for folder in ("notebooks", "jal", "data/results/benchmarks"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "_toc.yml").touch()
    return tmp_path


@pytest.fixture
def found():
    return clip.steps(MADE)


@pytest.fixture(scope="module")
def measured():
    return clip.steps(clip.read())


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.mark.parametrize("text", [None, "", "[]", '{"schema": 2, "cases": []}'])
def test_another_file_is_refused_in_one_line(root, text):
    if text is not None:
        (root / clip.FILE).write_text(text)
    with pytest.raises(
        InputError, match=r"clip.json is not a document of schema 1: run python -m tests"
    ) as error:
        clip.read(root)
    assert "\n" not in str(error.value)


def test_a_document_is_read(root):
    (root / clip.FILE).write_text(json.dumps(MADE))
    assert clip.read(root) == MADE


def test_first_steps_are_counted(found):
    rows = clip.first_steps(found).set_index(["dataset", "loss"])
    assert list(rows.index) == [(*("cifar10", loss),) for loss in ("CE", "JAL-CE", "GCE")] + [
        ("cifar100", "CE")
    ]
    assert rows["binds"].tolist() == [3, 1, 0, 2], "a norm of exactly the bound is left alone"
    assert rows["left"].tolist() == [0.25, 1, 1, 5 / 75]
    assert rows.loc[("cifar10", "JAL-CE"), ["lowest", "median", "highest"]].tolist() == [4, 5, 6]


def test_each_step_has_a_mark_and_the_bound_a_line(found):
    ten, hundred = clip.norms(found).axes
    assert [ten.get_title(), hundred.get_title()] == ["CIFAR-10", "CIFAR-100"]
    below, above, bound = ten.lines
    assert sorted(below.get_xdata()) == [1, 2, 3, 4, 5] and sorted(above.get_xdata()) == [6, 10, 20, 30]
    assert set(bound.get_xdata()) == {5}
    assert dict(zip(above.get_xdata(), above.get_ydata(), strict=True)) == {6: 1, 10: 0, 20: 0, 30: 0}
    assert [tick.get_text() for tick in ten.get_yticklabels()] == ["CE", "JAL-CE", "GCE"]


def test_shares_are_of_each_epoch(found):
    (axes,) = clip.shares(found).axes
    drawn = {line.get_label(): line.get_ydata().tolist() for line in axes.lines}
    assert drawn == {"CE": [100, 25], "GCE": [25, 0], "ANL-CE": [0, 0]}


def test_the_measurement_says_what_made_it():
    document = clip.read(find_root())
    assert not document["environment"]["dirty"] and len(document["environment"]["commit"]) == 40
    assert {case["seed"] for case in document["cases"]} == {123}
    assert {case["clip_norm"] for case in document["cases"]} == {5.0}


def test_the_sentences_that_the_audit_commits_to_hold(measured):
    """They are written by hand, in the section on the bound of `notebooks/audit.ipynb`, its figures' texts included."""
    rows = clip.first_steps(measured).set_index(["dataset", "loss"])
    every, none = rows["binds"].eq(rows["steps"]), rows["binds"].eq(0)
    assert (rows["steps"] == 15).all() and len(rows) == 2 * 15
    ten, hundred = (rows.loc[dataset] for dataset in ("cifar10", "cifar100"))
    shortened = {"CE", "FL", "SCE", "NCE+RCE", "NCE+AUL", "NCE+AGCE"}
    assert set(ten.index[every["cifar10"]]) == shortened == set(ten.index[:6])
    assert (
        set(ten.index[none["cifar10"]]) == {"GCE", "ANL-CE", "ANL-FL", "LT-APL", "NCE"}
        and ten.index[-1] == "NCE"
    )
    assert set(ten.index[~every["cifar10"] & ~none["cifar10"]]) == {"JAL-CE", "JAL-FL", "CE+LC", "LDR"}
    assert ten.loc[["JAL-CE", "JAL-FL", "CE+LC"], "left"].between(0.8, 1).all(), "hardly shortened"
    assert ten.loc["NCE", "median"] < 0.3 < 1 < ten.loc["GCE", "lowest"], "very short steps"
    assert set(hundred.index[every["cifar100"]]) == {"CE", "FL", "SCE"} and hundred.index[0] == "SCE"
    assert set(hundred.index[~none["cifar100"]]) == {"CE", "FL", "SCE", "LDR"}
    ldr = measured.query("part == 'first steps' and dataset == 'cifar100' and loss == 'LDR'").sort_values(
        "step"
    )
    assert ldr["binds"].tolist() == sorted(ldr["binds"], reverse=True), "at first"
    amse = {name: build("JAL-CE", name).constants for name in ("cifar10", "cifar100")}
    assert amse["cifar10"]["a"] / 10 > 10 * amse["cifar100"]["a"] / 100, "the factor 2a/K"
    share = clip.by_epoch(measured)
    assert 3 * measured[measured["part"].eq("epochs")]["step"].max() < math.ceil(50_000 / 128) / 2
    assert share.shape == (5, 6) and list(share.index) == ["CE", "GCE", "NCE+RCE", "ANL-CE", "JAL-CE"]
    assert share.loc["NCE+RCE", 1] > 0.9 and share.loc[["CE", "JAL-CE"], 1].between(0.4, 0.7).all()
    assert not share.loc[["GCE", "ANL-CE"]].any(axis=None) and not share[[3, 4, 5, 6]].any(axis=None)
    assert share.loc[["CE", "JAL-CE"], 2].eq(0).all() and share.loc["NCE+RCE", 2] < 0.5
