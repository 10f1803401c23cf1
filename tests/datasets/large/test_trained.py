"""From the official layouts to a Record, with the paper's network and recipe."""

import re

import pytest

from jal.datasets.large.sets import load_sets
from jal.errors import InputError, Stopped
from jal.experiments import Record, Store, resolve, run


@pytest.fixture
def train(jal, root, tmp_path, monkeypatch):
    monkeypatch.setenv("JAL_CACHE", str(tmp_path / "cache"))
    folders = ["--data-root", str(root), "--results", str(tmp_path / "runs"), "--device", "cpu"]

    def call(*words):
        return jal("train", "--loss", "JAL-CE", *words, *folders)

    return call


def test_webvision_is_tested_on_both_test_sets(train, tmp_path, webvision, ilsvrc12):
    code, _, err = train("--dataset", "webvision", "-r", "epochs=1", "-r", "batch_size=3")
    assert code == 0, err
    (record,) = Store(tmp_path / "runs").records()
    assert (record.spec.recipe.model, record.spec.recipe.precision) == ("resnet50", "bfloat16")
    assert record.accuracies == {
        "webvision": record.accuracy,
        "ilsvrc12": record.curves["ilsvrc12_accuracy"][-1],
    }
    # Two images and fifty-one.
    assert record.accuracy in (0, 50, 100)
    assert round(record.accuracies["ilsvrc12"] * 51 / 100, 4).is_integer()
    assert "memorised" not in record.curves


def test_clothing1m_has_one_test_set(train, tmp_path, clothing1m):
    small = ["model=cnn2", "initial=random", "precision=float32", "epochs=2", "batch_size=3", "train_size=2"]
    words = [word for value in small for word in ("-r", value)]
    code, out, err = train("--dataset", "clothing1m", *words)
    assert code == 0, err
    (record,) = Store(tmp_path / "runs").records()
    assert record.accuracies == {} and len(record.curves["test_accuracy"]) == 2
    code, out, err = train("--dataset", "clothing1m", *words, "--again", "--dry-run")
    assert (code, err) == (0, "") and "cnn2" in out and "labels" not in out


def test_broken_images_are_passed_over_if_asked_and_named(train, tmp_path, clothing1m):
    small = ["model=cnn2", "initial=random", "precision=float32", "epochs=1", "batch_size=3"]
    words = ["--dataset", "clothing1m", *(word for value in small for word in ("-r", value))]
    names = (clothing1m / "noisy_train_key_list.txt").read_text().split()
    broken = clothing1m / names[0]
    broken.write_bytes(b"")
    code, out, err = train(*words)
    assert (code, out, err.count("\n")) == (2, "", 1) and "jal train --skip-broken" in err
    code, out, err = train(*words, "--skip-broken")
    assert code == 0 and f"clothing1m noisy_train: 1 passed over (empty: {names[0]})" in err
    (record,) = Store(tmp_path / "runs").records()
    assert record.left_out == {"clothing1m noisy_train": [f"empty: {names[0]}"]}
    assert Record.from_json(record.to_json()) == record
    code, _, err = train("--dataset", "digits", "--skip-broken")
    assert code == 2 and "--skip-broken with digits: it is for webvision and clothing1m" in err


def test_a_run_goes_on_with_the_images_that_it_was_begun_with_or_not_at_all(
    tmp_path, root, clothing1m, encoded
):
    small = {"model": "cnn2", "initial": "random", "precision": "float32", "epochs": 2, "batch_size": 3}
    spec = resolve(dataset="clothing1m", loss="CE", **small)
    options = {"data_root": root, "checkpoints": tmp_path / "kept", "skip_broken": True}
    broken = clothing1m / (clothing1m / "noisy_train_key_list.txt").read_text().split()[0]
    broken.write_bytes(b"")
    for _ in range(2):  # the second goes on
        with pytest.raises(Stopped):
            run(spec, stop=lambda: True, **options)
    broken.write_bytes(encoded())
    with pytest.raises(InputError, match=r"other broken images than there are now: begin anew with --again"):
        run(spec, **options)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--noise symmetric --rate 0.2", "webvision with symmetric noise: .* leave --noise out"),
        ("", "ILSVRC2012_img_val.tar"),
    ],
)
def test_what_is_not_to_be_had_is_one_line(train, webvision, words, message):
    code, out, err = train("--dataset", "webvision", *words.split())
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert re.search(message, err)


def test_only_what_is_trained_on_is_loaded_whole():
    with pytest.raises(
        InputError, match="unknown large dataset to train on 'webvisoin': did you mean 'webvision'"
    ):
        load_sets("webvisoin")
