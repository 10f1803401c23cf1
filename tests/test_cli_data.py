"""`jal data` from the outside."""

import json

import numpy as np
import pytest

from jal import datasets, noise


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch, tmp_path):
    """Neither data nor a cache of the user's."""
    monkeypatch.delenv("JAL_DATA", raising=False)
    monkeypatch.setenv("JAL_CACHE", str(tmp_path / "cache"))


def test_list_names_every_dataset_and_whether_it_is_here(jal):
    code, out, _ = jal("data", "list")
    assert code == 0 and out.count("\n") == len(datasets.names())
    assert "digits: 1437 + 360 images of 8x8x1, 10 classes, 0.1 MB: here" in out
    _, out, _ = jal("data", "list", "--json")
    found = {entry["name"]: entry["here"] for entry in json.loads(out)}
    assert set(found) == set(datasets.names())
    assert found["digits"] and not found["cifar10"]


def test_where_and_verify_of_what_is_here(jal):
    code, out, _ = jal("data", "where", "digits")
    assert code == 0 and "x_train: scikit-learn" in out
    code, out, _ = jal("data", "verify", "digits", "--json")
    assert code == 0
    assert [verdict["state"] for verdict in json.loads(out)["digits"]] == ["ok"] * 4


def test_what_is_missing_is_said_with_code_2(jal):
    code, out, _ = jal("data", "verify", "cifar10")
    assert code == 2
    assert "x_train: missing" in out


def test_without_names_all_that_is_here_is_verified(jal):
    code, out, _ = jal("data", "verify", "--json")
    assert code == 0 and "digits" in json.loads(out) and "cifar10" not in json.loads(out)


def test_a_tree_of_large_images_is_verified_as_a_whole(jal, tmp_path):
    (tmp_path / "clothing1m").mkdir()
    code, out, _ = jal("data", "verify", "clothing1m", "--data-root", str(tmp_path))
    assert code == 2
    assert "clothing1m" in out and "no list" in out


def test_labels_reports_writes_and_reads(jal, tmp_path):
    file = tmp_path / "labels.json"
    words = ("--dataset", "digits", "--noise", "pair", "--rate", "0.3", "--seed", "5")
    code, out, err = jal("data", "labels", *words, "--output", str(file))
    assert code == 0 and "asks for a >= 2.5" in out and str(file) in err
    found = noise.read_labels(file)
    true = datasets.load("digits").train_labels
    assert (found.labels == noise.corrupt(true, noise.pair(10, 0.3), 5)).all()
    assert dict(found.noise) == {"kind": "pair", "rate": 0.3, "method": "exact", "seed": 5}
    _, again, _ = jal("data", "labels", "--dataset", "digits", "--labels", str(file), "--json")
    assert json.loads(again)["rate"] == pytest.approx((found.labels != true).mean())


def test_a_file_of_labels_can_be_trained_on(jal, tmp_path):
    file = tmp_path / "labels.json"
    jal("data", "labels", "--dataset", "digits", "--noise", "pair", "--rate", "0.3", "--output", str(file))
    words = ("--dataset", "digits", "--loss", "CE", "-r", "epochs=1", "--results", str(tmp_path), "--json")
    code, out, _ = jal("train", *words, "--labels", str(file))
    record = json.loads(out)
    assert code == 0
    assert record["spec"]["noise"] == {"kind": "file", "variant": noise.read_labels(file).sha256}
    other = noise.LabelFile("digits", 10, np.zeros(1437, np.int64), {"kind": "none"})
    noise.write_labels(file, other)
    _, out, _ = jal("train", *words, "--labels", str(file))
    assert json.loads(out)["id"] != record["id"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("data fetch cifar", "did you mean 'cifar10'"),
        ("data fetch cifar10 mnits", "did you mean 'mnist'"),
        ("data where digit", "did you mean 'digits'"),
        ("data verify webvison", "did you mean 'webvision'"),
        ("data labels --dataset digits --noise symmetric", "needs a rate"),
        ("data labels --dataset digits --labels absent.json", "absent.json"),
        ("data labels --dataset digits --labels l.json --noise pair --rate 0.1", "name one of them"),
        ("data labels --dataset cifar10 --noise human", "needs a variant"),
        ("data labels --dataset cifar10 --noise symmetric --rate 0.4", "jal data fetch cifar10"),
    ],
)
def test_bad_input_is_one_line_with_code_2(jal, arguments, message):
    code, out, err = jal(*arguments.split())
    assert (code, out) == (2, "")
    assert err.startswith("jal: ") and err.count("\n") == 1 and message in err


def test_a_fetch_says_what_it_does(jal, monkeypatch):
    def fake(name, root, *, progress):
        progress("cifar-10-python.tar.gz", 10**6, 2 * 10**6)
        progress("cifar-10-python.tar.gz", 2 * 10**6, 2 * 10**6)
        return datasets.where("digits")

    monkeypatch.setattr(datasets, "fetch", fake)
    code, out, err = jal("data", "fetch", "cifar10")
    assert code == 0 and out.startswith("cifar10\n  x_train: ")
    assert err == "cifar-10-python.tar.gz\n"
