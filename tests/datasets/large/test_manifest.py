from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from jal.datasets.large import lists, manifest
from jal.datasets.large.manifest import FINE, STATES, examine


@pytest.fixture
def listing(root, webvision, put):
    """Ten images, of which 3 is missing and 7 is cut."""
    names = [f"google/q0001/{i}.jpg" for i in range(10)]
    put(
        webvision / "info/train_filelist_google.txt", "".join(f"{name} {i}\n" for i, name in enumerate(names))
    )
    for name in names:
        put(webvision / name)
    (webvision / names[3]).unlink()
    os.truncate(webvision / names[7], 500)
    return lists.read("webvision", "train", root)


@pytest.fixture
def looks(monkeypatch):
    """The numbers of the images that were looked at, in order of their names."""
    seen, real = [], manifest.look

    def look(path, thorough=False):
        seen.append(int(path.stem))
        return real(path, thorough)

    monkeypatch.setattr(manifest, "look", look)

    def taken():
        numbers = sorted(seen)
        seen.clear()
        return numbers

    return taken


def states(rows):
    return [STATES[state] for state in rows["state"]]


def files(cache):
    return sorted((cache / "large").iterdir())


def test_every_image_is_described(listing, webvision):
    rows = examine(listing)
    expected = [FINE] * 10
    expected[3], expected[7] = "missing", "damaged"
    assert states(rows) == expected
    first = webvision / "google/q0001/0.jpg"
    assert rows[0]["path"] == b"google/q0001/0.jpg"
    assert rows["label"].tolist() == [*range(10)]
    assert rows[0]["size"] == first.stat().st_size
    assert (rows[0]["width"], rows[0]["height"]) == (40, 30)
    assert rows[0]["sha256"].tobytes() == sha256(first.read_bytes()).digest()


def test_it_is_built_once_and_what_was_broken_is_looked_at_again(listing, webvision, looks, put, cache):
    first = examine(listing)
    assert looks() == [*range(10)]
    (kept,) = files(cache)
    again = examine(listing)
    assert looks() == [3, 7]
    np.testing.assert_array_equal(again, first)
    put(webvision / "google/q0001/3.jpg")
    assert states(examine(listing)).count(FINE) == 9
    assert looks() == [3, 7]
    assert states(examine(listing)).count(FINE) == 9
    assert looks() == [7]
    assert files(cache) == [kept]


def test_another_list_or_folder_has_another_and_the_old_lists_goes(
    listing, webvision, root, looks, put, cache
):
    examine(listing)
    (before,) = files(cache)
    looks()
    examine(replace(listing, labels=listing.labels[::-1].copy()))
    assert looks() == [*range(10)]
    (after,) = files(cache)
    assert before != after
    webvision.rename(root / "moved")
    examine(replace(listing, base=root / "moved"))
    assert len(files(cache)) == 2


def test_what_changed_since_is_read_again_if_asked_for(listing, webvision, looks, put):
    examine(listing)
    looks()
    os.utime(webvision / "google/q0001/1.jpg", ns=(1, 1))
    put(webvision / "google/q0001/2.jpg", b"short")
    (webvision / "google/q0001/4.jpg").unlink()
    assert states(examine(listing))[2] == FINE
    assert looks() == [3, 7]
    rows = examine(listing, changed=True)
    assert looks() == [1, 2, 3, 4, 7]
    assert states(rows)[1:5] == [FINE, "not an image", "missing", "missing"]
    assert rows["changed"][1] == 1
    examine(listing, changed=True)
    assert looks() == [2, 3, 4, 7]


def test_thorough_decodes_all_again(listing, webvision, looks):
    first = webvision / "google/q0001/0.jpg"
    content, times = bytearray(first.read_bytes()), first.stat()
    table = content.index(b"\xff\xc4")
    content[table + 5 : table + 21] = b"\xff" * 16
    examine(listing)
    first.write_bytes(content)
    os.utime(first, ns=(times.st_atime_ns, times.st_mtime_ns))
    looks()
    assert states(examine(listing, changed=True))[0] == FINE
    assert looks() == [3, 7]
    assert states(examine(listing, thorough=True))[0] == "damaged"
    assert looks() == [*range(10)]


def test_who_is_interrupted_goes_on_from_there(listing, looks, cache, monkeypatch):
    monkeypatch.setattr(manifest, "_SAVED", 4)

    def stop(done, total):
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        examine(listing, progress=stop)
    assert looks() == [*range(8)]
    (journal,) = files(cache)
    assert journal.suffix == ".part"

    rows = examine(listing)
    assert looks() == [3, 7, 8, 9]
    assert states(rows).count(FINE) == 8
    (kept,) = files(cache)
    assert kept.suffix == ".npy"
    np.testing.assert_array_equal(rows, np.load(kept))


@pytest.mark.parametrize("tail", [b"torn", bytes(1000)])
def test_a_torn_journal_is_believed_as_far_as_it_goes(listing, looks, cache, monkeypatch, tail):
    monkeypatch.setattr(manifest, "_SAVED", 2)

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        examine(listing, progress=stop)
    (journal,) = files(cache)
    with journal.open("ab") as file:
        file.write(tail)
    looks()
    rows = examine(listing)
    assert looks() == [*range(2, 10)]
    assert rows["sha256"].any(axis=1).tolist() == [state == FINE for state in states(rows)]


@pytest.mark.parametrize(
    "content", [b"", b"\x93NUMPY", b"\x93NUMPY\x01\x00v\x00{'descr': '|O', }", bytes(5000)]
)
def test_a_damaged_manifest_is_made_again(listing, looks, cache, content):
    first = examine(listing)
    (kept,) = files(cache)
    whole = kept.read_bytes()
    looks()
    for damaged in (content, whole[:-9]):
        kept.write_bytes(damaged)
        np.testing.assert_array_equal(examine(listing), first)
        assert looks() == [*range(10)]
    np.testing.assert_array_equal(np.load(kept), first)


def test_states_that_nobody_knows_are_looked_at_again(listing, looks, cache):
    rows = examine(listing)
    (kept,) = files(cache)
    rows["state"][5] = 200
    np.save(kept, rows)
    looks()
    assert states(examine(listing))[5] == FINE
    assert looks() == [3, 5, 7]


@pytest.mark.parametrize(
    ("field", "value"), [("label", 3), ("path", b"google/q0001/0.jpg"), ("path", b"../../x.jpg")]
)
def test_the_list_says_which_image_has_which_label_whatever_the_cache_says(
    listing, looks, cache, field, value
):
    first = examine(listing)
    (kept,) = files(cache)
    rows = first.copy()
    rows[field][5] = value
    np.save(kept, rows)
    looks()
    found = examine(listing)
    np.testing.assert_array_equal(found, first)
    np.testing.assert_array_equal(found["path"], listing.paths)
    np.testing.assert_array_equal(found["label"], listing.labels)
    assert looks() == [*range(10)]


@pytest.mark.parametrize(
    "fields",
    [lambda dtype: dtype[:-1], lambda dtype: [*dtype[:3], ("size", "<i4"), *dtype[4:]]],
    ids=["one less", "another type"],
)
def test_a_manifest_of_another_layout_is_not_believed(listing, looks, cache, fields):
    first = examine(listing)
    (kept,) = files(cache)
    rows = np.zeros(len(first), fields(first.dtype.descr))
    for name in rows.dtype.names:
        rows[name] = first[name]
    np.save(kept, rows)
    looks()
    np.testing.assert_array_equal(examine(listing), first)
    assert looks() == [*range(10)]


@pytest.mark.parametrize("of", ["file", "folder"])
def test_a_manifest_that_others_may_have_written_is_not_believed(listing, looks, cache, of):
    first = examine(listing)
    (kept,) = files(cache)
    (kept if of == "file" else kept.parent).chmod(0o777)
    looks()
    np.testing.assert_array_equal(examine(listing), first)
    assert looks() == [*range(10)]


def test_a_journal_that_others_may_have_written_or_of_other_images_is_not_believed(listing, looks, cache):
    first = examine(listing)
    (kept,) = files(cache)
    for mode, row in ((0o666, 3), (0o600, -7)):
        entry = np.zeros(1, manifest._ENTRY)
        entry["row"], entry["state"] = row, STATES.index(FINE)
        journal = kept.with_name(f"{kept.stem}.x.part")
        journal.write_bytes(entry.tobytes())
        journal.chmod(mode)
        looks()
        np.testing.assert_array_equal(examine(listing), first)
        assert looks() == [3, 7]
        journal.unlink(missing_ok=True)


def test_without_a_cache_it_is_made_every_time(listing, looks, tmp_path, monkeypatch, put):
    for cache in (put(tmp_path / "file", "x") / "cache", "~nobody-of-this-name/cache"):
        monkeypatch.setenv("JAL_CACHE", str(cache))
        for _ in range(2):
            assert states(examine(listing)).count(FINE) == 8
            assert looks() == [*range(10)]


def test_progress_and_threads_are_the_callers(listing, monkeypatch):
    monkeypatch.setattr(manifest, "_SAVED", 4)
    told = []
    one = examine(listing, progress=lambda done, total: told.append((done, total)), workers=1)
    assert told == [(4, 10), (8, 10), (10, 10)]
    np.testing.assert_array_equal(examine(listing, thorough=True, workers=5), one)


def test_several_at_once_do_each_other_no_harm(listing, cache, monkeypatch):
    monkeypatch.setattr(manifest, "_SAVED", 2)
    with ThreadPoolExecutor(4) as pool:
        several = [*pool.map(lambda _: examine(listing), range(8))]
    for rows in several:
        np.testing.assert_array_equal(rows, several[0])
    assert [file.suffix for file in files(cache) if file.suffix == ".npy"] == [".npy"]
    np.testing.assert_array_equal(examine(listing), several[0])
