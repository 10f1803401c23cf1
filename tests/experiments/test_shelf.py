"""Where a chapter finds Records, and what it does where it cannot make those that are missing."""

import pytest

from jal.errors import InputError
from jal.experiments import grids, shelf


@pytest.mark.parametrize("absent", [True, False])
def test_a_chapter_whose_images_are_not_here_says_so_and_goes_on(monkeypatch, capsys, absent):
    def refuse(*arguments, **options):
        raise InputError("no fashion-mnist, or something else")

    monkeypatch.setattr(shelf, "run_missing", refuse)
    monkeypatch.setattr(shelf, "is_absent", lambda dataset: absent and dataset == "fashion-mnist")
    grid = grids.get("table3-cifar10", profile="laptop")
    if absent:
        shelf.complete(grid, "laptop")
        assert "fashion-mnist is not here" in capsys.readouterr().out
    else:
        with pytest.raises(InputError):
            shelf.complete(grid, "laptop")


def test_the_digits_are_always_here():
    assert not shelf.is_absent("digits")
