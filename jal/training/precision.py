"""The precision of a run: which number formats a device can train in, and which of them make it faster.

In "bfloat16" the products of convolutions and linear layers are of 16 bits, and what is added up over a training stays
in float32: weights, gradients, the optimiser's memory, the statistics of batch normalisation, the loss. So it is on
every device; what differs is whether the device gains from it.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import torch

from jal.errors import InputError, unknown
from jal.training import speed
from jal.training.recipe import PRECISIONS

GAIN = 0.9
"""A format counts as faster if a convolution takes less than this share of float32's time: less may be chance."""

_X86 = frozenset({"avx512_bf16", "amx_bf16"})
_ARM = frozenset({"bf16", "svebf16"})
"""As Linux calls the instructions in /proc/cpuinfo."""


def possible_precisions(device: str) -> tuple[str, ...]:
    """The precisions that a device, by torch's name for it, can train in."""
    kind = torch.device(device).type
    without = set()
    if kind == "mps":
        without.add("float64")
        # Where it cannot, autocast only warns, and goes on in float32.
        if not torch.backends.mps.is_macos_or_newer(14, 0):
            without.add("bfloat16")
    if kind == "cuda" and not torch.cuda.is_bf16_supported():
        without.add("bfloat16")
    return tuple(name for name in PRECISIONS if name not in without)


def check_precision(precision: str, device: str) -> None:
    """Refuses what a device cannot do.

    Raises
    ------
    InputError
        for an unknown precision, and for one that the device does not have.
    """
    if precision not in PRECISIONS:
        raise unknown("precision", precision, PRECISIONS)
    here = possible_precisions(device)
    if precision not in here:
        raise InputError(f"precision {precision!r} is not to be had on {device}: take {' or '.join(here)}")


def fast_precisions(device: str) -> tuple[str, ...]:
    """The precisions that a device has instructions for and gains by: "float32", and "bfloat16" where it is faster."""
    return ("float32",) if why_bfloat16_is_slow(device) else ("float32", "bfloat16")


@lru_cache
def why_bfloat16_is_slow(device: str) -> str | None:
    """A sentence for a person, None where bfloat16 makes a device faster.

    A processor must have the instructions, and prove it on one convolution; of a GPU its generation says enough.
    """
    kind = torch.device(device).type
    if "bfloat16" not in possible_precisions(device):
        return f"bfloat16 is not to be had on {device}"
    if kind == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return None
        return "bfloat16 is slower here: this GPU is older than compute capability 8.0, and emulates it"
    if kind == "cpu" and not has_bfloat16_instructions():
        return (
            "bfloat16 is slower here: this processor has no instructions for it "
            "(AVX512-BF16 or AMX on x86, BF16 on Arm)"
        )
    share = _share_of_time(device)
    if share < GAIN:
        return None
    how = "slower" if share > 1 else "hardly faster"
    return f"bfloat16 is {how} here: a convolution takes {share:.2f} x the time"


def has_bfloat16_instructions() -> bool:
    """Whether this processor multiplies in bfloat16, as torch or Linux says.

    Without, torch computes all the same, and converts every number there and back.
    """
    return _torch_knows_them() or bool((_ARM if _is_arm() else _X86) & _flags())


def _is_arm() -> bool:
    return platform.machine().lower() in ("aarch64", "arm64")


def _torch_knows_them() -> bool:
    # None of these is public, and a release may lack one.
    asked: list[Callable[[], bool] | None]
    if _is_arm():
        # On x86 it asks for AVX-512 alone, which processors without these instructions have too.
        asked = [getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)]
    else:
        asked = [
            getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        ]
    return any(ask() for ask in asked if ask is not None)


def _flags(info: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """What Linux says that the first processor can do; nothing elsewhere."""
    lines = info.read_text().splitlines() if info.exists() else []
    found = (line.partition(":")[2] for line in lines if line.startswith(("flags", "Features")))
    return frozenset(next(found, "").split())


def _share_of_time(device: str) -> float:
    """What a convolution takes in bfloat16, as a share of what it takes in float32."""

    def seconds(dtype: torch.dtype) -> float:
        images, weights = (
            torch.ones(size, dtype=dtype, device=device).to(memory_format=torch.channels_last)
            for size in ((32, 64, 16, 16), (64, 64, 3, 3))
        )

        def step() -> None:
            # A value that is asked for has been waited for, whatever the device.
            torch.nn.functional.conv2d(images, weights, padding=1)[0, 0, 0, 0].item()

        return speed.seconds(step, trials=5)

    with torch.no_grad():
        single = seconds(torch.float32)
        return seconds(torch.bfloat16) / single
