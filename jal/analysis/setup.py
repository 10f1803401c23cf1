"""What is trained, and how, in tables: all of it asked of the code that trains."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache

import pandas as pd

from jal.analysis import text
from jal.analysis.paper import reported
from jal.analysis.text import listed
from jal.errors import InputError
from jal.experiments import grids
from jal.experiments.spec import resolve
from jal.losses.catalog import CATALOG
from jal.training.recipe import SETTINGS, Recipe
from jal.training.recipe import recipe as recipe_of

DATASETS = {name: text.DATASETS[name] for name in ("cifar10", "cifar100", "webvision", "clothing1m")}
"""The paper's, and what a page calls them. ILSVRC12 is a second test set of WebVision's networks."""

WRITTEN_APART = frozenset({"A"})
"""Parameters whose printed value is another notation: A = -4 is the decimal logarithm of 1e-4."""

SYMBOLS = {"alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ"}
"""How a page writes a loss's parameter."""

_STEPS = {
    "crop4": "random crop after padding by 4 pixels",
    "flip": "random horizontal flip",
    "rotate20": "random rotation by up to 20 degrees",
    "resizedcrop224": "random crop resized to 224",
    "jitter": "colour jitter",
    "crop224": "random crop of 224",
    "resize256": "shorter side to 256",
    "resize256x256": "resized to 256 x 256",
    "centrecrop224": "centre crop of 224",
}
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def recipes(loss: str, settings: str = "official", of: Iterable[str] = tuple(DATASETS)) -> pd.DataFrame:
    """The recipes of some datasets for a loss, in words: a column for each dataset."""
    found = {name: resolve(dataset=name, loss=loss, settings=settings).recipe for name in of}
    return pd.DataFrame({DATASETS.get(name, name): _described(recipe) for name, recipe in found.items()})


def _described(recipe: Recipe) -> dict[str, str]:
    optimiser = {"sgd": "SGD", "adam": "Adam"}[recipe.optimiser]
    if recipe.momentum:
        optimiser += f", {'Nesterov ' if recipe.nesterov else ''}momentum {recipe.momentum:g}"
    return {
        "network": recipe.model,
        "epochs": str(recipe.epochs),
        "batch": str(recipe.batch_size),
        "optimiser": optimiser,
        "learning rate": f"{recipe.learning_rate:g}",
        "schedule": schedule(recipe),
        "gradient norm at most": "unbounded" if recipe.clip_norm is None else f"{recipe.clip_norm:g}",
        "regulariser": regulariser(recipe),
        "in training": ", ".join(_STEPS[step] for step in recipe.augmentation) or "as it is",
        "in testing": ", ".join(_STEPS[step] for step in recipe.test_transform) or "as it is",
        "precision": recipe.precision,
    }


def schedule(recipe: Recipe) -> str:
    """A recipe's learning rate over the epochs, in words."""
    if recipe.schedule == "cosine":
        return "cosine to 0"
    if recipe.schedule == "exponential":
        return f"times {recipe.decay:g} after each epoch"
    if recipe.schedule == "step":
        return f"times {recipe.decay:g} after epoch {listed(map(str, recipe.milestones))}"
    return "constant"


def regulariser(recipe: Recipe) -> str:
    """A recipe's penalty on the weights, in words."""
    kinds = (("L1", recipe.l1), ("L2", recipe.l2))
    return ", ".join(f"{kind} {power_of_ten(strength)}" for kind, strength in kinds if strength) or "none"


def power_of_ten(value: float) -> str:
    """A small number that no line breaks apart, e.g. 5·10⁻⁵."""
    mantissa, exponent = f"{value:e}".split("e")
    return f"{float(mantissa):g}·10{str(int(exponent)).translate(_SUPERSCRIPTS)}"


def regularisers() -> pd.DataFrame:
    """The penalty on the weights by loss of the paper, dataset and settings; losses that share all of them share a
    row, and settings that agree on a dataset a column."""
    names = in_the_paper()
    columns: dict[tuple[str, str], list[str]] = {}
    for dataset, title in DATASETS.items():
        sides = {
            (title, side): [regulariser(recipe_of(dataset, loss, side)) for loss in names]
            for side in SETTINGS
        }
        same = len(set(map(tuple, sides.values()))) == 1
        columns |= {(title, "both"): next(iter(sides.values()))} if same else sides
    table = pd.DataFrame(columns, index=pd.Index(names, name="losses"))
    shared = table.groupby(table.agg("|".join, axis=1), sort=False)
    return shared.first().set_axis([", ".join(group.index) for _, group in shared]).rename_axis("losses")


@cache
def in_the_paper() -> tuple[str, ...]:
    """The losses of the paper's tables and of Figure 2, by this project's names, in the catalogue's order."""
    used = {loss for number in range(1, 8) for loss in reported(number)["loss"]}
    used |= {str(words["loss"]) for words in grids.get("figure2").cells.values()}
    return (*(name for name in CATALOG if name in used), *sorted(used - CATALOG.keys()))


def hyperparameters() -> pd.DataFrame:
    """Table 8 beside the catalogue: a row for each dataset, loss and parameter that Table 8 gives a value.

    Returns
    -------
    a frame with the columns dataset, loss, parameter, printed (Table 8's value), paper and official (the catalogue's
    under either setting), and differs: whether the released code has another value than the one printed, notation
    (`WRITTEN_APART`) aside.
    """
    table = reported(8).dropna(subset=["value"]).rename(columns={"value": "printed"})
    table = table[["dataset", "loss", "parameter", "printed"]].reset_index(drop=True)
    for side in ("paper", "official"):
        table[side] = [
            CATALOG[row.loss].values(row.dataset, side, {})[row.parameter] for row in table.itertuples()
        ]
    near = [math.isclose(*pair) for pair in zip(table["printed"], table["official"], strict=True)]
    return table.assign(differs=~pd.Series(near) & ~table["parameter"].isin(WRITTEN_APART))


def unlisted(of: Iterable[str] = ("cifar10", "cifar100")) -> pd.DataFrame:
    """Losses that the paper's tables or Figure 2 show, that have parameters, and that Table 8 leaves out.

    Returns
    -------
    a frame of the released code's values as text: a row for each loss, a column for each dataset; empty where
    the project knows none.
    """
    losses = [loss for loss in in_the_paper() if loss not in set(reported(8)["loss"])]
    table = pd.DataFrame(
        {DATASETS[name]: [_parameters(name, loss) for loss in losses] for name in of},
        index=pd.Index(losses, name="loss"),
    )
    return table[table.ne("").any(axis=1)]


def _parameters(dataset: str, loss: str) -> str:
    try:
        values = resolve(dataset=dataset, loss=loss, noise="symmetric", rate=0.4).loss.parameters
    except InputError:
        return ""
    shown = {name: value for name, value in values.items() if name not in {*WRITTEN_APART, "eps", "power"}}
    return ", ".join(f"{SYMBOLS.get(name, name)} {value:g}" for name, value in shown.items())
