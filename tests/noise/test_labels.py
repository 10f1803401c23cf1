import hashlib
import json
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jal.errors import InputError
from jal.noise import LabelFile, corrupt, labels_sha256, read_labels, symmetric, write_labels
from jal.noise import labels as module

TRUE = np.repeat(np.arange(10), 50)
NOISE = {"kind": "symmetric", "rate": 0.4, "method": "exact", "seed": 123, "variant": None}


def example(**changes):
    values = {
        "dataset": "cifar10",
        "num_classes": 10,
        "labels": corrupt(TRUE, symmetric(10, 0.4), 123),
        "noise": NOISE,
        "source": "made here",
        "licence": "CC0",
        "clean_sha256": labels_sha256(TRUE),
    }
    return LabelFile(**{**values, **changes})


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "labels.json"
    write_labels(path, example())
    return path


def change(path, **changes):
    """The file with other values for some keys; a value of ... takes the key away."""
    data = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in data.items() if value is not ...}))


def refuse(path, message):
    with pytest.raises(InputError, match=message) as error:
        read_labels(path)
    assert "\n" not in str(error.value) and str(path) in str(error.value)
    assert len(str(error.value)) < 400 + len(str(path))


def test_what_is_written_is_read(written):
    file, again = example(), read_labels(written)
    np.testing.assert_array_equal(again.labels, file.labels)
    assert again.labels.dtype == np.int64
    for name in (
        "dataset",
        "num_classes",
        "noise",
        "source",
        "licence",
        "clean_sha256",
        "created_by",
        "sha256",
    ):
        assert getattr(again, name) == getattr(file, name)


def test_another_program_needs_only_json(written):
    data = json.loads(written.read_text())
    assert data["labels"] == example().labels.tolist()
    assert data["sha256"] == hashlib.sha256(np.array(data["labels"]).astype("<i8").tobytes()).hexdigest()
    assert data["noise"] == NOISE and data["format"] == "jal-labels" and data["version"] == 1


def test_the_layout_that_others_rely_on(tmp_path):
    """A file of version 1, as it stays readable for good."""
    path = tmp_path / "labels.json"
    path.write_text(
        '{"format": "jal-labels", "version": 1, "dataset": "mine", "num_classes": 3, "num_labels": 4,'
        '"noise": {"kind": "human", "variant": "worst"}, "source": "", "licence": "", "created_by": "by hand",'
        '"clean_sha256": null, "sha256": "SUM", "labels": [0, 2, 1, 1]}'.replace(
            "SUM", hashlib.sha256(np.array([0, 2, 1, 1], "<i8").tobytes()).hexdigest()
        )
    )
    assert read_labels(path).labels.tolist() == [0, 2, 1, 1]


def test_equal_files_have_equal_bytes(written, tmp_path):
    write_labels(tmp_path / "again.json", read_labels(written))
    assert (tmp_path / "again.json").read_bytes() == written.read_bytes()


@pytest.mark.parametrize(("K", "names"), [(10, "cifar10"), (100, "cifar100")])
def test_cifars_labels_are_small_and_the_lines_short(tmp_path, K, names):
    labels = np.random.default_rng(0).integers(0, K, 50_000)
    write_labels(tmp_path / "labels.json", example(dataset=names, num_classes=K, labels=labels))
    content = (tmp_path / "labels.json").read_text()
    assert len(content) < 250_000
    assert max(map(len, content.splitlines())) < 200
    assert content.isascii()


# Every example waits for the disk.
@settings(max_examples=30)
@given(labels=st.lists(st.integers(0, 6), max_size=200), name=st.text(min_size=1))
def test_any_labels_and_any_text_survive(tmp_path_factory, labels, name):
    path = tmp_path_factory.mktemp("labels") / "labels.json"
    file = LabelFile(name, 7, np.array(labels, dtype=int), {"kind": name, name: 0.5} | {"kind": "x"})
    write_labels(path, file)
    again = read_labels(path)
    assert (again.dataset, again.noise) == (file.dataset, file.noise)
    np.testing.assert_array_equal(again.labels, file.labels)


def test_a_write_that_fails_leaves_the_old_file(written, monkeypatch):
    before = written.read_bytes()
    monkeypatch.setattr(module, "LARGEST", 1000)
    with pytest.raises(InputError, match="at most 1000"):
        write_labels(written, example(dataset="other"))
    assert written.read_bytes() == before
    assert [file.name for file in written.parent.iterdir()] == ["labels.json"]


def test_a_folder_that_is_a_file_is_refused(written):
    with pytest.raises(InputError, match="cannot write"):
        write_labels(written / "labels.json", example())


def test_order_and_number_are_checked_against_the_true_labels(written):
    file = read_labels(written)
    file.check_against(TRUE)
    for wrong, message in ((TRUE[:-1], "500 labels .* for 499 images"), (TRUE[::-1], "in another order")):
        with pytest.raises(InputError, match=message) as error:
            file.check_against(wrong)
        assert "\n" not in str(error.value)
    # Where the file does not know its true labels, the number alone can be checked.
    example(clean_sha256=None).check_against(TRUE[::-1])


@pytest.mark.parametrize("kept", [0, 1, 2, 40, 300, 0.5, 0.9, -3, -2])
def test_a_truncated_file_is_refused(written, kept):
    content = written.read_bytes()
    written.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    refuse(written, "not JSON, or cut short")


@settings(max_examples=60)
@given(data=st.data())
def test_no_change_of_a_byte_goes_unseen(tmp_path_factory, data):
    """Whatever the byte becomes, the labels are those of the checksum or the file is refused."""
    path = tmp_path_factory.mktemp("labels") / "labels.json"
    write_labels(path, example())
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        assert labels_sha256(read_labels(path).labels) == example().sha256
    except InputError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other"}, "no label file"),
        ({"format": ...}, "no label file"),
        ({"version": 2}, "version 2 of the format"),
        ({"version": True}, "version True"),
        ({"version": ...}, "version None"),
        ({"sha256": "0" * 64}, "they were changed"),
        ({"sha256": None}, "they were changed"),
        ({"num_labels": 499}, "500 labels, where num_labels is 499"),
        ({"num_labels": 500.0}, "500 labels, where num_labels is 500.0"),
        ({"num_labels": ...}, "lacks num_labels"),
        ({"labels": ..., "noise": ...}, "lacks labels, noise"),
        ({"extra": 1}, "unknown key 'extra'"),
        ({"x" * 10_000: 1}, "unknown key 'xxx"),
        ({"num_classes": 5}, "outside 0..4"),
        ({"num_classes": 10.0}, "10.0 classes: give their number"),
        ({"num_classes": True}, "True classes: give their number"),
        ({"num_classes": 10**4000}, "classes: give their number"),
        ({"labels": {"0": 1}}, "not a list of integers"),
        ({"labels": [0, 1.0]}, "not a list of integers"),
        ({"labels": [0, True]}, "not a list of integers"),
        ({"labels": [0, "1"]}, "not a list of integers"),
        ({"labels": [0, None]}, "not a list of integers"),
        ({"labels": [[0, 1]]}, "not a list of integers"),
        ({"labels": [0, -1]}, "labels hold -1"),
        ({"labels": [0, 10]}, "labels hold 10, outside 0..9"),
        ({"labels": [10**40]}, "labels hold 1000"),
        ({"dataset": 3}, "dataset is 3: give text"),
        ({"dataset": ""}, "dataset is ''"),
        ({"licence": None}, "licence is None: give text"),
        ({"noise": []}, r"noise is \[\]"),
        ({"noise": {"rate": 0.4}}, 'that says its "kind"'),
        ({"noise": {"kind": "pair", "rate": [0.4]}}, r"noise holds 'rate': \[0.4\]"),
        ({"noise": {"kind": "pair", "rate": {"a": 1}}}, "noise holds 'rate'"),
        ({"clean_sha256": "abc"}, "give 64 hexadecimal digits"),
        ({"clean_sha256": 3}, "give 64 hexadecimal digits"),
    ],
)
def test_a_changed_file_is_refused(written, changes, message):
    change(written, **changes)
    refuse(written, message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe{", "not JSON"),
        (b"\x80\x04}", "not JSON"),
        (b"[1, 2]", "no label file"),
        (b"null", "no label file"),
        (b'{"format": "jal-labels", "format": "jal-labels"}', "key 'format' is there twice"),
        (b'{"format": "jal-labels", "noise": {"kind": 1, "kind": 2}}', "key 'kind' is there twice"),
        (b'{"format": "jal-labels", "labels": [NaN]}', "it holds NaN"),
        (b'{"format": "jal-labels", "labels": [-Infinity]}', "it holds -Infinity"),
        (b"[" * 1_000_000, "nested too deeply"),
        (b'{"a":' * 1_000_000, "nested too deeply"),
        (b"9" * 1_000_000, "not JSON"),
        (b" " * (module.LARGEST + 1), "more than 16777216 bytes"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_no_label_file_is_refused(tmp_path, content, message):
    path = tmp_path / "labels.json"
    path.write_bytes(content)
    refuse(path, message)


def test_a_rate_too_large_for_a_float_is_refused(written):
    written.write_text(written.read_text().replace("0.4", "1e999"))
    refuse(written, "noise holds 'rate': inf")


def test_what_is_no_file_is_refused(tmp_path):
    refuse(tmp_path / "absent.json", "no file")
    refuse(tmp_path, "no file")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    refuse(tmp_path / "loop", "no file")
    os.mkfifo(tmp_path / "pipe")
    refuse(tmp_path / "pipe", "no file")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": [0, 10]}, "labels hold 10, outside 0..9"),
        ({"labels": [0.5]}, "give a list of integers"),
        ({"num_classes": 1}, "1 classes: give their number"),
        ({"dataset": ""}, "dataset is ''"),
        ({"noise": {"kind": "pair", "rate": float("nan")}}, "give a finite number"),
        ({"noise": {"kind": "pair", 3: 1}}, "noise holds 3"),
        ({"noise": {}}, 'that says its "kind"'),
    ],
)
def test_what_no_file_can_hold_is_refused_before_it_is_written(changes, message):
    with pytest.raises(InputError, match=message) as error:
        example(**changes)
    assert "\n" not in str(error.value)


def test_numpy_numbers_become_plain_ones():
    noise = {"kind": "pair", "rate": np.float32(0.5), "seed": np.int64(3), "flag": np.True_}
    assert {key: type(value) for key, value in example(noise=noise).noise.items()} == {
        "kind": str,
        "rate": float,
        "seed": int,
        "flag": bool,
    }
