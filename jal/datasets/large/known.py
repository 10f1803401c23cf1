"""What is known of the large datasets: their splits, how many images these have, their classes."""

from __future__ import annotations

SPLITS = {
    "webvision": ("train", "val"),
    "ilsvrc12": ("val",),
    "clothing1m": ("noisy_train", "clean_train", "clean_val", "clean_test"),
}
"""The large datasets, and their splits as the official lists call them."""

PUBLISHED = {
    ("webvision", "train"): 65_944,
    ("webvision", "val"): 2_500,
    ("ilsvrc12", "val"): 2_500,
    ("clothing1m", "noisy_train"): 1_000_000,
    ("clothing1m", "clean_train"): 47_570,
    ("clothing1m", "clean_val"): 14_313,
    ("clothing1m", "clean_test"): 10_526,
}
"""How many images each split has, as published."""

SYNSETS = {
    "n01440764": "tench", "n01443537": "goldfish", "n01484850": "great white shark", "n01491361": "tiger shark",
    "n01494475": "hammerhead", "n01496331": "electric ray", "n01498041": "stingray", "n01514668": "cock",
    "n01514859": "hen", "n01518878": "ostrich", "n01530575": "brambling", "n01531178": "goldfinch",
    "n01532829": "house finch", "n01534433": "junco", "n01537544": "indigo bunting", "n01558993": "robin",
    "n01560419": "bulbul", "n01580077": "jay", "n01582220": "magpie", "n01592084": "chickadee",
    "n01601694": "water ouzel", "n01608432": "kite", "n01614925": "bald eagle", "n01616318": "vulture",
    "n01622779": "great grey owl", "n01629819": "European fire salamander", "n01630670": "common newt",
    "n01631663": "eft", "n01632458": "spotted salamander", "n01632777": "axolotl", "n01641577": "bullfrog",
    "n01644373": "tree frog", "n01644900": "tailed frog", "n01664065": "loggerhead",
    "n01665541": "leatherback turtle", "n01667114": "mud turtle", "n01667778": "terrapin",
    "n01669191": "box turtle", "n01675722": "banded gecko", "n01677366": "common iguana",
    "n01682714": "American chameleon", "n01685808": "whiptail", "n01687978": "agama",
    "n01688243": "frilled lizard", "n01689811": "alligator lizard", "n01692333": "Gila monster",
    "n01693334": "green lizard", "n01694178": "African chameleon", "n01695060": "Komodo dragon",
    "n01697457": "African crocodile",
}  # fmt: skip
"""Mini WebVision's classes in the order of their labels, 0 to 49: ILSVRC12's first by synset id, with their names."""

CLOTHES: tuple[str, ...] = (
    "T-Shirt", "Shirt", "Knitwear", "Chiffon", "Sweater", "Hoodie", "Windbreaker", "Jacket", "Down Coat", "Suit",
    "Shawl", "Dress", "Vest", "Underwear",
)  # fmt: skip
"""Clothing1M's classes in the order of their labels, 0 to 13."""
