"""The release's instance-dependent labels: the real ones where they are, random ones elsewhere."""

import hashlib
import io
import json
import os
import threading
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
    file = hashlib.sha256(json.dumps(labels.tolist()).encode()).hexdigest()
    monkeypatch.setitem(instance.FILES, "cifar10", (file, *instance.FILES["cifar10"][1:]))
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


# Files that are others


@pytest.mark.parametrize(
    "spoil",
    [
        lambda given: given[:-1],
        lambda given: [given],
        lambda given: {"labels": given},
        lambda given: [str(label) for label in given],
        lambda given: [float(label) for label in given],
        lambda given: [*given[:-1], None],
        lambda given: [*given[:-1], 10**40],
        lambda given: None,
    ],
)
def test_what_is_no_list_of_labels_is_refused(labels, put, spoil):
    put(spoil(labels.tolist()))
    refuse(f"{JSON} (holds .* expected 50000 integers|is not a whole JSON list of labels)")


@pytest.mark.parametrize("text", [b"", b"[", b"<!DOCTYPE html>", b"\xff\xfe", b"[1 2]", b"[" * 500_000])
def test_other_text_is_refused(labels, put, text):
    put(text)
    refuse(f"{JSON} is not a whole JSON list of labels")


def test_other_labels_are_refused(labels, put):
    put(labels[::-1].tolist())
    refuse("is damaged or another edition: SHA-256 .*, expected .*: delete it and fetch it again")
    put(npz(**{"cifar10_0.4": labels}), f"idn/{instance.NPZ}").with_name(JSON).unlink()
    refuse("has no array cifar10_0.2")
    put(npz(**{"cifar10_0.2": labels.astype(float)}), f"idn/{instance.NPZ}")
    refuse("holds float64 of shape")


def test_what_is_no_file_or_too_large_is_refused(labels, put):
    for place in (f"idn/{JSON}", f"idn/{instance.NPZ}"):
        path = put(b" " * (2**20 + 1), place)
        refuse("has more than 1048576 bytes")
        path.unlink()
        os.mkfifo(path)
        refuse("is not a file")
        path.unlink()


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
    refuse("cannot fetch .*/config/jal/.*: 404 Client Error", call=fetch_instance_labels)
    host.pages[f"/config/earlier/{JSON}"] = [json.dumps(labels.tolist()).encode()]
    fetch_instance_labels("cifar10", 0.2)
    assert host.asked == [f"/config/{place}/{JSON}" for place in ("jal", "earlier") * 2]


def test_what_a_host_gives_instead_is_refused_and_not_kept(labels, host, cache):
    good = json.dumps(labels.tolist()).encode()
    for page in ([good[:-1]], [b"<html>"], [], [good, b" "]):
        host.pages[f"/config/{JSON}"] = page
        message = refuse("does not give the released file", call=fetch_instance_labels, address=host.address)
        assert JSON in message and str(cache) in message
    for status in (403, 404, 500):
        host.pages[f"/config/{JSON}"] = status
        refuse(f"{status} (Client|Server) Error", call=fetch_instance_labels, address=host.address)
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

    monkeypatch.setattr(instance.checksum, "cache_folder", homeless)
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
