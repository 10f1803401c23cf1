"""What `build` refuses: one line that names the thing, the value and the remedy."""

import math

import numpy as np
import pytest
import torch

from jal.errors import InputError
from jal.losses import CATALOG, build

# Outside the domain, parameter by parameter; `a` is at least 1 where it is a target, positive where it shifts.
OUTSIDE = {
    "alpha": (0, -1),
    "beta": (0, -0.1),
    "q": (0, -0.5),
    "gamma": (-0.1,),
    "delta": (0, -1),
    "power": (0, 2, 0.5),
    "eps": (0, 1, -1e-8),
    "A": (0, 1),
    "m": (-1,),
    "lam": (0, -1),
    "margin": (-0.1,),
}
INSIDE = {
    "alpha": (1e-3, 100),
    "beta": (1e-3, 100),
    "q": (0.1, 1, 5),
    "gamma": (0, 5),
    "delta": (0.1, 10),
    "power": (1, -1),
    "eps": (1e-10, 1e-4),
    "A": (-4, -20),
    "m": (0, 1e5),
    "lam": (0.1, 100),
    "margin": (0, 1),
}
TARGETS = {"AMSE", "AUL", "NCE+AUL", "JAL-CE", "JAL-FL"}
NEVER_A_NUMBER = (
    math.nan,
    math.inf,
    -math.inf,
    True,
    np.True_,
    None,
    "much",
    "two\nlines",
    "2",
    [1.0],
    1j,
    10**400,
    torch.ones(3),
    np.arange(2000.0),
)
PARAMETERS = [
    pytest.param(name, p.name, id=f"{name}-{p.name}")
    for name, entry in CATALOG.items()
    for p in entry.parameters
]


def refused(*arguments, **given) -> str:
    with pytest.raises(InputError) as caught:
        build(*arguments, **given)
    message = str(caught.value)
    assert "\n" not in message
    assert isinstance(caught.value, ValueError)
    return message


def domain(name, parameter, table):
    if parameter == "a":
        outside = (0.999, 0, -1) if name in TARGETS else (0, -1)
        return {"outside": outside, "inside": (1, 50) if name in TARGETS else (1e-5, 1, 50)}[table]
    return {"outside": OUTSIDE, "inside": INSIDE}[table][parameter]


def some_values(name):
    """Values inside every domain, so that one parameter at a time can leave its own."""
    return {p.name: domain(name, p.name, "inside")[0] for p in CATALOG[name].parameters}


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS)
def test_a_parameter_outside_its_domain_is_refused(name, parameter):
    for value in domain(name, parameter, "outside"):
        message = refused(name, None, **(some_values(name) | {parameter: value}))
        assert message.startswith(f"{name}: {parameter}={value} is outside its domain: choose ")


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS)
def test_a_parameter_inside_its_domain_gives_a_finite_loss(name, parameter, batch):
    logits, labels = batch(8, 10)
    logits.requires_grad_()
    for value in domain(name, parameter, "inside"):
        loss = build(name, None, **(some_values(name) | {parameter: value}))(logits, labels)
        (gradient,) = torch.autograd.grad(loss, logits)
        assert loss.isfinite()
        assert gradient.isfinite().all()


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS)
def test_what_is_no_finite_number_is_refused(name, parameter):
    for value in NEVER_A_NUMBER:
        message = refused(name, None, **(some_values(name) | {parameter: value}))
        assert message.startswith(f"{name}: {parameter}=")
        assert ": choose " in message
        assert len(message) < 200


@pytest.mark.parametrize("value", [2, np.float32(2), np.int64(2)], ids=lambda v: type(v).__name__)
def test_numbers_of_any_type_are_taken(value):
    assert build("JAL-CE", "cifar10", a=value).constants["a"] == 2.0


@pytest.mark.parametrize("name", ["NNCE", "NNFL", "ANL-CE", "ANL-FL"])
def test_a_floor_that_could_hold_every_class_is_refused(name):
    """With eps >= 1/K all classes can lie under it, and the negative loss's normaliser is 0."""
    assert "eps" in refused(name, "cifar10", eps=0.1)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("JALCE", "JAL-CE"),
        ("jal-ce", "JAL-CE"),
        ("NCE-RCE", "NCE+RCE"),
        ("ce+lc", "CE+LC"),
        ("AMSEE", "AMSE"),
    ],
)
def test_an_unknown_loss_is_answered_with_the_nearest(written, meant):
    message = refused(written, "cifar10")
    assert f"unknown loss {written!r}: did you mean {meant!r}?" in message
    assert all(name in message for name in CATALOG)


@pytest.mark.parametrize("written", ["", "zzzz", 3])
def test_a_loss_near_to_none_is_answered_with_the_list(written):
    message = refused(written, "cifar10")
    assert "did you mean" not in message
    assert "it must be one of" in message


@pytest.mark.parametrize("dataset", ["cifar10", None])
def test_the_student_loss_says_where_it_lives(dataset):
    message = refused("LT-APL", dataset)
    assert "trainer" in message
    assert "--loss LT-APL" in message


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("CIFAR-10", "cifar10"),
        ("cifar_100", "cifar100"),
        ("WebVision", "webvision"),
        ("Clothing-1M", "clothing1m"),
    ],
)
def test_an_unknown_dataset_is_answered_with_the_nearest(written, meant):
    message = refused("JAL-CE", written)
    assert f"unknown dataset {written!r}: did you mean {meant!r}?" in message
    assert "dataset=None" in message


@pytest.mark.parametrize("dataset", ["digits", "mnist", "fashion-mnist", "my data", "", 10])
def test_nothing_is_chosen_silently_for_other_data(dataset):
    message = refused("JAL-CE", dataset)
    assert "it must be one of cifar10, cifar100, clothing1m, webvision" in message
    assert "borrow" in message
    assert "dataset=None" in message


@pytest.mark.parametrize("settings", ["offical", "Paper", "", None])
def test_unknown_settings_are_refused(settings):
    message = refused("JAL-CE", "cifar10", settings)
    assert f"unknown settings {settings!r}" in message
    assert "it must be one of official, paper" in message


@pytest.mark.parametrize(
    ("name", "written", "meant"),
    [
        ("JAL-CE", "aplha", "alpha"),
        ("JAL-CE", "Beta", "beta"),
        ("JAL-FL", "gama", "gamma"),
        ("NCE+RCE", "a", "A"),
        ("JAL-CE", "reductoin", "reduction"),
        ("CE", "reductoin", "reduction"),
        ("ANL-CE", "ignore_indx", "ignore_index"),
        ("MAE", "validat", "validate"),
    ],
)
def test_a_misspelled_parameter_is_answered_with_the_nearest(name, written, meant):
    message = refused(name, "cifar10", **{written: 1})
    assert f"parameter of {name} {written!r}: did you mean {meant!r}?" in message


@pytest.mark.parametrize(
    ("name", "parameter"), [("CE", "alpha"), ("NCE", "eps"), ("JAL-CE", "gamma"), ("AEL", "q")]
)
def test_a_parameter_of_another_loss_is_refused(name, parameter):
    message = refused(name, "cifar10", **{parameter: 1})
    assert name in message
    assert repr(parameter) in message


@pytest.mark.parametrize(
    ("name", "given", "needs", "borrow"),
    [
        ("JAL-CE", {}, "alpha, beta, a", "cifar10 or cifar100 or webvision or clothing1m"),
        ("JAL-FL", {"gamma": 0.5, "a": 30}, "alpha, beta", "cifar10 or cifar100 or webvision or clothing1m"),
        ("AMSE", {"q": 3}, "a", "cifar10"),
        ("NCE+AUL", {}, "alpha, beta, a, q", "cifar10 or cifar100"),
        ("ECE+MAE", {"m": 10}, "alpha, beta", "webvision or clothing1m"),
        ("CE+LC", {"delta": 1}, "power", "cifar10 or cifar100"),
    ],
)
def test_without_a_dataset_every_parameter_is_asked_for(name, given, needs, borrow):
    message = refused(name, None, **given)
    assert f"{name} needs {needs} and has no dataset to take them from" in message
    assert message.endswith(f"borrow those of {borrow}")


def test_what_cannot_be_borrowed_is_not_offered():
    message = refused("ECE", None)
    assert "needs m" in message
    assert "borrow" not in message


@pytest.mark.parametrize("settings", ["official", "paper"])
def test_nce_aul_has_no_values_on_webvision_unless_they_are_given(settings):
    message = refused("NCE+AUL", "webvision", settings)
    assert "NCE+AUL needs alpha, beta, a, q and has no values for webvision" in message
    assert "borrow those of cifar10 or cifar100" in message
    own = {"alpha": 50.0, "beta": 0.1, "a": 6.0, "q": 3.0}
    assert build("NCE+AUL", "webvision", settings, **own).constants == own


@pytest.mark.parametrize("name", ["NNCE", "NNFL", "ANL-CE", "ANL-FL"])
def test_a_floor_that_all_classes_can_lie_under_is_refused(name):
    loss = build(name, "cifar10", eps=1e-4)
    labels = torch.zeros(1, dtype=torch.int64)
    with pytest.raises(
        InputError, match=r"eps=0\.0001 with 20000 classes: .* choose eps below 1 / K = 5e-05"
    ):
        loss(torch.zeros(1, 20_000), labels)
    with pytest.raises(InputError, match=r"eps=0\.0001 with 10000 classes"):
        loss.all_labels(torch.zeros(1, 10_000))
    assert loss(torch.zeros(1, 9_000), labels).isfinite()
    assert build(name, "cifar10", eps=4e-5)(torch.zeros(1, 20_000), labels).isfinite()


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("AMSE", {"a": 30, "q": 50}),
        ("AMSE", {"a": 1.5, "q": 250}),
        ("JAL-CE", {"alpha": 1, "beta": 1, "a": 30, "q": 50}),
        ("AUL", {"a": 30, "q": 50}),
        ("AGCE", {"a": 29, "q": 50}),
    ],
    ids=str,
)
def test_a_power_beyond_the_type_is_refused_and_a_wider_type_holds_it(name, given, batch):
    logits, labels = batch(8, 10)
    loss = build(name, None, **given)
    with pytest.raises(InputError, match=r"too large for float32: .* or give float64 logits") as caught:
        loss(logits.float(), labels)
    assert "\n" not in str(caught.value)
    logits.requires_grad_()
    value = loss(logits, labels)
    (gradient,) = torch.autograd.grad(value, logits)
    assert value.isfinite()
    assert gradient.isfinite().all()


def test_a_power_beyond_every_type_is_refused(batch):
    logits, labels = batch(8, 10)
    for name in ("AMSE", "AUL", "AGCE"):
        with pytest.raises(InputError, match=r"too large for float64: choose a smaller q or a$"):
            build(name, None, a=1e10, q=50)(logits, labels)


def test_a_power_that_a_type_just_holds_is_taken(batch):
    logits, labels = batch(512, 10, dtype=torch.float32)
    logits.requires_grad_()
    loss = build("AMSE", None, a=30, q=21, reduction="sum")(logits, labels)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss.isfinite()
    assert gradient.isfinite().all()
