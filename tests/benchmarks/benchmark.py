"""The conventional loop and ours, side by side: `python -m tests.benchmarks.benchmark --device cpu`.

Writes one JSON document, anew after every section. A section that fails says why, and the others go on. What it
needs is the data, in the folder that $JAL_DATA names.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median

from jal import files
from jal.experiments import provenance
from tests.benchmarks import loops, roofline
from tests.benchmarks.loops import Case
from tests.benchmarks.processes import Failed, Worker, one_line

SCHEMA = 1
RESULTS = Path(__file__).resolve().parents[2] / "data/results/benchmarks"
BOTH = ("conventional", "ours")
COMPANY = (1, 2, 4, 8)

Section = Callable[[float], dict]
"""Takes the time by which it must have ended, on `time.monotonic`'s clock."""


def turns(conventional: Case, ours: Case, count: int, steps: int, half: Case | None = None) -> Section:
    """Images a second of both loops in turn, in processes that wait for one another; of ours in `half` precision too.

    What a third loop gives is under "half": its rates, and their ratios to the conventional loop's and to ours.
    """
    loops_of = {"conventional": (loops.conventional_rate, conventional), "ours": (loops.our_rate, ours)}
    if half is not None:
        loops_of["half"] = loops.our_rate, half

    def section(deadline: float) -> dict:
        taken: dict[str, list[dict]] = {name: [] for name in loops_of}
        stopped = {}
        with ExitStack() as stack:
            workers = {name: stack.enter_context(Worker(deadline)) for name in loops_of}
            try:
                for _ in range(count):
                    turn = {
                        name: workers[name](function, case, steps)
                        for name, (function, case) in loops_of.items()
                    }
                    for name, found in turn.items():
                        taken[name].append(found)
            except Failed as failure:
                if not taken["ours"]:
                    raise
                stopped = {"stopped": str(failure)}
        rates = {name: [each["images_per_second"] for each in taken[name]] for name in loops_of}
        memory = {name: _bytes(taken[name][-1]) for name in loops_of}
        found = {
            "steps": steps,
            "precision": {"conventional": conventional.precision, "ours": ours.precision},
            "images_per_second": {name: rates[name] for name in BOTH},
            "median_images_per_second": {name: median(rates[name]) for name in BOTH},
            **_ratios(rates["ours"], rates["conventional"]),
            "ready_seconds": taken["ours"][0]["ready_seconds"],
            "threads": taken["ours"][0]["threads"],
            "memory": {name: memory[name] for name in BOTH},
            **stopped,
        }
        if half is not None:
            found["half"] = {
                "precision": half.precision,
                "images_per_second": rates["half"],
                "median_images_per_second": median(rates["half"]),
                **_ratios(rates["half"], rates["conventional"]),
                "to_ours": _ratios(rates["half"], rates["ours"]),
                "ready_seconds": taken["half"][0]["ready_seconds"],
                "memory": memory["half"],
            }
        return found

    return section


def _ratios(rates: list[float], others: list[float]) -> dict:
    ratios = [b / a for a, b in zip(others, rates, strict=True)]
    return {"ratios": ratios, "median_ratio": median(ratios)}


def _bytes(found: dict) -> dict:
    return {key: value for key, value in found.items() if key.endswith("_bytes")}


def split(conventional: Case, ours: Case, steps: int) -> Section:
    """Where a step's time goes, and the share of it that the loss takes by itself, forward and backward."""

    def section(deadline: float) -> dict:
        parts = {}
        with Worker(deadline) as worker:
            parts["conventional"] = worker(loops.conventional_split, conventional, steps)
        with Worker(deadline) as worker:
            parts["ours"] = worker(loops.our_split, ours, steps)
            alone = worker(loops.loss_alone, ours)
        shares = {name: alone[name] / sum(parts[name].values()) for name in BOTH}
        return {"steps": steps, "seconds": parts, "loss_seconds": alone, "loss_share": shares}

    return section


def alone(function: Callable, *arguments: object) -> Section:
    """One function in a process of its own."""

    def section(deadline: float) -> dict:
        with Worker(deadline) as worker:
            return worker(function, *arguments)

    return section


def company(case: Case, epochs: int) -> Section:
    """Runs that share one card: each number of them in a process of its own; what failed is said in its place."""

    def section(deadline: float) -> dict:
        rows = []
        for count in COMPANY:
            try:
                with Worker(deadline) as worker:
                    rows.append(worker(loops.company, case, count, epochs))
            except Failed as failure:
                rows.append({"runs": count, "failed": str(failure)})
        if all("failed" in row for row in rows):
            raise Failed(rows[0]["failed"])
        return {"precision": case.precision, "epochs": epochs, "rows": rows}

    return section


def sections(case: Case, count: int, steps: int) -> dict[str, Section]:
    """What is measured, the most telling first."""
    half = replace(case, precision="bfloat16")
    if case.device == "cpu":
        return {
            "speed": turns(case, case, count, steps, half),
            "memory": alone(loops.our_memory, case),
            "memory_bfloat16": alone(loops.our_memory, half),
            "split": split(case, case, steps),
            "roofline": alone(roofline.measure, case, (128,), 256),
            "roofline_bfloat16": alone(roofline.measure, half, (128,), 256),
        }
    resnet = replace(case, dataset="cifar100")
    resnet_half = replace(resnet, precision="bfloat16")
    fewer = max(1, count // 2)
    return {
        "speed": turns(case, half, count, steps),
        "roofline": alone(roofline.measure, half),
        "company": company(half, 3),
        "memory": alone(loops.our_memory, half),
        "split": split(case, half, steps),
        "speed_float32": turns(case, case, fewer, steps),
        "speed_bfloat16": turns(half, half, fewer, steps),
        "speed_resnet34": turns(resnet, resnet_half, fewer, steps),
        "roofline_resnet34": alone(roofline.measure, resnet_half, (128,)),
        "memory_resnet34": alone(loops.our_memory, resnet_half),
        "company_float32": company(case, 2),
        "split_float32": split(case, case, steps),
    }


def run(case: Case, count: int, steps: int, budget: float, out: Path) -> dict:
    """Measures each section and rewrites the document `out`; what the budget leaves no time for is said to fail."""
    end = time.monotonic() + budget
    document: dict = {"schema": SCHEMA, "case": asdict(case), "pairs": count, "steps": steps, "sections": {}}
    at = provenance.commit()
    # Compiled anew, so that the seconds that it takes are those of a machine that never did.
    with tempfile.TemporaryDirectory(prefix="jal-benchmark-") as cache:
        before = os.environ.get("TORCHINDUCTOR_CACHE_DIR")
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
        try:
            for name, section in sections(case, count, steps).items():
                began = time.monotonic()
                try:
                    if began >= end:
                        raise Failed("the budget was spent before")
                    found = section(end)
                except Exception as error:  # whatever it is, the other sections are measured
                    found = {"failed": str(error) if isinstance(error, Failed) else one_line(error)}
                found["took_seconds"] = round(time.monotonic() - began, 1)
                document["sections"][name] = found
                document["environment"] = provenance.environment(case.device, case.threads, at)
                files.write(out, json.dumps(document, indent=1) + "\n")
                print(f"{name}: {found.get('failed', 'done')}, {found['took_seconds']} s", file=sys.stderr)
        finally:
            del os.environ["TORCHINDUCTOR_CACHE_DIR"]
            if before is not None:
                os.environ["TORCHINDUCTOR_CACHE_DIR"] = before
    return document


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=["cpu", "cuda"], required=True)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--steps", type=int, help="timed in each measurement; 30, on cuda 300")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of either loop")
    parser.add_argument("--budget", type=float, default=540, help="seconds for everything")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    steps = given.steps or (30 if given.device == "cpu" else 300)
    case = Case("cifar10", "JAL-CE", given.device, given.threads)
    document = run(case, given.pairs, steps, given.budget, given.out or RESULTS / f"{given.device}.json")
    if all("failed" in section for section in document["sections"].values()):
        sys.exit("nothing could be measured")


if __name__ == "__main__":
    main()
