"""Where a run computes, and how."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from jal.errors import InputError

PIXELS_FOR_A_SECOND_THREAD = 2**15
"""A batch of fewer is done in steps of microseconds, in which threads wait for one another more than they work."""


def choose_device(device: str = "auto") -> str:
    """A device's name, checked; for "auto" the best one here.

    Raises
    ------
    InputError
        for a device that is not here.
    """
    import torch

    here = ["cuda"] * torch.cuda.is_available() + ["mps"] * torch.backends.mps.is_available() + ["cpu"]
    if device == "auto":
        return here[0]
    try:
        kind = torch.device(device).type
    except RuntimeError:
        kind = ""
    if kind not in here:
        raise InputError(f"device {device!r} is not here: take one of {', '.join(['auto', *here])}")
    return device


@contextmanager
def computing(device: str, deterministic: bool, pixels: int) -> Iterator[None]:
    """Within it, torch has the threads and kernels that a run is to have; afterwards those it had.

    On a GPU the work goes to a stream of its own, so that runs in several threads share the card.

    Parameters
    ----------
    device
        torch's name for it.
    deterministic
        one thread, and deterministic kernels.
    pixels
        of a batch; a small one has one thread in any case.
    """
    import torch

    threads, before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    if deterministic or pixels < PIXELS_FOR_A_SECOND_THREAD:
        torch.set_num_threads(1)
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
    stream = torch.cuda.Stream(device) if device.startswith("cuda") else None  # type: ignore[no-untyped-call]
    try:
        with torch.cuda.stream(stream):
            yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(before)
