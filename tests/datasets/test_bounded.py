"""Small files of somebody else's; what damaged and malicious ones do is in the tests of their readers."""

import io
import zipfile

import pytest

from jal.datasets import bounded
from jal.errors import InputError


def test_the_first_place_wins_below_the_folder_that_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("JAL_DATA", str(tmp_path / "variable"))
    for file in ("variable/b", "named/a", "named/b"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    assert bounded.find(tmp_path / "named", ("a", "b")) == tmp_path / "named" / "a"
    assert bounded.find(None, ("a", "b")) == tmp_path / "variable" / "b"
    assert bounded.find(tmp_path / "named", ("c",)) is None
    monkeypatch.delenv("JAL_DATA")
    assert bounded.find(None, ("a", "b")) is None


def test_a_link_that_leads_nowhere_is_found_and_then_named(tmp_path):
    (tmp_path / "a").symlink_to("nowhere")
    path = bounded.find(tmp_path, ("a",))
    with pytest.raises(InputError, match=r"a cannot be read \(No such file or directory\): see to it"):
        bounded.read(path, 10)


def test_a_file_is_read_up_to_its_bound_and_not_further(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    assert bounded.read(path, 10) == b"0123456789"
    with pytest.raises(InputError, match="has more than 9 bytes"):
        bounded.read(path, 9)


def test_a_member_is_known_by_its_ending(tmp_path):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/a", b"12345")
        archive.writestr("folder/b", b"")
    assert bounded.member(content.getvalue(), "/a", 5, tmp_path) == b"12345"
    assert bounded.member(content.getvalue(), "folder/b", 5, tmp_path) == b""
    with pytest.raises(InputError, match="would unpack to 5 bytes"):
        bounded.member(content.getvalue(), "/a", 4, tmp_path)
    with pytest.raises(InputError, match="has 0 members folder, expected one"):
        bounded.member(content.getvalue(), "folder", 5, tmp_path)


def test_lines_are_read_one_by_one_within_bounds(tmp_path):
    file = tmp_path / "list"
    for content in (b"a 1\r\n b\xff\x85 2\rc\n\n\x0bd", b"", b"\n", b"x" * 900):
        file.write_bytes(content)
        assert list(bounded.lines(file, 1000)) == [line.strip() for line in content.splitlines()]
    with pytest.raises(InputError, match="has more than 899 bytes"):
        list(bounded.lines(file, 899))
    file.write_bytes(b"x" * bounded.LONGEST_LINE)
    with pytest.raises(InputError, match="or a line of 65536"):
        list(bounded.lines(file, 2**20))
    for other in (tmp_path, tmp_path / "absent"):
        with pytest.raises(InputError, match=r"is not a file|cannot be read"):
            list(bounded.lines(other, 1))
