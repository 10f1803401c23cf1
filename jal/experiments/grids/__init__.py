"""Grids: the paper's tables and figures, and ours, by name."""

from __future__ import annotations

from jal.errors import InputError, unknown
from jal.experiments.grids import figures, studies, tables
from jal.experiments.grids.grid import SEEDS, Cell, Grid, select

__all__ = ["PROFILES", "SEEDS", "Cell", "Grid", "get", "names", "select"]

PROFILES = ("quick", "laptop", "full")

_GRIDS = tables.GRIDS | figures.GRIDS | studies.GRIDS


def names(profile: str = "full") -> list[str]:
    """The grids that there are at a profile."""
    return [name for name, versions in _GRIDS.items() if _checked(profile) in versions]


def get(name: str, settings: str = "official", profile: str = "full") -> Grid:
    """A grid by its name.

    Parameters
    ----------
    settings
        "official" (the authors' released code) or "paper" (its text and Table 8).
    profile
        "full": the paper's dataset and recipe; "laptop": 20,000 images of Fashion-MNIST, fewer losses and noises;
        "quick": the digits.

    Raises
    ------
    InputError
        for a name that is none of `names()`, or a grid without a version of that profile.
    """
    if name not in _GRIDS:
        raise unknown("grid", name, _GRIDS)
    versions = _GRIDS[name]
    if _checked(profile) not in versions:
        raise InputError(f"{name} has no version for the profile {profile}: take {' or '.join(versions)}")
    return versions[profile](settings)


def _checked(profile: str) -> str:
    if profile not in PROFILES:
        raise unknown("profile", profile, PROFILES)
    return profile
