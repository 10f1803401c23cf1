"""`jal check`: what it finds, and that it finds what is wrong."""

import json

import pytest
import torch

from jal.experiments import machine
from jal.training import agreement, speed
from jal.training.loop import Training


@pytest.fixture
def jal_check(jal, monkeypatch):
    """The command on a narrow network: its exit code, its JSON document."""
    look = machine.look
    monkeypatch.setattr(machine, "look", lambda device: look(device, width=0.1))
    monkeypatch.setattr(machine, "TESTED", 20)
    monkeypatch.setattr(machine, "BATCH", 8)
    monkeypatch.setattr(machine, "PARTIAL", 4)
    monkeypatch.setenv("JAL_COMMIT", "test")

    def call(*arguments):
        code, out, _ = jal("check", *arguments)
        return code, out

    return call


def test_a_processor_agrees_with_itself(jal_check):
    threads = torch.get_num_threads()
    code, out = jal_check("--json", "--device", "cpu")
    found = json.loads(out)
    assert code == 0 and found["agrees"] and out.count("\n") == 1
    assert found["kind"] == "cpu" and found["software"]["torch"] == torch.__version__
    assert found["capture"] == "not on this device"
    assert found["compiler"].startswith("not used: it does not pay on this device")
    assert found["peak_memory"] > 0
    for precision in ("float32", "bfloat16"):
        measured = found["measured"][precision]
        assert measured["training"] > 0 and measured["testing"] > 0 and measured["threads"] >= 1
        assert measured["losses"] <= measured["losses_allowed"]
    assert found["measured"]["bfloat16"]["losses"] > 0, "it was not computed in bfloat16"
    assert torch.get_num_threads() == threads


def test_for_people(jal_check):
    code, out = jal_check()
    assert code == 0
    names = "device processor software compiler capture threads float32 bfloat16 memory verdict"
    assert [line.split()[0] for line in out.splitlines()] == names.split()
    assert out.endswith("verdict    all agrees\n")


def test_a_device_that_computes_wrongly_is_told(jal_check, monkeypatch):
    step = Training._step

    def half(self, size):
        step(self, size)
        if not self.eager:
            with torch.no_grad():
                self.model.head.weight.mul_(0.5)

    monkeypatch.setattr(Training, "_step", half)
    code, out = jal_check()
    assert code == 1
    assert "5 steps DIFFER FROM the processor's" in out and "NOT ALL AGREES" in out


def test_what_is_not_finite_is_null_in_json(jal_check, monkeypatch):
    trial = Training.trial

    def broken(self, steps):
        found = trial(self, steps)
        return found if self.eager else found._replace(test=float("nan"))

    monkeypatch.setattr(Training, "trial", broken)
    code, out = jal_check("--json")
    assert code == 1 and "NaN" not in out
    assert json.loads(out)["measured"]["float32"]["losses"] is None


def test_a_precision_that_fails_is_told(jal_check, monkeypatch):
    trial = Training.trial

    def fails(self, steps):
        if self.recipe.precision == "bfloat16":
            raise RuntimeError("no kernel\nfor bfloat16")
        return trial(self, steps)

    monkeypatch.setattr(Training, "trial", fails)
    code, out = jal_check("--json")
    found = json.loads(out)
    assert code == 1 and found["measured"]["bfloat16"] == {"error": "no kernel"}
    assert found["measured"]["float32"]["agrees"]


class Refused:
    def __init__(self, function, before=lambda: None):
        raise RuntimeError("a graph cannot be had")


class Replayed:
    def __init__(self, function, before=lambda: None):
        self.function = function

    def __call__(self):
        self.function()


@pytest.mark.parametrize(
    ("graph", "compiler", "capture"),
    [
        (Replayed, "used", "used"),
        (Refused, "refused because a graph cannot be had", "refused because a graph cannot be had"),
    ],
)
def test_what_a_card_uses_is_told(jal_check, monkeypatch, graph, compiler, capture):
    monkeypatch.setattr(speed, "CAPTURING", ("cpu",))
    monkeypatch.setattr(speed, "compiled", lambda body: lambda images: body(images))
    monkeypatch.setattr(speed, "Captured", graph)
    code, out = jal_check("--json")
    found = json.loads(out)
    assert (code, found["compiler"], found["capture"]) == (0, compiler, capture)


def test_what_is_refused_in_one_precision_is_told_with_it():
    ways = {"float32": speed.Way(True, True), "bfloat16": speed.Way(captured=True, refused=("no kernel",))}
    assert machine._told("compiled", ways, "not used") == "bfloat16: refused because no kernel"
    assert machine._told("captured", ways, "not used") == "used"


def test_a_device_that_is_not_here_is_refused(jal):
    code, out, err = jal("check", "--device", "cuda:9")
    assert (code, out) == (2, "") and "cuda:9" in err and err.count("\n") == 1


def test_tolerances_are_stated(jal_check):
    _, out = jal_check("--json")
    allowed = agreement.tolerance("bfloat16", "cpu")
    measured = json.loads(out)["measured"]["bfloat16"]
    assert (measured["losses_allowed"], measured["weights_allowed"]) == allowed
