"""What the files of each dataset must hold, and what its classes are called.

The arrays come in the order of `ImageData`: training images and labels, test images and labels. The images are in
the order of the datasets' own releases, which is torchvision's.
"""

from __future__ import annotations

from jal.datasets.verified import Expected

CIFAR10 = (
    Expected(
        "x_train.npy",
        (50000, 32, 32, 3),
        "47af8b02cfcfb6cdf3dbbd1969ad7f1b70f4413f6f80f437b020ee4e5bc8304a",
    ),
    Expected("y_train.npy", (50000,), "f5cfe00b0f00968c0cc5ff3b1d2de51b10e33efa277c2986f4e0fa63e58c9f4f"),
    Expected(
        "x_test.npy",
        (10000, 32, 32, 3),
        "f9b1e2130bab680db56eb06d886f7f1ad0f1183907ceff4659d1735c890f5b04",
    ),
    Expected("y_test.npy", (10000,), "cbb7365de8ed11f05cc4c3a1e7f78144127c5e851efd83762fb18202461230bb"),
)
CIFAR10_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip

_CIFAR100_TRAIN = Expected(
    "x_train.npy",
    (50000, 32, 32, 3),
    "4e457917601a66aed021f5fa37957b56c6319557c0a8ed5484de3c390af45430",
)
_CIFAR100_TEST = Expected(
    "x_test.npy",
    (10000, 32, 32, 3),
    "4cb8e5d9309da489bf6b19cc10cd96c3ae6f8daf225380b605aaee4c0d6aee19",
)
CIFAR100 = (
    _CIFAR100_TRAIN,
    Expected(
        "y_train_fine.npy", (50000,), "8bf4935e7c77a3096270043c6f3b221b6ecb9c63d1a08608e9af66cff17e977a"
    ),
    _CIFAR100_TEST,
    Expected("y_test_fine.npy", (10000,), "80031c23f8300724c6fbc588e4bccbe41c6392041782148727bb497b0132c4ad"),
)
CIFAR100_COARSE = (
    _CIFAR100_TRAIN,
    Expected(
        "y_train_coarse.npy", (50000,), "9f99c2cdae93cf09da2fc6497c96ab042c6dc02c456a2e86dcffd2305df5a2e9"
    ),
    _CIFAR100_TEST,
    Expected(
        "y_test_coarse.npy", (10000,), "e2f01c218d5f70ed60e3d80cb12337f835005bcae62b64fefcaa2b647612af83"
    ),
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

FASHION_MNIST = (
    Expected(
        "x_train.npy",
        (60000, 28, 28, 1),
        "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
    ),
    Expected("y_train.npy", (60000,), "e3245b63f7c40d1c8b652835f19744d970c1613b40ddac6bcfc87b9c46e16a0b"),
    Expected(
        "x_test.npy",
        (10000, 28, 28, 1),
        "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
    ),
    Expected("y_test.npy", (10000,), "d51d859896c55775b9e9e219b77ff03bcec1b6ac322f313544dc3f9e7bc94fae"),
)
FASHION_MNIST_FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
FASHION_MNIST_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
