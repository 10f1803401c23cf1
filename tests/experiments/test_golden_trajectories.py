"""Twenty steps with every loss: when their numbers move, SCIENCE must, and nothing else may move it.

`python tests/experiments/test_golden_trajectories.py` writes the file anew.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from jal import losses, models
from jal.datasets import ImageData
from jal.experiments import resolve
from jal.experiments.labels import noisy_labels
from jal.experiments.spec import SCIENCE
from jal.losses import names
from jal.training.loop import train

GOLDEN = Path(__file__).with_name("golden_trajectories.json")
TOLERANCE = 1e-4
QUANTITIES = ("train_loss", "test_loss")
GIVEN = {"alpha": 0.01, "beta": 5, "m": 1e5}
PARAMETERS = {"ECE": {"m": 1e5}, "EFL": {"m": 1e5}, "ECE+MAE": GIVEN, "EFL+MAE": GIVEN}


def synthetic():
    """A hundred images of ten faint patterns, 8 x 8, grey."""
    random = np.random.RandomState(0)
    patterns = random.randint(0, 256, (10, 8, 8, 1))

    def part(count):
        labels = np.arange(count) % 10
        images = 0.5 * patterns[labels] + 0.5 * random.randint(0, 256, (count, 8, 8, 1))
        return images.astype(np.uint8), labels.astype(np.int64)

    return ImageData("synthetic", *part(100), *part(40), tuple("0123456789"))


def trajectory(name):
    """Five epochs of four steps, the last with 4 images, in float64; CIFAR-10's parameters and regulariser."""
    spec = resolve(
        dataset="digits", noise="symmetric", rate=0.4, loss=name, loss_parameters=PARAMETERS.get(name, {}),
        epochs=5, batch_size=32, precision="float64",
    )  # fmt: skip
    data = synthetic()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(spec.seed)
        model = models.build(spec.recipe.model, 10, 1, 8)
    loss = losses.build(name, None, reduction="none", **spec.loss.parameters)
    curves = train(model, loss, data, noisy_labels(spec, data), spec.recipe, seed=spec.seed)
    return {quantity: [float(f"{value:.9g}") for value in curves[quantity]] for quantity in QUANTITIES}


@pytest.mark.parametrize("name", names())
def test_numbers_stay(name):
    golden = json.loads(GOLDEN.read_text())
    assert golden["science"] == SCIENCE, "SCIENCE was raised: write the golden file anew"
    found = trajectory(name)
    for quantity in QUANTITIES:
        assert found[quantity] == pytest.approx(golden["losses"][name][quantity], rel=TOLERANCE), (
            "the numbers of a run have moved: undo it, or, if it is meant, raise jal.experiments.spec.SCIENCE and "
            "write the golden file anew"
        )


if __name__ == "__main__":
    golden = {"science": SCIENCE, "losses": {name: trajectory(name) for name in names()}}
    GOLDEN.write_text(json.dumps(golden, indent=1) + "\n")
