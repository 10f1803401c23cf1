import numpy as np
import pytest

from jal.datasets import ImageData
from jal.errors import InputError


def arrays(**changes):
    stream = np.random.default_rng(0)
    parts = {
        "train_images": stream.integers(0, 256, (5, 4, 3, 1), np.uint8),
        "train_labels": np.array([0, 1, 2, 1, 0]),
        "test_images": stream.integers(0, 256, (2, 4, 3, 1), np.uint8),
        "test_labels": np.array([2, 0]),
    }
    return ImageData(name="toy", **(parts | changes), classes=("a", "b", "c"))


def test_first_keeps_the_first_training_images_and_every_test_image():
    data = arrays()
    two = data.first(2)
    np.testing.assert_array_equal(two.train_images, data.train_images[:2])
    np.testing.assert_array_equal(two.train_labels, [0, 1])
    np.testing.assert_array_equal(two.test_images, data.test_images)
    assert (two.name, two.classes, two.num_classes) == ("toy", ("a", "b", "c"), 3)
    assert len(data.train_labels) == 5
    assert len(data.first(5).train_labels) == 5


@pytest.mark.parametrize("n", [0, -1, 6])
def test_first_refuses_what_the_dataset_does_not_have(n):
    with pytest.raises(InputError, match=f"the first {n} training images of toy: it has 5"):
        arrays().first(n)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_images": np.zeros((5, 4, 3, 1))}, "train_images are float64"),
        ({"test_images": np.zeros((2, 4, 3), np.uint8)}, r"test_images are uint8 of shape \(2, 4, 3\)"),
        ({"train_labels": np.array([0, 1])}, r"train_labels .* give int64 \(5,\)"),
        ({"test_labels": np.array([0, 1], np.uint8)}, r"test_labels are uint8"),
        ({"train_labels": np.array([0, 1, 3, 1, 0])}, r"train_labels hold 3, outside 0\.\.2"),
        ({"test_labels": np.array([0, -1])}, r"test_labels hold -1, outside 0\.\.2"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(InputError, match=message) as error:
        arrays(**changes)
    assert "\n" not in str(error.value)
