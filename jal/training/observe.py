"""What a run can keep besides its curves: features of the test images, and how sure it is of the given labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from jal.errors import unknown

if TYPE_CHECKING:
    from jal.training.loop import Training

FEATURES, HISTOGRAMS = "features", "histograms"
ARTIFACTS = (FEATURES, HISTOGRAMS)

BINS = 50
AT = (1 / 12, 1 / 4, 1 / 2, 1.0)
"""The shares of a run after which its histograms are taken; and after the first epoch."""

_PREFIX = "kept."


class Observer:
    """Looks at a run from outside: nothing it does changes the training.

    Parameters
    ----------
    keep
        which of `ARTIFACTS`.

    Raises
    ------
    InputError
        for another name.
    """

    def __init__(self, keep: Iterable[str]) -> None:
        self.keep = tuple(keep)
        for name in self.keep:
            if name not in ARTIFACTS:
                raise unknown("artifact of a run", name, ARTIFACTS)
        self._histograms: dict[str, Tensor] = {}

    def state(self) -> dict[str, Tensor]:
        """What has been seen so far, for a checkpoint."""
        return {_PREFIX + epoch: counts for epoch, counts in self._histograms.items()}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave; other tensors may be among them."""
        found = {name: tensor for name, tensor in tensors.items() if name.startswith(_PREFIX)}
        self._histograms = {name.removeprefix(_PREFIX): tensor.cpu() for name, tensor in found.items()}

    def after_epoch(self, training: Training, epoch: int) -> None:
        """To be called after each epoch, the first being 1."""
        epochs = training.recipe.epochs
        if HISTOGRAMS in self.keep and epoch in {1, *(max(1, round(share * epochs)) for share in AT)}:
            self._histograms[str(epoch)] = histogram(training)

    def artifacts(self, training: Training) -> dict[str, dict[str, Tensor]]:
        """After the last epoch: by the artifact's name its tensors.

        "features": `features`, (N_test, D) float16, what the head sees of the test images; `labels`, their true
        labels, uint8. "histograms": by the epoch's number the counts, (2, BINS) int64, of training images by the
        probability of their given label, from 0 to 1, right labels before wrong ones.
        """
        kept: dict[str, dict[str, Tensor]] = {}
        if FEATURES in self.keep:
            kept[FEATURES] = {
                "features": features(training).to(torch.float16).cpu(),
                "labels": training.data.test_labels.to(torch.uint8).cpu(),
            }
        if HISTOGRAMS in self.keep:
            kept[HISTOGRAMS] = self._histograms
        return kept


def features(training: Training) -> Tensor:
    """What the head sees of the test images, (N_test, D), the network as after the last step."""
    return torch.cat([body for body, _ in training.passes(training.data.test_images)])


def histogram(training: Training) -> Tensor:
    """Training images, not augmented, by the probability of their given label: counts (2, BINS), right labels first."""
    given = training.given
    scores = torch.cat([scores for _, scores in training.passes(training.data.train_images)])
    sure = scores.softmax(1).gather(1, given[:, None])[:, 0]
    bins = (sure * BINS).long().clamp(max=BINS - 1)
    wrong = (given != training.data.train_labels).long()
    return torch.bincount(wrong * BINS + bins, minlength=2 * BINS).view(2, BINS).cpu()
