"""What is chosen for speed, and when."""

import logging
import time

import pytest
import torch

from jal.training import speed


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("one", "two", "chosen"), [(0.02, 0.002, 2), (0.002, 0.02, 1)])
def test_the_faster_number_of_threads_is_chosen(one, two, chosen):
    torch.set_num_threads(2)
    speed.choose_threads(lambda: time.sleep(one if torch.get_num_threads() == 1 else two))
    assert torch.get_num_threads() == chosen


def test_where_there_is_one_thread_nothing_is_tried():
    torch.set_num_threads(1)
    speed.choose_threads(lambda: pytest.fail("it was tried"))
    assert torch.get_num_threads() == 1


def test_why_a_network_is_not_compiled_is_said_once(caplog):
    speed.say_uncompiled.cache_clear()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            speed.say_uncompiled("no compiler")
    assert [record.message for record in caplog.records] == ["the network runs uncompiled: no compiler"]
