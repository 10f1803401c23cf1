"""Files: whole or not at all."""

import errno
import os
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from jal import files
from jal.errors import InputError


@pytest.mark.parametrize(("content", "written"), [("naïve\n", b"na\xc3\xafve\n"), (b"\x00\xff", b"\x00\xff")])
def test_what_is_written_is_there_alone(tmp_path, content, written):
    target = tmp_path / "made" / "for" / "it.json"
    files.write(target, "before")
    files.write(target, content)
    assert target.read_bytes() == written
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("stage", ["fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, stage, number):
    target = tmp_path / "file"
    files.write(target, "old")

    def fail(*arguments, **options):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, stage, fail)
    with pytest.raises(InputError) as error:
        files.write(target, "new")
    monkeypatch.undo()
    assert str(error.value).startswith(f"cannot write to the folder {tmp_path} ({os.strerror(number)}): ")
    assert "name another one" in str(error.value) and "\n" not in str(error.value)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_real_limit_is_met_in_the_middle_of_the_file(tmp_path):
    resource = pytest.importorskip("resource", reason="limits on the size of files are POSIX's")
    target = tmp_path / "file"
    files.write(target, "old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(InputError, match="File too large"):
            files.write(target, bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_an_interrupt_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    target = tmp_path / "file"
    files.write(target, "old")

    def interrupt(number):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        files.write(target, "new")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_in_the_folders_place(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write to the folder .*file/runs \(Not a directory\)"):
        files.write(tmp_path / "file" / "runs" / "a.json", "new")


def test_a_draft_is_known_by_its_name(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(os, "fsync", lambda number: seen or seen.extend(tmp_path.iterdir()))
    files.write(tmp_path / "a.json", "new")
    assert [files.is_draft(file) for file in seen] == [True]
    assert not files.is_draft(tmp_path / "a.json")


def test_a_folder_is_made_though_its_parent_vanishes(tmp_path, monkeypatch):
    folder, mkdir, vanished = tmp_path / "parent" / "folder", os.mkdir, []

    def racing(path, *arguments):
        mkdir(path, *arguments)
        if not vanished:
            vanished.append(path)
            Path(path).rmdir()

    monkeypatch.setattr(os, "mkdir", racing)
    files.make_folder(folder)
    assert folder.is_dir() and len(vanished) == 1


def test_a_path_without_a_name_is_refused():
    with pytest.raises(InputError, match="which is a folder: name a file"):
        files.write(Path(), "x")


@pytest.mark.parametrize(
    ("owner", "mode", "ours"),
    [
        ("us", 0o100600, True),
        ("root", 0o100644, True),
        ("others", 0o100600, False),
        ("us", 0o100602, False),
        ("us", 0o100620, False),
        ("us", 0o040755, True),
        ("root", 0o041777, True),
        ("others", 0o041777, False),
        ("us", 0o101777, False),
    ],
)
def test_what_others_can_write_is_not_ours(owner, mode, ours):
    number = {"us": os.geteuid(), "root": 0, "others": os.geteuid() + 1}[owner]
    nobodys = 2**31 - 2
    assert files._only_ours(os.stat_result((mode, 1, 1, 1, number, nobodys, 0, 0, 0, 0))) is ours


def test_a_file_is_ours_if_the_folders_above_it_are(tmp_path):
    file = tmp_path / "a" / "b" / "file"
    files.write(file, "x")
    (tmp_path / "link").symlink_to(file)
    assert files.is_ours(file) and files.is_ours(tmp_path / "link")
    (tmp_path / "a").chmod(0o707)
    assert not files.is_ours(file) and not files.is_ours(tmp_path / "link")
    with pytest.raises(OSError):
        files.is_ours(tmp_path / "absent")


def test_a_group_of_this_user_alone_is_no_other(monkeypatch):
    grp, pwd = pytest.importorskip("grp"), pytest.importorskip("pwd")
    group = SimpleNamespace(gr_gid=7, gr_name="me", gr_mem=[])
    monkeypatch.setattr(pwd, "getpwuid", lambda _: SimpleNamespace(pw_gid=7, pw_name="me"))
    monkeypatch.setattr(grp, "getgrgid", lambda _: group)
    assert files._is_private.__wrapped__(7)
    for other in ({"gr_mem": ["you"]}, {"gr_name": "users"}, {"gr_gid": 8}):
        monkeypatch.setattr(grp, "getgrgid", lambda _, o=other: SimpleNamespace(**(vars(group) | o)))
        assert not files._is_private.__wrapped__(7)


def test_file_and_folder_are_on_the_disk_when_it_is_written(tmp_path, monkeypatch):
    """In this order: the content, and then the name."""
    synced, fsync = [], os.fsync

    def seen(number):
        synced.append(stat.S_ISDIR(os.fstat(number).st_mode) and (tmp_path / "a").exists())
        fsync(number)

    monkeypatch.setattr(os, "fsync", seen)
    files.write(tmp_path / "a", "text")
    assert synced == [False, True]


def test_a_folder_that_cannot_be_synced_is_no_error(tmp_path, monkeypatch):
    def refused(*arguments):
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "open", refused)
    files.write(tmp_path / "a", "text")
    assert (tmp_path / "a").read_text() == "text"
