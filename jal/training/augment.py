"""Random crops, flips and rotations of a batch at once, on its own device.

Each says from where an output pixel comes; one after the other they are a single map of coordinates, and one
gather reads the pixels. What is random is drawn apart, so that given its draws a batch has one answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from jal.errors import InputError, unknown

Draws = dict[str, Tensor]

PADDING = 4
DEGREES = 20.0


def draw(names: Iterable[str], count: int, generator: Generator) -> Draws:
    """What is random about `count` images, on the generator's device, in the order of `names`.

    Parameters
    ----------
    names
        of `AUGMENTATIONS`: "crop4", torchvision's RandomCrop(size, padding=4); "flip", its
        RandomHorizontalFlip(); "rotate20", its RandomRotation(20).

    Returns
    -------
    Draws
        a tensor a name, one row an image: the crop's corner in the padded image (top, left), int32 from 0 to 8;
        whether it is flipped; the angle in degrees, counter-clockwise.

    Raises
    ------
    InputError
        for an unknown name.
    """
    drawn = {}
    for name in names:
        if name not in AUGMENTATIONS:
            raise unknown("augmentation", name, AUGMENTATIONS)
        drawn[name] = AUGMENTATIONS[name].draw(count, generator)
    return drawn


def augment(images: Tensor, draws: Draws) -> Tensor:
    """The images after each augmentation of `draws` in turn; what comes from outside a frame is black.

    The host is never waited for, and shapes depend on shapes alone, so it can be compiled and captured.

    Parameters
    ----------
    images
        (N, height, width, channels), raw bytes: black is 0 there, and not after normalisation.
    draws
        of `draw`, for the same N images.

    Returns
    -------
    Tensor
        like `images`. For the same draws, pixel for pixel what torchvision makes of PIL images.

    Raises
    ------
    InputError
        for images that are not bytes.
    """
    if images.dtype != torch.uint8:
        raise InputError(
            f"images of {images.dtype} cannot be augmented: give raw bytes, normalise afterwards"
        )
    if not draws:
        return images
    count, height, width, channels = images.shape
    number, y, x = (torch.arange(size, dtype=torch.int32, device=images.device) for size in images.shape[:3])
    number, y, x = number.view(-1, 1, 1), y.view(1, -1, 1), x.view(1, 1, -1)
    inside = torch.ones((), dtype=torch.bool, device=images.device)
    for name, drawn in reversed(draws.items()):
        y, x = AUGMENTATIONS[name].source(y, x, (height, width), drawn.view(count, 1, 1, -1))
        inside = inside & (y >= 0) & (y < height) & (x >= 0) & (x < width)
    pixels = torch.cat([images.reshape(-1, channels), images.new_zeros(1, channels)])
    index = torch.where(inside, number * (height * width) + y * width + x, count * height * width)
    return pixels.index_select(0, index.flatten()).view(images.shape)


class Augmentation(NamedTuple):
    """How to draw for (count, generator), and from which (y, x) an output pixel comes."""

    draw: Callable[[int, Generator], Tensor]
    source: Callable[[Tensor, Tensor, tuple[int, int], Tensor], tuple[Tensor, Tensor]]


def _draw_crop(count: int, generator: Generator) -> Tensor:
    size = (count, 2)
    return torch.randint(
        2 * PADDING + 1, size, generator=generator, device=generator.device, dtype=torch.int32
    )


def _crop(y: Tensor, x: Tensor, size: tuple[int, int], corner: Tensor) -> tuple[Tensor, Tensor]:
    return y + corner[..., 0] - PADDING, x + corner[..., 1] - PADDING


def _draw_flip(count: int, generator: Generator) -> Tensor:
    return torch.rand(count, generator=generator, device=generator.device) < 0.5


def _flip(y: Tensor, x: Tensor, size: tuple[int, int], flipped: Tensor) -> tuple[Tensor, Tensor]:
    return y, torch.where(flipped[..., 0], size[1] - 1 - x, x)


def _draw_rotation(count: int, generator: Generator) -> Tensor:
    return torch.empty(count, device=generator.device).uniform_(-DEGREES, DEGREES, generator=generator)


def _rotate(y: Tensor, x: Tensor, size: tuple[int, int], degrees: Tensor) -> tuple[Tensor, Tensor]:
    """Pillow's nearest neighbour: the pixel's centre is turned back in fixed point, 16 bits after the point."""
    exact = torch.float32 if degrees.device.type == "mps" else torch.float64
    angle = degrees[..., 0].to(exact).deg2rad()
    cosine, sine = angle.cos(), angle.sin()
    middle_y, middle_x = size[0] / 2, size[1] / 2
    # The source of the first pixel's centre; the others are whole steps from it.
    first_y = middle_y + sine * (0.5 - middle_x) + cosine * (0.5 - middle_y)
    first_x = middle_x + cosine * (0.5 - middle_x) - sine * (0.5 - middle_y)
    right, down = _fixed(cosine), _fixed(sine)
    return (
        (_fixed(first_y) + down * x + right * y) >> 16,
        (_fixed(first_x) + right * x - down * y) >> 16,
    )


def _fixed(value: Tensor) -> Tensor:
    return (value * 65536 + 0.5).floor().to(torch.int32)


AUGMENTATIONS = {
    "crop4": Augmentation(_draw_crop, _crop),
    "flip": Augmentation(_draw_flip, _flip),
    "rotate20": Augmentation(_draw_rotation, _rotate),
}
