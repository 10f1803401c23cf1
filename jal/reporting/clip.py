"""How often the bound on the gradient's norm binds, by loss. `tests/benchmarks/clip.py` measures it."""

from __future__ import annotations

FILE = "data/results/benchmarks/clip.json"
SCHEMA = 1
