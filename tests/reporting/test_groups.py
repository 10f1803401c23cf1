"""Records side by side: which belong together, and the line that says what made them."""

from dataclasses import replace

import pytest

from jal.errors import InputError
from jal.experiments.noises import NoiseSpec
from jal.reporting.groups import cells, condition, noise_title, provenance


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


def test_provenance_names_grid_records_seeds_machine_and_commit(make):
    one, other = make(), make(seed=124)
    other = replace(other, environment=other.environment | {"commit": "f" * 40, "dirty": True})
    assert provenance([one, other], "table 3", "quick") == (
        "*Profile: quick. Grid: table 3. Records: 2, seeds 123 and 124. 4 s of training. "
        "Device: cpu on An Engine. Commit: `0123456789ab`, `ffffffffffff` with changes.*"
    )
