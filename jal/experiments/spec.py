"""RunSpec: all that can change what a run gives, fully resolved, and the id that is made of it.

A run's id is the SHA-256 of its spec's canonical JSON (`jal.experiments.schema`). What can change the result is
in it; what cannot (commit, device, number of threads, folder) is not. So that an id, once given, stays:

- A new field comes with the default that keeps the old meaning; it is then left out of old specs' JSON.
- No field changes its name, type or default, and no name that a field may hold changes what it means.
- A change of the code that changes numbers raises `SCIENCE`, which gives every run a new id. A test with short
  golden trajectories fails when numbers move and it did not.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

from jal.errors import InputError, unknown
from jal.experiments.noises import NoiseSpec, resolve_noise
from jal.experiments.schema import canonical, pack, parse, unpack
from jal.training.recipe import RECIPES, SETTINGS, Recipe
from jal.training.recipe import recipe as recipe_of

SCIENCE = 1
"""Raised by hand when, and only when, a change of the code changes the numbers that a run gives."""

BORROWED = {"cifar100-coarse": "cifar10", "digits": "cifar10", "fashion-mnist": "cifar10", "mnist": "cifar10"}
"""Datasets of ours, and whose loss parameters they take; a spec holds the resulting numbers."""


@dataclass(frozen=True)
class LossSpec:
    """A loss of the catalogue and every one of its parameters."""

    name: str
    parameters: dict[str, float] = field(hash=False)


@dataclass(frozen=True)
class RunSpec:
    """One run. `resolve` makes it.

    Attributes
    ----------
    dataset
        what is trained and tested on.
    noise, loss, recipe
        the labels, the loss and the training, every number in its place.
    seed
        of the weights and the order of the batches.
    science
        the version of the numbers, `SCIENCE` when the spec was made.
    """

    dataset: str
    noise: NoiseSpec
    loss: LossSpec
    recipe: Recipe
    seed: int
    science: int

    @cached_property
    def id(self) -> str:
        """The first 16 hexadecimal digits of the canonical JSON's SHA-256."""
        return _hash(self.to_json())

    def to_json(self) -> str:
        """Canonical: equal specs have equal text.

        Raises
        ------
        InputError
            for a value that is not of its field's type, or not finite.
        """
        return canonical(pack(self, where="spec"))

    @property
    def in_half(self) -> bool:
        """Whether it is in bfloat16 where its dataset's recipe is not."""
        return self.recipe.precision == "bfloat16" != RECIPES[self.dataset].precision

    def at(self, precision: str) -> RunSpec:
        """The same run in a precision, another run therefore."""
        return replace(self, recipe=replace(self.recipe, precision=precision))

    @staticmethod
    def from_json(text: str) -> RunSpec:
        """The spec that `to_json` wrote.

        Raises
        ------
        InputError
            for text that is not JSON, and for a field that is unknown, missing or of the wrong type.
        """
        # A store's thousands of specs are some hundreds with other seeds; each of these is read once.
        parts = _SEED.split(text)
        seeds = [int(seed) for seed in parts[1::2]]
        base = _canonical('"seed":0'.join(parts[::2]))
        if base is None or [s for s in (base.noise.seed, base.seed) if s is not None] != [0] * len(seeds):
            return _read(text)
        spec = replace(
            base,
            noise=replace(base.noise, seed=seeds[0]) if len(seeds) == 2 else base.noise,
            loss=replace(base.loss, parameters=dict(base.loss.parameters)),
            seed=seeds[-1],
        )
        vars(spec)["id"] = _hash(text)
        return spec


_SEED = re.compile(r'"seed":(0|[1-9][0-9]{0,9})')


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(text: str) -> RunSpec:
    try:
        data = parse(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"a spec must be JSON: {error}") from None
    return unpack(data, RunSpec, "spec")


@lru_cache(maxsize=4096)
def _canonical(text: str) -> RunSpec | None:
    """The spec of canonical text, None of any other."""
    try:
        spec = _read(text)
    except InputError:
        return None
    return spec if spec.to_json() == text else None


def resolve(
    *,
    dataset: str,
    noise: str = "clean",
    rate: float | None = None,
    variant: str | None = None,
    loss: str,
    settings: str = "official",
    seed: int = 123,
    noise_seed: int | None = None,
    method: str = "exact",
    borrow: str | None = None,
    loss_parameters: Mapping[str, float] | None = None,
    **overrides: object,
) -> RunSpec:
    """The RunSpec of a few words.

    Parameters
    ----------
    dataset
        one of `jal.training.recipe.RECIPES`.
    noise, rate
        "clean"; "symmetric", "asymmetric", "pair" or "instance" with a rate in [0, 1), 0 being "clean"; "human" or
        "file", which have none.
    variant
        which of a noise's kinds, where it has several: see `jal.experiments.noises.NoiseSpec`. If left out,
        `settings` says; CIFAR-10's human labels and a file have to be named.
    loss
        a name of the catalogue, or "LT-APL".
    settings
        "official" (the authors' released code) or "paper" (its text and Table 8).
    seed
        of weights and batches.
    noise_seed
        of the labels; `seed` if left out, as in the released code.
    method
        "exact" or "bernoulli": see `jal.noise.corrupt`.
    borrow
        the dataset whose loss parameters to take. The digits, MNIST, Fashion-MNIST and CIFAR-100's 20 coarse
        classes, whose recipes are ours, take CIFAR-10's.
    loss_parameters
        values instead of the table's.
    overrides
        fields of `Recipe` instead of the dataset's, e.g. `epochs=20`. A regulariser is two fields: `l1=0, l2=1e-4`.

    Raises
    ------
    InputError
        for an unknown name, a value outside its domain, or parameters that the loss has neither given nor in
        the table.

    Examples
    --------
    >>> spec = resolve(dataset="cifar10", noise="symmetric", rate=0.8, loss="JAL-CE")
    >>> spec.id, spec.recipe.epochs, spec.loss.parameters["a"]
    ('d2b1e178fc0d8f7d', 120, 30.0)
    """
    if dataset not in RECIPES:
        raise unknown("dataset", dataset, RECIPES)
    if settings not in SETTINGS:
        raise unknown("settings", settings, SETTINGS)
    # The catalogue needs torch, which a reader of specs does not.
    from jal.losses.catalog import DATASETS, OPTIONS, entry
    from jal.training import lt_apl

    source = borrow or BORROWED.get(dataset, dataset)
    if source not in DATASETS:
        raise unknown("dataset to borrow loss parameters from", source, DATASETS)
    if loss == lt_apl.NAME:
        parameters = lt_apl.parameters(source, noise, rate, loss_parameters or {})
    else:
        for name in set(loss_parameters or {}) & set(
            OPTIONS
        ):  # which are a loss's in one's own training alone
            raise unknown(f"parameter of {loss}", name, [p.name for p in entry(loss).parameters])
        parameters = entry(loss).values(source, settings, loss_parameters or {})
    base = pack(recipe_of(dataset, loss, settings))
    return RunSpec(
        dataset=dataset,
        noise=resolve_noise(
            dataset, noise, rate, variant, settings, method, _seed(seed if noise_seed is None else noise_seed)
        ),
        loss=LossSpec(loss, parameters),
        recipe=unpack(base | overrides, Recipe, "recipe"),
        seed=_seed(seed),
        science=SCIENCE,
    )


def _seed(value: int) -> int:
    seed = unpack(value, int, "seed")
    if not 0 <= seed < 2**32:
        raise InputError(f"seed {seed}: give an integer from 0 to 2**32 - 1")
    return seed
