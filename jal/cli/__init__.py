"""The command line: one function per verb, each a few lines around the library. See `jal --help`."""

from __future__ import annotations

from typing import Annotated

import typer

from jal._version import __version__
from jal.cli import books, data, experiments, machine, noise

app = typer.Typer(
    help="Losses that withstand noisy labels: train with them, choose `a`, build the book.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


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


app.command()(experiments.train)
app.command()(experiments.sweep)
app.command()(experiments.status)
app.command()(machine.check)
app.command()(noise.threshold)
app.add_typer(data.app, name="data")
app.command()(books.run)
app.command()(books.book)
