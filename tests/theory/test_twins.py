"""Every symbolic formula gives the numbers of its torch twin, and the catalogue says of it what the proofs say."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sympy import lambdify

from jal.losses import build
from jal.losses.catalog import CATALOG
from jal.theory.symbolic import ACTIVE_PASSIVE, FORMULAS, NOT_SYMMETRIC, SYMMETRIC, loss
from jal.theory.symbolic.losses import PARAMETERS
from jal.theory.symbolic.notation import K, p, y

WITHOUT_FORMULA = {"CE+LC", "ECE", "EFL", "ECE+MAE", "EFL+MAE", "LDR"}
"""They clip logits, boost the arg max or use no softmax, and are no part of the theory."""

VALUES = {"alpha": 1.3, "beta": 0.7, "a": 6.0, "q": 1.5, "gamma": 0.5, "eps": 1e-8, "A": math.log(1e-4)}


@pytest.mark.parametrize("name", FORMULAS)
def test_symbolic_formula_equals_torch(name: str) -> None:
    logits = 3 * torch.randn(5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    wanted = {key: VALUES[key] for key in (parameter.name for parameter in CATALOG[name].parameters)}
    # NNCE and NNFL have their weight inside in the catalogue; the formula is of weight 1.
    torch_losses = build(
        name, None, **wanted | ({"beta": 1.0} if name in ("NNCE", "NNFL") else {})
    ).all_labels(logits)
    known = {key: value for key, value in VALUES.items() if FORMULAS[name].has(PARAMETERS[key])}
    formula = lambdify((p, y, K), loss(name, **known), "numpy")
    for row, expected in zip(torch.softmax(logits, dim=-1).numpy(), torch_losses.numpy(), strict=True):
        one_based = np.concatenate([[np.nan], row])
        assert [formula(one_based, label, 7) for label in range(1, 8)] == pytest.approx(expected, rel=1e-10)


def test_every_loss_of_the_theory_has_a_formula() -> None:
    assert set(CATALOG) - set(FORMULAS) == WITHOUT_FORMULA
    assert set(FORMULAS) <= set(CATALOG)


def claimed(steps: tuple[object, ...], ending: str) -> set[str]:
    names = [step.name for step in steps]  # type: ignore[attr-defined]
    return {name.removesuffix(ending) for name in names if name.endswith(ending)}


def test_the_catalogue_is_symmetric_where_it_is_proved() -> None:
    alone = {name: entry for name, entry in CATALOG.items() if name in FORMULAS and entry.role != "joint"}
    assert claimed(SYMMETRIC, " is symmetric") == {name for name, entry in alone.items() if entry.symmetric}
    not_symmetric = claimed(NOT_SYMMETRIC, " is not symmetric")
    assert not_symmetric == {name for name, entry in alone.items() if not entry.symmetric}


def test_the_catalogue_is_active_and_passive_where_it_is_proved() -> None:
    roles = {name: CATALOG[name].role for name in FORMULAS}
    normalised = {"NCE", "NFL", "NNCE", "NNFL"}
    assert (
        claimed(ACTIVE_PASSIVE, " is active")
        == {n for n, role in roles.items() if role == "active"} - normalised
    )
    assert (
        claimed(ACTIVE_PASSIVE, " is passive")
        == {n for n, role in roles.items() if role == "passive"} - normalised
    )
