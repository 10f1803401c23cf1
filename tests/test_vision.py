"""torchvision comes in whichever way it is built, and everything else that goes wrong is told as it is."""

from __future__ import annotations

import subprocess
import sys

import pytest

from jal import vision


def test_what_we_use_of_it_is_there() -> None:
    package = vision.torchvision()
    assert vision.torchvision() is package
    assert package.transforms.RandomCrop(4).size == (4, 4)
    assert package.datasets.CIFAR10 and package.models.resnet50


FAILING = """
import importlib, sys, types
from jal import vision
first = importlib.import_module
def fail(name):
    importlib.import_module = first
    for part in ("torchvision", "torchvision.half_imported"):
        sys.modules[part] = types.ModuleType(part)
    raise RuntimeError({message!r})
importlib.import_module = fail
package = vision.torchvision()
import torchvision.transforms
assert sys.modules["torchvision"] is package and "torchvision.half_imported" not in sys.modules
print(package.transforms.RandomCrop(4).size)
"""


def in_a_new_process(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)


def test_operators_that_do_not_load_are_done_without() -> None:
    """Made to fail that way first, so that it holds wherever torchvision's operators do load."""
    done = in_a_new_process(FAILING.format(message="operator torchvision::nms does not exist"))
    assert (done.returncode, done.stdout) == (0, "(4, 4)\n"), done.stderr


def test_any_other_failure_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr("importlib.import_module", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        vision.torchvision()


def test_its_absence_is_told_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(ModuleNotFoundError) as caught:
        vision.torchvision()
    assert caught.value.name == "torchvision"
