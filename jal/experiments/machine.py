"""What runs will use on a machine, how fast that is, and whether its numbers are right: for a report, in half a minute.

Random images in CIFAR-10's shape and its recipe, so that no dataset is needed.
"""

from __future__ import annotations

import dataclasses
import math
import os
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jal.cores import cores
from jal.experiments import provenance
from jal.experiments.device import choose_device, computing

if TYPE_CHECKING:
    from jal.datasets import ImageData
    from jal.training.agreement import Outcome
    from jal.training.loop import Training
    from jal.training.speed import Way

PRECISIONS = ("float32", "bfloat16")
STEPS = 5
BATCH = 128
PIXELS = BATCH * 32**2
PARTIAL = 64
"""Images of the last batch, for which a step of its own is captured."""

TESTED = 250
"""Images for a processor, and for a GPU one full part of a test."""

TESTED_ON_GPU = 2000
GIB = 2**30


@dataclass(frozen=True)
class Measured:
    """How the device does in one precision.

    Attributes
    ----------
    compiled, captured, refused
        as in `jal.training.speed.Way`.
    threads
        of the processor.
    training, testing
        images a second.
    losses, weights
        how far `STEPS` steps are from the processor's, relative to those: see `jal.training.agreement`.
    losses_allowed, weights_allowed
        how far they may be.
    agrees
        whether they are no further.
    """

    compiled: bool
    captured: bool
    refused: tuple[str, ...]
    threads: int
    training: float
    testing: float
    losses: float
    weights: float
    losses_allowed: float
    weights_allowed: float
    agrees: bool

    def __str__(self) -> str:
        return (
            f"{self.training:,.0f} images/s in training, {self.testing:,.0f} in testing; {STEPS} steps "
            f"{'agree with' if self.agrees else 'DIFFER FROM'} the processor's: losses {self.losses:.1g} apart "
            f"({self.losses_allowed:.1g} allowed), weights {self.weights:.1g} ({self.weights_allowed:.1g})"
        )


@dataclass(frozen=True)
class Machine:
    """What `look` found.

    Attributes
    ----------
    device, kind
        its name, and torch's name for it.
    processor, cores, memory
        of the machine; GiB, None where the system does not tell.
    device_memory
        a GPU's own, GiB; None for others.
    software
        versions of jal, torch, Python and the platform; the commit, if it is known.
    compiler, capture
        whether they are used, and else why not, in words.
    measured
        by precision; a precision that fails has the error instead.
    peak_memory
        GiB, of the GPU, or else of this process; None where nobody tells.
    """

    device: str
    kind: str
    processor: str
    cores: int
    memory: float | None
    device_memory: float | None
    software: dict[str, str]
    compiler: str
    capture: str
    measured: dict[str, Measured | str]
    peak_memory: float | None

    @property
    def agrees(self) -> bool:
        """Whether every precision works, and agrees with the processor."""
        return all(isinstance(found, Measured) and found.agrees for found in self.measured.values())

    def to_dict(self) -> dict[str, Any]:
        """As JSON data: the attributes, and `agrees`; null for a number that is not finite."""
        measured = {
            name: {"error": found} if isinstance(found, str) else _finite(dataclasses.asdict(found))
            for name, found in self.measured.items()
        }
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {"schema": 1, **fields, "measured": measured, "agrees": self.agrees}

    def __str__(self) -> str:
        own = f", {_gib(self.device_memory)} of its own" if self.device_memory else ""
        threads = {str(found.threads) for found in self.measured.values() if isinstance(found, Measured)}
        rows = {
            "device": f"{self.device} ({self.kind}){own}",
            "processor": f"{self.processor}, {self.cores} cores, {_gib(self.memory)}",
            "software": ", ".join(f"{name} {version}" for name, version in self.software.items()),
            "compiler": self.compiler,
            "capture": self.capture,
            "threads": ", ".join(sorted(threads)) or "-",
            **{
                n: f"failed: {found}" if isinstance(found, str) else str(found)
                for n, found in self.measured.items()
            },
            "memory": f"{_gib(self.peak_memory)} at most",
            "verdict": "all agrees" if self.agrees else "NOT ALL AGREES: send this with a report",
        }
        return "\n".join(f"{name:<10} {text}" for name, text in rows.items())


def look(device: str = "auto", width: float = 1.0) -> Machine:
    """What a device is and does, measured.

    Parameters
    ----------
    device
        torch's name, or "auto": cuda, then mps, then cpu.
    width
        of cnn8, the network that is measured.

    Raises
    ------
    InputError
        for a device that is not here.
    """
    import torch

    kind = choose_device(device)
    on = torch.device(kind)
    data = _images(TESTED if on.type == "cpu" else TESTED_ON_GPU)
    # The processor at its plainest, in float32: what all else is compared with.
    with computing("cpu", True, PIXELS):
        expected = _training(data, "cpu", "float32", width, eager=True).trial(STEPS)
    ways: dict[str, Way] = {}
    measured = {name: _measured(data, kind, name, width, expected, ways) for name in PRECISIONS}
    about = provenance.environment(kind, 1, provenance.commit(otherwise=provenance.UNKNOWN))
    gpu = torch.cuda.get_device_properties(on).total_memory / GIB if on.type == "cuda" else None
    return Machine(
        device=str(about["processor"] if on.type == "cpu" else about["device"]),
        kind=kind,
        processor=provenance.processor(),
        cores=cores(),
        memory=_memory(),
        device_memory=gpu,
        software={name: str(about[name]) for name in ("jal", "commit", "torch", "python", "platform")},
        compiler=_told("compiled", ways, _no_compiler(on.type)),
        capture=_told("captured", ways, "not on this device" if on.type != "cuda" else "not used"),
        measured=measured,
        peak_memory=_peak(kind),
    )


def _measured(
    data: ImageData, device: str, precision: str, width: float, expected: Outcome, ways: dict[str, Way]
) -> Measured | str:
    """One precision; its way is put into `ways`. An error is a finding too, and told in a line."""
    import torch

    from jal.training.agreement import difference, tolerance

    try:
        with computing(device, False, PIXELS):
            training = _training(data, device, precision, width, eager=False)
            step, test = training.pace()
            found = difference(training.trial(STEPS), expected)
            threads = torch.get_num_threads()
    except Exception as error:  # whatever a device cannot do
        return str(error).strip().partition("\n")[0] or type(error).__name__
    way = ways[precision] = training.way
    allowed = tolerance(precision, torch.device(device).type)
    return Measured(
        way.compiled,
        way.captured,
        way.refused,
        threads,
        training.recipe.batch_size / step,
        len(data.test_labels) / test,
        found.losses,
        found.weights,
        allowed.losses,
        allowed.weights,
        found.within(allowed),
    )


def _images(tested: int) -> ImageData:
    """Random ones in CIFAR-10's shape: `STEPS` full batches and a partial one to train on."""
    import numpy as np

    from jal.datasets import ImageData

    random = np.random.default_rng(0)

    def part(count: int) -> tuple[Any, Any]:
        return random.integers(0, 256, (count, 32, 32, 3), np.uint8), np.arange(count) % 10

    return ImageData("random", *part(STEPS * BATCH + PARTIAL), *part(tested), tuple("0123456789"))


def _training(data: ImageData, device: str, precision: str, width: float, eager: bool) -> Training:
    """CIFAR-10's recipe for cross entropy, whose values tell more than a bounded loss's; the same state each time."""
    import torch

    from jal import losses, models
    from jal.training.data import DeviceData
    from jal.training.loop import Training
    from jal.training.recipe import recipe

    r = dataclasses.replace(recipe("cifar10", "CE"), batch_size=BATCH, precision=precision, width=width)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        model = models.build(r.model, 10, 3, 32, width)
    criterion = losses.build("CE", "cifar10", reduction="none")
    on_device = DeviceData.of(data, device)
    return Training(model, criterion, on_device, data.train_labels, r, seed=0, eager=eager)


def _told(what: str, ways: dict[str, Way], otherwise: str) -> str:
    """Whether all precisions are compiled, or captured; and why those that are not, are not."""
    lacking = {name: way for name, way in ways.items() if not getattr(way, what)}
    if not lacking:
        return "used" if ways else otherwise
    reasons = {
        # The first attempt was compiled, the second was captured alone.
        name: f"refused because {way.refused[0 if what == 'compiled' else -1]}"
        for name, way in lacking.items()
        if way.refused
    }
    if len(set(reasons.values())) == 1 and len(reasons) == len(ways):
        return next(iter(reasons.values()))
    return "; ".join(f"{name}: {reason}" for name, reason in reasons.items()) or otherwise


def _no_compiler(kind: str) -> str:
    """Why a device that does not capture has nothing compiled."""
    if kind == "cuda":
        return "not used"
    found = os.environ.get("CXX") or next(filter(shutil.which, ("c++", "g++", "clang++")), None)
    here = f"a C++ compiler is here, {found}" if found else "there is no C++ compiler either"
    return f"not used: it does not pay on this device ({here})"


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    """Without what JSON has no numbers for."""
    lost = [name for name, value in values.items() if isinstance(value, float) and not math.isfinite(value)]
    return values | dict.fromkeys(lost)


def _gib(size: float | None) -> str:
    return "memory unknown" if size is None else f"{size:.1f} GiB"


def _memory() -> float | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    except (AttributeError, ValueError, OSError):
        return None


def _peak(kind: str) -> float | None:
    """The most memory that this process has had: the GPU's, or else the machine's."""
    import torch

    if kind.startswith("cuda"):
        return torch.cuda.max_memory_reserved(kind) / GIB
    try:
        import resource
    except ImportError:  # Windows
        return None
    # In bytes on macOS, in KiB elsewhere.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (GIB if sys.platform == "darwin" else 2**20)
