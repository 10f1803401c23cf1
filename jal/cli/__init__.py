"""The command line: one function per verb, each a few lines around the library. See `jal --help`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from jal._version import __version__
from jal.cli import books, data, experiments, machine, noise

app = typer.Typer(
    help="Losses that withstand noisy labels: train with them, choose `a`, build the book.",
    no_args_is_help=True,
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


EXAMPLES: dict[Callable[..., int | None], str] = {
    experiments.train: "jal train --dataset digits --noise symmetric --rate 0.4 --loss JAL-CE -p a=20 -r epochs=3",
    experiments.sweep: "jal sweep digits --where loss=CE,noise=symmetric,rate=0.4 --seeds 123 --budget 9m",
    experiments.status: "jal status table3-cifar10 --profile laptop",
    machine.check: "jal check --device cpu",
    noise.threshold: "jal threshold --noise symmetric --rate 0.8 --classes 10",
    books.run: "jal run joint_loss -p values_of_a=1,2,30 -p seed=7 --profile quick",
    books.book: "jal book --profile laptop",
}
for command, example in EXAMPLES.items():
    app.command(epilog=f"Example: {example}")(command)
app.add_typer(data.app, name="data")
