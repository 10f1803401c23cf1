"""The transforms of large images, by the recipes' names, on the processor, an image at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from torch import Tensor

from jal.errors import InputError, unknown
from jal.vision import torchvision

if TYPE_CHECKING:
    from PIL.Image import Image

TRANSFORMS: dict[str, Callable[[ModuleType], Any]] = {
    "resizedcrop224": lambda transforms: transforms.RandomResizedCrop(224),
    "flip": lambda transforms: transforms.RandomHorizontalFlip(),
    "jitter": lambda transforms: transforms.ColorJitter(0.4, 0.4, 0.4, 0.2),
    "crop224": lambda transforms: transforms.RandomCrop(224),
    "resize256": lambda transforms: transforms.Resize(256),
    "resize256x256": lambda transforms: transforms.Resize((256, 256)),
    "centrecrop224": lambda transforms: transforms.CenterCrop(224),
}
"""torchvision's, with its own defaults, by the names that `Recipe.augmentation` and `test_transform` use."""

drawing = threading.Lock()
"""Held by whoever draws from torch's one random stream: the runs on one card are threads."""


class Pipeline:
    """An image's way to a tensor: the transforms in order, then the scale 0 to 1, then normalised.

    What is random is drawn from torch's global generator. It travels to a loader's processes. The paper's supplement
    has "resized to 224 x 224", "random shift, color jittering, and horizontal flip"; sizes and strengths are the
    released code's.

    Parameters
    ----------
    names
        of `TRANSFORMS`, in order, on the raw image: a recipe's `augmentation`, or its `test_transform`.
    mean, std
        of the three channels, on the scale 0 to 1.

    Raises
    ------
    InputError
        for an unknown name, or other than three positive std.
    """

    def __init__(self, names: Sequence[str], mean: Sequence[float], std: Sequence[float]) -> None:
        for name in names:
            if name not in TRANSFORMS:
                raise unknown("transform of large images", name, TRANSFORMS)
        if not (len(mean) == len(std) == 3 and min(std) > 0):
            raise InputError(
                f"mean={tuple(mean)}, std={tuple(std)} will not do: give three numbers, std over 0"
            )
        self.names, self.mean, self.std = tuple(names), tuple(mean), tuple(std)
        transforms = torchvision().transforms
        self._composed = transforms.Compose(
            [
                *(TRANSFORMS[name](transforms) for name in names),
                transforms.ToTensor(),
                transforms.Normalize(mean, std),
            ]
        )

    def __call__(self, image: Image) -> Tensor:
        """A PIL image in RGB to a float32 tensor (3, height, width)."""
        tensor: Tensor = self._composed(image)
        return tensor

    # Built anew there: torchvision's own objects would import it without `jal.vision`.
    def __reduce__(
        self,
    ) -> tuple[type[Pipeline], tuple[tuple[str, ...], tuple[float, ...], tuple[float, ...]]]:
        return Pipeline, (self.names, self.mean, self.std)
