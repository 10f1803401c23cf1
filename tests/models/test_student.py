"""LT-APL's head against its formula, written once more as it stands."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from jal import losses, models
from jal.errors import InputError
from jal.models import StudentHead

N, D, K = 6, 12, 5


def head(margin: float = 0.1, penalty: float = 5e-2, features: int = D, num_classes: int = K) -> StudentHead:
    torch.manual_seed(2)
    return StudentHead(features, num_classes, margin, penalty)


def batch(features: int = D, num_classes: int = K) -> tuple[Tensor, Tensor]:
    torch.manual_seed(3)
    return torch.randn(N, features, dtype=torch.float64), torch.randint(0, num_classes, (N,))


def by_hand(student: StudentHead, features: Tensor, labels: Tensor | None) -> tuple[list[list[float]], float]:
    """The scores, and the penalty for the labels, number by number."""
    rows, penalty = [], 0.0
    means = [row / math.sqrt(sum(row**2)) for row in student.means.detach().double().numpy()]
    freedoms = [float(raw) ** 2 + 0.1 for raw in student.raw.detach().double()]
    for i, feature in enumerate(features.double().numpy()):
        f = feature / math.sqrt(sum(feature**2))
        row = []
        for k, (mean, nu) in enumerate(zip(means, freedoms, strict=True)):
            d = sum((f - mean) ** 2) / 2
            if labels is not None and k == labels[i]:
                penalty += student.weight / (2 * len(features)) * sum((f - mean) ** 2)
                d *= 1 + student.margin
            p = math.log(len(f))
            constant = math.gamma((nu + p) / 2) / (math.gamma(nu / 2) * nu ** (p / 2))
            row.append(constant * (1 + d / nu + 1e-8) ** (-(nu + p) / 2))
        length = math.sqrt(sum(score**2 for score in row))
        rows.append([score / length for score in row])
    return rows, penalty


@pytest.mark.parametrize("features", [2, 256])
@pytest.mark.parametrize("trained", [True, False])
def test_scores_and_penalty_are_the_formulas(features: int, trained: bool) -> None:
    student = head(features=features).double()
    inputs, labels = batch(features)
    scores, penalty = by_hand(student, inputs, labels if trained else None)
    torch.testing.assert_close(
        student(inputs, labels if trained else None), torch.tensor(scores, dtype=torch.float64)
    )
    if trained:
        assert student.penalty(inputs, labels).item() == pytest.approx(penalty, rel=1e-12)


def test_gradients() -> None:
    class Both(StudentHead):
        def forward(self, features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
            return super().forward(features, labels), self.penalty(features, labels)

    torch.manual_seed(2)
    student = Both(D, K, margin=0.1, penalty=0.05).double()
    inputs, labels = batch()

    def outputs(features: Tensor, means: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        return torch.func.functional_call(student, {"means": means, "raw": raw}, (features, labels))

    assert torch.autograd.gradcheck(outputs, (inputs.requires_grad_(), student.means, student.raw))


def test_the_margin_counts_for_the_given_label_and_only_in_training() -> None:
    inputs, labels = batch()
    plain, strict = head(margin=0.0).double(), head(margin=0.5).double()
    assert torch.equal(plain(inputs), strict(inputs))
    assert torch.equal(plain(inputs), plain(inputs, labels))
    given = torch.nn.functional.one_hot(labels, K).bool()
    lower = strict(inputs, labels)[given] < plain(inputs, labels)[given]
    assert lower.all()
    assert (strict(inputs, labels)[~given] >= plain(inputs, labels)[~given]).all()


def test_many_degrees_of_freedom_give_the_normal_density() -> None:
    """(1 + d/nu)^(-nu/2) goes to exp(-d/2), and what stands before it to the same for every class."""
    student = head().double()
    inputs, _ = batch()
    with torch.no_grad():
        student.raw.fill_(3000.0)
    f, mu = (torch.nn.functional.normalize(rows) for rows in (inputs, student.means))
    d = torch.cdist(f, mu) ** 2 / 2
    expected = (-d / 2).exp()
    expected = expected / expected.norm(dim=1, keepdim=True)
    torch.testing.assert_close(student(inputs), expected, rtol=1e-5, atol=1e-5)


def test_scores_are_of_length_one_and_see_no_scale() -> None:
    student = head().double()
    inputs, labels = batch()
    scores = student(inputs, labels)
    torch.testing.assert_close(scores.norm(dim=1), torch.ones(N, dtype=torch.float64))
    assert (scores > 0).all()
    torch.testing.assert_close(student(1000 * inputs, labels), scores)
    torch.testing.assert_close(student.penalty(1000 * inputs, labels), student.penalty(inputs, labels))
    on_the_mean = student.means.detach()[labels]
    assert student.penalty(on_the_mean, labels).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("features", "num_classes"), [(256, 10), (512, 100)])
@pytest.mark.parametrize("raw", [None, 0.0, 10.0])
def test_float32_is_close_and_its_gradients_finite(
    features: int, num_classes: int, raw: float | None
) -> None:
    """On a feature that is all zero, on a mean itself and opposite to one, too."""
    student = head(features=features, num_classes=num_classes)
    if raw is not None:
        torch.nn.init.constant_(student.raw, raw)
    inputs, labels = batch(features, num_classes)
    inputs = inputs.float()
    inputs[0], inputs[1], inputs[2] = 0, 5 * student.means[labels[1]].detach(), -student.means[0].detach()
    inputs.relu_().requires_grad_()
    scores = student(inputs, labels)
    criterion = losses.build("NCE+RCE", "cifar10")
    (criterion(scores, labels) + student.penalty(inputs, labels)).backward()
    assert all(value.grad.isfinite().all() for value in (inputs, student.means, student.raw))
    exact = head(features=features, num_classes=num_classes).double()
    exact.load_state_dict(student.state_dict())
    torch.testing.assert_close(scores.double(), exact(inputs.double(), labels), rtol=1e-4, atol=1e-6)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(student(inputs, labels), scores)


def test_it_takes_the_place_of_a_networks_head() -> None:
    """Some steps on one batch: the loss goes down, and the network scores what the head does."""
    torch.manual_seed(4)
    model = models.build("cnn2", 4, 1, 8)
    model.head = StudentHead(model.num_features, 4, margin=0.1, penalty=5e-2)
    assert model.head.means.shape == (4, 64) and model.head.raw.shape == (4, 1)
    images, labels = torch.randn(32, 1, 8, 8), torch.arange(32) % 4
    criterion = losses.build("NCE+RCE", None, alpha=1, beta=10)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    values = []
    for _ in range(60):
        features = model.features(images)
        value = criterion(model.head(features, labels), labels) + model.head.penalty(features, labels)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        values.append(value.item())
    assert values[-1] < 0.8 * values[0]
    with torch.no_grad():
        assert torch.equal(model.eval()(images), model.head(model.features(images)))
        assert (model(images).argmax(1) == labels).double().mean() > 0.9


def test_it_begins_as_its_authors_do() -> None:
    student = head(features=256, num_classes=10)
    for values, bound in ((student.means, (6 / 266) ** 0.5), (student.raw, (6 / 11) ** 0.5)):
        assert values.abs().max() <= bound
    assert student.means.abs().max() > 0.99 * (6 / 266) ** 0.5


@pytest.mark.parametrize(("margin", "penalty"), [(-0.1, 0.0), (0.1, -1.0)])
def test_refusals(margin: float, penalty: float) -> None:
    with pytest.raises(InputError, match="give 0 or more"):
        StudentHead(D, K, margin, penalty)
