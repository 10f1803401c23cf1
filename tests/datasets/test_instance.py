"""The release's instance-dependent labels: the real ones where they are, random ones elsewhere."""

import hashlib
import io
import json
import os
import random
import subprocess
import sys
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from jal.datasets import instance
from jal.datasets.instance import fetch_instance_labels, fixed_instance_labels, instance_source
from jal.errors import InputError

N = 50_000
JSON = "cifar10_dependent_0.2.json"


def sha256(labels):
    return hashlib.sha256(np.asarray(labels).astype("<i8").tobytes()).hexdigest()


@pytest.fixture
def labels(monkeypatch, tmp_path):
    """Random labels whose sum is the expected one for CIFAR-10 and rate .2."""
    monkeypatch.setenv("JAL_DATA", str(tmp_path / "data"))
    labels = np.random.default_rng(0).integers(0, 10, N)
    monkeypatch.setitem(instance.SHA256, "cifar10", (sha256(labels), *instance.SHA256["cifar10"][1:]))
    return labels


@pytest.fixture
def put(tmp_path):
    def write(content, place=f"idn/{JSON}"):
        path = tmp_path / "data" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return write


def refuse(message, dataset="cifar10", rate=0.2, call=fixed_instance_labels, **given):
    with pytest.raises(InputError, match=message) as error:
        call(dataset, rate, **given)
    assert "\n" not in str(error.value)
    return str(error.value)


def npz(compression=zipfile.ZIP_DEFLATED, **members):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as file:
        for name, member in members.items():
            if not isinstance(member, bytes):
                array = io.BytesIO()
                np.save(array, member)
                member = array.getvalue()
            file.writestr(f"{name}.npy", member)
    return content.getvalue()


REAL = [
    ("cifar10", 0.2, "39b0a9bb828f4dd7"),
    ("cifar10", 0.4, "1cf737b6b466ce23"),
    ("cifar10", 0.6, "5f75c01c4b2d004a"),
    ("cifar100", 0.2, "6ba7a95b59988d21"),
    ("cifar100", 0.4, "2c48bda30517e66d"),
    ("cifar100", 0.6, "aa284aef872b35af"),
]


@pytest.mark.parametrize(("dataset", "rate", "digits"), REAL)
def test_the_real_labels_have_the_published_sums_and_their_rate_exactly(cifar_labels, dataset, rate, digits):
    idn = Path(os.environ.get("JAL_DATA") or "absent") / "idn"
    if not any((idn / file).exists() for file in (instance.NPZ, f"{dataset}_dependent_{rate:g}.json")):
        pytest.skip(f"no idn/{instance.NPZ}: set JAL_DATA to the folder that holds idn/")
    given, true = fixed_instance_labels(dataset, rate), cifar_labels(dataset)
    assert given.dtype == np.int64 and given.shape == (N,) and given.flags.writeable
    assert sha256(given).startswith(digits)
    assert (given != true).sum() == round(rate * N)
    if (dataset, rate) == ("cifar10", 0.2):
        counts = np.zeros((10, 10), int)
        np.add.at(counts, (true, given), 1)
        off = counts[~np.eye(10, dtype=bool)]
        assert (off.min(), off.max()) == (12, 401)


def test_every_rate_is_listed_with_its_sum():
    for dataset, rate, digits in REAL:
        source = instance_source(dataset, rate)
        assert set(source) == {"source", "licence", "citation", "sha256"}
        assert source["sha256"].startswith(digits) and len(source["sha256"]) == 64
        assert source["source"].endswith(f"config/{dataset}_dependent_{rate}.json")
        assert source["licence"] == "MIT" and "ICCV 2025" in source["citation"]


@pytest.mark.parametrize("place", [f"idn/{JSON}", JSON, f"datasets/data_dependent/config/{JSON}"])
def test_the_json_file_is_found_where_a_user_may_have_it(labels, put, tmp_path, monkeypatch, place):
    put(labels.tolist(), place)
    np.testing.assert_array_equal(fixed_instance_labels("cifar10", 0.2), labels)
    monkeypatch.delenv("JAL_DATA")
    np.testing.assert_array_equal(fixed_instance_labels("cifar10", 0.2, tmp_path / "data"), labels)


@pytest.mark.parametrize("place", ["idn/official_idn_labels.npz", "official_idn_labels.npz"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, ">i4"])
def test_the_npz_file_serves_as_well(labels, put, place, dtype):
    put(npz(**{"cifar10_0.2": labels.astype(dtype), "cifar100_0.2": np.zeros(3)}), place)
    given = fixed_instance_labels("cifar10", 0.2)
    np.testing.assert_array_equal(given, labels)
    assert given.dtype == np.dtype("=i8")


def test_layout_and_spaces_of_the_json_do_not_matter(labels, put):
    for text in (
        json.dumps(labels.tolist(), indent=1),
        json.dumps(labels.tolist(), separators=(",", ":")) + "\n",
    ):
        put(text.encode())
        np.testing.assert_array_equal(fixed_instance_labels("cifar10", 0.2), labels)


@pytest.mark.parametrize("rate", [0, 0.1, 0.3, 0.8, 1, -0.2, float("nan"), float("inf"), None, "0.2"])
def test_another_rate_is_answered_with_those_there_are(rate):
    message = "no fixed instance-dependent labels of rate .*: the release has 0.2, 0.4, 0.6; jal.noise.instance_depend"
    for call in (fixed_instance_labels, fetch_instance_labels, instance_source):
        refuse(message, rate=rate, call=call)


def test_another_dataset_is_answered_with_those_there_are():
    refuse("unknown dataset with fixed .* 'mnist': it must be one of cifar10, cifar100", dataset="mnist")


@pytest.mark.parametrize("data", [None, "there"])
def test_missing_labels_are_answered_with_where_they_come_from_and_go(tmp_path, monkeypatch, data):
    monkeypatch.delenv("JAL_DATA", raising=False)
    if data:
        monkeypatch.setenv("JAL_DATA", str(tmp_path))
    message = refuse("are not here")
    for part in ("jal data fetch cifar10-idn", "cswjl/joint-asymmetric-loss", JSON, "idn/", "JAL_DATA"):
        assert part in message


# Fuzz


@pytest.mark.parametrize(
    "spoil",
    [
        lambda given: given[:-1],
        lambda given: [*given, 0],
        lambda given: [given],
        lambda given: dict(enumerate(given)),
        lambda given: {"labels": given},
        lambda given: [float(label) for label in given],
        lambda given: [str(label) for label in given],
        lambda given: [[label] for label in given],
        lambda given: [*given[:-1], None],
        lambda given: [*given[:-1], True],
        lambda given: [*given[:-1], float("nan")],
        lambda given: [*given[:-1], -1],
        lambda given: [*given[:-1], 100],
        lambda given: [*given[:-1], 2**63],
        lambda given: [*given[:-1], 10**4000],
        lambda given: [],
        lambda given: None,
        lambda given: 5,
    ],
)
def test_what_is_no_list_of_labels_is_refused(labels, put, spoil):
    put(spoil(labels.tolist()))
    refuse(f"{JSON} is not a list of 50000 integers from 0 to 99: delete it and fetch it again")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[",
        b"<!DOCTYPE html>",
        b"[1, 2",
        b"[1 2]",
        b"\xff\xfe",
        b"[" * 500_000,
        b"[" * 400_000 + b"]" * 400_000,
        b'{"a":' * 100_000,
        b"[" + b"9" * 900_000 + b"]",
        b"[" + b"1e99999," * 50_000 + b"1]",
        b"[" + b"[]," * 300_000 + b"[]]",
        b"[NaN, Infinity, -Infinity]",
    ],
    ids=lambda text: f"{text[:8]}-{len(text)}",
)
def test_other_text_is_refused(labels, put, text):
    put(text)
    refuse(f"{JSON} is not (whole JSON|a list of 50000)")


def test_a_million_nested_lists_are_refused_unread(labels, put):
    put(b"[" * 10**6 + b"]" * 10**6)
    refuse("has more than 1048576 bytes: it is not the released file")


def test_other_labels_are_refused(labels, put):
    put([*labels[:-1].tolist(), (int(labels[-1]) + 1) % 10])
    refuse("is damaged or another edition: SHA-256 .*, expected .*: delete it and fetch it again")
    put(labels[::-1].tolist())
    refuse("SHA-256")


def test_truncation_is_refused_wherever_the_file_ends(labels, put):
    for content, place in (
        (json.dumps(labels.tolist()).encode(), f"idn/{JSON}"),
        (npz(**{"cifar10_0.2": labels}), f"idn/{instance.NPZ}"),
    ):
        for end in (0, 1, 4, 100, len(content) // 2, len(content) - 30, len(content) - 1):
            path = put(content[:end], place)
            refuse("is not whole JSON|is not a whole zip archive")
        path.unlink()


def test_what_is_no_file_is_refused(labels, put, tmp_path):
    for place in (f"idn/{JSON}", f"idn/{instance.NPZ}"):
        path = put(b"", place)
        path.unlink()
        path.symlink_to(path)
        refuse("cannot be read .*symbolic link")
        path.unlink()
        path.mkdir()
        refuse("is not a file")
        path.rmdir()
        os.mkfifo(path)
        refuse("is not a file")
        path.unlink()


@pytest.mark.parametrize(
    "member",
    [
        np.zeros(N),
        np.zeros(N, bool),
        np.zeros(N, "m8"),
        np.zeros(N - 1, int),
        np.zeros((N, 1), int),
        np.zeros(0, int),
        np.array(5),
        np.zeros(3, [("a", int), ("b" * 50, float)]),
    ],
    ids=lambda member: f"{member.dtype.kind}{member.shape}",
)
def test_another_array_in_the_npz_is_refused(labels, put, member):
    put(npz(**{"cifar10_0.2": member}), f"idn/{instance.NPZ}")
    refuse("cifar10_0.2.npy is .* expected 50000 integers")


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def header(text):
    padded = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\1\0" + len(padded).to_bytes(2, "little") + padded


def test_no_code_of_an_npz_runs(labels, put, tmp_path):
    canary = tmp_path / "ran"
    evil = np.full(N, 0, object)
    evil[0] = Evil(canary)
    call = f"__import__('os').system('touch {canary}')"
    for member in (
        evil,
        header(f"{{'descr': '|u1', 'fortran_order': False, 'shape': {call}}}"),
        header(call),
        header("{'descr': '|u1', 'fortran_order': False, 'shape': ("),
        header("(" * 100),
        b"\x93NUMPY\3\0\xff\xff\xff\xff",
        b"\x93NUMPY\1\0\xff\xff{",
        b"not an array",
        b"",
    ):
        put(npz(**{"cifar10_0.2": member}), f"idn/{instance.NPZ}")
        refuse("cifar10_0.2.npy is (O?object|not an array of numbers)")
        assert not canary.exists()


def test_an_npz_without_the_labels_is_refused(labels, put):
    put(npz(**{"cifar10_0.4": labels}), f"idn/{instance.NPZ}")
    refuse("has 0 members cifar10_0.2.npy, expected one")


def test_random_damage_is_refused_or_harmless(labels, put):
    stream = random.Random(0)
    for content, place in (
        (npz(zipfile.ZIP_STORED, **{"cifar10_0.2": labels.astype(np.uint8)}), f"idn/{instance.NPZ}"),
        (json.dumps(labels.tolist()).encode(), f"idn/{JSON}"),
    ):
        for trial in range(100):
            damaged = bytearray(content)
            for _ in range(stream.choice([1, 4, 16])):
                at = stream.randrange(200) if trial % 2 else -1 - stream.randrange(200)
                damaged[at] = stream.randrange(256)
            put(bytes(damaged), place)
            try:
                given = fixed_instance_labels("cifar10", 0.2)
            except InputError as error:
                assert "\n" not in str(error)
            else:
                np.testing.assert_array_equal(given, labels)


def bombs():
    big = b"\0" * (40 * 2**20)
    shape = "{{'descr': '{}', 'fortran_order': False, 'shape': {}}}"
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        yield instance.NPZ, npz(compression, **{"cifar10_0.2": big})
    for descr, size in (("|u1", (10**12,)), ("<i8", (2**31, 2**31)), ("|u1", (-1,)), ("|V1000000000", (N,))):
        yield instance.NPZ, npz(**{"cifar10_0.2": header(shape.format(descr, size)) + b"\0" * N})
    yield instance.NPZ, npz(zipfile.ZIP_STORED, **{f"{i}cifar10_0.2": b"" for i in range(6000)})
    yield JSON, big
    yield JSON, b"[" * 10**6 + b"]" * 10**6
    yield JSON, b"[" * 2**20
    yield JSON, b"[" + b"[]," * (2**18) + b"[]]"
    yield JSON, b"[" + b"9" * 10**6 + b"]"


GUARDED = """
import resource, sys
from jal.datasets.instance import fixed_instance_labels
from jal.errors import InputError

def mebibytes(field):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(field)) // 1024

resource.setrlimit(resource.RLIMIT_AS, 2 * ((mebibytes("VmSize") + 256) * 2**20,))
before = mebibytes("VmHWM")
for root in sys.argv[1:]:
    try:
        fixed_instance_labels("cifar10", 0.2, root)
    except InputError as error:
        assert "MemoryError" not in str(error) and "\\n" not in str(error), error
    else:
        raise AssertionError(root)
print(mebibytes("VmHWM") - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured by /proc")
def test_bombs_are_refused_without_much_memory(tmp_path):
    roots = []
    for number, (name, content) in enumerate(bombs()):
        roots.append(tmp_path / str(number))
        roots[-1].mkdir()
        (roots[-1] / name).write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", GUARDED, *roots], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 32  # MiB; the smallest bomb would take 40


# From the network


@pytest.fixture
def host():
    """A web server: `pages` has the pieces that each path sends, or a status; `asked` is what it was asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            server.asked.append(self.path)
            page = server.pages.get(self.path, 404)
            self.send_response(page if isinstance(page, int) else 200)
            self.end_headers()
            try:
                for piece in [] if isinstance(page, int) else page:
                    self.wfile.write(piece)
            except OSError:
                pass  # the reader has gone

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.pages, server.asked = {}, []
    server.address = f"http://127.0.0.1:{server.server_port}/config"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def left(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_labels_are_fetched_once_into_the_cache(labels, host, cache):
    host.pages[f"/config/{JSON}"] = [json.dumps(labels.tolist()).encode()]
    path = fetch_instance_labels("cifar10", 0.2, address=host.address)
    assert left(cache) == [path] and path.name == JSON
    np.testing.assert_array_equal(fixed_instance_labels("cifar10", 0.2), labels)
    assert fetch_instance_labels("cifar10", 0.2, address=f"{host.address}/") == path
    assert host.asked == [f"/config/{JSON}"]


def test_a_damaged_file_in_the_cache_counts_as_missing(labels, host, put):
    host.pages[f"/config/{JSON}"] = [json.dumps(labels.tolist()).encode()]
    path = fetch_instance_labels("cifar10", 0.2, address=host.address)
    path.write_bytes(path.read_bytes()[:-1])
    refuse("are not here")
    other = put(labels.tolist())
    np.testing.assert_array_equal(fixed_instance_labels("cifar10", 0.2), labels)
    other.unlink()
    assert fetch_instance_labels("cifar10", 0.2, address=host.address) == path
    np.testing.assert_array_equal(fixed_instance_labels("cifar10", 0.2), labels)


def test_labels_are_fetched_into_the_data_folder_that_is_named(labels, host, cache, tmp_path):
    host.pages[f"/config/{JSON}"] = [json.dumps(labels.tolist()).encode()]
    path = fetch_instance_labels("cifar10", 0.2, tmp_path / "mine", host.address)
    assert path == tmp_path / "mine" / "idn" / JSON and not cache.exists()
    np.testing.assert_array_equal(fixed_instance_labels("cifar10", 0.2, tmp_path / "mine"), labels)


def test_the_release_is_asked_first_and_its_authors_earlier_one_next(labels, host, monkeypatch):
    assert all(place.startswith("https://raw.githubusercontent.com/cswjl/") for place in instance.ADDRESSES)
    monkeypatch.setattr(instance, "ADDRESSES", (f"{host.address}/jal", f"{host.address}/earlier"))
    refuse("cannot fetch .*/config/jal/.* .HTTP Error 404: Not Found.", call=fetch_instance_labels)
    host.pages[f"/config/earlier/{JSON}"] = [json.dumps(labels.tolist()).encode()]
    fetch_instance_labels("cifar10", 0.2)
    assert host.asked == [f"/config/{place}/{JSON}" for place in ("jal", "earlier") * 2]


def test_what_a_host_gives_instead_is_refused_and_not_kept(labels, host, cache):
    def endless():
        while True:
            yield b"1, " * 10_000

    good = json.dumps(labels.tolist()).encode()
    for page in (
        [good[:-1]],
        [good[:1000]],
        [b"<html>"],
        [],
        [good, b" " * 2**20],
        endless(),
        [b"[" * 10**6],
    ):
        host.pages[f"/config/{JSON}"] = page
        message = refuse(
            "does not give the released labels", call=fetch_instance_labels, address=host.address
        )
        assert JSON in message and str(cache) in message
    for status in (403, 404, 500):
        host.pages[f"/config/{JSON}"] = status
        refuse(f"HTTP Error {status}", call=fetch_instance_labels, address=host.address)
    assert left(cache) == []


def test_a_host_that_is_slow_is_given_up(labels, host, cache, monkeypatch):
    monkeypatch.setattr(instance, "_WAIT", 0.3)
    monkeypatch.setattr(instance, "_PATIENCE", 0.2)

    def drip():
        while True:
            time.sleep(0.02)
            yield b"1"

    def silence():
        time.sleep(1)
        yield b"1"

    for page, message in ((drip(), "not whole after 0.2 s"), (silence(), "timed out")):
        host.pages[f"/config/{JSON}"] = page
        refuse(f"cannot fetch .* \\(.*{message}", call=fetch_instance_labels, address=host.address)
    assert left(cache) == []


def test_a_machine_without_a_route_gets_one_line(labels, host, cache):
    nobody = host.address
    host.shutdown()
    host.server_close()
    message = refuse(
        "cannot fetch .*Connection refused.*: see to the network, or put",
        call=fetch_instance_labels,
        address=nobody,
    )
    assert f"put {JSON} into {cache / 'idn'}" in message


@pytest.mark.parametrize(
    "address", ["file:///etc", "ftp://example.org", "/etc", "example.org", "http://[", "http://a b"]
)
def test_an_address_of_another_kind_is_refused(labels, cache, address):
    refuse("cannot fetch", call=fetch_instance_labels, address=address)
    assert left(cache) == []


def test_a_cache_that_cannot_be_written_is_named(labels, host, cache, monkeypatch):
    host.pages[f"/config/{JSON}"] = [json.dumps(labels.tolist()).encode()]
    cache.write_text("a file where the folder should be")
    refuse("cannot write to the folder", call=fetch_instance_labels, address=host.address)

    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(instance.verified, "cache_folder", homeless)
    refuse("set JAL_CACHE, or name a data folder", call=fetch_instance_labels, address=host.address)
    refuse("are not here")


def test_two_that_fetch_at_once_do_not_harm_each_other(labels, host, cache):
    host.pages[f"/config/{JSON}"] = [json.dumps(labels.tolist()).encode()]
    threads = [
        threading.Thread(target=fetch_instance_labels, args=("cifar10", 0.2, None, host.address))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.name for path in left(cache)] == [JSON]
    np.testing.assert_array_equal(fixed_instance_labels("cifar10", 0.2), labels)
