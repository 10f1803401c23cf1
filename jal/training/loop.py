"""The loop: a network, a loss and noisy labels in, one number per epoch and quantity out.

The images lie on the device as bytes from the start, batches are drawn there, and nothing in a step waits for
the host: each epoch's losses and guesses stay on the device until the epoch is over.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from jal.datasets import ImageData
from jal.errors import InputError
from jal.training.recipe import Recipe

Curves = dict[str, list[float]]
Progress = Callable[[int, Mapping[str, float]], None]

EVALUATION_CHUNK = 2048


class TrainingError(RuntimeError):
    """A run that cannot go on: one line with what happened, when, and the remedy."""


def train(
    model: nn.Module,
    loss: nn.Module,
    data: ImageData,
    given: NDArray[np.int64],
    recipe: Recipe,
    *,
    seed: int,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
) -> Curves:
    """Trains `model` in place.

    Parameters
    ----------
    loss
        with reduction "none": one value an image.
    given
        the labels to train with, (N,); `data.train_labels` are the true ones.
    seed
        of the batches' order.
    progress
        called after each epoch with its number, the first being 1, and its quantities.

    Returns
    -------
    Curves
        one value an epoch: `test_accuracy`, `test_loss`, and what the epoch's own batches gave before each step:
        `train_loss`, and, apart for the images with a right and with a wrong label, `clean_loss`, `wrong_loss`,
        `clean_accuracy`, `memorised` (the wrong label guessed) and `recovered` (the true one). Accuracies in per
        cent. Without wrong labels their quantities are left out.

    Raises
    ------
    InputError
        for a recipe that this loop cannot follow.
    TrainingError
        when a loss is no longer finite.
    """
    _check(model, recipe, data)
    device = torch.device(device)
    dtype = torch.float64 if recipe.precision == "float64" else torch.float32
    model.to(device, dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    mixed = torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16")
    mean, std = (
        255 * torch.tensor(values, dtype=dtype, device=device) for values in (recipe.mean, recipe.std)
    )

    def logits(pixels: Tensor) -> Tensor:
        with mixed:
            scores: Tensor = model(((pixels.to(dtype) - mean) / std).permute(0, 3, 1, 2))
        return scores.to(dtype)

    images, labels, truth, test_images, test_labels = (
        torch.tensor(array, device=device)
        for array in (data.train_images, given, data.train_labels, data.test_images, data.test_labels)
    )
    share = _shares(len(labels), int((given == data.train_labels).sum()), len(test_labels))
    losses, guesses = torch.empty(len(labels), dtype=dtype, device=device), torch.empty_like(labels)
    parameters = list(model.parameters())
    optimiser = torch.optim.SGD(
        parameters,
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.l2,
        fused=True,
    )
    generator = torch.Generator(device).manual_seed(seed)
    curves: Curves = {}

    for epoch in range(recipe.epochs):
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate_at(epoch)
        model.train()
        order = torch.randperm(len(labels), generator=generator, device=device)
        for batch in torch.split(order, recipe.batch_size):
            scores = logits(images[batch])
            values = loss(scores, labels[batch])
            losses[batch], guesses[batch] = values.detach(), scores.detach().argmax(1)
            optimiser.zero_grad()
            values.mean().backward()
            _add_l1_gradient(parameters, recipe.l1)
            if recipe.clip_norm is not None:
                nn.utils.clip_grad_norm_(parameters, recipe.clip_norm)
            optimiser.step()
        model.eval()
        totals = _test_totals(logits, loss, test_images, test_labels)
        totals |= _train_totals(losses, guesses, labels, truth)
        on_host = torch.stack(list(totals.values())).tolist()
        quantities = {
            name: share[name] * total for name, total in zip(totals, on_host, strict=True) if name in share
        }
        _stop_unless_finite(quantities, loss, recipe, epoch)
        for name, value in quantities.items():
            curves.setdefault(name, []).append(value)
        if progress is not None:
            progress(epoch + 1, quantities)
    return curves


def _add_l1_gradient(parameters: list[nn.Parameter], weight: float) -> None:
    """The gradient of weight x sum |w|, as if the penalty had been added to the loss."""
    if weight:
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad.add_(parameter.detach().sign(), alpha=weight)


def _shares(train: int, clean: int, test: int) -> dict[str, float]:
    """What each total is multiplied with to be a mean, or per cent; nothing for what there are no labels of."""
    share = {"test_accuracy": 100 / test, "test_loss": 1 / test, "train_loss": 1 / train}
    if clean:
        share |= {"clean_loss": 1 / clean, "clean_accuracy": 100 / clean}
    if wrong := train - clean:
        share |= {"wrong_loss": 1 / wrong, "memorised": 100 / wrong, "recovered": 100 / wrong}
    return share


@torch.no_grad()
def _test_totals(
    logits: Callable[[Tensor], Tensor], loss: nn.Module, images: Tensor, labels: Tensor
) -> dict[str, Tensor]:
    scores = torch.cat([logits(chunk) for chunk in torch.split(images, EVALUATION_CHUNK)])
    total = loss(scores, labels).sum()
    return {"test_accuracy": (scores.argmax(1) == labels).sum().to(total.dtype), "test_loss": total}


def _train_totals(losses: Tensor, guesses: Tensor, given: Tensor, truth: Tensor) -> dict[str, Tensor]:
    right = given == truth
    fits = guesses == given
    totals = {
        "train_loss": losses.sum(),
        "clean_loss": (losses * right).sum(),
        "clean_accuracy": (fits & right).sum(),
        "wrong_loss": (losses * ~right).sum(),
        "memorised": (fits & ~right).sum(),
        "recovered": ((guesses == truth) & ~right).sum(),
    }
    return {name: total.to(losses.dtype) for name, total in totals.items()}


def _stop_unless_finite(quantities: Mapping[str, float], loss: nn.Module, recipe: Recipe, epoch: int) -> None:
    bad = [name for name, value in quantities.items() if not math.isfinite(value)]
    if bad:
        raise TrainingError(
            f"the loss {getattr(loss, 'name', '') or type(loss).__name__} is not finite in epoch {epoch + 1} of "
            f"{recipe.epochs} ({', '.join(bad)}): lower the learning rate (now {recipe.learning_rate:g}), "
            f"or bound the gradient (clip_norm is {recipe.clip_norm})"
        )


def _check(model: nn.Module, recipe: Recipe, data: ImageData) -> None:
    """Refuses what would be ignored or fail midway."""
    images, *_, channels = data.train_images.shape
    if len(recipe.mean) != channels:
        raise InputError(
            f"recipe: mean and std are of {len(recipe.mean)} channels, and {data.name}'s images have {channels}"
        )
    if recipe.augmentation:
        raise InputError(
            f"recipe: augmentation={recipe.augmentation} cannot be applied by this version: leave it empty"
        )
    if recipe.test_transform:
        raise InputError(
            f"recipe: test_transform={recipe.test_transform} belongs to large images: leave it empty"
        )
    normalises = any(isinstance(module, nn.BatchNorm1d) for module in model.modules())
    if normalises and images % recipe.batch_size == 1:
        raise InputError(
            f"recipe: batch_size={recipe.batch_size} leaves a last batch of one of the {images} images, which "
            "batch normalisation cannot train on: take another batch size"
        )
