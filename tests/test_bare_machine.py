"""A machine with torch, numpy, safetensors and typer alone trains and sweeps from a source tree."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ABSENT = ("pandas", "matplotlib", "seaborn", "papermill", "nbformat", "jupyter_book", "torchvision", "PIL",
          "IPython", "yaml", "sphinx", "tqdm")  # fmt: skip
BLOCK = f"""
import sys
# The digits come with scikit-learn, which looks for pandas on its own account: it may, before it is gone.
from sklearn.datasets import load_digits
load_digits()
for name in [name for name in sys.modules if name.partition(".")[0] in {ABSENT!r}]:
    del sys.modules[name]
sys.modules.update(dict.fromkeys({ABSENT!r}))
"""


@pytest.fixture
def bare(tmp_path):
    """`python -m jal` in a folder of its own, with nothing but the source tree on the path."""
    (tmp_path / "sitecustomize.py").write_text(BLOCK)
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "JAL_COMMIT": "bare"}

    def call(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "jal", *arguments],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    return call


def test_the_blocked_packages_are_blocked(bare):
    done = bare("run")
    assert done.returncode == 2
    assert "pip install '.[book]'" in done.stderr


def test_it_trains_and_sweeps(bare, tmp_path):
    train = (
        "train",
        "--dataset",
        "digits",
        "--noise",
        "symmetric",
        "--rate",
        "0.4",
        "--loss",
        "JAL-CE",
        "-r",
        "epochs=2",
    )
    done = bare(*train, "--results", "out", "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["environment"]["commit"] == "bare"
    status = bare("status", "digits", "--results", "out", "--json")
    assert status.returncode == 0, status.stderr
    assert json.loads(status.stdout)["counts"]["runs"] == 84
    swept = bare(
        "sweep", "digits", "--where", "loss=CE,noise=symmetric,rate=0.4", "--seeds", "1", "--results", "out"
    )
    assert swept.returncode == 0, swept.stderr
    assert "1 of 1 runs done" in swept.stdout
