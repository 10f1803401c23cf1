"""The loop that ours is measured against: this paper's training as one usually writes it in PyTorch.

PIL images through torchvision's transforms in DataLoader's workers, losses on one-hot vectors, the L1 penalty in
the loss, `.item()` after each step. Only the networks and the recipes are ours, so that the two loops do the same
work. `replay` takes given batches instead: in float64 the two must agree there.
"""

from __future__ import annotations

import math
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, islice, repeat

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from jal import vision
from jal.errors import InputError, unknown
from jal.training.recipe import PRECISIONS, Recipe
from tests.benchmarks.clock import Clock
from tests.benchmarks.one_hot import LOSSES

WARM_UP = 5


class Cifar(Dataset):
    """`torchvision.datasets.CIFAR10` with arrays in the place of its files."""

    def __init__(self, images: NDArray[np.uint8], labels: NDArray[np.int64], transform: Callable) -> None:
        self.data, self.targets, self.transform = images, labels.tolist(), transform

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image, target = self.data[index], self.targets[index]
        return self.transform(Image.fromarray(image)), target


def load(
    images, labels, recipe: Recipe, device: torch.device, workers: int | None, training: bool
) -> DataLoader:
    """Batches of augmented (or, for testing, only normalised) images; as usual, from `min(16, cores)` workers.

    Parameters
    ----------
    images
        uint8 (N, height, width, 3).
    """
    transforms = vision.torchvision().transforms
    augmentations = {
        "crop4": transforms.RandomCrop(images.shape[1:3], padding=4),
        "flip": transforms.RandomHorizontalFlip(),
        "rotate20": transforms.RandomRotation(20),
    }
    chosen = [augmentations[name] for name in recipe.augmentation] if training else []
    finish = [transforms.ToTensor(), transforms.Normalize(recipe.mean, recipe.std)]
    workers = min(16, os.cpu_count() or 1) if workers is None else workers
    return DataLoader(
        Cifar(images, labels, transforms.Compose([*chosen, *finish])),
        batch_size=recipe.batch_size,
        shuffle=training,
        num_workers=workers,
        pin_memory=device.type == "cuda",
        persistent_workers=workers > 0,
    )


def on_device(loader: DataLoader, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    for images, labels in loader:
        yield images.to(device, non_blocking=True), labels.to(device, non_blocking=True)


class Step:
    """One step of training: takes a batch on the device, gives its loss, penalty included.

    Parameters
    ----------
    model
        trained in place.
    loss_parameters
        all of the loss's: `jal.losses.build(...).constants`.
    """

    def __init__(
        self,
        model: nn.Module,
        loss_name: str,
        loss_parameters: Mapping[str, float],
        recipe: Recipe,
        device: torch.device,
        precision: str,
    ) -> None:
        if precision not in PRECISIONS:
            raise unknown("precision", precision, PRECISIONS)
        if recipe.schedule != "cosine":
            raise InputError(f"recipe: schedule={recipe.schedule!r} is not for small images: give 'cosine'")
        self.device, self.mixed = device, precision == "bfloat16"
        self.dtype = torch.float64 if precision == "float64" else torch.float32
        self.model, self.recipe = model.to(device, self.dtype), recipe
        self.loss, self.loss_parameters = LOSSES[loss_name], loss_parameters
        self.optimiser = torch.optim.SGD(
            model.parameters(),
            lr=recipe.learning_rate,
            momentum=recipe.momentum,
            nesterov=recipe.nesterov,
            weight_decay=recipe.l2,
        )
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimiser, T_max=recipe.epochs)

    def logits(self, images: Tensor) -> Tensor:
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.mixed):
            return self.model(images.to(self.dtype)).to(self.dtype)

    def __call__(
        self, images: Tensor, labels: Tensor, mark: Callable[[str], None] = lambda part: None
    ) -> float:
        logits = self.logits(images)
        mark("forward")
        loss = self.loss(logits, labels, **self.loss_parameters).mean()
        if self.recipe.l1:
            loss = loss + self.recipe.l1 * sum(p.abs().sum() for p in self.model.parameters())
        mark("loss")
        self.optimiser.zero_grad()
        loss.backward()
        mark("backward")
        if self.recipe.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip_norm)
        self.optimiser.step()
        value = loss.item()
        mark("optimiser")
        return value


@contextmanager
def cudnn_benchmark() -> Iterator[None]:
    """cuDNN tries its algorithms and keeps the fastest, as most training scripts have it."""
    before, torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark, True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


@cudnn_benchmark()
def train(
    step: Step,
    training: DataLoader,
    testing: DataLoader,
    epochs: int | None = None,
    max_steps: int | None = None,
) -> dict:
    """Trains the step's network in place, on torch's global random stream.

    Parameters
    ----------
    training, testing
        of `load`.
    epochs
        fewer than the recipe's, which its schedule keeps to.
    max_steps
        stop after so many, without a last look at the test images.

    Returns
    -------
    dict
        `steps`; `images_per_second` while training, without the first 5 steps (NaN if there are no others);
        `train_loss` (penalty included), `test_accuracy` (per cent) and `evaluation_seconds`, one for each
        evaluation; `peak_memory` in bytes: on cuda what torch had allocated since the start, else what this
        process, its workers apart, ever had resident.
    """
    if step.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(step.device)
    result: dict = {"train_loss": [], "test_accuracy": [], "evaluation_seconds": []}
    steps, images_seen, seconds = 0, 0, 0.0

    for _ in range(epochs or step.recipe.epochs):
        step.model.train()
        running = 0.0
        began = time.perf_counter()
        for images, targets in on_device(training, step.device):
            running += step(images, targets) * len(targets)
            steps, images_seen = steps + 1, images_seen + len(targets)
            if steps == WARM_UP:
                images_seen, seconds, began = 0, 0.0, time.perf_counter()
            if steps == max_steps:
                break
        seconds += time.perf_counter() - began
        if steps == max_steps:
            break
        step.schedule.step()
        result["train_loss"].append(running / len(training.dataset))
        began = time.perf_counter()
        result["test_accuracy"].append(accuracy(step, testing))
        result["evaluation_seconds"].append(time.perf_counter() - began)

    rate = images_seen / seconds if steps > WARM_UP else math.nan
    return result | {"steps": steps, "images_per_second": rate, "peak_memory": peak_memory(step.device)}


@torch.no_grad()
def accuracy(step: Step, testing: DataLoader) -> float:
    step.model.eval()
    right = sum((step.logits(z).argmax(1) == y).sum().item() for z, y in on_device(testing, step.device))
    return 100 * right / len(testing.dataset)


def peak_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def replay(
    step: Step, images: NDArray[np.uint8], labels: NDArray[np.int64], batches: Sequence[Tensor]
) -> dict[str, Tensor]:
    """One step for each of `batches` (indices into `images`), nothing random.

    The learning rate falls whenever as many batches are done as an epoch has.

    Returns
    -------
    dict
        the parameters of the step's network, which is trained in place.
    """
    recipe = step.recipe
    step.model.train()
    mean, std = (torch.tensor(values, dtype=torch.float64) for values in (recipe.mean, recipe.std))
    pixels = (
        ((torch.tensor(images).double() / 255 - mean) / std).permute(0, 3, 1, 2).contiguous().to(step.device)
    )
    targets = torch.tensor(labels, device=step.device)
    for done, batch in enumerate(batches, start=1):
        step(pixels[batch], targets[batch])
        if done % math.ceil(len(labels) / recipe.batch_size) == 0:
            step.schedule.step()
    return {name: parameter.detach() for name, parameter in step.model.named_parameters()}


@cudnn_benchmark()
def split(step: Step, training: DataLoader, steps: int = 30) -> dict[str, float]:
    """Where a step's time goes: the mean seconds of each of PARTS over `steps` steps, after 5 of warming up.

    "data" is the wait for the workers and the copy to the device; the L1 penalty counts as loss; clipping and
    the wait for the loss's value count as optimiser. On cuda these are the device's times: what it is idle
    within a part counts as that part's.
    """
    step.model.train()
    clock = Clock(step.device)
    clock("start")
    endless = chain.from_iterable(on_device(loader, step.device) for loader in repeat(training))
    for images, targets in islice(endless, WARM_UP + steps):
        clock("data")
        step(images, targets, clock)
    return clock.seconds(skip=WARM_UP)
