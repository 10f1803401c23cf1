"""Label noise: transitions, labels made noisy by them or by images, reports on both, files. Arrays in, arrays out."""

from __future__ import annotations

from jal.noise.corrupt import corrupt
from jal.noise.estimate import SmallestA, confident_joint, smallest_a, transition_from_predictions
from jal.noise.instance import instance_dependent, instance_probabilities
from jal.noise.labels import LabelFile, labels_sha256, read_labels, write_labels
from jal.noise.report import NoiseReport, empirical_transition, report
from jal.noise.threshold import Threshold, read_predictions, read_transition, threshold, threshold_of
from jal.noise.transition import Transition, asymmetric, flip_map, pair, symmetric, transition

__all__ = [
    "LabelFile",
    "NoiseReport",
    "SmallestA",
    "Threshold",
    "Transition",
    "asymmetric",
    "confident_joint",
    "corrupt",
    "empirical_transition",
    "flip_map",
    "instance_dependent",
    "instance_probabilities",
    "labels_sha256",
    "pair",
    "read_labels",
    "read_predictions",
    "read_transition",
    "report",
    "smallest_a",
    "symmetric",
    "threshold",
    "threshold_of",
    "transition",
    "transition_from_predictions",
    "write_labels",
]
