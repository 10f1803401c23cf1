"""The norms that are measured are those of the gradients, and measuring does not change a run."""

import pytest
import torch

from jal.experiments import resolve
from jal.experiments.run import _training
from tests.benchmarks import clip
from tests.benchmarks.clip import FIRST_STEPS, FOLLOWED, cases, norms


def steps(loss, count):
    """Each step's norm, by autograd on the whole of what the release differentiates, and the weights after them."""
    spec = resolve(dataset="digits", noise="symmetric", rate=0.4, loss=loss)
    found = []
    with _training(spec, "cpu", True, False, None, None, False) as training:
        training._prepare()
        training._begin_epoch()
        for step in range(count):
            rows = torch.arange(step * 128, (step + 1) * 128)
            batch = training.order[rows]
            parameters = list(training.model.parameters())
            kept = {name: value.clone() for name, value in training.model.state_dict().items()}
            value = training.loss(training.model(training._images(batch, rows)), training.given[batch]).mean()
            value = value + spec.recipe.l1 * sum(each.abs().sum() for each in parameters)
            gradients = torch.autograd.grad(value, parameters)
            found.append(float(torch.cat([each.flatten() for each in gradients]).norm()))
            training.model.load_state_dict(kept)  # batch normalisation has seen these images
            training._advance()
        return found, training._weights()


@pytest.mark.parametrize("loss", ["CE", "JAL-CE"])
def test_norms_are_of_the_whole_gradient_before_the_bound(loss):
    spec = resolve(dataset="digits", noise="symmetric", rate=0.4, loss=loss)
    expected, _ = steps(loss, 4)
    (found,) = norms(spec, steps=4)
    assert found == pytest.approx(expected, rel=1e-4)


def test_a_watched_run_takes_the_same_steps(monkeypatch):
    weights = []
    watched = clip.Watched.bound

    def bound(self, norm):
        weights.append(torch.cat([each.detach().flatten() for each in self._parameters]))
        return watched(self, norm)

    monkeypatch.setattr(clip.Watched, "bound", bound)
    norms(resolve(dataset="digits", noise="symmetric", rate=0.4, loss="JAL-CE"), steps=4)
    _, expected = steps("JAL-CE", 3)
    assert torch.equal(weights[3], expected)


def test_each_loss_of_the_table_is_measured_on_both_networks():
    every = list(cases())
    for dataset in ("cifar10", "cifar100"):
        of = [case for case in every if case[0] == "first steps" and case[1].dataset == dataset]
        assert {case[1].loss.name for case in of} >= {"CE", "LT-APL", "JAL-FL", "LDR"} and len(of) == 15
        assert all(case[1].recipe.train_size is None and case[3] == FIRST_STEPS for case in of)
    epochs = [case[1] for case in every if case[0] == "epochs"]
    assert [spec.loss.name for spec in epochs] == list(FOLLOWED)
    assert all(spec.recipe.train_size % spec.recipe.batch_size == 0 for spec in epochs)
