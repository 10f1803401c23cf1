"""Records in groups: by noise, by loss."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from jal.errors import InputError
from jal.experiments.noises import NoiseSpec
from jal.experiments.record import Record
from jal.experiments.spec import RunSpec

Condition = tuple[str, str | None, float | None, str | None]


def condition(noise: NoiseSpec) -> Condition:
    """The noise without its seed: runs that differ in seeds alone are repetitions of one another."""
    return noise.kind, noise.variant, noise.rate, noise.method


def cells(records: Iterable[Record]) -> dict[Condition, dict[str, list[Record]]]:
    """Records by noise, then by the loss's name, in the order in which they first appear.

    Raises
    ------
    InputError
        if there are none, or two runs of one cell differ in more than their seeds: a mean of them means nothing.
    """
    groups: dict[Condition, dict[str, list[Record]]] = {}
    for record in records:
        losses = groups.setdefault(condition(record.spec.noise), {})
        runs = losses.setdefault(record.spec.loss.name, [])
        if runs and _seedless(runs[0].spec) != _seedless(record.spec):
            raise InputError(
                f"the runs {runs[0].id} and {record.id} of {record.spec.loss.name} differ in more than their seeds: "
                "show them apart"
            )
        runs.append(record)
    if not groups:
        raise InputError("no Records to show: run the experiment first")
    return groups


def _seedless(spec: RunSpec) -> RunSpec:
    return replace(spec, seed=0, noise=replace(spec.noise, seed=None))


def noise_title(noise: Condition) -> str:
    """A column's heading, e.g. "symmetric 0.4"."""
    kind, variant, rate, method = noise
    words = [
        kind,
        variant,
        f"{rate:g}" if rate is not None else None,
        "drawn" if method == "bernoulli" else None,
    ]
    return " ".join(word for word in words if word)
