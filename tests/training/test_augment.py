"""The augmentations: pixel for pixel torchvision's on PIL images, and drawn from the same distributions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chisquare, kstest

from jal import vision
from jal.errors import InputError
from jal.training.augment import Draws, augment, draw

ALL = ("crop4", "flip", "rotate20")


@pytest.fixture(scope="module")
def transforms() -> Any:
    return vision.torchvision().transforms


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(20)


def coloured(count: int, height: int, width: int, channels: int = 3) -> torch.Tensor:
    """Images without a black pixel."""
    source = torch.Generator().manual_seed(7)
    size = (count, height, width, channels)
    return torch.randint(1, 256, size, dtype=torch.uint8, generator=source)


def by_torchvision(transforms: Any, image: torch.Tensor, draws: Draws, index: int) -> np.ndarray:
    """The same draws applied to one PIL image by torchvision's functions, in the order of the draws."""
    from PIL import Image

    functional = transforms.functional
    height, width, channels = image.shape
    picture = Image.fromarray(image.numpy() if channels == 3 else image[..., 0].numpy())
    for name, values in draws.items():
        value = values[index].tolist()
        if name == "crop4":
            picture = functional.crop(functional.pad(picture, 4), *value, height, width)
        elif name == "flip" and value:
            picture = functional.hflip(picture)
        elif name == "rotate20":
            picture = functional.rotate(picture, value)
    return np.asarray(picture).reshape(height, width, channels)


@pytest.mark.parametrize("names", [("crop4",), ("flip",), ("rotate20",), ("crop4", "flip"), ALL, ALL[::-1]])
@pytest.mark.parametrize("size", [(32, 32, 3), (28, 28, 1), (9, 14, 3)])
def test_the_same_draws_give_torchvisions_pixels(
    transforms: Any, generator: torch.Generator, names: tuple[str, ...], size: tuple[int, int, int]
) -> None:
    images = coloured(150, *size)
    draws = draw(names, len(images), generator)
    expected = np.stack([by_torchvision(transforms, image, draws, i) for i, image in enumerate(images)])
    np.testing.assert_array_equal(augment(images, draws).numpy(), expected)


def test_rotation_is_exact_for_many_angles(transforms: Any, generator: torch.Generator) -> None:
    image = coloured(1, 32, 32)
    angles = torch.cat(
        [torch.empty(3000).uniform_(-720, 720, generator=generator), torch.arange(-20.0, 20.5, 0.5)]
    )
    draws = {"rotate20": angles}
    expected = np.stack([by_torchvision(transforms, image[0], draws, i) for i in range(len(angles))])
    np.testing.assert_array_equal(augment(image.expand(len(angles), -1, -1, -1), draws).numpy(), expected)


def test_the_draws_are_torchvisions_in_distribution(transforms: Any, generator: torch.Generator) -> None:
    count = 6000
    draws = draw(ALL, count, generator)
    torch.manual_seed(3)
    crop, rotation = transforms.RandomCrop, transforms.RandomRotation(20)
    padded = torch.zeros(1, 40, 40)
    corners = np.array([crop.get_params(padded, (32, 32))[:2] for _ in range(count)])
    for axis in range(2):
        ours, theirs = (
            np.bincount(values, minlength=9) for values in (draws["crop4"][:, axis].numpy(), corners[:, axis])
        )
        assert len(ours) == len(theirs) == 9
        assert chisquare(ours).pvalue > 1e-3
        assert chisquare(theirs).pvalue > 1e-3
    pairs = draws["crop4"] @ torch.tensor([9, 1], dtype=torch.int32)
    assert chisquare(np.bincount(pairs.numpy(), minlength=81)).pvalue > 1e-3
    assert abs(draws["flip"].double().mean() - 0.5) < 4 * 0.5 / count**0.5
    angles = draws["rotate20"].numpy()
    assert angles.min() >= -20 and angles.max() < 20
    assert kstest(angles, [rotation.get_params(rotation.degrees) for _ in range(count)]).pvalue > 1e-3
    assert kstest(angles, "uniform", args=(-20, 40)).pvalue > 1e-3


def test_the_whole_is_torchvisions_in_distribution(transforms: Any, generator: torch.Generator) -> None:
    """Every pixel's mean over many draws, corners included, against torchvision's own pipeline on PIL images."""
    count = 2500
    image = coloured(1, 16, 16)
    from PIL import Image

    pipeline = transforms.Compose(
        [
            transforms.RandomCrop(16, padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.RandomRotation(20),
        ]
    )
    torch.manual_seed(4)
    picture = Image.fromarray(image[0].numpy())
    theirs = np.stack([np.asarray(pipeline(picture)) for _ in range(count)]).astype(float)
    ours = augment(image.expand(count, -1, -1, -1), draw(ALL, count, generator)).double().numpy()
    for statistic in (lambda values: values, lambda values: values == 0):
        a, b = statistic(ours), statistic(theirs)
        error = np.sqrt((a.var(0) + b.var(0)) / count)
        z = (a.mean(0) - b.mean(0))[error > 0] / error[error > 0]
        assert abs(z).max() < 5
        assert abs((z**2).mean() - 1) < 0.5


def test_what_leaves_the_cropped_frame_is_black_even_where_the_image_goes_on() -> None:
    images = coloured(1, 32, 32)
    draws = {"crop4": torch.tensor([[4, 8]], dtype=torch.int32), "rotate20": torch.tensor([15.0])}
    result = augment(images, draws)
    assert (result[0, 0, 0] == 0).all() and (result[0, -1, -1] == 0).all()
    cropped = augment(images, {"crop4": draws["crop4"]})
    assert torch.equal(cropped[:, :, :28], images[:, :, 4:]) and not cropped[:, :, 28:].any()
    assert torch.equal(result, augment(cropped, {"rotate20": draws["rotate20"]}))


def test_draws_fix_the_result_and_the_generator_fixes_the_draws() -> None:
    images = coloured(20, 32, 32)
    first, second = (draw(ALL, 20, torch.Generator().manual_seed(1)) for _ in range(2))
    assert list(first) == list(ALL)
    assert all(torch.equal(first[name], second[name]) for name in ALL)
    assert torch.equal(augment(images, first), augment(images, second))
    half = augment(images[5:], {name: values[5:] for name, values in first.items()})
    assert torch.equal(half, augment(images, first)[5:])


def test_images_stay_bytes_of_the_same_shape_and_may_be_a_view(generator: torch.Generator) -> None:
    images = coloured(6, 10, 12)
    draws = draw(ALL, 6, generator)
    view = images.permute(3, 0, 1, 2).contiguous().permute(1, 2, 3, 0)
    result = augment(view, draws)
    assert result.dtype == torch.uint8 and result.shape == images.shape and result.is_contiguous()
    assert torch.equal(result, augment(images, draws))
    assert augment(images, {}) is images


def test_nothing_asks_for_a_value(generator: torch.Generator) -> None:
    """The meta device has shapes and no values: whatever waited for one would fail there."""
    images, draws = coloured(6, 32, 32), draw(ALL, 6, generator)
    ghosts = {name: values.to("meta") for name, values in draws.items()}
    assert augment(images.to("meta"), ghosts).shape == images.shape


def test_it_compiles_without_a_break(generator: torch.Generator) -> None:
    images, draws = coloured(6, 32, 32), draw(ALL, 6, generator)
    compiled = torch.compile(augment, fullgraph=True, backend="eager")
    assert torch.equal(compiled(images, draws), augment(images, draws))


def test_refusals(generator: torch.Generator) -> None:
    with pytest.raises(InputError, match="unknown augmentation 'crop8': did you mean 'crop4'"):
        draw(("flip", "crop8"), 3, generator)
    with pytest.raises(InputError, match=r"images of torch.float32 .* raw bytes"):
        augment(coloured(2, 8, 8).float(), {})
