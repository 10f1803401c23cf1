from __future__ import annotations

import multiprocessing
import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from jal.errors import InputError
from jal.training.recipe import RECIPES
from jal.training.transforms import TRANSFORMS, Pipeline

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PLAIN = ((0.0,) * 3, (1.0,) * 3)


@pytest.fixture
def image():
    """300 x 400 pixels whose red grows to the right, whose green grows downwards, and whose blue is 100."""
    y, x = np.mgrid[:300, :400]
    pixels = np.stack([x * 255 / 399, y * 255 / 299, np.full_like(x, 100)], -1)
    return Image.fromarray(np.rint(pixels).astype(np.uint8))


@pytest.mark.parametrize("dataset", ["webvision", "clothing1m"])
@pytest.mark.parametrize("size", [(400, 300), (300, 400), (40, 3000), (224, 224), (1, 1)])
def test_the_recipes_transforms_make_square_tensors_of_every_image(dataset, size):
    recipe = RECIPES[dataset]
    for names in (recipe.augmentation, recipe.test_transform):
        tensor = Pipeline(names, recipe.mean, recipe.std)(Image.new("RGB", size, (255, 0, 128)))
        assert tensor.shape == (3, 224, 224)
        assert tensor.dtype == torch.float32


@pytest.mark.parametrize("dataset", ["webvision", "clothing1m"])
def test_what_is_normalised_is_the_scale_from_0_to_1(dataset, image):
    recipe = RECIPES[dataset]
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (recipe.mean, recipe.std))
    raw = Pipeline(recipe.test_transform, *PLAIN)(image)
    assert 0 <= raw.min() < 0.2
    assert 0.8 < raw.max() <= 1
    torch.testing.assert_close(
        Pipeline(recipe.test_transform, recipe.mean, recipe.std)(image), (raw - mean) / std
    )
    grey = Pipeline((), recipe.mean, recipe.std)(Image.new("RGB", (2, 2), (51, 51, 51)))
    torch.testing.assert_close(grey, ((0.2 - mean) / std).expand(3, 2, 2))


@pytest.mark.parametrize("dataset", ["webvision", "clothing1m"])
def test_the_test_transforms_draw_nothing(dataset, image):
    recipe = RECIPES[dataset]
    transform = Pipeline(recipe.test_transform, recipe.mean, recipe.std)
    before = torch.get_rng_state()
    assert torch.equal(transform(image), transform(image))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("dataset", ["webvision", "clothing1m"])
def test_the_training_transforms_follow_torchs_seed(dataset, image):
    recipe = RECIPES[dataset]
    transform = Pipeline(recipe.augmentation, recipe.mean, recipe.std)
    first, other, again = (torch.manual_seed(seed) and transform(image) for seed in (0, 1, 0))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_each_name_has_its_size(name, image):
    sizes = {"resize256": (256, 341), "resize256x256": (256, 256), "flip": (300, 400), "jitter": (300, 400)}
    assert Pipeline((name,), *PLAIN)(image).shape == (3, *sizes.get(name, (224, 224)))


def test_the_centre_is_the_centre(image):
    whole = Pipeline((), *PLAIN)(image)
    assert torch.equal(Pipeline(("centrecrop224",), *PLAIN)(image), whole[:, 38:262, 88:312])


def test_crops_are_pieces_of_the_image_from_all_over_it():
    y, x = np.mgrid[:300, :400]
    numbered = Image.fromarray(np.stack([x // 2, x % 2, y // 2], -1).astype(np.uint8))
    whole, crop = Pipeline((), *PLAIN)(numbered), Pipeline(("crop224",), *PLAIN)
    torch.manual_seed(0)
    lefts, tops = [], []
    for _ in range(200):
        piece = crop(numbered)
        left = int(2 * piece[0, 0, 0] * 255 + piece[1, 0, 0] * 255 + 0.5)
        top = int(2 * piece[2, 0, 0] * 255 + (piece[2, 0, 0] == piece[2, 1, 0]).logical_not() + 0.5)
        assert torch.equal(piece, whole[:, top : top + 224, left : left + 224])
        lefts.append(left)
        tops.append(top)
    assert min(lefts) < 10 and max(lefts) > 166
    assert min(tops) < 5 and max(tops) > 71


def test_half_of_the_images_are_flipped(image):
    whole, flip = Pipeline((), *PLAIN)(image), Pipeline(("flip",), *PLAIN)
    torch.manual_seed(0)
    flipped = [flip(image) for _ in range(200)]
    assert all(torch.equal(one, whole) or torch.equal(one, whole.flip(2)) for one in flipped)
    # Four standard deviations.
    assert 72 < sum(torch.equal(one, whole) for one in flipped) < 128


def test_resized_crops_have_8_to_100_per_cent_of_the_area_and_shapes_from_3_4_to_4_3(image):
    crop = Pipeline(("resizedcrop224",), *PLAIN)
    torch.manual_seed(0)
    areas, shapes = [], []
    for _ in range(300):
        piece = crop(image)
        width = float(piece[0].mean(0)[-1] - piece[0].mean(0)[0]) * 400
        height = float(piece[1].mean(1)[-1] - piece[1].mean(1)[0]) * 300
        areas.append(width * height / (400 * 300))
        shapes.append(width / height)
    assert 0.06 < min(areas) < 0.2 and 0.8 < max(areas) <= 1
    assert 0.4 < np.mean(areas) < 0.6
    assert 0.7 < min(shapes) < 0.8 and 1.25 < max(shapes) < 1.4


def test_the_jitter_moves_brightness_by_up_to_two_fifths_and_hue_at_all():
    jitter = Pipeline(("jitter",), *PLAIN)
    torch.manual_seed(0)
    grey = [jitter(Image.new("RGB", (4, 4), (100, 100, 100)))[:, 0, 0] for _ in range(300)]
    assert all(torch.allclose(one, one.mean().expand(3), atol=0.01) for one in grey)
    factors = torch.stack(grey).mean(1) * 2.55
    assert 0.58 < factors.min() < 0.65
    assert 1.35 < factors.max() < 1.42
    red = torch.stack([jitter(Image.new("RGB", (4, 4), (200, 40, 40)))[:, 0, 0] for _ in range(300)])
    # A fifth of the circle to either side: from red past yellow, and to magenta.
    assert (
        (red.argmax(1) == 1).any()
        and (red[:, 1] > red[:, 2] + 0.1).any()
        and (red[:, 2] > red[:, 1] + 0.1).any()
    )


def test_it_travels_to_another_process(image):
    transform = Pipeline(("resize256", "centrecrop224"), MEAN, STD)
    assert isinstance(pickle.loads(pickle.dumps(transform)), Pipeline)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        there = pool.apply(transform, (image,))
    assert torch.equal(there, transform(image))


@pytest.mark.parametrize("name", ["crop4", "rotate20", "resizedcrop225", ""])
def test_an_unknown_name_is_refused(name):
    with pytest.raises(InputError, match=f"unknown transform of large images '{name}': .*centrecrop224"):
        Pipeline(("flip", name), MEAN, STD)


@pytest.mark.parametrize(("mean", "std"), [((0.5,), (0.5,)), (MEAN, (0.2, 0.2)), (MEAN, (0.2, 0.0, 0.2))])
def test_other_than_three_channels_are_refused(mean, std):
    with pytest.raises(InputError, match="give three numbers, std over 0"):
        Pipeline(("flip",), mean, std)
