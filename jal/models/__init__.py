"""The networks, each a body that gives features and a head: `model.features(x)`, `model.head`.

Inputs are (N, channels, height, width), normalised; outputs are logits (N, K).
"""

from __future__ import annotations

from collections.abc import Callable

from jal.errors import unknown
from jal.models.classifier import Classifier
from jal.models.cnn import cnn2, cnn8
from jal.models.norm import set_norm_group
from jal.models.resnet import INITIAL, resnet34, resnet50
from jal.models.student import StudentHead

__all__ = [
    "MODELS",
    "Classifier",
    "StudentHead",
    "build",
    "cnn2",
    "cnn8",
    "resnet34",
    "resnet50",
    "set_norm_group",
]

MODELS: dict[str, Callable[..., Classifier]] = {
    "cnn2": cnn2,
    "cnn8": cnn8,
    "resnet34": resnet34,
    "resnet50": resnet50,
}


def build(
    name: str,
    num_classes: int,
    in_channels: int,
    image_size: int,
    width: float = 1.0,
    initial: str = "random",
) -> Classifier:
    """A freshly initialised network, drawn from torch's global random stream.

    Parameters
    ----------
    name
        one of `MODELS`.
    image_size
        of the square images, in pixels.
    width
        the factor on the layers' channels.
    initial
        where the weights begin: "random"; for resnet50 also "zero-residual" and "imagenet1k-v2".

    Raises
    ------
    InputError
        for an unknown name or beginning, images too small for the network's poolings, or what `resnet50` refuses.

    Examples
    --------
    >>> import torch
    >>> model = build("cnn2", num_classes=3, in_channels=1, image_size=28)
    >>> model(torch.zeros(5, 1, 28, 28)).shape
    torch.Size([5, 3])
    """
    if name not in MODELS:
        raise unknown("model", name, MODELS)
    known = INITIAL if name == "resnet50" else INITIAL[:1]
    if initial not in known:
        raise unknown(f"initial weights of {name}", initial, known)
    options = {"initial": initial} if name == "resnet50" else {}
    return MODELS[name](num_classes, in_channels, image_size, width, **options)
