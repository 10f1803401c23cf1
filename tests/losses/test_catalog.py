"""The catalogue against the printed values, the paper's Table 8 and formulas written a second time."""

import math

import pytest
import torch
from torch.nn import functional as F

from jal.errors import InputError
from jal.losses import CATALOG, build, names
from jal.losses.catalog import DATASETS

close = torch.testing.assert_close

# Values of the released code, to the seven digits printed; float64, official CIFAR-10 parameters where none stand.
GOLDEN = [
    ("CE", {}, 2.1505647),
    ("FL", {}, 2.0113461),
    ("MAE", {}, 1.6145587),
    ("MSE", {}, 0.0906149),
    ("GCE", {}, 1.0095150),
    ("GCE", {"q": 0.9}, 0.8657774),
    ("SCE", {}, 7.6503740),
    ("RCE", {}, 7.4353175),
    ("NFL", {}, 0.0552729),
    ("NCE", {}, 0.0576604),
    ("AUL", {}, 19.5534444),
    ("AUL", {"a": 5.5, "q": 3}, 19.5534444),
    ("AGCE", {}, 0.7650029),
    ("AGCE", {"a": 0.6, "q": 0.6}, 0.7650029),
    ("NCE+RCE", {}, 7.4929780),
    ("NFL+RCE", {}, 7.4905904),
    ("NCE+MAE", {}, 0.8649398),
    ("NCE+AGCE", {}, 8.3424126),
    ("NCE+AGCE", {"alpha": 1, "beta": 4, "a": 6, "q": 1.5}, 8.3424126),
    ("NCE+AUL", {}, 7.7753866),
    ("NCE+AUL", {"alpha": 1, "beta": 4, "a": 6.3, "q": 1.5}, 7.7753866),
    ("ANL-CE", {}, 4.7306703),
    ("ANL-FL", {}, 4.7169259),
    ("NNCE", {"beta": 1}, 0.8884736),
    ("NNFL", {"beta": 1}, 0.8881123),
    ("NNCE", {}, 4.4423681),
    ("CE+LC", {}, 1.9653279),
    ("CE+LC", {"delta": 2.5}, 1.9653279),
    ("AMSE", {}, 88.8728351),
    ("AMSE", {"a": 30, "q": 1}, 3.0614559),
    ("AMSE", {"a": 30, "q": 3}, 2648.4733701),
    ("JAL-CE", {}, 88.9304955),
    ("JAL-FL", {}, 88.9281080),
    ("AGCE+MAE", {}, 2.8784674),
    ("AGCE+MAE", {"alpha": 1, "beta": 1, "a": 6, "q": 1.5}, 2.8784674),
    ("AEL", {}, 0.9271779),
    ("NCE+AEL", {}, 3.9078392),
    ("NCE+AEL", {"alpha": 1, "beta": 4, "a": 5}, 3.9078392),
    ("LDR", {}, -0.6169309),
    ("LDR", {"margin": 0.1, "lam": 10}, -0.6169309),
    ("LDR", {"margin": 0.1, "lam": 1}, -0.1713886),
    ("ECE+MAE", {"alpha": 0.01, "beta": 5, "m": 1e5}, 8.1776070),
    ("EFL+MAE", {"alpha": 0.01, "beta": 5, "m": 1e5}, 8.1776070),
    ("ECE", {"m": 1e5}, 10.4813549),
    ("EFL", {"m": 1e5}, 10.4813522),
]
GOLDEN_PAPER = [
    ("NCE+AUL", 5.8459550),
    ("NCE+AGCE", 8.8613565),
    ("CE+LC", 2.2119669),
    ("GCE", 0.8657774),
]
SUMS = {"NCE": 1, "NFL": 1, "NNCE": 9, "NNFL": 9, "MAE": 18, "RCE": 82.893}
PRINTED = 6e-8


def golden_logits():
    z = [[3 * math.sin(10 * i + j) for j in range(10)] for i in range(4)]
    return torch.tensor(z, dtype=torch.float64)


@pytest.mark.parametrize(("name", "given", "value"), GOLDEN)
def test_official_golden_values(name, given, value):
    labels = torch.tensor([0, 3, 7, 9])
    assert build(name, "cifar10", **given)(golden_logits(), labels).item() == pytest.approx(
        value, rel=0, abs=PRINTED
    )


@pytest.mark.parametrize(("name", "value"), GOLDEN_PAPER)
def test_paper_golden_values(name, value):
    labels = torch.tensor([0, 3, 7, 9])
    assert build(name, "cifar10", "paper")(golden_logits(), labels).item() == pytest.approx(
        value, rel=0, abs=PRINTED
    )


def test_every_loss_has_a_golden_value():
    assert {name for name, _, _ in GOLDEN} == set(names())


@pytest.mark.parametrize(("name", "total"), SUMS.items())
def test_sums_over_the_labels(name, total):
    given = {"beta": 1} if name in ("NNCE", "NNFL") else {}
    sums = build(name, "cifar10", **given).all_labels(golden_logits()).sum(1)
    close(sums, torch.full_like(sums, total), rtol=0, atol=5e-4 if name == "RCE" else 1e-12)


# Table 8 and what the released code has instead or beside it, typed a second time; None is a cell without values.
OFFICIAL = {
    # name: parameters, then CIFAR-10, CIFAR-100, WebVision, Clothing1M
    "CE": ("", (), (), (), ()),
    "FL": ("gamma", (0.5,), (0.5,), (0.5,), (0.5,)),
    "GCE": ("q", (0.7,), (0.7,), (0.6,), (0.6,)),
    "MAE": ("", (), (), (), ()),
    "RCE": ("", (), (), (), ()),
    "SCE": ("alpha beta", (0.1, 1), (6, 0.1), (10, 1), (10, 1)),
    "MSE": ("", (), (), (), ()),
    "NCE": ("", (), (), (), ()),
    "NFL": ("gamma", (0.5,), (0.5,), None, None),
    "AUL": ("a q", (5.5, 3), (5.5, 3), (5.5, 3), (5.5, 3)),
    "AGCE": ("a q", (0.6, 0.6), (0.6, 0.6), (1e-5, 0.5), (1e-5, 0.5)),
    "AEL": ("a", (2.5,), (2.5,), (2.5,), (2.5,)),
    "NNCE": ("beta", (5,), (1,), None, None),
    "NNFL": ("beta gamma", (1, 0.5), (1, 0.5), None, None),
    "AMSE": ("a", (30,), None, None, None),
    "NCE+RCE": ("alpha beta", (1, 1), (10, 0.1), (50, 0.1), (10, 1)),
    "NCE+MAE": ("alpha beta", (1, 1), (10, 0.1), None, None),
    "NFL+RCE": ("alpha beta gamma", (1, 1, 0.5), (10, 0.1, 0.5), None, None),
    "NCE+AUL": ("alpha beta a q", (1, 4, 6.3, 1.5), (10, 0.015, 6, 3), None, None),
    "NCE+AGCE": ("alpha beta a q", (1, 4, 6, 1.5), (10, 0.1, 1.8, 3), (50, 0.1, 2.5, 3), (50, 0.1, 2.5, 3)),
    "NCE+AEL": ("alpha beta a", (1, 4, 5), (10, 0.1, 1.5), None, None),
    "AGCE+MAE": ("alpha beta a q", (1, 1, 6, 1.5), None, None, None),
    "CE+LC": ("delta power", (2.5, 1), (0.5, 1), None, None),
    "ANL-CE": ("alpha beta", (5, 5), (10, 1), (20, 1), (5, 0.1)),
    "ANL-FL": ("alpha beta gamma", (5, 5, 0.5), (10, 1, 0.5), (20, 1, 0.5), (5, 0.1, 0.5)),
    "JAL-CE": ("alpha beta a", (1, 1, 30), (5, 1, 20), (50, 1, 30), (5, 0.1, 5)),
    "JAL-FL": ("alpha beta a gamma", (1, 1, 30, 0.5), (5, 1, 20, 0.5), (50, 1, 30, 0.5), (5, 0.1, 5, 0.5)),
    "ECE": ("m", None, None, None, None),
    "EFL": ("m", None, None, None, None),
    "ECE+MAE": ("alpha beta m", None, None, (0.015, 0.3, 1e3), (0.012, 0.1, 1e3)),
    "EFL+MAE": ("alpha beta m", None, None, (0.015, 0.3, 1e3), (0.012, 0.1, 1e3)),
    "LDR": ("lam", (10,), (1,), (1,), (1,)),
}
PAPER = {
    ("GCE", "cifar10"): {"q": 0.9},
    ("GCE", "webvision"): {"q": 0.7},
    ("SCE", "cifar100"): {"beta": 1},
    ("NCE+AUL", "cifar10"): {"beta": 3},
    ("NCE+AGCE", "cifar10"): {"alpha": 10},
    ("CE+LC", "cifar10"): {"power": -1},
    ("CE+LC", "cifar100"): {"power": -1},
}
EVERYWHERE = {
    "RCE": {"A": math.log(1e-4)},
    "SCE": {"A": math.log(1e-4)},
    "NCE+RCE": {"A": math.log(1e-4)},
    "NFL+RCE": {"A": math.log(1e-4)},
    "GCE": {"eps": 1e-8},
    "NNCE": {"eps": 1e-8},
    "NNFL": {"eps": 1e-8},
    "ANL-CE": {"eps": 1e-8},
    "ANL-FL": {"eps": 1e-8},
    "CE+LC": {"eps": 1e-8},
    "ECE": {"eps": 1e-8},
    "ECE+MAE": {"eps": 1e-8},
    "EFL": {"eps": 1e-8, "gamma": 0.1},
    "EFL+MAE": {"eps": 1e-8, "gamma": 0.1},
    "AMSE": {"q": 2},
    "JAL-CE": {"q": 2},
    "JAL-FL": {"q": 2},
    "LDR": {"margin": 0.1},
}
ORDER = ("cifar10", "cifar100", "webvision", "clothing1m")


def cells():
    for name, (parameters, *rows) in OFFICIAL.items():
        for dataset, row in zip(ORDER, rows, strict=True):
            for settings in ("official", "paper"):
                known = EVERYWHERE.get(name, {}) | dict(zip(parameters.split(), row or (), strict=bool(row)))
                known |= PAPER.get((name, dataset), {}) if settings == "paper" else {}
                yield pytest.param(
                    name, dataset, settings, row is not None, known, id=f"{name}-{dataset}-{settings}"
                )


def test_the_tables_name_the_same_losses_and_datasets():
    assert set(OFFICIAL) == set(names()) == set(CATALOG)
    assert set(ORDER) == set(DATASETS)


@pytest.mark.parametrize(("name", "dataset", "settings", "has_values", "known"), list(cells()))
def test_every_cell_of_the_tables(name, dataset, settings, has_values, known):
    if has_values:
        loss = build(name, dataset, settings)
        assert loss.constants == known
        assert build(name, None, **known).constants == known
    else:
        with pytest.raises(InputError, match=f"no values for {dataset}: give a value"):
            build(name, dataset, settings)


# The formulas a second time, in probabilities and one-hot vectors e; `c` holds the parameters.


def one_hot(labels, K):
    return torch.eye(K, dtype=torch.float64)[labels]


def ce(p, e, eps=0.0):
    return -(e * p.clamp(eps, 1).log()).sum(1)


def fl(p, e, gamma, eps=0.0):
    """The factor is frozen, as in the released code."""
    return (1 - (e * p.clamp(eps, 1)).sum(1).detach()) ** gamma * ce(p, e, eps)


def half_mae(p, e):
    return (e - p).abs().sum(1) / 2


def over_labels(loss, p):
    K = p.shape[1]
    return sum(loss(p, one_hot(torch.full((len(p),), k), K)) for k in range(K))


def nce(p, e):
    return ce(p, e) / over_labels(ce, p)


def nfl(p, e, gamma):
    return fl(p, e, gamma) / over_labels(lambda p, e: fl(p, e, gamma), p)


def nnce(p, e, eps):
    A = -math.log(eps)
    log_p = p.clamp(eps, 1).log()
    return 1 - (A + (e * log_p).sum(1)) / (A + log_p).sum(1)


def nnfl(p, e, gamma, eps):
    A = -((1 - eps) ** gamma) * math.log(eps)
    total = over_labels(lambda p, e: fl(p, e, gamma, eps), p)
    return 1 - (A - fl(p, e, gamma, eps)) / (p.shape[1] * A - total)


def aul(p, e, a, q):
    return ((a - (e * p).sum(1)) ** q - (a - 1) ** q) / q


def agce(p, e, a, q):
    return ((a + 1) ** q - (a + (e * p).sum(1)) ** q) / q


def ael(p, e, a):
    return torch.exp(-(e * p).sum(1) / a)


def amse(p, e, a, q=2):
    return ((a * e - p).abs() ** q).mean(1)


def clip(z, delta, power, eps):
    norm = z.norm(dim=1, keepdim=True) + eps
    return torch.where(norm > 1 / delta, z / norm * (delta if power == 1 else 1 / delta), z)


def eps_softmax(p, m):
    return (p + m * one_hot(p.argmax(1), p.shape[1])) / (m + 1)


def ldr(z, e, lam, margin):
    s = F.softplus(z) / F.softplus(z).mean(1, keepdim=True)
    return lam * ((margin * (1 - e) + s - (e * s).sum(1, keepdim=True)) / lam).exp().mean(1).log()


REFERENCE = {
    "CE": lambda z, p, e, c: ce(p, e),
    "FL": lambda z, p, e, c: fl(p, e, c["gamma"]),
    "GCE": lambda z, p, e, c: (1 - (e * p).sum(1).clamp(c["eps"], 1) ** c["q"]) / c["q"],
    "MAE": lambda z, p, e, c: 2 * half_mae(p, e),
    "RCE": lambda z, p, e, c: -c["A"] * half_mae(p, e),
    "SCE": lambda z, p, e, c: c["alpha"] * ce(p, e) - c["beta"] * c["A"] * half_mae(p, e),
    "MSE": lambda z, p, e, c: amse(p, e, 1),
    "NCE": lambda z, p, e, c: nce(p, e),
    "NFL": lambda z, p, e, c: nfl(p, e, c["gamma"]),
    "AUL": lambda z, p, e, c: aul(p, e, c["a"], c["q"]),
    "AGCE": lambda z, p, e, c: agce(p, e, c["a"], c["q"]),
    "AEL": lambda z, p, e, c: ael(p, e, c["a"]),
    "NNCE": lambda z, p, e, c: c["beta"] * nnce(p, e, c["eps"]),
    "NNFL": lambda z, p, e, c: c["beta"] * nnfl(p, e, c["gamma"], c["eps"]),
    "AMSE": lambda z, p, e, c: amse(p, e, c["a"], c["q"]),
    "NCE+RCE": lambda z, p, e, c: c["alpha"] * nce(p, e) - c["beta"] * c["A"] * half_mae(p, e),
    "NCE+MAE": lambda z, p, e, c: c["alpha"] * nce(p, e) + c["beta"] * half_mae(p, e),
    "NFL+RCE": lambda z, p, e, c: c["alpha"] * nfl(p, e, c["gamma"]) - c["beta"] * c["A"] * half_mae(p, e),
    "NCE+AUL": lambda z, p, e, c: c["alpha"] * nce(p, e) + c["beta"] * aul(p, e, c["a"], c["q"]),
    "NCE+AGCE": lambda z, p, e, c: c["alpha"] * nce(p, e) + c["beta"] * agce(p, e, c["a"], c["q"]),
    "NCE+AEL": lambda z, p, e, c: c["alpha"] * nce(p, e) + c["beta"] * ael(p, e, c["a"]),
    "AGCE+MAE": lambda z, p, e, c: c["alpha"] * agce(p, e, c["a"], c["q"]) + c["beta"] * half_mae(p, e),
    "CE+LC": lambda z, p, e, c: ce(clip(z, c["delta"], c["power"], c["eps"]).softmax(1), e, c["eps"]),
    "ANL-CE": lambda z, p, e, c: c["alpha"] * nce(p, e) + c["beta"] * nnce(p, e, c["eps"]),
    "ANL-FL": lambda z, p, e, c: (
        c["alpha"] * nfl(p, e, c["gamma"]) + c["beta"] * nnfl(p, e, c["gamma"], c["eps"])
    ),
    "JAL-CE": lambda z, p, e, c: c["alpha"] * nce(p, e) + c["beta"] * amse(p, e, c["a"], c["q"]),
    "JAL-FL": lambda z, p, e, c: c["alpha"] * nfl(p, e, c["gamma"]) + c["beta"] * amse(p, e, c["a"], c["q"]),
    "ECE": lambda z, p, e, c: ce(eps_softmax(p, c["m"]), e, c["eps"]),
    "EFL": lambda z, p, e, c: fl(eps_softmax(p, c["m"]), e, c["gamma"], c["eps"]),
    "ECE+MAE": lambda z, p, e, c: (
        c["alpha"] * ce(eps_softmax(p, c["m"]), e, c["eps"]) + 2 * c["beta"] * half_mae(p, e)
    ),
    "EFL+MAE": lambda z, p, e, c: (
        c["alpha"] * fl(eps_softmax(p, c["m"]), e, c["gamma"], c["eps"]) + 2 * c["beta"] * half_mae(p, e)
    ),
    "LDR": lambda z, p, e, c: ldr(z, e, c["lam"], c["margin"]),
}
# The eps-softmax losses' grids on CIFAR-10 and CIFAR-100, which depend on the noise.
EPS_SOFTMAX_GRIDS = {
    "cifar10": ((0.01, 5, 1e5), (0.02, 5, 1e3), (0.045, 10, 1e5)),
    "cifar100": tuple((alpha, 1, 1e4) for alpha in (0.1, 0.05, 0.03, 0.00125, 0.0075))
    + tuple((alpha, 1, 1e2) for alpha in (0.015, 0.007, 0.005, 0.004)),
}


def agrees_with_reference(name, loss, constants, batch, scale):
    """Value and gradient; large scales reach the clamps and lose digits of 1 - p in the one-hot form."""
    logits, labels = batch(12, 7, scale=scale)
    logits.requires_grad_()
    ours = loss(logits, labels)
    again = REFERENCE[name](logits, logits.softmax(1), one_hot(labels, 7), constants).mean()
    near = {"rtol": 1e-9, "atol": 1e-10} if scale < 10 else {"rtol": 1e-6, "atol": 1e-6}
    close(ours, again, **near)
    close(*(torch.autograd.grad(value, logits)[0] for value in (ours, again)), **near)


@pytest.mark.parametrize("scale", [0.05, 3.0, 15.0])
@pytest.mark.parametrize(
    ("name", "dataset", "settings", "known"),
    [pytest.param(*c.values[:3], c.values[4], id=c.id) for c in cells() if c.values[3]],
)
def test_values_and_gradients_are_those_of_the_one_hot_form(name, dataset, settings, known, batch, scale):
    agrees_with_reference(name, build(name, dataset, settings), known, batch, scale)


@pytest.mark.parametrize("name", ["ECE", "EFL", "ECE+MAE", "EFL+MAE"])
@pytest.mark.parametrize("grid", [g for grids in EPS_SOFTMAX_GRIDS.values() for g in grids], ids=str)
def test_eps_softmax_losses_take_their_grids(name, grid, batch):
    given = dict(zip(("alpha", "beta", "m"), grid, strict=True)) if "+" in name else {"m": grid[2]}
    loss = build(name, None, **given)
    agrees_with_reference(name, loss, EVERYWHERE[name] | given, batch, scale=3.0)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("AMSE", {"a": 1.5, "q": 0.5}),
        ("AMSE", {"a": 4.75, "q": 3}),
        ("JAL-CE", {"alpha": 2, "beta": 0.5, "a": 7, "q": 1.5}),
        ("JAL-FL", {"alpha": 2, "beta": 0.5, "a": 7, "gamma": 2, "q": 0.7}),
        ("AUL", {"a": 1.5, "q": 0.5}),
        ("NNCE", {"beta": 1, "eps": 1e-7}),
        ("NNFL", {"beta": 1, "gamma": 2, "eps": 1e-7}),
        ("FL", {"gamma": 0}),
        ("RCE", {"A": -4}),
        ("LDR", {"lam": 0.5, "margin": 1}),
    ],
)
def test_own_parameters_are_those_of_the_one_hot_form(name, given, batch):
    constants = EVERYWHERE.get(name, {}) | given
    agrees_with_reference(name, build(name, None, **given), constants, batch, scale=3.0)


def test_given_parameters_override_the_table():
    loss = build("JAL-CE", "cifar100", a=50, q=3)
    assert loss.constants == {"alpha": 5, "beta": 1, "a": 50, "q": 3}


def test_every_entry_describes_itself():
    for name, entry in CATALOG.items():
        assert entry.name == name
        assert entry.title
        assert entry.source.isidentifier()
        assert entry.formula.count("{") == entry.formula.count("}")
        assert entry.formula.count(r"\left") == entry.formula.count(r"\right")
        assert "%" not in entry.formula
        for settings in (entry.table, entry.official):
            for values in settings.values():
                assert set(values) <= {p.name for p in entry.parameters}
        # What one can borrow is in the table under either settings.
        assert all(set(values) <= set(entry.table[dataset]) for dataset, values in entry.official.items())
