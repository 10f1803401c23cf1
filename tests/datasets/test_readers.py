"""The decoders, and the opening of files and archives, against damaged and malicious files."""

import gzip
import io
import os
import subprocess
import sys
import tarfile
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from jal import datasets
from jal.datasets import places, readers, safe_pickle
from jal.errors import InputError

HERE = Path("data/file")
SHAPE = (4, 32, 32, 3)
GREY = (4, 5, 6, 1)


def refuse(message, function, *arguments):
    with pytest.raises(InputError, match=message) as error:
        function(*arguments)
    assert "\n" not in str(error.value)


def png(array, mode="RGB", form="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(array).convert(mode).save(buffer, form)
    return buffer.getvalue()


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8)


class TestIdx:
    images = b"\0\0\x08\x03" + np.array(GREY[:3], ">u4").tobytes() + bytes(range(120))
    labels = b"\0\0\x08\x01\0\0\0\x04\x07\x02\x01\x00"

    def test_images_and_labels(self):
        assert readers.idx(self.images, HERE, GREY)["x"].tolist() == (np.arange(120).reshape(GREY).tolist())
        assert readers.idx(self.labels, HERE, GREY)["y"].tolist() == [7, 2, 1, 0]

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"<html>",
            labels[:-1],
            labels + b"\0",
            images[:-1],
            images + b"\0",
            b"\0\0\x09" + images[3:],
            b"\0\0\x08\x02" + images[4:],
            labels[:7] + b"\x05" + labels[8:],
            labels[:4] + b"\xff\xff\xff\xff" + labels[8:],
            images[:12] + images[16:] + bytes(4),
        ],
    )
    def test_another_file_is_refused(self, content):
        refuse(
            "data/file has .* and is not the idx file of 4 labels or 4 x 5 x 6",
            readers.idx,
            content,
            HERE,
            GREY,
        )


class TestRecords:
    def test_labels_come_first_and_colours_one_after_another(self, pixels):
        rows = [bytes([9, n]) + image.transpose(2, 0, 1).tobytes() for n, image in enumerate(pixels)]
        pieces = readers.records("y_coarse", "y_fine")(b"".join(rows), HERE, SHAPE)
        np.testing.assert_array_equal(pieces["x"], pixels)
        assert pieces["y_coarse"].tolist() == [9] * 4
        assert pieces["y_fine"].tolist() == [0, 1, 2, 3]

    @pytest.mark.parametrize("size", [0, 4 * 3073 - 1, 4 * 3073 + 1, 4 * 3074])
    def test_another_size_is_refused(self, size):
        refuse(f"has {size} bytes, expected 12292", readers.records("y"), bytes(size), HERE, SHAPE)


class TestPickled:
    decode = staticmethod(readers.pickled(y="labels"))

    @pytest.fixture
    def held(self, monkeypatch):
        """What the pickle holds, in the place of reading it."""
        held = {"data": np.zeros((4, 3072), np.uint8), "labels": [3, 1, 4, 1]}
        monkeypatch.setattr(safe_pickle, "loads", lambda content, path: held)
        return held

    def test_data_and_labels(self, held, pixels):
        held["data"] = pixels.transpose(0, 3, 1, 2).reshape(4, -1)
        pieces = self.decode(b"", HERE, SHAPE)
        np.testing.assert_array_equal(pieces["x"], pixels)
        assert pieces["y"].tolist() == [3, 1, 4, 1]

    @pytest.mark.parametrize(
        "data",
        [None, b"a" * 12288, np.zeros((4, 3072)), np.zeros((3, 3072), np.uint8), np.zeros(12288, np.uint8)],
    )
    def test_other_data_is_refused(self, held, data):
        held["data"] = data
        refuse("has no data of 4 x 3072 bytes", self.decode, b"", HERE, SHAPE)

    @pytest.mark.parametrize(
        "labels",
        [
            *(None, [1, 2, 3], [1, 2, 3, 4, 5], (1, 2, 3, 4), b"abcd"),
            *([1, 2, 3, wrong] for wrong in (256, -1, 10**30, 4.0, True, [4], None)),
        ],
    )
    def test_other_labels_are_refused(self, held, labels):
        held["labels"] = labels
        refuse("has no list of 4 labels from 0 to 255", self.decode, b"", HERE, SHAPE)

    def test_what_is_no_dict_is_refused(self):
        refuse("has no data of 4 x 3072", self.decode, b"\x80\x02].", HERE, SHAPE)


class TestSheets:
    def test_one_image_a_row_and_a_list_of_labels(self, pixels):
        pieces = readers.sheets(png(pixels.reshape(4, 1024, 3)), HERE, SHAPE)
        np.testing.assert_array_equal(pieces["x"], pixels)
        assert readers.sheets(b"[1, 2, 3, 4]", Path("a.json"), SHAPE)["y"].tolist() == [1, 2, 3, 4]

    def test_other_pictures_are_refused(self, pixels):
        sheet = pixels.reshape(4, 1024, 3)
        whole = png(sheet)
        for content, message in (
            (b"", "is not a whole PNG file"),
            (b"<html>", "is not a whole PNG file"),
            (whole[:-40], "is not a whole PNG file"),
            (whole[:5000], "is not a whole PNG file"),
            (whole[:200] + bytes(100) + whole[300:], "is not a whole PNG file"),
            (png(sheet, form="BMP"), "is not a whole PNG file"),
            (png(sheet, "L"), "is L of 1024 x 4 pixels, expected RGB of 1024 x 4"),
            (png(sheet, "RGBA"), "is RGBA"),
            (png(sheet[:3]), "is RGB of 1024 x 3 pixels"),
            (png(np.tile(sheet, (1, 2, 1))), "is RGB of 2048 x 4"),
        ):
            refuse(message, readers.sheets, content, HERE, SHAPE)

    def test_a_header_that_lies_costs_no_memory(self):
        def chunk(content):
            return (len(content) - 4).to_bytes(4, "big") + content + zlib.crc32(content).to_bytes(4, "big")

        for side, message in ((9000, "is RGB of 9000 x 9000 pixels"), (30000, "DecompressionBombError")):
            header = chunk(b"IHDR" + np.array([side, side], ">u4").tobytes() + b"\x08\x02\0\0\0")
            content = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT" + zlib.compress(bytes(100)))
            refuse(message, readers.sheets, content, HERE, SHAPE)

    @pytest.mark.parametrize(
        "content", [b"", b"[1,2,3,4", b"[1,2,3]", b"{}", b"[1,2,3,300]", b"[" * 9999, b"\xff"]
    )
    def test_other_labels_are_refused(self, content):
        refuse("is not whole JSON|has no list", readers.sheets, content, Path("a.json"), SHAPE)

    def test_without_pillow_it_says_so(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "PIL", None)
        refuse("takes Pillow to read: pip install pillow", readers.sheets, b"", HERE, SHAPE)


class TestContent:
    def test_plain_and_gzipped(self, tmp_path):
        (tmp_path / "a").write_bytes(b"abc")
        (tmp_path / "a.gz").write_bytes(gzip.compress(b"abc"))
        assert readers.content(tmp_path / "a", 3) == readers.content(tmp_path / "a.gz", 100) == b"abc"

    def test_what_is_longer_than_allowed_is_refused(self, tmp_path):
        (tmp_path / "a").write_bytes(b"abcd")
        (tmp_path / "a.gz").write_bytes(gzip.compress(bytes(101)))
        refuse("has more than 3 bytes", readers.content, tmp_path / "a", 3)
        refuse("unpacks to more than 100 bytes", readers.content, tmp_path / "a.gz", 100)

    def test_what_is_no_whole_gzip_file_is_refused(self, tmp_path):
        path, whole = tmp_path / "a.gz", gzip.compress(os.urandom(1000))
        for damaged in (
            b"<html>",
            whole[:-1],
            whole[:500],
            whole[:-8] + bytes(8),
            whole[:30] + bytes(30) + whole[60:],
            whole + b"more",
        ):
            path.write_bytes(damaged)
            refuse(f"{path} is not a whole gzip file", readers.content, path, 5000)


def archive(path, *members):
    """Writes a .tar.gz of (name, content or type) and what TarInfo is to have."""
    with tarfile.open(path, "w:gz", compresslevel=1, format=tarfile.PAX_FORMAT) as file:
        for name, content, attributes in members:
            member = tarfile.TarInfo(name)
            for key, value in attributes.items():
                setattr(member, key, value)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return path


class TestMembers:
    @staticmethod
    def read(path, names=("in/a", "in/b"), limit=100, total=20_000):
        return dict(readers.members(path, names, limit, total))

    def test_the_named_files_are_read_and_nothing_is_written(self, tmp_path):
        path = archive(
            tmp_path / "a.tar.gz",
            ("./in/b", b"bb", {}),
            ("in/c", b"cc", {}),
            ("in", b"", {"type": tarfile.DIRTYPE}),
            ("in/a", b"", {}),
        )
        assert self.read(path) == {"in/a": b"", "in/b": b"bb"}
        assert [file.name for file in tmp_path.iterdir()] == ["a.tar.gz"]

    def test_paths_that_lead_elsewhere_are_passed_over(self, tmp_path):
        path = archive(
            tmp_path / "a.tar.gz",
            ("../in/a", b"x", {}),
            ("/in/a", b"x", {}),
            ("in/../in/a", b"x", {}),
            ("in/b", b"b", {}),
            ("in/a", b"a", {}),
        )
        assert self.read(path) == {"in/a": b"a", "in/b": b"b"}

    @pytest.mark.parametrize(
        "attributes",
        [
            {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"},
            {"type": tarfile.LNKTYPE, "linkname": "in/b"},
            {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 5},
            {"type": tarfile.BLKTYPE, "devmajor": 7},
            {"type": tarfile.FIFOTYPE},
            {"type": tarfile.DIRTYPE},
        ],
    )
    def test_links_devices_and_folders_are_refused(self, tmp_path, attributes):
        path = archive(tmp_path / "a.tar.gz", ("in/b", b"b", {}), ("in/a", b"", attributes))
        refuse("in/a is not a file of at most 100 bytes", self.read, path)

    def test_larger_files_and_archives_are_refused(self, tmp_path):
        path = archive(tmp_path / "a.tar.gz", ("in/a", bytes(101), {}), ("in/b", b"", {}))
        refuse("in/a is not a file of at most 100 bytes", self.read, path)
        path = archive(tmp_path / "a.tar.gz", ("other", bytes(30_000), {}), ("in/a", b"", {}))
        refuse("unpacks to more than 20000 bytes", self.read, path)
        path = archive(tmp_path / "a.tar.gz", *(("x", b"", {}) for _ in range(1001)))
        refuse("has more than 1000 members", self.read, path, ("in/a",), 100, 2**22)

    def test_what_is_missing_is_named(self, tmp_path):
        path = archive(tmp_path / "a.tar.gz", ("in/a", b"a", {}))
        refuse("lacks in/b: it is cut or another archive", self.read, path)
        refuse("is not a file", self.read, tmp_path)
        (tmp_path / "loop").symlink_to(tmp_path / "loop")
        refuse("is not a file", self.read, tmp_path / "loop")

    def test_what_is_no_whole_archive_is_refused(self, tmp_path):
        path = archive(tmp_path / "a.tar.gz", ("in/a", os.urandom(90), {}), ("in/b", os.urandom(90), {}))
        whole = path.read_bytes()
        for damaged in (b"", b"<html>", whole[:20], whole[:150], gzip.compress(b"no tar" * 300), whole[5:]):
            path.write_bytes(damaged)
            refuse("is not a whole .tar.gz archive|lacks in/", self.read, path)

    def test_headers_that_go_on_forever_are_refused(self, tmp_path):
        """Each of them says that the next is of a long name, to be read first."""
        path = tmp_path / "a.tar.gz"
        member = tarfile.TarInfo("././@LongLink")
        member.type, member.size = tarfile.GNUTYPE_LONGNAME, 1
        one = member.tobuf(tarfile.GNU_FORMAT) + b"a" + bytes(511)
        path.write_bytes(gzip.compress(one * 5000, 1))
        refuse("is not a whole .tar.gz archive", self.read, path, ("in/a",), 100, 2**24)


FORMS = [
    (name, layout, archived)
    for name in ("cifar10", "cifar100", "mnist")
    for layout in places.LAYOUTS[name]
    for archived in ((False, True) if layout.archive else (False,))
]


@pytest.mark.parametrize(("name", "layout", "archived"), FORMS)
def test_damage_anywhere_in_a_release_is_refused_or_harmless(small, tmp_path, name, layout, archived):
    path = small.release(tmp_path / "whole", name, layout, archived)
    files = {
        file.relative_to(tmp_path / "whole"): file.read_bytes() for file in sorted(path.parent.rglob("*.*"))
    }
    files |= {
        file.relative_to(tmp_path / "whole"): file.read_bytes() for file in path.rglob("*") if file.is_file()
    }
    refused = []

    @settings(max_examples=25, deadline=None, database=None)
    @given(data=st.data())
    def damage(data):
        file = data.draw(st.sampled_from(sorted(files)))
        content = bytearray(files[file])
        at = data.draw(st.integers(0, len(content) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "add"])):
            case "flip":
                content[at] ^= data.draw(st.integers(1, 255))
            case "cut":
                del content[at:]
            case _:
                content[at:at] = data.draw(st.binary(min_size=1, max_size=20))
        for place, whole in files.items():
            target = tmp_path / "damaged" / place
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if place == file else whole)
        for kept in (tmp_path / "cache" / name).glob("*"):
            kept.unlink()
        try:
            small.assert_held(datasets.load(name, tmp_path / "damaged"))
        except InputError as error:
            assert "\n" not in str(error)
            refused.append(file)

    damage()
    assert refused


BOMBS = """
import gzip, resource, sys, tarfile
from pathlib import Path
from jal.datasets import readers, safe_pickle
from jal.errors import InputError

folder = Path(sys.argv[1])
huge = b"\\xff" * 7 + b"\\x7f"

def header(name, size, type=tarfile.REGTYPE):
    member = tarfile.TarInfo(name)
    member.size, member.type = size, type
    return member.tobuf(tarfile.GNU_FORMAT)

zeros = gzip.compress(bytes(2**24), 1) * 16  # 256 MiB
(folder / "bomb.gz").write_bytes(zeros)
for name, start in {
    "huge": header("in/a", 2**33),
    "filler": header("x", 2**29),
    "name": header("x", 2**33, tarfile.GNUTYPE_LONGNAME),
    "pax": header("x", 2**33, tarfile.XHDTYPE),
}.items():
    (folder / f"{name}.tar.gz").write_bytes(gzip.compress(start) + zeros)
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
used = int(status["VmSize"].split()[0]) * 1024
resource.setrlimit(resource.RLIMIT_AS, (used + 160 * 2**20,) * 2)

try:
    bytearray(2**28)
except MemoryError:
    pass
else:
    raise SystemExit("the limit does not hold")

def refused(function, *arguments):
    try:
        function(*arguments)
    except InputError:
        return
    raise SystemExit(f"not refused: {arguments}")

here = Path("x")
for opcode in (b"\\x8e", b"\\x8d", b"\\x96", b"\\x95"):
    refused(safe_pickle.loads, b"\\x80\\x05" + opcode + huge + b"abc.", here)
for opcode in b"TBX\\x8b":
    refused(safe_pickle.loads, b"\\x80\\x02" + bytes([opcode]) + huge[4:] + b"abc.", here)
assert safe_pickle.loads(b"\\x80\\x02]r\\xff\\xff\\xff\\x7f.", here) == []
refused(safe_pickle.loads, b"\\x80\\x02" + b"}" * 10_000_000, here)
refused(readers.content, folder / "bomb.gz", 2**24)
for name in ("huge", "filler", "name", "pax"):
    refused(lambda: dict(readers.members(folder / f"{name}.tar.gz", ("in/a",), 2**24, 2**25)))
print("all refused")
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the limit needs Linux's /proc")
def test_bombs_are_refused_in_little_memory(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", BOMBS, str(tmp_path)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("all refused\n", "")


def test_an_idx_file_in_a_bomb_costs_no_memory(small, tmp_path):
    folder = small.release(tmp_path, "mnist", places.LAYOUTS["mnist"][0])
    small.gzip(folder)
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + bytes(2**22)))
    tracemalloc.start()
    try:
        refuse("unpacks to more than", datasets.load, "mnist", tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**20
