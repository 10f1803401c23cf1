"""Fetching from a host, which is a server of ours here: pooch asks it."""

import multiprocessing
import os
import signal
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from jal import datasets
from jal.datasets import checksum, download, formats
from jal.errors import InputError

pytest.importorskip("pooch")


class Server:
    """Serves `files`; `answer` may be "whole", "cut", "page", "stall", or, a byte at a time, "drip" or "head drip"."""

    def __init__(self):
        self.files, self.answer, self.asked, self.go_on = {}, "whole", [], threading.Event()
        this = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                this.asked.append(self.path)
                content = this.files.get(self.path)
                if content is None:
                    return self.send_error(404)
                if this.answer == "head drip":
                    return self.drip(b"HTTP/1.0 200 OK\r\nX: " + bytes(60))
                if this.answer == "page":
                    content = b"<html>Log in to the network</html>"
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if this.answer == "drip":
                    return self.drip(content)
                with suppress(OSError):
                    whole = this.answer in ("whole", "page")
                    self.wfile.write(content if whole else content[: len(content) // 2])
                    if this.answer == "stall":
                        this.go_on.wait(60)

            def drip(self, content):
                with suppress(OSError):
                    for byte in content[:60]:
                        self.wfile.write(bytes([byte]))
                        self.wfile.flush()
                        if this.go_on.wait(0.2):
                            return

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def close(self):
        self.go_on.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def server(small, tmp_path, monkeypatch):
    """The first address of every dataset, which has its release, small; nobody is at the others."""
    server, released = Server(), tmp_path / "released"
    for folder in ("cifar10", "cifar100"):
        archive = small.release(released, folder, formats.RELEASES[folder][0], archived=True)
        server.files[f"/{archive.name}"] = archive.read_bytes()
        route = download._archive(folder, server.address)
        monkeypatch.setitem(download.ROUTES, folder, (route, *download.ROUTES[folder][1:]))
    archive = small.release(released, "mnist", formats.RELEASES["mnist"][1], archived=True)
    server.files[f"/{archive.name}"] = archive.read_bytes()
    gone = (("http://127.0.0.1:9/train-images-idx3-ubyte.gz", "0" * 64),)
    monkeypatch.setitem(download.ROUTES, "mnist", (gone, download._archive("mnist", server.address, 1)))
    monkeypatch.setitem(download.ROUTES, "cifar10", download.ROUTES["cifar10"][:1])
    monkeypatch.setattr(download, "PATIENCE", 1.0)
    yield server
    server.close()


def refuse(message, name, **options):
    with pytest.raises(InputError, match=message) as error:
        datasets.fetch(name, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def left_in(cache):
    return sorted(str(file.relative_to(cache)) for file in cache.rglob("*") if file.is_file())


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "cifar100-coarse", "mnist"])
def test_what_is_not_here_comes_into_the_cache_from_the_first_address_that_has_it(small, server, name):
    seen = []
    found = datasets.fetch(name, progress=lambda *what: seen.append(what))
    assert [one.source for one in found] == ["cache"] * 4
    small.assert_held(datasets.load(name))
    assert seen[0] == ("looking on this machine", 0, None) and seen[-1] == ("checking", 0, None)
    asked = len(server.asked)
    datasets.fetch(name)
    assert len(server.asked) == asked == 1


def test_what_is_here_is_not_fetched(small, server, tmp_path):
    small.npy(tmp_path, "cifar10")
    assert [one.source for one in datasets.fetch("cifar10", tmp_path)] == ["folder"] * 4
    assert datasets.fetch("digits")[0].source == "scikit-learn"
    datasets.fetch("cifar100")
    datasets.fetch("cifar100-coarse")
    assert len(server.asked) == 1


def test_it_heals_what_is_damaged(small, server, tmp_path, cache):
    (small.npy(tmp_path, "cifar10") / "x_train.npy").write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"not a whole \.npy file"):
        datasets.load("cifar10", tmp_path)
    datasets.fetch("cifar10", tmp_path)
    small.assert_held(datasets.load("cifar10"))
    (cache / "cifar10" / "x_train.npy").write_bytes(b"damaged")
    datasets.fetch("cifar10")
    small.assert_held(datasets.load("cifar10"))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("cut", "IncompleteRead|broken|does not give the released file"),
        ("page", "it does not give the released file"),
        ("stall", "[Tt]imed out"),
    ],
)
def test_what_is_not_the_release_is_refused_and_nothing_is_left(server, cache, answer, reason):
    server.answer = answer
    start = time.monotonic()
    refuse(
        rf"cifar10 cannot be fetched \(http://127.0.0.1:\d+/cifar-10-python.tar.gz: .*({reason})", "cifar10"
    )
    assert time.monotonic() - start < 10
    assert left_in(cache) == []


def test_a_missing_file_or_host_is_told(server, monkeypatch):
    server.files.clear()
    refuse("404 Client Error: Not Found", "cifar100")
    assert "Connection refused" in refuse("404", "mnist")
    monkeypatch.setitem(download.ROUTES, "fashion-mnist", ())
    assert "apt install dataset-fashion-mnist" in refuse("cannot be fetched", "fashion-mnist")


@pytest.mark.parametrize("answer", ["drip", "head drip"])
def test_a_host_that_drips_is_not_waited_for(server, cache, monkeypatch, answer):
    server.answer = answer
    monkeypatch.setattr(download, "GRACE", 1.0)
    start = time.monotonic()
    refuse("it comes too slowly, [0-9]+ bytes in 1 s", "cifar10")
    assert time.monotonic() - start < 5
    assert left_in(cache) == []


def test_an_endless_file_is_cut_off(server, cache, monkeypatch):
    monkeypatch.setattr(checksum, "LARGEST_FILE", 1000)
    server.answer = "stall"  # after more than that
    refuse("has more than 1000 bytes", "cifar10")
    assert left_in(cache) == []


def test_a_cache_that_cannot_be_written_is_told_before_anything_is_fetched(server, cache, monkeypatch):
    cache.write_text("a file where the folder should be")
    refuse("cannot write to the folder", "cifar10")
    monkeypatch.delenv("JAL_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def homeless(path):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("pathlib.Path.expanduser", homeless)
    refuse("no cache without a home folder: name one with JAL_CACHE", "cifar10")
    assert server.asked == []


class TestProcesses:
    """Children are forked, so that they know the small datasets."""

    fork = multiprocessing.get_context("fork")

    def test_many_may_fetch_at_once(self, small, server):
        children = [self.fork.Process(target=datasets.fetch, args=("cifar10",)) for _ in range(4)]
        for child in children:
            child.start()
        for child in children:
            child.join(60)
        assert [child.exitcode for child in children] == [0] * 4
        assert {one.state for one in datasets.verify("cifar10")} == {"ok"}

    def test_one_that_is_killed_leaves_nothing_that_looks_whole(self, small, server, cache, monkeypatch):
        server.answer = "stall"
        monkeypatch.setattr(download, "PATIENCE", 60.0)
        child = self.fork.Process(target=datasets.fetch, args=("cifar10",))
        child.start()
        deadline = time.monotonic() + 30
        while not left_in(cache) and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(child.pid, signal.SIGKILL)
        child.join(30)
        (half,) = left_in(cache)
        assert not half.endswith(".gz")
        assert {one.source for one in datasets.where("cifar10", cache)} == {""}
        server.answer = "whole"
        datasets.fetch("cifar10")
        assert (cache / half).exists()  # it could be somebody's who is fetching
        os.utime(cache / half, (0, 0))
        (cache / "cifar10" / "cifar-10-python.tar.gz").unlink()
        for file in (cache / "cifar10").glob("*.npy"):
            file.unlink()
        datasets.fetch("cifar10")
        assert not (cache / half).exists()
