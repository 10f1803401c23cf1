"""The fixed instance-dependent labels of the authors' release: one file a dataset and rate, the same in every trial.

Exactly rate x N positions, drawn uniformly, have another label than the true one. For instance-dependent noise of
any rate, drawn as the paper describes it, see `jal.noise.instance_dependent`.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jal import files
from jal.datasets import bounded, verified
from jal.datasets.verified import AGAIN, Expected
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

_N = 50_000
_LIMIT = 2**20
"""Bytes of the largest file, 195 thousand, and room for another layout of the same numbers."""
_WAIT, _PATIENCE = 30.0, 120.0
"""Seconds for an answer of the host, and for all of it."""


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
        return _from_json(verified.cache_folder() / "idn" / expected.file, expected)
    path = bounded.find(root, (f"idn/{expected.file}", expected.file, f"{_FOLDER}/{expected.file}"))
    if path:
        return _from_json(path, expected)
    path = bounded.find(root, (f"idn/{NPZ}", NPZ))
    if path:
        return _from_npz(path, f"{dataset}_{rate:g}.npy", expected)
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
        folder = Path(root).expanduser() if root else verified.cache_folder()
    except RuntimeError:
        raise InputError("no cache without a home folder: set JAL_CACHE, or name a data folder") from None
    path = folder / "idn" / expected.file
    with suppress(InputError):
        _from_json(path, expected)
        return path
    failures: list[InputError] = []
    for place in (address.rstrip("/"),) if address else ADDRESSES:
        try:
            content = _download(f"{place}/{expected.file}", expected, path)
        except InputError as error:
            failures.append(error)
        else:
            files.write(path, content)
            return path
    raise failures[0]


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
    return _labels(bounded.read(path, _LIMIT), expected, path)


def _labels(content: bytes, expected: Expected, path: Path) -> Labels:
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not whole JSON ({type(error).__name__}): {AGAIN}") from None
    if (
        not isinstance(values, list)
        or len(values) != _N
        or any(type(value) is not int or not 0 <= value < 100 for value in values)
    ):
        raise InputError(f"{path} is not a list of {_N} integers from 0 to 99: {AGAIN}")
    labels = np.array(values, np.int64)
    verified.check(labels, expected, path)
    return labels


def _from_npz(path: Path, member: str, expected: Expected) -> Labels:
    content = BytesIO(bounded.member(bounded.read(path, _LIMIT), member, _LIMIT, path))
    try:
        # Not np.load: that trusts the header for how much memory to take.
        if np.lib.format.read_magic(content) != (1, 0):
            raise ValueError("version")
        shape, _, dtype = np.lib.format.read_array_header_1_0(content)
    except Exception:  # numpy evaluates the header, and a malicious one fails in many ways
        raise InputError(f"{path}: {member} is not an array of numbers: {AGAIN}") from None
    numbers = content.read()
    if shape != (_N,) or dtype.kind not in "iu" or len(numbers) != _N * dtype.itemsize:
        raise InputError(
            f"{path}: {member} is {dtype!s:.40} of shape {shape!s:.40} in {len(numbers)} bytes, "
            f"expected {_N} integers: {AGAIN}"
        )
    labels = np.frombuffer(numbers, dtype).astype(np.int64)
    verified.check(labels, expected, path)
    return labels


def _download(url: str, expected: Expected, path: Path) -> bytes:
    from http.client import HTTPException
    from urllib.request import urlopen

    instead = f"or put {expected.file} into {path.parent}"
    if not url.startswith(("https://", "http://")):
        raise InputError(f"cannot fetch {url}: give an address that starts with https://, {instead}")
    try:
        with urlopen(url, timeout=_WAIT) as response:
            content = b""
            until = time.monotonic() + _PATIENCE
            while len(content) <= _LIMIT and (piece := response.read1(_LIMIT)):
                content += piece
                if time.monotonic() > until:
                    raise TimeoutError(f"not whole after {_PATIENCE:g} s")
    except (OSError, HTTPException, ValueError) as error:
        said = str(error).removeprefix("<urlopen error ").removesuffix(">")
        reason = " ".join(said.split()) or type(error).__name__
        raise InputError(f"cannot fetch {url} ({reason:.100}): see to the network, {instead}") from None
    try:
        if len(content) > _LIMIT:
            raise InputError("too long")
        _labels(content, expected, path)
    except InputError:
        raise InputError(
            f"{url} does not give the released labels: name another address, {instead}"
        ) from None
    return content
