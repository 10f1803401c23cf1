"""CIFAR-N: the labels that people gave to CIFAR's training images.

The released files are torch's, and so could run code: they are read only if they are the released ones, by SHA-256.
Source: Wei et al., Learning with Noisy Labels Revisited: A Study Using Real-World Human Annotations, ICLR 2022.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jal.datasets import checksum
from jal.datasets.checksum import Expected
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
SHA256 = {
    "cifar10": "873e69c39cb9b5e97fb6bae2d60bb59b38a5cbc31d2b868f7903dcb2b9dd2310",
    "cifar100": "bd2d80409754d420292d622e15e25248ba21e37d27429efac49c8da723f44394",
}
"""Of the files."""


def _variant(key: str, sha256: str) -> Expected:
    return Expected(key, (50000,), sha256)


# By dataset and variant: the key in the file, the length and the sum of the int64 labels.
HUMAN = {
    "cifar10": {
        "aggre": _variant("aggre_label", "b3c3d486d22c3055756e7b1b1a0e98b099c1d68b771633023b0f76fa2e09ede6"),
        "rand1": _variant(
            "random_label1", "b5dc9007ae247a48ce267bec37a1310b0cd65ed73801ca7e595fb954902575a7"
        ),
        "rand2": _variant(
            "random_label2", "1182c45d3a24636640fe1e3743b9566b6fabe86b2ed14f6b8216799e209a0d4e"
        ),
        "rand3": _variant(
            "random_label3", "b51e116c617ded2c98be095ba8b3abae8adfa6caa54f7f6eedf50c7aed013d44"
        ),
        "worst": _variant("worse_label", "a64d887522cf6d8f4966912a1536ea2d890600929a8465a7f307cdca2501847b"),
    },
    "cifar100": {
        "noisy": _variant("noisy_label", "4a1efd5da7a214b299cf6ac0bafe3f0d48c065b7aa2d40aa185d4711714bb311"),
    },
}

_LIMIT = 4 * 2**20
"""Bytes of the larger file, 2.4 million, and some room."""


def human_labels(
    name: str, variant: str, root: str | Path | None = None, true: ArrayLike | None = None
) -> Labels:
    """The labels that people gave to the training images of CIFAR, in torchvision's order.

    From CIFAR-10_human.pt or CIFAR-100_human.pt, in cifar-n/ below the data folder or in that folder itself; or from
    CIFAR-10_human.npz and so on, the same arrays as numpy.savez writes them. The .pt file is opened only if it is
    the released one, and the labels must be the release's, by SHA-256. Its licence is shown, once on a machine.

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
        for an unknown name or variant; for a file that is missing, unreadable, damaged or of another edition; for
        `true` labels in another order.
    """
    wanted = _expected(name, variant)
    file = FILES[name]
    npz = f"{Path(file).stem}.npz"
    path = checksum.find(root, (f"cifar-n/{file}", file, f"cifar-n/{npz}", npz))
    if path is None:
        raise InputError(
            f"{name}'s human labels need {file}: fetch {ADDRESS}/{file} ({LICENCE}; {SITE}) "
            "and put it into cifar-n/ in the folder that JAL_DATA or --data-root names"
        )
    clean, labels = (_array(name, path, key) for key in ("clean_label", wanted.file))
    checksum.check(labels, wanted.sha256, path)
    _check_order(name, clean, true)
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


def _array(name: str, path: Path, key: str) -> Labels:
    if path.suffix == ".npz":
        return checksum.from_npz(path, key, _LIMIT).astype(np.int64)
    import torch

    content = checksum.read(path, _LIMIT)
    instead = f"fetch {ADDRESS}/{path.name}, or save its arrays with numpy.savez as {path.stem}.npz there"
    checksum.check(content, SHA256[name], path, f"a pickle could run code, {instead}")
    return np.array(torch.load(BytesIO(content), weights_only=False)[key], np.int64)


def _check_order(name: str, clean: Labels, true: ArrayLike | None) -> None:
    if true is None:
        return
    labels = np.asarray(true)
    if labels.ndim != 1 or not np.array_equal(labels, clean[: len(labels)]):
        raise InputError(
            f"the true labels given, of shape {labels.shape}, are not those of {name}'s first training "
            f"images in torchvision's order: human labels would fall on other images, load {name} anew"
        )


def _show_licence() -> None:
    """Prints the notice unless a file in the cache says that it was shown; whoever makes that file prints."""
    try:
        record = checksum.cache_folder() / "licences" / "cifar-n"
        make_folder(record.parent)
        with record.open("x") as file:
            file.write(f"{NOTICE}\nshown {datetime.now(UTC).isoformat(timespec='seconds')}\n")
    except RuntimeError:
        pass  # No home, no record: it is shown each time.
    except OSError:
        if record.is_file():
            return
    print(NOTICE, file=sys.stderr, flush=True)
