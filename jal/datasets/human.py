"""CIFAR-N: the labels that people gave to CIFAR's training images.

The released files are torch's: zip archives around one pickle of numpy arrays, which `safe_pickle` reads without
torch and without running anything of theirs.
Source: Wei et al., Learning with Noisy Labels Revisited: A Study Using Real-World Human Annotations, ICLR 2022.
"""

from __future__ import annotations

import hashlib
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jal.datasets import bounded, known, safe_pickle, verified
from jal.datasets.verified import AGAIN, Expected
from jal.errors import InputError, unknown
from jal.files import make_folder

Labels = NDArray[np.int64]

SITE = "http://noisylabels.com"
ADDRESS = "https://github.com/UCSC-REAL/cifar-10-100n/raw/main/data"
"""The folder of the released files."""
LICENCE = "CC BY-NC 4.0"
CITATION = (
    "Wei, Zhu, Cheng, Liu, Niu and Liu, Learning with Noisy Labels Revisited: "
    "A Study Using Real-World Human Annotations, ICLR 2022"
)
NOTICE = f"CIFAR-N ({SITE}) is licensed {LICENCE}: not for commercial use; cite {CITATION}"

FILES = {"cifar10": "CIFAR-10_human.pt", "cifar100": "CIFAR-100_human.pt"}
# By dataset and variant: the key in the file, the length and the sum.
HUMAN = {
    "cifar10": {
        "aggre": Expected(
            "aggre_label", (50000,), "b3c3d486d22c3055756e7b1b1a0e98b099c1d68b771633023b0f76fa2e09ede6"
        ),
        "rand1": Expected(
            "random_label1", (50000,), "b5dc9007ae247a48ce267bec37a1310b0cd65ed73801ca7e595fb954902575a7"
        ),
        "rand2": Expected(
            "random_label2", (50000,), "1182c45d3a24636640fe1e3743b9566b6fabe86b2ed14f6b8216799e209a0d4e"
        ),
        "rand3": Expected(
            "random_label3", (50000,), "b51e116c617ded2c98be095ba8b3abae8adfa6caa54f7f6eedf50c7aed013d44"
        ),
        "worst": Expected(
            "worse_label", (50000,), "a64d887522cf6d8f4966912a1536ea2d890600929a8465a7f307cdca2501847b"
        ),
    },
    "cifar100": {
        "noisy": Expected(
            "noisy_label", (50000,), "4a1efd5da7a214b299cf6ac0bafe3f0d48c065b7aa2d40aa185d4711714bb311"
        ),
    },
}

_LIMIT = 4 * 2**20
"""Bytes of the larger file, 2.4 million, and some room."""


def human_labels(
    name: str, variant: str, root: str | Path | None = None, true: ArrayLike | None = None
) -> Labels:
    """The labels that people gave to the training images of CIFAR, in torchvision's order.

    From CIFAR-10_human.pt or CIFAR-100_human.pt, in cifar-n/ below the data folder or in that folder itself. The
    file is checked each time: its own true labels must be torchvision's, in that order, and the noisy ones the
    release's, by SHA-256. Its licence is shown, once on a machine.

    Parameters
    ----------
    name
        "cifar10" or "cifar100".
    variant
        of CIFAR-10N "aggre" (the majority of three people, and in the 3,041 images where all three differ the label
        that comes first in a fixed order of classes; 9.01 per cent are wrong), "rand1", "rand2", "rand3" (one of the
        three; 17.234, 18.122, 17.64) or "worst" (the last wrong one of the three, if there is one; 40.208); of
        CIFAR-100N "noisy" (40.2).
    root
        the data folder; the environment variable JAL_DATA if left out.
    true
        (n,) the true labels of the first n training images, as the caller holds them: refused where they are not
        the file's, and so in another order.

    Returns
    -------
    (50000,) int64

    Raises
    ------
    InputError
        for an unknown name or variant; for a file that is missing, unreadable, damaged, of another edition, or
        that asks to run code; for `true` labels in another order.
    """
    wanted = _expected(name, variant)
    file = FILES[name]
    path = bounded.find(root, (f"cifar-n/{file}", file))
    if path is None:
        raise InputError(
            f"{name}'s human labels need {file}: fetch {ADDRESS}/{file} ({LICENCE}; {SITE}) "
            "and put it into cifar-n/ in the folder that JAL_DATA or --data-root names"
        )
    pickled = bounded.member(bounded.read(path, _LIMIT), "/data.pkl", _LIMIT, path)
    content = safe_pickle.loads(pickled, path)
    clean, labels = (_array(content, key, path) for key in ("clean_label", wanted.file))
    _check_order(name, clean, true, path)
    verified.check(labels, wanted, path)
    _show_licence()
    return labels


def human_source(name: str, variant: str) -> dict[str, str]:
    """Where human labels come from, for a Record or a file of labels: no file is needed.

    Returns
    -------
    "source", "licence", "citation", and "sha256" of the int64 labels, little-endian.

    Raises
    ------
    InputError
        for an unknown name or variant.
    """
    expected = _expected(name, variant)
    return {
        "source": f"{ADDRESS}/{FILES[name]}, {expected.file}",
        "licence": LICENCE,
        "citation": CITATION,
        "sha256": expected.sha256,
    }


def _expected(name: str, variant: str) -> Expected:
    if name not in HUMAN:
        raise unknown("dataset with human labels", name, HUMAN)
    if variant not in HUMAN[name]:
        raise unknown(f"variant of {name}'s human labels", variant, HUMAN[name])
    return HUMAN[name][variant]


def _array(content: object, key: str, path: Path) -> Labels:
    array = content.get(key) if isinstance(content, dict) else None
    if not isinstance(array, np.ndarray) or array.dtype != np.int64 or array.shape != (50000,):
        raise InputError(f"{path} has no 50000 integers under {key}: {AGAIN}")
    return array.copy()  # what was read may be read-only


def _check_order(name: str, clean: Labels, true: ArrayLike | None, path: Path) -> None:
    expected = {"cifar10": known.CIFAR10, "cifar100": known.CIFAR100}[name][1].sha256
    found = hashlib.sha256(clean.tobytes()).hexdigest()
    if found != expected:
        raise InputError(
            f"{path}: its clean_label is not torchvision's order (SHA-256 {found[:16]}..., "
            f"expected {expected[:16]}...): {AGAIN}"
        )
    if true is not None:
        labels = np.asarray(true)
        if labels.ndim != 1 or not np.array_equal(labels, clean[: len(labels)]):
            raise InputError(
                f"the true labels given, of shape {labels.shape}, are not those of {name}'s first training "
                f"images in torchvision's order: human labels would fall on other images, load {name} anew"
            )


def _show_licence() -> None:
    """Prints the notice unless a file in the cache says that it was shown; whoever makes that file prints."""
    try:
        record = verified.cache_folder() / "licences" / "cifar-n"
        make_folder(record.parent)
        with record.open("x") as file:
            file.write(f"{NOTICE}\nshown {datetime.now(UTC).isoformat(timespec='seconds')}\n")
    except RuntimeError:
        pass  # No home, no record: it is shown each time.
    except OSError:
        if record.is_file():
            return
    print(NOTICE, file=sys.stderr, flush=True)
