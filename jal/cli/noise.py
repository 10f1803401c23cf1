"""`jal threshold`."""

from __future__ import annotations

import dataclasses
import json
import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jal.cli.options import Json, Settings
from jal.cli.show import say
from jal.errors import InputError, unknown

if TYPE_CHECKING:
    from jal.noise import Threshold


def threshold(
    noise: Annotated[str | None, typer.Option(help="symmetric, pair or asymmetric.")] = None,
    rate: Annotated[float | None, typer.Option(help="The share of labels that flip, in [0, 1).")] = None,
    classes: Annotated[int | None, typer.Option(help="Their number, for symmetric and pair noise.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Whose classes flip, for asymmetric noise.")] = None,
    settings: Settings = "official",
    matrix: Annotated[
        Path | None, typer.Option(help="A CSV file instead: row i holds P(given label | true label i).")
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            help="A CSV file instead: a line an image that the model was not fitted to, its given label and then the "
            "predicted probability of each class. The confident joint of them: biased upwards, see the answer."
        ),
    ] = None,
    q: Annotated[float, typer.Option(help="The exponent of AMSE.")] = 2.0,
    as_json: Json = False,
) -> None:
    """The smallest `a` for which AMSE, and so JAL, withstands a noise; or why there is none."""
    from jal import noise as noises

    if sum(source is not None for source in (noise, matrix, predictions)) != 1:
        raise InputError(
            "name a noise, --noise symmetric --rate 0.4 --classes 10, or a file, --matrix T.csv or --predictions P.csv"
        )
    said: list[str] = []
    found: dict[str, Any] = {}
    if matrix is not None:
        answer = noises.threshold(noises.read_transition(matrix), q)
    elif predictions is not None:
        answer, found, said = _estimated(predictions, q)
    else:
        answer = _known(str(noise), rate, classes, dataset, settings, q)
    if as_json:
        say(json.dumps({**dataclasses.asdict(answer), "a": _finite(answer.a), **found}))
    else:
        say("\n".join([str(answer), *said]))


def _known(
    noise: str, rate: float | None, classes: int | None, dataset: str | None, settings: str, q: float
) -> Threshold:
    from jal import noise as noises

    if noise not in ("symmetric", "pair", "asymmetric"):
        raise unknown("noise with a transition", noise, ("symmetric", "pair", "asymmetric"))
    if rate is None:
        raise InputError(f"--noise {noise} needs its rate: --rate 0.4")
    if noise == "asymmetric":
        if dataset is None:
            raise InputError("asymmetric noise needs the dataset whose classes flip: --dataset cifar10")
        return noises.threshold(noises.asymmetric(dataset, rate, settings), q)
    if classes is None:
        raise InputError(f"{noise} noise needs the number of classes: --classes 10")
    return noises.threshold_of(noise, classes, rate, q)


def _estimated(file: Path, q: float) -> tuple[Threshold, dict[str, Any], list[str]]:
    """What predictions say of `a`: the answer, more of it as JSON data, and in lines."""
    from jal import noise as noises

    given, P = noises.read_predictions(file)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answer = noises.threshold(noises.transition_from_predictions(P, given), q)
    doubts = [str(warning.message) for warning in caught]
    chance = noises.smallest_a(noises.confident_joint(P, given), q)
    low, high = chance.enough(0.025), chance.enough(0.975)
    return (
        answer,
        {"interval": [_finite(low), _finite(high)], "warnings": doubts},
        [
            f"estimated by the confident joint of {len(given):,} predictions; 95 % interval of chance alone: "
            f"{low:.4g} to {high:.4g}",
            "biased as well: where the model errs, a comes out too large, which is the safe side; only where labels "
            "nearly tie may it be too small",
            *(f"warning: {doubt}" for doubt in doubts),
        ],
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
