"""CIFAR-N's labels, on the real files where they are and on small forgeries of them."""

import hashlib
import io
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from jal.datasets import checksum, human
from jal.datasets.checksum import Expected
from jal.errors import InputError

N = 50_000


def sha256(labels):
    return hashlib.sha256(np.asarray(labels).astype("<i8").tobytes()).hexdigest()


def saved(content):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


@pytest.fixture
def release(tmp_path, monkeypatch):
    """What a file of CIFAR-10N holds, of random labels whose sums, and the file's, are the expected ones."""
    stream = np.random.default_rng(0)
    keys = {expected.file for expected in human.HUMAN["cifar10"].values()}
    arrays = {key: stream.integers(0, 10, N) for key in ("clean_label", *sorted(keys))}
    expected = {
        variant: Expected(e.file, (N,), sha256(arrays[e.file]))
        for variant, e in human.HUMAN["cifar10"].items()
    }
    monkeypatch.setitem(human.HUMAN, "cifar10", expected)
    monkeypatch.setitem(human.SHA256, "cifar10", hashlib.sha256(saved(arrays)).hexdigest())
    monkeypatch.setenv("JAL_DATA", str(tmp_path / "data"))
    return arrays


@pytest.fixture
def put(tmp_path):
    def write(content, place="cifar-n/CIFAR-10_human.pt"):
        path = tmp_path / "data" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else saved(content))
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

    monkeypatch.setattr(checksum, "cache_folder", homeless)
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


# Files that are others


def test_any_other_file_is_refused_unopened(release, put, tmp_path):
    witness = tmp_path / "witness"

    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {witness}",)

    whole = saved(release)
    altered = release | {"worse_label": release["worse_label"][::-1].copy()}
    others = (b"", b"<!DOCTYPE html>", whole[:-1], whole + b" ", pickle.dumps(Evil()), saved({"x": Evil()}))
    for content in (*others, saved(altered)):
        path = put(content)
        message = refuse("CIFAR-10_human.pt is damaged or another edition: SHA-256 .*, expected")
        assert (
            "a pickle could run code, fetch" in message and "numpy.savez" in message and str(path) in message
        )
    put(b" " * (2**22 + 1))
    refuse("has more than 4194304 bytes")
    assert not witness.exists()


def test_the_same_arrays_are_taken_from_an_npz(release, put):
    buffer = io.BytesIO()
    np.savez(buffer, **release)
    put(buffer.getvalue(), "cifar-n/CIFAR-10_human.npz")
    np.testing.assert_array_equal(human.human_labels("cifar10", "worst"), release["worse_label"])
    buffer = io.BytesIO()
    np.savez(buffer, **release | {"worse_label": release["clean_label"]})
    put(buffer.getvalue(), "cifar-n/CIFAR-10_human.npz")
    refuse("CIFAR-10_human.npz is damaged or another edition")


def test_what_is_no_file_is_refused(release, put, tmp_path):
    path = put(b"")
    path.unlink()
    path.symlink_to(path)
    refuse("cannot be read .*symbolic link")
    path.unlink()
    path.mkdir()
    refuse("is not a file")
    path.rmdir()
    os.mkfifo(path)
    refuse("is not a file")


def test_nothing_heavy_is_imported_before_it_is_needed():
    code = "import sys, jal.datasets.human; assert not {'torch', 'pandas', 'PIL'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
