"""What a run trains and tests on: bytes on the device, one copy for all the runs there, or files to be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from jal.datasets import ImageData
from jal.datasets.large import LargeImages
from jal.datasets.large.sets import LargeData


class Data(Protocol):
    """What a loop needs to know of its data; what the images are is between the two."""

    @property
    def train_images(self) -> Any: ...
    @property
    def test_images(self) -> Any: ...
    @property
    def train_labels(self) -> Tensor: ...
    @property
    def test_labels(self) -> Tensor: ...
    @property
    def num_classes(self) -> int: ...
    @property
    def device(self) -> torch.device: ...


@dataclass(frozen=True)
class DeviceData:
    """`jal.datasets.ImageData` on a device: uint8 images (N, height, width, channels), int64 labels (N,); K classes."""

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    num_classes: int

    @property
    def device(self) -> torch.device:
        """Where all of it lies."""
        return self.train_images.device

    @staticmethod
    def of(data: ImageData, device: str | torch.device = "cpu") -> DeviceData:
        """A copy: the maps of the dataset's files can be closed after it."""
        arrays = (data.train_images, data.train_labels, data.test_images, data.test_labels)
        # numpy copies a map of a file in half the time that torch takes.
        one, two, three, four = (torch.from_numpy(np.array(array)).to(device) for array in arrays)
        return DeviceData(one, two, three, four, data.num_classes)


@dataclass(frozen=True)
class StreamedData:
    """`jal.datasets.large.sets.LargeData` for a device: its labels there, int64 (N,), its images still on disk."""

    train_images: LargeImages
    train_labels: Tensor
    test_images: LargeImages
    test_labels: Tensor
    num_classes: int
    others: Mapping[str, LargeImages] = field(default_factory=dict)
    left_out: dict[str, list[str]] = field(default_factory=dict)

    @property
    def device(self) -> torch.device:
        """Where the labels lie, and the batches go."""
        return self.train_labels.device

    @staticmethod
    def of(data: LargeData, device: str | torch.device = "cpu") -> StreamedData:
        """Nothing of the images is read yet."""
        train, test = (torch.tensor(images.labels, device=device) for images in (data.train, data.test))
        return StreamedData(data.train, train, data.test, test, data.num_classes, data.others, data.left_out)
