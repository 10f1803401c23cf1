"""Grids: the paper's rows and columns, every cell once, the most valuable runs first."""

import pytest

from jal.errors import InputError
from jal.experiments import grids, resolve
from jal.losses import names

TABLE3 = grids.get("table3-cifar10")
FIRST = ["CE", "NCE+RCE", "ANL-CE", "JAL-CE"]


@pytest.mark.parametrize("name", grids.names())
def test_every_cell_is_run_once_with_each_seed(name):
    grid = grids.get(name)
    assert grid.name == name
    assert set(grid.cells) == {(row, column) for row in grid.rows for column in grid.columns}
    assert len(set(grid.rows)) == len(grid.rows) and set(grid.rows) <= {*names(), "LT-APL"}
    specs = grid.specs()
    assert len({spec.id for spec in specs}) == len(specs) == len(grid.cells) * len(grid.seeds)
    for row, column in grid.cells:
        for spec, seed in zip(grid.runs((row, column)), grid.seeds, strict=True):
            assert spec in specs
            rate = f" {spec.noise.rate:g}" if spec.noise.rate else ""
            assert (spec.loss.name, spec.noise.kind + rate, spec.seed) == (row, column, seed)


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
