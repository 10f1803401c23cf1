"""Precision: what stays in float32 beside bfloat16's products, what a device can do, and what it gains from."""

import platform
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from jal import losses, models
from jal.datasets import ImageData
from jal.errors import InputError
from jal.training import precision
from jal.training.data import DeviceData
from jal.training.loop import Training
from jal.training.recipe import recipe

L1 = 3e-3


@pytest.fixture(autouse=True)
def asked_anew():
    precision.why_bfloat16_is_slow.cache_clear()
    yield
    precision.why_bfloat16_is_slow.cache_clear()


class Watched(nn.Module):
    """JAL-CE that remembers the types of what it is given and of what it gives."""

    name = "JAL-CE"

    def __init__(self):
        super().__init__()
        self.loss, self.seen = losses.build("JAL-CE", "cifar10", reduction="none"), set()

    def forward(self, logits, labels):
        values = self.loss(logits, labels)
        self.seen |= {("logits", logits.dtype), ("values", values.dtype)}
        return values


def training(in_precision, **change):
    """Three steps and a partial one of a small network on 100 random images."""
    random = np.random.RandomState(0)
    images, labels = random.randint(0, 256, (100, 8, 8, 1)).astype(np.uint8), np.arange(100) % 10
    data = ImageData("random", images, labels, images[:40], labels[:40], tuple("0123456789"))
    r = replace(recipe("digits", "JAL-CE"), epochs=1, batch_size=32, clip_norm=None, l1=L1)
    torch.manual_seed(5)
    model = models.build("cnn2", 10, 1, 8)
    r = replace(r, precision=in_precision, **change)
    return Training(model, Watched(), DeviceData.of(data), labels, r, seed=3, eager=True)


def outputs_of(run, kind):
    """The types of what the modules of a kind put out, filled as it runs."""
    seen = set()
    for module in run.model.modules():
        if isinstance(module, kind):
            module.register_forward_hook(lambda module, given, out: seen.add(out.dtype))
    return seen


def only(tensors, dtype=torch.float32):
    tensors = list(tensors)
    return bool(tensors) and {t.dtype for t in tensors if t.is_floating_point()} == {dtype}


def rounded(tensors):
    """Whether all numbers are such as bfloat16 has: those of float32 are with 1 in 2**16."""
    return all(torch.equal(t, t.bfloat16().float()) for t in tensors)


def test_bfloat16_is_the_products_alone():
    run = training("bfloat16")
    convolutions, linear = outputs_of(run, nn.Conv2d), outputs_of(run, nn.Linear)
    run.run()
    assert convolutions == linear == {torch.bfloat16}
    assert run.loss.seen == {("logits", torch.float32), ("values", torch.float32)}
    weights = list(run.model.parameters())
    statistics = [b for name, b in run.model.named_buffers() if "running" in name]
    memory = list(run.optimiser.state().values())
    assert len(memory) == len(weights) and len(statistics) > 0
    for kept in (weights, statistics, memory, [run.losses, run.test]):
        assert only(kept)
        assert not rounded(kept), "float32 in name, but what it holds was bfloat16"


def test_gradients_and_the_l1_penalty_are_in_float32_beside_bfloat16():
    run = training("bfloat16")
    step, parameters, seen = run.optimiser.step, list(run.model.parameters()), []

    def watched():
        gradients = [p.grad.clone() for p in parameters]
        expected = [g + L1 * torch.sign(p.detach()) for g, p in zip(gradients, parameters, strict=True)]
        step()
        seen.append((gradients, expected, [p.grad.clone() for p in parameters]))

    run.optimiser.step = watched
    run.run()
    assert len(seen) == 4
    for gradients, expected, penalised in seen:
        assert only(gradients) and only(penalised)
        assert not rounded(penalised)
        for a, b in zip(expected, penalised, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-9)


def test_adam_remembers_in_float32_beside_bfloat16():
    run = training("bfloat16", optimiser="adam", momentum=0.0)
    run.run()
    memory = [t for name, t in run.optimiser.state().items() if "exp_avg" in name]
    assert only(memory) and not rounded(memory)


@pytest.mark.parametrize(("name", "dtype"), [("float32", torch.float32), ("float64", torch.float64)])
def test_the_others_are_of_one_type_throughout(name, dtype):
    run = training(name)
    convolutions = outputs_of(run, nn.Conv2d)
    run.run()
    assert convolutions == {dtype} and run.loss.seen == {("logits", dtype), ("values", dtype)}
    assert only(run.model.state_dict().values(), dtype) and only(run.optimiser.state().values(), dtype)


def test_bfloat16_gives_other_numbers_but_not_far_off():
    single, half = (training(name).run()["train_loss"][0] for name in ("float32", "bfloat16"))
    assert single != half and half == pytest.approx(single, rel=0.05)


# What a device can do


@pytest.mark.parametrize(
    ("new_enough", "there"), [(True, ("float32", "bfloat16")), (False, ("float32",))], ids=["new", "old"]
)
def test_mps_has_no_float64_and_bfloat16_only_if_new_enough(monkeypatch, new_enough, there):
    monkeypatch.setattr(torch.backends.mps, "is_macos_or_newer", lambda major, minor: new_enough)
    assert precision.possible_precisions("mps") == there
    with pytest.raises(InputError, match=f"^precision 'float64' is not to be had on mps: take {there[0]}"):
        precision.check_precision("float64", "mps")


def test_a_gpu_without_bfloat16_refuses_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: False)
    with pytest.raises(InputError, match="'bfloat16' is not to be had on cuda:0: take float32 or float64"):
        precision.check_precision("bfloat16", "cuda:0")
    assert precision.fast_precisions("cuda:0") == ("float32",)


def test_a_processor_can_do_all_and_knows_no_others():
    for name in ("float32", "bfloat16", "float64"):
        precision.check_precision(name, "cpu")
    with pytest.raises(InputError, match="unknown precision 'bfloat61': did you mean 'bfloat16'"):
        precision.check_precision("bfloat61", "cpu")


# What it gains from


@pytest.mark.parametrize(
    ("instructions", "share", "why"),
    [
        (True, 0.5, None),
        (True, 0.97, "bfloat16 is hardly faster here: a convolution takes 0.97 x the time"),
        (True, 1.43, "bfloat16 is slower here: a convolution takes 1.43 x the time"),
        (False, 0.5, "bfloat16 is slower here: this processor has no instructions for it"),
    ],
)
def test_a_processor_is_fast_with_the_instructions_and_if_a_convolution_proves_it(
    monkeypatch, instructions, share, why
):
    monkeypatch.setattr(precision, "has_bfloat16_instructions", lambda: instructions)
    monkeypatch.setattr(precision, "_share_of_time", lambda device: share)
    said = precision.why_bfloat16_is_slow("cpu")
    assert said is None if why is None else said.startswith(why) and "\n" not in said
    assert precision.fast_precisions("cpu") == (("float32",) if why else ("float32", "bfloat16"))


@pytest.mark.parametrize(("native", "fast"), [(True, ("float32", "bfloat16")), (False, ("float32",))])
def test_a_gpu_is_fast_if_it_does_not_emulate(monkeypatch, native, fast):
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or native
    )
    assert precision.fast_precisions("cuda") == fast


def test_one_convolution_is_tried_in_both_formats(monkeypatch):
    convolution, tried = nn.functional.conv2d, []

    def watched(images, weights, padding):
        tried.append((images.dtype, weights.dtype))
        return convolution(images, weights, padding=padding)

    def seconds(step, trials):
        step()
        return {torch.float32: 0.03, torch.bfloat16: 0.01}[tried[-1][0]]

    monkeypatch.setattr(nn.functional, "conv2d", watched)
    monkeypatch.setattr(precision.speed, "seconds", seconds)
    assert precision._share_of_time("cpu") == pytest.approx(1 / 3)
    assert tried == [(torch.float32, torch.float32), (torch.bfloat16, torch.bfloat16)]


def test_the_trial_takes_a_moment():
    began = time.perf_counter()
    share = precision._share_of_time("cpu")
    assert share > 0 and time.perf_counter() - began < 5


@pytest.mark.parametrize(
    ("machine", "flags", "there"),
    [
        ("x86_64", "avx512f avx512_bf16", True),
        ("x86_64", "avx512f amx_bf16 amx_tile", True),
        ("x86_64", "avx512f avx512bw bf16", False),
        ("aarch64", "asimd bf16", True),
        ("aarch64", "asimd sve svebf16", True),
        ("aarch64", "asimd sve avx512_bf16", False),
        ("aarch64", "", False),
    ],
)
def test_instructions_as_linux_names_them(monkeypatch, tmp_path, machine, flags, there):
    info = tmp_path / "cpuinfo"
    word = "flags\t\t" if machine == "x86_64" else "Features\t"
    info.write_text(f"processor\t: 0\n{word}: {flags}\n\nprocessor\t: 1\n{word}: other\n")
    found = precision._flags(info)
    assert found == set(flags.split())
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(precision, "_torch_knows_them", lambda: False)
    monkeypatch.setattr(precision, "_flags", lambda: found)
    assert precision.has_bfloat16_instructions() is there


def test_without_linux_there_are_no_flags(tmp_path):
    assert precision._flags(tmp_path / "absent") == frozenset()


@pytest.mark.parametrize("name", ["_is_avx512_bf16_supported", "_is_amx_tile_supported"])
def test_torch_is_asked_where_it_can_tell(monkeypatch, name):
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    for each in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.delattr(torch.cpu, each, raising=False)
    assert precision._torch_knows_them() is False
    monkeypatch.setattr(torch.cpu, name, lambda: True, raising=False)
    assert precision._torch_knows_them() is True
