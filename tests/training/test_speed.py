"""What is chosen for speed, and when."""

import logging
import time

import pytest
import torch

from jal.training import speed


@pytest.fixture(autouse=True)
def fresh():
    threads = torch.get_num_threads()
    speed.can_compile.cache_clear()
    yield
    speed.can_compile.cache_clear()
    torch.set_num_threads(threads)


def test_without_a_compiler_it_stays_eager_and_says_so_once(monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with caplog.at_level(logging.WARNING):
        assert not speed.pays_to_compile(1.0, 10**6)
        assert not speed.pays_to_compile(1.0, 10**6)
    assert [record.message for record in caplog.records if "no C++ compiler" in record.message] == [
        "no C++ compiler was found, so the network runs uncompiled: with g++ installed it may run faster"
    ]


def test_a_named_compiler_counts(monkeypatch, tmp_path):
    compiler = tmp_path / "my-c++"
    compiler.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CXX", "my-c++")
    assert speed.can_compile()


def test_it_compiles_only_where_the_run_is_long_enough(monkeypatch):
    monkeypatch.setattr(speed, "can_compile", lambda: True)
    enough = speed.COMPILE_SECONDS / speed.SAVED_BY_COMPILING
    assert not speed.pays_to_compile(1.0, int(0.9 * enough))
    assert speed.pays_to_compile(1.0, int(1.1 * enough))


def test_the_faster_number_of_threads_is_found():
    def step():
        time.sleep(0.02 if torch.get_num_threads() == 1 else 0.002)

    threads, seconds = speed.best_threads(step, 2)
    assert threads == 2
    assert 0.002 <= seconds < 0.02
    assert speed.best_threads(lambda: None, 1)[0] == 1
