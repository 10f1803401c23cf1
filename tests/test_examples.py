"""Examples in docstrings give what they say, and what people call has one."""

import doctest
import pkgutil
from importlib import import_module
from types import FunctionType

import pytest

import jal

MODULES = sorted(
    found.name
    for found in pkgutil.walk_packages(jal.__path__, "jal.")
    if found.name != "jal.__main__" and not found.name.startswith("jal.book.extension")
)
WITHOUT = {
    "labels_sha256", "read_labels", "read_predictions", "read_transition", "write_labels",  # of files
    "resnet50", "set_norm_group",
}  # fmt: skip
"""Functions whose example would be longer than what it explains."""


def test_examples_give_what_they_say():
    tried = 0
    for name in MODULES:
        found = doctest.testmod(import_module(name))
        assert not found.failed, f"{name}: {found.failed} examples are wrong, see above"
        tried += found.attempted
    assert tried > 40


@pytest.mark.parametrize("package", ["jal.losses", "jal.noise", "jal.theory", "jal.models"])
def test_what_people_call_has_an_example(package):
    module = import_module(package)
    functions = {name: getattr(module, name) for name in module.__all__}
    lacking = [
        name
        for name, function in functions.items()
        if isinstance(function, FunctionType) and ">>>" not in (function.__doc__ or "")
    ]
    assert set(lacking) <= WITHOUT
