"""The benchmark's document has what the page shows; and, on real data, how fast our loop is."""

import json
import os
import re
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from jal import datasets
from jal.errors import InputError
from jal.models import build
from jal.training.precision import fast_precisions
from tests.benchmarks import benchmark, loops, roofline
from tests.benchmarks.clock import PARTS
from tests.benchmarks.loops import Case
from tests.benchmarks.processes import Failed, Worker

LOOPS = ("conventional", "ours")
TINY = Case("cifar10", "JAL-CE", "cpu", 1, images=64, width=0.05, batch_size=8, workers=0)


@pytest.fixture(autouse=True, scope="module")
def importable():
    """Other processes find these modules on the path, and not as pytest does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[2])
        yield


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    out = tmp_path_factory.mktemp("benchmark") / "cpu.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAL_COMMIT", "unknown")
        found = benchmark.run(TINY, count=2, steps=2, budget=100, out=out)
    assert json.loads(out.read_text()) == found
    return found


def test_nothing_failed(document):
    assert not [name for name, found in document["sections"].items() if "failed" in found]
    assert document["schema"] == benchmark.SCHEMA
    assert list(document["sections"]) == [
        *("speed", "memory", "memory_bfloat16", "split", "roofline", "roofline_bfloat16")
    ]


def test_the_ratios_are_those_of_the_pairs(document):
    section = document["sections"]["speed"]
    rates = section["images_per_second"]
    assert len(rates["ours"]) == len(rates["conventional"]) == 2
    assert section["ratios"] == [b / a for a, b in zip(rates["conventional"], rates["ours"], strict=True)]
    assert section["median_ratio"] == median(section["ratios"])
    assert all(5e7 < section["memory"][loop]["resident_bytes"] < 5e10 for loop in LOOPS)
    half = section["half"]
    assert half["ratios"] == [
        b / a for a, b in zip(rates["conventional"], half["images_per_second"], strict=True)
    ]
    assert half["to_ours"]["ratios"] == [
        b / a for a, b in zip(rates["ours"], half["images_per_second"], strict=True)
    ]


def test_the_split_is_of_whole_steps(document):
    section = document["sections"]["split"]
    assert tuple(section["seconds"]["conventional"]) == PARTS
    assert tuple(section["seconds"]["ours"]) == loops.OUR_PARTS
    for loop in LOOPS:
        parts = section["seconds"][loop]
        assert all(0 < seconds < 10 for seconds in parts.values())
        assert section["loss_share"][loop] == section["loss_seconds"][loop] / sum(parts.values())


def test_the_committed_documents_are_whole():
    files = [file for file in sorted(benchmark.RESULTS.glob("*.json")) if file.stem in ("cpu", "cuda")]
    assert "cpu" in [file.stem for file in files]
    for file in files:
        found = json.loads(file.read_text())
        assert found["schema"] == benchmark.SCHEMA
        assert found["case"]["device"] == file.stem and found["case"]["images"] is None
        for section in ("speed", "memory", "split", "roofline"):
            assert "failed" not in found["sections"][section]
        assert len(found["sections"]["speed"]["ratios"]) >= 5
        assert re.fullmatch("[0-9a-f]{40}", found["environment"]["commit"])


def test_a_section_that_fails_loses_no_other(tmp_path, monkeypatch):
    def fails(deadline):
        raise ZeroDivisionError("one\ntwo")

    monkeypatch.setattr(
        benchmark, "sections", lambda *_: {"first": fails, "second": lambda deadline: {"found": 1}}
    )
    out = tmp_path / "cpu.json"
    benchmark.run(TINY, 1, 1, budget=100, out=out)
    first, second = json.loads(out.read_text())["sections"].values()
    assert (first["failed"], second["found"]) == ("ZeroDivisionError: one", 1)
    late = benchmark.run(TINY, 1, 1, budget=0, out=out)["sections"]
    assert {section["failed"] for section in late.values()} == {"the budget was spent before"}


def test_a_process_that_fails_ends_or_is_late_is_said():
    with Worker(time.monotonic() + 60) as worker:
        with pytest.raises(Failed, match=r"^ValueError: could not convert"):
            worker(float, "x")
        assert worker(float, "2") == 2.0
        with pytest.raises(Failed, match="the process ended with the code 3"):
            worker(os._exit, 3)
    with Worker(time.monotonic() + 1) as worker, pytest.raises(Failed, match="time was up"):
        worker(time.sleep, 60)


def test_runs_in_company_are_counted_together():
    found = loops.company(replace(TINY, images=16), 2, 2)
    assert found["runs"] == 2 and found["images_per_second"] > 0


@pytest.mark.parametrize(("model", "size", "flops"), [("cnn8", 32, 0.793e9), ("resnet34", 8, 0.435e9)])
def test_the_arithmetic_of_a_network(model, size, flops):
    layers = roofline.shapes(build(model, 10, 3, size), 3, size)
    assert sum(layer.flops() for layer in layers) == pytest.approx(flops, rel=0.01)
    torch.manual_seed(0)
    counted = FlopCounterMode(display=False)
    with counted:
        network = build(model, 10, 3, size)
        network(torch.zeros(2, 3, size, size)).sum().backward()
    ours = 2 * sum(layer.flops() for layer in layers)
    # The last layers, which are no convolutions, are a thousandth.
    assert counted.get_total_flops() == pytest.approx(ours, rel=0.01)


@pytest.mark.slow
def test_ours_is_fast_enough_on_real_data():
    """Median of five pairs, both loops with all cores; the loss's share; the resident memory of a run."""
    try:
        datasets.load("cifar10")
    except InputError as error:
        pytest.skip(str(error))
    case = Case("cifar10", "JAL-CE", "cpu", os.cpu_count() or 1)
    deadline = time.monotonic() + 1200
    speed = benchmark.turns(case, case, 5, 30, replace(case, precision="bfloat16"))(deadline)
    print(f"ours against the conventional loop: {', '.join(f'{ratio:.2f}' for ratio in speed['ratios'])}")
    assert speed["median_ratio"] >= 1.9
    assert benchmark.split(case, case, 10)(deadline)["loss_share"]["ours"] <= 0.03
    assert benchmark.alone(loops.our_memory, case)(deadline)["resident_bytes"] < 1.2 * 2**30
    if "bfloat16" in fast_precisions("cpu"):
        assert speed["half"]["to_ours"]["median_ratio"] >= 1.9
        assert speed["half"]["median_ratio"] >= 3.8
