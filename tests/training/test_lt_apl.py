"""LT-APL's parameters and its place in the loop."""

import pytest
import torch

from jal import models
from jal.errors import InputError
from jal.experiments import resolve, run
from jal.models import StudentHead
from jal.training import lt_apl


@pytest.mark.parametrize(
    ("dataset", "noise", "rate", "margin", "penalty"),
    [
        ("cifar10", "clean", None, 0.1, 5e-2),
        ("cifar10", "symmetric", 0.6, 0.1, 5e-2),
        ("cifar10", "symmetric", 0.8, 0.01, 1e-3),
        ("cifar10", "asymmetric", 0.4, 0.1, 5e-2),
        ("cifar100", "symmetric", 0.4, 0.05, 5e-2),
        ("cifar100", "symmetric", 0.6, 0.01, 1e-3),
        ("cifar100", "symmetric", 0.8, 0.01, 1e-3),
    ],
)
def test_margin_and_penalty_depend_on_the_noise(dataset, noise, rate, margin, penalty):
    spec = resolve(dataset=dataset, noise=noise, rate=rate, loss="LT-APL")
    assert spec.loss.parameters == {
        "margin": margin, "penalty": penalty, "alpha": 1.0, "beta": 10.0, "A": -9.210340371976182,
    }  # fmt: skip
    assert (spec.recipe.optimiser, spec.recipe.learning_rate, spec.recipe.momentum) == ("adam", 1e-3, 0.0)
    assert spec.recipe.l2 == {"cifar10": 1e-4, "cifar100": 1e-5}[dataset]
    assert (spec.recipe.l1, spec.recipe.clip_norm, spec.recipe.schedule) == (0.0, 5.0, "cosine")


def test_parameters_can_be_given_and_are_checked():
    given = {"margin": 0.2, "beta": 5}
    assert lt_apl.parameters("cifar10", "clean", None, given)["margin"] == 0.2
    assert lt_apl.parameters("cifar10", "clean", None, given)["beta"] == 5
    assert lt_apl.parameters("webvision", "clean", None, {"margin": 0, "penalty": 0})["margin"] == 0
    for bad, message in (({"margn": 1}, "did you mean 'margin'"), ({"margin": -1}, "margin >= 0")):
        with pytest.raises(InputError, match=message):
            lt_apl.parameters("cifar10", "clean", None, bad)
    with pytest.raises(InputError, match="no margin and penalty for webvision"):
        lt_apl.parameters("webvision", "clean", None, {})


def test_the_head_is_replaced_and_its_scores_are_the_logits_of_nce_and_rce():
    model = models.build("cnn2", 10, 1, 8)
    loss = lt_apl.install(model, 10, lt_apl.parameters("cifar10", "clean", None, {}))
    assert isinstance(model.head, StudentHead)
    assert loss.name == "NCE+RCE" and loss.reduction == "none"
    assert model(torch.zeros(3, 1, 8, 8)).shape == (3, 10)


def test_it_learns_and_gives_the_same_bits_twice(monkeypatch):
    monkeypatch.setenv("JAL_COMMIT", "test")
    spec = resolve(dataset="digits", noise="symmetric", rate=0.4, loss="LT-APL", epochs=12)
    first, second = (run(spec, deterministic=True) for _ in range(2))
    assert first.curves == second.curves
    assert first.accuracy > 80
