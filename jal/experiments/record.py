"""Record: what one run gave, and its file.

Nine tenths of a file are its curves' digits. So that thousands of Records are read in a second, curves that are laid
out as `Record.to_json` does it are checked as text and become numbers when they are asked for. A file that is laid
out otherwise, or that has anything wrong, is read as the JSON it is: that alone says what is wrong.

A file has one line more than its Record: `digest`, the SHA-256 of all other lines as `Record.to_json` writes them. So
that a bit that flips on a disk is noticed wherever it is, without a change to what older files hold.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256

from jal.errors import InputError, unknown
from jal.experiments.schema import canonical, pack, parse, unpack
from jal.experiments.spec import RunSpec

SCHEMA = 1
"""The version of a Record's layout."""

LONGEST = 1e9
"""Seconds, some thirty years, and images a second: what goes beyond is damage, and would overflow a sum."""

NEEDED = ("commit", "device", "dirty", "processor")
"""What every `environment` says."""

_TIMING = ("images_per_second", "seconds")
_SHARES = ("memorised", "recovered")
"""Curves of shares, in per cent, like those whose name ends in accuracy."""


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
    share = r"(?:100\.0|[0-9][0-9]?+\.[0-9]++(?:e-[0-9][0-9])?+)"
    # Of a share below 1 both digits before the point would be a leading zero: it is read as JSON, and refused.
    share = rf"(?!0[0-9]){share}"

    def values(one: str) -> str:
        return rf"\[(?:{one},){{{length - 1}}}{one}\]"

    shares = rf'"(?:\w*accuracy|{"|".join(_SHARES)})":'
    curve = rf'(?:{shares}{values(share)}|(?!{shares})"\w++":{values(number)})'
    return re.compile(rf"\{{{curve}(?:,{curve})*\}}")


def _is_share(name: str) -> bool:
    return name.endswith("accuracy") or name in _SHARES


@dataclass(frozen=True)
class Part:
    """A stretch of a run that was made in one go, or in several by the same code on the same hardware.

    Attributes
    ----------
    commit, dirty
        of its code, and whether there were changes on top; "unknown" and None where its checkpoint did not say.
    device, processor, threads
        as in a Record's environment.
    seconds
        of training.
    """

    commit: str
    seconds: float
    dirty: bool | None = None
    device: str | None = None
    processor: str | None = None
    threads: int | None = None


Environment = dict[str, str | int | bool | list[Part]]


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
        device, processor, versions, commit, threads: those of the run's end. `parts`, one `Part` each, where it was
        not made by one commit on one device, as it can be that is stopped and resumed.
    timing
        `seconds` of training and `images_per_second`.
    accuracies
        of each test set, where there are several.
    artifacts
        files beside this one and their SHA-256.
    labels
        of labels that others made: where they come from, and their licence.
    rates
        the noise rate `asked` for and the one `reached`, where exact counts of too few labels fall short of it.
    left_out
        of each list of large images, what could not be used and was passed over, where that was asked for.
    """

    schema: int
    id: str
    spec: RunSpec
    accuracy: float
    curves: dict[str, list[float]] | Curves
    environment: Environment
    timing: dict[str, float]
    accuracies: dict[str, float] = field(default_factory=dict)
    artifacts: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    left_out: dict[str, list[str]] = field(default_factory=dict)

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
        self._check_ranges()

    def _check_ranges(self) -> None:
        shares = {f"accuracies.{name}": [value] for name, value in self.accuracies.items()}
        # Curves out of a file have been checked as text.
        if not isinstance(self.curves, Curves):
            shares |= {name: curve for name, curve in self.curves.items() if _is_share(name)}
        for name, values in shares.items():
            for value in (min(values, default=0), max(values, default=0)):
                if not 0 <= value <= 100:
                    raise RecordError(f"{name} has {value}, which is no share of 0 to 100 per cent")
        for name, value in self.timing.items():
            if not 0 <= value <= LONGEST:
                raise RecordError(f"timing.{name} is {value}, which is not between 0 and {LONGEST:.0e}")

    def __repr__(self) -> str:
        """Short: the curves of a long run fill screens."""
        return (
            f"Record({self.id}: {self.spec.dataset}, {self.spec.loss.name}, accuracy {self.accuracy:.2f} %)"
        )

    def has(self, artifacts: Iterable[str]) -> bool:
        """Whether the run kept all of these."""
        return all(name in self.artifacts for name in artifacts)

    def to_json(self) -> str:
        """One line for each key, sorted, so that a version-control diff can be read; `sealed` adds the digest."""
        data = pack(replace(self, curves=dict(self.curves)), where="record")
        unpack(data, Record, "record")
        return "{\n" + ",\n".join(f'"{key}": {canonical(data[key])}' for key in sorted(data)) + "\n}\n"

    @staticmethod
    def from_json(text: str) -> Record:
        """The Record that `to_json` or `sealed` wrote.

        Raises
        ------
        RecordError
            for anything else.
        """
        return read(text)[0]


def sealed(record: Record) -> str:
    """The text of a Record's file: that of `Record.to_json`, with a line of its SHA-256.

    Raises
    ------
    RecordError
        for a Record whose environment or timing lacks what every reader asks for.
    """
    check_complete(record)
    content = record.to_json()
    after = '\n"environment": '
    return content.replace(after, f'\n"digest": "{_digest(content)}",{after}', 1)


def read(text: str) -> tuple[Record, bool]:
    """The Record of a file's text, and whether the text has a digest, which then is its own.

    Raises
    ------
    RecordError
        for anything else.
    """
    content, digest = _opened(text)
    try:
        record, has_digest = _as_written(content), digest is not None
        if record is None or digest not in (None, _digest(content)):
            record, has_digest = _as_json(text)
    except RecordError:
        raise
    except (ValueError, RecursionError) as error:
        raise RecordError(str(error)) from None
    return record, has_digest


def _as_json(text: str) -> tuple[Record, bool]:
    """The Record of text in whatever layout, and whether the text has a digest."""
    data = parse(text)
    if not isinstance(data, dict) or "digest" not in data:
        return unpack(_of_this_schema(data), Record, "record"), False
    digest = data.pop("digest")
    record = unpack(_of_this_schema(data), Record, "record")
    if digest != _digest(record.to_json()):
        raise RecordError(f"its content is not what its digest {digest!r:.14}... was taken of")
    return record, True


def _of_this_schema(data: object) -> object:
    if isinstance(data, dict) and data.get("schema") != SCHEMA:
        raise RecordError(f"schema {data.get('schema')}, where this version reads {SCHEMA}")
    return data


def check_complete(record: Record) -> None:
    """
    Raises
    ------
    RecordError
        for an environment that lacks what every reader asks for, and a timing with less or more than it has.
    """
    lacking = [f"environment.{name}" for name in NEEDED if name not in record.environment]
    lacking += [f"timing.{name}" for name in _TIMING if name not in record.timing]
    if lacking:
        raise RecordError(f"record lacks {', '.join(lacking)}")
    for name in record.timing:
        if name not in _TIMING:
            raise RecordError(str(unknown("field of record.timing", name, _TIMING)))


_DIGEST = re.compile(r'\n"digest": "([0-9a-f]{64})",(?=\n)')


def _opened(text: str) -> tuple[str, str | None]:
    """The text that was sealed, and the digest that it has."""
    # Sought first: a search by the expression alone takes as long as all the rest.
    found = _DIGEST.match(text, max(0, text.find('\n"digest": "')))
    return (text[: found.start()] + text[found.end() :], found[1]) if found else (text, None)


def _digest(content: str) -> str:
    return sha256(content.encode(errors="surrogatepass")).hexdigest()


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
