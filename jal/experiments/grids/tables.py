"""The paper's Tables 1 to 7."""

from __future__ import annotations

from jal.experiments.grids.grid import Grid, Words, product
from jal.experiments.grids.words import (
    ASYMMETRIC,
    LAPTOP,
    LAPTOP_NOISES,
    QUICK,
    QUICK_NOISES,
    SYMMETRIC,
    TELLING,
    Versions,
    losses,
    noises,
)

FOREMOST = ("CE", "NCE+RCE", "ANL-CE", "JAL-CE")
"""The losses that are run first: the standard, the symmetric joint loss, the strongest rival and the paper's own."""

_TABLE3 = (
    *("CE", "FL", "GCE", "SCE", "NCE", "NCE+RCE", "NCE+AUL", "NCE+AGCE", "CE+LC"),
    *("ANL-CE", "ANL-FL", "LT-APL", "JAL-CE", "JAL-FL"),
)
_LAPTOP_LOSSES = ("CE", "GCE", "NCE+RCE", "NCE+AGCE", "ANL-CE", "JAL-CE", "JAL-FL")
_TABLES_4_AND_5 = (
    *("CE", "GCE", "SCE", "NCE+RCE", "NCE+AGCE", "CE+LC"),
    *("ANL-CE", "ANL-FL", "JAL-CE", "JAL-FL"),
)
_TABLE6 = ("CE", "GCE", "SCE", "NCE+RCE", "NCE+AGCE", "ANL-CE", "ANL-FL", "JAL-CE", "JAL-FL")
_TWO_OF_EACH = ("symmetric 0.4", "symmetric 0.8", "asymmetric 0.2", "asymmetric 0.4")

_AGCE_MAE: Words = {"loss": "AGCE+MAE"}


def _table1(settings: str, data: Words) -> Grid:
    return product(
        "table1",
        "Table 1: an active asymmetric loss (AGCE) cannot take the place of NCE",
        losses("MAE", "NCE", "AGCE", "AGCE+MAE", "NCE+RCE"),
        noises(*_TWO_OF_EACH),
        {**data, "settings": settings},
        table=1,
    )


def _table2(settings: str, data: Words) -> Grid:
    return product(
        "table2",
        "Table 2: NCE and AMSE alone, and joined in JAL-CE",
        losses("NCE", "AMSE", "JAL-CE"),
        noises(*_TWO_OF_EACH),
        {**data, "settings": settings},
        table=2,
    )


def _table3_cifar10(settings: str) -> Grid:
    return product(
        "table3-cifar10",
        "Table 3: last-epoch test accuracy on CIFAR-10 under clean, symmetric and asymmetric noise",
        losses(*_TABLE3),
        noises("clean", *SYMMETRIC, *ASYMMETRIC),
        {"dataset": "cifar10", "settings": settings},
        rows_first=FOREMOST,
        columns_first=TELLING,
        table=3,
    )


def _table3_laptop(settings: str) -> Grid:
    return product(
        "table3-cifar10",
        "Table 3 on a laptop: last-epoch test accuracy on Fashion-MNIST, 20,000 training images, 20 epochs",
        losses(*_LAPTOP_LOSSES),
        noises(*LAPTOP_NOISES),
        {**LAPTOP, "settings": settings},
        rows_first=FOREMOST,
        columns_first=TELLING,
    )


def _table3_quick(settings: str) -> Grid:
    return product(
        "table3-cifar10",
        "Table 3 in seconds: last-epoch test accuracy on the digits",
        losses(*_LAPTOP_LOSSES),
        noises("clean", *QUICK_NOISES),
        {**QUICK, "settings": settings},
        rows_first=FOREMOST,
    )


def _table3_cifar100(settings: str) -> Grid:
    return product(
        "table3-cifar100",
        "Table 3: last-epoch test accuracy on CIFAR-100 under clean, symmetric and asymmetric noise",
        losses(*_TABLE3),
        noises("clean", *SYMMETRIC, *ASYMMETRIC),
        {"dataset": "cifar100", "settings": settings},
        rows_first=(*FOREMOST, "JAL-FL"),
        columns_first=TELLING,
        table=3,
    )


def _table4(settings: str) -> Grid:
    rates = ("0.6", "0.4", "0.2")
    return product(
        "table4",
        "Table 4: last-epoch test accuracy under instance-dependent noise",
        losses(*_TABLES_4_AND_5),
        {
            f"{title} {rate}": {"dataset": dataset, "noise": "instance", "rate": float(rate)}
            for dataset, title in (("cifar10", "CIFAR-10"), ("cifar100", "CIFAR-100"))
            for rate in reversed(rates)
        },
        {"settings": settings},
        rows_first=FOREMOST,
        columns_first=[f"CIFAR-10 {rate}" for rate in rates],
        table=4,
    )


def _table5(settings: str) -> Grid:
    variants = ("aggre", "rand1", "worst")
    return product(
        "table5",
        "Table 5: last-epoch test accuracy under human noise, CIFAR-10N and CIFAR-100N",
        losses(*_TABLES_4_AND_5),
        {f"CIFAR-10N {v}": {"dataset": "cifar10", "noise": "human", "variant": v} for v in variants}
        | {"CIFAR-100N noisy": {"dataset": "cifar100", "noise": "human", "variant": "noisy"}},
        {"settings": settings},
        rows_first=FOREMOST,
        columns_first=["CIFAR-10N worst"],
        table=5,
    )


def _table6(settings: str) -> Grid:
    return product(
        "table6",
        "Table 6: last-epoch test accuracy on WebVision, ILSVRC12 and Clothing1M",
        losses(*_TABLE6),
        {
            "WebVision": {"dataset": "webvision"},
            "ILSVRC12": {"dataset": "webvision"},
            "Clothing1M": {"dataset": "clothing1m"},
        },
        {"settings": settings},
        seeds=(123,),
        table=6,
        test_sets={"ILSVRC12": "ilsvrc12"},
    )


def _table7(settings: str, data: Words) -> Grid:
    weights = [(alpha, beta) for alpha in (1, 10) for beta in (1, 10)]
    joint: dict[str, Words] = {
        f"AGCE+MAE ({alpha}, {beta})": {
            **_AGCE_MAE,
            "loss_parameters": {"alpha": float(alpha), "beta": float(beta)},
        }
        for alpha, beta in weights
    }
    return product(
        "table7",
        "Table 7: all weights of AGCE+MAE",
        losses("MAE", "NCE", "AGCE") | joint | losses("NCE+RCE"),
        noises(*_TWO_OF_EACH),
        {**data, "settings": settings},
        table=7,
    )


def _digits(settings: str) -> Grid:
    columns = QUICK_NOISES
    return product(
        "digits",
        "Digits: last-epoch test accuracy of the first experiment's losses, in seconds a run",
        losses("CE", "MAE", "NCE", "NCE+RCE", "ANL-CE", "JAL-CE", "JAL-FL"),
        noises(*columns),
        {**QUICK, "settings": settings},
        rows_first=("CE", "JAL-CE"),
    )


_CIFAR10: Words = {"dataset": "cifar10"}

GRIDS: dict[str, Versions] = {
    "table1": {
        "full": lambda settings: _table1(settings, _CIFAR10),
        "laptop": lambda settings: _table1(settings, LAPTOP),
        "quick": lambda settings: _table1(settings, QUICK),
    },
    "table2": {
        "full": lambda settings: _table2(settings, _CIFAR10),
        "laptop": lambda settings: _table2(settings, LAPTOP),
        "quick": lambda settings: _table2(settings, QUICK),
    },
    "table3-cifar10": {"full": _table3_cifar10, "laptop": _table3_laptop, "quick": _table3_quick},
    "table3-cifar100": {"full": _table3_cifar100},
    "table4": {"full": _table4},
    "table5": {"full": _table5},
    "table6": {"full": _table6},
    "table7": {
        "full": lambda settings: _table7(settings, _CIFAR10),
        "quick": lambda settings: _table7(settings, QUICK),
    },
    "digits": {"quick": _digits, "full": _digits},
}
