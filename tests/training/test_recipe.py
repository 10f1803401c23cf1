"""Recipes: the numbers of the paper and of the released code, and what makes a recipe invalid."""

from dataclasses import replace

import pytest
import torch

from jal.errors import InputError
from jal.experiments import resolve
from jal.losses import names
from jal.training.recipe import HAVE_AMSE, HAVE_NEGATIVE, RECIPES, recipe

PAPERS = {
    "cifar10": ("cnn8", 120, 128, 0.01, "cosine", 5.0, ("crop4", "flip")),
    "cifar100": ("resnet34", 200, 128, 0.1, "cosine", 5.0, ("crop4", "flip", "rotate20")),
    "webvision": ("resnet50", 250, 256, 0.4, "exponential", 5.0, ("resizedcrop224", "flip", "jitter")),
    "clothing1m": ("resnet50", 10, 256, 0.005, "step", None, ("resize256x256", "crop224", "flip")),
}


@pytest.mark.parametrize("dataset", PAPERS)
def test_the_papers_recipes(dataset):
    r = recipe(dataset, "CE")
    found = (r.model, r.epochs, r.batch_size, r.learning_rate, r.schedule, r.clip_norm, r.augmentation)
    assert found == PAPERS[dataset]
    assert r.momentum == 0.9
    assert r.nesterov == (dataset == "webvision")
    assert r.precision == ("float32" if dataset.startswith("cifar") else "bfloat16")
    assert len(r.mean) == len(r.std) == 3


@pytest.mark.parametrize(
    ("dataset", "loss", "settings", "l1", "l2"),
    [
        ("cifar10", "CE", "official", 0, 1e-4),
        ("cifar10", "NCE+RCE", "official", 0, 1e-4),
        ("cifar10", "JAL-CE", "official", 5e-5, 0),
        ("cifar10", "AMSE", "official", 5e-5, 0),
        ("cifar10", "ANL-FL", "official", 5e-5, 0),
        ("cifar10", "CE", "paper", 5e-5, 0),
        ("cifar100", "CE", "official", 0, 1e-5),
        ("cifar100", "JAL-FL", "official", 5e-6, 0),
        ("cifar100", "ANL-CE", "official", 5e-7, 0),
        ("cifar100", "ANL-CE", "paper", 5e-6, 0),
        ("cifar100", "GCE", "paper", 5e-6, 0),
        ("webvision", "JAL-CE", "official", 0, 3e-5),
        ("webvision", "CE", "paper", 0, 3e-5),
        ("clothing1m", "JAL-CE", "paper", 0, 1e-3),
        ("digits", "CE", "official", 0, 1e-4),
        ("digits", "JAL-CE", "official", 5e-5, 0),
    ],
)
def test_one_regulariser_each(dataset, loss, settings, l1, l2):
    r = recipe(dataset, loss, settings)
    assert (r.l1, r.l2) == (l1, l2)


def test_the_losses_with_an_l1_penalty_are_those_that_hold_amse_or_a_negative_loss():
    """Read off the catalogue's terms, so that a new joint loss cannot be forgotten."""
    from jal.losses import CATALOG
    from jal.losses.elementary import asymmetric_mean_square_error

    values = {
        "alpha": 1,
        "beta": 1,
        "a": 30,
        "q": 2,
        "gamma": 0.5,
        "eps": 1e-8,
        "A": -9.2,
        "m": 1,
        "delta": 1,
    }
    values |= {"lam": 1, "margin": 0.1, "power": 1}
    have_amse, have_negative = set(), set()
    for name, entry in CATALOG.items():
        for term in entry.terms(values):
            function = getattr(term.formula, "func", term.formula)
            if function is asymmetric_mean_square_error and term.formula.keywords["a"] > 1:
                have_amse.add(name)
            if "negative_normalised" in getattr(function, "__qualname__", ""):
                have_negative.add(name)
    assert have_amse == HAVE_AMSE
    assert have_negative == HAVE_NEGATIVE
    assert set(names()) >= HAVE_AMSE | HAVE_NEGATIVE


def test_coarse_classes_are_trained_on_as_the_fine_ones_with_the_losses_of_few_classes():
    for loss in ("CE", "JAL-CE", "ANL-CE"):
        assert recipe("cifar100-coarse", loss) == recipe("cifar100", loss)
        spec = resolve(dataset="cifar100-coarse", loss=loss)
        assert spec.loss == resolve(dataset="cifar10", loss=loss).loss


@pytest.mark.parametrize("dataset", list(RECIPES))
@pytest.mark.parametrize("schedule", ["as it is", "constant"])
def test_the_schedule_is_torchs(dataset, schedule):
    r = recipe(dataset, "CE")
    if schedule == "constant":
        r = replace(r, schedule="constant", decay=None)
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=r.learning_rate)
    theirs = {
        "cosine": lambda: torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, r.epochs),
        "exponential": lambda: torch.optim.lr_scheduler.ExponentialLR(optimiser, r.decay),
        "step": lambda: torch.optim.lr_scheduler.MultiStepLR(optimiser, list(r.milestones), r.decay),
        "constant": lambda: torch.optim.lr_scheduler.ConstantLR(optimiser, 1.0),
    }[r.schedule]()
    for epoch in range(r.epochs):
        assert r.learning_rate_at(epoch) == pytest.approx(optimiser.param_groups[0]["lr"], rel=1e-9)
        optimiser.step()
        theirs.step()
    if r.schedule == "cosine":
        assert r.learning_rate_at(r.epochs) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs=0"),
        ({"batch_size": 1}, "batch_size=1"),
        (
            {"batch_size": 10**12},
            "batch_size=1000000000000 will not do: give 2 or more, .* and 1048576 at most",
        ),
        ({"width": 1e9}, "width=1000000000.0 will not do: give a number over 0, 64 at most"),
        ({"learning_rate": 0.0}, "learning_rate=0.0"),
        ({"momentum": 1.0}, "momentum=1.0"),
        ({"clip_norm": 0.0}, "clip_norm=0.0"),
        ({"l1": -1e-5}, "l1=-1e-05"),
        ({"l2": -1.0}, "l2=-1.0"),
        ({"width": 0.0}, "width=0.0"),
        ({"std": (1.0, 1.0)}, "std="),
        ({"norm_group": 1}, "norm_group=1 .* give 2 or more and less than batch_size=128, or none"),
        ({"norm_group": 128}, "norm_group=128"),
        ({"decay": 0.1}, "decay=0.1"),
        ({"schedule": "step"}, "decay=None"),
        ({"schedule": "cosin"}, "unknown schedule 'cosin': did you mean 'cosine'"),
        ({"optimiser": "adamw"}, "unknown optimiser"),
        ({"optimiser": "adam"}, "momentum=0"),
        ({"precision": "half"}, "unknown precision"),
    ],
)
def test_bad_recipes(change, message):
    with pytest.raises(InputError, match=message) as error:
        replace(recipe("cifar10", "CE"), **change)
    assert "\n" not in str(error.value)


def test_bad_names():
    with pytest.raises(InputError, match="unknown dataset 'cifar11': did you mean 'cifar10'"):
        recipe("cifar11", "CE")
    with pytest.raises(InputError, match="unknown settings 'offical': did you mean 'official'"):
        recipe("cifar10", "CE", "offical")
