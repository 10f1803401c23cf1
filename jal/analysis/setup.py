"""What is trained, and how, as tables, pictures and sentences: all of it asked of the code that trains."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jal.analysis.figures import DASHES, FAINT, INK, PALETTE
from jal.analysis.noise_reports import Kept
from jal.analysis.paper import reported
from jal.analysis.stats import Summary
from jal.analysis.text import listed, percent, plus_minus
from jal.datasets import known
from jal.datasets.large.known import CLOTHES, PUBLISHED, SYNSETS
from jal.errors import InputError
from jal.experiments import grids
from jal.experiments.spec import RunSpec, resolve
from jal.losses.catalog import CATALOG
from jal.models import build
from jal.training.augment import augment, draw
from jal.training.recipe import RECIPES, SETTINGS, Recipe
from jal.training.recipe import recipe as recipe_of

DATASETS = {
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "webvision": "WebVision",
    "clothing1m": "Clothing1M",
}
"""The paper's, and what a page calls them. ILSVRC12 is a second test set of WebVision's networks."""

TABLES = ("table1", "table2", "table3-cifar10", "table3-cifar100", "table4", "table5", "table6", "table7")
"""The grids of the paper's tables of accuracies."""

WRITTEN_APART = frozenset({"A"})
"""Parameters whose printed value is another notation: A = -4 is the decimal logarithm of 1e-4."""

_SYMBOLS = {"alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ"}
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
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_PIXELS = {"cifar10": "32 x 32", "cifar100": "32 x 32"}


def datasets() -> pd.DataFrame:
    """The paper's datasets: images to train on and to test on, classes, and the pixels that a network sees."""
    tests = {
        "cifar10": f"{known.CIFAR10[2].shape[0]:,}",
        "cifar100": f"{known.CIFAR100[2].shape[0]:,}",
        "webvision": f"{PUBLISHED['webvision', 'val']:,} WebVision and {PUBLISHED['ilsvrc12', 'val']:,} ILSVRC12",
        "clothing1m": f"{PUBLISHED['clothing1m', 'clean_test']:,}",
    }
    classes = (len(names) for names in (known.CIFAR10_CLASSES, known.CIFAR100_CLASSES, SYNSETS, CLOTHES))
    rows = {
        title: (f"{_training_images(name):,}", tests[name], number, _PIXELS.get(name, "224 x 224"))
        for (name, title), number in zip(DATASETS.items(), classes, strict=True)
    }
    columns = ["training images", "test images", "classes", "pixels"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def _training_images(dataset: str) -> int:
    arrays = {"cifar10": known.CIFAR10, "cifar100": known.CIFAR100}
    if dataset in arrays:
        return arrays[dataset][0].shape[0]
    return PUBLISHED[dataset, {"webvision": "train", "clothing1m": "noisy_train"}[dataset]]


def networks(of: Iterable[str] = tuple(DATASETS)) -> pd.DataFrame:
    """The networks of the paper's datasets, built without memory: their parameters and features counted."""
    rows, classes = {}, datasets()["classes"]
    for name in of:
        recipe, title = RECIPES[name], DATASETS[name]
        with torch.device("meta"):
            # Where the weights begin changes nothing about their number.
            network = build(recipe.model, int(classes[title]), 3, 32 if name in _PIXELS else 224)
        count = sum(parameter.numel() for parameter in network.parameters())
        rows[title] = recipe.model, f"{count:,}", network.num_features, recipe.initial
    columns = ["network", "parameters", "features", "weights begin"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def recipes(loss: str, settings: str = "official", of: Iterable[str] = tuple(DATASETS)) -> pd.DataFrame:
    """The recipes of some datasets for a loss, in words: a column for each dataset."""
    return pd.DataFrame(
        {
            DATASETS.get(name, name): _described(resolve(dataset=name, loss=loss, settings=settings).recipe)
            for name in of
        }
    )


def _described(recipe: Recipe) -> dict[str, str]:
    optimiser = {"sgd": "SGD", "adam": "Adam"}[recipe.optimiser]
    momentum = (
        f", {'Nesterov ' if recipe.nesterov else ''}momentum {recipe.momentum:g}" if recipe.momentum else ""
    )
    return {
        "network": recipe.model,
        "epochs": str(recipe.epochs),
        "batch": str(recipe.batch_size),
        "optimiser": optimiser + momentum,
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
    return f"{float(mantissa):g}·10{str(int(exponent)).translate(_RAISED)}"


def regularisers(losses: Sequence[str] | None = None) -> pd.DataFrame:
    """The penalty on the weights by loss, dataset and settings; losses that share all of them share a row, and
    settings that agree on a dataset a column.

    Parameters
    ----------
    losses
        names of the catalogue; those of the paper's tables and of its Figure 2 if left out.
    """
    names = losses or in_the_paper()
    columns: dict[tuple[str, str], tuple[str, ...]] = {}
    for dataset, title in DATASETS.items():
        sides = [tuple(regulariser(recipe_of(dataset, loss, side)) for loss in names) for side in SETTINGS]
        same = len(set(sides)) == 1
        columns |= {(title, "both" if same else side): one for side, one in zip(SETTINGS, sides, strict=True)}
    groups: dict[tuple[str, ...], list[str]] = {}
    for loss, row in zip(names, zip(*columns.values(), strict=True), strict=True):
        groups.setdefault(row, []).append(loss)
    index = pd.Index([", ".join(group) for group in groups.values()], name="losses")
    return pd.DataFrame(list(groups), index=index, columns=pd.MultiIndex.from_tuples(columns))


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
    table = reported(8).dropna(subset=["value"])
    rows = []
    for dataset, loss, parameter, printed in table[["dataset", "loss", "parameter", "value"]].itertuples(
        index=False
    ):
        paper, official = (
            CATALOG[loss].values(dataset, setting, {})[parameter] for setting in ("paper", "official")
        )
        differs = parameter not in WRITTEN_APART and not math.isclose(printed, official)
        rows.append((dataset, loss, parameter, printed, paper, official, differs))
    names = ["dataset", "loss", "parameter", "printed", "paper", "official", "differs"]
    return pd.DataFrame(rows, columns=names)


def table8() -> pd.DataFrame:
    """`hyperparameters` as a table for readers: the released code's values, Table 8's behind them where they differ."""
    found = hyperparameters()
    shown = pd.DataFrame(
        "",
        index=pd.Index(list(dict.fromkeys(found["loss"])), name="loss"),
        columns=list(DATASETS.values()),
    )
    for (dataset, loss), cell in found.groupby(["dataset", "loss"], sort=False):
        parts = []
        for one in cell[~cell["parameter"].isin(WRITTEN_APART)].itertuples():
            note = f" (Table 8: {one.printed:g})" if one.differs else ""
            parts.append(f"{_SYMBOLS.get(one.parameter, one.parameter)} {one.official:g}{note}")
        shown.loc[loss, DATASETS[dataset]] = ", ".join(parts)
    return shown


def unlisted(of: Iterable[str] = ("cifar10", "cifar100")) -> pd.DataFrame:
    """Losses that the paper's tables or Figure 2 show, that have parameters, and that Table 8 leaves out.

    Returns
    -------
    a frame of the released code's values as text: a row for each loss, a column for each dataset; empty where
    the project knows none.
    """
    rows = {}
    for loss in in_the_paper():
        if loss in set(reported(8)["loss"]):
            continue
        row = {}
        for dataset in of:
            try:
                values = resolve(dataset=dataset, loss=loss, noise="symmetric", rate=0.4).loss.parameters
            except InputError:
                values = {}
            own = {
                name: value for name, value in values.items() if name not in {*WRITTEN_APART, "eps", "power"}
            }
            row[DATASETS[dataset]] = ", ".join(
                f"{_SYMBOLS.get(name, name)} {value:g}" for name, value in own.items()
            )
        if any(row.values()):
            rows[loss] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("loss")


def trainings() -> pd.DataFrame:
    """The paper's tables of accuracies as trainings: cells, runs, how many no earlier table has, and their epochs."""
    seen: set[str] = set()
    rows = {}
    for name in TABLES:
        grid = grids.get(name)
        runs = {run.id: run for run in grid.specs()}
        new = [run for key, run in runs.items() if key not in seen]
        seen |= runs.keys()
        epochs = sum(run.recipe.epochs for run in new)
        rows[name] = len(grid.cells), len(grid.seeds), len(runs), len(new), epochs
    columns = ["cells", "seeds", "trainings", "in no table before", "their epochs"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    table.loc["all", ["cells", "in no table before", "their epochs"]] = table.sum()
    return table.astype("Int64")


def in_words(runs: Sequence[RunSpec], of_paper: Summary | None, noise: Kept | None) -> str:
    """What one cell of a table is: a Markdown list that says all that its trainings are.

    Parameters
    ----------
    runs
        the cell's trainings, which differ in their seeds alone.
    of_paper
        what the paper has there.
    noise
        the report on the cell's labels, where they are noisy and it is kept.

    Raises
    ------
    InputError
        without a run.
    """
    if not runs:
        raise InputError("a cell without a run: give it a seed at least")
    run, images = runs[0], datasets().loc[DATASETS[runs[0].dataset]]
    recipe = run.recipe
    total = _training_images(run.dataset)
    steps, rest = divmod(total, recipe.batch_size)
    batches = f"{steps + bool(rest)} steps an epoch" + (f", the last on {rest} images" if rest else "")
    labels = "as they are"
    if noise is not None:
        wrong = int(noise.report.counts.sum() - np.trace(noise.report.counts))
        labels = f"{run.noise}: {wrong:,} of {total:,} wrong, {percent(noise.report.rate, 2)}"
        if run.noise.seed is not None:
            # Exact counts are the same for every seed; independent draws are not.
            count = "" if run.noise.method == "exact" else f" with seed {noise.noise.seed}"
            labels += f"{count}; drawn afresh for each seed"
    parameters = ", ".join(
        f"{_SYMBOLS.get(name, name)} = {value:g}" for name, value in run.loss.parameters.items()
    )
    clip = "" if recipe.clip_norm is None else f"; the gradient's norm at most {recipe.clip_norm:g}"
    described = _described(recipe)
    lines = {
        "images": f"{DATASETS[run.dataset]}, {images['training images']} to train on, {images['classes']} classes; "
        f"in training: {described['in training']}",
        "labels": labels,
        "network": f"{networks([run.dataset])['parameters'].item()} parameters ({recipe.model})",
        "loss": run.loss.name + (f" with {parameters}" if parameters else ""),
        "penalty on the weights": described["regulariser"],
        "training": f"{recipe.epochs} epochs in batches of {recipe.batch_size} ({batches}); {described['optimiser']}, "
        f"learning rate {recipe.learning_rate:g}, {described['schedule']}{clip}",
        "test": f"after each epoch, on {images['test images']} images with their true labels; the last one counts",
        "repeated": f"{len(runs)} times, with the seeds {listed(str(one.seed) for one in runs)}",
        "the paper's number": "none"
        if of_paper is None
        else plus_minus(of_paper.mean, math.nan if of_paper.std is None else of_paper.std, 2),
    }
    return "\n".join(f"- **{name[0].upper()}{name[1:]}**: {text}." for name, text in lines.items())


def schedules(of: Iterable[str] = tuple(DATASETS)) -> Figure:
    """The learning rates of some datasets' recipes over the training, each relative to its first."""
    figure: Figure
    figure, axes = plt.subplots(figsize=(6.4, 3.2))
    for order, name in enumerate(of):
        recipe = RECIPES[name]
        epochs = np.arange(recipe.epochs + 1)
        rates = np.array([recipe.learning_rate_at(int(epoch)) for epoch in epochs]) / recipe.learning_rate
        # A step an epoch: the rate is constant within one.
        axes.step(
            epochs / recipe.epochs, rates, where="post", color=PALETTE[order % len(PALETTE)],
            linestyle=DASHES[order % len(DASHES)],
            label=f"{DATASETS.get(name, name)}: {recipe.epochs} epochs from {recipe.learning_rate:g}",
        )  # fmt: skip
    axes.set_xlabel("share of the training")
    axes.set_ylabel("learning rate, relative to the first")
    axes.legend()
    return figure


def augmented(image: NDArray[np.uint8], of: Iterable[str], columns: int = 8, seed: int = 123) -> Figure:
    """An image as the training of some datasets sees it: a row for each, the image itself first.

    Parameters
    ----------
    image
        (height, width, channels), raw bytes.
    of
        datasets of small images, whose recipes' augmentations are drawn.
    """
    rows = list(of)
    figure: Figure
    figure, grid = plt.subplots(len(rows), columns, figsize=(0.9 * columns, 1.25 * len(rows)), squeeze=False)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(visible=True, color=FAINT)
    for name, row in zip(rows, grid, strict=True):
        steps = RECIPES[name].augmentation
        generator = torch.Generator().manual_seed(seed)
        batch = torch.tensor(image).expand(columns - 1, *image.shape).contiguous()
        shown = augment(batch, draw(steps, columns - 1, generator)).numpy()
        for axes, picture in zip(row, [image, *shown], strict=True):
            axes.imshow(picture.squeeze(), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        row[0].set_title(f"{DATASETS.get(name, name)}: {', '.join(steps)}", loc="left", color=INK)
    return figure
