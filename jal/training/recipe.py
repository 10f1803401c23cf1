"""Recipes: all that fixes how a network is trained, for each dataset, setting and loss."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from jal.errors import InputError, unknown

SCHEDULES = ("cosine", "exponential", "step", "constant")
OPTIMISERS = ("sgd", "adam")
PRECISIONS = ("float32", "bfloat16", "float64")
SETTINGS = ("official", "paper")

LARGEST_BATCH = 2**20
WIDEST = 64.0
"""What is beyond these is a slip: networks of billions of weights, and batches of more images than a dataset has."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    A field's name, type and default are part of every run's identity (see `jal.experiments.spec`): a field may
    be added, with the default that keeps the old meaning; none may change.

    Attributes
    ----------
    model, width
        one of `jal.models.MODELS`, and the factor on its layers' channels.
    initial
        where the weights begin: "random", "zero-residual" (each residual branch's last scale at 0) or
        "imagenet1k-v2" (torchvision's).
    epochs, batch_size
        the last batch of an epoch is a partial one and is kept.
    optimiser, learning_rate, momentum, nesterov
        as in `torch.optim.SGD`; "adam" takes torch's own betas, and no momentum.
    schedule, decay, milestones
        stepped after each epoch. "cosine": down to 0 after the last; "exponential": times `decay`; "step": times
        `decay` after each epoch of `milestones`; "constant".
    clip_norm
        the bound of the gradient's norm, the L1 penalty's part included; None: no bound.
    l1
        the weight of sum |w| over all parameters, a part of the gradient.
    l2
        the optimiser's weight_decay.
    mean, std
        of each channel, on the scale 0 to 1.
    augmentation, test_transform
        by name, in order, on the raw image: "crop4" (random crop after padding by 4), "flip", "rotate20"
        (degrees), "resizedcrop224", "jitter" (ColorJitter(.4, .4, .4, .2)), "crop224", "resize256" (the
        shorter side), "resize256x256", "centrecrop224".
    precision
        "float32"; "bfloat16", mixed; "float64", for comparisons.
    train_size
        how many training images are used, the first of the dataset; None: all.
    norm_group
        how many images of a batch share the statistics of batch normalisation, the last group of a batch being what is
        left; its running statistics are those of the first group. None: the whole batch. The released code trains
        WebVision and Clothing1M on 4 cards without synchronised batch normalisation, so with 64 of 256.
    """

    model: str
    epochs: int
    batch_size: int
    learning_rate: float
    momentum: float
    schedule: str
    clip_norm: float | None
    l1: float
    l2: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    augmentation: tuple[str, ...] = ()
    test_transform: tuple[str, ...] = ()
    optimiser: str = "sgd"
    nesterov: bool = False
    decay: float | None = None
    milestones: tuple[int, ...] = ()
    width: float = 1.0
    initial: str = "random"
    precision: str = "float32"
    train_size: int | None = None
    norm_group: int | None = None

    def __post_init__(self) -> None:
        for name, known in (("schedule", SCHEDULES), ("optimiser", OPTIMISERS), ("precision", PRECISIONS)):
            if getattr(self, name) not in known:
                raise unknown(name, getattr(self, name), known)
        demands = {
            "epochs": (self.epochs >= 1, "1 or more"),
            "batch_size": (
                2 <= self.batch_size <= LARGEST_BATCH,
                f"2 or more, for batch normalisation needs company, and {LARGEST_BATCH} at most",
            ),
            "learning_rate": (self.learning_rate > 0, "a number over 0"),
            "momentum": (0 <= self.momentum < 1, "a number from 0 up to, not including, 1"),
            "clip_norm": (self.clip_norm is None or self.clip_norm > 0, "a number over 0, or none"),
            "l1": (self.l1 >= 0, "0 or more"),
            "l2": (self.l2 >= 0, "0 or more"),
            "width": (0 < self.width <= WIDEST, f"a number over 0, {WIDEST:g} at most"),
            "train_size": (self.train_size is None or self.train_size >= 2, "2 or more, or none for all"),
            "norm_group": (
                self.norm_group is None or 2 <= self.norm_group < self.batch_size,
                f"2 or more and less than batch_size={self.batch_size}, or none for the whole batch",
            ),
            "std": (
                len(self.std) == len(self.mean) > 0 and min(self.std) > 0,
                "one positive number a channel",
            ),
            "optimiser": (
                self.optimiser == "sgd" or not (self.momentum or self.nesterov),
                "momentum=0 and nesterov=False with it: Adam has its own",
            ),
            "decay": (
                self.decay is not None if self.schedule in ("exponential", "step") else self.decay is None,
                "a factor with the schedules exponential and step, none with the others",
            ),
        }
        for name, (holds, demand) in demands.items():
            if not holds:
                raise InputError(f"recipe: {name}={getattr(self, name)} will not do: give {demand}")

    def learning_rate_at(self, epoch: int) -> float:
        """The learning rate during an epoch, the first being 0."""
        if self.schedule == "cosine":
            return self.learning_rate * (1 + math.cos(math.pi * epoch / self.epochs)) / 2
        if self.schedule == "constant" or self.decay is None:
            return self.learning_rate
        steps = epoch if self.schedule == "exponential" else sum(epoch >= at for at in self.milestones)
        return self.learning_rate * self.decay**steps


_CIFAR10 = Recipe(
    model="cnn8",
    epochs=120,
    batch_size=128,
    learning_rate=0.01,
    momentum=0.9,
    schedule="cosine",
    clip_norm=5.0,
    l1=0.0,
    l2=0.0,
    mean=(0.49139968, 0.48215827, 0.44653124),
    std=(0.24703233, 0.24348505, 0.26158768),
    augmentation=("crop4", "flip"),
)

_CIFAR100 = replace(
    _CIFAR10,
    model="resnet34",
    epochs=200,
    learning_rate=0.1,
    mean=(0.5071, 0.4865, 0.4409),
    std=(0.2673, 0.2564, 0.2762),
    augmentation=("crop4", "flip", "rotate20"),
)

_WEBVISION = Recipe(
    model="resnet50",
    initial="zero-residual",
    epochs=250,
    batch_size=256,
    learning_rate=0.4,
    momentum=0.9,
    nesterov=True,
    schedule="exponential",
    decay=0.97,
    clip_norm=5.0,
    l1=0.0,
    l2=0.0,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    augmentation=("resizedcrop224", "flip", "jitter"),
    test_transform=("resize256", "centrecrop224"),
    precision="bfloat16",
)

_CLOTHING1M = Recipe(
    model="resnet50",
    initial="imagenet1k-v2",
    epochs=10,
    batch_size=256,
    learning_rate=5e-3,
    momentum=0.9,
    schedule="step",
    decay=0.1,
    milestones=(5,),
    clip_norm=None,
    l1=0.0,
    l2=0.0,
    mean=(0.6959, 0.6537, 0.6371),
    std=(0.3113, 0.3192, 0.3214),
    augmentation=("resize256x256", "crop224", "flip"),
    test_transform=("resize256x256", "centrecrop224"),
    precision="bfloat16",
)

_DIGITS = replace(_CIFAR10, model="cnn2", epochs=80, mean=(0.3053,), std=(0.3762,), augmentation=())
"""Ours, not the paper's: CIFAR-10's recipe with a network and a number of epochs for runs of seconds."""

_FASHION_MNIST = replace(_DIGITS, epochs=20, batch_size=128, mean=(0.2860,), std=(0.3530,))
_MNIST = replace(_FASHION_MNIST, mean=(0.1307,), std=(0.3081,))
"""Ours, like the digits': a network of minutes on 28 x 28 grey images."""

RECIPES = {
    "cifar10": _CIFAR10,
    "cifar100": _CIFAR100,
    "cifar100-coarse": _CIFAR100,
    "webvision": _WEBVISION,
    "clothing1m": _CLOTHING1M,
    "digits": _DIGITS,
    "fashion-mnist": _FASHION_MNIST,
    "mnist": _MNIST,
}

L1_WITH_AMSE = {
    "cifar10": 5e-5,
    "cifar100": 5e-6,
    "cifar100-coarse": 5e-6,
    "digits": 5e-5,
    "fashion-mnist": 5e-5,
    "mnist": 5e-5,
}
L1_WITH_NEGATIVE = L1_WITH_AMSE | {"cifar100": 5e-7, "cifar100-coarse": 5e-7}
L2 = {
    "cifar10": 1e-4,
    "cifar100": 1e-5,
    "cifar100-coarse": 1e-5,
    "webvision": 3e-5,
    "clothing1m": 1e-3,
    "digits": 1e-4,
    "fashion-mnist": 1e-4,
    "mnist": 1e-4,
}

HAVE_AMSE = frozenset({"AMSE", "JAL-CE", "JAL-FL"})
HAVE_NEGATIVE = frozenset({"NNCE", "NNFL", "ANL-CE", "ANL-FL"})


def recipe(dataset: str, loss: str, settings: str = "official") -> Recipe:
    """The recipe of a dataset, with the regulariser that `settings` gives the loss.

    The released code has an L1 penalty for every loss with AMSE, NNCE or NNFL in it and L2 for all others; the
    paper's text (section 5.1) has L1 for all on CIFAR. The digits, MNIST and Fashion-MNIST follow CIFAR-10's rule and
    strengths, CIFAR-100's 20 coarse classes those of its 100.

    Parameters
    ----------
    dataset
        one of `RECIPES`.
    loss
        a name of the catalogue, or "LT-APL".
    settings
        "official" or "paper".

    Raises
    ------
    InputError
        for an unknown dataset or setting.
    """
    if dataset not in RECIPES:
        raise unknown("dataset", dataset, RECIPES)
    if settings not in SETTINGS:
        raise unknown("settings", settings, SETTINGS)
    base = RECIPES[dataset]
    if loss == "LT-APL":
        # Its authors' own: Adam, with the weight decay that the dataset's other losses have.
        return replace(
            base, optimiser="adam", learning_rate=1e-3, momentum=0.0, nesterov=False, l2=L2[dataset]
        )
    l1 = 0.0
    if dataset in L1_WITH_AMSE:
        if loss in HAVE_AMSE or settings == "paper":
            l1 = L1_WITH_AMSE[dataset]
        elif loss in HAVE_NEGATIVE:
            l1 = L1_WITH_NEGATIVE[dataset]
    return replace(base, l1=l1, l2=0.0 if l1 else L2[dataset])
