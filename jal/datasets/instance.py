"""The fixed instance-dependent labels of the authors' release: one file a dataset and rate, the same in every trial.

Exactly rate x N positions, drawn uniformly, have another label than the true one. For instance-dependent noise of
any rate, drawn as the paper describes it, see `jal.noise.instance_dependent`.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jal.datasets import checksum
from jal.datasets.checksum import AGAIN, Expected
from jal.datasets.download import retrieve
from jal.errors import InputError, unknown

Labels = NDArray[np.int64]

_FOLDER = "datasets/data_dependent/config"
ADDRESSES = (
    f"https://raw.githubusercontent.com/cswjl/joint-asymmetric-loss/HEAD/{_FOLDER}",
    f"https://raw.githubusercontent.com/cswjl/eps-softmax/b23b43e43366327c8e7687635a235d0330c6a1a5/{_FOLDER}",
)
"""The folder of the files in the release, and in that of its authors' earlier paper, which has the same."""
LICENCE = "MIT"
CITATION = "Wang et al., Joint Asymmetric Loss for Learning with Noisy Labels, ICCV 2025"
NPZ = "official_idn_labels.npz"

RATES = (0.2, 0.4, 0.6)
SHA256 = {
    "cifar10": (
        "39b0a9bb828f4dd78ffd62bce6b46f8cde48d06d2182c9bfd05fbb65eb434128",
        "1cf737b6b466ce2387d3095132e795313af608772b258673c111f242eb28d3c0",
        "5f75c01c4b2d004a459a06ecb353d539f2122b72aad200f09bc8552e0ee09840",
    ),
    "cifar100": (
        "6ba7a95b59988d21dffb3f92263af2d9fd1fbfccb74f99873847c86c88ee0891",
        "2c48bda30517e66dcbd9a4e36be68068fadfb44f643691c340d7b061ef2ede27",
        "aa284aef872b35af5b4239dda0c41fdf5c92fa84572699687cf407e13ff7c56a",
    ),
}
"""Of the labels, by rate."""
FILES = {
    "cifar10": (
        "5e90711bcd9a70a0a71a0d101703629a17b6feb5e66948ee3345bb6ea888017c",
        "8806ba3346b2f0a97cf7f0c80fbaa1246d0cf8eb21939828cb8688a9d3422e21",
        "9daf24bef47eb6fc7fc843355e3c18fb12e0b496298c4d3657f362849dcba402",
    ),
    "cifar100": (
        "02c646aea2870ea8d2d1505333290d2b0ef0f9e2823100e24d69de06386f77fd",
        "d4080c71a22f816efada739c39be5678f165a56dadea2c71a9e4d6c29be988f0",
        "1ddb4ef8bd0e89feea3707621d78f6fcdd7c5654b0b6461cd209e9c5827917fd",
    ),
}
"""SHA-256 of the release's files, which are fetched."""

_N = 50_000
_LIMIT = 2**20
"""Bytes of the largest file, 195 thousand, and room for another layout of the same numbers."""


def fixed_instance_labels(dataset: str, rate: float, root: str | Path | None = None) -> Labels:
    """The release's instance-dependent labels of CIFAR's training images, in torchvision's order.

    From the cache, where `fetch_instance_labels` puts them, or from the data folder: <dataset>_dependent_<rate>.json,
    a list of 50,000 integers, in idn/, in the folder itself or where a copy of the release has it; or
    official_idn_labels.npz, arrays of integers named <dataset>_<rate>, in idn/ or the folder itself. Checked by
    SHA-256 each time.

    Parameters
    ----------
    dataset
        "cifar10" or "cifar100".
    rate
        .2, .4 or .6: exactly this share of the labels is wrong.
    root
        the data folder; the environment variable JAL_DATA if left out.

    Returns
    -------
    (50000,) int64

    Raises
    ------
    InputError
        for a dataset or rate that the release has not, or for labels that are missing, damaged or others.
    """
    expected = _expected(dataset, rate)
    with suppress(InputError, RuntimeError):  # what is damaged there is as good as missing
        return _from_json(checksum.cache_folder() / "idn" / expected.file, expected)
    path = checksum.find(root, (f"idn/{expected.file}", expected.file, f"{_FOLDER}/{expected.file}"))
    if path:
        return _from_json(path, expected)
    path = checksum.find(root, (f"idn/{NPZ}", NPZ))
    if path:
        return _checked(checksum.from_npz(path, f"{dataset}_{rate:g}", _LIMIT), expected, path)
    raise InputError(
        f"{dataset}'s instance-dependent labels of rate {rate:g} are not here: run "
        f"jal data fetch {dataset}-idn, or put {ADDRESSES[0]}/{expected.file} into idn/ in the folder "
        "that JAL_DATA or --data-root names"
    )


def fetch_instance_labels(
    dataset: str, rate: float, root: str | Path | None = None, address: str | None = None
) -> Path:
    """Downloads the release's instance-dependent labels, about 0.2 MB, where `fixed_instance_labels` finds them.

    Checked by SHA-256 before anything is written; not downloaded again where they are already.

    Parameters
    ----------
    dataset, rate
        as `fixed_instance_labels`.
    root
        the data folder, whose idn/ takes the file; the cache if left out.
    address
        of the folder of the files; the release's, and then its authors' earlier one, if left out.

    Returns
    -------
    the file

    Raises
    ------
    InputError
        for a dataset or rate that the release has not; where the host does not answer, or gives something else;
        where the file cannot be written.
    """
    expected = _expected(dataset, rate)
    try:
        folder = Path(root).expanduser() if root else checksum.cache_folder()
    except RuntimeError:
        raise InputError("no cache without a home folder: set JAL_CACHE, or name a data folder") from None
    path = folder / "idn" / expected.file
    with suppress(InputError):
        _from_json(path, expected)
        return path
    sha256 = FILES[dataset][RATES.index(rate)]
    failures = []
    for folder_address in (address.rstrip("/"),) if address else ADDRESSES:
        try:
            return retrieve(f"{folder_address}/{expected.file}", sha256, path.parent)
        except InputError as error:
            failures.append(str(error))
    raise InputError(
        f"cannot fetch {'; '.join(failures)}: see to the network, or put {expected.file} into {path.parent}"
    )


def instance_source(dataset: str, rate: float) -> dict[str, str]:
    """Where fixed instance-dependent labels come from, for a Record or a file of labels: no file is needed.

    Returns
    -------
    "source", "licence", "citation", and "sha256" of the int64 labels, little-endian.

    Raises
    ------
    InputError
        for a dataset or rate that the release has not.
    """
    expected = _expected(dataset, rate)
    return {
        "source": f"{ADDRESSES[0]}/{expected.file}",
        "licence": LICENCE,
        "citation": CITATION,
        "sha256": expected.sha256,
    }


def _expected(dataset: str, rate: float) -> Expected:
    if dataset not in SHA256:
        raise unknown("dataset with fixed instance-dependent labels", dataset, SHA256)
    if rate not in RATES:
        raise InputError(
            f"no fixed instance-dependent labels of rate {rate}: the release has "
            f"{', '.join(map(str, RATES))}; jal.noise.instance_dependent draws any rate"
        )
    return Expected(f"{dataset}_dependent_{rate:g}.json", (_N,), SHA256[dataset][RATES.index(rate)])


def _from_json(path: Path, expected: Expected) -> Labels:
    content = checksum.read(path, _LIMIT)
    try:
        return _checked(np.array(json.loads(content)), expected, path)
    except (ValueError, RecursionError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path} is not a whole JSON list of labels ({type(error).__name__}): {AGAIN}"
        ) from None


def _checked(array: NDArray[Any], expected: Expected, path: Path) -> Labels:
    if array.shape != expected.shape or array.dtype.kind not in "iu":
        raise InputError(
            f"{path} holds {array.dtype!s:.40} of shape {array.shape!s:.40}, expected {_N} integers: {AGAIN}"
        )
    labels = array.astype(np.int64)
    checksum.check(labels, expected.sha256, path)
    return labels
