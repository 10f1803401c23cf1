"""Time: estimates from Records, durations as text."""

from dataclasses import replace

import pytest

from jal.errors import InputError
from jal.experiments.timing import Timing, duration, hardware, parse_duration


def test_the_median_of_the_same_kind_of_run_on_the_same_hardware(record, short):
    here = hardware(record.environment)
    timing = Timing()
    assert timing.epoch(record.spec, here) is None and timing.run(record.spec, here) is None
    for time in (4.0, 30.0, 2.0):
        timing.add(replace(record, timing={"seconds": time}))
    elsewhere = {"device": "NVIDIA H200", "processor": here}
    timing.add(replace(record, timing={"seconds": 1.0}, environment=elsewhere))
    assert timing.epoch(record.spec, here) == 2.0
    assert timing.epoch(record.spec, "NVIDIA H200") == 0.5
    assert timing.run(short(loss="CE", seed=9, epochs=80), here) == 160.0
    assert timing.run(short(width=0.5), here) is None
    timing.add(replace(record, timing={"seconds": 2.0}))
    assert timing.epoch(record.spec, here) == 1.5


def test_hardware():
    assert hardware({"device": "cpu", "processor": "EPYC"}) == "EPYC"
    assert hardware({"device": "NVIDIA H200", "processor": "EPYC"}) == "NVIDIA H200"


@pytest.mark.parametrize(
    ("text", "value"),
    [("90s", 90), ("9m", 540), ("2h", 7200), ("1h30m", 5400), ("1.5h", 5400), (" 45 ", 45), (2.5, 2.5)],
)
def test_durations_are_read(text, value):
    assert parse_duration(text) == value


@pytest.mark.parametrize("text", ["", "soon", "9 minutes", "-3", "0s", "0", "1d", "m", "inf", "nan", "9m3"])
def test_other_durations_are_refused(text):
    with pytest.raises(InputError, match=r"the duration .* is not one over 0: write 90s"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (570, "9 min 30 s"), (7500, "2 h 5 min")],
)
def test_durations_are_written(value, text):
    assert duration(value) == text
