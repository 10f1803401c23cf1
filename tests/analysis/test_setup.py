"""The setup's tables say what the code does: recipes, networks, parameters, cells."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib import pyplot as plt

from jal.analysis import setup
from jal.analysis.noise_reports import read_all
from jal.analysis.paper import cell, reported
from jal.errors import InputError
from jal.experiments import resolve
from jal.training.recipe import RECIPES


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def test_datasets_and_networks_are_counted():
    found = setup.datasets()
    assert found.loc["CIFAR-10", ["training images", "test images", "classes"]].tolist() == [
        "50,000",
        "10,000",
        10,
    ]
    assert found.loc["WebVision", "test images"] == "2,500 WebVision and 2,500 ILSVRC12"
    assert found.loc["Clothing1M", "classes"] == 14
    networks = setup.networks()
    assert networks.loc["CIFAR-10", "parameters"] == "1,639,794"
    assert networks.loc["CIFAR-100", "parameters"] == "21,328,292"
    assert networks["features"].tolist() == [256, 512, 2048, 2048]


def test_a_recipe_in_words_is_the_losss_own():
    official, paper = setup.recipes("CE"), setup.recipes("CE", "paper")
    assert official.loc["regulariser", "CIFAR-10"] == "L2 1·10⁻⁴"
    assert paper.loc["regulariser", "CIFAR-10"] == "L1 5·10⁻⁵"
    assert setup.recipes("JAL-CE").loc["regulariser", "CIFAR-100"] == "L1 5·10⁻⁶"
    assert official.loc["schedule"].tolist() == [
        "cosine to 0", "cosine to 0", "times 0.97 after each epoch", "times 0.1 after epoch 5",
    ]  # fmt: skip
    assert official.loc["optimiser", "WebVision"] == "SGD, Nesterov momentum 0.9"
    assert official.loc["gradient norm at most"].tolist() == ["5", "5", "5", "unbounded"]
    assert "rotation" in official.loc["in training", "CIFAR-100"]
    assert "rotation" not in official.loc["in training", "CIFAR-10"]
    assert setup.recipes("LT-APL", of=["cifar10"]).loc["optimiser", "CIFAR-10"] == "Adam"
    assert setup.recipes("CE", of=["digits"]).loc["in training", "digits"] == "as it is"
    constant = replace(RECIPES["digits"], schedule="constant")
    assert setup.schedule(constant) == "constant" and setup.regulariser(constant) == "none"


def test_every_augmentation_of_a_recipe_has_words():
    steps = {step for recipe in RECIPES.values() for step in (*recipe.augmentation, *recipe.test_transform)}
    assert steps <= setup._STEPS.keys()


def test_losses_with_one_penalty_share_a_row():
    found = setup.regularisers(["CE", "GCE", "ANL-CE", "JAL-CE", "LT-APL"])
    assert list(found.index) == ["CE, GCE", "ANL-CE", "JAL-CE", "LT-APL"]
    assert found.loc["CE, GCE", ("CIFAR-10", "paper")] == "L1 5·10⁻⁵"
    assert found.loc["ANL-CE", ("CIFAR-100", "official")] == "L1 5·10⁻⁷"
    assert found.loc["ANL-CE", ("CIFAR-100", "paper")] == "L1 5·10⁻⁶"
    assert list(found["WebVision"]) == ["both"] and list(found["CIFAR-10"]) == ["official", "paper"]


def test_losses_of_the_paper_are_those_of_its_tables():
    found = setup.in_the_paper()
    assert {"NNCE", "AMSE", "AGCE+MAE", "LT-APL", "MAE"} <= set(found)
    assert "ECE" not in found and len(set(found)) == len(found)


def test_table_8_is_the_papers_setting_and_five_of_its_values_are_not_the_codes():
    found = setup.hyperparameters()
    same = found[~found["parameter"].isin(setup.WRITTEN_APART)]
    assert np.allclose(same["printed"].astype(float), same["paper"])
    changes = found[found["differs"]][["dataset", "loss", "parameter", "printed", "official"]]
    assert {tuple(row) for row in changes.itertuples(index=False)} == {
        ("cifar10", "GCE", "q", 0.9, 0.7),
        ("webvision", "GCE", "q", 0.7, 0.6),
        ("cifar100", "SCE", "beta", 1.0, 0.1),
        ("cifar10", "NCE+AUL", "beta", 3.0, 4.0),
        ("cifar10", "NCE+AGCE", "alpha", 10.0, 1.0),
    }
    assert len(found) == reported(8)["value"].notna().sum()
    assert set(found.query("parameter == 'A'")["printed"]) == {-4.0}
    shown = setup.table8()
    assert shown.loc["GCE", "CIFAR-10"] == "q 0.7 (Table 8: 0.9)"
    assert shown.loc["JAL-CE", "CIFAR-100"] == "α 5, β 1, a 20"
    assert shown.loc["NCE+AUL", "WebVision"] == ""
    assert shown.map(lambda text: text.count("Table 8")).to_numpy().sum() == 5


def test_what_table_8_leaves_out_has_the_codes_values():
    found = setup.unlisted()
    assert found.loc["CE+LC"].tolist() == ["δ 2.5", "δ 0.5"]
    assert found.loc["AMSE"].tolist() == ["a 30, q 2", ""]
    assert found.loc["AGCE+MAE", "CIFAR-10"] == "α 1, β 1, a 6, q 1.5"
    assert "margin 0.1" in found.loc["LT-APL", "CIFAR-10"]
    assert not {"MAE", "RCE", "CE", "JAL-CE"} & set(found.index), "no parameters, or in Table 8"


def test_trainings_are_counted_once():
    found = setup.trainings()
    assert found.loc["table3-cifar10", ["cells", "seeds", "trainings"]].tolist() == [126, 3, 378]
    # Of Table 7's 32 cells 20 are Table 1's.
    assert found.loc["table7", "in no table before"] == 36
    assert found.loc["all", "in no table before"] == found["in no table before"].iloc[:-1].sum()
    assert found.loc["table1", "their epochs"] == 60 * 120


def runs(**words):
    return [resolve(**words, seed=seed) for seed in (123, 124, 125)]


def test_a_cell_in_words_is_complete():
    place = {"noise": "symmetric", "rate": 0.8, "loss": "JAL-CE"}
    said = setup.in_words(
        runs(dataset="cifar10", **place), cell(3, "cifar10", **place), read_all("cifar10")["symmetric 0.8"]
    )
    for part in (
        "symmetric 0.8: 39,960 of 50,000 wrong, 79.92 %; drawn afresh for each seed.",
        "1,639,794 parameters (cnn8)",
        "JAL-CE with α = 1, β = 1, a = 30, q = 2.",
        "L1 5·10⁻⁵.",
        "391 steps an epoch, the last on 80 images",
        "the gradient's norm at most 5.",
        "after each epoch, on 10,000 images with their true labels; the last one counts.",
        "3 times, with the seeds 123, 124 and 125.",
        "65.43 ± 0.99.",
    ):
        assert part in said


def test_a_cell_without_noise_or_number_says_so():
    said = setup.in_words(runs(dataset="cifar100", loss="CE"), None, None)
    assert "**Labels**: as they are." in said and "**The paper's number**: none." in said
    assert "**Loss**: CE." in said and "the last on 80 images" in said
    fixed = runs(dataset="cifar10", noise="instance", rate=0.6, loss="CE")
    said = setup.in_words(fixed, None, read_all("cifar10")["instance fixed 0.6"])
    assert "60.00 %." in said and "drawn afresh" not in said
    pdn = runs(dataset="cifar10", noise="instance", rate=0.6, loss="CE", settings="paper")
    said = setup.in_words(pdn, None, read_all("cifar10")["instance pdn 0.6"])
    assert "60.22 % with seed 123; drawn afresh for each seed." in said
    clothing = setup.in_words(runs(dataset="clothing1m", loss="CE"), None, None)
    assert "norm" not in clothing and "3907 steps an epoch" in clothing
    with pytest.raises(InputError):
        setup.in_words([], None, None)


def test_schedules_end_where_the_recipe_does():
    (axes,) = setup.schedules().axes
    ends = {line.get_label().partition(":")[0]: line.get_ydata()[-1] for line in axes.lines}
    assert ends["CIFAR-10"] == pytest.approx(0) and ends["Clothing1M"] == pytest.approx(0.1)
    assert ends["WebVision"] == pytest.approx(0.97**250)
    assert all(line.get_ydata()[0] == 1 for line in axes.lines)


def test_an_image_stands_first_and_is_then_what_the_recipes_make_of_it():
    image = np.random.default_rng(0).integers(1, 256, (32, 32, 3), dtype=np.uint8)
    figure = setup.augmented(image, ["cifar10", "cifar100"], columns=5)
    shown = [np.asarray(axes.images[0].get_array()) for axes in figure.axes]
    assert len(shown) == 10
    assert (shown[0] == image).all() and (shown[5] == image).all()
    for step, other in zip(shown[1:5], shown[6:], strict=True):
        # A rotation brings black corners that a crop of four pixels cannot.
        assert set(map(bytes, step.reshape(-1, 3))) <= {bytes(3), *map(bytes, image.reshape(-1, 3))}
        assert (other == 0).all(axis=-1).any()
    assert figure.axes[5].get_title(loc="left") == "CIFAR-100: crop4, flip, rotate20"
