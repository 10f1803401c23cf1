"""The command line: one function per verb, each a few lines around the library. See `jal --help`."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from jal._version import __version__
from jal.errors import InputError, unknown

app = typer.Typer(
    help="Losses that withstand noisy labels: train with them, choose `a`, build the book.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Root = Annotated[Path | None, typer.Option(help="The book's checkout; looked for upwards if not given.")]
Jobs = Annotated[int | None, typer.Option(help="Processes at a time; one per core if not given.")]
Profile = Annotated[str, typer.Option(help="quick (seconds), laptop (minutes) or full (the paper's recipe).")]
Settings = Annotated[str, typer.Option(help="official (the authors' released code) or paper (its text).")]


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"jal-losses {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def threshold(
    noise: Annotated[str | None, typer.Option(help="symmetric or asymmetric.")] = None,
    rate: Annotated[float | None, typer.Option(help="The share of labels that flip, in [0, 1).")] = None,
    classes: Annotated[int | None, typer.Option(help="The number of classes, for symmetric noise.")] = None,
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
    elif noise == "symmetric":
        if classes is None:
            raise InputError("symmetric noise needs the number of classes: --classes 10")
        T = noises.symmetric(classes, rate)
    elif noise == "asymmetric":
        if dataset is None:
            raise InputError("asymmetric noise needs the dataset whose classes flip: --dataset cifar10")
        T = noises.asymmetric(dataset, rate, settings)
    else:
        raise unknown("noise", noise, ("symmetric", "asymmetric"))
    answer = noises.threshold(T, q)
    if as_json:
        typer.echo(json.dumps({**asdict(answer), "a": answer.a if math.isfinite(answer.a) else None}))
    else:
        typer.echo(str(answer))


@app.command()
def run(
    notebooks: Annotated[list[str] | None, typer.Argument(help="Names; all if none is given.")] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("-p", "--parameter", help="name=value, for each that is to differ.")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="quick, laptop or full.")] = None,
    jobs: Jobs = None,
    output: Annotated[Path | None, typer.Option(help="Where the executed notebooks go.")] = None,
    root: Root = None,
) -> int:
    """Run notebooks with other parameters, several at a time; one that fails does not stop the others."""
    from jal import book as books

    runs = books.run_notebooks(
        notebooks or None,
        books.parse_parameters(parameter or []),
        profile=profile,
        jobs=jobs,
        output=output,
        root=root,
    )
    return 1 if any(done.error for done in runs) else 0


@app.command()
def book(
    profile: Profile = "quick",
    jobs: Jobs = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings of the rendering are errors.")] = False,
    root: Root = None,
) -> int:
    """Build the book into _build/html: execute the notebooks that changed, render the pages."""
    from jal import book as books

    try:
        books.build_book(profile, root=root, jobs=jobs, strict=strict)
    except books.BuildFailed as failure:
        typer.echo(f"jal: {failure}", err=True)
        return 1
    return 0
