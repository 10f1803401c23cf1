"""The setup's tables say what the code does: recipes, penalties, parameters."""

from dataclasses import replace

import numpy as np

from jal.analysis import setup
from jal.analysis.paper import reported
from jal.training.recipe import RECIPES


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
    found = setup.regularisers()
    first, anl, jal, apl = found.index
    assert first.startswith("CE, FL, GCE") and apl == "LT-APL"
    assert (anl, jal) == ("NNCE, ANL-CE, ANL-FL", "AMSE, JAL-CE, JAL-FL")
    assert found.loc[first, ("CIFAR-10", "paper")] == "L1 5·10⁻⁵"
    assert found.loc[anl, ("CIFAR-100", "official")] == "L1 5·10⁻⁷"
    assert found.loc[anl, ("CIFAR-100", "paper")] == "L1 5·10⁻⁶"
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


def test_what_table_8_leaves_out_has_the_codes_values():
    found = setup.unlisted()
    assert found.loc["CE+LC"].tolist() == ["δ 2.5", "δ 0.5"]
    assert found.loc["AMSE"].tolist() == ["a 30, q 2", ""]
    assert found.loc["AGCE+MAE", "CIFAR-10"] == "α 1, β 1, a 6, q 1.5"
    assert "margin 0.1" in found.loc["LT-APL", "CIFAR-10"]
    assert not {"MAE", "RCE", "CE", "JAL-CE"} & set(found.index), "no parameters, or in Table 8"
