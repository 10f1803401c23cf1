from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from jal.datasets import large
from jal.datasets.large import LargeImages, Problem
from jal.errors import InputError


@pytest.fixture
def broken(webvision, put, encoded, loop):
    """Everything at once: cut, CMYK, grey, missing, empty, a page, a loop, one twice, bad lines, a way out."""
    files = {
        "fine.jpg": encoded(1),
        "a copy.jpg": encoded(1),
        "cut.jpg": encoded(2)[:700],
        "cmyk.jpg": encoded(3, mode="CMYK"),
        "grey.jpg": encoded(4, mode="L"),
        "empty.jpg": b"",
        "page.jpg": b"<html></html>",
    }
    for name, content in files.items():
        put(webvision / "google" / name, content)
    loop(webvision / "google/loop.jpg")
    names = [*files, "missing.jpg", "loop.jpg", "fine.jpg", "../../secret.jpg"]
    lines = [f"google/{name} {7 if name == 'fine.jpg' else number}" for number, name in enumerate(names)]
    put(
        webvision / "info/train_filelist_google.txt",
        "\r\n".join([*lines, "google/odd.jpg 1234", "google/none"]) + "\r\n\r\n",
    )
    return webvision


KINDS = {
    "damaged": ["google/cut.jpg"],
    "empty": ["google/empty.jpg"],
    "not an image": ["google/page.jpg"],
    "missing": ["google/missing.jpg"],
    "unreadable": ["google/loop.jpg"],
    "outside": ["google/../../secret.jpg"],
    "bad label": ["train_filelist_google.txt:12"],
    "bad line": ["train_filelist_google.txt:13"],
}


def test_a_whole_set_is_loaded(root, webvision):
    data = large.load("webvision", "train", root)
    assert isinstance(data, LargeImages)
    assert (data.name, data.split, data.root) == ("webvision", "train", webvision)
    assert data.labels.tolist() == [0, 1, 49]
    assert data.labels.dtype == np.int64
    assert data.num_classes == 50
    assert data.left_out == ()
    assert data.path(1) == webvision / "google/q0002/b c.jpg"
    assert data.open(1).mode == "RGB"
    assert large.load("webvision", "val", root).labels.tolist() == [0, 4]


@pytest.mark.parametrize(
    ("name", "split", "count"),
    [("ilsvrc12", "val", 51), ("clothing1m", "noisy_train", 3), ("clothing1m", "clean_test", 2)],
)
def test_the_others_are_loaded_alike(root, ilsvrc12, clothing1m, name, split, count):
    data = large.load(name, split, root)
    assert len(data) == count
    assert all(data.open(index).size == (40, 30) for index in range(count))


def test_all_that_is_wrong_is_told_in_one_line(root, broken):
    with pytest.raises(InputError) as error:
        large.load("webvision", "train", root)
    message = str(error.value)
    assert "\n" not in message
    assert f"webvision train in {broken}: 8 of 13 images cannot be used: " in message
    for kind, (name,) in KINDS.items():
        assert f"1 {kind}" in message
        assert name in message
    assert "extract the archives again, or pass over them: jal train --skip-broken" in message


def test_what_is_broken_is_left_out_knowingly(root, broken):
    data = large.load("webvision", "train", root, skip_broken=True)
    assert [data.path(index).name for index in range(len(data))] == [
        "fine.jpg", "a copy.jpg", "cmyk.jpg", "grey.jpg", "fine.jpg",
    ]  # fmt: skip
    assert data.labels.tolist() == [7, 1, 3, 4, 7]
    assert set(data.left_out) == {Problem("train", kind, name) for kind, (name,) in KINDS.items()}
    assert {data.open(index).mode for index in range(len(data))} == {"RGB"}


def test_nothing_but_broken_images_is_refused_all_the_same(root, webvision):
    for file in (webvision / "val_images_256").iterdir():
        file.unlink()
    with pytest.raises(InputError, match="2 of 2 images cannot be used: 2 missing"):
        large.load("webvision", "val", root, skip_broken=True)


def test_only_the_first_names_are_told(root, webvision, put):
    put(webvision / "info/val_filelist.txt", "".join(f"val{i:06}.jpg 0\n" for i in range(1000, 2234)))
    with pytest.raises(
        InputError, match=r"1,234 of 1,234 .*1,234 missing \(val001000.jpg.*val001009.jpg, \.\.\.\)"
    ):
        large.load("webvision", "val", root)
    report = large.verify("webvision", root, splits=["val"])
    assert "missing, 1,234: val001000.jpg" in str(report)
    assert "val001009.jpg, and 1,224 more" in str(report)
    assert report.to_dict()["problems"]["missing"]["count"] == 1234
    assert len(report.to_dict()["problems"]["missing"]["first"]) == 10
    assert len(report.problems) == 1234


def test_the_sum_says_whether_two_machines_have_the_same_data(root, webvision, put, encoded, tmp_path):
    first = large.load("webvision", "val", root).sha256
    assert len(first) == 64
    root.rename(tmp_path / "elsewhere")
    assert large.load("webvision", "val", tmp_path / "elsewhere").sha256 == first
    put(tmp_path / "elsewhere/webvision/val_images_256/val000001.jpg", encoded(99))
    large.verify("webvision", tmp_path / "elsewhere")
    assert large.load("webvision", "val", tmp_path / "elsewhere").sha256 != first


def test_a_report_of_a_whole_set(root, webvision):
    report = large.verify("webvision", root)
    assert report.ok
    assert report.images == {"train": 3, "val": 2}
    assert str(report).splitlines() == [
        f"webvision in {webvision}: all is well",
        "  train: 3 images",
        "  val: 2 images",
        "  remark: train: 65,944 images are published, the list has 3",
        "  remark: val: 2,500 images are published, the list has 2",
    ]


def test_a_report_has_everything_at_once(root, broken):
    (broken / "info/val_filelist.txt").unlink()
    report = large.verify("webvision", root)
    assert not report.ok
    assert report.images == {"train": 13, "val": 0}
    kinds = {kind: names for kind, names in report.of_kind().items() if kind != "no list"}
    assert kinds == KINDS
    text = str(report)
    assert text.startswith(
        f"webvision in {broken}: 9 problems\n  train: 13 images, 8 problems\n  val: 0 images, 1 problem"
    )
    assert "  damaged, 1: google/cut.jpg\n" in text
    assert "  no list, 1: no file " in text
    assert "remark: train: lines that list an image once more: 1" in text
    assert "remark: train: images that are another's copy, byte by byte: 1" in text
    assert text.endswith(
        "To do: extract the archives again, or pass over them: jal train --skip-broken, in Python skip_broken=True."
    )
    data = json.loads(json.dumps(report.to_dict()))
    assert data["ok"] is False
    assert data["images"] == {"train": 13, "val": 0}
    assert data["problems"]["empty"] == {"count": 1, "first": ["google/empty.jpg"]}
    assert len(data["remarks"]) == 3


def test_a_repaired_set_is_well(root, broken, put):
    put(broken / "info/train_filelist_google.txt", "google/fine.jpg 7\ngoogle/cut.jpg 2\n")
    assert large.verify("webvision", root).of_kind() == {"damaged": ["google/cut.jpg"]}
    put(broken / "google/cut.jpg")
    assert large.verify("webvision", root).ok
    assert len(large.load("webvision", "train", root)) == 2


def test_damage_since_is_found_by_verify_and_by_opening(root, webvision):
    data = large.load("webvision", "val", root)
    os.truncate(data.path(1), 300)
    with pytest.raises(InputError, match=r"val000002.jpg cannot be opened as an image \(damaged\)"):
        data.open(1)
    assert large.verify("webvision", root).of_kind() == {"damaged": ["val000002.jpg"]}
    with pytest.raises(InputError, match="1 damaged"):
        large.load("webvision", "val", root)


def test_progress_is_told_by_split(root, webvision):
    told = []
    large.verify("webvision", root, progress=lambda *what: told.append(what), workers=2)
    assert told == [("train", 3, 3), ("val", 2, 2)]
    large.load("webvision", "val", root, progress=lambda *what: told.append(what))
    assert len(told) == 2


@pytest.mark.parametrize(
    "call", [lambda *a: large.load(*a), lambda name, split: large.verify(name, splits=[split])]
)
def test_unknown_names_are_refused(call):
    with pytest.raises(InputError, match="unknown large dataset 'clothing': did you mean 'clothing1m'"):
        call("clothing", "val")
    with pytest.raises(InputError, match=r"unknown split of ilsvrc12 'train': .*val"):
        call("ilsvrc12", "train")


def test_importing_it_needs_neither_torch_nor_pillow():
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('torch', 'PIL', 'pandas', 'scipy', 'torchvision', 'sklearn')));"
        "import jal.datasets.large; print(*jal.datasets.large.SPLITS)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout) == (0, "webvision ilsvrc12 clothing1m\n"), done.stderr
