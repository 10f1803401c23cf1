"""How many runs of a grid are there."""

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
