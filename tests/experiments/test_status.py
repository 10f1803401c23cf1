"""The state of a grid, for people and for programs."""

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from jal import locks
from jal.errors import InputError
from jal.experiments import Store, grids
from jal.experiments.failures import Failures
from jal.experiments.record import Record
from jal.experiments.status import CellStatus, Counts, Status, status

GRID = grids.get("digits")
SCHEMA = json.loads((Path(grids.__file__).parents[1] / "status.schema.json").read_text(encoding="utf-8"))


@pytest.fixture
def put(record):
    """Keeps a Record of a spec, with an accuracy and a time."""

    def write(store, spec, accuracy=50.0, seconds=8.0, **environment):
        curves = {"test_accuracy": [accuracy] * spec.recipe.epochs}
        timing = {"seconds": seconds, "images_per_second": 1.0}
        environment = record.environment | environment
        store.put(Record(1, spec.id, spec, accuracy, curves, environment, timing))

    return write


def cell(state, row, column):
    (found,) = [each for each in state.cells if (each.row, each.column) == (row, column)]
    return found


def test_nothing_yet(tmp_path):
    state = status(GRID, [Store(tmp_path)])
    assert state.counts == Counts(runs=84, done=0, running=0, failed=0, missing=84)
    assert (state.seconds_left, state.hardware, state.failures) == (None, None, {})
    assert str(state).endswith("0 of 84 runs done")


def test_each_cell_and_the_whole(tmp_path, put):
    here, there = Store(tmp_path / "runs"), Store(tmp_path / "results")
    jal, ce = GRID.runs(("JAL-CE", "symmetric 0.4")), GRID.runs(("CE", "symmetric 0.6"))
    put(here, jal[0], 80.0)
    put(there, jal[0], 80.0)  # one run, in two stores
    put(there, jal[1], 81.0)
    failures = Failures(here.path)
    failures.note(jal[2].id, "not finite", "0123")
    failures.note(jal[0].id, "done since", "0123")
    lock = locks.acquire(here.lock(ce[0].id))
    for spec in GRID.runs(("MAE", "asymmetric 0.4")):
        put(here, spec, 90.0)
    state = status(GRID, [here, there])
    locks.release(lock)
    assert state.found == {str(here.path): 4, str(there.path): 1}
    assert f"\ndone: 4 in {here.path}, 1 in {there.path}\n" in str(state)
    assert cell(state, "JAL-CE", "symmetric 0.4").counts == Counts(3, 2, 0, 1, 0)
    assert cell(state, "JAL-CE", "symmetric 0.4").accuracy == 80.5
    assert cell(state, "JAL-CE", "symmetric 0.4").std == pytest.approx(0.5**0.5)
    assert cell(state, "CE", "symmetric 0.6").counts == Counts(3, 0, 1, 0, 2)
    assert cell(state, "CE", "symmetric 0.6").accuracy is None
    assert cell(state, "MAE", "asymmetric 0.4").std == 0
    assert state.counts == Counts(runs=84, done=5, running=1, failed=1, missing=77)
    assert state.failures == {jal[2].id: "not finite"}
    assert state.seconds_left == 78 * 8.0
    lines = str(state).splitlines()
    assert lines[2].split() == ["symmetric", "asymmetric"]
    assert lines[3].split() == ["0.4", "0.6", "0.3", "0.4"]
    assert lines[2].index("asymmetric") == lines[3].index("0.3")
    assert [line.split("  ")[0] for line in lines[4:11]] == list(GRID.rows)
    assert "80.50 2/3 !" in lines[9] and "- *" in lines[4] and lines[5].endswith("90.00")
    assert lines[-1] == (
        f"5 of 84 runs done, 1 running, 1 failed, 10 min 24 s left at one run at a time on {state.hardware}"
    )


def test_one_seed_and_columns_without_kinds(tmp_path, put):
    grid = replace(GRID, columns=("worst",), cells={("CE", "worst"): GRID.cells["CE", "symmetric 0.4"]})
    put(Store(tmp_path), grid.runs(("CE", "worst"), [7])[0], 12.345)
    state = status(grid, [Store(tmp_path)], seeds=[7])
    assert state.counts == Counts(1, 1, 0, 0, 0)
    assert cell(state, "CE", "worst").std is None
    assert str(state).splitlines()[2:5] == ["         worst", "CE       12.35", "MAE"]
    assert state.seconds_left == 0


def test_the_time_left_is_that_of_the_latest_hardware(tmp_path, put):
    store = Store(tmp_path)
    first, second, *_ = GRID.specs()
    put(store, first, seconds=100.0, device="cpu", processor="slow", finished="2026-01-01T00:00:00+00:00")
    put(store, second, seconds=1.0, device="fast", finished="2026-01-02T00:00:00+00:00")
    state = status(GRID, [store])
    assert (state.seconds_left, state.hardware) == (82.0, "fast")


def test_the_json_is_whole_and_checked(tmp_path, put):
    store = Store(tmp_path)
    put(store, GRID.specs()[0], 12.5)
    state = status(GRID, [store])
    data = json.loads(state.to_json())
    assert list(data) == list(Status.__dataclass_fields__)
    assert data["schema"] == 1 and data["grid"] == "digits" and data["seeds"] == [123, 124, 125]
    assert data["cells"][0] == {
        "row": "CE",
        "column": "symmetric 0.4",
        "counts": {"runs": 3, "done": 1, "running": 0, "failed": 0, "missing": 2},
        "accuracy": 12.5,
        "std": None,
    }
    assert Status.from_json(state.to_json()) == state
    with pytest.raises(InputError, match=r"status\.counts lacks missing"):
        Status.from_json(state.to_json().replace('"missing"', '"done"', 1))
    with pytest.raises(InputError, match="must be JSON"):
        Status.from_json("{")


def test_a_damaged_record_is_missing_and_named(tmp_path, put):
    store, spec = Store(tmp_path), GRID.specs()[0]
    put(store, spec)
    store.file(spec).write_text("{")
    with pytest.warns(UserWarning, match=f"{spec.id}.json is not a valid Record"):
        assert status(GRID, [store]).counts.done == 0


def test_columns_share_a_heading_that_has_room(tmp_path):
    wide = replace(
        GRID, columns=("the recipe", "learning rate / 3", "learning rate x 3", "width x 2"), cells={}
    )
    assert str(status(wide, [Store(tmp_path)])).splitlines()[2:5] == [
        "                     learning rate",
        "         the recipe  / 3  x 3       width x 2",
        "CE",
    ]


def test_the_first_failures_are_named(tmp_path):
    failures = Failures(tmp_path)
    for spec in GRID.specs()[:7]:
        failures.note(spec.id, "not finite", "0123")
    state = status(GRID, [Store(tmp_path)])
    lines = [line for line in str(state).splitlines() if line.endswith("failed: not finite")]
    assert len(lines) == 5 and len(state.failures) == 7
    assert lines[0].split()[0] in state.failures


@pytest.mark.parametrize("name", ["table3-cifar10", "ranking", "table6"])
def test_the_json_is_as_the_published_schema_says(tmp_path, put, name):
    Draft202012Validator.check_schema(SCHEMA)
    validator = Draft202012Validator(SCHEMA)
    grid, store = grids.get(name), Store(tmp_path)
    validator.validate(json.loads(status(grid, [store]).to_json()))
    first, second, third, *_ = grid.specs()
    put(store, first, 12.5)
    put(store, second, 12.5)
    failures = Failures(tmp_path)
    failures.note(third.id, "not finite", "0123")
    data = json.loads(status(grid, [store]).to_json())
    validator.validate(data)
    for damage in (
        {"schema": 2},
        {"cells": [data["cells"][0] | {"accuracy": 101}]},
        {"failures": {"no id": "not finite"}},
        {"seconds_left": "soon"},
        {"extra": 1},
    ):
        assert not validator.is_valid(data | damage)
    for key in data:
        assert not validator.is_valid({other: data[other] for other in data if other != key})


@pytest.mark.parametrize(
    ("cls", "part"),
    [(Status, SCHEMA), (CellStatus, SCHEMA["$defs"]["cell"]), (Counts, SCHEMA["$defs"]["counts"])],
)
def test_the_published_schema_has_the_fields_of_the_class(cls, part):
    names = {field.name for field in fields(cls)}
    assert set(part["properties"]) == set(part["required"]) == names
