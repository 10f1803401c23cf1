"""Where the book finds Records, and how a chapter makes those that are missing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from jal.checkout import find_root
from jal.errors import InputError
from jal.experiments import provenance
from jal.experiments.grids import PROFILES, Grid, get, names
from jal.experiments.spec import BORROWED
from jal.experiments.store import Store
from jal.experiments.sweep import run_missing
from jal.training.recipe import RECIPES

SEEDS = {"quick": (123,)}
"""The profiles at which a chapter asks for fewer seeds than its grid has."""


def stores(root: str | Path | None = None) -> tuple[Store, Store]:
    """The checkout's two stores: `data/results`, committed and trusted, and `runs`, for everything else.

    Parameters
    ----------
    root
        the checkout, if not the one found upwards.

    Raises
    ------
    InputError
        without a checkout.
    """
    top = find_root(root)
    return Store(top / "data" / "results"), Store(top / "runs")


def trusted(beside: Store) -> list[Store]:
    """The checkout's `data/results`, to be read beside another store; none without a checkout, or where it is that."""
    try:
        kept, _ = stores()
    except InputError:
        return []
    here = Path.cwd()
    folder = kept.path.relative_to(here) if kept.path.is_relative_to(here) else kept.path
    return [] if beside.path.resolve() == kept.path.resolve() else [Store(folder)]


def counts(stores: Iterable[Store]) -> dict[str, dict[str, str]]:
    """How many runs of each grid the stores have, at each profile that it has, such as "12 of 60"; largest first.

    The profile full is the paper's recipe: a grid of our own data has none. A run that is there in bfloat16 alone
    counts, and is told (`half_in_words`). Records of other numbers, or that cannot be read, count as missing, with a
    warning.
    """
    records = [record for store in stores for record in store.records()]
    there = {record.id for record in records}
    halves = (record.spec for record in records if record.spec.in_half)
    half = {spec.at(RECIPES[spec.dataset].precision).id for spec in halves} - there
    found: dict[str, dict[str, str]] = {}
    for profile in reversed(PROFILES):
        for name in names(profile):
            grid = get(name, profile=profile)
            if profile == "full" and grid.specs()[0].dataset in BORROWED:
                continue  # more seeds of our own data: no recipe of the paper's
            runs = {spec.id for spec in grid.specs(SEEDS.get(profile))}
            twins = 0 if grid.names_precision else len(runs & half)
            done = len(runs & there) + twins
            found.setdefault(name, {})[profile] = f"{done} of {len(runs)}{half_in_words(twins, done)}"
    return found


def half_in_words(half: int, done: int) -> str:
    """How many of what is done are in bfloat16, to end a phrase: ", 2 of them in bfloat16"; nothing for none."""
    if not half:
        return ""
    return f", {'all' if half == done else f'{half} of them'} in bfloat16"


def complete(
    grid: Grid,
    profile: str,
    *,
    seeds: Iterable[int] | None = None,
    jobs: int = 0,
    root: str | Path | None = None,
) -> None:
    """Makes the runs of a grid that neither store has; they go to `runs`.

    The profile full takes hours of a GPU, so where there is none nothing is run: a chapter then shows what is
    committed, and says what is missing. So it does, with a note, where the images are not here.

    Parameters
    ----------
    seeds
        instead of the grid's own, or of the first one alone at the profile quick.
    jobs
        runs at a time on the CPU; 0 for one a core.

    Raises
    ------
    InputError, TrainingError, Stopped
        as `run_missing`.
    """
    trusted, own = stores(root)
    if profile == "full" and not _has_gpu():
        return
    try:
        run_missing(
            grid,
            own,
            also=[trusted],
            seeds=tuple(seeds) if seeds is not None else SEEDS.get(profile),
            jobs=jobs or None,
            commit=provenance.commit(otherwise="unknown"),
        )
    except InputError:
        dataset = grid.specs()[0].dataset
        if not is_absent(dataset):
            raise
        print(f"{dataset} is not here, so no run was made: `jal data fetch {dataset}` gets it.")


def is_absent(dataset: str) -> bool:
    """Whether this machine lacks a dataset of small images."""
    from jal import datasets

    return any(entry.name == dataset and not entry.here for entry in datasets.listing())


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()
