"""Losses as the tests want them: by name, with the parameters that depend on the noise filled in."""

import pytest
import torch

from jal.losses import Loss, build, names

# The eps-softmax losses have no values for CIFAR-10 by themselves; these are its symmetric grid's.
NOISE_DEPENDENT = {
    "ECE": {"m": 1e5},
    "EFL": {"m": 1e5},
    "ECE+MAE": {"alpha": 0.01, "beta": 5, "m": 1e5},
    "EFL+MAE": {"alpha": 0.01, "beta": 5, "m": 1e5},
}


@pytest.fixture(scope="session", params=names())
def name(request) -> str:
    """Every name of the catalogue in turn."""
    return request.param


@pytest.fixture(scope="session")
def official():
    """A loss by name, with the official CIFAR-10 parameters."""

    def make(name: str, settings: str = "official", **given) -> Loss:
        return build(name, "cifar10", settings, **(NOISE_DEPENDENT.get(name, {}) | given))

    return make


@pytest.fixture
def batch():
    """A batch of logits of a given shape, classes on axis 1, and labels that fit; the same every time."""

    def make(*shape: int, scale: float = 3.0, dtype: torch.dtype = torch.float64, seed: int = 0):
        generator = torch.Generator().manual_seed(seed)
        logits = scale * torch.randn(shape, generator=generator, dtype=torch.float64)
        labels = torch.randint(shape[1], (shape[0], *shape[2:]), generator=generator)
        return logits.to(dtype), labels

    return make
