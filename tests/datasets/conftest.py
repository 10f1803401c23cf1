"""A cache of its own for every test, and small datasets whose sums are the expected ones, in every released form."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import replace

import numpy as np
import pytest

from jal.datasets import formats, known, locations
from jal.datasets.checksum import Expected

TRAIN, TEST = 20, 4
PARTS = ("train_images", "train_labels", "test_images", "test_labels")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The cache folder, not there yet."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("JAL_CACHE", str(folder))
    return folder


@pytest.fixture
def make():
    """(file, shape, K) -> an array, random pixels or labels below K, and what is expected of its file."""
    stream = np.random.default_rng(0)

    def build(file, shape, K=10):
        labels = len(shape) == 1
        array = stream.integers(0, K if labels else 256, shape).astype(np.int64 if labels else np.uint8)
        return array, Expected(file, shape, hashlib.sha256(array.tobytes()).hexdigest())

    return build


@pytest.fixture
def small(tmp_path, monkeypatch, make):
    """Every dataset but the digits shrunk to 20 + 4 images, and none of them on this machine."""
    monkeypatch.delenv("JAL_DATA", raising=False)
    monkeypatch.setattr(locations, "DEBIAN", tmp_path / "debian")
    made = {}
    for name, dataset in list(known.DATASETS.items()):
        if name == "digits":
            continue
        for one in dataset.arrays:
            if (dataset.folder, one.file) not in made:
                size = TRAIN if "train" in one.file else TEST
                K = len(dataset.classes)
                made[dataset.folder, one.file] = make(one.file, (size, *one.shape[1:]), K)
        arrays = tuple(made[dataset.folder, one.file][1] for one in dataset.arrays)
        monkeypatch.setitem(known.DATASETS, name, replace(dataset, arrays=arrays))
    copies = {
        folder: tuple(replace(each, sums=dict(each.sums)) for each in releases)
        for folder, releases in formats.RELEASES.items()
    }
    for folder, releases in copies.items():
        monkeypatch.setitem(formats.RELEASES, folder, releases)
    return Small({key: array for key, (array, _) in made.items()})


class Small:
    """The arrays of the small datasets, and their files in every form."""

    def __init__(self, made):
        self.made = made

    def arrays(self, name):
        dataset = known.DATASETS[name]
        return [self.made[dataset.folder, expected.file] for expected in dataset.arrays]

    def assert_held(self, data):
        for part, array in zip(PARTS, self.arrays(data.name), strict=True):
            held = getattr(data, part)
            np.testing.assert_array_equal(held, array)
            assert held.dtype == array.dtype

    def files(self, folder, form):
        """name -> content, of a dataset's files: form is npy, python, binary, sheets or idx."""
        held = {file.removesuffix(".npy"): array for (of, file), array in self.made.items() if of == folder}
        return FORMS[form](held)

    def npy(self, root, folder):
        """Puts a dataset's .npy files into its folder below `root`, which is given back."""
        put(root / folder, self.files(folder, "npy"))
        return root / folder

    def release(self, root, folder, layout, archived=False):
        """Puts a dataset's release into `root`; the folder or the archive is given back."""
        # The small one, whose sums are its own.
        layout = next(each for each in formats.RELEASES[folder] if each.title == layout.title)
        form = {"Python version": "python", "binary version": "binary", "idx files": "idx"}.get(layout.title)
        files = self.files(folder, form or ("sheets" if folder == "cifar10" else "idx"))
        path = root / layout.folder
        if archived:
            path, files = root / layout.archive, {layout.archive: tgz(files, layout.folder)}
        # What is opened only with a known sum has one here too.
        layout.sums.update(
            {name: hashlib.sha256(files[name]).hexdigest() for name in layout.sums if name in files}
        )
        put(path.parent if archived else path, files)
        return path

    @staticmethod
    def gzip(folder):
        """Puts gzipped files in the place of a folder's."""
        for file in list(folder.iterdir()):
            file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes(), 1))
            file.unlink()


def npy(held):
    files = {}
    for stem, array in held.items():
        buffer = io.BytesIO()
        np.save(buffer, array)
        files[f"{stem}.npy"] = buffer.getvalue()
    return files


def batches(held):
    """(file, images and labels of its rows), as CIFAR is released: CIFAR-10's training part in five."""
    fine = "y_train_fine" in held
    names = {"train": ["train"], "test": ["test"]}
    if not fine:
        names = {"train": [f"data_batch_{number}" for number in range(1, 6)], "test": ["test_batch"]}
    for split, files in names.items():
        whole = {key: array for key, array in held.items() if split in key}
        for number, file in enumerate(files):
            yield (
                file,
                {
                    key.replace(f"_{split}", ""): np.array_split(array, len(files))[number]
                    for key, array in whole.items()
                },
            )


def planes(images):
    return images.transpose(0, 3, 1, 2).reshape(len(images), -1)


def python(held):
    keys = {"y": "labels", "y_fine": "fine_labels", "y_coarse": "coarse_labels"}
    return {
        file: python2_pickle(
            {
                "batch_label": "a batch",
                **{keys[kind]: labels.tolist() for kind, labels in rows.items() if kind != "x"},
                "data": planes(rows["x"]),
                "filenames": [f"picture_s_{number:06d}.png" for number in range(len(rows["x"]))],
            }
        )
        for file, rows in batches(held)
    }


def binary(held):
    return {
        f"{file}.bin": np.hstack(
            [
                *(
                    rows[kind][:, None].astype(np.uint8)
                    for kind in ("y", "y_coarse", "y_fine")
                    if kind in rows
                ),
                planes(rows["x"]),
            ]
        ).tobytes()
        for file, rows in batches(held)
    }


def sheets(held):
    from PIL import Image

    files = {
        f"{split}_lables.json": json.dumps(held[f"y_{split}"].tolist()).encode()
        for split in ("train", "test")
    }
    for file, rows in batches(held):
        buffer = io.BytesIO()
        Image.fromarray(rows["x"].reshape(len(rows["x"]), 1024, 3)).save(buffer, "PNG")
        files[f"{file}.png"] = buffer.getvalue()
    return files


def idx(held):
    def content(array):
        sizes = array.shape[:3]
        header = bytes([0, 0, 8, len(sizes)]) + np.array(sizes, ">u4").tobytes()
        return header + array.astype(np.uint8).tobytes()

    return {formats.IDX[stem][0]: content(array) for stem, array in held.items()}


FORMS = {"npy": npy, "python": python, "binary": binary, "sheets": sheets, "idx": idx}


def put(folder, files):
    """Writes files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def tgz(files, folder):
    """A .tar.gz archive with these files in a folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def python2_pickle(value):
    """What cPickle of Python 2 writes by protocol 2, as CIFAR's authors used it."""
    memo = 0

    def put():
        nonlocal memo
        memo += 1
        return b"q" + bytes([memo]) if memo < 256 else b"r" + memo.to_bytes(4, "little")

    def number(n):
        return b"K" + bytes([n]) if n < 256 else b"M" + n.to_bytes(2, "little")

    def text(content):
        size = len(content)
        return (b"U" + bytes([size]) if size < 256 else b"T" + size.to_bytes(4, "little")) + content

    def array(a):
        return (
            b"cnumpy.core.multiarray\n_reconstruct\n" + put() + b"cnumpy\nndarray\n" + put()
            + b"K\x00\x85" + put() + text(b"b") + b"\x87" + put() + b"R" + put()
            + b"(K\x01" + b"".join(map(number, a.shape)) + b"\x86" + put()
            + b"cnumpy\ndtype\n" + put() + text(b"u1") + b"K\x00K\x01\x87" + put() + b"R" + put()
            + b"(K\x03" + text(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
            + b"\x89" + text(a.tobytes()) + b"t" + put() + b"b"
        )  # fmt: skip

    def encode(v):
        match v:
            case dict():
                return b"}" + put() + b"(" + b"".join(encode(k) + encode(w) for k, w in v.items()) + b"u"
            case list():
                return b"]" + put() + b"(" + b"".join(map(encode, v)) + b"e"
            case str():
                return text(v.encode()) + put()
            case int():
                return number(v)
        return array(v)

    return b"\x80\x02" + encode(value) + b"."
