import io
import os
import pickle
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jal.datasets import verified
from jal.errors import InputError

SHAPE = (6, 5, 4, 3)


@pytest.fixture
def pixels(make):
    return make("x.npy", SHAPE)


@pytest.fixture
def checks(monkeypatch):
    """The paths whose sums were computed."""
    seen, real = [], verified.check
    monkeypatch.setattr(
        verified, "check", lambda array, expected, path: (seen.append(path), real(array, expected, path))
    )
    return seen


def npy(array, **options):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, **options)
    return buffer.getvalue()


def with_header(text, body=b""):
    header = text.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + body


def refuse(path, expected, message):
    with pytest.raises(InputError, match=message) as error:
        verified.read(path, expected)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


def test_pixels_are_a_read_only_map_and_labels_lie_in_memory(tmp_path, make, pixels):
    array, expected = pixels
    np.save(tmp_path / "x.npy", array)
    read = verified.read(tmp_path / "x.npy", expected)
    np.testing.assert_array_equal(read, array)
    assert isinstance(read.base, np.memmap)
    assert not read.flags.writeable

    labels, expected = make("y.npy", (50,))
    np.save(tmp_path / "y.npy", labels)
    read = verified.read(tmp_path / "y.npy", expected)
    np.testing.assert_array_equal(read, labels)
    assert read.dtype == np.int64
    assert read.flags.owndata


def test_a_file_is_checked_once_until_it_changes(tmp_path, pixels, checks):
    array, expected = pixels
    path = tmp_path / "x.npy"
    np.save(path, array)
    for _ in range(3):
        verified.read(path, expected)
    assert checks == [path]

    os.utime(path, ns=(0, 0))
    verified.read(path, expected)
    assert len(checks) == 2

    refuse(path, replace(expected, sha256="0" * 64), "expected 0000000000000000")
    refuse(path, replace(expected, sha256="0" * 64), "expected 0000000000000000")
    assert len(checks) == 4


def test_a_change_under_the_old_size_and_time_is_noticed(tmp_path, pixels):
    array, expected = pixels
    path = tmp_path / "x.npy"
    np.save(path, array)
    verified.read(path, expected)
    stat = path.stat()
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(bytes([array.flat[-1] ^ 1]))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    refuse(path, expected, "SHA-256 [0-9a-f]{16}")


def test_a_stamp_that_others_may_have_written_is_not_believed(tmp_path, cache, pixels, checks):
    array, expected = pixels
    path = tmp_path / "x.npy"
    np.save(path, array)
    verified.read(path, expected)
    for changed, mode in (
        (cache, 0o777),
        (cache / "verified", 0o777),
        (next((cache / "verified").iterdir()), 0o606),
    ):
        before = changed.stat().st_mode & 0o777
        assert verified.is_verified(path, expected)
        changed.chmod(mode)
        assert not verified.is_verified(path, expected)
        seen = len(checks)
        verified.read(path, expected)
        assert len(checks) == seen + 1
        changed.chmod(before)


def test_where_no_stamp_can_be_written_every_load_checks(tmp_path, cache, monkeypatch, pixels, checks):
    array, expected = pixels
    path = tmp_path / "x.npy"
    np.save(path, array)
    cache.write_text("a file where the folder should be")
    verified.read(path, expected)
    verified.read(path, expected)
    assert len(checks) == 2

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(verified, "cache_folder", no_home)
    verified.read(path, expected)
    assert len(checks) == 3


def test_the_cache_folder(monkeypatch, tmp_path):
    assert verified.cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("JAL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert verified.cache_folder() == Path("/x/jal")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert verified.cache_folder() == Path("/home/someone/.cache/jal")


def test_what_is_no_file_is_refused(tmp_path, pixels):
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe")
    for name in ("absent", "folder", "loop", "pipe", "absent/x.npy"):
        refuse(tmp_path / name, pixels[1], "no file .*fetch it")


def test_an_unreadable_file_is_refused(tmp_path, monkeypatch, pixels):
    np.save(tmp_path / "x.npy", pixels[0])

    def forbidden(*arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)
    refuse(tmp_path / "x.npy", pixels[1], r"cannot be read \(Permission denied\)")


def test_wrong_contents_are_refused(tmp_path, pixels):
    array, expected = pixels
    path = tmp_path / "x.npy"
    whole = npy(array, version=(1, 0))
    zipped = io.BytesIO()
    np.savez(zipped, x=array)
    foreign = "is not a .npy file of numbers: delete it and fetch it again"
    size = rf"expected {len(whole)}: it is cut"
    for contents, message in [
        (b"", foreign),
        (b"<html>404 Not Found</html>", foreign),
        (whole[:4], foreign),
        (whole[:40], foreign),
        (zipped.getvalue(), foreign),
        (pickle.dumps(array), foreign),
        (npy(array, version=(2, 0)), foreign),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}", foreign),
        (with_header("("), foreign),
        (with_header("[" * 5000 + "]" * 5000), foreign),
        (with_header("-" * 9000 + "1"), foreign),
        (with_header("__import__('os').abort()"), foreign),
        (with_header("{'descr': '|O', 'fortran_order': False}"), foreign),
        (with_header(" " * 60000), foreign),
        (npy(array.astype(np.float32)), "holds float32 of shape .* expected uint8"),
        (npy(array.astype(np.int8)), "holds int8"),
        (npy(array[:-1]), r"holds uint8 of shape \(5, 5, 4, 3\), expected uint8 of shape \(6, 5, 4, 3\)"),
        (npy(array.reshape(SHAPE[::-1])), r"holds uint8 of shape \(3, 4, 5, 6\)"),
        (npy(np.asfortranarray(array)), "column by column"),
        (whole[:-1], f"has {len(whole) - 1} bytes, {size}"),
        (whole + b"\0", f"has {len(whole) + 1} bytes, {size}"),
        (whole[:-1] + bytes([whole[-1] ^ 255]), f"expected {expected.sha256[:16]}"),
    ]:
        path.write_bytes(contents)
        refuse(path, expected, message)
    path.write_bytes(whole)
    np.testing.assert_array_equal(verified.read(path, expected), array)


def test_labels_of_another_byte_order_are_refused(tmp_path, make):
    labels, expected = make("y.npy", (50,))
    for dtype in (">i8", "<i4", "<u8"):
        np.save(tmp_path / "y.npy", labels.astype(dtype))
        refuse(tmp_path / "y.npy", expected, "expected int64")


class Malicious:
    def __init__(self, witness):
        self.witness = witness

    def __reduce__(self):
        return (Path.touch, (self.witness,))


def test_no_pickle_is_ever_run(tmp_path, pixels):
    path, witness = tmp_path / "x.npy", tmp_path / "witness"
    payload = pickle.dumps(Malicious(witness))
    pickle.loads(payload)
    witness.unlink()  # it does run where it is let

    np.save(path, np.array([Malicious(witness)], dtype=object), allow_pickle=True)
    refuse(path, pixels[1], "holds object")
    path.write_bytes(payload)
    refuse(path, pixels[1], "not a .npy file")
    assert not witness.exists()


@pytest.mark.parametrize(
    "shape", [(10**12, 1), (50_000, 1024, 1024, 3), (2**63, 2**63), (10**30, 1), (-1, 5)]
)
def test_a_header_that_lies_costs_no_memory(tmp_path, pixels, shape):
    path = tmp_path / "x.npy"
    path.write_bytes(with_header(f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}}}", b"\0" * 64))
    tracemalloc.start()
    try:
        refuse(path, pixels[1], "holds uint8")
        # Even where as much is expected, what counts is the file.
        refuse(path, replace(pixels[1], shape=shape), "it is cut")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**20


def test_damage_anywhere_is_refused(tmp_path, pixels):
    array, expected = pixels
    whole = npy(array)
    path = tmp_path / "x.npy"
    stream = np.random.default_rng(1)
    refused = 0
    for trial in range(400):
        damaged = bytearray(whole)
        place = int(stream.integers(len(whole)))
        if trial % 3 == 0:
            damaged[place] ^= int(stream.integers(1, 256))
        elif trial % 3 == 1:
            del damaged[place:]
        else:
            damaged[place:place] = stream.bytes(int(stream.integers(1, 20)))
        path.write_bytes(damaged)
        try:
            read = verified.read(path, expected)
        except InputError as error:
            assert "\n" not in str(error)
            refused += 1
        else:
            # Only the blanks of the header are free.
            np.testing.assert_array_equal(read, array)
    assert refused > 300


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch, pixels):
    path = tmp_path / "kept" / "x.npy"

    def interrupted(file, array, **options):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(np, "save", interrupted)
        verified.write(path, pixels[0])
    assert list(path.parent.iterdir()) == []


def test_many_may_write_and_read_at_once(tmp_path, make):
    array, expected = make("x.npy", (200, 32, 32, 3))
    path = tmp_path / "kept" / "x.npy"

    def write_and_read(_):
        verified.write(path, array)
        return np.array_equal(verified.read(path, expected), array)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(write_and_read, range(24)))
    assert [file.name for file in path.parent.iterdir()] == ["x.npy"]
