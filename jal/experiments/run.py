"""Running: one spec, from its data to its Record."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jal import locks
from jal.errors import InputError, Stopped, TrainingError
from jal.experiments import artifacts, provenance
from jal.experiments.device import choose_device, computing
from jal.experiments.labels import missed_rates, noisy_labels, source_of, validation_labels
from jal.experiments.record import SCHEMA, Environment, Part, Record, RecordError
from jal.experiments.schema import pack, unpack
from jal.experiments.spec import RunSpec
from jal.experiments.store import Store, stored

if TYPE_CHECKING:
    from jal.datasets import ImageData
    from jal.datasets.large.sets import LargeData
    from jal.training.data import DeviceData
    from jal.training.loop import Training

EpochProgress = Callable[[int, Mapping[str, float]], None]

_on_devices: dict[tuple[str, Path, int, str], DeviceData] = {}
_shared = threading.Lock()
"""Held by whoever loads what all runs share: those on one card are threads."""


def run(
    spec: RunSpec,
    device: str = "auto",
    deterministic: bool = False,
    progress: EpochProgress | None = None,
    commit: tuple[str, bool] | None = None,
    data_root: str | Path | None = None,
    checkpoints: str | Path | None = None,
    stop: Callable[[], bool] = lambda: False,
    labels: str | Path | None = None,
    keep: Iterable[str] = (),
    store: Store | None = None,
    plain: bool = False,
    skip_broken: bool = False,
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
    labels
        the file of the labels, for noise that is one.
    keep, store
        which of `jal.training.observe.ARTIFACTS` to keep, and the store whose files they become, beside the Record.
    plain
        neither compile the network nor capture its steps, on a GPU.
    skip_broken
        pass over large images that are missing or broken; the Record names them.

    Raises
    ------
    InputError
        for data, a device, a precision or a recipe that is not to be had here, or a folder that cannot be written.
    TrainingError
        when the loss is no longer finite.
    Stopped
        when `stop` said so.

    Examples
    --------
    >>> from jal.experiments import resolve
    >>> spec = resolve(dataset="digits", noise="symmetric", rate=0.2, loss="JAL-CE", epochs=2)
    >>> record = run(spec, deterministic=True)
    >>> len(record.curves["test_accuracy"]) == 2 and record.accuracy > 50
    True
    """
    import torch

    from jal.training.checkpoint import Checkpoints
    from jal.training.data import StreamedData
    from jal.training.observe import Observer

    commit = commit or provenance.commit()
    observer = Observer(keep)
    with _training(spec, device, deterministic, plain, data_root, labels, skip_broken) as training:
        images = len(training.order)
        kept = Checkpoints(checkpoints, spec.id) if checkpoints is not None else None
        before: list[Part] = []
        left_out = training.data.left_out if isinstance(training.data, StreamedData) else {}
        if kept is not None and (found := kept.load(training.device)):
            if found[1].get("left_out", {}) != left_out:
                raise InputError(
                    f"{spec.loss.name} ({spec.id}) was begun with other broken images than there are now: "
                    "begin anew with --again"
                )
            training.restore(*found)
            observer.restore(found[0])
            before = _parts_of(found[1])
        here = provenance.environment(str(training.device), torch.get_num_threads(), commit)
        began, first = time.perf_counter(), training.epoch * training.steps + training.step

        def seconds() -> float:
            return sum(part.seconds for part in before) + time.perf_counter() - began

        def parts() -> list[Part]:
            return _with_part(before, here, time.perf_counter() - began)

        def between(training: Training) -> None:
            stopping = stop()
            if kept is not None and (stopping or kept.due()):
                tensors, meta = training.state()
                kept.save(
                    tensors | observer.state(),
                    meta
                    | {"seconds": seconds(), "parts": pack(parts(), list[Part])}
                    | ({"left_out": left_out} if left_out else {}),
                )
            if stopping:
                remedy = "; the same command goes on from there" if kept is not None else ""
                raise Stopped(
                    f"{spec.loss.name} ({spec.id}) was stopped in epoch {training.epoch + 1}{remedy}"
                )

        def report(epoch: int, quantities: Mapping[str, float]) -> None:
            observer.after_epoch(training, epoch)
            if progress is not None:
                share = (epoch * training.steps - first) / training.steps
                rate = share * images / (time.perf_counter() - began)
                progress(epoch, {**quantities, "images_per_second": rate})

        curves = training.run(report, between)
        environment: Environment = {
            **provenance.environment(str(training.device), torch.get_num_threads(), commit),
            "deterministic": deterministic,
        }
        if len(made := parts()) > 1:
            environment["parts"] = [replace(part, seconds=round(part.seconds, 3)) for part in made]
        tested = training.tested
        seen = observer.artifacts(training)
        true, given = training.data.train_labels.cpu().numpy(), training.given.cpu().numpy()
        rates = missed_rates(spec, true, given, training.data.num_classes)
    rounded = {name: [_rounded(value) for value in curve] for name, curve in curves.items()}
    return Record(
        schema=SCHEMA,
        id=spec.id,
        spec=spec,
        accuracy=rounded["test_accuracy"][-1],
        accuracies={name: rounded[curve][-1] for name, curve in tested.items()},
        curves=rounded,
        environment=environment,
        artifacts={name: artifacts.keep(store, spec, name, arrays) for name, arrays in seen.items() if store},
        labels=source_of(spec.noise, spec.dataset, labels),
        rates=rates,
        left_out=left_out,
        timing={
            "seconds": round(seconds(), 3),
            "images_per_second": round(spec.recipe.epochs * images / seconds(), 1),
        },
    )


def _parts_of(meta: Mapping[str, Any]) -> list[Part]:
    """What a checkpoint says of how far the run was made, and by what."""
    if "parts" in meta:
        return unpack(meta["parts"], list[Part], "the checkpoint's parts")
    return [Part(provenance.UNKNOWN, meta["seconds"])]  # of an older version, which kept the time alone


def _with_part(before: list[Part], here: Mapping[str, Any], seconds: float) -> list[Part]:
    """The parts of a run with one more, which lengthens the last where code and hardware are the same."""
    said = {name: here[name] for name in ("commit", "dirty", "device", "processor", "threads")}
    latest = Part(seconds=seconds, **said)
    if before and replace(before[-1], seconds=seconds) == latest:
        return [*before[:-1], replace(latest, seconds=before[-1].seconds + seconds)]
    return [*before, latest]


def estimate(
    spec: RunSpec,
    device: str = "auto",
    data_root: str | Path | None = None,
    labels: str | Path | None = None,
    plain: bool = False,
    skip_broken: bool = False,
) -> float:
    """The seconds that a run would take here, from a few of its steps.

    Raises
    ------
    as `run`.
    """
    with _training(spec, device, False, plain, data_root, labels, skip_broken) as training:
        return training.estimate()


def estimates(
    spec: RunSpec,
    device: str = "auto",
    data_root: str | Path | None = None,
    labels: str | Path | None = None,
    plain: bool = False,
    skip_broken: bool = False,
) -> dict[str, float]:
    """As `estimate`, by precision: the spec's own first, then each other that the device is fast at.

    Raises
    ------
    as `run`.
    """
    from jal.training.precision import fast_precisions

    device = choose_device(device)
    own = spec.recipe.precision
    wanted = dict.fromkeys([own, *fast_precisions(device)])
    return {name: estimate(spec.at(name), device, data_root, labels, plain, skip_broken) for name in wanted}


@contextmanager
def _training(
    spec: RunSpec,
    device: str,
    deterministic: bool,
    plain: bool,
    data_root: str | Path | None,
    labels: str | Path | None,
    skip_broken: bool,
) -> Iterator[Training]:
    """A run before its first step, and around it the threads and kernels it is to have.

    Raises
    ------
    TrainingError
        where its memory does not suffice, then or later; and as `run`.
    """
    with (
        _memory_told(spec),
        _prepared(spec, device, deterministic, plain, data_root, labels, skip_broken) as training,
    ):
        yield training


@contextmanager
def _memory_told(spec: RunSpec) -> Iterator[None]:
    import torch

    try:
        yield
    except (MemoryError, RuntimeError) as error:
        # On the CPU torch raises no class of its own.
        if not isinstance(error, MemoryError | torch.OutOfMemoryError) and not _NO_MEMORY.search(str(error)):
            raise
        raise TrainingError(
            f"there is not enough memory for batch_size={spec.recipe.batch_size} and "
            f"width={spec.recipe.width:g}: lower one of them, or make fewer runs at a time"
        ) from None


_NO_MEMORY = re.compile("can't allocate memory|not enough memory|Storage size calculation overflowed")


@contextmanager
def _prepared(
    spec: RunSpec,
    device: str,
    deterministic: bool,
    plain: bool,
    data_root: str | Path | None,
    labels: str | Path | None,
    skip_broken: bool,
) -> Iterator[Training]:
    import torch

    from jal import losses, models
    from jal.datasets.large.sets import LargeData
    from jal.training import lt_apl
    from jal.training.data import StreamedData
    from jal.training.loop import Training
    from jal.training.precision import check_precision
    from jal.training.streamed import Streamed
    from jal.training.transforms import drawing

    device = choose_device(device)
    recipe = spec.recipe
    check_precision(recipe.precision, device)
    data = _data(spec, data_root, skip_broken)
    channels, size = _seen(spec, data)
    with computing(device, deterministic, pixels=recipe.batch_size * size**2):
        with drawing, torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(spec.seed)
            model = models.build(recipe.model, data.num_classes, channels, size, recipe.width, recipe.initial)
            if spec.loss.name == lt_apl.NAME:
                loss = lt_apl.install(model, data.num_classes, spec.loss.parameters)
            else:
                options: dict[str, Any] = {**spec.loss.parameters, "reduction": "none"}
                loss = losses.build(spec.loss.name, None, **options)
        training: Training
        if isinstance(data, LargeData):
            training = Streamed(
                model, loss, StreamedData.of(data, device), data.train_labels, recipe, seed=spec.seed
            )
        else:
            training = Training(
                model,
                loss,
                _on_device(data, data_root, device),
                noisy_labels(spec, data, data_root, labels),
                recipe,
                seed=spec.seed,
                eager=deterministic,
                plain=plain,
                validation=validation_labels(spec, data),
            )
        del data  # the maps of its files, which would count as this process's memory
        yield training


def training_data(spec: RunSpec, root: str | Path | None = None) -> ImageData:
    """What a spec trains and tests on, if it is small enough to be held."""
    from jal import datasets

    data = datasets.load(spec.dataset, root)
    return data if spec.recipe.train_size is None else data.first(spec.recipe.train_size)


def _data(spec: RunSpec, root: str | Path | None, skip_broken: bool) -> ImageData | LargeData:
    """What a spec trains and tests on, held whole or read image by image."""
    from jal.datasets.large.sets import TRAINED, load_sets

    if spec.dataset not in TRAINED:
        if skip_broken:
            raise InputError(
                f"--skip-broken with {spec.dataset}: it is for {' and '.join(TRAINED)}, whose images lie in files"
            )
        return training_data(spec, root)
    if spec.noise.kind != "clean":
        raise InputError(
            f"{spec.dataset} with {spec.noise.kind} noise: its labels are noisy as they come, leave --noise out"
        )
    data = load_sets(spec.dataset, root, skip_broken)
    return data if spec.recipe.train_size is None else data.first(spec.recipe.train_size)


def _seen(spec: RunSpec, data: ImageData | LargeData) -> tuple[int, int]:
    """The channels, and the pixels of a side, of the images that the network sees."""
    from jal.datasets.large.sets import LargeData

    if not isinstance(data, LargeData):
        return data.train_images.shape[3], data.train_images.shape[2]
    from jal.training.transforms import Pipeline

    recipe = spec.recipe
    image = Pipeline(recipe.test_transform, recipe.mean, recipe.std)(data.test.open(0))
    return image.shape[0], image.shape[2]


def _on_device(data: ImageData, root: str | Path | None, device: str) -> DeviceData:
    """The data, one copy on a device for all the runs of this process, until another dataset comes."""
    from jal.training.data import DeviceData

    folder = Path(root or os.environ.get("JAL_DATA", "")).absolute()
    key = data.name, folder, len(data.train_labels), device
    with _shared:
        if key not in _on_devices:
            _on_devices.clear()
            _on_devices[key] = DeviceData.of(data, device)
        return _on_devices[key]


def train_command(
    spec: RunSpec,
    results: str | Path = "runs",
    device: str = "auto",
    deterministic: bool = False,
    again: bool = False,
    progress: EpochProgress | None = None,
    data_root: str | Path | None = None,
    labels: str | Path | None = None,
    plain: bool = False,
    skip_broken: bool = False,
) -> tuple[Record, Path, bool]:
    """One run, kept in the folder `results`; one that was stopped there is gone on with.

    While another process makes it, this one waits, for the Record or to go on with it.

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
    record = None if again else stored(spec, [store])
    if record is not None:
        return record, store.file(spec), False
    kept = Checkpoints(store.checkpoints, spec.id)
    with stop_on_sigterm() as request, _locked(spec, store, lambda: request.requested):
        if again:
            kept.clear()
        else:
            with suppress(RecordError):  # which has been named
                record = store.get(spec)
            if record is not None:  # made meanwhile
                return record, store.file(spec), False
        record = run(
            spec,
            device,
            deterministic,
            progress,
            data_root=data_root,
            checkpoints=store.checkpoints,
            stop=lambda: request.requested,
            labels=labels,
            plain=plain,
            skip_broken=skip_broken,
        )
        file = store.put(record)
        kept.clear()
    return record, file, True


@contextmanager
def _locked(spec: RunSpec, store: Store, stop: Callable[[], bool]) -> Iterator[None]:
    """While this process has a run's lock; it is waited for while another one has it.

    Raises
    ------
    Stopped
        if it was asked to meanwhile.
    """
    waited = False
    while (lock := locks.acquire(store.lock(spec.id))) is None:
        if not waited:
            print(f"{spec.loss.name} ({spec.id}) is being made by another process: waiting", file=sys.stderr)
        waited = True
        if stop():
            raise Stopped(f"{spec.loss.name} ({spec.id}) was not begun: another process makes it")
    try:
        yield
    finally:
        locks.release(lock)


def _rounded(value: float) -> float:
    """To 8 significant digits: finer than any claim, and half the bytes."""
    return float(f"{value:.8g}")
