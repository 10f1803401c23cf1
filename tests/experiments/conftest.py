"""Short runs, and a commit for code that may have none yet."""

import pytest

from jal.experiments import resolve, run


@pytest.fixture(autouse=True)
def commit(monkeypatch):
    monkeypatch.setenv("JAL_COMMIT", "0123456789abcdef")


def short(**change):
    """A run of a fraction of a second."""
    words = {"dataset": "digits", "noise": "symmetric", "rate": 0.4, "loss": "JAL-CE", "epochs": 2}
    return resolve(**(words | change))


@pytest.fixture(name="short")
def _short():
    return short


@pytest.fixture(scope="session")
def record():
    return run(short(), deterministic=True, commit=("0123456789abcdef", False))
