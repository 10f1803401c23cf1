"""Records side by side: which belong together."""

import pytest

from jal.analysis.groups import cells, condition, noise_title
from jal.errors import InputError
from jal.experiments.noises import NoiseSpec


def test_cells_keep_the_order_and_gather_the_seeds(make):
    records = [
        make("JAL-CE"), make("CE"), make("CE", seed=124), make("CE", seed=124, noise_seed=1),
        make("CE", noise="asymmetric"),
    ]  # fmt: skip
    found = cells(records)
    assert [noise_title(noise) for noise in found] == ["symmetric 0.4", "asymmetric 0.4"]
    (symmetric, asymmetric) = found.values()
    assert list(symmetric) == ["JAL-CE", "CE"]
    assert symmetric["CE"] == records[1:4]
    assert asymmetric == {"CE": records[4:]}


@pytest.mark.parametrize("change", [{"l2": 1e-3}, {"width": 2.0}, {"loss_parameters": {"a": 3.0}}])
def test_runs_that_differ_in_more_than_seeds_are_never_averaged(make, change):
    with pytest.raises(InputError, match="JAL-CE differ in more than their seeds"):
        cells([make("JAL-CE"), make("JAL-CE", seed=124, **change)])


def test_nothing_to_show_is_an_error():
    with pytest.raises(InputError, match="no Records to show"):
        cells([])


def test_titles():
    assert noise_title(condition(NoiseSpec("clean"))) == "clean"
    noise = NoiseSpec("asymmetric", "superclasses", 0.25, "bernoulli", 1)
    assert noise_title(condition(noise)) == "asymmetric superclasses 0.25 drawn"
