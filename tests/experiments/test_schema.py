"""Dataclasses as JSON: one text for equal values, and only what fits comes back."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from jal.errors import InputError
from jal.experiments.schema import canonical, pack, parse, unpack


@dataclass(frozen=True)
class Inner:
    x: float
    n: int = 3


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner
    ratio: float | None = None
    flag: bool = False
    sizes: tuple[float, ...] = ()
    curves: dict[str, list[float]] = field(default_factory=dict)
    notes: dict[str, str | int | bool] = field(default_factory=dict)
    parts: dict[str, Inner] = field(default_factory=dict)


WHOLE = Outer(
    "a",
    Inner(0.5, 4),
    1.0,
    True,
    (1.0, 2.5),
    {"y": [1.0, 2.0]},
    {"k": 1, "b": False, "s": "t"},
    {"p": Inner(2.0)},
)


def test_round_trip():
    assert unpack(parse(canonical(pack(WHOLE))), Outer) == WHOLE
    assert unpack(pack(Outer("a", Inner(1.0))), Outer) == Outer("a", Inner(1.0))


def test_defaults_are_left_out_and_keys_sorted():
    assert canonical(pack(Outer("a", Inner(1.0, 3)))) == '{"inner":{"x":1.0},"name":"a"}'


@pytest.mark.parametrize("one", [1, 1.0, np.float64(1), np.float32(1), np.int64(1)])
def test_a_float_is_written_as_a_float_whatever_it_was_given_as(one):
    assert canonical(pack(Outer("a", Inner(one), one, sizes=(one,)))) == (
        '{"inner":{"x":1.0},"name":"a","ratio":1.0,"sizes":[1.0]}'
    )


def test_zero_has_no_sign_and_integers_stay_integers():
    assert canonical(pack(Inner(-0.0, np.int64(7)))) == '{"n":7,"x":0.0}'


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Inner(float("nan")), "x is nan: give a finite number"),
        (Inner(float("inf")), "x is inf"),
        (Inner(True), "x is True"),
        (Inner("1"), "x is '1'"),
        (Inner(10**400), "x is 1000.*: give a finite number"),
        (Outer("a", Inner(1.0), notes={"k": 1.5}), "notes.k is 1.5"),
        (Outer("a", Inner(1.0), parts={"p": {"x": 1.0}}), "parts.p is .*: give Inner"),
        (Inner(1.0, 2.5), "n is 2.5: give an integer"),
        (Inner(1.0, True), "n is True: give an integer"),
        (Outer(3, Inner(1.0)), "name is 3: give text"),
        (Outer("a", 3), "inner is 3: give Inner"),
        (Outer("a", Inner(1.0), flag=1.5), "flag is 1.5: give true or false"),
        (Outer("a", Inner(1.0), curves={"y": [1.0, float("nan")]}), r"curves.y\[1\] is nan"),
    ],
)
def test_what_does_not_fit_is_not_written(value, message):
    with pytest.raises(InputError, match=message):
        pack(value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "give Outer"),
        ({"name": "a"}, "lacks inner"),
        ({"name": "a", "inner": {"x": 1.0}, "ratoi": 1.0}, "unknown field 'ratoi': did you mean 'ratio'"),
        ({"name": "a", "inner": {"x": 1.0, "m": 1}}, "unknown field of inner 'm'"),
        ({"name": "a", "inner": {"x": None}}, "inner.x is None"),
        ({"name": "a", "inner": {"x": True}}, "inner.x is True: give a finite number"),
        ({"name": "a", "inner": {"x": 1.0, "n": True}}, "inner.n is True: give an integer"),
        ({"name": "a", "inner": {"x": 10**400}}, "inner.x is 1000.*: give a finite number"),
        ({"name": "a", "inner": {"x": 1.0}, "flag": 1}, "flag is 1: give true or false"),
        ({"name": "a", "inner": {"x": 1.0}, "notes": {"k": None}}, "notes.k is None"),
        ({"name": "a", "inner": {"x": 1.0}, "notes": {"k": 1.5}}, "notes.k is 1.5"),
        ({"name": "a", "inner": {"x": 1.0}, "parts": {"p": {"n": 1}}}, "parts.p lacks x"),
        ({"name": "a", "inner": {"x": 1.0}, "sizes": 3}, "sizes is 3"),
        ({"name": "a", "inner": {"x": 1.0}, "curves": {"y": "no"}}, "curves.y is 'no'"),
    ],
)
def test_what_does_not_fit_is_not_read(data, message):
    with pytest.raises(InputError, match=message) as error:
        unpack(data, Outer)
    assert "\n" not in str(error.value)


def test_what_is_read_is_of_its_type_exactly():
    data = {
        "name": "a",
        "inner": {"x": 1},
        "ratio": 2,
        "notes": {"k": 1, "b": True},
        "curves": {"y": [1, -0.0]},
    }
    value = unpack(data, Outer)
    assert [type(number) for number in (value.inner.x, value.ratio, *value.curves["y"])] == [float] * 4
    assert value.notes["k"] is not True and value.notes["b"] is True
    assert str(value.curves["y"]) == "[1.0, 0.0]" and str(unpack({"x": -0.0}, Inner).x) == "0.0"


def test_no_object_has_a_key_twice():
    assert parse('{"a": {"b": 1}, "b": [{"a": 1}, {"a": 1}]}') == {"a": {"b": 1}, "b": [{"a": 1}, {"a": 1}]}
    for text in ('{"a": 1, "a": 1}', '[{"b": {"a": 1, "c": 2, "a": 3}}]'):
        with pytest.raises(InputError, match="'a' is there twice"):
            parse(text)
