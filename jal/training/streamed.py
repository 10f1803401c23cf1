"""The loop for images that are too many to hold: each is read, decoded and transformed when its batch comes.

As in `jal.training.loop`, what is random is a function of the seed and the epoch alone: each image of an epoch has a
random stream of its own, so that neither the number of reading processes nor a stop in between changes a run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from multiprocessing import current_process
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from jal.datasets.large import LargeImages
from jal.errors import InputError
from jal.losses import Loss
from jal.models import Classifier
from jal.training import speed
from jal.training.data import StreamedData
from jal.training.loop import Training
from jal.training.recipe import Recipe
from jal.training.transforms import Pipeline

TRIED = 5
"""Steps from which the rest of a run is estimated."""

Item = tuple[int, int]
"""An image's number and the seed of its transforms."""


class Streamed(Training):
    """A run in the making, its images on disk: see `Training` for what it does and gives.

    The test images of `data.others` are tested after each epoch too: `<name>_accuracy`, per cent.

    Parameters
    ----------
    data
        images that may differ in size: the recipe's `augmentation` and `test_transform` make them one.
    workers
        processes that read ahead; 0: this one reads. One fewer than there are cores if left out.

    Raises
    ------
    InputError
        as `Training`, and while it runs for an image that cannot be read, or images that still differ in size.
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
            workers = 0 if current_process().daemon else (os.cpu_count() or 1) - 1
        self.workers = workers
        self._coming: Iterator[Tensor] = iter(())
        self.right = {name: torch.zeros((), dtype=self.dtype, device=self.device) for name in data.others}
        self.shares |= {f"{name}_accuracy": 100 / len(images) for name, images in data.others.items()}
        if data.others:
            self.tested = {data.test_images.name: "test_accuracy"} | {n: f"{n}_accuracy" for n in data.others}

    def _transforms(self) -> tuple[str, ...]:
        recipe = self.recipe
        self.train_transform = Pipeline(recipe.augmentation, recipe.mean, recipe.std)
        self.test_transform = Pipeline(recipe.test_transform, recipe.mean, recipe.std)
        return ()

    def _begin_epoch(self) -> None:
        super()._begin_epoch()
        N, size = len(self.order), self.recipe.batch_size
        (state,) = np.random.SeedSequence((self.seed, self.epoch, 1)).generate_state(1, np.uint64)
        seeds = torch.randint(2**62, (N,), generator=torch.Generator().manual_seed(int(state)))
        items = list(zip(self.order.tolist(), seeds.tolist(), strict=True))
        batches = [items[begin : begin + size] for begin in range(self.step * size, N, size)]
        self._coming = self._read(self.data.train_images, self.train_transform, batches)

    def _images(self, batch: Tensor, rows: Tensor) -> Tensor:
        return next(self._coming)

    def _parts(self, images: LargeImages) -> Iterator[Tensor]:
        size = self.tested_at_a_time
        items = [(number, 0) for number in range(len(images))]
        batches = [items[begin : begin + size] for begin in range(0, len(items), size)]
        return self._read(images, self.test_transform, batches)

    def _read(
        self, images: LargeImages, transform: Pipeline, batches: Sequence[Sequence[Item]]
    ) -> Iterator[Tensor]:
        loader: DataLoader[Any] = DataLoader(
            _Transformed(images, transform),
            batch_sampler=batches,  # type: ignore[arg-type]
            num_workers=min(self.workers, len(batches)),
            collate_fn=_stacked,
            generator=torch.Generator(),
            pin_memory=self.device.type == "cuda",
        )
        for found in loader:
            if isinstance(found, InputError):
                raise found
            yield found.to(self.device, self.dtype, memory_format=torch.channels_last, non_blocking=True)

    @torch.no_grad()
    def _evaluate(self) -> None:
        super()._evaluate()
        for name, images in self.data.others.items():
            labels = torch.split(torch.tensor(images.labels, device=self.device), self.tested_at_a_time)
            self.right[name].zero_()
            for (_, scores), some in zip(self.passes(images), labels, strict=True):
                self.right[name] += (scores.argmax(1) == some).sum()

    def _totals(self) -> dict[str, Tensor]:
        return super()._totals() | {f"{name}_accuracy": right for name, right in self.right.items()}

    def _seconds_of_a_step(self) -> float:
        steps = min(TRIED, self.steps - self.step)
        began = time.perf_counter()
        for _ in range(steps):
            self._advance()
        speed.synchronise()
        return (time.perf_counter() - began) / steps


class _Transformed(Dataset[Any]):
    """Transformed images by number and seed; in the place of one that cannot be read, the error."""

    def __init__(self, images: LargeImages, transform: Pipeline) -> None:
        self.images, self.transform = images, transform

    def __getitem__(self, item: Item) -> Tensor | InputError:
        number, seed = item
        try:
            image = self.images.open(number)
        except InputError as error:
            return error
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            return self.transform(image)


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
