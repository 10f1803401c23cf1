"""Record: what one run gave, and its file.

Nine tenths of a file are its curves' digits. So that thousands of Records are read in a second, curves that are laid
out as `Record.to_json` does it are checked as text and become numbers when they are asked for. A file that is laid
out otherwise, or that has anything wrong, is read as the JSON it is: that alone says what is wrong.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from jal.errors import InputError
from jal.experiments.schema import canonical, pack, parse, unpack
from jal.experiments.spec import RunSpec

SCHEMA = 1
"""The version of a Record's layout."""


class RecordError(InputError):
    """A file that should hold a Record and does not: one line with the file and what is wrong."""


class Curves(Mapping[str, list[float]]):
    """Curves out of a Record's file: all are checked at once, each is read when it is first asked for.

    Parameters
    ----------
    text
        curves as `Record.to_json` writes them.
    length
        of each: the number of epochs.

    Raises
    ------
    ValueError, OverflowError
        for any other text, even if it is curves all the same.
    """

    def __init__(self, text: str, length: int) -> None:
        texts = _CURVE.findall(text)
        self.length, self._texts = length, dict(texts)
        self._read: dict[str, list[float]] = {}
        if not _curves(length).fullmatch(text) or len(self._texts) < len(texts):
            raise ValueError(f"not curves of {length} values each, or not as a Record's file has them")

    def __getitem__(self, name: str) -> list[float]:
        if name not in self._read:
            self._read[name] = [float(value) for value in self._texts[name].split(",")]
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        return name in self._texts

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)

    def __repr__(self) -> str:
        return repr(dict(self))

    def last(self, name: str) -> float:
        """A curve's last value; the others are not read."""
        return float(self._texts[name].rpartition(",")[2])


_CURVE = re.compile(r'"(\w+)":\[([^]]*)\]')


@cache
def _curves(length: int) -> re.Pattern[str]:
    # Finite numbers alone, and nearly all of them as `repr` writes them: 1e16 and 1e-100 are read as JSON.
    number = r"-?+(?:0|[1-9][0-9]{0,15}+)\.[0-9]++(?:e-[0-9][0-9])?+"
    curve = rf'"\w++":\[(?:{number},){{{length - 1}}}{number}\]'
    return re.compile(rf"\{{{curve}(?:,{curve})*\}}")


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
    curves: dict[str, list[float]] | Curves
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
        if isinstance(self.curves, Curves):
            lengths, last = dict.fromkeys(self.curves, self.curves.length), self.curves.last("test_accuracy")
        else:
            lengths = {name: len(curve) for name, curve in self.curves.items()}
            last = next(reversed(self.curves["test_accuracy"]), math.nan)
        for name, length in lengths.items():
            if length != self.spec.recipe.epochs:
                raise RecordError(f"{length} values of {name} for {self.spec.recipe.epochs} epochs")
        if last != self.accuracy:
            raise RecordError(f"accuracy {self.accuracy}, which is not the curve's last value")

    def __repr__(self) -> str:
        """Short: the curves of a long run fill screens."""
        return (
            f"Record({self.id}: {self.spec.dataset}, {self.spec.loss.name}, accuracy {self.accuracy:.2f} %)"
        )

    def has(self, artifacts: Iterable[str]) -> bool:
        """Whether the run kept all of these."""
        return all(name in self.artifacts for name in artifacts)

    def to_json(self) -> str:
        """One line for each key, sorted, so that a version-control diff can be read."""
        data = pack(replace(self, curves=dict(self.curves)), where="record")
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
            record = _as_written(text)
            if record is not None:
                return record
            data = parse(text)
            if isinstance(data, dict) and data.get("schema") != SCHEMA:
                raise RecordError(f"schema {data.get('schema')}, where this version reads {SCHEMA}")
            return unpack(data, Record, "record")
        except RecordError:
            raise
        except (ValueError, RecursionError) as error:
            raise RecordError(str(error)) from None


_LINES = re.compile(r'(\{\n(?:.*\n)*?"curves": )(\{.*\})(,\n(?:.*\n)*?"spec": )(\{.*\})((?s:.*))')


def _as_written(text: str) -> Record | None:
    """The Record of text that `to_json` wrote; None for any other text, which may hold one too."""
    lines = _LINES.fullmatch(text)
    if lines is None:
        return None
    before, curves, between, spec, after = lines.groups()
    try:
        data = parse(f"{before}null{between}null{after}")
        # What was cut out must be the Record's own curves and spec, not something deeper of that name.
        if data.get("curves", "") is not None or data.get("spec", "") is not None:
            return None
        data["spec"] = RunSpec.from_json(spec)
        data["curves"] = Curves(curves, data["spec"].recipe.epochs)
        return unpack(data, Record, "record")
    except (ValueError, OverflowError, RecursionError):
        return None
