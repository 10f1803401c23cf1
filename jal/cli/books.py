"""`jal run`, `jal book`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jal.cli.options import ClusterAt, Jobs, Profile, Root, named_values


def run(
    notebooks: Annotated[list[str] | None, typer.Argument(help="Names; all if none is given.")] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("-p", "--parameter", help="name=value: rate=0.6, losses=CE,JAL-CE, seeds=124."),
    ] = None,
    profile: Annotated[str | None, typer.Option(help="quick, laptop or full.")] = None,
    jobs: Jobs = None,
    scheduler: ClusterAt = None,
    output: Annotated[Path | None, typer.Option(help="Where the executed notebooks go.")] = None,
    root: Root = None,
) -> int:
    """Run notebooks with other parameters, several at a time; one that fails does not stop the others."""
    from jal import book as books

    runs = books.run_notebooks(
        notebooks or None,
        named_values(parameter or []),
        profile=profile,
        jobs=jobs,
        scheduler=scheduler,
        output=output,
        root=root,
    )
    return 1 if any(done.error for done in runs) else 0


def book(
    profile: Profile = "quick",
    jobs: Jobs = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings of the rendering are errors.")] = False,
    pdf: Annotated[bool, typer.Option("--pdf", help="Make _build/latex/jal.pdf too; needs LaTeX.")] = False,
    root: Root = None,
) -> None:
    """Build the book into _build/html: execute the notebooks that changed, render the pages."""
    from jal import book as books

    books.build_book(profile, root=root, jobs=jobs, strict=strict, pdf=pdf)
