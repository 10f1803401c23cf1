"""Label noise: transitions, and labels made noisy by them. Arrays in, arrays out."""

from __future__ import annotations

from jal.noise.corrupt import corrupt
from jal.noise.threshold import Threshold, read_transition, threshold
from jal.noise.transition import Transition, asymmetric, flip_map, symmetric, transition

__all__ = [
    "Threshold",
    "Transition",
    "asymmetric",
    "corrupt",
    "flip_map",
    "read_transition",
    "symmetric",
    "threshold",
    "transition",
]
