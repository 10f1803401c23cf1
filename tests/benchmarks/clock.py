"""Where the time of a step goes, for any loop that says when a part of it is over."""

from __future__ import annotations

import time

import numpy as np
import torch

PARTS = ("data", "forward", "loss", "backward", "optimiser")


class Clock:
    """Marks on the device's own time line: cuda's events, or the host's time where the host does the work.

    A call marks the end of a part; the first starts the clock, whatever it is called.
    """

    def __init__(self, device: torch.device) -> None:
        self.cuda = device.type == "cuda"
        self.parts: list[str] = []
        self.times: list = []

    def __call__(self, part: str) -> None:
        self.parts.append(part)
        if self.cuda:
            self.times.append(torch.cuda.Event(enable_timing=True))
            self.times[-1].record()
        else:
            self.times.append(time.perf_counter())

    def seconds(self, skip: int = 0) -> dict[str, float]:
        """The mean duration of each part, from the mark before to its own, without its first `skip`."""
        if self.cuda:
            torch.cuda.synchronize()
        durations: dict[str, list[float]] = {}
        for part, start, end in zip(self.parts[1:], self.times, self.times[1:], strict=False):
            duration = start.elapsed_time(end) / 1000 if self.cuda else end - start
            durations.setdefault(part, []).append(duration)
        return {part: float(np.mean(values[skip:])) for part, values in durations.items()}
