"""Fixtures for all tests, and the rule that a skip in CI must be on the list with its reason."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

# Before torch is imported: the tests' networks are too small for two threads, and tests run side by side.
os.environ["OMP_NUM_THREADS"] = "1"
# A script's background job is started with Ctrl-C ignored, and so are its children, some of which a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ALLOWED_SKIPS = Path(__file__).with_name("allowed_skips.txt")


@pytest.fixture
def cifar_labels() -> Callable[[str], np.ndarray]:
    """The real training labels of "cifar10" or "cifar100" (fine), in torchvision's order, from $JAL_DATA."""

    def read(name: str) -> np.ndarray:
        folder = Path(os.environ.get("JAL_DATA", "absent")) / name
        split = {"cifar10": ("y_train", "train"), "cifar100": ("y_train_fine", "train_fine")}[name]
        if (folder / f"{split[0]}.npy").exists():
            return np.load(folder / f"{split[0]}.npy").astype(np.int64)
        if (folder / "labels.npz").exists():
            return np.load(folder / "labels.npz")[split[1]].astype(np.int64)
        pytest.skip(f"no labels of {name}: set JAL_DATA to the folder that holds {name}/")

    return read


@pytest.fixture
def jal(capsys):
    """The command line, called in this process: jal("threshold", ...) is the exit code, what it printed, its errors."""
    from jal.__main__ import main

    def call(*arguments):
        code = main(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture(scope="module")
def local_cluster():
    """The address of dask's own cluster, in this process."""
    from jal.experiments.cluster import QUIET

    dask, distributed = pytest.importorskip("dask"), pytest.importorskip("distributed")
    one = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "protocol": "tcp://"}
    with (
        dask.config.set(QUIET),
        distributed.LocalCluster(**one, dashboard_address=":0") as cluster,
    ):
        yield cluster.scheduler_address


_skipped: list[tuple[str, str]] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        _skipped.append((report.nodeid, reason))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if not os.environ.get("CI") or hasattr(session.config, "workerinput"):
        return
    lines = [line.partition("#")[0].strip() for line in ALLOWED_SKIPS.read_text().splitlines()]
    allowed = tuple(line for line in lines if line)
    unlisted = [skip for skip in _skipped if not skip[0].startswith(allowed)] if allowed else _skipped
    if unlisted:
        print(
            "\nskipped in CI and not in tests/allowed_skips.txt:", *(f"\n  {i}: {why}" for i, why in unlisted)
        )
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
