"""The loop: a network, a loss and noisy labels in, one number per epoch and quantity out.

The images lie on the device as bytes from the start; batches are drawn, augmented and normalised there, and
nothing in a step waits for the host. What is random in an epoch is a function of the seed and the epoch alone,
drawn on the host: a run can be taken up again at any step, and has the same batches on every device.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from jal.datasets import ImageData
from jal.errors import InputError, TrainingError
from jal.losses import Loss
from jal.models import Classifier, StudentHead, set_norm_group
from jal.training import speed
from jal.training.agreement import Outcome, difference, tolerance
from jal.training.augment import augment, draw
from jal.training.curves import Curves, shares, totals
from jal.training.data import Data, DeviceData
from jal.training.optimiser import Optimiser
from jal.training.recipe import Recipe

Progress = Callable[[int, Mapping[str, float]], None]

COMPARED = 3
"""Full steps that are taken plain too, before they are trusted to be captured."""

TESTED_AT_A_TIME = 2000
"""Images that fill a GPU."""

TESTED_AT_A_TIME_ON_CPU = 125
"""Images that take no more memory than a step."""


class Training:
    """A run in the making.

    Parameters
    ----------
    model
        trained in place.
    loss
        with reduction "none": one value an image.
    data
        images and true labels, on the device.
    given
        the labels to train with, (N,).
    seed
        of the batches and their augmentation.
    eager
        neither compile the network nor choose the number of threads: the same bits twice on one machine.
    plain
        neither compile the network nor capture steps, on a GPU; elsewhere it changes nothing.
    validation
        noisy labels of the test images, (N_test,): what somebody without clean labels would choose by.

    Attributes
    ----------
    epoch, step
        how many epochs are complete, and how many steps of the next.
    curves
        one value an epoch: `test_accuracy`, `test_loss`, and what the epoch's own batches gave before each step:
        `train_loss`, and, apart for the images with a right and with a wrong label, `clean_loss`, `wrong_loss`,
        `clean_accuracy`, `memorised` (the wrong label guessed) and `recovered` (the true one). Accuracies in per
        cent. `noise_auroc`: how well the loss tells wrong labels from right ones, as the area under the ROC curve,
        0 to 1. Without wrong labels their quantities are left out. With `validation`, `validation_accuracy`.
    way
        how its steps are taken, from the first one on.
    tested
        where there are several test sets: the curve of each one's accuracy.

    Raises
    ------
    InputError
        for a recipe that this loop cannot follow.
    """

    def __init__(
        self,
        model: Classifier,
        loss: Loss,
        data: Data,
        given: NDArray[np.int64],
        recipe: Recipe,
        *,
        seed: int,
        eager: bool = False,
        plain: bool = False,
        validation: NDArray[np.int64] | None = None,
    ) -> None:
        _check(model, recipe, len(data.train_labels))
        set_norm_group(model, recipe.norm_group)
        self.device, self.eager, self.plain = data.device, eager, plain
        self.way = speed.Way()
        self.tested_at_a_time = TESTED_AT_A_TIME_ON_CPU if self.device.type == "cpu" else TESTED_AT_A_TIME
        self.dtype = torch.float64 if recipe.precision == "float64" else torch.float32
        model.to(self.device, self.dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.model, self.loss, self.data, self.recipe, self.seed = model, loss, data, recipe, seed
        self.mean, self.std = (
            255 * torch.tensor(v, dtype=self.dtype, device=self.device) for v in (recipe.mean, recipe.std)
        )
        self._body: Callable[[Tensor], Tensor] = model.body
        self.optimiser = Optimiser(list(model.parameters()), recipe)
        self.steps = math.ceil(len(given) / recipe.batch_size)
        self.epoch = self.step = 0
        self.curves: Curves = {}
        self._take: dict[int, Callable[[], None]] = {}
        self.augmentation = self._transforms()
        self.tested: dict[str, str] = {}

        def place(*size: int, dtype: torch.dtype = self.dtype) -> Tensor:
            return torch.zeros(size, dtype=dtype, device=self.device)

        # What steps read and write lies in fixed places, so that a step can be captured once and replayed.
        N = len(given)
        self.given = torch.tensor(given, device=self.device)
        clean = int((self.given == data.train_labels).sum())
        self.validation = None if validation is None else torch.tensor(validation, device=self.device)
        self.shares = shares(N, clean, len(data.test_labels), validation is not None)
        self.order, self.cursor = place(N, dtype=torch.int64), place(dtype=torch.int64)
        self.draws = {
            name: t.to(self.device) for name, t in draw(self.augmentation, N, stream(seed, 0)).items()
        }
        self.losses, self.guesses = place(N), place(N, dtype=torch.int64)
        self.failed_at = place(dtype=torch.int64).fill_(-1)
        self.failed_scores = place(recipe.batch_size, data.num_classes)
        self.test = place(3)

    def run(
        self, progress: Progress | None = None, between: Callable[[Training], None] | None = None
    ) -> Curves:
        """Train from wherever this is to the end.

        Parameters
        ----------
        progress
            called after each epoch with its number, the first being 1, and its quantities.
        between
            called after each step; it may take the `state`, and leave by an exception.

        Raises
        ------
        TrainingError
            when a loss is no longer finite.
        """
        if not self._take:
            self._prepare()
        while self.epoch < self.recipe.epochs:
            self._begin_epoch()
            while self.step < self.steps:
                self._advance()
                if between is not None:
                    between(self)
            quantities = self._end_epoch()
            if progress is not None:
                progress(self.epoch, quantities)
        return self.curves

    def trial(self, steps: int) -> Outcome:
        """What the first full batches of an epoch, its partial one, and a test give; they are undone.

        Parameters
        ----------
        steps
            how many full ones, at most.
        """
        if not self._take:
            self._prepare()
        full = max(self._take)
        sizes = [full] * min(steps, len(self.order) // full) + [size for size in self._take if size != full]
        with self._undone():
            before = self._weights()
            self.losses.zero_()
            self.cursor.zero_()
            for size in sizes:
                self._take[size]()
            self.model.eval()
            self._test()
            return Outcome(self.losses.clone().cpu(), (self._weights() - before).cpu(), float(self.test[0]))

    def pace(self) -> tuple[float, float]:
        """The seconds of a step and of a test, by trying; what was tried is undone."""
        if not self._take:
            self._prepare()
        with self._undone():
            return self._seconds_of_a_step(), speed.seconds(self._test, warm_up=0, trials=1)

    def estimate(self) -> float:
        """The seconds that the rest of the run takes, by trying; what was tried is undone."""
        step, test = self.pace()
        left = self.recipe.epochs * self.steps - (self.epoch * self.steps + self.step)
        return left * (step + test / self.steps)

    def _seconds_of_a_step(self) -> float:
        return speed.seconds(lambda: self._rehearse(max(self._take)))

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """All that a run needs to go on from here: its tensors, by name, and what JSON can hold."""
        return self._places(), {"epoch": self.epoch, "step": self.step, "curves": self.curves}

    def restore(self, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
        """Go on from what `state` gave, for the same recipe, labels and seed."""
        with torch.no_grad():
            for name, place in self._places().items():
                place.copy_(tensors[name])
        self.epoch, self.step = meta["epoch"], meta["step"]
        self.curves = {name: list(curve) for name, curve in meta["curves"].items()}

    # One step

    def _step(self, size: int) -> None:
        rows = self.cursor + torch.arange(size, device=self.device)
        batch = self.order.index_select(0, rows)
        given = self.given.index_select(0, batch)
        scores, penalty = self._training_scores(self._images(batch, rows), given)
        values = self.loss(scores, given)
        self.losses.index_copy_(0, batch, values.detach())
        self.guesses.index_copy_(0, batch, scores.detach().argmax(1))
        self._remember_failure(values.detach(), scores.detach())
        self.optimiser.zero_grad()
        (values.mean() + penalty).backward()
        self.optimiser.step()
        self.cursor += size

    def _transforms(self) -> tuple[str, ...]:
        """Those that batches are given on the device; refuses what this loop would ignore."""
        channels = self.data.train_images.shape[-1]
        if len(self.recipe.mean) != channels:
            raise InputError(
                f"recipe: mean and std are of {len(self.recipe.mean)} channels, and the images have {channels}"
            )
        if self.recipe.test_transform:
            raise InputError(
                f"recipe: test_transform={self.recipe.test_transform} belongs to large images: leave it empty"
            )
        return self.recipe.augmentation

    def _images(self, batch: Tensor, rows: Tensor) -> Tensor:
        """Training images as the network takes them: which they are, and where they stand in the epoch."""
        drawn = {name: values.index_select(0, rows) for name, values in self.draws.items()}
        return self._normalised(augment(self.data.train_images.index_select(0, batch), drawn))

    def _training_scores(self, images: Tensor, given: Tensor) -> tuple[Tensor, Tensor | float]:
        """The batch's logits, and what the head adds to its mean loss."""
        with self._mixed():
            # What is compiled, is for full batches.
            body = self._body if len(images) == self.recipe.batch_size else self.model.body
            features = body(images)
            if isinstance(self.model.head, StudentHead):
                penalty = self.model.head.penalty(features, given)
                return self.model.head(features, given).to(self.dtype), penalty
            return self.model.head(features).to(self.dtype), 0.0

    def _normalised(self, pixels: Tensor) -> Tensor:
        # (N, height, width, channels) seen as (N, channels, height, width) is channels_last as it lies.
        return ((pixels.to(self.dtype) - self.mean) / self.std).permute(0, 3, 1, 2)

    def _mixed(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bfloat16")

    def _remember_failure(self, values: Tensor, scores: Tensor) -> None:
        """Keep the first scores whose loss is not finite, without waiting to see whether there are any."""
        first = ~torch.isfinite(values).all() & (self.failed_at < 0)
        self.failed_at.copy_(torch.where(first, self.cursor, self.failed_at))
        kept = self.failed_scores[: len(scores)]
        kept.copy_(torch.where(first, scores, kept))

    # One epoch

    def _begin_epoch(self) -> None:
        self.optimiser.set_rate(self.recipe.learning_rate_at(self.epoch))
        random = stream(self.seed, self.epoch)
        self.order.copy_(torch.randperm(len(self.order), generator=random))
        for name, values in draw(self.augmentation, len(self.order), random).items():
            self.draws[name].copy_(values)
        self.cursor.fill_(self.step * self.recipe.batch_size)
        self.model.train()

    def _advance(self) -> None:
        begin = self.step * self.recipe.batch_size
        self._take[min(self.recipe.batch_size, len(self.order) - begin)]()
        self.step += 1

    @torch.no_grad()
    def passes(self, images: Any) -> Iterator[tuple[Tensor, Tensor]]:
        """Features and logits of images of the data's kind, some at a time, by the network as it is tested."""
        self.model.eval()
        for some in self._parts(images):
            with self._mixed():
                features = self.model.features(some)
                yield features, self.model.head(features).to(self.dtype)

    def _parts(self, images: Any) -> Iterator[Tensor]:
        """Images as the network is tested with them, `tested_at_a_time`."""
        return map(self._normalised, torch.split(images, self.tested_at_a_time))

    @torch.no_grad()
    def _evaluate(self) -> None:
        self.test.zero_()
        truth = self.data.test_labels
        noisy = truth if self.validation is None else self.validation
        parts = (torch.split(labels, self.tested_at_a_time) for labels in (truth, noisy))
        for (_, scores), labels, given in zip(self.passes(self.data.test_images), *parts, strict=True):
            guesses = scores.argmax(1)
            self.test += torch.stack(
                [self.loss(scores, labels).sum(), (guesses == labels).sum(), (guesses == given).sum()]
            )

    def _end_epoch(self) -> dict[str, float]:
        self.model.eval()
        self._test()
        found = self._totals()
        # The one moment of the epoch at which the host waits, for all totals together.
        total = dict(zip(found, torch.stack(list(found.values())).tolist(), strict=True))
        values = {name: total[name] * share for name, share in self.shares.items()}
        if not all(map(math.isfinite, values.values())):
            raise TrainingError(self._failure())
        for name, value in values.items():
            self.curves.setdefault(name, []).append(value)
        self.epoch, self.step = self.epoch + 1, 0
        return values

    def _totals(self) -> dict[str, Tensor]:
        """Of the epoch and its test: `shares` makes them means."""
        return {
            **dict(zip(("test_loss", "test_accuracy", "validation_accuracy"), self.test, strict=True)),
            **totals(self.losses, self.guesses, self.given, self.data.train_labels),
        }

    def _failure(self) -> str:
        name = self.loss.name
        remedy = (
            f"lower the learning rate (now {self.recipe.learning_rate:g}), "
            f"or bound the gradient (clip_norm is {self.recipe.clip_norm})"
        )
        begin = int(self.failed_at)
        if begin < 0:
            return f"the test loss {name} is not finite after epoch {self.epoch + 1}: {remedy}"
        batch = self.order[begin : begin + self.recipe.batch_size]
        scores, given = self.failed_scores[: len(batch)], self.given[batch]
        where = f"in step {begin // self.recipe.batch_size + 1} of epoch {self.epoch + 1}"
        if not torch.isfinite(scores).all():
            return f"the network's outputs are not finite {where}, trained with {name}: {remedy}"
        parts = ", ".join(f"{part} {value:g}" for part, value in self.loss.parts(scores, given).items())
        return f"the loss {name} is not finite {where} ({parts}): {remedy}"

    # Before the first step

    def _prepare(self) -> None:
        """Choose what makes the steps fast, and undo the steps that the choice takes."""
        full, rest = self.recipe.batch_size, len(self.order) % self.recipe.batch_size
        sizes = {size for size in (min(full, len(self.order)), rest) if size}
        self._take = {size: partial(self._step, size) for size in sizes}
        self._test = self._evaluate
        if self.device.type == "cpu":
            speed.keep_memory()
        if self.eager:
            return
        if self.device.type in speed.CAPTURING:
            if not self.plain:
                self._capture()
        elif self.device.type == "cpu":
            with self._undone():
                speed.choose_threads(partial(self._rehearse, max(sizes)))

    def _capture(self) -> None:
        """On a GPU: all as graphs and the network compiled, as far as that works and gives a plain run's numbers."""
        plain, expected = (self._take, self._test), self.trial(COMPARED)
        refused: list[str] = []
        for compiled in (True, False):
            reason = self._refusal(compiled, expected)
            if reason is None:
                self.way = speed.Way(compiled, True, tuple(refused))
                break
            refused.append(reason)
        else:
            self._body, (self._take, self._test) = self.model.body, plain
            self.way = speed.Way(refused=tuple(refused))
        speed.say(self.way)

    def _refusal(self, compiled: bool, expected: Outcome) -> str | None:
        """Record all, the network compiled or not, and try it: why it will not do, or None."""
        try:
            with self._undone():
                self._record(speed.compiled(self.model.body) if compiled else self.model.body)
            found = difference(self.trial(COMPARED), expected)
        except Exception as error:  # whatever a compiler or a capture fails with, the run can do without
            return str(error).strip().partition("\n")[0] or type(error).__name__
        allowed = tolerance(self.recipe.precision, self.device.type)
        if found.within(allowed):
            return None
        return f"its first steps are not those of a plain run: they differ in {found.beyond(allowed)}"

    def _record(self, body: Callable[[Tensor], Tensor]) -> None:
        """The steps, those of full batches with this body of the network, and the test."""
        self._body = body
        self.model.train()
        self._take = {
            size: speed.Captured(partial(self._step, size), self.cursor.zero_) for size in self._take
        }
        self.model.eval()
        self._test = speed.Captured(self._evaluate)

    def _rehearse(self, size: int) -> None:
        self.cursor.zero_()
        self._take[size]()

    @contextmanager
    def _undone(self) -> Iterator[None]:
        """Steps may be taken within it, and leave no trace."""
        tensors, meta = self.state()
        before = {name: tensor.clone() for name, tensor in tensors.items()}
        self._begin_epoch()
        try:
            yield
        finally:
            self.restore(before, meta)
            self.cursor.fill_(self.step * self.recipe.batch_size)
            self.failed_at.fill_(-1)

    def _weights(self) -> Tensor:
        """All of the network's, as one row."""
        return torch.cat([weights.detach().flatten() for weights in self.model.parameters()])

    def _places(self) -> dict[str, Tensor]:
        optimiser = {f"optimiser.{name}": value for name, value in self.optimiser.state().items()}
        model = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        return model | optimiser | {"losses": self.losses, "guesses": self.guesses}


def stream(*key: int) -> torch.Generator:
    """A random stream, on the host: that of an epoch of a run has the key (seed, epoch)."""
    (state,) = np.random.SeedSequence(key).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state))


def _check(model: nn.Module, recipe: Recipe, images: int) -> None:
    """Refuses what would fail midway."""
    if not any(isinstance(module, nn.BatchNorm1d) for module in model.modules()):
        return
    rest, group = images % recipe.batch_size, recipe.norm_group
    if rest == 1:
        raise InputError(
            f"recipe: batch_size={recipe.batch_size} leaves a last batch of one of the {images} images, which "
            "batch normalisation cannot train on: take another batch size"
        )
    for size in (min(recipe.batch_size, images), rest):
        if group is not None and size % group == 1:
            raise InputError(
                f"recipe: norm_group={group} leaves a last group of one image in a batch of {size}, which "
                "batch normalisation cannot train on: take another norm_group or batch_size"
            )


def train(
    model: Classifier,
    loss: Loss,
    data: ImageData,
    given: NDArray[np.int64],
    recipe: Recipe,
    *,
    seed: int,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
    eager: bool = False,
) -> Curves:
    """A whole `Training` in one call, from images on the host; returns its curves."""
    return Training(model, loss, DeviceData.of(data, device), given, recipe, seed=seed, eager=eager).run(
        progress
    )
