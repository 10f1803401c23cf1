"""A sweep in a process of its own: `python fake_sweep.py STORE JOBS WHERE SEEDS...`; exits as `jal sweep` does.

WHERE is threads, processes, or a scheduler.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import fake_runs

from jal.experiments import Store
from jal.experiments.sweep import sweep

if __name__ == "__main__":
    store, jobs, where, *seeds = sys.argv[1:]
    options = {"threads": where == "threads"} if where in ("threads", "processes") else {"scheduler": where}
    done = sweep(
        fake_runs.specs_of(map(int, seeds)),
        store=Store(store),
        jobs=int(jobs) or None,
        runner=fake_runs.run,
        **options,
    )
    print(done, file=sys.stderr)
    sys.exit(done.exit_code)
