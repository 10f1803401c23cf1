from __future__ import annotations

import os
import pickle
import struct
import zlib
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jal.datasets.large import LargeImages, images
from jal.datasets.large.images import FINE, look
from jal.errors import InputError


@pytest.fixture
def of(tmp_path):
    """(names of files in tmp_path, **changes) -> LargeImages, labels 0, 1, ..."""

    def build(*names, **changes):
        fields = {
            "name": "webvision",
            "split": "train",
            "root": tmp_path,
            "paths": np.array([name.encode() for name in names]),
            "labels": np.arange(len(names)),
            "classes": tuple("abcdef"),
        }
        return LargeImages(**fields | changes)

    return build


def png_of(width, height):
    """A PNG file of some hundred bytes that claims to be this large."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(4000))) + chunk(b"IEND", b"")


def test_a_whole_image_is_fine_and_measured(tmp_path, put, encoded):
    path = put(tmp_path / "a.jpg", encoded(size=(40, 30)))
    for thorough in (False, True):
        seen = look(path, thorough)
        assert seen[0] == FINE
        assert (seen.width, seen.height, seen.size) == (40, 30, path.stat().st_size)
        assert seen.changed == path.stat().st_mtime_ns
        assert seen.sha256 == sha256(path.read_bytes()).digest()


@pytest.mark.parametrize("thorough", [False, True])
@pytest.mark.parametrize(
    ("state", "content"),
    [
        ("empty", b""),
        ("not an image", b"<html>404 Not Found</html>"),
        ("not an image", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nquit\n"),
        ("too large", png_of(60_000, 60_000)),
        ("damaged", png_of(500, 500)),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_found(tmp_path, put, state, content, thorough):
    assert look(put(tmp_path / "a.jpg", content), thorough).state == state


@pytest.mark.parametrize("progressive", [False, True])
def test_every_cut_is_found(tmp_path, put, encoded, progressive):
    content = encoded(progressive=progressive)
    for length in [*range(1, len(content) - 2, 7), len(content) - 2]:
        for cut in (content[:length], content[:length].ljust(len(content), b"\0")):
            assert look(put(tmp_path / "a.jpg", cut)).state in ("damaged", "not an image"), length


def test_what_follows_the_end_is_nothing(tmp_path, put, encoded):
    for tail in (b"\0" * 100, b"\r\n", b"<!-- cached -->"):
        assert look(put(tmp_path / "a.jpg", encoded() + tail)).state == FINE


def test_damage_inside_is_found_if_one_is_thorough(tmp_path, put, encoded):
    content = bytearray(encoded())
    table = content.index(b"\xff\xc4")
    content[table + 5 : table + 21] = b"\xff" * 16
    path = put(tmp_path / "a.jpg", bytes(content))
    assert look(path).state == FINE
    assert look(path, thorough=True).state == "damaged"


def test_what_is_no_file_is_not_waited_for(tmp_path, loop, put):
    assert look(tmp_path / "absent.jpg").state == "missing"
    assert look(put(tmp_path / "file", b"x") / "a.jpg").state == "missing"
    assert look(loop(tmp_path / "loop.jpg")).state == "unreadable"
    assert look(tmp_path).state == "unreadable"
    os.mkfifo(tmp_path / "pipe.jpg")
    assert look(tmp_path / "pipe.jpg").state == "unreadable"
    assert look(Path("/dev/zero")).state == "unreadable"


def test_sizes_are_bounded(tmp_path, put, encoded, monkeypatch):
    path = put(tmp_path / "a.jpg", encoded(size=(40, 30)))
    monkeypatch.setattr(images, "LARGEST", path.stat().st_size - 1)
    assert look(path).state == "too large"
    monkeypatch.undo()
    # Pillow itself refuses from twice its limit on, and warns below.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40 * 30 - 1)
    with pytest.warns(Image.DecompressionBombWarning):
        assert look(path).state == "too large"


@pytest.mark.parametrize(
    ("mode", "format"),
    [
        ("RGB", "JPEG"),
        ("L", "JPEG"),
        ("CMYK", "JPEG"),
        ("P", "PNG"),
        ("RGBA", "PNG"),
        ("L", "PNG"),
        ("P", "GIF"),
    ],
)
def test_every_mode_is_opened_as_rgb(tmp_path, put, encoded, of, mode, format):
    path = put(tmp_path / "a.jpg", encoded(mode=mode, format=format))
    assert look(path).state == FINE
    opened = of("a.jpg").open(0)
    with Image.open(path) as image:
        assert image.mode == mode
        np.testing.assert_array_equal(opened, image.convert("RGB"))
    assert (opened.mode, opened.size) == ("RGB", (40, 30))


def test_the_orientation_of_a_camera_is_not_applied(tmp_path, put, encoded, of):
    exif = Image.Exif()
    exif[0x0112] = 6
    put(tmp_path / "a.jpg", encoded(exif=exif))
    assert of("a.jpg").open(0).size == (40, 30)


@pytest.mark.parametrize(("content", "state"), [(None, "missing"), (b"", "empty"), (b"text", "not an image")])
def test_an_image_that_broke_since_is_told_in_one_line(tmp_path, put, of, content, state):
    if content is not None:
        put(tmp_path / "a\nb.jpg", content)
    with pytest.raises(
        InputError, match=rf"a\\nb.jpg cannot be opened as an image \({state}\): .*jal data verify"
    ) as error:
        of("a\nb.jpg").open(0)
    assert "\n" not in str(error.value)


def test_it_is_images_and_labels_by_number(tmp_path, put, of):
    put(tmp_path / "a.jpg")
    put(tmp_path / "b c.jpg")
    data = of("a.jpg", "b c.jpg")
    assert len(data) == 2
    assert data.num_classes == 6
    assert data.path(1) == tmp_path / "b c.jpg"
    assert data.open(1).size == (40, 30)


def test_it_travels_to_another_process(of):
    copy = pickle.loads(pickle.dumps(of("a.jpg", "b.jpg")))
    assert copy.path(1).name == "b.jpg"
    assert copy.labels.tolist() == [0, 1]


def test_names_are_any_bytes(tmp_path, put, of):
    put(tmp_path / "é, 衣.jpg")
    assert of("é, 衣.jpg").open(0).size == (40, 30)


def test_other_labels_are_checked(of):
    data = of("a.jpg", "b.jpg")
    assert replace(data, labels=np.array([5, 0])).labels.tolist() == [5, 0]
    for labels, message in (
        (np.array([6, 0]), "labels hold 6, outside 0..5"),
        (np.array([-1, 0]), "labels hold -1, outside 0..5"),
        (np.array([0]), r"int64 of shape \(1,\): give int64 \(2,\)"),
        (np.array([0.0, 1.0]), "labels are float64"),
    ):
        with pytest.raises(InputError, match=message):
            replace(data, labels=labels)
