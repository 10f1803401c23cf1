"""Records made by hand: what the analysis needs to know of a run, without running one."""

import matplotlib as mpl
import pytest

from jal.experiments import Record, resolve

mpl.use("agg")


@pytest.fixture
def make():
    def record(loss="CE", accuracies=(50.0, 90.0, 80.0), memorised=(10.0, 40.0, 70.0), **words):
        words = {"dataset": "digits", "noise": "symmetric", "rate": 0.4} | words
        spec = resolve(loss=loss, epochs=len(accuracies), **words)
        curves = {"test_accuracy": list(accuracies)}
        if memorised:
            curves["memorised"] = list(memorised)
        return Record(
            schema=1,
            id=spec.id,
            spec=spec,
            accuracy=accuracies[-1],
            curves=curves,
            environment={
                "processor": "An Engine",
                "device": "cpu",
                "threads": 1,
                "commit": "0123456789abcdef",
                "dirty": False,
            },
            timing={"seconds": 2.0, "images_per_second": 1000.0},
        )

    return record
