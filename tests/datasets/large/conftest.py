"""Small trees in the official layouts: real JPEG files, and lists as they are released."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from jal.datasets.large.known import SYNSETS


@pytest.fixture
def encoded():
    """(seed, mode, format, size, **options) -> the bytes of an image of noise."""

    def build(seed=0, mode="RGB", format="JPEG", size=(40, 30), **options):
        pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).convert(mode).save(buffer, format, **options)
        return buffer.getvalue()

    return build


@pytest.fixture
def put(encoded):
    """(path, content) -> the path, with its folders and this content: an image of its own without one."""
    count = iter(range(10**6))

    def write(path, content=None):
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            content = encoded(next(count))
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def root(tmp_path):
    """The folder of all data."""
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def webvision(root, put):
    """WebVision 1.0: three training images of mini's classes, one of another class, two for validation."""
    folder = root / "webvision"
    synsets = [*SYNSETS.items(), ("n01698640", "American alligator, Alligator mississipiensis")]
    put(folder / "info/synsets.txt", "".join(f"{synset} {name}\n" for synset, name in synsets))
    train = {
        "google/q0001/a.jpg": 0,
        "google/q0002/b c.jpg": 1,
        "google/q0071/d.jpg": 49,
        "google/q0072/e.jpg": 50,
    }
    put(
        folder / "info/train_filelist_google.txt",
        "".join(f"{path} {label}\n" for path, label in train.items()),
    )
    put(folder / "info/val_filelist.txt", "val000001.jpg 0\nval000002.jpg 4\nval050000.jpg 999\n")
    for path in (*train, "val_images_256/val000001.jpg", "val_images_256/val000002.jpg"):
        put(folder / path)
    return folder


@pytest.fixture
def clothing1m(root, put):
    """Clothing1M: three noisy training images, of which one also has a clean label, and two test images."""
    folder = root / "Clothing1M"
    keys = [f"images/{i}/0{i}/{i}7,8{i}.jpg" for i in range(6)]
    put(
        folder / "noisy_label_kv.txt",
        "".join(f"{key} {label}\n" for key, label in zip(keys, (13, 0, 5), strict=False)),
    )
    put(
        folder / "clean_label_kv.txt",
        "".join(f"{keys[i]} {label}\n" for i, label in ((2, 6), (3, 1), (4, 2), (5, 3))),
    )
    put(folder / "noisy_train_key_list.txt", f"{keys[2]}\n{keys[0]}\n{keys[1]}\n")
    put(folder / "clean_train_key_list.txt", f"{keys[2]}\n")
    put(folder / "clean_val_key_list.txt", f"{keys[3]}\n")
    put(folder / "clean_test_key_list.txt", f"{keys[5]}\n{keys[4]}\n")
    for key in keys:
        put(folder / key)
    return folder


@pytest.fixture
def ilsvrc12(root, put):
    """ILSVRC12's validation set, a folder a synset: one image in each, two of the tench, one of a 51st class."""
    folder = root / "ilsvrc12"
    for number, synset in enumerate((*SYNSETS, "n01698640"), 1):
        put(folder / f"val/{synset}/ILSVRC2012_val_{number:08}.JPEG")
    put(folder / "val/n01440764/ILSVRC2012_val_00000293.JPEG")
    return folder


@pytest.fixture
def loop():
    """(path) -> the path, a link to itself."""

    def link(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(path)
        return path

    return link
