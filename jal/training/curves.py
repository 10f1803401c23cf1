"""Curves: what a run gives, one value an epoch of each quantity, and how the values are made."""

from __future__ import annotations

import torch
from torch import Tensor

Curves = dict[str, list[float]]


def totals(losses: Tensor, guesses: Tensor, given: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """What an epoch's batches gave, apart for the images with a right and with a wrong label; (N,) each.

    Parameters
    ----------
    losses, guesses
        of each training image, before its step.
    given, truth
        its labels.

    Returns
    -------
    dict
        sums of `losses`, and counts in its type: `memorised` are guesses of the wrong label, `recovered` of the true
        one in its place. `noise_auroc` counts the pairs of a right and a wrong label whose wrong one has the larger
        loss.
    """
    right = given == truth
    fits = guesses == given
    found = {
        "train_loss": losses.sum(),
        "clean_loss": (losses * right).sum(),
        "clean_accuracy": (fits & right).sum(),
        "wrong_loss": (losses * ~right).sum(),
        "memorised": (fits & ~right).sum(),
        "recovered": ((guesses == truth) & ~right).sum(),
        "noise_auroc": _in_order(losses, right),
    }
    return {name: total.to(losses.dtype) for name, total in found.items()}


def _in_order(values: Tensor, smaller: Tensor) -> Tensor:
    """Of all pairs of a value that is said to be `smaller` and one that is not, how many are so; ties count half.

    The Mann-Whitney statistic, from the ranks of the larger ones; twice a rank, with ties, is an integer.
    """
    ranked, larger = values.sort().values, ~smaller
    twice = torch.searchsorted(ranked, values) + torch.searchsorted(ranked, values, right=True) + 1
    count = larger.sum()
    return ((twice * larger).sum() - count * (count + 1)) / 2


def shares(train: int, clean: int, test: int, validation: bool = False) -> dict[str, float]:
    """What each total is multiplied with to be a mean, or per cent; nothing for what there are no labels of.

    Parameters
    ----------
    train, clean, test
        how many images are trained on, how many of them have a right label, how many are tested.
    validation
        whether the tested images have noisy labels too.
    """
    share = {"test_accuracy": 100 / test, "test_loss": 1 / test, "train_loss": 1 / train}
    if validation:
        share["validation_accuracy"] = 100 / test
    if clean:
        share |= {"clean_loss": 1 / clean, "clean_accuracy": 100 / clean}
    if wrong := train - clean:
        share |= {"wrong_loss": 1 / wrong, "memorised": 100 / wrong, "recovered": 100 / wrong}
    if clean and wrong:
        share["noise_auroc"] = 1 / (clean * wrong)
    return share
