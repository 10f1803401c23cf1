"""What the paper does not ask: is it the loss or the regulariser, how long must one train, and does the rank hold."""

from __future__ import annotations

from jal.experiments.grids.grid import SEEDS, Grid, Words, product
from jal.experiments.grids.tables import FOREMOST
from jal.experiments.grids.words import LAPTOP, QUICK, Versions, losses, noise, noises

_L1: Words = {"l1": 5e-5, "l2": 0.0}
_L2: Words = {"l1": 0.0, "l2": 1e-4}
"""The strengths that the recipe of CIFAR-10 has for the one and the other."""

_MAE_IN_JAL = 6.0
"""AMSE is (a/K) MAE + ||p||^2 / K + const: at a = 30, K = 10 that is 3 MAE, or 6 of joint losses' half-scale MAE."""

_CONTENDERS: dict[str, Words] = {
    "NCE+RCE": {"loss": "NCE+RCE"},
    "ANL-CE": {"loss": "ANL-CE"},
    "JAL-CE": {"loss": "JAL-CE"},
    "AMSE": {"loss": "AMSE"},
    "NCE+MAE": {"loss": "NCE+MAE", "loss_parameters": {"alpha": 1.0, "beta": _MAE_IN_JAL}},
}


def _regulariser(settings: str, data: Words) -> Grid:
    rows = {
        f"{loss}, {name}": {**words, **penalty}
        for loss, words in _CONTENDERS.items()
        for name, penalty in (("L1", _L1), ("L2", _L2))
    }
    return product(
        "regulariser",
        "Loss or regulariser: each loss with the L1 penalty and with L2",
        rows,
        noises("clean", "symmetric 0.4", "symmetric 0.8", "asymmetric 0.2", "asymmetric 0.4"),
        {**data, "settings": settings},
        columns_first=("symmetric 0.8", "asymmetric 0.4"),
    )


_REACH = {"laptop": 14.0, "quick": 49.0}
"""How many times as far a penalty carries a weight in CIFAR-10's recipe as in the shorter one: the ratio of the sums of
the learning rates of all steps."""


def _reach(settings: str, data: Words, factor: float) -> Grid:
    def penalty(words: Words) -> Words:
        return {key: factor * value for key, value in words.items()}

    rows = {
        f"{loss}, {name}": {**_CONTENDERS[loss], **penalty(strength)}
        for loss in ("NCE+RCE", "ANL-CE", "JAL-CE", "NCE+MAE")
        for name, strength in (("L1", _L1), ("L2", _L2))
    }
    return product(
        "regulariser-reach",
        "Loss or regulariser: both penalties so strong that they reach as far as in CIFAR-10's recipe",
        rows,
        noises("symmetric 0.4", "symmetric 0.8", "asymmetric 0.4"),
        {**data, "settings": settings},
        columns_first=("symmetric 0.8", "asymmetric 0.4"),
    )


def _epochs(settings: str, data: Words, epochs: tuple[int, ...]) -> Grid:
    return _lengths(
        "epochs",
        "How much training each loss needs: last-epoch test accuracy of runs of several lengths",
        ("symmetric 0.6", "asymmetric 0.4"),
        {**data, "settings": settings},
        epochs,
    )


def _short(settings: str) -> Grid:
    """Real CIFAR-10 by a recipe for one core: the small network, and a learning rate that suits few epochs."""
    return _lengths(
        "epochs-short",
        "How much training each loss needs, on CIFAR-10 by a small network: last-epoch test accuracy",
        ("symmetric 0.6", "human worst"),
        {**_CIFAR10, "settings": settings, "model": "cnn2", "learning_rate": 0.03},
        (2, 5, 15, 30),
        columns_first=("15 epochs", "5 epochs"),
    )


def _lengths(
    name: str,
    title: str,
    labels: tuple[str, ...],
    common: Words,
    epochs: tuple[int, ...],
    columns_first: tuple[str, ...] = (),
) -> Grid:
    return product(
        name,
        title,
        {f"{loss}, {label}": {"loss": loss, **noise(label)} for label in labels for loss in FOREMOST},
        {f"{n} epoch{'s' * (n > 1)}": {"epochs": n} for n in epochs},
        common,
        columns_first=columns_first,
    )


def _settings(data: Words) -> Grid:
    """The cells of CIFAR-10 in which the paper and the released code differ, both ways, whatever is asked for."""
    both = ("CE", "GCE", "NCE+RCE", "NCE+AUL", "NCE+AGCE", "CE+LC", "JAL-CE")
    return product(
        "settings",
        "What the paper says and what the released code does: last-epoch test accuracy both ways",
        {
            f"{loss}, {which}": {"loss": loss, "settings": which}
            for loss in both
            for which in ("official", "paper")
            # Without a value in the paper there is nothing to compare, and JAL is the same under both.
            if not (loss == "JAL-CE" and which == "paper")
        },
        noises("clean", "symmetric 0.4", "symmetric 0.8", "asymmetric 0.4"),
        data,
        columns_first=("symmetric 0.8",),
    )


def _noise_draw(settings: str, data: Words) -> Grid:
    draws = (123, 124, 125, 126, 127)
    return product(
        "noise-draw",
        "Variance from the labels' draw and from the weights: runs of five draws with three seeds each",
        {
            f"{loss}, {label}": {"loss": loss, **noise(label)}
            for loss in ("CE", "JAL-CE")
            for label in ("symmetric 0.6", "asymmetric 0.4")
        },
        {f"labels {draw}": {"noise_seed": draw} for draw in draws},
        {**data, "settings": settings},
        seeds=SEEDS,
    )


def _ranking(settings: str, data: Words, epochs: int, rate: float) -> Grid:
    columns: dict[str, Words] = {
        "the recipe": {},
        "learning rate / 3": {"learning_rate": rate / 3},
        "learning rate x 3": {"learning_rate": rate * 3},
        "epochs / 2": {"epochs": epochs // 2},
        "epochs x 2": {"epochs": epochs * 2},
        "width / 2": {"width": 0.5},
        "width x 2": {"width": 2.0},
    }
    return product(
        "ranking",
        "Does the ranking hold when the recipe changes? Symmetric noise 0.6",
        losses("CE", "GCE", "NCE+RCE", "NCE+AGCE", "ANL-CE", "JAL-CE"),
        columns,
        {**data, **noise("symmetric 0.6"), "settings": settings},
    )


def _precision(settings: str, data: Words) -> Grid:
    return product(
        "precision",
        "The same runs in float32 and in bfloat16: last-epoch test accuracy, ten seeds",
        {
            f"{loss}, {precision}": {"loss": loss, "precision": precision}
            for loss in FOREMOST
            for precision in ("float32", "bfloat16")
        },
        noises("symmetric 0.8", "symmetric 0.6"),
        {**data, "settings": settings},
        seeds=tuple(range(123, 133)),
    )


_CIFAR10: Words = {"dataset": "cifar10"}

GRIDS: dict[str, Versions] = {
    "regulariser": {
        "full": lambda settings: _regulariser(settings, _CIFAR10),
        "laptop": lambda settings: _regulariser(settings, LAPTOP),
        "quick": lambda settings: _regulariser(settings, QUICK),
    },
    "regulariser-reach": {
        "full": lambda settings: _reach(settings, _CIFAR10, 1.0),
        "laptop": lambda settings: _reach(settings, LAPTOP, _REACH["laptop"]),
        "quick": lambda settings: _reach(settings, QUICK, _REACH["quick"]),
    },
    "epochs": {
        "full": lambda settings: _epochs(settings, _CIFAR10, (5, 10, 20, 40, 80, 120)),
        "laptop": lambda settings: _epochs(settings, LAPTOP, (1, 2, 5, 10, 20)),
        "quick": lambda settings: _epochs(settings, QUICK, (5, 10, 20, 40, 80)),
    },
    "epochs-short": {"laptop": _short},
    "settings": {
        "full": lambda _: _settings(_CIFAR10),
        "laptop": lambda _: _settings(LAPTOP),
    },
    "noise-draw": {
        "full": lambda settings: _noise_draw(settings, _CIFAR10),
        "laptop": lambda settings: _noise_draw(settings, LAPTOP),
        "quick": lambda settings: _noise_draw(settings, QUICK),
    },
    "ranking": {
        "full": lambda settings: _ranking(settings, _CIFAR10, 120, 0.01),
        "laptop": lambda settings: _ranking(settings, LAPTOP, 20, 0.01),
        "quick": lambda settings: _ranking(settings, QUICK, 80, 0.01),
    },
    "precision": {
        "laptop": lambda settings: _precision(settings, LAPTOP),
        "quick": lambda settings: _precision(settings, QUICK),
    },
}
