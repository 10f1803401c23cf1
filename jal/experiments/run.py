"""Running: one spec, or all those that a store lacks."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jal.errors import Stopped, TrainingError
from jal.experiments import provenance
from jal.experiments.device import choose_device, computing
from jal.experiments.labels import noisy_labels
from jal.experiments.record import SCHEMA, Record, RecordError
from jal.experiments.spec import RunSpec
from jal.experiments.store import Store, find

if TYPE_CHECKING:
    from jal.datasets import ImageData
    from jal.training.data import DeviceData
    from jal.training.loop import Training

EpochProgress = Callable[[int, Mapping[str, float]], None]
RunProgress = Callable[[int, int, Record], None]

_on_devices: dict[tuple[str, str], DeviceData] = {}
_shared = threading.Lock()
"""Held by whoever draws from torch's one random stream, or loads what all runs share: those on one card are threads."""


def run(
    spec: RunSpec,
    device: str = "auto",
    deterministic: bool = False,
    progress: EpochProgress | None = None,
    commit: tuple[str, bool] | None = None,
    data_root: str | Path | None = None,
    checkpoints: str | Path | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Record:
    """Loads the data, makes the labels noisy, trains, and reports.

    Parameters
    ----------
    device
        torch's name, or "auto": cuda, then mps, then cpu.
    deterministic
        one thread, eager, deterministic kernels: the same bits twice on one machine.
    progress
        called after each epoch with its number, the first being 1, and the epoch's quantities, among them
        `test_accuracy` and `images_per_second`.
    commit
        what `provenance.commit` gave, where it has been asked already.
    data_root
        the folder of the datasets' folders; $JAL_DATA if left out.
    checkpoints
        a folder: what is found there of this run is gone on from, and what it reaches is kept there every half
        minute. Whoever has stored the Record clears it (`Checkpoints.clear`).
    stop
        asked after each step; once it says yes, the run is kept and leaves with `Stopped`.

    Raises
    ------
    InputError
        for data, a device or a recipe that is not to be had here, or a folder that cannot be written.
    TrainingError
        when the loss is no longer finite.
    Stopped
        when `stop` said so.
    """
    import torch

    from jal.training.checkpoint import Checkpoints

    commit = commit or provenance.commit()
    with _training(spec, device, deterministic, data_root) as training:
        images = len(training.order)
        kept = Checkpoints(checkpoints, spec.id) if checkpoints is not None else None
        before = 0.0
        if kept is not None and (found := kept.load(training.device)):
            training.restore(*found)
            before = found[1]["seconds"]
        began, first = time.perf_counter(), training.epoch * training.steps + training.step

        def seconds() -> float:
            return before + time.perf_counter() - began

        def between(training: Training) -> None:
            stopping = stop()
            if kept is not None and (stopping or kept.due()):
                tensors, meta = training.state()
                kept.save(tensors, meta | {"seconds": seconds()})
            if stopping:
                raise Stopped(f"{spec.loss.name} ({spec.id}) was stopped in epoch {training.epoch + 1}")

        def report(epoch: int, quantities: Mapping[str, float]) -> None:
            if progress is not None:
                share = (epoch * training.steps - first) / training.steps
                rate = share * images / (time.perf_counter() - began)
                progress(epoch, {**quantities, "images_per_second": rate})

        curves = training.run(report, between)
        environment = provenance.environment(str(training.device), torch.get_num_threads(), commit)
    rounded = {name: [_rounded(value) for value in curve] for name, curve in curves.items()}
    return Record(
        schema=SCHEMA,
        id=spec.id,
        spec=spec,
        accuracy=rounded["test_accuracy"][-1],
        curves=rounded,
        environment=environment | {"deterministic": deterministic},
        timing={
            "seconds": round(seconds(), 3),
            "images_per_second": round(spec.recipe.epochs * images / seconds(), 1),
        },
    )


def estimate(spec: RunSpec, device: str = "auto", data_root: str | Path | None = None) -> float:
    """The seconds that a run would take here, from a few of its steps.

    Raises
    ------
    as `run`.
    """
    with _training(spec, device, False, data_root) as training:
        return training.estimate()


@contextmanager
def _training(
    spec: RunSpec, device: str, deterministic: bool, data_root: str | Path | None
) -> Iterator[Training]:
    """A run before its first step, and around it the threads and kernels it is to have."""
    import torch

    from jal import datasets, losses, models
    from jal.training.loop import Training

    device = choose_device(device)
    data = datasets.load(spec.dataset, data_root)
    recipe = spec.recipe
    parameters: dict[str, Any] = {**spec.loss.parameters, "reduction": "none"}
    _, height, size, channels = data.train_images.shape
    with computing(device, deterministic, pixels=recipe.batch_size * height * size):
        with _shared, torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(spec.seed)
            model = models.build(recipe.model, data.num_classes, channels, size, recipe.width, recipe.initial)
        yield Training(
            model,
            losses.build(spec.loss.name, None, **parameters),
            _on_device(data, device),
            noisy_labels(spec, data),
            recipe,
            seed=spec.seed,
            eager=deterministic,
        )


def _on_device(data: ImageData, device: str) -> DeviceData:
    """The data, one copy on a device for all the runs of this process, until another dataset comes."""
    from jal.training.data import DeviceData

    with _shared:
        if (data.name, device) not in _on_devices:
            _on_devices.clear()
            _on_devices[data.name, device] = DeviceData.of(data, device)
        return _on_devices[data.name, device]


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
    data_root: str | Path | None = None,
) -> tuple[Record, Path, bool]:
    """One run, kept in the folder `results`; one that was stopped there is gone on with.

    Returns
    -------
    the Record, its file, and whether it was run now: one that is there already is not run `again` unless asked.

    Raises
    ------
    as `run`, and InputError for a folder that cannot be written.
    """
    from jal.training.checkpoint import Checkpoints
    from jal.training.signals import stop_on_sigterm

    store = Store(results)
    store.prepare()
    record = None if again else _stored(spec, [store])
    if record is not None:
        return record, store.file(spec), False
    kept = Checkpoints(store.checkpoints, spec.id)
    if again:
        kept.clear()
    with stop_on_sigterm() as request:
        record = run(
            spec,
            device,
            deterministic,
            progress,
            data_root=data_root,
            checkpoints=store.checkpoints,
            stop=lambda: request.requested,
        )
    file = store.put(record)
    kept.clear()
    return record, file, True


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
