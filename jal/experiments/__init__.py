"""Experiments: what a run is (spec), what it gave (record), where that is kept (store), how it is made (run)."""

from __future__ import annotations

from jal.experiments.record import Record
from jal.experiments.run import run
from jal.experiments.shelf import complete, stores
from jal.experiments.spec import RunSpec, resolve
from jal.experiments.store import Store
from jal.experiments.sweep import run_missing

__all__ = ["Record", "RunSpec", "Store", "complete", "resolve", "run", "run_missing", "stores"]
