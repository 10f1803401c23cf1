"""CIFAR-N's readers, on the real files where they are and on small forgeries of them."""

import bz2
import gzip
import hashlib
import io
import os
import pickle
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from jal.datasets import human, known, verified
from jal.datasets.verified import Expected
from jal.errors import InputError

N = 50_000


def sha256(labels):
    return hashlib.sha256(np.asarray(labels).astype("<i8").tobytes()).hexdigest()


def archive(pickled, compression=zipfile.ZIP_STORED, **members):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as file:
        file.writestr("archive/data.pkl", pickled)
        for name, member in ({"version": b"3\n"} | members).items():
            file.writestr(f"archive/{name}", member)
    return content.getvalue()


@pytest.fixture
def release(tmp_path, monkeypatch):
    """What a file of CIFAR-10N holds, of random labels whose sums are the expected ones; `put` makes the file."""
    stream = np.random.default_rng(0)
    keys = {expected.file for expected in human.HUMAN["cifar10"].values()}
    arrays = {key: stream.integers(0, 10, N) for key in ("clean_label", *sorted(keys))}
    clean = (
        known.CIFAR10[0],
        Expected("y_train.npy", (N,), sha256(arrays["clean_label"])),
        *known.CIFAR10[2:],
    )
    monkeypatch.setattr(known, "CIFAR10", clean)
    expected = {
        variant: Expected(e.file, (N,), sha256(arrays[e.file]))
        for variant, e in human.HUMAN["cifar10"].items()
    }
    monkeypatch.setitem(human.HUMAN, "cifar10", expected)
    monkeypatch.setenv("JAL_DATA", str(tmp_path / "data"))
    return arrays


@pytest.fixture
def put(tmp_path):
    def write(content, place="cifar-n/CIFAR-10_human.pt"):
        path = tmp_path / "data" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else archive(pickle.dumps(content, 2)))
        return path

    return write


def refuse(message, name="cifar10", variant="worst", **given):
    with pytest.raises(InputError, match=message) as error:
        human.human_labels(name, variant, **given)
    assert "\n" not in str(error.value)
    return str(error.value)


REAL = [
    ("cifar10", "aggre", 0.0901, "b3c3d486d22c3055"),
    ("cifar10", "rand1", 0.17234, "b5dc9007ae247a48"),
    ("cifar10", "rand2", 0.18122, "1182c45d3a246366"),
    ("cifar10", "rand3", 0.1764, "b51e116c617ded2c"),
    ("cifar10", "worst", 0.40208, "a64d887522cf6d8f"),
    ("cifar100", "noisy", 0.4020, "4a1efd5da7a214b2"),
]


@pytest.mark.parametrize(("name", "variant", "rate", "digits"), REAL)
def test_the_real_labels_have_the_published_sums_and_rates(cifar_labels, name, variant, rate, digits):
    root = Path(os.environ.get("JAL_DATA") or "absent")
    if not any((root / place / human.FILES[name]).exists() for place in ("cifar-n", ".")):
        pytest.skip(
            f"no {human.FILES[name]}: set JAL_DATA to the folder that holds cifar-n/{human.FILES[name]}"
        )
    true = cifar_labels(name)
    labels = human.human_labels(name, variant, true=true)
    assert labels.dtype == np.int64 and labels.shape == (N,) and labels.flags.writeable
    assert sha256(labels).startswith(digits)
    assert np.mean(labels != true) == pytest.approx(rate, abs=1e-12)


def test_every_variant_is_listed_with_its_sum():
    listed = [(name, variant) for name, variants in human.HUMAN.items() for variant in variants]
    assert listed == [(name, variant) for name, variant, _, _ in REAL]
    for name, variant, _, digits in REAL:
        source = human.human_source(name, variant)
        assert set(source) == {"source", "licence", "citation", "sha256"}
        assert source["sha256"].startswith(digits) and len(source["sha256"]) == 64
        assert source["licence"] == "CC BY-NC 4.0"
        assert human.FILES[name] in source["source"] and "ICLR 2022" in source["citation"]


def test_each_variant_is_its_array_in_the_file(release, put):
    put(release)
    for variant, expected in human.HUMAN["cifar10"].items():
        np.testing.assert_array_equal(human.human_labels("cifar10", variant), release[expected.file])


@pytest.mark.parametrize("place", ["cifar-n/CIFAR-10_human.pt", "CIFAR-10_human.pt"])
def test_the_file_is_found_in_its_folder_or_in_the_data_folder(release, put, tmp_path, monkeypatch, place):
    put(release, place)
    monkeypatch.delenv("JAL_DATA")
    labels = human.human_labels("cifar10", "aggre", root=tmp_path / "data")
    np.testing.assert_array_equal(labels, release["aggre_label"])


def test_unknown_names_are_answered_with_those_there_are():
    refuse("unknown dataset with human labels 'cifar': .* must be one of cifar10, cifar100", name="cifar")
    refuse("unknown variant of cifar10's human labels 'worse': did you mean 'worst'", variant="worse")
    refuse("unknown variant of cifar100's .* must be one of noisy", name="cifar100")
    with pytest.raises(InputError, match="unknown variant"):
        human.human_source("cifar100", "aggre")


@pytest.mark.parametrize("data", [None, "there"])
def test_a_missing_file_is_answered_with_where_it_comes_from_and_goes(tmp_path, monkeypatch, data):
    monkeypatch.delenv("JAL_DATA", raising=False)
    if data:
        monkeypatch.setenv("JAL_DATA", str(tmp_path))
    message = refuse("CIFAR-10_human.pt")
    for part in ("github.com/UCSC-REAL/cifar-10-100n", "http://noisylabels.com", "CC BY-NC 4.0", "cifar-n/"):
        assert part in message


# The licence


def test_the_licence_is_shown_once_and_recorded(release, put, cache, capsys):
    put(release)
    human.human_labels("cifar10", "worst")
    out, err = capsys.readouterr()
    assert out == "" and err == f"{human.NOTICE}\n"
    assert "CC BY-NC 4.0" in err and "not for commercial use" in err and "ICLR 2022" in err
    human.human_labels("cifar10", "aggre")
    assert capsys.readouterr().err == ""
    (record,) = cache.rglob("cifar-n")
    assert "CC BY-NC 4.0" in record.read_text() and "shown 2" in record.read_text()


def test_the_licence_is_not_shown_for_a_file_that_is_refused(release, put, capsys):
    put(release | {"worse_label": release["clean_label"]})
    refuse("SHA-256")
    assert capsys.readouterr().err == ""


def test_the_licence_is_shown_every_time_where_that_cannot_be_recorded(
    release, put, cache, capsys, monkeypatch
):
    put(release)
    cache.write_text("a file where the folder should be")
    for _ in range(2):
        human.human_labels("cifar10", "worst")
        assert capsys.readouterr().err == f"{human.NOTICE}\n"

    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(verified, "cache_folder", homeless)
    human.human_labels("cifar10", "worst")
    assert capsys.readouterr().err == f"{human.NOTICE}\n"


# The order


def test_true_labels_may_be_given_to_check_the_order(release, put):
    put(release)
    for n in (N, 1000, 0):
        labels = human.human_labels("cifar10", "worst", true=release["clean_label"][:n])
        np.testing.assert_array_equal(labels, release["worse_label"])


@pytest.mark.parametrize(
    "spoil", [np.flip, lambda true: true[1:], lambda true: true[None], lambda true: [*true, 0]]
)
def test_true_labels_in_another_order_are_refused(release, put, spoil):
    put(release)
    refuse("human labels would fall on other images", true=spoil(release["clean_label"]))


def test_a_file_in_another_order_is_refused(release, put):
    path = put({key: array[::-1].copy() for key, array in release.items()})
    assert str(path) in refuse("its clean_label is not torchvision's order")


# Fuzz


def test_altered_labels_are_refused(release, put):
    altered = release["worse_label"].copy()
    altered[-1] = (altered[-1] + 1) % 10
    put(release | {"worse_label": altered})
    refuse("is damaged or another edition: SHA-256 .*, expected .*: delete it and fetch it again")
    put(release | {"worse_label": altered + 1000})
    refuse("SHA-256")


@pytest.mark.parametrize(
    "array",
    [
        None,
        0,
        "worse_label",
        [1, 2, 3],
        {},
        np.zeros(N),
        np.zeros(N, np.int32),
        np.zeros(N - 1, np.int64),
        np.zeros((1, N), np.int64),
        np.zeros(0, np.int64),
    ],
    ids=lambda array: f"{getattr(array, 'dtype', type(array).__name__)}-{getattr(array, 'shape', '')}",
)
def test_what_is_not_50000_integers_is_refused(release, put, array):
    put(release | {"worse_label": array})
    refuse("has no 50000 integers under worse_label")
    put(release | {"clean_label": array})
    refuse("has no 50000 integers under clean_label")


@pytest.mark.parametrize("content", [None, [], 3, {}, {"worse_label": {}}], ids=str)
def test_another_pickle_is_refused(release, put, content):
    put(content)
    refuse("has no 50000 integers under clean_label")


def test_a_truncated_file_is_refused_wherever_it_ends(release, put):
    content = put(release).read_bytes()
    for end in [0, 1, 4, 30, 100, 1000, len(content) // 2, *range(len(content) - 300, len(content), 7)]:
        put(content[:end])
        refuse("is not a whole zip archive")
    pickled = pickle.dumps(release, 2)
    for end in (0, 1, 20, 200, 400_000, len(pickled) - 1):
        put(archive(pickled[:end]))
        refuse("CIFAR-10_human.pt")


def test_files_of_another_kind_are_refused(release, put):
    pickled = pickle.dumps(release, 2)
    for content in (
        b"<!DOCTYPE html>",
        b"version https://git-lfs.github.com/spec/v1\n",
        pickled,
        gzip.compress(b""),
    ):
        put(content)
        refuse("is not a whole zip archive .*: delete it and fetch it again")
    put(b"PK\3\4" + b"\0" * 100)
    refuse("is not a whole zip archive")


def test_a_member_that_is_missing_or_there_twice_is_refused(release, put):
    put(archive(b"", zipfile.ZIP_STORED, **{"more/data.pkl": b""}))
    refuse("has 2 members /data.pkl, expected one")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w"):
        pass
    put(content.getvalue())
    refuse("has 0 members /data.pkl, expected one")


def test_a_member_that_torch_would_not_write_is_refused(release, put):
    put(archive(b"\0" * (4 * 2**20 + 1), zipfile.ZIP_DEFLATED))
    refuse("/data.pkl would unpack to 4194305 bytes by method 8: it is not the released file")
    put(archive(pickle.dumps(release, 2), zipfile.ZIP_BZIP2))
    refuse("/data.pkl would unpack to .* bytes by method 12")


def test_what_is_no_file_is_refused(release, put, tmp_path):
    path = put(b"")
    path.unlink()
    path.symlink_to(path)
    refuse("cannot be read .*symbolic link")
    path.unlink()
    path.symlink_to(tmp_path / "nowhere")
    refuse("cannot be read .*No such file")
    path.unlink()
    path.mkdir()
    refuse("is not a file")
    path.rmdir()
    os.mkfifo(path)
    refuse("is not a file")
    path.unlink()
    path.parent.rmdir()
    path.parent.symlink_to(path.parent)
    refuse("CIFAR-10_human.pt")


def test_random_damage_is_refused_or_harmless(release, put):
    """Every byte around the labels, and some in them, changed one at a time and in bursts."""
    short = {key: release[key] for key in ("clean_label", "worse_label")}
    content = put(short).read_bytes()
    stream = random.Random(0)
    structure = [i for i in range(len(content)) if i < 400 or i > len(content) - 400]
    for trial in range(300):
        damaged = bytearray(content)
        for _ in range(stream.choice([1, 1, 4, 16])):
            place = stream.choice(structure) if trial % 3 else stream.randrange(len(content))
            damaged[place] = stream.randrange(256)
        put(bytes(damaged))
        try:
            labels = human.human_labels("cifar10", "worst")
        except InputError as error:
            assert "\n" not in str(error)
        else:
            np.testing.assert_array_equal(labels, release["worse_label"])


class Evil:
    """Unpickled, it leaves a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


class EvilKey(Evil):
    __hash__ = object.__hash__


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "hide",
    [
        lambda release, evil: evil,
        lambda release, evil: release | {"worse_label": evil},
        lambda release, evil: release | {"clean_label": evil},
        lambda release, evil: release | {"also": evil},
        lambda release, evil: {evil: 0} | release,
        lambda release, evil: release | {"worse_label": [evil]},
        lambda release, evil: [evil, release],
        lambda release, evil: release | {"worse_label": np.array([evil, 1], object)},
    ],
    ids=["alone", "labels", "clean", "more", "key", "list", "first", "object array"],
)
def test_no_code_of_a_pickle_runs(release, put, tmp_path, hide, protocol):
    canary = tmp_path / "ran"
    pickled = pickle.dumps(hide(release, EvilKey(canary)), protocol)
    put(archive(pickled))
    refuse("CIFAR-10_human.pt .*delete it and fetch it again")
    assert not canary.exists()
    pickle.loads(pickled)
    assert canary.exists()  # it would have run


@pytest.mark.parametrize(
    "pickled",
    [
        b"cos\nsystem\n(S'{}'\ntR.",
        b"(S'{}'\nios\nsystem\n.",
        b"(cos\nsystem\nS'{}'\no.",
        b"\x80\x02cbuiltins\neval\nX\x10\0\0\0__import__('os')\x85R.",
        b"\x80\x02c__builtin__\nexec\nX\x01\0\0\x001\x85R.",
        b"\x80\x02cnumpy\nload\nX\x01\0\0\0x\x85R.",
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct.__globals__\n.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R.",
        b"\x80\x02cnumpy\ndtype\nX\x02\0\0\0O8\x89\x88\x87R.",
        b"\x80\x02}Pid\n.",
        b"\x80\x02]\x82\x01.",
        b"\x80\x02\x80\x02.",
        b"\x80\x02R.",
        b"\x80\x02.",
    ],
)
def test_hand_written_pickles_are_refused(release, put, tmp_path, pickled):
    canary = tmp_path / "ran"
    put(archive(pickled.replace(b"{}", f"touch {canary}".encode())))
    refuse("CIFAR-10_human.pt .*delete it and fetch it again")
    assert not canary.exists()


def test_no_code_elsewhere_in_the_archive_runs(release, put, tmp_path):
    canary = tmp_path / "ran"
    evil, pickled = pickle.dumps(Evil(canary), 2), pickle.dumps(release, 2)
    whole = archive(pickled)
    for content in (
        archive(pickled, version=evil),
        archive(pickled, **{"data/0": evil, "code/evil.py": b"import os", "../../escape": evil}),
        archive(pickled + evil),
        evil + whole,
        whole + evil,
    ):
        put(content)
        try:
            labels = human.human_labels("cifar10", "worst")
        except InputError as error:
            assert "delete it and fetch it again" in str(error)
        else:
            np.testing.assert_array_equal(labels, release["worse_label"])
        assert not canary.exists()
    assert not list(tmp_path.rglob("escape"))


def bombs():
    big = b"\0" * (40 * 2**20)
    deep = 200_000
    yield archive(big)
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        honest = archive(big, method)
        yield honest
        lying = bytearray(honest)
        for signature, offset in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
            start = lying.index(signature) + offset
            lying[start : start + 4] = (1000).to_bytes(4, "little")
        yield bytes(lying)
    yield archive(bz2.compress(big), zipfile.ZIP_DEFLATED)
    yield archive(b"", zipfile.ZIP_STORED, **{f"{i}/data.pkl": b"" for i in range(25_000)})
    for pickled in (
        b"\x80\x02}r\xff\xff\xff\x7f.",  # the memo's index
        b"\x80\x02X\xff\xff\xff\x7fabc.",  # a text's length
        b"\x80\x04\x8d\0\0\0\0\0\1\0\0abc.",
        b"\x80\x05\x96\0\0\0\0\x10\0\0\0abc.",
        b"\x80\x02\x8b\xff\xff\xff\x7fabc.",  # an integer's
        b"\x80\x02" + b"]" * deep + b"a" * (deep - 1) + b".",
        b"\x80\x02" + b"(" * deep + b"t" * deep + b".",
        b"\x80\x02})" + b"q\0h\0\x86" * 1000 + b"K\1s.",  # a key that takes forever to hash
        b"\x80\x02cnumpy\ndtype\nX\x0b\0\0\0V1000000000\x85R.",
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n\x8a\x06\0\0\0\0\0\1\x85X\1\0\0\0b\x87R.",
        b"\x80\x02cnumpy\nndarray\n\x8a\x06\0\0\0\0\0\1\x85\x85R.",
        b"\x80\x02X\0\0\x10\0"
        + b"a" * 2**20
        + b"q\0"
        + b"c_codecs\nencode\nh\0X\6\0\0\0latin1\x86R" * 1000
        + b".",
    ):
        yield archive(pickled)


GUARDED = """
import resource, sys
from jal.datasets import human
from jal.errors import InputError

def mebibytes(field):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(field)) // 1024

resource.setrlimit(resource.RLIMIT_AS, 2 * ((mebibytes("VmSize") + 256) * 2**20,))
before = mebibytes("VmHWM")
for root in sys.argv[1:]:
    try:
        human.human_labels("cifar10", "worst", root)
    except InputError as error:
        assert "MemoryError" not in str(error) and "\\n" not in str(error), error
    else:
        raise AssertionError(root)
print(mebibytes("VmHWM") - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured by /proc")
def test_bombs_are_refused_without_much_memory(tmp_path):
    roots = []
    for number, content in enumerate(bombs()):
        roots.append(tmp_path / str(number))
        roots[-1].mkdir()
        (roots[-1] / "CIFAR-10_human.pt").write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", GUARDED, *roots], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 32  # MiB; the smallest bomb would take 40


def test_it_is_read_without_torch():
    code = "import sys, jal.datasets.human; assert not {'torch', 'pandas', 'PIL'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
