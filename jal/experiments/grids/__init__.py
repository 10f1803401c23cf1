"""Grids: the paper's tables and figures, and ours, by name."""

from __future__ import annotations

from dataclasses import replace

from jal.errors import InputError, unknown
from jal.experiments.grids import figures, studies, tables
from jal.experiments.grids.grid import SEEDS, Cell, Grid, select
from jal.training.recipe import PRECISIONS

__all__ = ["PROFILES", "SEEDS", "Cell", "Grid", "get", "names", "select"]

PROFILES = ("quick", "laptop", "full")

_GRIDS = tables.GRIDS | figures.GRIDS | studies.GRIDS


def names(profile: str = "full") -> list[str]:
    """The grids that there are at a profile."""
    return [name for name, versions in _GRIDS.items() if _checked(profile) in versions]


def get(name: str, settings: str = "official", profile: str = "full", precision: str | None = None) -> Grid:
    """A grid by its name.

    Parameters
    ----------
    settings
        "official" (the authors' released code) or "paper" (its text and Table 8).
    profile
        "full": the paper's dataset and recipe; "laptop": 20,000 images of Fashion-MNIST, fewer losses and noises;
        "quick": the digits.
    precision
        of all its runs, one of `jal.training.recipe.PRECISIONS`; if left out, each recipe's own.

    Raises
    ------
    InputError
        for a name that is none of `names()`, a grid without a version of that profile, or an unknown precision.
    """
    if name not in _GRIDS:
        raise unknown("grid", name, _GRIDS)
    versions = _GRIDS[name]
    if _checked(profile) not in versions:
        raise InputError(f"{name} has no version for the profile {profile}: take {' or '.join(versions)}")
    if precision is None:
        return versions[profile](settings)
    if precision not in PRECISIONS:
        raise unknown("precision", precision, PRECISIONS)
    grid = versions[profile](settings)
    return replace(
        grid, cells={cell: {**words, "precision": precision} for cell, words in grid.cells.items()}
    )


def _checked(profile: str) -> str:
    if profile not in PROFILES:
        raise unknown("profile", profile, PROFILES)
    return profile
