"""How large gradients are where the recipe bounds them: `python -m tests.benchmarks.clip`.

The paper's runs as `jal train` makes them, up to a step: the norm of each step's gradient before the bound, the L1
penalty's part included, as in the released code. Writes one JSON document, anew after every case; it needs the data,
in the folder that $JAL_DATA names. The two networks' first steps are of all images; the epochs are short ones, of the
first `SUBSET` images, at the learning rates of the paper's first epochs.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from jal import files
from jal.analysis.clip import FILE, SCHEMA
from jal.analysis.paper import reported
from jal.experiments import provenance, resolve
from jal.experiments.run import _training
from jal.experiments.spec import RunSpec
from jal.training.optimiser import Optimiser

RATE = 0.8
"""Of symmetric noise: the labels on which the paper's claims are largest."""

FIRST_STEPS = 15
SUBSET = 6400
"""50 whole batches: a smaller last one would have a larger gradient."""

EPOCHS = 6
FOLLOWED = ("CE", "GCE", "NCE+RCE", "ANL-CE", "JAL-CE")
NAMED_FIRST = ("CE", "SCE", "LDR", "JAL-CE", "ANL-CE", "NCE+RCE", "GCE", "JAL-FL")
ROOT = Path(__file__).resolve().parents[2]


class Watched(Optimiser):
    """Notes the norm before each bound, and changes nothing."""

    norms: list[Tensor]

    def bound(self, norm: float) -> Tensor:
        before = super().bound(norm)
        self.norms.append(before.detach())
        return before


def norms(spec: RunSpec, epochs: int = 1, steps: int | None = None) -> list[list[float]]:
    """The gradient's norm before the bound in the first steps of a run's first epochs, on one thread."""
    found = []
    with _training(spec, "cpu", True, False, None, None, False) as training:
        training.optimiser = Watched(list(training.model.parameters()), training.recipe)
        training._prepare()
        for epoch in range(epochs):
            training.epoch, training.step = epoch, 0
            training.optimiser.norms = []
            training._begin_epoch()
            for _ in range(steps or training.steps):
                training._advance()
            found.append([float(f"{norm:.6g}") for norm in torch.stack(training.optimiser.norms).tolist()])
    return found


def cases() -> Iterator[tuple[str, RunSpec, int, int | None]]:
    """What is measured, the most telling first: which part of it, the run, its epochs and the steps of each."""
    table = dict.fromkeys([*NAMED_FIRST, *reported(3)["loss"]])

    def spec(dataset: str, loss: str, **recipe: object) -> RunSpec:
        return resolve(dataset=dataset, noise="symmetric", rate=RATE, loss=loss, **recipe)

    for loss in table:
        yield "first steps", spec("cifar10", loss), 1, FIRST_STEPS
    for loss in FOLLOWED:
        yield "epochs", spec("cifar10", loss, precision="bfloat16", train_size=SUBSET), EPOCHS, None
    for loss in table:
        yield "first steps", spec("cifar100", loss, precision="bfloat16"), 1, FIRST_STEPS
    # What half precision does to the norms, where it was used.
    yield "precision", spec("cifar100", "CE"), 1, FIRST_STEPS


def main() -> None:
    document: dict = {"schema": SCHEMA, "cases": []}
    at = provenance.commit()
    for part, spec, epochs, steps in cases():
        began = time.perf_counter()
        case = {
            "part": part,
            "dataset": spec.dataset,
            "loss": spec.loss.name,
            "precision": spec.recipe.precision,
            "model": spec.recipe.model,
            "rate": RATE,
            "seed": spec.seed,
            "train_size": spec.recipe.train_size,
            "clip_norm": spec.recipe.clip_norm,
            "id": spec.id,
            "norms": norms(spec, epochs, steps),
            "seconds": round(time.perf_counter() - began, 1),
        }
        document["cases"].append(case)
        document["environment"] = provenance.environment("cpu", 1, at)
        files.write(ROOT / FILE, json.dumps(document, indent=1) + "\n")
        print(f"{part}, {spec.dataset}, {spec.loss.name}: {case['seconds']} s", file=sys.stderr)


if __name__ == "__main__":
    main()
