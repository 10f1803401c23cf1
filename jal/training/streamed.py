"""The loop for images that are too many to hold: each is read, decoded and transformed when its batch comes.

As in `jal.training.loop`, what is random is a function of the seed and the epoch alone: each image of an epoch has a
random stream of its own, so that neither the number of reading processes nor a stop in between changes a run.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from multiprocessing import active_children, current_process
from multiprocessing.process import BaseProcess
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from jal.cores import cores
from jal.datasets.large import LargeImages
from jal.datasets.large.lists import shown
from jal.errors import InputError, TrainingError
from jal.losses import Loss
from jal.models import Classifier
from jal.training import speed
from jal.training.curves import Curves
from jal.training.data import StreamedData
from jal.training.loop import Progress, Training, stream
from jal.training.recipe import Recipe
from jal.training.transforms import Pipeline, drawing

TRIED = 5
"""Steps from which the rest of a run is estimated, or as many as there are readers."""

MOST_READERS = 16
"""More do not make one GPU faster, and each holds two batches."""

PATIENCE = 30
"""Seconds for which a reader goes on that was told to end: the run needs its batches up to where it stops."""

_TOLD = (signal.SIGINT, signal.SIGTERM)
"""What a batch system or a person at the keyboard sends to the readers too."""

Item = tuple[int, int]
"""An image's number and the seed of its transforms."""


class Streamed(Training):
    """A run in the making, its images on disk: see `Training` for what it does and gives.

    The test images of `data.others` are tested after each epoch too: `<name>_accuracy`, per cent. Curves that need
    true labels of the training images are left out.

    Parameters
    ----------
    data
        images that may differ in size: the recipe's `augmentation` and `test_transform` make them one.
    workers
        processes that read ahead; 0: this one reads. If left out one fewer than there are cores, at most
        `MOST_READERS`.

    Raises
    ------
    InputError
        as `Training`, and while it runs for an image that cannot be read, or images that still differ in size.
    TrainingError
        as `Training`, and where a reading process was killed.
    """

    data: StreamedData

    def __init__(
        self,
        model: Classifier,
        loss: Loss,
        data: StreamedData,
        given: NDArray[np.int64],
        recipe: Recipe,
        *,
        seed: int,
        workers: int | None = None,
    ) -> None:
        # Eager: neither a captured step nor one on the processor's threads would wait for images.
        super().__init__(model, loss, data, given, recipe, seed=seed, eager=True)
        self.tested_at_a_time = recipe.batch_size
        if workers is None:
            # A daemon, such as a worker of dask's, may not have processes of its own.
            workers = 0 if current_process().daemon else min(cores() - 1, MOST_READERS)
        self.workers = workers
        self._readers: list[BaseProcess] = []
        self._coming = self._read(data.train_images, self.train_transform, ())
        self.right = {name: torch.zeros((), dtype=self.dtype, device=self.device) for name in data.others}
        # Whether a label is right is not known.
        self.shares = {name: share for name, share in self.shares.items() if not name.startswith("clean_")}
        self.shares |= {f"{name}_accuracy": 100 / len(images) for name, images in data.others.items()}
        if data.others:
            self.tested = {data.test_images.name: "test_accuracy"} | {n: f"{n}_accuracy" for n in data.others}

    def run(
        self, progress: Progress | None = None, between: Callable[[Training], None] | None = None
    ) -> Curves:
        """As `Training.run`; no reader outlives it."""
        with self._reading():
            return super().run(progress, between)

    def estimate(self) -> float:
        """As `Training.estimate`; no reader outlives it."""
        with self._reading():
            return super().estimate()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            # torch's, raised wherever the run is when it hears of it.
            if all(reader.exitcode in (None, 0) for reader in self._readers):
                raise
            raise TrainingError(
                f"a process that reads images was killed: is there memory, and room in /dev/shm, for {self.workers}? "
                f"({' '.join(str(error).split())})"
            ) from None
        finally:
            self._coming.close()

    def _transforms(self) -> tuple[str, ...]:
        recipe = self.recipe
        self.train_transform = Pipeline(recipe.augmentation, recipe.mean, recipe.std)
        self.test_transform = Pipeline(recipe.test_transform, recipe.mean, recipe.std)
        return ()

    def _begin_epoch(self) -> None:
        super()._begin_epoch()
        seeds = torch.randint(2**62, self.order.shape, generator=stream(self.seed, self.epoch, 1))
        items = list(zip(self.order.tolist(), seeds.tolist(), strict=True))
        left = items[self.step * self.recipe.batch_size :]
        self._coming = self._read(self.data.train_images, self.train_transform, left)

    def _images(self, batch: Tensor, rows: Tensor) -> Tensor:
        return next(self._coming)

    def _parts(self, images: LargeImages) -> Iterator[Tensor]:
        return self._read(images, self.test_transform, [(number, 0) for number in range(len(images))])

    def _read(
        self, images: LargeImages, transform: Pipeline, items: Sequence[Item]
    ) -> Generator[Tensor, None, None]:
        size = self.recipe.batch_size
        batches = [items[begin : begin + size] for begin in range(0, len(items), size)]
        readers = min(self.workers, len(batches))
        loader: DataLoader[Any] = DataLoader(
            # A reader has the random stream of its process for itself.
            _Transformed(images, transform, nullcontext() if readers else drawing),
            batch_sampler=batches,  # type: ignore[arg-type]
            num_workers=readers,
            collate_fn=_stacked,
            worker_init_fn=_patient,
            generator=torch.Generator(),
            pin_memory=self.device.type == "cuda",
        )
        try:
            with _held_back():
                before = active_children()
                coming = iter(loader)
                alive = [reader for reader in self._readers if reader.exitcode is None]
                self._readers = alive + [each for each in active_children() if each not in before]
            for found in coming:
                if isinstance(found, InputError):
                    raise found
                yield found.to(self.device, self.dtype, memory_format=torch.channels_last, non_blocking=True)
        except (OSError, EOFError) as error:  # a reader died while it handed a batch over
            time.sleep(1)  # in the main thread torch raises now, or it would wherever the error is told
            raise RuntimeError(type(error).__name__) from error

    @torch.no_grad()
    def _evaluate(self) -> None:
        super()._evaluate()
        for name, images in self.data.others.items():
            labels = torch.split(torch.tensor(images.labels, device=self.device), self.tested_at_a_time)
            self.right[name].zero_()
            for (_, scores), some in zip(self.passes(images), labels, strict=True):
                self.right[name] += (scores.argmax(1) == some).sum()

    def _end_epoch(self) -> dict[str, float]:
        self._coming.close()  # all is read, but it waits to be asked once more
        return super()._end_epoch()

    def _totals(self) -> dict[str, Tensor]:
        return super()._totals() | {f"{name}_accuracy": right for name, right in self.right.items()}

    def _seconds_of_a_step(self) -> float:
        self.step = 0
        self._begin_epoch()
        # The readers' first batches come at one time, after the start of all.
        ahead = min(self.workers, self.steps // 2)
        steps = min(max(TRIED, self.workers), self.steps - ahead)
        for _ in range(ahead):
            self._advance()
        speed.synchronise()
        began = time.perf_counter()
        for _ in range(steps):
            self._advance()
        speed.synchronise()
        seconds = time.perf_counter() - began
        self._coming.close()
        return seconds / steps


class _Transformed(Dataset[Any]):
    """Transformed images by number and seed; in the place of one that cannot be read, the error."""

    def __init__(self, images: LargeImages, transform: Pipeline, turn: AbstractContextManager[Any]) -> None:
        self.images, self.transform, self.turn = images, transform, turn

    def __getitem__(self, item: Item) -> Tensor | InputError:
        number, seed = item
        try:
            image = self.images.open(number)
        except InputError as error:
            return error
        try:
            with self.turn, torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(seed)
                return self.transform(image)
        except ValueError as error:  # such as a crop larger than the image
            return InputError(
                f"{shown(os.fsencode(self.images.path(number)))} cannot be transformed: {error}"
            )


@contextmanager
def _held_back() -> Iterator[None]:
    """A reader that is begun here hears signals only once it is patient."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _TOLD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _patient(_: int) -> None:
    """A reader hears what its whole group is told, Ctrl-C or a batch system's SIGTERM; the run decides what follows."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Not ignored: so torch ends a reader that hangs.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, lambda *_: signal.alarm(PATIENCE))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _TOLD)


def _stacked(images: Sequence[Tensor | InputError]) -> Tensor | InputError:
    """A batch, (N, 3, height, width), or the first of its errors: raised in a reader, it would lose its one line."""
    tensors = []
    for image in images:
        if isinstance(image, InputError):
            return image
        tensors.append(image)
    sizes = {tuple(image.shape[1:]) for image in tensors}
    if len(sizes) > 1:
        return InputError(
            f"the transforms leave images of different sizes, {' and '.join(map(str, sorted(sizes)[:2]))}: "
            "end augmentation and test_transform with a crop, such as crop224 and centrecrop224"
        )
    return torch.stack(tensors)
