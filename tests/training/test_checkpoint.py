"""Checkpoints: what is saved comes back bit for bit, damage is named, and no kill -9 does harm.

Run as a script, this file is the process that is killed.
"""

import contextlib
import errno
import itertools
import json
import math
import os
import random
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from jal.errors import InputError
from jal.training.checkpoint import Checkpoints

KEY = "0123456789abcdef"


def state(count):
    """One that tells whether it is complete, and is another for every count."""
    curve = [1 / (1 + k) for k in range(count)]
    tensors = {"weights": torch.arange(5000, dtype=torch.float64) / 3 + count, "count": torch.tensor(count)}
    return tensors, {"count": count, "curve": curve}


def assert_is(loaded, count):
    tensors, meta = state(count)
    assert loaded[1] == meta
    assert loaded[0].keys() == tensors.keys()
    assert all(torch.equal(loaded[0][name], tensors[name]) for name in tensors)


def silent(message):
    raise AssertionError(f"complained: {message}")


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path / "checkpoints", KEY, complain=silent)


def names(checkpoints):
    return sorted(file.name for file in checkpoints.path.iterdir())


def test_nothing_is_there_before_the_first(checkpoints):
    assert checkpoints.load() is None
    assert not checkpoints.path.exists()


def test_the_newest_comes_back_and_the_last_two_are_kept(checkpoints, tmp_path):
    for count in range(1, 5):
        checkpoints.save(*state(count))
        assert_is(Checkpoints(tmp_path / "checkpoints", KEY, complain=silent).load(), count)
    assert names(checkpoints) == [
        "000003.json",
        "000003.safetensors",
        "000004.json",
        "000004.safetensors",
    ]


def test_runs_share_a_folder_and_keep_apart(tmp_path):
    first, second = Checkpoints(tmp_path, "a" * 16), Checkpoints(tmp_path, "b" * 16)
    first.save(*state(1))
    second.save(*state(2))
    assert_is(first.load(), 1)
    first.clear()
    assert_is(second.load(), 2)


TENSORS = {
    "float64": torch.tensor([math.pi, -0.0, 5e-324, math.inf, math.nan], dtype=torch.float64),
    "bfloat16": torch.tensor([1 / 3, -2.0]).bfloat16(),
    "int64": torch.tensor([2**63 - 1, -(2**63)]),
    "bytes": torch.arange(256, dtype=torch.uint8),
    "bool": torch.tensor([True, False]),
    "no dimension": torch.tensor(7),
    "empty": torch.empty(0, 3),
    "transposed": torch.arange(6.0).reshape(2, 3).t(),
    "channels_last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
    "with gradient": torch.randn(3, requires_grad=True),
    "generator": torch.Generator().manual_seed(3).get_state(),
}


@pytest.mark.parametrize("name", TENSORS)
def test_tensors_come_back_bit_for_bit(checkpoints, name):
    tensor = TENSORS[name].detach()
    checkpoints.save({name: TENSORS[name]}, {})
    loaded = checkpoints.load("cpu")[0][name]
    assert (loaded.dtype, loaded.shape) == (tensor.dtype, tensor.shape)
    assert loaded.is_contiguous() and not loaded.requires_grad
    bits, given = (
        each.contiguous().flatten().view(torch.uint8) if each.numel() else each for each in (loaded, tensor)
    )
    assert torch.equal(bits, given)


def test_views_of_one_buffer_come_back_apart(checkpoints):
    flat = torch.arange(10.0)
    views = {"flat": flat, "first": flat[:5], "overlap": flat[3:7], "tied": flat}
    checkpoints.save(views, {})
    loaded, _ = checkpoints.load()
    assert all(torch.equal(loaded[name], views[name]) for name in views)
    loaded["flat"].zero_()
    assert torch.equal(loaded["first"], flat[:5])


def test_what_is_loaded_is_no_window_on_the_file(checkpoints):
    checkpoints.save(*state(1))
    loaded, _ = checkpoints.load()
    loaded["weights"].zero_()
    assert_is(checkpoints.load(), 1)


@pytest.mark.parametrize("device", ["cpu"] + ["cuda"] * torch.cuda.is_available())
def test_tensors_travel_from_a_device_and_back(checkpoints, device):
    tensors, meta = state(1)
    checkpoints.save({name: tensor.to(device) for name, tensor in tensors.items()}, meta)
    loaded, meta = checkpoints.load(device)
    assert {tensor.device.type for tensor in loaded.values()} == {device}
    assert_is(({name: tensor.cpu() for name, tensor in loaded.items()}, meta), 1)


def test_curves_come_back_exactly(checkpoints):
    generator = random.Random(0)
    curve = [generator.uniform(-1, 1) * 10.0 ** generator.randint(-300, 300) for _ in range(1000)]
    meta = {"curves": {"loss": [*curve, 0.1 + 0.2, -0.0, 5e-324]}, "epoch": 3, "step": 2**60, "best": None}
    checkpoints.save({}, meta)
    loaded = checkpoints.load()[1]
    assert repr(loaded) == repr(meta)


def cut(content):
    return content[: len(content) // 2]


def flipped(content):
    at = len(content) // 2
    return content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :]


def changed(**keys):
    return lambda content: json.dumps(json.loads(content) | keys).encode()


def digit(content):
    """A curve's value that is still a number, and another."""
    return content.replace(b"0.333", b"0.433")


DAMAGE = {
    "tensors cut": ("safetensors", cut, r"000002\.safetensors is damaged: \d+ bytes of \d+"),
    "tensors flipped": ("safetensors", flipped, r"000002\.safetensors is damaged: its SHA-256 is not"),
    "tensors empty": ("safetensors", lambda content: b"", "is damaged: 0 bytes of"),
    "tensors missing": ("safetensors", None, r"000002\.safetensors is missing"),
    "json cut": ("json", cut, r"000002\.json is damaged"),
    "json empty": ("json", lambda content: b"", r"000002\.json is damaged"),
    "json no object": ("json", lambda content: b"[1]", r"000002\.json is damaged"),
    "json no text": ("json", lambda content: b"\xff", r"000002\.json is damaged"),
    "json digit": ("json", digit, r"000002\.json is damaged"),
    "json without meta": ("json", changed(meta=None), r"000002\.json is damaged"),
    "json missing": ("json", None, r"000002\.json is missing"),
    "another run": ("json", changed(key="f" * 16), r"000002\.json is of the run ffffffffffffffff"),
    "another schema": ("json", changed(schema=0), r"has the schema 0, where this version reads 1"),
}


def harm(checkpoints, number, suffix, change):
    file = checkpoints.path / f"{number:06d}.{suffix}"
    if change is None:
        file.unlink()
        return
    content = change(file.read_bytes())
    assert content != file.read_bytes()
    file.write_bytes(content)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_named_in_one_line_and_the_one_before_is_used(tmp_path, damage):
    suffix, change, message = DAMAGE[damage]
    complaints = []
    checkpoints = Checkpoints(tmp_path, KEY, complain=complaints.append)
    checkpoints.save(*state(4))
    checkpoints.save(*state(5))
    harm(checkpoints, 2, suffix, change)
    assert_is(checkpoints.load(), 4)
    (complaint,) = complaints
    assert re.search(message, complaint)
    assert str(checkpoints.path) in complaint and "\n" not in complaint
    assert complaint.endswith(": the checkpoint before it is used")

    checkpoints.save(*state(6))
    assert_is(Checkpoints(tmp_path, KEY, complain=silent).load(), 6)
    assert {name[:6] for name in names(checkpoints)} == {"000001", "000003"}


def test_none_left_is_said_and_the_run_starts_anew(tmp_path):
    checkpoints = Checkpoints(tmp_path, KEY)
    checkpoints.save(*state(1))
    checkpoints.save(*state(2))
    harm(checkpoints, 1, "json", cut)
    harm(checkpoints, 2, "safetensors", flipped)
    with pytest.warns(UserWarning, match=r"000002\.safetensors.*000001\.json.*: the run starts anew") as told:
        assert checkpoints.load() is None
    assert len(told) == 1
    checkpoints.save(*state(3))
    assert_is(Checkpoints(tmp_path, KEY, complain=silent).load(), 3)


def test_any_flipped_bit_of_the_json_is_noticed(tmp_path):
    checkpoints = Checkpoints(tmp_path, KEY, complain=lambda message: None)
    checkpoints.save(*state(4))
    checkpoints.save(*state(5))
    file = checkpoints.path / "000002.json"
    content = file.read_bytes()
    generator = random.Random(0)
    for at in range(len(content)):
        damaged = bytearray(content)
        damaged[at] ^= 1 << generator.randrange(8)
        file.write_bytes(damaged)
        loaded = checkpoints.load()
        # A blank that became another kind of blank says the same.
        assert_is(loaded, 5 if json.loads(content) == _parsed(damaged) else 4)


def _parsed(content):
    with contextlib.suppress(ValueError):
        return json.loads(bytes(content))


@pytest.mark.parametrize("write", [1, 2])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_failed_save_is_one_line_and_harms_nothing(checkpoints, monkeypatch, write, number):
    checkpoints.save(*state(1))
    checkpoints.save(*state(2))
    before, fsync, calls = names(checkpoints), os.fsync, []

    def fail(file):
        if stat.S_ISREG(os.fstat(file).st_mode):  # of the two files; their folder is synced as well
            calls.append(file)
            if len(calls) == write:
                raise OSError(number, os.strerror(number))
        fsync(file)

    monkeypatch.setattr(os, "fsync", fail)
    # Another object, which has not loaded, must spare what it does not know.
    other = Checkpoints(checkpoints.path.parent, KEY, complain=silent)
    with pytest.raises(InputError) as error:
        other.save(*state(3))
    monkeypatch.undo()
    assert f"cannot write to the folder {checkpoints.path} ({os.strerror(number)})" in str(error.value)
    assert "name another one" in str(error.value) and "\n" not in str(error.value)
    assert names(checkpoints) == before
    assert_is(checkpoints.load(), 2)


def test_a_full_disk_in_the_middle_of_the_file(checkpoints):
    resource = pytest.importorskip("resource", reason="limits on the size of files are POSIX's")
    checkpoints.save(*state(1))
    before = names(checkpoints)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(InputError, match="File too large"):
            checkpoints.save(*state(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names(checkpoints) == before
    assert_is(checkpoints.load(), 1)


@pytest.mark.parametrize("method", ["save", "load"])
def test_a_file_in_the_folders_place(tmp_path, method):
    (tmp_path / "file").write_text("")
    checkpoints = Checkpoints(tmp_path / "file", KEY)
    with pytest.raises(InputError, match=r"the folder .* \(Not a directory\)"):
        checkpoints.save(*state(1)) if method == "save" else checkpoints.load()


def test_drafts_of_a_killed_process_are_removed(checkpoints):
    checkpoints.save(*state(1))
    (checkpoints.path / ".000002.abc.tmp").write_text("half")
    (checkpoints.path / "notes.txt").write_text("a person's")
    checkpoints.save(*state(2))
    assert ".000002.abc.tmp" not in names(checkpoints) and "notes.txt" in names(checkpoints)


def test_clear_removes_all_of_the_run_and_empty_folders(checkpoints):
    checkpoints.save(*state(1))
    (checkpoints.path / ".000002.abc.tmp").write_text("half")
    checkpoints.clear()
    assert not checkpoints.path.parent.exists()
    checkpoints.clear()
    assert checkpoints.load() is None


def test_clear_spares_what_is_not_ours(checkpoints):
    checkpoints.save(*state(1))
    (checkpoints.path / "notes.txt").write_text("a person's")
    checkpoints.clear()
    assert names(checkpoints) == ["notes.txt"]


def test_due_counts_from_the_last_save(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    checkpoints = Checkpoints(tmp_path, KEY, every=30.0)
    assert not checkpoints.due()
    now[0] += 30
    assert checkpoints.due()
    now[0] += 5
    checkpoints.save(*state(1))
    assert not checkpoints.due()
    now[0] += 29.9
    assert not checkpoints.due()
    now[0] += 0.2
    assert checkpoints.due()
    assert Checkpoints(tmp_path, KEY, every=0.0).due()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork and kill -9 are POSIX's")
def test_a_kill_at_any_moment_leaves_the_last_checkpoint(tmp_path):
    command = [sys.executable, __file__, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    kills = json.loads(done.stdout)
    assert kills["at random"] == 10
    # Two files a save, and for each of them a folder, a draft, a renaming and a tidying up.
    assert kills["before each change of a file"] >= 3 * 2 * 4


def start_saving(folder, saves, die_at=None):
    """A process that goes on from what is there, and the pipe on which it says what it has saved."""
    read, write = os.pipe()
    child = os.fork()
    if child:
        os.close(write)
        return child, os.fdopen(read, "rb", buffering=0)
    if die_at is not None:
        die_before_change(folder, die_at)
    checkpoints = Checkpoints(folder, KEY, complain=lambda message: None)
    loaded = checkpoints.load()
    first = loaded[1]["count"] + 1 if loaded else 1
    for count in range(first, first + saves):
        checkpoints.save(*state(count))
        os.write(write, b"%d\n" % count)
    os._exit(0)


def die_before_change(folder, number):
    """Kills this process when it is about to change a file below `folder` for the `number`-th time."""
    numbers = itertools.count()

    def hook(event, arguments):
        changes = event in ("open", "os.mkdir", "os.rename", "os.remove") and str(folder) in str(arguments[0])
        if changes and next(numbers) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def check_what_is_left(folder, reported):
    complaints = []
    loaded = Checkpoints(folder, KEY, complain=complaints.append).load()
    assert len(complaints) <= 1 and all(".json is missing: " in complaint for complaint in complaints)
    count = loaded[1]["count"] if loaded else 0
    assert reported <= count <= reported + 1, (reported, count)
    if loaded:
        assert_is(loaded, count)


def kill_at_random(folder, rounds=10):
    generator = random.Random()
    for _ in range(rounds):
        child, pipe = start_saving(folder, saves=10**6)
        said = pipe.read(1)
        time.sleep(generator.uniform(0, 0.1))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        check_what_is_left(folder, int((said + pipe.read()).split()[-1]))
    return rounds


def kill_before_each_change(folder):
    for number in itertools.count():
        child, pipe = start_saving(folder / str(number), saves=3, die_at=number)
        _, status = os.waitpid(child, 0)
        said = pipe.read().split()
        check_what_is_left(folder / str(number), int(said[-1]) if said else 0)
        if not os.WIFSIGNALED(status):
            assert status == 0 and len(said) == 3
            return number


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    kills = {
        "at random": kill_at_random(folder / "random"),
        "before each change of a file": kill_before_each_change(folder / "each"),
    }
    print(json.dumps(kills))
