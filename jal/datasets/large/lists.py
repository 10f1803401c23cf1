"""What the official lists and folders of the large datasets say: which image has which label."""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jal.datasets import checksum
from jal.datasets.images import Labels
from jal.datasets.large.known import CLOTHES, PUBLISHED, SPLITS, SYNSETS
from jal.errors import InputError, unknown

Paths = NDArray[np.bytes_]

_WEB_CLASSES = 1000
_LONGEST_PATH = 1024
_LEADS_OUT = re.compile(rb"[/\\]|[A-Za-z]:|(.*[/\\])?\.\.([/\\]|$)", re.DOTALL)
_LARGEST_LIST = 2**30
_LONGEST_LINE = 2**16
_LARGEST_KIT = 2**26
_PACKED = 15
"""The kind of a part of a MATLAB file that is compressed."""
_ELSEWHERE = (
    "extract {} there, or set JAL_DATA or --data-root to the dataset's own folder, or to the one above a folder "
    "of its name"
)


class Problem(NamedTuple):
    """Something of a split that cannot be used: of which kind, and the image, or the file:line, it is about."""

    split: str
    kind: str
    name: str


@dataclass(frozen=True)
class Listing:
    """A split as its lists have it; no image has been looked at.

    Attributes
    ----------
    name, split
        of `SPLITS`.
    base
        the folder that the paths start from.
    paths, labels
        (N,) each, in the order of the list: bytes of the file system's names, int64.
    classes
        the K classes' names, in the order of the labels.
    problems
        lines that are no part of `paths`.
    remarks
        what is odd and harms nobody.
    """

    name: str
    split: str
    base: Path
    paths: Paths
    labels: Labels
    classes: tuple[str, ...]
    problems: tuple[Problem, ...]
    remarks: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many images the list has, the unusable lines included."""
        return len(self.paths) + len(self.problems)


def check_name(name: str, splits: Iterable[str] = ()) -> None:
    """Raises InputError for a dataset that is not in `SPLITS`, or a split that it does not have."""
    if name not in SPLITS:
        raise unknown("large dataset", name, SPLITS)
    for split in splits:
        if split not in SPLITS[name]:
            raise unknown(f"split of {name}", split, SPLITS[name])


def dataset_folder(name: str, root: str | Path | None) -> Path:
    """The folder of a dataset: that of its name below `root` or $JAL_DATA, in any case of letters, else that itself.

    Raises
    ------
    InputError
        where no folder is named, or it is not there.
    """
    named = root or os.environ.get("JAL_DATA")
    if not named:
        raise InputError(
            f"{name} needs its files: set JAL_DATA or --data-root to the folder that has {name}/ in it"
        )
    folder = Path(named).expanduser()
    try:
        below = sorted(entry for entry in folder.iterdir() if entry.name.lower() == name and entry.is_dir())
    except OSError as error:
        raise InputError(
            f"{name}: no folder {folder} ({error.strerror}): set JAL_DATA or --data-root to the folder "
            f"that has {name}/ in it"
        ) from None
    return below[0] if below else folder


def read(name: str, split: str, root: str | Path | None = None) -> Listing:
    """The official list of a split.

    Raises
    ------
    InputError
        for an unknown name or split; a list or folder that is missing or empty; classes that are not the known ones.
    """
    check_name(name, (split,))
    try:
        return _READERS[name](dataset_folder(name, root), split)
    except OSError as error:
        raise InputError(
            f"{name} {split}: {error.filename} cannot be read ({error.strerror}): see to its permissions"
        ) from None


def _webvision(folder: Path, split: str) -> Listing:
    remarks = []
    synsets = folder / "info" / "synsets.txt"
    if synsets.is_file():
        _check_synsets([line.split()[0] for _, line in _lines(synsets)], synsets)
    else:
        remarks.append(f"no file {synsets}: whether the labels mean the known classes is not checked")
    file = folder / "info" / ("train_filelist_google.txt" if split == "train" else "val_filelist.txt")
    rows, bad = _pairs(
        _official(file, "WebVision's info.tar"), _WEB_CLASSES, lambda path, label: label < len(SYNSETS)
    )
    if split == "train":
        _folder(folder, ("google",), "google_resized_256.tar")
        base = folder
    else:
        base = _folder(folder, ("val_images_256", "val_images"), "val_images_256.tar")
    return _listing("webvision", split, base, rows, tuple(SYNSETS.values()), bad, remarks)


def _ilsvrc12(folder: Path, split: str) -> Listing:
    base = _folder(folder, ("val", "ILSVRC2012_img_val", "ILSVRC/Data/CLS-LOC/val"), "ILSVRC2012_img_val.tar")
    names = sorted(
        entry.name for entry in base.iterdir() if re.fullmatch(r"n\d{8}", entry.name) and entry.is_dir()
    )
    bad: list[tuple[str, str]] = []
    if names:
        _check_synsets([os.fsencode(name) for name in names], base)
        rows = [
            (os.fsencode(f"{synset}/{image}"), label)
            for label, synset in enumerate(SYNSETS)
            for image in sorted(entry.name for entry in (base / synset).iterdir())
            if image.lower().endswith((".jpeg", ".jpg"))
        ]
    else:
        rows, bad = _flat(folder)
    return _listing("ilsvrc12", split, base, rows, tuple(SYNSETS.values()), bad, [])


def _flat(folder: Path) -> tuple[list[tuple[bytes, int]], list[tuple[str, str]]]:
    """ILSVRC12's validation images in one folder: their labels are in one of three files."""
    label_of = {synset.encode(): label for label, synset in enumerate(SYNSETS)}
    rows: list[tuple[bytes, int]] = []
    bad: list[tuple[str, str]] = []
    if (file := folder / "LOC_val_solution.csv").is_file():
        for number, line in _lines(file):
            image, _, boxes = line.partition(b",")
            synset = boxes.split()[0] if boxes.split() else b""
            if re.fullmatch(rb"n\d{8}", synset):
                if synset in label_of:
                    rows.append((image.strip() + b".JPEG", label_of[synset]))
            elif number > 1:
                bad.append(("bad line", f"{file.name}:{number}"))
        return rows, bad
    truth = "ILSVRC2012_validation_ground_truth.txt"
    for kit in (folder, folder / "ILSVRC2012_devkit_t12" / "data"):
        if not (file := kit / truth).is_file():
            continue
        synset_of = _kit_synsets(file.with_name("meta.mat"))
        for number, line in _lines(file):
            synset = synset_of.get(_number(line) or 0, b"")
            if not synset:
                bad.append(("bad label", f"{file.name}:{number}"))
            elif synset in label_of:
                rows.append((b"ILSVRC2012_val_%08d.JPEG" % number, label_of[synset]))
        return rows, bad
    if (file := folder / "val.txt").is_file():
        pairs, bad = _pairs(file, _WEB_CLASSES)
        # The kit numbers the same classes otherwise: its first image has label 490, Caffe's list has 65.
        if dict(pairs).get(b"ILSVRC2012_val_00000001.JPEG", 65) != 65:
            raise InputError(
                f"{file} does not number the classes by synset id: give Caffe's val.txt, or {truth}"
            )
        return [(path, label) for path, label in pairs if label < len(SYNSETS)], bad
    raise InputError(
        f"ilsvrc12 val: {folder} has neither a folder a synset (val/n01440764) nor the labels of the images in one "
        f"folder: put LOC_val_solution.csv, the development kit ILSVRC2012_devkit_t12 or Caffe's val.txt there"
    )


def _kit_synsets(file: Path) -> dict[int, bytes]:
    try:
        loadmat = import_module("scipy.io").loadmat
    except ModuleNotFoundError:
        raise InputError(
            f"{file} needs scipy, which is not installed: pip install scipy, or give LOC_val_solution.csv or val.txt"
        ) from None
    try:
        content = _inflated(checksum.read(file, _LARGEST_KIT), _LARGEST_KIT, file)
        synsets = loadmat(BytesIO(content), squeeze_me=True, variable_names=["synsets"])["synsets"]
        pairs = zip(synsets["ILSVRC2012_ID"], synsets["WNID"], strict=True)
        return {int(number): str(synset).encode() for number, synset in pairs}
    except InputError:
        raise
    except Exception as error:  # scipy fails on a damaged file in many ways
        raise InputError(
            f"{file} is not the kit's meta.mat ({type(error).__name__}): extract it again"
        ) from None


def _clothing1m(folder: Path, split: str) -> Listing:
    lists = folder / "annotations" if (folder / "annotations").is_dir() else folder
    classes = CLOTHES
    if (file := lists / "category_names_eng.txt").is_file():
        classes = tuple(line.decode("utf-8", "replace") for _, line in _lines(file))
        if len(classes) != len(CLOTHES):
            raise InputError(
                f"{file} names {len(classes)} classes, expected {len(CLOTHES)}: extract it again"
            )
    archive = "Clothing1M's archive of annotations"
    keys = _official(lists / f"{split}_key_list.txt", archive)
    labels = _official(lists / f"{split.partition('_')[0]}_label_kv.txt", archive)
    label_of: dict[bytes, int] = {}
    wavering: set[bytes] = set()

    def noted(path: bytes, label: int) -> bool:
        if label_of.setdefault(path, label) != label:
            wavering.add(path)
        return False

    _, unread = _pairs(labels, 10**9, noted)
    rows: list[tuple[bytes, int]] = []
    bad: list[tuple[str, str]] = []
    for _, key in _lines(keys):
        label = label_of.get(key)
        if label is not None and label < len(classes) and key not in wavering:
            rows.append((key, label))
        else:
            kind = "two labels" if key in wavering else "no label" if label is None else "bad label"
            bad.append((kind, shown(key)))
    remarks = []
    if unread:
        remarks.append(f"lines that are not an image and its label: {len(unread)}, the first {unread[0][1]}")
    _folder(folder, ("images",), "Clothing1M's archives of images")
    return _listing("clothing1m", split, folder, rows, classes, bad, remarks)


_READERS: dict[str, Callable[[Path, str], Listing]] = {
    "webvision": _webvision,
    "ilsvrc12": _ilsvrc12,
    "clothing1m": _clothing1m,
}


def _listing(
    name: str,
    split: str,
    base: Path,
    rows: list[tuple[bytes, int]],
    classes: tuple[str, ...],
    bad: list[tuple[str, str]],
    remarks: list[str],
) -> Listing:
    """Leaves out paths that lead out of the folder and images with two labels; a list of nothing is refused."""
    if not rows and not bad:
        raise InputError(
            f"{name} {split}: no image of its {len(classes)} classes is listed for {base}: extract the lists again"
        )
    wavering = _with_two_labels(rows)
    usable = []
    for path, label in rows:
        if path in wavering:
            bad.append(("two labels", shown(path)))
        elif len(path) > _LONGEST_PATH or b"\0" in path:
            bad.append(("bad line", shown(path)))
        elif _LEADS_OUT.match(path):
            bad.append(("outside", shown(path)))
        else:
            usable.append((path, label))
    if again := len(usable) - len(set(usable)):
        remarks.append(f"lines that list an image once more: {again}; it counts as often as it is listed")
    if (count := len(usable) + len(bad)) != (published := PUBLISHED[name, split]):
        remarks.append(f"{published:,} images are published, the list has {count:,}")
    return Listing(
        name,
        split,
        base,
        np.array([path for path, _ in usable], dtype=np.bytes_),
        np.array([label for _, label in usable], dtype=np.int64),
        classes,
        tuple(Problem(split, kind, what) for kind, what in bad),
        tuple(remarks),
    )


def _with_two_labels(rows: list[tuple[bytes, int]]) -> set[bytes]:
    label_of = dict(rows)
    return {path for path, label in rows if label_of[path] != label} if len(label_of) < len(rows) else set()


def _check_synsets(found: list[bytes], where: Path) -> None:
    for label, (known, given) in enumerate(zip(SYNSETS, found, strict=False)):
        if given != known.encode():
            raise InputError(
                f"{where}: class {label} is {shown(given)}, expected {known} ({SYNSETS[known]}): these are not mini "
                f"WebVision's classes in the order of their synset ids, extract the official release again"
            )
    if len(found) < len(SYNSETS):
        raise InputError(
            f"{where} has {len(found)} classes, expected {len(SYNSETS)} or more: extract it again"
        )


def _official(file: Path, archive: str) -> Path:
    # A link that leads nowhere counts as there: reading it says what is wrong.
    if not os.path.lexists(file):
        raise InputError(f"no file {file}: {_ELSEWHERE.format(archive)}")
    return file


def _folder(folder: Path, names: tuple[str, ...], archive: str) -> Path:
    for name in names:
        if (folder / name).is_dir():
            return folder / name
    raise InputError(f"no folder {folder / names[0]}: {_ELSEWHERE.format(archive)}")


def _pairs(
    file: Path, classes: int, kept: Callable[[bytes, int], bool] = lambda path, label: True
) -> tuple[list[tuple[bytes, int]], list[tuple[str, str]]]:
    """The lines `path label` of a file, the path possibly with spaces; and the kind and place of its bad lines.

    Those that are not to be `kept` are never held: a list may have twenty times as many classes as are asked for.
    """
    rows, bad = [], []
    for number, line in _lines(file):
        path, *label = line.rsplit(None, 1)
        value = _number(label[0]) if label else None
        if value is None:
            bad.append(("bad line", f"{file.name}:{number}"))
        elif value < classes:
            if kept(path, value):
                rows.append((path, value))
        else:
            bad.append(("bad label", f"{file.name}:{number}"))
    return rows, bad


def _inflated(content: bytes, limit: int, file: Path) -> bytes:
    """A MATLAB file of version 5 whose parts are unpacked, so that scipy, which knows no bound, has nothing to unpack.

    Anything else is given back as it is: the older and newer versions are not packed this way.
    """
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    if order is None:
        return content
    parts, place = [content[:128]], 128
    while place + 8 <= len(content):
        kind, size = struct.unpack_from(f"{order}II", content, place)
        part, place = content[place : place + 8 + size], place + 8 + size
        parts.append(zlib.decompressobj().decompress(part[8:], limit + 1) if kind == _PACKED else part)
        limit -= len(parts[-1])
        if limit < 0:
            raise InputError(f"{file} would unpack to too many bytes: it is not the kit's, extract it again")
    return b"".join(parts)


def _number(text: bytes) -> int | None:
    return int(text) if text.isdigit() and len(text) < 10 else None


def _lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a file that are not blank, stripped, with their numbers from 1, whichever system's line ends.

    The file is never held whole, and neither it nor a line may be without end.
    """
    total = 0
    try:
        checksum.check_is_file(file)
        # In Latin-1 a byte is a letter, so that the text reader finds the ends of lines and changes nothing.
        with file.open(encoding="latin-1") as text:
            for number, line in enumerate(iter(lambda: text.readline(_LONGEST_LINE), ""), 1):
                total += len(line)
                if total > _LARGEST_LIST or (len(line) == _LONGEST_LINE and not line.endswith("\n")):
                    raise InputError(
                        f"{file} has more than {_LARGEST_LIST} bytes, or a line of {_LONGEST_LINE}: "
                        f"it is not the official list, extract it again"
                    )
                stripped = (
                    line.encode("latin-1").removeprefix(b"\xef\xbb\xbf" if number == 1 else b"").strip()
                )
                if stripped:
                    yield number, stripped
    except OSError as error:
        raise checksum.unreadable(file, error) from None


def shown(name: bytes) -> str:
    """A name from a file, fit for one line of text."""
    text = name[:200].decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
