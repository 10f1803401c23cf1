"""What a run measures: means and per cents, apart for right and wrong labels."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from jal.training.curves import shares, totals

TRUTH = torch.tensor([0, 0, 1, 1, 2])
GUESSES = torch.tensor([0, 1, 1, 2, 2])
LOSSES = torch.tensor([1.0, 2.0, 3.0, 4.0, 6.0])


def values(given):
    given = torch.tensor(given)
    share = shares(5, int((given == TRUTH).sum()), 8)
    found = {name: float(total) for name, total in totals(LOSSES, GUESSES, given, TRUTH).items()}
    found |= {"test_loss": 4.0, "test_accuracy": 6.0}
    return {name: found[name] * each for name, each in share.items()}


def test_memorised_is_the_wrong_label_and_recovered_the_true_one():
    assert values([0, 0, 1, 2, 0]) == pytest.approx(
        {
            "test_loss": 0.5,
            "test_accuracy": 75.0,
            "train_loss": 3.2,
            "clean_loss": 2.0,
            "clean_accuracy": 200 / 3,
            "wrong_loss": 5.0,
            "memorised": 50.0,
            "recovered": 50.0,
            "noise_auroc": 1.0,
        }
    )


def test_what_there_are_no_labels_of_is_left_out():
    of_all = {"test_loss", "test_accuracy", "train_loss"}
    assert set(values(TRUTH.tolist())) == of_all | {"clean_loss", "clean_accuracy"}
    assert set(values([1, 1, 0, 0, 0])) == of_all | {"wrong_loss", "memorised", "recovered"}


def test_the_auroc_is_sklearns_with_ties():
    random = np.random.RandomState(0)
    losses, wrong = torch.tensor(random.randint(0, 9, 200) / 7), torch.tensor(random.rand(200) < 0.3)
    given = wrong.long()
    truth = torch.zeros_like(given)
    found = (
        totals(losses, given, given, truth)["noise_auroc"]
        * shares(200, int((~wrong).sum()), 1)["noise_auroc"]
    )
    assert float(found) == pytest.approx(roc_auc_score(wrong, losses), rel=1e-12)


def test_noisy_test_labels_give_one_more_curve():
    assert set(shares(5, 5, 4, validation=True)) - set(shares(5, 5, 4)) == {"validation_accuracy"}
    assert shares(5, 5, 4, validation=True)["validation_accuracy"] == 25.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_totals_are_of_the_losses_type(dtype):
    found = totals(LOSSES.to(dtype), GUESSES, TRUTH, TRUTH)
    assert {total.dtype for total in found.values()} == {dtype}
