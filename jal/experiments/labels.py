"""The labels of a run: its noise, put on the true labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from jal.errors import InputError
from jal.experiments.noises import FLIPS_CIFAR100, NoiseSpec
from jal.experiments.schema import pack
from jal.experiments.spec import RunSpec

if TYPE_CHECKING:
    from jal.datasets import ImageData
    from jal.noise import LabelFile, NoiseReport

Labels = NDArray[np.int64]


def transition(noise: NoiseSpec, dataset: str, K: int) -> NDArray[np.float64] | None:
    """T of a noise, (K, K), T[i, j] = P(given label j | true label i); None for a noise that has none.

    Instance-dependent and human noise have one for each image.
    """
    from jal import noise as noises

    if noise.kind == "clean":
        return np.eye(K)
    rate = noise.rate or 0.0
    if noise.kind == "symmetric":
        return noises.symmetric(K, rate)
    if noise.kind == "pair":
        return noises.pair(K, rate)
    if noise.kind == "asymmetric":
        settings = next((s for s, variant in FLIPS_CIFAR100.items() if variant == noise.variant), "official")
        return noises.asymmetric(dataset, rate, settings)
    return None


def noisy_labels(
    spec: RunSpec,
    data: ImageData,
    root: str | Path | None = None,
    file: str | Path | None = None,
) -> Labels:
    """The labels that a run is trained with, (N,).

    Parameters
    ----------
    data
        what the spec trains on: the first `train_size` images of its dataset.
    root
        the folder of the datasets' folders, for labels that come from files; $JAL_DATA if left out.
    file
        of the labels, for noise of the kind "file".

    Raises
    ------
    InputError
        for files that are missing, damaged or other labels than the spec's.
    """
    from jal import datasets, noise
    from jal.datasets.human import human_labels
    from jal.datasets.instance import fixed_instance_labels

    kind, true = spec.noise, data.train_labels
    T = transition(kind, spec.dataset, data.num_classes)
    if kind.kind == "clean":
        return true
    if T is not None:
        return noise.corrupt(true, T, _seed(kind), cast(Literal["exact", "bernoulli"], kind.method))
    if kind.variant == "pdn":
        return noise.instance_dependent(
            data.train_images, true, kind.rate or 0.0, _seed(kind), **_standardised(spec, data)
        )
    if kind.kind == "instance":
        return fixed_instance_labels(spec.dataset, kind.rate or 0.0, root)[: len(true)]
    if kind.kind == "human":
        return human_labels(spec.dataset, kind.variant or "", root, true)[: len(true)]
    if file is None:
        raise InputError(f"the labels {kind.variant} come from a file: name it with --labels")
    found = noise.read_labels(file)
    if spec.recipe.train_size is not None and len(found.labels) > len(true):
        # A file of the whole set, of which these are the first.
        found.check_against(datasets.load(spec.dataset, root).train_labels)
    else:
        found.check_against(true)
    if found.sha256 != kind.variant:
        raise InputError(
            f"{file} holds other labels ({found.sha256[:8]}) than the run's ({str(kind.variant)[:8]})"
        )
    return found.labels[: len(true)]


def missed_rates(spec: RunSpec, true: Labels, given: Labels, K: int) -> dict[str, float]:
    """The rate that was asked for and the one reached, where exact counts fall short; else nothing.

    Parameters
    ----------
    true, given
        (N,) labels.
    K
        number of classes.
    """
    from jal.noise.corrupt import asked_rate, falls_short

    if spec.noise.method != "exact" or (T := transition(spec.noise, spec.dataset, K)) is None:
        return {}
    asked, reached = asked_rate(np.bincount(true, minlength=K), T), float((true != given).mean())
    return {"asked": round(asked, 6), "reached": round(reached, 6)} if falls_short(reached, asked) else {}


def validation_labels(spec: RunSpec, data: ImageData) -> Labels | None:
    """Noisy labels of the test images, (N_test,), drawn from the same T; None for noise that has none, or is clean."""
    from jal import noise

    T = transition(spec.noise, spec.dataset, data.num_classes)
    if T is None or spec.noise.seed is None:
        return None
    # Another stream than the training labels'; independent draws, since exact counts of a few images are too few.
    (seed,) = np.random.SeedSequence((spec.noise.seed, 1)).generate_state(1)
    return noise.corrupt(data.test_labels, T, int(seed), "bernoulli")


def report_of(
    spec: RunSpec, data: ImageData, root: str | Path | None = None, file: str | Path | None = None
) -> NoiseReport:
    """What the noise of a run does to its labels: `jal.noise.report`."""
    from jal import noise

    given = noisy_labels(spec, data, root, file)
    K, probabilities = data.num_classes, None
    if spec.noise.variant == "pdn":
        probabilities = noise.instance_probabilities(
            data.train_images,
            data.train_labels,
            spec.noise.rate or 0.0,
            _seed(spec.noise),
            **_standardised(spec, data),
        )
    return noise.report(
        data.train_labels,
        given,
        K,
        nominal=spec.noise.rate,
        transition=transition(spec.noise, spec.dataset, K),
        probabilities=probabilities,
    )


def label_file(
    spec: RunSpec, data: ImageData, root: str | Path | None = None, file: str | Path | None = None
) -> LabelFile:
    """The labels of a run, to be written and shared: see `jal.noise.write_labels`."""
    from jal import noise

    source = source_of(spec.noise, spec.dataset, file)
    return noise.LabelFile(
        dataset=spec.dataset,
        num_classes=data.num_classes,
        labels=noisy_labels(spec, data, root, file),
        noise=pack(spec.noise),
        source=source.get("source", ""),
        licence=source.get("licence", ""),
        clean_sha256=noise.labels_sha256(data.train_labels),
    )


def source_of(noise: NoiseSpec, dataset: str, file: str | Path | None = None) -> dict[str, str]:
    """Where labels that others made come from, and their licence; nothing for those that were drawn here."""
    from jal.datasets.human import human_source
    from jal.datasets.instance import instance_source
    from jal.noise import read_labels

    if noise.kind == "human":
        return human_source(dataset, noise.variant or "")
    if noise.variant == "fixed":
        return instance_source(dataset, noise.rate or 0.0)
    if noise.kind == "file" and file is not None:
        found = read_labels(file)
        return {"source": found.source, "licence": found.licence}
    return {}


def _seed(noise: NoiseSpec) -> int:
    if noise.seed is None:
        raise InputError(f"spec.noise: {noise.kind} noise needs a seed")
    return noise.seed


def _standardised(spec: RunSpec, data: ImageData) -> dict[str, Any]:
    return {"num_classes": data.num_classes, "mean": spec.recipe.mean, "std": spec.recipe.std}
