"""A sweep in a process of its own: `python fake_sweep.py STORE JOBS THREADS SEEDS...`; exits as `jal sweep` does."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import fake_runs

from jal.experiments import Store, resolve
from jal.experiments.sweep import sweep

if __name__ == "__main__":
    store, jobs, threads, *seeds = sys.argv[1:]
    specs = [resolve(dataset="digits", loss="CE", epochs=10, seed=int(seed)) for seed in seeds]
    done = sweep(
        specs, store=Store(store), jobs=int(jobs), threads=threads == "threads", runner=fake_runs.run
    )
    sys.exit(done.exit_code)
