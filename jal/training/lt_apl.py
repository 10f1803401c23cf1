"""LT-APL (Student loss, Zhang et al., TPAMI 2024): a method of the trainer, as it is a head and a penalty.

The network's linear head gives way to `jal.models.StudentHead`; its scores are the logits of NCE+RCE. The paper quotes
this method's numbers and did not run it; its authors train it with Adam, and so does this row, so that it is not like
for like with the others.
"""

from __future__ import annotations

from collections.abc import Mapping

from jal.errors import InputError, unknown
from jal.losses import Loss
from jal.losses import build as build_loss
from jal.losses.catalog import Parameter, entry
from jal.models import Classifier, StudentHead

NAME = "LT-APL"

ALPHA_BETA = {"alpha": 1.0, "beta": 10.0}
MARGIN = Parameter("margin", "margin >= 0", lambda v: v >= 0)
PENALTY = Parameter("penalty", "penalty >= 0", lambda v: v >= 0)

_TABLE = {"cifar10": (0.1, 5e-2), "cifar100": (0.05, 5e-2)}
_HEAVY_SYMMETRIC = {"cifar10": 0.8, "cifar100": 0.6}
_AT_HEAVY_SYMMETRIC = (0.01, 1e-3)


def parameters(dataset: str, noise: str, rate: float | None, given: Mapping[str, object]) -> dict[str, float]:
    """The margin and the penalty's weight, which depend on the noise, and the parameters of NCE+RCE.

    Raises
    ------
    InputError
        for a dataset that the method's authors have no values for, and a parameter that is unknown or outside its
        domain.
    """
    own = {parameter.name: parameter for parameter in (MARGIN, PENALTY)}
    base = entry("NCE+RCE")
    for name in given:
        if name not in own and name not in {p.name for p in base.parameters}:
            raise unknown(f"parameter of {NAME}", name, [*own, *(p.name for p in base.parameters)])
    if dataset not in _TABLE and not set(own) <= set(given):
        raise InputError(
            f"{NAME} has no margin and penalty for {dataset}: give both, or borrow cifar10 or cifar100"
        )
    heavy = noise == "symmetric" and rate is not None and rate >= _HEAVY_SYMMETRIC.get(dataset, 1.0)
    table = _AT_HEAVY_SYMMETRIC if heavy else _TABLE.get(dataset, (0.0, 0.0))
    values: dict[str, object] = {**dict(zip(own, table, strict=True)), **given}
    return {
        **{name: parameter.check(NAME, values[name]) for name, parameter in own.items()},
        **base.values(None, "official", {**ALPHA_BETA, **{k: v for k, v in given.items() if k not in own}}),
    }


def install(model: Classifier, num_classes: int, values: Mapping[str, float]) -> Loss:
    """Give the network its head, drawn from torch's random stream; returns the loss of the head's scores."""
    model.head = StudentHead(model.num_features, num_classes, values["margin"], values["penalty"])
    return build_loss(
        "NCE+RCE", None, reduction="none", alpha=values["alpha"], beta=values["beta"], A=values["A"]
    )
