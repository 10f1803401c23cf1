"""Record: what one run gave."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from jal.errors import InputError
from jal.experiments.schema import canonical, pack, unpack
from jal.experiments.spec import RunSpec

SCHEMA = 1
"""The version of a Record's layout."""


class RecordError(InputError):
    """A file that should hold a Record and does not: one line with the file and what is wrong."""


@dataclass(frozen=True)
class Record:
    """What one run gave. Two equal runs differ in `environment` and `timing` alone.

    Attributes
    ----------
    schema, id
        the layout's version, and the spec's id.
    spec
        what was run.
    accuracy
        on the main test set after the last epoch, per cent.
    curves
        one list a quantity, one value an epoch: see `jal.training.loop.train`.
    environment
        device, processor, versions, commit, threads.
    timing
        `seconds` of training and `images_per_second`.
    accuracies
        of each test set, where there are several.
    artifacts
        files beside this one and their SHA-256.
    labels
        of labels that others made: where they come from, and their licence.
    """

    schema: int
    id: str
    spec: RunSpec
    accuracy: float
    curves: dict[str, list[float]]
    environment: dict[str, str | int | bool]
    timing: dict[str, float]
    accuracies: dict[str, float] = field(default_factory=dict)
    artifacts: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.schema != SCHEMA:
            raise RecordError(f"schema {self.schema}, where this version reads {SCHEMA}")
        if self.id != self.spec.id:
            raise RecordError(f"id {self.id}, where its spec gives {self.spec.id}")
        if "test_accuracy" not in self.curves:
            raise RecordError("no curve of test_accuracy")
        for name, curve in self.curves.items():
            if len(curve) != self.spec.recipe.epochs:
                raise RecordError(f"{len(curve)} values of {name} for {self.spec.recipe.epochs} epochs")
        if self.curves["test_accuracy"][-1] != self.accuracy:
            raise RecordError(f"accuracy {self.accuracy}, which is not the curve's last value")

    def to_json(self) -> str:
        """One line for each key, sorted, so that a version-control diff can be read."""
        data = pack(self, where="record")
        unpack(data, Record, "record")
        return "{\n" + ",\n".join(f'"{key}": {canonical(data[key])}' for key in sorted(data)) + "\n}\n"

    @staticmethod
    def from_json(text: str) -> Record:
        """The Record that `to_json` wrote.

        Raises
        ------
        RecordError
            for anything else.
        """
        try:
            data = json.loads(text)
            if isinstance(data, dict) and data.get("schema") != SCHEMA:
                raise RecordError(f"schema {data.get('schema')}, where this version reads {SCHEMA}")
            return unpack(data, Record, "record")
        except RecordError:
            raise
        except ValueError as error:
            raise RecordError(str(error)) from None
