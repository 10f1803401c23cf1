"""Noisy labels in a file that people can share: one JSON document, with where the labels come from and a checksum.

Any program that reads JSON reads it; in Python,

    import json
    labels = json.load(open("cifar10-symmetric-0.4.json"))["labels"]

The keys, all of them there and no others:

format        "jal-labels"
version       1, of this layout
dataset       name of the dataset, as in `jal.datasets.names()` or the writer's own
num_classes   K, an integer of at least 2
num_labels    N
noise         how the labels were made noisy: an object whose values are text, finite numbers, true, false or null.
              "kind" (symmetric, asymmetric, pair, instance, human, ...) is there; "variant", "rate", "method" and
              "seed" where they say something
source        where labels made by others come from, or ""
licence       on what terms they may be used, or ""
created_by    the program that wrote the file
clean_sha256  the checksum of the true labels that the noise was put on, or null: the same sum, the same order
sha256        of the labels as little-endian int64, in hexadecimal
labels        N integers in 0..K-1, in the dataset's order (torchvision's, for its datasets)
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jal import files
from jal._version import __version__
from jal.errors import InputError, unknown
from jal.noise import checks

FORMAT, VERSION = "jal-labels", 1

LARGEST = 2**24
"""Bytes that a file may have: several million labels, and no more than memory holds however it is made."""

PER_LINE = 50

Provenance = Mapping[str, str | int | float | bool | None]


@dataclass(frozen=True, eq=False)
class LabelFile:
    """What a label file holds.

    Attributes
    ----------
    dataset
        the name of the dataset that the labels are of.
    num_classes
        K.
    labels
        (N,) int64, the noisy labels, 0..K-1, in the dataset's order.
    noise
        how they were made noisy: "kind", and what else there is to say, as text, numbers, true, false or None.
    source, licence
        of labels that others made.
    clean_sha256
        `labels_sha256` of the true labels that the noise was put on.
    created_by
        the program that wrote them.

    Raises
    ------
    InputError
        for labels outside 0..K-1, or anything that the file cannot hold.
    """

    dataset: str
    num_classes: int
    labels: NDArray[np.int64]
    noise: Provenance
    source: str = ""
    licence: str = ""
    clean_sha256: str | None = None
    created_by: str = f"jal-losses {__version__}"

    def __post_init__(self) -> None:
        for name in ("dataset", "source", "licence", "created_by"):
            value = getattr(self, name)
            if not isinstance(value, str) or (name == "dataset" and not value):
                raise InputError(f"{name} is {value!r:.60}: give text")
        if self.clean_sha256 is not None and not _is_sum(self.clean_sha256):
            raise InputError(
                f"clean_sha256 is {self.clean_sha256!r:.60}: give 64 hexadecimal digits, or none"
            )
        K = checks.num_classes(self.num_classes)
        object.__setattr__(self, "num_classes", K)
        object.__setattr__(self, "labels", checks.labels(self.labels, K))
        object.__setattr__(self, "noise", _provenance(self.noise))

    @property
    def sha256(self) -> str:
        """The `labels_sha256` of the labels."""
        return labels_sha256(self.labels)

    def check_against(self, true: ArrayLike) -> None:
        """That the labels are those of a dataset with these true labels.

        Parameters
        ----------
        true
            (N,) the dataset's true labels.

        Raises
        ------
        InputError
            for another number of labels, or others than those that the noise was put on, or in another order.
        """
        clean = checks.labels(true, self.num_classes, "true labels")
        if len(clean) != len(self.labels):
            raise InputError(
                f"a file of {len(self.labels)} labels ({self.dataset!r:.60}) for {len(clean)} images: "
                "give the labels of these images"
            )
        if self.clean_sha256 not in (None, labels_sha256(clean)):
            raise InputError(
                f"the file's labels ({self.dataset!r:.60}) were made from other true labels, or in another order: "
                f"SHA-256 {self.clean_sha256:.16}..., here {labels_sha256(clean):.16}...: order the images as there"
            )


def labels_sha256(labels: ArrayLike) -> str:
    """The checksum of labels: SHA-256 of them as little-endian int64, 64 hexadecimal digits."""
    return hashlib.sha256(np.ascontiguousarray(labels, dtype="<i8").tobytes()).hexdigest()


def write_labels(path: str | Path, file: LabelFile) -> None:
    """Writes a label file, whole or not at all; the module's docstring has the format.

    Raises
    ------
    InputError
        if it cannot be written, or is larger than what `read_labels` takes.
    """
    values = file.labels.tolist()
    rows = (values[start : start + PER_LINE] for start in range(0, len(values), PER_LINE))
    head = {
        "format": FORMAT,
        "version": VERSION,
        "dataset": file.dataset,
        "num_classes": file.num_classes,
        "num_labels": len(values),
        "noise": dict(file.noise),
        "source": file.source,
        "licence": file.licence,
        "created_by": file.created_by,
        "clean_sha256": file.clean_sha256,
        "sha256": file.sha256,
    }
    lines = [f'"{key}": {json.dumps(value, allow_nan=False)},\n' for key, value in head.items()]
    text = "".join(lines) + '"labels": [\n' + ",\n".join(",".join(map(str, row)) for row in rows) + "\n]"
    content = "{\n" + text + "\n}\n"
    if len(content) > LARGEST:
        raise InputError(
            f"{len(values)} labels make {len(content)} bytes: a label file has at most {LARGEST}"
        )
    files.write(Path(path), content)


def read_labels(path: str | Path) -> LabelFile:
    """What `write_labels`, or another program that keeps to the format, has written; all of it checked.

    Raises
    ------
    InputError
        for a file that cannot be read, is too large, cut short, not of this format and version, or whose labels are
        out of range or not those of its checksum. It says which.
    """
    path = Path(path)
    content = _content(path)
    try:
        return _parse(content)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _content(path: Path) -> bytes:
    try:
        # Neither a folder nor a pipe, which might never end or never begin.
        if not path.is_file():
            raise InputError(f"no file {path}: name one that `write_labels` wrote")
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise InputError(
            f"cannot read {path} ({error.strerror}): name a label file that you may read"
        ) from None
    if len(content) > LARGEST:
        raise InputError(f"{path} has more than {LARGEST} bytes: it is no label file")
    return content


def _parse(content: bytes) -> LabelFile:
    try:
        data = json.loads(content.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except InputError:
        raise
    except RecursionError:
        raise InputError("nested too deeply for a label file: get it anew") from None
    except ValueError as error:
        raise InputError(f"not JSON, or cut short ({error}): get it anew") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise InputError(f'no label file: it must be an object with "format": "{FORMAT}"')
    if type(data.get("version")) is not int or data["version"] != VERSION:
        raise InputError(
            f"version {data.get('version')!r:.60} of the format, where this program reads {VERSION}: update it"
        )
    known = {"format", "version", "num_labels", "sha256", *(field.name for field in fields(LabelFile))}
    for key in data:
        if key not in known:
            raise unknown("key", key[:60], known)
    if missing := sorted(known - set(data)):
        raise InputError(f"it lacks {', '.join(missing)}: get it anew")

    labels = data["labels"]
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise InputError("labels are not a list of integers: get the file anew")
    K = checks.num_classes(data["num_classes"])
    # Before they become int64, which larger ones cannot.
    outside = [label for label in labels if not 0 <= label < K]
    if outside:
        raise InputError(f"labels hold {outside[0]!r:.60}, outside 0..{K - 1}: get the file anew")
    if type(data["num_labels"]) is not int or data["num_labels"] != len(labels):
        raise InputError(
            f"{len(labels)} labels, where num_labels is {data['num_labels']!r:.60}: get the file anew"
        )
    values = {field.name: data[field.name] for field in fields(LabelFile)}
    file = LabelFile(**{**values, "labels": np.array(labels, dtype=np.int64)})
    if data["sha256"] != file.sha256:
        raise InputError(
            f"the labels have SHA-256 {file.sha256:.16}..., the file says {data['sha256']!r:.20}: "
            "they were changed, get the file anew"
        )
    return file


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise InputError(f"key {twice!r:.60} is there twice: get the file anew")
    return data


def _no_constant(name: str) -> None:
    raise InputError(f"it holds {name}: every number must be finite")


def _provenance(noise: object) -> Provenance:
    if not isinstance(noise, Mapping) or not isinstance(noise.get("kind"), str):
        raise InputError(
            f'noise is {noise!r:.60}: give a dict that says its "kind", such as {{"kind": "symmetric"}}'
        )
    plain: dict[str, str | int | float | bool | None] = {}
    for key, value in noise.items():
        single = value.item() if isinstance(value, np.generic) else value
        if not isinstance(key, str) or not isinstance(single, (str, int, float, type(None))):
            raise InputError(
                f"noise holds {key!r:.60}: {value!r:.60}, give text, a number, true, false or none"
            )
        if isinstance(single, float) and not math.isfinite(single):
            raise InputError(f"noise holds {key!r:.60}: {single}, give a finite number")
        plain[key] = single
    return plain


def _is_sum(text: object) -> bool:
    return isinstance(text, str) and len(text) == 64 and set(text) <= set("0123456789abcdef")
