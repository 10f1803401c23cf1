"""Grids: the paper's rows and columns, every cell once, the most valuable runs first."""

import math
from dataclasses import replace

import pytest

from jal.errors import InputError
from jal.experiments import grids, resolve

TABLE3 = grids.get("table3-cifar10")
FIRST = ["CE", "NCE+RCE", "ANL-CE", "JAL-CE"]


EVERY = [(name, profile) for profile in grids.PROFILES for name in grids.names(profile)]


@pytest.mark.parametrize(("name", "profile"), EVERY)
@pytest.mark.parametrize("settings", ["official", "paper"])
def test_every_cell_is_run_once_with_each_seed(name, profile, settings):
    grid = grids.get(name, settings, profile)
    assert grid.name == name
    assert set(grid.cells) <= {(row, column) for row in grid.rows for column in grid.columns}
    assert {row for row, _ in grid.cells} == set(grid.rows), "a row is empty"
    assert {column for _, column in grid.cells} == set(grid.columns), "a column is empty"
    in_waves = [cell for wave in grid.waves for cell in wave]
    assert len(in_waves) == len(set(in_waves)) and set(in_waves) == set(grid.cells)
    specs = grid.specs()
    ids = [spec.id for spec in specs]
    assert len(set(ids)) == len(ids)
    assert set(ids) == {spec.id for cell in grid.cells for spec in grid.runs(cell)}


@pytest.mark.parametrize(
    "name", ["digits", "table3-cifar10", "table3-cifar100", "table4", "table5", "table7"]
)
def test_a_cell_is_what_its_labels_say(name):
    grid = grids.get(name)
    for row, column in grid.cells:
        for spec, seed in zip(grid.runs((row, column)), grid.seeds, strict=True):
            assert row.startswith(spec.loss.name) and spec.seed == seed
            said = str(spec.noise).split()
            assert said[-1] in column.split() or "noisy" in column, (column, said)


def test_cells_may_show_one_run_and_then_it_is_made_once():
    grid = grids.get("table6")
    assert grid.runs(("CE", "WebVision")) == grid.runs(("CE", "ILSVRC12"))
    assert len(grid.specs()) == 9 * 2
    assert grid.test_sets == {"ILSVRC12": "ilsvrc12"}


def test_parameters_of_rows_and_columns_are_joined():
    (spec,) = grids.get("figure4").runs(("q = 3", "a = 20"), [123])
    assert spec.loss.parameters == {"a": 20.0, "q": 3.0}
    (spec,) = grids.get("table7").runs(("AGCE+MAE (1, 10)", "symmetric 0.4"), [123])
    assert spec.loss.parameters == {"alpha": 1.0, "beta": 10.0, "a": 6.0, "q": 1.5}


@pytest.mark.parametrize(("profile", "images"), [("laptop", 20000), ("quick", 1437)])
def test_stronger_penalties_reach_as_far_as_those_of_cifar10(profile, images):
    def reach(run, images, strength):
        recipe = run.recipe
        rates = sum(recipe.learning_rate_at(epoch) for epoch in range(recipe.epochs))
        return getattr(recipe, strength) * rates * math.ceil(images / recipe.batch_size)

    for row, strength in (("JAL-CE, L1", "l1"), ("JAL-CE, L2", "l2")):
        cell = row, "symmetric 0.8"
        (small, *_), (whole, *_) = (
            grids.get("regulariser-reach", profile=p).runs(cell) for p in (profile, "full")
        )
        assert reach(small, images, strength) == pytest.approx(reach(whole, 50000, strength), rel=0.03)
        assert whole == grids.get("regulariser").runs(cell)[0]


def test_the_regulariser_is_the_only_difference_between_a_losss_two_rows():
    grid = grids.get("regulariser", profile="laptop")
    for loss in ("NCE+RCE", "ANL-CE", "JAL-CE", "AMSE", "NCE+MAE"):
        (one,), (two,) = (grid.runs((f"{loss}, {name}", "symmetric 0.8"), [123]) for name in ("L1", "L2"))
        assert (one.recipe.l1, one.recipe.l2, two.recipe.l1, two.recipe.l2) == (5e-5, 0.0, 0.0, 1e-4)
        assert replace(one, recipe=two.recipe) == two


def test_grids_share_the_runs_that_are_the_same():
    table3, regulariser = (grids.get(n, profile="laptop") for n in ("table3-cifar10", "regulariser"))
    assert table3.runs(("JAL-CE", "symmetric 0.8")) == regulariser.runs(("JAL-CE, L1", "symmetric 0.8"))
    assert table3.runs(("NCE+RCE", "clean")) == regulariser.runs(("NCE+RCE, L2", "clean"))


def test_where_paper_and_release_differ_both_are_run_whatever_the_settings():
    one, two = (grids.get("settings", settings) for settings in ("official", "paper"))
    assert one.specs() == two.specs()


def test_a_laptop_sees_a_third_of_fashion_mnist():
    (spec,) = grids.get("table3-cifar10", profile="laptop").runs(("CE", "symmetric 0.6"), [123])
    assert (spec.dataset, spec.recipe.train_size, spec.recipe.epochs) == ("fashion-mnist", 20000, 20)


def test_table3_is_laid_out_as_in_the_paper():
    assert TABLE3.rows == (
        *("CE", "FL", "GCE", "SCE", "NCE", "NCE+RCE", "NCE+AUL", "NCE+AGCE", "CE+LC"),
        *("ANL-CE", "ANL-FL", "LT-APL", "JAL-CE", "JAL-FL"),
    )
    assert TABLE3.columns == (
        "clean",
        *("symmetric 0.2", "symmetric 0.4", "symmetric 0.6", "symmetric 0.8"),
        *("asymmetric 0.1", "asymmetric 0.2", "asymmetric 0.3", "asymmetric 0.4"),
    )
    assert len(TABLE3.specs()) == 14 * 9 * 3


def test_a_whole_table_of_four_losses_comes_first_with_one_seed_after_another():
    specs = TABLE3.specs()
    for at, seed in enumerate((123, 124, 125)):
        wave = specs[36 * at : 36 * (at + 1)]
        assert {spec.seed for spec in wave} == {seed}
        assert {spec.loss.name for spec in wave} == set(FIRST)
        assert len({spec.id for spec in wave}) == 36
    assert [spec.loss.name for spec in specs[:8]] == FIRST * 2
    noises = [(spec.noise.kind, spec.noise.rate) for spec in specs[:16:4]]
    assert noises == [("symmetric", 0.8), ("symmetric", 0.4), ("asymmetric", 0.4), ("clean", None)]
    assert not {spec.loss.name for spec in specs[108:]} & set(FIRST)
    assert {spec.seed for spec in specs[108 : 108 + 81]} == {123}


def test_a_cell_is_the_run_that_jal_train_makes():
    words = {"dataset": "cifar10", "loss": "JAL-CE", "noise": "asymmetric", "rate": 0.4}
    assert TABLE3.runs(("JAL-CE", "asymmetric 0.4"), [5]) == [resolve(**words, seed=5)]
    paper = grids.get("table3-cifar10", settings="paper")
    assert paper.runs(("CE", "clean"))[0].recipe.l1 == 5e-5
    assert TABLE3.runs(("CE", "clean"))[0].recipe.l1 == 0


def test_seeds_may_be_others():
    assert [spec.seed for spec in grids.get("digits").specs([7, 8, 7])] == [7] * 8 + [8] * 8 + [7] * 20 + [
        8
    ] * 20


def test_an_unknown_grid_is_an_error_with_the_nearest_name():
    with pytest.raises(InputError, match="unknown grid 'table3-cifar': did you mean 'table3-cifar10'"):
        grids.get("table3-cifar")
    with pytest.raises(InputError, match="unknown profile 'fast'"):
        grids.get("digits", profile="fast")
    with pytest.raises(InputError, match="table4 has no version for the profile laptop: take full"):
        grids.get("table4", profile="laptop")
    with pytest.raises(InputError, match="unknown settings 'papers'"):
        grids.get("digits", settings="papers").specs()


@pytest.mark.parametrize(
    ("where", "number"),
    [
        ((), 378),
        ("loss=JAL-CE", 27),
        ("loss=JAL-CE, noise=symmetric,rate=0.40", 3),
        (["loss=JAL-CE,loss=CE", "seed=123"], 18),
        ("rate=0", 42),
        ("rate=.4,dataset=cifar10,model=cnn8", 84),
    ],
)
def test_conditions(where, number):
    chosen = grids.select(TABLE3.specs(), where)
    assert len(chosen) == number
    assert chosen == [spec for spec in TABLE3.specs() if spec in chosen], "the order is another"


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("lose=CE", "unknown key of a condition 'lose': did you mean 'loss'"),
        ("loss=JALCE", "unknown loss among these runs 'JALCE': did you mean 'JAL-CE'"),
        ("rate=0.5", "unknown rate among these runs '0.5'"),
        ("rate=half", "unknown rate among these runs 'half'"),
        ("CE", "'CE' is not of the form key=value"),
        ("noise=clean,rate=0.4", "no run meets all of noise=clean,rate=0.4"),
    ],
)
def test_conditions_that_make_no_sense(where, message):
    with pytest.raises(InputError, match=message):
        grids.select(TABLE3.specs(), where)


# Precision


def ids(grid):
    return {spec.id for spec in grid.specs()}


@pytest.mark.parametrize("name", ["digits", "table3-cifar10", "table7", "regulariser", "ranking"])
def test_a_grid_in_bfloat16_is_the_same_runs_but_for_the_precision(name):
    own, half = grids.get(name), grids.get(name, precision="bfloat16")
    assert (half.rows, half.columns, half.waves) == (own.rows, own.columns, own.waves)
    for one, other in zip(own.specs(), half.specs(), strict=True):
        assert replace(other, recipe=replace(other.recipe, precision="float32")) == one
    assert not ids(own) & ids(half)


@pytest.mark.parametrize(("name", "own"), [("digits", "float32"), ("table6", "bfloat16")])
def test_the_recipe_s_own_precision_named_is_the_same_runs(name, own):
    assert grids.get(name, precision=own).specs() == grids.get(name).specs()
    assert not ids(grids.get(name, precision="float64")) & ids(grids.get(name))


def test_an_unknown_precision_is_refused_at_once():
    with pytest.raises(InputError, match="unknown precision 'bf16': did you mean 'bfloat16'"):
        grids.get("digits", precision="bf16")
