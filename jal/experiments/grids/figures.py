"""The paper's Figures 1 to 4."""

from __future__ import annotations

from jal.experiments.grids.grid import Grid, Words, product
from jal.experiments.grids.words import LAPTOP, QUICK, Versions, losses, noises

_SCALES = (10, 20, 30, 40)
"""The a of Figure 2 (section 4.3)."""

_SCALES_AND_MORE = (5, 10, 20, 30, 40)
"""Of Figure 4: with those of appendix B.1."""

_KEEP = ("features", "histograms")
"""Figures 1 and 3 share runs, and a run that is made again for one of them would lose what the other needs."""


def _amse(a: int) -> Words:
    return {"loss": "AMSE", "loss_parameters": {"a": float(a)}}


def _figure1(settings: str, data: Words) -> Grid:
    return product(
        "figure1",
        "Figure 1: what the network sees of the test images, after training with symmetric noise 0.4",
        losses("CE", "NCE+RCE", "ANL-CE", "JAL-CE"),
        noises("symmetric 0.4"),
        {**data, "settings": settings},
        seeds=(123,),
        keep=_KEEP,
    )


def _figure3(settings: str, data: Words) -> Grid:
    return product(
        "figure3",
        "Figure 3: how sure CE and JAL-CE are of right and of wrong labels, symmetric noise 0.4",
        losses("CE", "JAL-CE"),
        noises("symmetric 0.4"),
        {**data, "settings": settings},
        seeds=(123,),
        keep=_KEEP,
    )


def _figure2(settings: str, data: Words) -> Grid:
    return product(
        "figure2",
        "Figure 2: AMSE for several a, against the passive loss NNCE",
        {f"AMSE, a = {a}": _amse(a) for a in _SCALES} | losses("NNCE"),
        noises("symmetric 0.8", "asymmetric 0.4"),
        {**data, "settings": settings},
    )


def _figure4(settings: str, data: Words) -> Grid:
    return product(
        "figure4",
        "Figure 4: AMSE for several q and a, symmetric noise 0.8",
        {f"q = {q}": {"loss_parameters": {"q": float(q)}} for q in (1, 2, 3)},
        {f"a = {a}": _amse(a) for a in _SCALES_AND_MORE},
        {**data, "noise": "symmetric", "rate": 0.8, "settings": settings},
        columns_first=["a = 30"],
        # At q = 1 a adds a constant to the loss: all runs would be the same.
        without=lambda row, column: row == "q = 1" and column != "a = 30",
    )


GRIDS: dict[str, Versions] = {
    "figure1": {
        "full": lambda settings: _figure1(settings, {"dataset": "cifar10"}),
        "laptop": lambda settings: _figure1(settings, LAPTOP),
        "quick": lambda settings: _figure1(settings, QUICK),
    },
    "figure3": {
        "full": lambda settings: _figure3(settings, {"dataset": "cifar10"}),
        "laptop": lambda settings: _figure3(settings, LAPTOP),
        "quick": lambda settings: _figure3(settings, QUICK),
    },
    "figure2": {
        "full": lambda settings: _figure2(settings, {"dataset": "cifar10"}),
        "laptop": lambda settings: _figure2(settings, LAPTOP),
        "quick": lambda settings: _figure2(settings, QUICK),
    },
    "figure4": {
        "full": lambda settings: _figure4(settings, {"dataset": "cifar10"}),
        "laptop": lambda settings: _figure4(settings, LAPTOP),
        "quick": lambda settings: _figure4(settings, QUICK),
    },
}
