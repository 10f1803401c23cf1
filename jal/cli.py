"""The command line: one function per verb, each a few lines around the library. See `jal --help`."""

from __future__ import annotations

import ast
import dataclasses
import json
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from jal._version import __version__
from jal.errors import InputError, unknown

EpochProgress = Callable[[int, Mapping[str, float]], None]

app = typer.Typer(
    help="Losses that withstand noisy labels: train with them, choose `a`, build the book.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Device = Annotated[str, typer.Option(help="auto is cuda, then mps, then cpu.")]
Deterministic = Annotated[
    bool, typer.Option("--deterministic", help="One thread, eager: the same bits twice on one machine.")
]
Root = Annotated[Path | None, typer.Option(help="The book's checkout; looked for upwards if not given.")]
Jobs = Annotated[int | None, typer.Option(help="Processes at a time; one per core if not given.")]
Profile = Annotated[str, typer.Option(help="quick (seconds), laptop (minutes) or full (the paper's recipe).")]
GridProfile = Annotated[
    str, typer.Option(help="full (the paper's dataset), laptop (Fashion-MNIST) or quick (digits).")
]
Results = Annotated[Path, typer.Option(help="The folder of Records.")]
DataRoot = Annotated[
    Path | None, typer.Option(help="The folder of the datasets' folders; $JAL_DATA if not given.")
]
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
def train(
    dataset: Annotated[str, typer.Option(help="digits, fashion-mnist, cifar10 or cifar100.")],
    loss: Annotated[str, typer.Option(help="A name of the paper's tables: CE, NCE+RCE, JAL-CE, ...")],
    noise: Annotated[
        str, typer.Option(help="clean, symmetric, asymmetric, pair, instance or human.")
    ] = "clean",
    rate: Annotated[float | None, typer.Option(help="The share of labels that flip, in [0, 1).")] = None,
    variant: Annotated[
        str | None,
        typer.Option(help="Of human labels aggre, rand1, rand2, rand3, worst; of instance noise fixed, pdn."),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="A file of noisy labels instead: see `jal data labels`.")
    ] = None,
    settings: Settings = "official",
    seed: Annotated[int, typer.Option(help="Of weights and batches.")] = 123,
    noise_seed: Annotated[int | None, typer.Option(help="Of the labels; the seed if not given.")] = None,
    method: Annotated[str, typer.Option(help="How labels are drawn: exact counts, or bernoulli.")] = "exact",
    borrow: Annotated[
        str | None, typer.Option(help="The dataset whose loss parameters to take. The digits take cifar10's.")
    ] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("-p", "--parameter", help="name=value of the loss, e.g. a=20.")
    ] = None,
    recipe: Annotated[
        list[str] | None, typer.Option("-r", "--recipe", help="name=value of the recipe, e.g. epochs=20.")
    ] = None,
    results: Results = Path("runs"),
    device: Device = "auto",
    deterministic: Deterministic = False,
    again: Annotated[bool, typer.Option("--again", help="Run even if the Record is there.")] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print the run's spec and how long it would take; train nothing."),
    ] = False,
    tensorboard: Annotated[
        Path | None, typer.Option(help="A folder for TensorBoard: a curve for each quantity of the Record.")
    ] = None,
    data_root: DataRoot = None,
    as_json: Json = False,
) -> None:
    """Train on noisy labels by the paper's recipe; print the last epoch's test accuracy, keep a Record."""
    from jal.experiments.run import estimate, train_command
    from jal.experiments.spec import resolve
    from jal.training.recipe import Recipe

    overrides = named_values(recipe or [])
    fields = [field.name for field in dataclasses.fields(Recipe)]
    for name in overrides:
        if name not in fields:
            raise unknown("field of recipe", name, fields)
    if labels is not None:
        from jal.noise import read_labels

        if noise != "clean" or variant is not None:
            raise InputError(
                f"--labels {labels} with --noise {noise}: the file's labels are the noise, name one"
            )
        noise, variant = "file", read_labels(labels).sha256
    spec = resolve(
        dataset=dataset,
        noise=noise,
        rate=rate,
        variant=variant,
        loss=loss,
        settings=settings,
        seed=seed,
        noise_seed=noise_seed,
        method=method,
        borrow=borrow,
        loss_parameters=named_values(parameter or []),
        **overrides,
    )
    if dry_run:
        seconds = estimate(spec, device, data_root, labels)
        plan = {"id": spec.id, "spec": json.loads(spec.to_json()), "seconds": round(seconds, 1)}
        typer.echo(json.dumps(plan) if as_json else _plan(plan))
        return
    values = ", ".join(f"{name}={value:g}" for name, value in spec.loss.parameters.items())
    title = f"{spec.loss.name} ({values})" if values else spec.loss.name
    progress = _progress(spec.recipe.epochs, title)
    if tensorboard is not None:
        progress = _logged(progress, tensorboard / spec.id)
    record, file, fresh = train_command(
        spec, results, device, deterministic, again, progress, data_root, labels
    )
    if as_json:
        typer.echo(file.read_text(), nl=False)
        return
    typer.echo(f"test accuracy {record.accuracy:.2f} % after the last of {spec.recipe.epochs} epochs")
    typer.echo(f"{file}{'' if fresh else ' (there already; --again runs it anew)'}")


@app.command()
def sweep(
    grid: Annotated[str, typer.Argument(help="A table of the paper, e.g. table3-cifar10.")],
    settings: Settings = "official",
    profile: GridProfile = "full",
    seeds: Annotated[str | None, typer.Option(help="123,124: instead of the grid's own.")] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="loss=JAL-CE,noise=symmetric,rate=0.4: only these runs.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(help="9m, 90s or 2h: stop in time to write everything.")
    ] = None,
    jobs: Jobs = None,
    per_gpu: Annotated[int, typer.Option(help="Runs at a time on each GPU.")] = 1,
    results: Results = Path("runs"),
    device: Device = "auto",
    deterministic: Deterministic = False,
    retry: Annotated[bool, typer.Option("--retry", help="Make runs that failed before once more.")] = False,
    data_root: DataRoot = None,
    as_json: Json = False,
) -> int:
    """Make the runs of a table that are missing, the most valuable first; go on with those that were stopped."""
    from jal.experiments import grids
    from jal.experiments import sweep as sweeps
    from jal.experiments.store import Store

    done = sweeps.sweep(
        grids.get(grid, settings, profile),
        store=Store(results),
        seeds=_integers("seeds", seeds),
        where=where or (),
        budget=budget,
        jobs=jobs,
        per_gpu=per_gpu,
        device=device,
        deterministic=deterministic,
        retry=retry,
        data_root=data_root,
    )
    typer.echo(json.dumps(done.to_dict()) if as_json else str(done))
    return done.exit_code


@app.command()
def status(
    grid: Annotated[str, typer.Argument(help="A table of the paper, e.g. table3-cifar10.")],
    settings: Settings = "official",
    profile: GridProfile = "full",
    seeds: Annotated[str | None, typer.Option(help="123,124: instead of the grid's own.")] = None,
    results: Results = Path("runs"),
    as_json: Json = False,
) -> None:
    """What is done, running, failed and missing of a table, and how long the rest would take."""
    from jal.experiments import grids
    from jal.experiments.status import status as status_of
    from jal.experiments.store import Store

    found = status_of(grids.get(grid, settings, profile), [Store(results)], _integers("seeds", seeds))
    typer.echo(found.to_json() if as_json else str(found), nl=not as_json)


@app.command()
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
        typer.echo(
            json.dumps({**dataclasses.asdict(answer), "a": answer.a if math.isfinite(answer.a) else None})
        )
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
        named_values(parameter or []),
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
) -> None:
    """Build the book into _build/html: execute the notebooks that changed, render the pages."""
    from jal import book as books

    books.build_book(profile, root=root, jobs=jobs, strict=strict)


def named_values(pairs: Iterable[str]) -> dict[str, Any]:
    """Values from `name=value` texts; a value is a Python literal if it reads as one, else a string."""
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (equals and name.isidentifier()):
            raise InputError(f"{pair!r} is not of the form name=value, such as a=20")
        try:
            values[name] = ast.literal_eval(value)
        except (SyntaxError, ValueError):
            values[name] = value
    return values


def _integers(option: str, text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--{option} {text!r}: give integers with commas between, e.g. 123,124") from None


def _plan(plan: dict[str, Any]) -> str:
    """A run's spec, a line a value, and the time it would take."""
    lines = [f"run       {plan['id']}"]
    for part, values in plan["spec"].items():
        pairs = values.items() if isinstance(values, dict) else [("", values)]
        lines += [
            f"{part if not i else '':<9} {name} {value}".rstrip() for i, (name, value) in enumerate(pairs)
        ]
    minutes = plan["seconds"] / 60
    time = (
        f"{minutes / 60:.1f} hours"
        if minutes > 90
        else f"{minutes:.1f} minutes"
        if minutes > 1.5
        else f"{plan['seconds']:.0f} s"
    )
    return "\n".join([*lines, f"takes     about {time} here"])


def _logged(progress: EpochProgress, folder: Path) -> EpochProgress:
    """The same progress, and a curve of each quantity for TensorBoard."""
    from tensorboardX import SummaryWriter

    from jal import files

    try:
        writer = SummaryWriter(str(folder))
    except OSError as error:
        raise files.unwritable(folder, error) from None

    def show(epoch: int, quantities: Mapping[str, float]) -> None:
        for name, value in quantities.items():
            writer.add_scalar(name, value, epoch)
        writer.flush()
        progress(epoch, quantities)

    return show


def _progress(epochs: int, title: str) -> EpochProgress:
    """Epochs on standard error, under a title: one line that moves on a terminal, some ten lines elsewhere."""
    terminal = sys.stderr.isatty()

    def show(epoch: int, quantities: Mapping[str, float]) -> None:
        if epoch == 1:
            typer.echo(title, err=True)
        text = (
            f"epoch {epoch}/{epochs}  test accuracy {quantities['test_accuracy']:.2f} %  "
            f"{quantities['images_per_second']:,.0f} images/s"
        )
        if terminal:
            done = 24 * epoch // epochs
            bar = "#" * done + "-" * (24 - done)
            typer.echo(f"\r[{bar}] {text}\033[K", err=True, nl=epoch == epochs)
        elif epoch * 10 // epochs > (epoch - 1) * 10 // epochs:
            typer.echo(text, err=True)

    return show
