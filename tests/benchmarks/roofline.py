"""How fast a network could be trained at most: by what its convolutions and its activations' traffic cost here.

The measured rates of the device, its copy bandwidth and its convolutions at the network's own shapes, make the limit;
nothing is taken from a data sheet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from jal.training import speed
from tests.benchmarks.loops import Case, own_stream

PASSES = 14
"""How often a step, well fused, reads or writes each activation of a convolution, batch normalisation and ReLU.

Forward 5: the convolution writes, the statistics read, the normalisation reads and writes, the next layer reads.
Backward 9: the normalisation's two sums and its gradient read gradient and input once each (4) and write (1), the
gradient of the input is made (2), that of the weights reads both (2).
"""


@dataclass(frozen=True)
class Shape:
    """A convolution with `size` x `size` outputs; the `first` of a network needs no gradient of its input."""

    first: bool
    channels_in: int
    channels: int
    kernel: int
    stride: int
    size: int

    def flops(self) -> int:
        """Of an image, forward and backward."""
        one = 2 * self.channels_in * self.channels * (self.kernel * self.size) ** 2
        return one * (2 if self.first else 3)

    def elements(self) -> int:
        return self.channels * self.size**2


def shapes(model: nn.Module, channels: int, size: int) -> list[Shape]:
    """Of the network's convolutions, in order."""
    found = []

    def note(module: nn.Conv2d, inputs: object, output: Tensor) -> None:
        found.append(
            Shape(
                not found,
                module.in_channels,
                module.out_channels,
                module.kernel_size[0],
                module.stride[0],
                output.shape[-1],
            )
        )

    hooks = [m.register_forward_hook(note) for m in model.modules() if isinstance(m, nn.Conv2d)]
    with torch.no_grad():
        model.eval()(torch.zeros(1, channels, size, size))
    for hook in hooks:
        hook.remove()
    return found


def measure(case: Case, batches: tuple[int, ...] = (128, 1024), mebibytes: int = 1024) -> dict:
    """The limit in images a second, and what it is made of.

    Parameters
    ----------
    batches
        at which the convolutions are timed; the faster of their rates counts, since runs in company fill a device
        as a larger batch does.
    mebibytes
        of the block that is copied.
    """
    torch.set_num_threads(case.threads)
    own_stream(case.device)
    if case.device == "cpu":
        speed.keep_memory()  # as our loop has it
    data = case.data()
    _, _, size, channels = data.train_images.shape
    layers = shapes(case.model(data), channels, size)
    flops = sum(layer.flops() for layer in layers)
    dtype = torch.bfloat16 if case.precision == "bfloat16" else torch.float32
    traffic = PASSES * dtype.itemsize * sum(layer.elements() for layer in layers)
    bandwidth = copy_bandwidth(case.device, mebibytes)
    rates = {}
    for batch in batches:
        seconds = {layer: _convolution(layer, batch, dtype, case.device) for layer in set(layers)}
        rates[batch] = batch * flops / sum(seconds[layer] for layer in layers)
    by_convolution, by_traffic = max(rates.values()) / flops, bandwidth / traffic
    return {
        "precision": case.precision,
        "flops_per_image": flops,
        "bytes_per_image": traffic,
        "copy_bytes_per_second": bandwidth,
        "convolution_flops_per_second": {str(batch): rate for batch, rate in rates.items()},
        "images_per_second": min(by_convolution, by_traffic),
        "bound_by": "convolutions" if by_convolution < by_traffic else "memory traffic",
    }


def copy_bandwidth(device: str, mebibytes: int) -> float:
    """Bytes read and written a second by a copy on the device."""
    source = torch.ones(mebibytes * 2**18, device=device)
    target = torch.empty_like(source)
    seconds = _least(lambda: target.copy_(source), device)
    return 2 * source.numel() * source.itemsize / seconds


def _convolution(layer: Shape, batch: int, dtype: torch.dtype, device: str) -> float:
    """Seconds of one convolution's forward and both backward parts, channels last."""
    before = layer.size * layer.stride
    last = torch.channels_last
    x = torch.randn(batch, layer.channels_in, before, before, device=device, dtype=dtype)
    w = torch.randn(layer.channels, layer.channels_in, layer.kernel, layer.kernel, device=device, dtype=dtype)
    x, w = x.to(memory_format=last), w.to(memory_format=last).requires_grad_()
    wanted = (w,) if layer.first else (x.requires_grad_(), w)

    def forward() -> Tensor:
        return nn.functional.conv2d(x, w, stride=layer.stride, padding=layer.kernel // 2)

    gradient = torch.randn_like(forward())
    return _least(lambda: torch.autograd.grad(forward(), wanted, gradient), device)


def _least(call: Callable[[], object], device: str) -> float:
    """The least of some times; on cuda of several calls at once, captured, so that the host's work is not in it."""
    if not device.startswith("cuda"):
        return speed.seconds(call, trials=5)
    captured, calls = speed.Captured(call), 20

    def several() -> None:
        for _ in range(calls):
            captured()

    return speed.seconds(several, trials=10) / calls
