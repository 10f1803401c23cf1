"""`jal threshold`."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Annotated

import typer

from jal.cli.options import Json, Settings
from jal.cli.show import say
from jal.errors import InputError, unknown


def threshold(
    noise: Annotated[str | None, typer.Option(help="symmetric, pair or asymmetric.")] = None,
    rate: Annotated[float | None, typer.Option(help="The share of labels that flip, in [0, 1).")] = None,
    classes: Annotated[int | None, typer.Option(help="Their number, for symmetric and pair noise.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Whose classes flip, for asymmetric noise.")] = None,
    settings: Settings = "official",
    matrix: Annotated[
        Path | None, typer.Option(help="A CSV file instead: row i holds P(given label | true label i).")
    ] = None,
    q: Annotated[float, typer.Option(help="The exponent of AMSE.")] = 2.0,
    as_json: Json = False,
) -> None:
    """The smallest `a` for which AMSE, and so JAL, withstands a noise; or why there is none."""
    from jal import noise as noises

    if (noise is None) == (matrix is None):
        raise InputError("name a noise, --noise symmetric --rate 0.4 --classes 10, or a file, --matrix T.csv")
    if matrix is not None:
        T = noises.read_transition(matrix)
    elif rate is None:
        raise InputError(f"--noise {noise} needs its rate: --rate 0.4")
    elif noise in ("symmetric", "pair"):
        if classes is None:
            raise InputError(f"{noise} noise needs the number of classes: --classes 10")
        T = noises.symmetric(classes, rate) if noise == "symmetric" else noises.pair(classes, rate)
    elif noise == "asymmetric":
        if dataset is None:
            raise InputError("asymmetric noise needs the dataset whose classes flip: --dataset cifar10")
        T = noises.asymmetric(dataset, rate, settings)
    else:
        raise unknown("noise with a transition", noise, ("symmetric", "pair", "asymmetric"))
    answer = noises.threshold(T, q)
    if as_json:
        say(json.dumps({**dataclasses.asdict(answer), "a": answer.a if math.isfinite(answer.a) else None}))
    else:
        say(str(answer))
