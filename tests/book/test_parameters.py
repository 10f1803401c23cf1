"""A notebook's parameters: their names and kinds, read from the syntax; what values they take. No kernel is started."""

import ast
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from jal.book.chapters import _replaced
from jal.book.parameters import parameters, plain, read
from jal.errors import InputError

SOURCE = """
profile = "quick"  # or more
seeds: list[int] = []
losses = ["CE", "a=b, # c"]
rates = [0.4]
flag = True
opt: str | None = None
epochs: int = 5
a = 20
title = "a = 1  # not a comment"
wrapped = dict(
    inner=3,
)
"""
KNOWN = parameters(SOURCE)


def test_names_and_defaults_are_those_of_the_syntax():
    assert list(KNOWN) == [
        "profile",
        "seeds",
        "losses",
        "rates",
        "flag",
        "opt",
        "epochs",
        "a",
        "title",
        "wrapped",
    ]
    assert KNOWN["title"].default == '"a = 1  # not a comment"'


@pytest.mark.parametrize(
    ("name", "given", "taken"),
    [
        ("losses", "CE,JAL-CE", ["CE", "JAL-CE"]),
        ("losses", "CE", ["CE"]),
        ("losses", ["CE"], ["CE"]),
        ("seeds", 124, [124]),
        ("seeds", (123, 124), [123, 124]),
        ("seeds", "", []),
        ("rates", 0.6, [0.6]),
        ("rates", "0.2, 0.4", [0.2, 0.4]),
        ("rates", [1], [1]),
        ("flag", "false", False),
        ("flag", True, True),
        ("opt", "null", None),
        ("opt", "None", None),
        ("opt", "text", "text"),
        ("a", 20.5, 20.5),
        ("title", "x = 1", "x = 1"),
        ("wrapped", {"inner": 4}, {"inner": 4}),
    ],
)
def test_a_value_takes_the_form_that_is_wanted(name, given, taken):
    assert KNOWN[name].fit(given, "chapter") == taken


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("seeds", 0.5, "a list, each of it a whole number, not 0.5: give it as seeds=[123, 124]"),
        ("seeds", "one,two", "give it as seeds=[123, 124]"),
        ("losses", 0.4, 'losses=["CE", "a=b, # c"]'),
        ("losses", None, "a list"),
        ("rates", ["high"], "give it as rates=[0.4]"),
        ("flag", 1, "true or false, not 1: give it as flag=True"),
        ("opt", 3, "a text or none, not 3: give it as opt=None"),
        ("epochs", 2.5, "a whole number, not 2.5: give it as epochs=5"),
        ("epochs", True, "a whole number"),
        ("a", "much", "a number, not 'much': give it as a=20"),
        ("title", 7, "a text"),
        ("profile", "fast", "unknown profile 'fast'"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_with_the_form_that_is_right(name, given, message):
    with pytest.raises(InputError) as caught:
        KNOWN[name].fit(given, "chapter")
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "converted"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.array([[1, 2]]), [[1, 2]]),
        ([np.float64(1), {"a": np.array([0.5])}], [1.0, {"a": [0.5]}]),
        (Path("a/b"), "a/b"),
        (date(2026, 1, 2), "2026-01-02"),
        (range(2), [0, 1]),
    ],
)
def test_what_python_has_and_json_lacks_is_converted(given, converted):
    assert plain("x", given) == converted
    assert type(plain("x", given)) is type(converted)


@pytest.mark.parametrize("given", [object(), {1, 2}, {1: 2}, 1j, np.array([1j]), lambda: 1])
def test_what_cannot_be_is_refused(given):
    with pytest.raises(InputError, match="the parameter x is of type"):
        plain("x", given)


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb")), ids=lambda p: p.stem
)
def test_a_chapter_says_the_kind_of_each_parameter_and_its_default_is_of_it(path):
    for parameter in read(path).values():
        default = ast.literal_eval(parameter.default)
        assert parameter.kind is not None and parameter.fit(default, path.stem) == default
        assert f"{parameter.name}: {ast.unparse(parameter.kind)} = " in path.read_text(encoding="utf-8")


def test_a_page_shows_the_kind_beside_the_value_that_it_ran_with():
    assert (
        _replaced("seeds: list[int] = []  # more\na = 1", "seeds = [7]")
        == "seeds: list[int] = [7]  # more\na = 1"
    )
