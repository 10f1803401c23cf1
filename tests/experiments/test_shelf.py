"""How many runs of a grid are there, where a chapter finds them, and what it does where it cannot make the rest."""

import pytest

from jal.errors import InputError
from jal.experiments import Store, grids, shelf
from tests.experiments.fake_runs import finished


def test_runs_in_bfloat16_count_once_and_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(shelf, "names", lambda profile: ["table2"])
    store = Store(tmp_path)

    def counted(*specs):
        for spec in specs:
            store.put(finished(spec, 1.0))
        return shelf.counts([store])["table2"]["full"]

    first, second, third, *others = grids.get("table2").specs()
    total = 3 + len(others)
    assert counted() == f"0 of {total}"
    assert counted(first.at("bfloat16"), second.at("bfloat16")) == f"2 of {total}, all in bfloat16"
    assert counted(third) == f"3 of {total}, 2 of them in bfloat16"
    assert counted(first) == f"3 of {total}, 1 of them in bfloat16"
    assert counted(second) == f"3 of {total}"


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


def test_more_seeds_of_our_own_data_are_no_recipe_of_the_papers(tmp_path):
    found = shelf.counts([Store(tmp_path)])
    assert set(found["digits"]) == {"quick"} and {"full", "laptop"} <= set(found["table3-cifar10"])
