"""The ledger: who makes which run, and which failed."""

import json

import pytest

from jal.errors import InputError
from jal.experiments.ledger import Ledger


def test_one_owner_a_run(tmp_path):
    one, other = Ledger(tmp_path), Ledger(tmp_path)
    claim = one.claim("run")
    assert claim is not None and other.claim("run") is None and one.claim("run") is None
    second = other.claim("second")
    assert one.running() == {"run", "second"}
    claim.release()
    assert other.running() == {"second"}
    again = other.claim("run")
    assert again is not None
    assert Ledger(tmp_path / "elsewhere").running() == set()
    again.release()
    second.release()


def test_the_claims_of_the_dead_are_tidied_away(tmp_path):
    ledger = Ledger(tmp_path)
    claim = ledger.claim("alive")
    dead = tmp_path / ".claims" / "dead.json"
    dead.write_text(claim.file.read_text().replace('"process": "', '"process": "earlier'))
    ledger.tidy()
    assert not dead.exists() and claim.held()
    claim.release()


def test_failures(tmp_path):
    one = Ledger(tmp_path)
    assert one.failures() == {} and one.failure("run") is None
    one.fail("run", "not finite", "0123")
    assert one.failures() == {"run": "not finite"} and one.failure("run") == "not finite"
    (tmp_path / ".failed" / "damaged.json").write_text("{")
    with pytest.warns(UserWarning, match=r"damaged\.json is no note of a failure: passed over"):
        assert one.failures() == {"run": "not finite"}
    note = json.loads((tmp_path / ".failed" / "run.json").read_text())
    assert note["commit"] == "0123" and note["time"].endswith("+00:00")
    one.forgive("run")
    one.forgive("run")
    assert one.failures() == {}


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / ".claims").write_text("")
    with pytest.raises(InputError, match="cannot write to the folder"):
        Ledger(tmp_path).claim("run")
