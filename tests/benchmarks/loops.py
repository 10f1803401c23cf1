"""What is measured of either loop. Each function runs in a process of its own (see `processes`)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from statistics import fmean, median
from unittest import mock

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from jal import datasets, experiments, losses, models
from jal.datasets import ImageData
from jal.experiments.run import estimate
from jal.training import speed
from jal.training.data import DeviceData
from jal.training.loop import Training
from jal.training.recipe import Recipe, recipe
from tests.benchmarks import conventional
from tests.benchmarks.one_hot import LOSSES

WARM_UP = conventional.WARM_UP
OUR_PARTS = ("data", "forward", "loss", "curves", "backward", "optimiser")
"""Of our step: what the conventional one has, and "curves", the keeping of each image's loss and guess."""


@dataclass(frozen=True)
class Case:
    """What is trained: a dataset by its recipe, in a precision, on a device, with so many threads.

    For tests: `images` random ones instead of the dataset's, a narrow network, another batch size.
    """

    dataset: str
    loss: str
    device: str
    threads: int
    precision: str = "float32"
    images: int | None = None
    width: float = 1.0
    batch_size: int = 128
    workers: int | None = None

    def data(self) -> ImageData:
        if self.images is None:
            return datasets.load(self.dataset)
        images = np.random.RandomState(0).randint(0, 256, (self.images, 32, 32, 3), np.uint8)
        labels = np.arange(self.images) % 10
        return ImageData("random", images, labels, images, labels, tuple("0123456789"))

    def recipe(self) -> Recipe:
        return replace(
            recipe(self.dataset, self.loss),
            precision=self.precision,
            width=self.width,
            batch_size=self.batch_size,
        )

    def model(self, data: ImageData) -> models.Classifier:
        torch.manual_seed(0)
        size, channels = data.train_images.shape[2:]
        return models.build(self.recipe().model, data.num_classes, channels, size, self.width)

    def constants(self) -> Mapping[str, float]:
        return losses.build(self.loss, self.dataset).constants

    def training(self, data: ImageData, on: DeviceData, **change: object) -> Training:
        loss = losses.build(self.loss, self.dataset, reduction="none")
        return Training(
            self.model(data), loss, on, data.train_labels, replace(self.recipe(), **change), seed=0
        )


# The conventional loop


def conventional_loop(case: Case) -> tuple[conventional.Step, DataLoader, DataLoader]:
    """Its step, and the batches that it trains on and is tested with."""
    torch.set_num_threads(case.threads)
    data, recipe, device = case.data(), case.recipe(), torch.device(case.device)
    step = conventional.Step(case.model(data), case.loss, case.constants(), recipe, device, case.precision)
    parts = (data.train_images, data.train_labels, True), (data.test_images, data.test_labels, False)
    training, testing = (
        conventional.load(images, labels, recipe, device, case.workers, shuffled)
        for images, labels, shuffled in parts
    )
    return step, training, testing


def conventional_rate(case: Case, steps: int) -> dict[str, float]:
    """Images a second over `steps` steps, and the peak of the memory."""
    result = conventional.train(*conventional_loop(case), max_steps=WARM_UP + steps)
    return {"images_per_second": result["images_per_second"], **peak_memory(case.device)}


def conventional_split(case: Case, steps: int) -> dict[str, float]:
    """The mean seconds of each part of a step."""
    step, training, _ = conventional_loop(case)
    return conventional.split(step, training, steps)


# Our loop


class Enough(Exception):
    """Leaves a training between two steps."""


@cache
def ready(case: Case) -> tuple[Training, float]:
    """A run after its first step, and the seconds until then, in which what makes steps fast is chosen."""
    torch.set_num_threads(case.threads)
    own_stream(case.device)
    data = case.data()
    training = case.training(data, DeviceData.of(data, case.device))
    return training, take(training, 1)


def own_stream(device: str) -> None:
    """As `jal.experiments.run` has it; this thread's from now on."""
    if device.startswith("cuda"):
        torch.cuda.set_stream(torch.cuda.Stream(device))


def wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.current_stream().synchronize()


def take(training: Training, steps: int, skip: int = 0) -> float:
    """Begins an epoch and takes `steps` steps of it; the seconds of those after the first `skip`."""
    training.epoch = training.step = 0
    began = time.perf_counter()

    def between(training: Training) -> None:
        nonlocal began
        if training.step == skip:
            wait()
            began = time.perf_counter()
        if training.step == steps:
            wait()
            raise Enough

    try:
        training.run(between=between)
    except Enough:
        return time.perf_counter() - began
    raise ValueError(f"an epoch of {training.steps} steps has no {steps}")


def our_rate(case: Case, steps: int) -> dict[str, float]:
    """As `conventional_rate`; with the seconds until the first step was done, and the threads chosen."""
    training, ready_seconds = ready(case)
    seconds = take(training, WARM_UP + steps, WARM_UP)
    return {
        "images_per_second": steps * training.recipe.batch_size / seconds,
        "ready_seconds": ready_seconds,
        "threads": torch.get_num_threads(),
        **peak_memory(case.device),
    }


def our_memory(case: Case) -> dict[str, float]:
    """The peak of the memory of a run as `jal train` makes it: choosing, compiling, some steps and a whole test."""
    torch.set_num_threads(case.threads)
    spec = experiments.resolve(
        dataset=case.dataset if case.images is None else "digits",
        noise="symmetric",
        rate=0.4,
        loss=case.loss,
        precision=case.precision,
    )
    seconds = estimate(spec, case.device)
    return {"whole_run_seconds": seconds, **peak_memory(case.device)}


def our_split(case: Case, steps: int) -> dict[str, float]:
    """The mean seconds of each of OUR_PARTS."""
    torch.set_num_threads(case.threads)
    own_stream(case.device)
    data = case.data()
    # Whole batches only, so that one graph is captured and the last marks are its own.
    whole = len(data.train_labels) // case.batch_size * case.batch_size
    data = replace(data, train_images=data.train_images[:whole], train_labels=data.train_labels[:whole])
    training = case.training(data, DeviceData.of(data, case.device))
    with marks(training) as marked:
        take(training, 1)
        if training.device.type == "cuda":
            captured = marked[-len(OUR_PARTS) - 1 :]
            found = [spans(captured) for _ in range(steps) if take(training, 1)]
            return {part: fmean(span[part] for span in found) for part in OUR_PARTS}
        marked.clear()
        take(training, WARM_UP + steps)
        size = len(OUR_PARTS) + 1
        found = [spans(marked[i : i + size]) for i in range(WARM_UP * size, len(marked), size)]
        return {part: fmean(span[part] for span in found) for part in OUR_PARTS}


def spans(marked: list) -> dict[str, float]:
    """The seconds from each mark to the next, by the name of the next."""

    def between(start: object, end: object) -> float:
        return end - start if isinstance(start, float) else start.elapsed_time(end) / 1000

    return {part: between(start, end) for (_, start), (part, end) in pairwise(marked)}


@contextmanager
def marks(training: Training) -> Iterator[list]:
    """Within it, each training step leaves a mark at its start and at the end of each part.

    A mark is a time of the host; on cuda an event, which a captured step records anew whenever it is replayed.
    """
    marked: list = []
    cuda = training.device.type == "cuda"

    def mark(part: str) -> None:
        if not training.model.training:
            return
        if cuda:
            event = torch.cuda.Event(enable_timing=True, external=True)
            event.record()
            marked.append((part, event))
        else:
            marked.append((part, time.perf_counter()))

    def around(function: Callable, after: str, before: str | None = None) -> Callable:
        def marking(*arguments: object, **options: object) -> object:
            if before is not None:
                mark(before)
            result = function(*arguments, **options)
            mark(after)
            return result

        return marking

    with (
        mock.patch.object(Training, "_step", around(Training._step, "optimiser", before="start")),
        mock.patch.object(Training, "_normalised", around(Training._normalised, "data")),
        mock.patch.object(training, "loss", around(training.loss, "loss", before="forward")),
        mock.patch.object(Tensor, "backward", around(Tensor.backward, "backward", before="curves")),
    ):
        yield marked


def company(case: Case, count: int, epochs: int) -> dict[str, float]:
    """Runs that share a card, each with a thread and a stream of its own: images a second of all together.

    Whole epochs are counted, each with its test; one before them is not.
    """
    data = case.data()
    on = DeviceData.of(data, case.device)
    one_at_a_time, together, ends = threading.Lock(), threading.Barrier(count), []

    def one() -> None:
        began = 0.0

        def progress(epoch: int, quantities: Mapping[str, float]) -> None:
            nonlocal began
            if epoch == 1:
                together.wait()
                began = time.perf_counter()

        try:
            torch.set_num_threads(case.threads)
            own_stream(case.device)
            with one_at_a_time:
                training = case.training(data, on, epochs=1 + epochs)
                training.estimate()
            training.run(progress)
            wait()
            ends.append((began, time.perf_counter()))
        except BaseException:
            together.abort()
            raise

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(ends) < count:
        raise RuntimeError(f"of {count} runs in company {count - len(ends)} failed")
    seconds = max(end for _, end in ends) - min(began for began, _ in ends)
    rate = count * epochs * len(data.train_labels) / seconds
    return {"runs": count, "images_per_second": rate, **peak_memory(case.device)}


# Both


def loss_alone(case: Case) -> dict[str, float]:
    """Seconds of each loop's loss, forward and backward, on logits that are there: nothing else of a step."""
    torch.set_num_threads(case.threads)
    own_stream(case.device)
    data = case.data()
    classes, count = data.num_classes, case.batch_size
    torch.manual_seed(0)
    logits = torch.randn(count, classes, device=case.device, requires_grad=True)
    labels = torch.randint(classes, (count,), device=case.device)
    ours, constants = losses.build(case.loss, case.dataset, reduction="none"), case.constants()
    forms = {"ours": ours, "conventional": lambda z, y: LOSSES[case.loss](z, y, **constants)}
    taken = {}
    for name, form in forms.items():

        def both_ways(form: Callable = form) -> None:
            torch.autograd.grad(form(logits, labels).mean(), logits)

        # Our steps are captured, and so is our loss; the conventional loop is not.
        captured = name == "ours" and case.device.startswith("cuda")
        call = speed.Captured(both_ways) if captured else both_ways
        taken[name] = median(speed.seconds(call, warm_up=3, trials=1) for _ in range(100))
    return taken


def peak_memory(device: str) -> dict[str, int]:
    """Bytes: what this process ever had resident, and on cuda what torch ever had allocated and reserved."""
    peak = {"resident_bytes": conventional.peak_memory(torch.device("cpu"))}
    if device.startswith("cuda"):
        peak["allocated_bytes"] = torch.cuda.max_memory_allocated(device)
        peak["reserved_bytes"] = torch.cuda.max_memory_reserved(device)
    return peak
