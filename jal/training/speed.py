"""What makes a step fast and changes no result beyond rounding: compiling, capturing, choosing threads."""

from __future__ import annotations

import ctypes
import logging
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import nn

logger = logging.getLogger(__name__)

WARM_UP = 3
"""Steps before a CUDA graph is captured, as PyTorch's notes on graphs ask for."""

CAPTURING = ("cuda",)
"""The kinds of devices on which steps are captured."""

_capturing = threading.Lock()


@dataclass(frozen=True)
class Way:
    """How a run takes its steps.

    Attributes
    ----------
    compiled, captured
        whether the network of full batches is compiled, and whether steps and test are graphs.
    refused
        why that which was tried first would not do, a line each: compiled and captured, then captured alone.
    """

    compiled: bool = False
    captured: bool = False
    refused: tuple[str, ...] = ()


@cache
def keep_memory() -> None:
    """Let glibc keep what a step frees, for the next one, where it has a say.

    It would hand every large block back and fetch it anew, zeroed page by page, in every step.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        trim_threshold, mmap_max = -1, -4  # as malloc.h has them
        mallopt(mmap_max, 0)
        mallopt(trim_threshold, 2**31 - 1)


def compiled(network: nn.Module) -> Callable[..., torch.Tensor]:
    """The network, compiled for inputs of one shape. On a GPU alone, and it needs a C compiler there.

    On a CPU it did not pay: cnn8 on batches of 128 took 8 % longer compiled on one thread, as long on two, and
    a minute and 0.15 GiB more to begin with.
    """
    return torch.compile(network, dynamic=False)


def say(way: Way) -> None:
    """Logs what was refused, if anything was, in one line."""
    if way.captured and way.refused:
        say_uncompiled(way.refused[0])
    elif way.refused:
        say_plain(" / ".join(dict.fromkeys(way.refused)))


@cache
def say_uncompiled(reason: str) -> None:
    """Logs that a network is not compiled, once for each reason."""
    logger.warning("the network runs uncompiled: %s", reason)


@cache
def say_plain(reason: str) -> None:
    """Logs that a run is neither compiled nor captured, once for each reason."""
    logger.warning("the run goes on plain, neither compiled nor captured: %s", reason)


def choose_threads(step: Callable[[], None]) -> None:
    """One thread or all that torch has now, whichever takes `step` less time.

    A small network loses more to the threads' waiting for each other than it gains.
    """
    most = torch.get_num_threads()
    if most == 1:
        return
    taken = {}
    for threads in (1, most):
        torch.set_num_threads(threads)
        taken[threads] = seconds(step)
    torch.set_num_threads(min(taken, key=lambda threads: taken[threads]))


def seconds(step: Callable[[], None], warm_up: int = 1, trials: int = 3) -> float:
    """The least time of a few, in seconds: what else the machine does only adds."""
    for _ in range(warm_up):
        step()
    taken = []
    for _ in range(trials):
        synchronise()
        start = time.perf_counter()
        step()
        synchronise()
        taken.append(time.perf_counter() - start)
    return min(taken)


def synchronise() -> None:
    """Wait for the GPU, where there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


class Captured:
    """A function of fixed places on a CUDA device, recorded as a graph and replayed without the host's work.

    The function is run `WARM_UP` times first, after `before` each time, so whoever builds this restores what that
    changed.
    """

    def __init__(self, function: Callable[[], None], before: Callable[[], object] = lambda: None) -> None:
        # One capture at a time, and errors of this thread alone: runs that share a card are threads.
        with _capturing:
            stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(WARM_UP):
                    before()
                    function()
            torch.cuda.current_stream().wait_stream(stream)
            torch.cuda.synchronize()
            self._graph = torch.cuda.CUDAGraph()
            # The outer one: a capture that fails would leave its own stream the current one.
            with (
                torch.cuda.stream(torch.cuda.current_stream()),
                torch.cuda.graph(self._graph, stream=stream, capture_error_mode="thread_local"),
            ):
                function()

    def __call__(self) -> None:
        self._graph.replay()
