"""`jal train`, `jal sweep`, `jal status`."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from jal.cli.options import (
    Alone,
    ClusterAt,
    DataRoot,
    Deterministic,
    Device,
    GridProfile,
    Jobs,
    Json,
    LabelsFile,
    Method,
    NoiseName,
    Plain,
    Precision,
    Rate,
    Results,
    Settings,
    Variant,
    integers,
    named_values,
    noise_and_variant,
    recipe_values,
)
from jal.cli.show import epochs_shown, logged, plan_text, say, too_small
from jal.errors import InputError


def train(
    dataset: Annotated[
        str,
        typer.Option(
            help="digits, mnist, fashion-mnist, cifar10, cifar100, cifar100-coarse, webvision or clothing1m."
        ),
    ],
    loss: Annotated[str, typer.Option(help="A name of the paper's tables: CE, NCE+RCE, JAL-CE, ...")],
    noise: NoiseName = "clean",
    rate: Rate = None,
    variant: Variant = None,
    labels: LabelsFile = None,
    settings: Settings = "official",
    seed: Annotated[int, typer.Option(help="Of weights and batches.")] = 123,
    noise_seed: Annotated[int | None, typer.Option(help="Of the labels; the seed if not given.")] = None,
    method: Method = "exact",
    borrow: Annotated[
        str | None, typer.Option(help="The dataset whose loss parameters to take. The digits take cifar10's.")
    ] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("-p", "--parameter", help="name=value of the loss, e.g. a=20.")
    ] = None,
    recipe: Annotated[
        list[str] | None,
        typer.Option("-r", "--recipe", help="name=value of the recipe: epochs=20, nesterov=false."),
    ] = None,
    precision: Precision = None,
    results: Results = Path("runs"),
    device: Device = "auto",
    deterministic: Deterministic = False,
    plain: Plain = False,
    skip_broken: Annotated[
        bool,
        typer.Option(
            "--skip-broken", help="Of WebVision and Clothing1M, pass over images that are missing or broken."
        ),
    ] = False,
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
    from jal.datasets.large.report import FIRST
    from jal.datasets.large.sets import TRAINED
    from jal.experiments.labels import report_of
    from jal.experiments.run import estimates, train_command, training_data
    from jal.experiments.spec import resolve

    kind, variant = noise_and_variant(noise, variant, labels)
    spec = resolve(
        dataset=dataset,
        noise=kind,
        rate=rate,
        variant=variant,
        loss=loss,
        settings=settings,
        seed=seed,
        noise_seed=noise_seed,
        method=method,
        borrow=borrow,
        loss_parameters=named_values(parameter or []),
        **_overrides(recipe or [], precision),
    )
    if dry_run:
        times = {
            name: round(s, 1)
            for name, s in estimates(spec, device, data_root, labels, plain, skip_broken).items()
        }
        plan = {
            "id": spec.id,
            "spec": json.loads(spec.to_json()),
            "seconds": times[spec.recipe.precision],
            "seconds_by_precision": times,
        }
        text = "\n".join([plan_text(plan), *_slow(device)])
        # The large sets are trained on as they come: nobody knows their true labels.
        if spec.dataset not in TRAINED:
            report = report_of(spec, training_data(spec, data_root), data_root, labels)
            plan["labels"] = report.to_dict()
            text += f"\n{report}"
        say(json.dumps(plan) if as_json else text)
        return
    if warning := too_small(spec):
        say(warning, err=True)
    values = ", ".join(f"{name}={value:g}" for name, value in spec.loss.parameters.items())
    title = f"{spec.loss.name} ({values})" if values else spec.loss.name
    progress = epochs_shown(spec.recipe.epochs, title)
    if tensorboard is not None:
        progress = logged(progress, tensorboard / spec.id)
    record, file, fresh = train_command(
        spec, results, device, deterministic, again, progress, data_root, labels, plain, skip_broken
    )
    for images, problems in record.left_out.items():
        more = f", and {len(problems) - FIRST:,} more" if len(problems) > FIRST else ""
        say(f"{images}: {len(problems):,} passed over ({', '.join(problems[:FIRST])}{more})", err=True)
    if as_json:
        say(file.read_text(), nl=False)
        return
    say(f"test accuracy {record.accuracy:.2f} % after the last of {spec.recipe.epochs} epochs")
    say(f"{file}{'' if fresh else ' (there already; --again runs it anew)'}")


def _overrides(recipe: list[str], precision: str | None) -> dict[str, Any]:
    """The fields of the recipe that a command replaces."""
    from jal.training.recipe import Recipe

    overrides = recipe_values(recipe, {field.name: str(field.type) for field in dataclasses.fields(Recipe)})
    if precision is not None and overrides.setdefault("precision", precision) != precision:
        raise InputError(
            f"--precision {precision} with -r precision={overrides['precision']}: they disagree, give one of them"
        )
    return overrides


def _slow(device: str) -> list[str]:
    """The line of a plan that says why half precision would not make it faster here, if so."""
    from jal.experiments.device import choose_device
    from jal.training.precision import why_bfloat16_is_slow

    reason = why_bfloat16_is_slow(choose_device(device))
    return [f"{'':<9} {reason}"] if reason else []


def sweep(
    grid: Annotated[str, typer.Argument(help="A table of the paper, e.g. table3-cifar10.")],
    settings: Settings = "official",
    profile: GridProfile = "full",
    precision: Precision = None,
    seeds: Annotated[str | None, typer.Option(help="123,124: instead of the grid's own.")] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="loss=JAL-CE,noise=symmetric,rate=0.4: only these runs.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(help="9m, 90s or 2h: stop in time to write everything.")
    ] = None,
    jobs: Jobs = None,
    per_gpu: Annotated[int, typer.Option(help="Runs at a time on each GPU.")] = 1,
    scheduler: ClusterAt = None,
    results: Results = Path("runs"),
    alone: Alone = False,
    device: Device = "auto",
    deterministic: Deterministic = False,
    plain: Plain = False,
    retry: Annotated[bool, typer.Option("--retry", help="Make runs that failed before once more.")] = False,
    data_root: DataRoot = None,
    as_json: Json = False,
) -> int:
    """Make the runs of a table that are missing, the most valuable first; go on with those that were stopped."""
    from jal.experiments import grids
    from jal.experiments import sweep as sweeps
    from jal.experiments.shelf import trusted
    from jal.experiments.status import held, held_in_words
    from jal.experiments.store import Store
    from jal.experiments.watch import Watch

    store, watch = Store(results), Watch()
    also = [] if alone else trusted(store)
    done = sweeps.sweep(
        grids.get(grid, settings, profile, precision),
        store=store,
        also=also,
        tell=watch.tell,
        watch=watch,
        seeds=integers("seeds", seeds),
        where=where or (),
        budget=budget,
        jobs=jobs,
        per_gpu=per_gpu,
        scheduler=scheduler,
        device=device,
        deterministic=deterministic,
        plain=plain,
        retry=retry,
        data_root=data_root,
    )
    found = held([spec for spec in done.specs if spec.id in done.records], [store, *also])
    where_they_are = f" ({held_in_words(found)})" if also else ""
    say(json.dumps(done.to_dict() | {"found": found}) if as_json else f"{done}{where_they_are}")
    return done.exit_code


def status(
    grid: Annotated[str, typer.Argument(help="A table of the paper, e.g. table3-cifar10.")],
    settings: Settings = "official",
    profile: GridProfile = "full",
    precision: Precision = None,
    seeds: Annotated[str | None, typer.Option(help="123,124: instead of the grid's own.")] = None,
    results: Results = Path("runs"),
    alone: Alone = False,
    as_json: Json = False,
) -> None:
    """What is done, running, failed and missing of a table, and how long the rest would take."""
    from jal.experiments import grids
    from jal.experiments.shelf import trusted
    from jal.experiments.status import status as status_of
    from jal.experiments.store import Store

    store = Store(results)
    stores = [store] if alone else [store, *trusted(store)]
    wanted, asked = integers("seeds", seeds), grids.get(grid, settings, profile, precision)
    found = status_of(asked, stores, wanted)
    say(found.to_json() if as_json else str(found), nl=not as_json)
    if not as_json and precision is None and not asked.names_precision:
        in_half = status_of(grids.get(grid, settings, profile, "bfloat16"), stores, wanted).counts.done
        if in_half:
            say(f"{in_half} done in bfloat16: --precision bfloat16 counts these")
