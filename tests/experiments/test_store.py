"""Stores: what is put comes back, a file that is no Record is named, and a write is whole or not at all."""

import errno
import json
import os
import warnings
from dataclasses import replace

import pytest

from jal.errors import InputError
from jal.experiments import Record, Store
from jal.experiments.record import RecordError
from jal.experiments.spec import SCIENCE
from jal.experiments.store import find


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "runs")


def test_put_and_get(store, record):
    file = store.put(record)
    assert file == store.path / "digits" / f"{record.id}.json"
    assert store.get(record.spec) == store.get(record.id) == record
    assert store.records() == [record]
    assert sorted(path.name for path in file.parent.iterdir()) == [file.name]


def test_what_is_not_there(store):
    assert store.get("0" * 16) is None
    assert store.records() == []


def test_the_file_is_readable(store, record):
    data = json.loads(store.put(record).read_text())
    assert set(data) == {"schema", "id", "spec", "accuracy", "curves", "environment", "timing"}
    assert data["schema"] == 1
    assert data["accuracy"] == data["curves"]["test_accuracy"][-1]


def test_other_test_sets_and_artifacts_round_trip(store, record):
    more = replace(record, accuracies={"ILSVRC12": 1.5}, artifacts={"features.safetensors": "ab" * 32})
    assert Record.from_json(more.to_json()) == more


def test_a_second_write_replaces_the_first(store, record):
    store.put(record)
    later = replace(record, timing={"seconds": 9.0, "images_per_second": 1.0})
    store.put(later)
    assert store.records() == [later]


@pytest.mark.parametrize("stage", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_record_and_nothing_else(store, record, monkeypatch, stage):
    file = store.put(record)

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, stage, full)
    with pytest.raises(InputError, match=r"cannot write to the folder .* \(No space left on device\)"):
        store.put(replace(record, timing={}))
    monkeypatch.undo()
    assert store.get(record.id) == record
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_an_unwritable_folder_is_an_error_before_the_run(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        InputError, match=r"cannot write to the folder .*file/runs \(Not a directory\)"
    ) as error:
        Store(tmp_path / "file" / "runs").prepare()
    assert "\n" not in str(error.value)


def test_prepare_leaves_nothing_behind(store):
    store.prepare()
    assert list(store.path.iterdir()) == []


def change(**keys):
    return lambda text: json.dumps(json.loads(text) | keys)


DAMAGE = {
    "cut": (lambda text: text[: len(text) // 2], "is not a valid Record"),
    "empty": (lambda text: "", "is not a valid Record"),
    "no object": (lambda text: "[1]", "is not a valid Record"),
    "bytes": (lambda text: "\udcff", "cannot be read"),
    "older schema": (change(schema=0), "schema 0, where this version reads 1"),
    "unknown key": (change(extra=1), "unknown field of record 'extra'"),
    "another id": (change(id="0" * 16), "where its spec gives"),
    "another accuracy": (change(accuracy=12.5), "not the curve's last value"),
    "short curve": (change(curves={"test_accuracy": [1.0]}), "1 values of test_accuracy for 2 epochs"),
    "no curve": (change(curves={}), "no curve of test_accuracy"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_record_is_named_in_one_line_and_left_out(store, record, damage):
    harm, message = DAMAGE[damage]
    file = store.put(record)
    file.write_bytes(harm(file.read_text()).encode(errors="surrogateescape"))
    with pytest.raises(RecordError, match=message) as error:
        store.get(record.spec)
    assert str(file) in str(error.value) and "\n" not in str(error.value)
    complaints = []
    assert store.records(complaints.append) == []
    assert complaints == [str(error.value)]
    with pytest.warns(UserWarning, match=message):
        store.records()


def test_a_record_under_another_name_is_refused(store, record):
    file = store.put(record)
    file.rename(file.with_name("0123456789abcdef.json"))
    with pytest.raises(RecordError, match=f"holds the Record {record.id}: rename it"):
        store.get("0123456789abcdef")


def test_records_of_other_numbers_are_named_and_left_out(store, record):
    store.put(record)
    spec = replace(record.spec, science=SCIENCE + 1)
    store.put(replace(record, spec=spec, id=spec.id))
    complaints = []
    assert store.records(complaints.append) == [record]
    assert len(complaints) == 1 and f"science {SCIENCE + 1}" in complaints[0] and spec.id in complaints[0]


def test_several_stores_say_which(tmp_path, record):
    first, second = Store(tmp_path / "runs"), Store(tmp_path / "results")
    assert find(record.spec, [first, second]) is None
    second.put(record)
    assert find(record.spec, [first, second]) == (record, second)
    first.put(record)
    assert find(record.id, [first, second]) == (record, first)


def test_a_record_that_is_none_is_not_written(store, record):
    with pytest.raises(InputError, match=r"timing\.seconds is nan"):
        store.put(replace(record, timing={"seconds": float("nan")}))
    assert store.records() == []


def test_reading_is_quiet(store, record):
    store.put(record)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert store.records() == [record]
