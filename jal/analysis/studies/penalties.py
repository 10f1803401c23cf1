"""How strong a penalty on the weights is, within a whole training: the same number is not the same everywhere."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from jal.analysis.text import percent
from jal.datasets.known import find
from jal.experiments.spec import RunSpec


def strengths(recipes: Mapping[str, RunSpec], l1: float, l2: float) -> pd.DataFrame:
    """What each penalty can do to a weight in a whole training, were the penalty all that acts on it.

    Steps of momentum m and learning rates r_t move a weight under a constant gradient g by g times the sum of r_t,
    over 1 - m, but for the first few steps, in which the momentum builds up. L1's gradient is l1 towards 0, L2's l2
    times the weight.

    Parameters
    ----------
    recipes
        a run for each row, whose dataset, network and training are looked at; its own penalty is not.
    l1, l2
        the penalties' strengths.

    Returns
    -------
    a frame with the columns steps, path (the sum of the learning rates over 1 - m), l1_moves (how far towards 0),
    l2_leaves (which share of it), weight (the mean absolute value of the network's weights where training begins, but
    for biases and normalisation), and l1_part (l1_moves over weight).
    """
    return pd.DataFrame.from_dict(
        {name: _strength(spec, l1, l2) for name, spec in recipes.items()}, orient="index"
    ).astype({"steps": "int64"})


def _strength(spec: RunSpec, l1: float, l2: float) -> dict[str, float]:
    # A reader of Records alone needs no torch.
    import torch

    from jal.models import build

    recipe, data = spec.recipe, find(spec.dataset)
    images, size, _, channels = data.arrays[0].shape
    steps = math.ceil((recipe.train_size or images) / recipe.batch_size)
    rates = sum(recipe.learning_rate_at(epoch) for epoch in range(recipe.epochs))
    path = steps * rates / (1 - recipe.momentum)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed)
        network = build(recipe.model, len(data.classes), channels, size, recipe.width, recipe.initial)
    weights = torch.cat([w.detach().abs().flatten() for w in network.parameters() if w.dim() > 1])
    weight = float(weights.mean())
    return {
        "steps": recipe.epochs * steps,
        "path": path,
        "l1_moves": l1 * path,
        "l2_leaves": math.exp(-l2 * path),
        "weight": weight,
        "l1_part": l1 * path / weight,
    }


def strengths_table(frame: pd.DataFrame) -> pd.DataFrame:
    """`strengths` as text."""
    return pd.DataFrame(
        {
            "steps": frame["steps"].map("{:,}".format),
            "a weight at the start": frame["weight"].map("{:.3f}".format),
            "L1 moves it by up to": frame["l1_moves"].map("{:.4f}".format),
            "that is, of it": frame["l1_part"].map(percent, digits=0),
            "L2 leaves of it": frame["l2_leaves"].map(percent, digits=0),
        }
    )
