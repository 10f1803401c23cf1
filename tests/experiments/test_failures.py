"""Notes of failed runs."""

import json

import pytest

from jal.experiments.failures import Failures


def test_failures(tmp_path):
    one = Failures(tmp_path)
    assert one.all() == {} and one.reason("run") is None
    one.note("run", "not finite", "0123")
    assert one.all() == {"run": "not finite"} and one.reason("run") == "not finite"
    (tmp_path / ".failed" / "damaged.json").write_text("{")
    with pytest.warns(UserWarning, match=r"damaged\.json is no note of a failure: passed over"):
        assert one.all() == {"run": "not finite"}
    note = json.loads((tmp_path / ".failed" / "run.json").read_text())
    assert note["commit"] == "0123" and note["time"].endswith("+00:00")
    one.forgive("run")
    one.forgive("run")
    assert one.all() == {}
