"""Running: one spec, or all those that a store lacks."""

from __future__ import annotations

import multiprocessing
import os
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from typing import Any

from jal.experiments import provenance
from jal.experiments.device import choose_device, computing
from jal.experiments.labels import noisy_labels
from jal.experiments.record import SCHEMA, Record, RecordError
from jal.experiments.spec import RunSpec
from jal.experiments.store import Store, find

EpochProgress = Callable[[int, Mapping[str, float]], None]
RunProgress = Callable[[int, int, Record], None]


def run(
    spec: RunSpec,
    device: str = "auto",
    deterministic: bool = False,
    progress: EpochProgress | None = None,
    commit: tuple[str, bool] | None = None,
) -> Record:
    """Loads the data, makes the labels noisy, trains, and reports.

    Parameters
    ----------
    device
        torch's name, or "auto": cuda, then mps, then cpu.
    deterministic
        one thread and deterministic kernels: the same bits twice on one machine.
    progress
        called after each epoch with its number, the first being 1, and the epoch's quantities, among them
        `test_accuracy` and `images_per_second`.
    commit
        what `provenance.commit` gave, where it has been asked already.

    Raises
    ------
    InputError
        for data, a device or a recipe that is not to be had here.
    jal.training.loop.TrainingError
        when the loss is no longer finite.
    """
    import torch

    from jal import datasets, losses, models
    from jal.training.loop import train

    commit = commit or provenance.commit()
    device = choose_device(device)
    data = datasets.load(spec.dataset)
    given = noisy_labels(spec, data)
    parameters: dict[str, Any] = {**spec.loss.parameters, "reduction": "none"}
    loss = losses.build(spec.loss.name, None, **parameters)
    began = time.perf_counter()

    def report(epoch: int, quantities: Mapping[str, float]) -> None:
        if progress is not None:
            rate = epoch * len(given) / (time.perf_counter() - began)
            progress(epoch, {**quantities, "images_per_second": rate})

    recipe = spec.recipe
    _, height, size, channels = data.train_images.shape
    pixels = recipe.batch_size * height * size
    with computing(deterministic, pixels), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(spec.seed)
        model = models.build(recipe.model, data.num_classes, channels, size, recipe.width, recipe.initial)
        curves = train(model, loss, data, given, recipe, seed=spec.seed, device=device, progress=report)
        environment = provenance.environment(device, torch.get_num_threads(), commit)
    seconds = time.perf_counter() - began
    rounded = {name: [_rounded(value) for value in curve] for name, curve in curves.items()}
    return Record(
        schema=SCHEMA,
        id=spec.id,
        spec=spec,
        accuracy=rounded["test_accuracy"][-1],
        curves=rounded,
        environment=environment | {"deterministic": deterministic},
        timing={
            "seconds": round(seconds, 3),
            "images_per_second": round(recipe.epochs * len(given) / seconds, 1),
        },
    )


def run_missing(
    specs: Iterable[RunSpec],
    store: Store,
    jobs: int | None = None,
    device: str = "auto",
    deterministic: bool = False,
    progress: RunProgress | None = None,
    also: Sequence[Store] = (),
    commit: tuple[str, bool] | None = None,
) -> list[Record]:
    """The Records of `specs`, in their order; those that no store has are run and kept in `store`.

    Several jobs are processes of their own with one torch thread each. A script that calls this at its top level
    must guard the call with `if __name__ == "__main__"`, as always with processes.

    Parameters
    ----------
    store
        written to, a Record as soon as its run ends.
    jobs
        runs at a time; as many as the machine has cores if left out. One job runs in this process.
    progress
        called after each run with how many are done, how many there are to do, and the Record.
    also
        stores that are read as well, never written.
    commit
        as for `run`.

    Raises
    ------
    InputError
        for a store that cannot be written.
    jal.training.loop.TrainingError
        when a run failed, after all others have ended.
    """
    from jal.errors import TrainingError

    specs = list(specs)
    store.prepare()
    records = {spec.id: record for spec in specs if (record := _stored(spec, [store, *also]))}
    missing = list({spec.id: spec for spec in specs if spec.id not in records}.values())
    if not missing:
        return [records[spec.id] for spec in specs]
    commit = commit or provenance.commit()
    failures: list[str] = []

    def keep(spec: RunSpec, outcome: Callable[[], Record]) -> None:
        try:
            record = outcome()
        except TrainingError as error:
            failures.append(f"{spec.loss.name} ({spec.id}): {error}")
            return
        store.put(record)
        records[spec.id] = record
        if progress is not None:
            progress(len(missing) - sum(each.id not in records for each in missing), len(missing), record)

    jobs = min(jobs or os.cpu_count() or 1, len(missing))
    if jobs == 1:
        for spec in missing:
            keep(spec, partial(run, spec, device, deterministic, None, commit))
    else:
        with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _one_thread) as pool:
            try:
                futures = {
                    pool.submit(run, spec, device, deterministic, None, commit): spec for spec in missing
                }
                for future in as_completed(futures):
                    keep(futures[future], future.result)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    if failures:
        raise TrainingError(f"{len(failures)} of {len(missing)} runs failed; the first: {failures[0]}")
    return [records[spec.id] for spec in specs]


def train_command(
    spec: RunSpec,
    results: str | Path = "runs",
    device: str = "auto",
    deterministic: bool = False,
    again: bool = False,
    progress: EpochProgress | None = None,
) -> tuple[Record, Path, bool]:
    """One run, kept in the folder `results`.

    Returns
    -------
    the Record, its file, and whether it was run now: one that is there already is not run `again` unless asked.

    Raises
    ------
    as `run`, and InputError for a folder that cannot be written.
    """
    store = Store(results)
    store.prepare()
    record = None if again else _stored(spec, [store])
    if record is not None:
        return record, store.file(spec), False
    record = run(spec, device, deterministic, progress)
    return record, store.put(record), True


def _stored(spec: RunSpec, stores: Sequence[Store]) -> Record | None:
    """What the stores have; a damaged file counts as missing, and is named."""
    try:
        found = find(spec, stores)
    except RecordError as error:
        warnings.warn(f"{error}; it is run again", stacklevel=3)
        return None
    return found[0] if found else None


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _rounded(value: float) -> float:
    """To 8 significant digits: finer than any claim, and half the bytes."""
    return float(f"{value:.8g}")
