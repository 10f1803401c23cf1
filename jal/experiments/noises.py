"""NoiseSpec: where a run's given labels come from, resolved from a few words."""

from __future__ import annotations

import re
from dataclasses import dataclass

from jal.errors import InputError, unknown
from jal.experiments.schema import unpack

NOISES = ("clean", "symmetric", "asymmetric", "pair", "instance", "human", "file")
METHODS = ("exact", "bernoulli")
DRAWN = ("symmetric", "asymmetric", "pair")
"""The kinds that are a transition: `method` says how labels are drawn from it."""

FLIPS_CIFAR100 = {"official": "blocks", "paper": "superclasses"}
"""The variants of asymmetric noise on CIFAR-100: see `jal.noise.asymmetric`."""
INSTANCE = {"official": "fixed", "paper": "pdn"}
"""The variants of instance-dependent noise: the release's fixed labels, and PDN's, drawn anew for each seed."""


@dataclass(frozen=True)
class NoiseSpec:
    """Where the given labels come from.

    Attributes
    ----------
    kind
        one of `NOISES`.
    variant
        where a kind has several on one dataset: "blocks" (the released code) or "superclasses" (the paper) for
        asymmetric CIFAR-100; "fixed" (the release's labels) or "pdn" (the paper) for instance-dependent noise;
        "aggre", "rand1", "rand2", "rand3", "worst" (CIFAR-10N) or "noisy" (CIFAR-100N) for human labels; for a
        file the labels' SHA-256.
    rate, method, seed
        the nominal rate, how labels are drawn (`jal.noise.corrupt`) and the draw's own seed; none where nothing
        is drawn.
    """

    kind: str
    variant: str | None = None
    rate: float | None = None
    method: str | None = None
    seed: int | None = None

    def __str__(self) -> str:
        variant = self.variant[:8] if self.kind == "file" and self.variant else self.variant
        rate = None if self.rate is None else f"{self.rate:g}"
        return " ".join(part for part in (self.kind, variant, rate) if part)


def resolve_noise(
    dataset: str,
    kind: str,
    rate: float | None,
    variant: str | None,
    settings: str,
    method: str,
    seed: int,
) -> NoiseSpec:
    """The NoiseSpec of a few words; see `jal.experiments.spec.resolve`.

    Raises
    ------
    InputError
        for an unknown kind, variant or method, one that this dataset has not, and a rate that is missing, out of
        place or outside [0, 1).
    """
    if kind not in NOISES:
        raise unknown("noise", kind, NOISES)
    if method not in METHODS:
        raise unknown("method", method, METHODS)
    rate = _rate(kind, rate)
    variant = _variant(dataset, kind, rate, variant, settings)
    if rate == 0:
        return NoiseSpec("clean")
    drawn = kind in DRAWN or variant == "pdn"
    return NoiseSpec(kind, variant, rate, method if kind in DRAWN else None, seed if drawn else None)


def _rate(kind: str, rate: float | None) -> float | None:
    from jal.noise import checks

    if rate is not None:
        rate = unpack(rate, float, "noise rate")
        checks.rate(rate)
    if kind in ("clean", "human", "file"):
        if rate:
            whose = "clean labels" if kind == "clean" else f"labels of the kind {kind}"
            raise InputError(f"{whose} with a noise rate of {rate}: leave it out, or name another noise")
        return 0.0 if kind == "clean" else None
    if rate is None:
        raise InputError(f"{kind} noise needs a rate: give the share of labels to flip, e.g. 0.4")
    return rate


def _variant(dataset: str, kind: str, rate: float | None, variant: str | None, settings: str) -> str | None:
    if kind == "file":
        if variant is None or not re.fullmatch("[0-9a-f]{64}", variant):
            raise InputError(
                f"noise from a file: the variant {variant!r} is no SHA-256 of labels; name the file"
            )
        return variant
    known, default = _variants(dataset, kind, settings)
    if variant is None:
        if known and default is None:
            raise InputError(f"{kind} noise on {dataset} needs a variant: one of {', '.join(known)}")
        variant = default
    elif variant not in known:
        raise unknown(f"variant of {kind} noise on {dataset}", variant, known)
    if variant == "fixed":
        from jal.datasets.instance import RATES

        if rate and rate not in RATES:
            raise InputError(
                f"instance-dependent labels of rate {rate:g} are not in the release, which has "
                f"{', '.join(map(str, RATES))}: take one of these, or the variant pdn"
            )
    return variant


def _variants(dataset: str, kind: str, settings: str) -> tuple[tuple[str, ...], str | None]:
    """What there is, and what is meant where nothing is said."""
    from jal.datasets.human import HUMAN
    from jal.noise import flip_map

    if kind == "asymmetric":
        flip_map(dataset, settings)
        return (
            ((*FLIPS_CIFAR100.values(),), FLIPS_CIFAR100[settings]) if dataset == "cifar100" else ((), None)
        )
    if kind == "instance":
        released = dataset in HUMAN  # the release has labels for the same two datasets
        return ((*INSTANCE.values(),), INSTANCE[settings]) if released else (("pdn",), "pdn")
    if kind == "human":
        if dataset not in HUMAN:
            raise InputError(f"there are no human labels of {dataset}: take {' or '.join(HUMAN)}")
        variants = tuple(HUMAN[dataset])
        return variants, variants[0] if len(variants) == 1 else None
    return (), None
