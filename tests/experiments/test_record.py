"""Records: however their text is read, the same Record or the same error comes out."""

import copy
import hashlib
import json
import pickle
import random
import re
from dataclasses import replace

import pytest

from jal.experiments import Record
from jal.experiments.record import Curves, RecordError, sealed
from jal.experiments.schema import parse, unpack

ODD = [
    1e-05,
    -2.5e-10,
    0.0,
    -0.0,
    97.51011908569747,
    9999999999999998.0,
    1e16,
    5e-324,
    -1.7976931348623157e308,
]


def as_json(text):
    """The Record of any JSON, read without regard to its layout."""
    return unpack(parse(text), Record, "record")


def with_values(record, values):
    """The same run for as many epochs as there are values, with one more curve of them."""
    spec = replace(record.spec, recipe=replace(record.spec.recipe, epochs=len(values)))
    curves = {"test_accuracy": [50.0] * len(values), "train_loss": values}
    return replace(record, id=spec.id, spec=spec, accuracy=50.0, curves=curves)


def test_a_written_record_is_read_as_text_and_equals_itself(record):
    again = Record.from_json(record.to_json())
    assert isinstance(again.curves, Curves)
    assert again == record == as_json(record.to_json()) and record == again
    assert again.to_json() == record.to_json()


def test_curves_are_a_mapping_of_lists(record):
    curves = Record.from_json(record.to_json()).curves
    assert list(curves) == list(curves.keys()) == sorted(record.curves) and len(curves) == len(record.curves)
    assert "test_accuracy" in curves and "recall" not in curves
    assert dict(curves) == record.curves == curves and repr(curves) == repr(dict(curves))
    assert type(curves["test_accuracy"]) is list and curves["test_accuracy"] is curves["test_accuracy"]
    assert curves["test_accuracy"][-1] == curves.last("test_accuracy") == record.accuracy
    assert curves.get("recall") is None
    with pytest.raises(KeyError, match="recall"):
        curves["recall"]


@pytest.mark.parametrize("again", [copy.deepcopy, lambda record: pickle.loads(pickle.dumps(record)), replace])
@pytest.mark.parametrize("asked", [False, True])
def test_read_records_can_be_copied_and_sent(record, again, asked):
    read = Record.from_json(record.to_json())
    if asked:
        list(read.curves.values())
    assert again(read) == record and again(read).to_json() == record.to_json()


def test_what_is_replaced_in_a_read_record_is_checked(record):
    read = Record.from_json(record.to_json())
    longer = replace(read.spec, recipe=replace(read.spec.recipe, epochs=3))
    with pytest.raises(RecordError, match="not the curve's last value"):
        replace(read, accuracy=0.5)
    with pytest.raises(RecordError, match=r"2 values of .* for 3 epochs"):
        replace(read, spec=longer, id=longer.id)
    with pytest.raises(RecordError, match="0 values of test_accuracy for 2 epochs"):
        replace(read, curves={"test_accuracy": []})


@pytest.mark.parametrize("values", [[value] for value in ODD] + [ODD, [0.1]])
def test_every_finite_number_comes_back(record, values):
    made = with_values(record, values)
    again = Record.from_json(made.to_json())
    assert again == made and again.to_json() == made.to_json()


LAYOUTS = {
    "indented": lambda text: json.dumps(json.loads(text), indent=2),
    "a line each": lambda text: json.dumps(json.loads(text), indent=0),
    "one line": lambda text: json.dumps(json.loads(text)),
    "other order": lambda text: json.dumps(dict(reversed(json.loads(text).items()))),
    "lines in other order": lambda text: "{\n" + ",\n".join(reversed(text[2:-3].split(",\n"))) + "\n}\n",
    "two keys a line": lambda text: text.replace(',\n"timing"', ', "timing"'),
    "lines of another system": lambda text: text.replace("\n", "\r\n"),
    "spaces": lambda text: text.replace(",", " , "),
    "integers": lambda text: re.sub(r"(?<=[\[,:])(\d+)\.0(?=[,\]}])", r"\1", text),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_another_layout_is_the_same_record(record, layout):
    text = LAYOUTS[layout](record.to_json())
    assert text != record.to_json() and json.loads(text) == json.loads(record.to_json())
    assert Record.from_json(text) == record
    assert Record.from_json(text).to_json() == record.to_json()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_digest_is_of_what_is_said_not_of_its_layout(record, layout):
    text = LAYOUTS[layout](sealed(record))
    assert Record.from_json(text) == record
    with pytest.raises(RecordError, match="its content is not what its digest '"):
        Record.from_json(text.replace(record.environment["torch"], "1.0"))


def test_a_digest_is_that_of_the_other_lines(record):
    lines = sealed(record).splitlines(keepends=True)
    (digest,) = (line for line in lines if line.startswith('"digest": '))
    rest = "".join(line for line in lines if line != digest)
    assert rest == record.to_json()
    assert digest == f'"digest": "{hashlib.sha256(rest.encode()).hexdigest()}",\n'


@pytest.mark.parametrize("wrong", ["null", "1", '""', '"' + "0" * 64 + '"', '["a"]'])
def test_a_digest_that_is_none_is_refused(record, wrong):
    text = re.sub('(?<="digest": ).*(?=,\n)', wrong, sealed(record))
    with pytest.raises(RecordError, match="its content is not what its digest"):
        Record.from_json(text)


def outcome(read, text):
    try:
        return read(text)
    except (ValueError, RecursionError):
        return None


def test_any_damage_is_found_whichever_way_a_record_is_read(record):
    """A character changed, lost or doubled: the quick way finds a Record where the slow one does, the same one."""
    record = with_values(record, [12.5, 0.03125, -1e-05, 100.0])
    text, draw = record.to_json(), random.Random(0)
    read = 0
    for _ in range(4000):
        at = draw.randrange(len(text))
        new = draw.choice(["", text[at] * 2, draw.choice('0123456789.-+eE,[]{}":\n ax')])
        harmed = text[:at] + new + text[at + 1 :]
        slow, quick = outcome(as_json, harmed), outcome(Record.from_json, harmed)
        assert quick == slow, harmed
        if quick is not None:
            read += 1
            assert quick.to_json() == slow.to_json() and dict(quick.curves) == dict(slow.curves)
    assert 100 < read < 2000


@pytest.mark.parametrize("outer", ["labels", "spec", "curves"])
@pytest.mark.parametrize("deeper", [{"curves"}, {"spec"}, {"curves", "spec"}])
@pytest.mark.parametrize("left_out", [set(), {"curves"}, {"spec"}, {"curves", "spec"}])
def test_curves_and_spec_of_something_deeper_are_not_the_records(record, outer, deeper, left_out):
    lines = {line.split('"')[1]: line.removesuffix(",") for line in record.to_json().splitlines()[1:-1]}
    inner = f'"{outer}": {{\n' + ",\n".join(
        ['"x": ""', *(lines[name] for name in sorted(deeper)), '"y": ""\n}']
    )
    rest = [line for name, line in lines.items() if name not in left_out | {outer}]
    for order in ([inner, *rest], [*rest, inner]):
        text = "{\n" + ",\n".join(order) + "\n}\n"
        assert json.loads(text)
        with pytest.raises(
            RecordError, match=r"lacks|labels\.\w+ is|unknown field of record\.spec|curves\.\w is ''"
        ):
            Record.from_json(text)
