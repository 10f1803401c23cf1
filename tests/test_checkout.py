"""Where the book's checkout is looked for."""

import pytest

from jal import checkout
from jal.checkout import find_root
from jal.errors import InputError


@pytest.fixture
def clone(tmp_path):
    for name in ("notebooks", "jal", "notebooks/deep"):
        (tmp_path / "clone" / name).mkdir(parents=True)
    (tmp_path / "clone/_toc.yml").touch()
    return tmp_path / "clone"


def test_it_is_found_upwards(clone, monkeypatch):
    monkeypatch.chdir(clone / "notebooks/deep")
    assert find_root() == clone


def test_it_can_be_named(clone, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_root(clone) == clone
    with pytest.raises(
        InputError, match=r"no checkout of the book at .*--root must name the one with _toc.yml"
    ):
        find_root(tmp_path)


def test_an_installation_outside_of_one_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checkout, "__file__", str(tmp_path / "site-packages/jal/checkout.py"))
    with pytest.raises(InputError, match="run it inside a clone, or name one with --root"):
        find_root()


def test_an_editable_installation_finds_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert (find_root() / "jal/checkout.py").is_file()
