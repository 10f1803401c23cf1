"""What commands show of a run while it goes on, and before."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from jal.errors import printable

if TYPE_CHECKING:
    from jal.experiments.spec import RunSpec


EpochProgress = Callable[[int, Mapping[str, float]], None]


def say(text: str, err: bool = False, nl: bool = True) -> None:
    """Prints what a command has to say: whatever comes from a file cannot steer the terminal."""
    typer.echo(printable(text), err=err, nl=nl)


def plan_text(plan: dict[str, Any]) -> str:
    """A run's spec, a line a value, and the time it would take in each precision."""
    lines = [f"run       {plan['id']}"]
    for part, values in plan["spec"].items():
        pairs = values.items() if isinstance(values, dict) else [("", values)]
        lines += [
            f"{part if not i else '':<9} {name} {value}".rstrip() for i, (name, value) in enumerate(pairs)
        ]
    for i, (precision, seconds) in enumerate(plan["seconds_by_precision"].items()):
        lines.append(f"{'takes' if not i else '':<9} about {_time(seconds)} here in {precision}")
    return "\n".join(lines)


def _time(seconds: float) -> str:
    minutes = seconds / 60
    if minutes > 90:
        return f"{minutes / 60:.1f} hours"
    return f"{minutes:.1f} minutes" if minutes > 1.5 else f"{seconds:.0f} s"


def too_small(spec: RunSpec) -> str | None:
    """A warning for an AMSE whose `a` does not withstand the noise that it is to be trained on; None for any other."""
    from jal import noise
    from jal.datasets.known import find
    from jal.datasets.large.sets import TRAINED

    kind, rate, a = spec.noise.kind, spec.noise.rate, spec.loss.parameters.get("a")
    if (
        spec.dataset in TRAINED
        or a is None
        or rate is None
        or not ("JAL" in spec.loss.name or "AMSE" in spec.loss.name)
    ):
        return None
    if kind in ("symmetric", "pair"):
        classes = len(find(spec.dataset).classes)
        T = noise.symmetric(classes, rate) if kind == "symmetric" else noise.pair(classes, rate)
    elif kind == "asymmetric":
        T = noise.asymmetric(spec.dataset, rate)
    else:
        return None
    least = noise.threshold(T, spec.loss.parameters.get("q", 2.0))
    if a >= least.a:
        return None
    remedy = f"-p a={least.a:.4g} or more does" if math.isfinite(least.a) else "no a does"
    return f"a = {a:g} does not withstand {kind} noise of rate {rate:g} (Theorem 4.1): {remedy}"


def logged(progress: EpochProgress, folder: Path) -> EpochProgress:
    """The same progress, and a curve of each quantity for TensorBoard."""
    from tensorboardX import SummaryWriter

    from jal import files

    try:
        writer = SummaryWriter(str(folder))
    except OSError as error:
        raise files.unwritable(folder, error) from None

    def show(epoch: int, quantities: Mapping[str, float]) -> None:
        for name, value in quantities.items():
            writer.add_scalar(name, value, epoch)
        writer.flush()
        progress(epoch, quantities)

    return show


def epochs_shown(epochs: int, title: str) -> EpochProgress:
    """Epochs on standard error, under a title: one line that moves on a terminal; elsewhere some ten lines, and one
    after each epoch that half a minute has gone by before."""
    from jal.experiments.watch import SILENCE

    terminal, last = sys.stderr.isatty(), time.monotonic()

    def show(epoch: int, quantities: Mapping[str, float]) -> None:
        nonlocal last
        if epoch == 1:
            say(title, err=True)
        text = (
            f"epoch {epoch}/{epochs}  test accuracy {quantities['test_accuracy']:.2f} %  "
            f"{quantities['images_per_second']:,.0f} images/s"
        )
        if terminal:
            done = 24 * epoch // epochs
            bar = "#" * done + "-" * (24 - done)
            typer.echo(f"\r[{bar}] {text}\033[K", err=True, nl=epoch == epochs)
        elif epoch * 10 // epochs > (epoch - 1) * 10 // epochs or time.monotonic() - last >= SILENCE:
            last = time.monotonic()
            say(text, err=True)

    return show


def counted(unit: str, size: int) -> Callable[[str, int, int | None], None]:
    """Progress by amounts, shown in units of a `size`: one line that moves on a terminal, a line a phase elsewhere."""
    terminal, last = sys.stderr.isatty(), ""

    def show(phase: str, done: int, total: int | None) -> None:
        nonlocal last
        amount = f"{done / size:,.0f}" + (f" of {total / size:,.0f}" if total else "")
        bar = f"[{'#' * (24 * done // total):-<24}] " if total else ""
        if terminal:
            typer.echo(f"\r{bar}{printable(phase)}  {amount} {unit}\033[K", err=True, nl=done == total)
        elif phase != last:
            say(phase, err=True)
        last = phase

    return show
