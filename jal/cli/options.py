"""Options that several commands have, and what their texts mean."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from jal.errors import InputError, unknown

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Device = Annotated[str, typer.Option(help="auto is cuda, then mps, then cpu.")]
Deterministic = Annotated[
    bool, typer.Option("--deterministic", help="One thread, eager: the same bits twice on one machine.")
]
Plain = Annotated[
    bool,
    typer.Option(
        "--plain",
        help="On a GPU neither compile the network nor capture steps as graphs: slower, for when these give trouble. "
        "The run stays the same, and so does the choice of threads on a CPU.",
    ),
]
Root = Annotated[Path | None, typer.Option(help="The book's checkout; looked for upwards if not given.")]
Jobs = Annotated[int | None, typer.Option(help="Processes at a time; one per core if not given.")]
Profile = Annotated[str, typer.Option(help="quick (seconds), laptop (minutes) or full (the paper's recipe).")]
GridProfile = Annotated[
    str, typer.Option(help="full (the paper's dataset), laptop (Fashion-MNIST) or quick (digits).")
]
Precision = Annotated[
    str | None,
    typer.Option(help="float32, bfloat16 (mixed) or float64; the recipe's own if not given."),
]
Results = Annotated[Path, typer.Option(help="The folder of Records.")]
Alone = Annotated[
    bool,
    typer.Option("--alone", help="Leave out data/results, the book's own Records: these alone count."),
]
ClusterAt = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        help="tls://host:8786, or tcp:// which is open to all who reach it (dask); or slurm:PROFILE, encrypted with "
        "certificates of its own: work on other machines.",
    ),
]
DataRoot = Annotated[
    Path | None, typer.Option(help="The folder of the datasets' folders; $JAL_DATA if not given.")
]
Settings = Annotated[str, typer.Option(help="official (the authors' released code) or paper (its text).")]
LabelsFile = Annotated[
    Path | None, typer.Option("--labels", help="A file of noisy labels: see `jal data labels`.")
]
NoiseName = Annotated[
    str, typer.Option("--noise", help="clean, symmetric, asymmetric, pair, instance or human.")
]
Rate = Annotated[float | None, typer.Option(help="The share of labels that flip, in [0, 1).")]
Variant = Annotated[
    str | None,
    typer.Option(help="Of human labels aggre, rand1, rand2, rand3, worst; of instance noise fixed, pdn."),
]
Method = Annotated[str, typer.Option(help="How labels are drawn: exact counts, or bernoulli.")]


def named_values(pairs: Iterable[str]) -> dict[str, Any]:
    """Values from `name=value` texts; a value is a Python literal if it reads as one, else a string."""
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (equals and name.isidentifier()):
            raise InputError(f"{pair!r} is not of the form name=value, such as a=20")
        if name in values:
            raise InputError(f"{name} is given twice, the second time as {pair!r}: give it once")
        try:
            values[name] = ast.literal_eval(value)
        except (SyntaxError, ValueError):
            values[name] = value
    return values


MEANT = {
    "lr": "learning_rate",
    "weight_decay": "l2",
    "wd": "l2",
    "batch": "batch_size",
    "optimizer": "optimiser",
    "scheduler": "schedule",
    "grad_clip": "clip_norm",
}
"""Fields of recipes by the names that they have elsewhere, as far as no spelling leads from one to the other."""


def recipe_values(pairs: Iterable[str], kinds: Mapping[str, str]) -> dict[str, Any]:
    """Values of recipes' fields, in the form that each takes: "10,20" as a tuple, "false" as False, "null" as None.

    Parameters
    ----------
    kinds
        of each field, as its annotation is written.
    """
    values = named_values(pairs)
    for name, value in values.items():
        if name not in kinds:
            raise unknown("field of recipe", name, kinds, MEANT.get(name))
        kind, word = kinds[name], value.lower() if isinstance(value, str) else None
        if kind.startswith("tuple"):
            parts = value.split(",") if isinstance(value, str) else value
            values[name] = tuple(parts) if isinstance(parts, list | tuple) else (parts,)
        elif kind == "bool" and word in ("true", "false"):
            values[name] = word == "true"
        elif "None" in kind and word in ("none", "null"):
            values[name] = None
    return values


def integers(option: str, text: str | None) -> list[int] | None:
    """Integers from a text with commas."""
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--{option} {text!r}: give integers with commas between, e.g. 123,124") from None


def noise_and_variant(noise: str, variant: str | None, labels: Path | None) -> tuple[str, str | None]:
    """The noise that a command is of, and its variant: those named, or a file's labels."""
    if labels is None:
        return noise, variant
    if noise != "clean" or variant is not None:
        raise InputError(
            f"--labels {labels} with --noise {noise}: the file's labels are the noise; name one of them"
        )
    from jal.noise import read_labels

    return "file", read_labels(labels).sha256
