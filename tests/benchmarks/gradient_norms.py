"""The gradient's norm before the clip, by loss and step: `python -m tests.benchmarks.gradient_norms`.

The plain loop of PyTorch, without this project's training: real images, the initial weights of the seed, labels with
symmetric noise of .8, the network in bfloat16, each loss with its own penalty, clip and learning rate as the released
code has them. Writes one JSON document, in which `norms` has, for each dataset and loss, the norm of each step. What it needs is CIFAR-10 and
CIFAR-100, in the folder that $JAL_DATA names.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch

from jal import datasets, files, losses, models
from jal.experiments import provenance, resolve
from jal.experiments.labels import noisy_labels

SCHEMA = 1
OUT = Path(__file__).resolve().parents[2] / "data/results/benchmarks/gradient_norms.json"
LOSSES = (
    *("CE", "FL", "GCE", "SCE", "MAE", "NCE", "NCE+RCE", "NCE+AGCE", "CE+LC", "LDR"),
    *("ANL-CE", "ANL-FL", "AMSE", "JAL-CE", "JAL-FL"),
)
FEW = 15
"""Steps from the start, of every loss."""
FOLLOWED = ("CE", "GCE", "NCE+RCE", "ANL-CE", "JAL-CE")
EPOCHS, IMAGES = 5, 6_400
"""Followed on CIFAR-10 for so long, over the first images of the training set."""


def norms(dataset: str, loss: str, steps: int, images: int | None = None, seed: int = 123) -> list[float]:
    """Of the first steps, over the same images again and again, in an order that the seed draws anew each time."""
    words = {"dataset": dataset, "loss": loss, "noise": "symmetric", "rate": 0.8, "seed": seed}
    spec = resolve(**words, **({"train_size": images} if images else {}))
    data, recipe = datasets.load(dataset), spec.recipe
    given = torch.from_numpy(noisy_labels(spec, data))
    pixels = torch.tensor(data.train_images[: len(given)]).permute(0, 3, 1, 2)
    mean, std = (torch.tensor(values)[:, None, None] for values in (recipe.mean, recipe.std))
    torch.manual_seed(seed)
    model = models.build(recipe.model, data.num_classes, 3, 32).to(memory_format=torch.channels_last)
    weights = list(model.parameters())
    value = losses.build(loss, None, **spec.loss.parameters)
    optimiser = torch.optim.SGD(weights, recipe.learning_rate, recipe.momentum, weight_decay=recipe.l2)
    found: list[float] = []
    while len(found) < steps:
        for batch in torch.randperm(len(given)).split(recipe.batch_size):
            with torch.autocast("cpu", torch.bfloat16):
                logits = model((pixels[batch].float() / 255 - mean) / std)
            total = value(logits.float(), given[batch])
            total = total + recipe.l1 * sum(weight.abs().sum() for weight in weights)
            optimiser.zero_grad()
            total.backward()
            found.append(float(torch.nn.utils.clip_grad_norm_(weights, recipe.clip_norm)))
            optimiser.step()
            if len(found) == steps:
                break
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    torch.set_num_threads(1)
    at = provenance.commit()
    document: dict = {"schema": SCHEMA, "seed": 123, "noise": "symmetric 0.8", "batch_size": 128, "norms": {}}
    document["precision"] = "bfloat16"
    cases = [(dataset, loss, FEW, None) for dataset in ("cifar10", "cifar100") for loss in LOSSES]
    cases += [("cifar10", loss, EPOCHS * IMAGES // 128, IMAGES) for loss in FOLLOWED]
    for dataset, loss, steps, images in cases:
        name = f"{dataset}, the first {images} images" if images else dataset
        clip = resolve(dataset=dataset, loss=loss).recipe.clip_norm
        found = document["norms"].setdefault(name, {"clip": clip, "losses": {}})
        found["losses"][loss] = [round(norm, 5) for norm in norms(dataset, loss, steps, images)]
        document["environment"] = provenance.environment("cpu", 1, at)
        files.write(given.out, json.dumps(document) + "\n")
        print(f"{name}, {loss}: {found['losses'][loss][0]:.3f} at the start", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
