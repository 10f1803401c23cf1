"""Stores: what is put comes back, a file that is no Record is named, and a write is whole or not at all."""

import errno
import hashlib
import json
import os
import random
import re
import warnings
from dataclasses import replace

import pytest

from jal import files
from jal.checkout import find_root
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
    assert set(data) == {"schema", "id", "spec", "accuracy", "curves", "digest", "environment", "timing"}
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
        store.put(replace(record, timing={"seconds": 9.0, "images_per_second": 1.0}))
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


def curve(pattern, new):
    """Changes what a pattern finds first in the values of the curve `memorised`, and nothing else in the file."""

    def harm(text):
        start = text.index('"memorised":[') + len('"memorised":')
        end = text.index("]", start) + 1
        values, n = re.subn(pattern, new, text[start:end], count=1)
        assert n == 1
        return text[:start] + values + text[end:]

    return harm


def twice(key):
    return lambda text: re.sub(rf'\n"{key}": .*\n', lambda line: line[0] + line[0][1:], text)


FIRST = r"(?<=\[)[^,]*"
NO_JSON = r"is not a valid Record \(.* line \d+ column \d+"

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
    "key of text": (change(schema="1"), "schema 1, where this version reads 1"),
    "true as a number": (change(timing={"seconds": True}), "timing.seconds is True"),
    "cut in a curve": (lambda text: text[: text.index('"memorised":[') + 17], NO_JSON),
    "cut at a line": (lambda text: text[: text.index('"spec"')], NO_JSON),
    "end cut": (lambda text: text[:-3], NO_JSON),
    "more after it": (lambda text: text + "}", NO_JSON),
    "twice the file": (lambda text: text + text, NO_JSON),
    "a list around it": (lambda text: f"[{text}]", "give Record"),
    "curves twice": (twice("curves"), "'curves' is there twice"),
    "spec twice": (twice("spec"), "'spec' is there twice"),
    "accuracy twice": (twice("accuracy"), "'accuracy' is there twice"),
    "a curve twice": (
        lambda text: text.replace('"memorised":', '"test_accuracy":'),
        "'test_accuracy' is there twice",
    ),
    "seed twice": (lambda text: text.replace('"seed":', '"seed":1,"seed":'), "'seed' is there twice"),
    "another seed": (
        lambda text: re.sub(r'"seed":\d+}\n?,\n"t', '"seed":99},\n"t', text),
        "where its spec gives",
    ),
    "epochs beyond all": (
        lambda text: text.replace('"epochs":2', '"epochs":' + "9" * 20),
        "where its spec gives",
    ),
    "no comma between lines": (lambda text: text.replace(',\n"spec"', '\n"spec"'), NO_JSON),
    "no comma in the spec": (lambda text: text.replace(',"science"', '"science"'), NO_JSON),
    "a letter": (curve(r"\d", "O"), NO_JSON),
    "a digit of another script": (curve(r"\d", "\u0663"), NO_JSON),
    "two points": (curve(r"\.", ".."), NO_JSON),
    "no digit before the point": (curve(FIRST, ".5"), NO_JSON),
    "no digit after the point": (curve(FIRST, "5."), NO_JSON),
    "leading zero": (curve(FIRST, "05.5"), NO_JSON),
    "plus sign": (curve(FIRST, "+5.5"), NO_JSON),
    "underscore": (curve(FIRST, "1_0.5"), NO_JSON),
    "no value": (curve(FIRST, ""), NO_JSON),
    "comma at the end": (curve(r"\]", ",]"), NO_JSON),
    "space in a number": (curve(r"\.", " ."), NO_JSON),
    "value too few": (curve(r",.*\]", "]"), "1 values of memorised for 2 epochs"),
    "value too many": (curve(r"\]", ",5.5]"), "3 values of memorised for 2 epochs"),
    "no values": (curve(r"\[.*\]", "[]"), "0 values of memorised for 2 epochs"),
    "NaN": (curve(FIRST, "NaN"), r"memorised\[0\] is nan: give a finite number"),
    "infinity": (curve(FIRST, "Infinity"), r"memorised\[0\] is inf"),
    "minus infinity": (curve(FIRST, "-Infinity"), r"memorised\[0\] is -inf"),
    "overflow": (curve(FIRST, "1e999"), r"memorised\[0\] is inf"),
    "overflow with a point": (curve(FIRST, "1.5e999"), r"memorised\[0\] is inf"),
    "400 digits": (curve(FIRST, "9" * 400 + ".0"), r"memorised\[0\] is inf"),
    "integer of 400 digits": (curve(FIRST, "9" * 400), r"memorised\[0\] is 9"),
    "integer of 5,000 digits": (curve(FIRST, "9" * 5000), "is not a valid Record"),
    "list in a curve": (curve(FIRST, "[5.5]"), r"memorised\[0\] is \[5\.5\]"),
    "list around a curve": (curve(r"\[.*\]", r"[\g<0>]"), r"memorised\[0\] is \["),
    "list without end": (curve(FIRST, "[" * 100_000), "is not a valid Record"),
    "number for a curve": (curve(r"\[.*\]", "5.5"), "memorised is 5.5"),
    "object in a curve": (curve(FIRST, '{"a":1.0}'), r"memorised\[0\] is {"),
    "text in a curve": (curve(FIRST, '"5.5"'), r"memorised\[0\] is '5\.5'"),
    "null in a curve": (curve(FIRST, "null"), r"memorised\[0\] is None"),
    "true in a curve": (curve(FIRST, "true"), r"memorised\[0\] is True"),
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


def flips(text, number):
    """A file with one bit changed, as often as that; half of them in the curves, of which a file has most."""
    draw, content = random.Random(0), text.encode()
    for n in range(number):
        at = draw.randrange(
            content.index(b"[") if n % 2 else 0, content.index(b"]") if n % 2 else len(content)
        )
        yield at, content[:at] + bytes([content[at] ^ 1 << draw.randrange(8)]) + content[at + 1 :]


def test_no_flipped_bit_is_used_in_silence(store, record):
    file = store.put(record)
    for at, content in flips(file.read_text(), 400):
        file.write_bytes(content)
        try:
            found = store.get(record.id)
        except RecordError as error:
            assert str(file) in str(error) and "\n" not in str(error)
        else:  # such as the e of an exponent, which may be a capital
            assert found == record, at


def test_no_flipped_bit_of_an_older_record_is_used_in_silence(store, record):
    file = store.file(record.spec)
    files.write(file, record.to_json())
    name = f"{record.spec.dataset}/{file.name}"
    assert store.get(record.id) == record, "without a list, all may be older"
    listing = store.path / "without_digest.sha256"
    listing.write_text(f"# older\n{hashlib.sha256(file.read_bytes()).hexdigest()}  {name}\n")
    assert store.records() == [record]
    for _, content in flips(record.to_json(), 200):
        file.write_bytes(content)
        with pytest.raises(RecordError, match=file.name):
            store.get(record.id)
    file.write_text(record.to_json())
    listing.write_text("# none\n")
    with pytest.raises(RecordError, match=r"has no digest and is not as .*without_digest\.sha256 has it"):
        store.get(record.id)
    store.put(record)
    assert store.records() == [record], "one with a digest needs no list"


def test_the_committed_list_is_of_those_records_that_have_no_digest():
    """After Records were made by older code: see the list's first line for what makes it."""
    results = find_root() / "data" / "results"
    older = {
        str(file.relative_to(results)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in results.glob("*/*.json")
        if re.fullmatch("[0-9a-f]{16}", file.stem) and b'\n"digest": "' not in file.read_bytes()
    }
    lines = (results / "without_digest.sha256").read_text().splitlines()
    listed = dict(reversed(line.split("  ")) for line in lines if not line.startswith("#"))
    assert listed == older
    assert list(listed) == sorted(listed)
    Store(results).records(complain=pytest.fail)


WRONG = {
    "accuracy": ({"accuracy": 953.3, "curves": {"test_accuracy": [1.0, 953.3]}}, "test_accuracy has 953.3"),
    "negative": ({"accuracy": -1.0, "curves": {"test_accuracy": [1.0, -1.0]}}, "test_accuracy has -1.0"),
    "share": ({"curves": {"memorised": [100.5, 1.0]}}, "memorised has 100.5"),
    "test set": ({"accuracies": {"ILSVRC12": 101.0}}, "accuracies.ILSVRC12 has 101.0"),
    "years": ({"timing": {"seconds": 1e308, "images_per_second": 1.0}}, "timing.seconds is 1e.308"),
    "before": ({"timing": {"seconds": -1.0, "images_per_second": 1.0}}, "timing.seconds is -1.0"),
    "no timing": ({"timing": {}}, "lacks timing.images_per_second, timing.seconds"),
    "more timing": (
        {"timing": {"seconds": 1.0, "images_per_second": 1.0, "secods": 1.0}},
        "unknown field of record.timing 'secods'",
    ),
    "no environment": (
        {"environment": {}},
        "lacks environment.commit, environment.device, environment.dirty, environment.processor",
    ),
    "surrogate": ({"environment": {"processor": "\ud800"}}, "half of a pair"),
}


@pytest.mark.parametrize("layout", ["as written", "indented"])
@pytest.mark.parametrize("wrong", WRONG)
def test_what_cannot_be_is_named_and_left_out(store, record, wrong, layout):
    """Though it has no digest that would tell."""
    keys, message = WRONG[wrong]
    data = json.loads(record.to_json())
    data |= keys | {"curves": data["curves"] | keys.get("curves", {})}
    lines = ",\n".join(f'"{key}": {json.dumps(data[key], separators=(",", ":"))}' for key in sorted(data))
    text = json.dumps(data, indent=1) if layout == "indented" else "{\n" + lines + "\n}\n"
    files.write(store.file(record.spec), text)
    complaints = []
    assert store.records(complaints.append) == []
    assert len(complaints) == 1 and re.search(message, complaints[0]) and "\n" not in complaints[0]


def test_a_bad_file_is_set_aside_and_not_deleted_when_its_record_comes(store, record):
    file = store.file(record.spec)
    for content in (b"{", b"\xff"):
        files.write(file, content)
        assert store.put(record) == file
        assert store.records() == [record]
    aside = sorted((store.path / ".aside").rglob("*.json"), key=lambda path: len(path.name))
    assert [path.read_bytes() for path in aside] == [b"{", b"\xff"]
    store.put(record)
    assert len(list((store.path / ".aside").rglob("*.json"))) == 2, "a good one was set aside"


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


def test_what_is_not_named_by_an_id_is_no_record(store, record):
    store.put(record)
    (store.path / "benchmarks").mkdir()
    (store.path / "benchmarks" / "cpu.json").write_text("{}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert store.records() == [record]
