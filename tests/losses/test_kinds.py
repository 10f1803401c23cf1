"""What the catalogue claims about each loss, against the definitions: symmetric, asymmetric, or neither."""

import math

import pytest
import torch

from jal.losses import CATALOG, build, names

# name: role, symmetric (Definition 4.1), asymmetric (Definition 4.4)
KINDS = {
    "CE": ("active", False, "never"),
    "FL": ("active", False, "never"),
    "GCE": ("active", False, "conditional"),
    "MAE": ("passive", True, "always"),
    "RCE": ("passive", True, "always"),
    "SCE": ("joint", False, "never"),
    "MSE": ("passive", False, "never"),
    "NCE": ("active", True, "open"),
    "NFL": ("active", True, "open"),
    "AUL": ("active", False, "conditional"),
    "AGCE": ("active", False, "conditional"),
    "AEL": ("active", False, "conditional"),
    "NNCE": ("passive", True, "always"),
    "NNFL": ("passive", True, "always"),
    "AMSE": ("passive", False, "conditional"),
    "NCE+RCE": ("joint", True, "open"),
    "NCE+MAE": ("joint", True, "open"),
    "NFL+RCE": ("joint", True, "open"),
    "NCE+AUL": ("joint", False, "open"),
    "NCE+AGCE": ("joint", False, "open"),
    "NCE+AEL": ("joint", False, "open"),
    "AGCE+MAE": ("joint", False, "conditional"),
    "CE+LC": ("active", False, "never"),
    "ANL-CE": ("joint", True, "open"),
    "ANL-FL": ("joint", True, "open"),
    "JAL-CE": ("joint", False, "open"),
    "JAL-FL": ("joint", False, "open"),
    "ECE": ("none", False, "open"),
    "EFL": ("none", False, "open"),
    "ECE+MAE": ("joint", False, "open"),
    "EFL+MAE": ("joint", False, "open"),
    "LDR": ("none", False, "open"),
}


def of_kind(asymmetric):
    return [name for name in names() if CATALOG[name].asymmetric == asymmetric]


def test_the_catalogue_claims_what_is_known():
    assert {n: (e.role, e.symmetric, e.asymmetric) for n, e in CATALOG.items()} == KINDS


def test_no_claim_of_the_vertex_is_made_for_what_contains_nce_or_nfl():
    parts = {"NCE", "NFL", "ANL", "JAL"}
    assert all(
        CATALOG[name].asymmetric == "open" for name in names() if parts & {*name.replace("-", "+").split("+")}
    )


# Definition 4.1: the sum over the labels is constant


@pytest.mark.parametrize("K", [2, 10])
def test_sums_over_labels_are_constant_exactly_where_claimed(name, official, batch, K):
    logits = torch.cat([batch(50, K, scale=scale)[0] for scale in (0.1, 3.0, 30.0)])
    sums = official(name).all_labels(logits).sum(1)
    spread = (sums.max() - sums.min()) / sums.abs().max()
    assert (spread < 1e-12) if KINDS[name][1] else (spread > 1e-4)


# Definition 4.4: the vertex of the dominant class minimises the weighted risk


def simplex(K):
    """Log-probabilities: the vertex of class 0 first, then ways into it, then points all over the simplex."""
    vertex = torch.full((1, K), -800.0, dtype=torch.float64)
    vertex[0, 0] = 0
    off = torch.logspace(-7, -0.01, 300, dtype=torch.float64)[:, None]
    ways = [torch.full((1, K - 1), 1 / (K - 1), dtype=torch.float64)]
    ways += [row[None] for row in torch.eye(K - 1, dtype=torch.float64)]
    into = torch.cat([torch.cat([1 - off, off * way.clamp_min(1e-300)], dim=1) for way in ways])
    generator = torch.Generator().manual_seed(0)
    scales = torch.logspace(-1, 2, 4000, dtype=torch.float64)[:, None]
    spread = scales * torch.randn(4000, K, generator=generator, dtype=torch.float64)
    return torch.cat([vertex, into.log(), spread.log_softmax(1)])


def risk(loss, weights):
    """The weighted risk at the vertex, and at all other points."""
    w = torch.tensor(weights, dtype=torch.float64)
    values = (loss.all_labels(simplex(len(weights))) * w).sum(1) / w.sum()
    return values[0].item(), values[1:]


def vertex_minimises(loss, weights):
    at_vertex, elsewhere = risk(loss, weights)
    return elsewhere.min().item() >= at_vertex - 1e-12 * max(1, abs(at_vertex))


NOISES = [(0.4, 0.3, 0.3), (0.5, 0.3, 0.2), (0.9, 0.1, 0.0), (0.28, 0.24, 0.24, 0.24), (0.2, *[0.8 / 9] * 9)]


@pytest.mark.parametrize("weights", NOISES, ids=str)
@pytest.mark.parametrize("name", of_kind("always"))
def test_the_vertex_always_minimises(name, weights, official):
    assert vertex_minimises(official(name), weights)
    # And not because the risk is flat: a dominant class is needed.
    assert not vertex_minimises(official(name), (min(weights), *weights[1:], max(weights)))


@pytest.mark.parametrize("weights", [(0.4, 0.3, 0.3), (0.9, 0.06, 0.04), (0.2, *[0.8 / 9] * 9)], ids=str)
@pytest.mark.parametrize("name", of_kind("never"))
def test_the_vertex_never_minimises(name, weights, official):
    at_vertex, elsewhere = risk(official(name), weights)
    assert elsewhere.min().item() < at_vertex - 1e-5


def amse_ratio(a, q):
    """w_m / w_k of Theorem 4.1 for three classes with weights (w_m, w_k, w_k)."""
    return (a ** (q - 1) + 2) / (a - 1) ** (q - 1)


def agce_mae_ratio(a, q):
    return (a ** (q - 1) + 1) / ((a + 1) ** (q - 1) + 1)


# The loss of the label is convex in p_y here, so the slopes at p_y = 1 and 0 decide: the least w_m / w_k.
THRESHOLDS = [
    ("AUL", {"a": 5.5, "q": 3}, (5.5 / 4.5) ** 2),
    ("AUL", {"a": 1.5, "q": 1.5}, 3**0.5),
    ("AGCE", {"a": 0.6, "q": 0.6}, (1.6 / 0.6) ** 0.4),
    ("AGCE", {"a": 0.1, "q": 0.5}, 11**0.5),
    ("AEL", {"a": 2.5}, math.exp(1 / 2.5)),
    ("AEL", {"a": 0.8}, math.exp(1 / 0.8)),
    ("AGCE+MAE", {"alpha": 1, "beta": 1, "a": 0.1, "q": 0.5}, agce_mae_ratio(0.1, 0.5)),
    ("AMSE", {"a": 30, "q": 2}, amse_ratio(30, 2)),
    ("AMSE", {"a": 5, "q": 2}, amse_ratio(5, 2)),
    ("AMSE", {"a": 30, "q": 3}, amse_ratio(30, 3)),
    ("AMSE", {"a": 2, "q": 1.5}, amse_ratio(2, 1.5)),
]
# And concave here, so that the least dominance is enough.
CONCAVE = [
    ("GCE", {"q": 1}),
    ("GCE", {"q": 2}),
    ("AUL", {"a": 2, "q": 1}),
    ("AUL", {"a": 1.5, "q": 0.5}),
    ("AGCE", {"a": 0.6, "q": 1}),
    ("AGCE", {"a": 6, "q": 1.5}),
    ("AGCE+MAE", {"alpha": 1, "beta": 1, "a": 6, "q": 1.5}),
    ("AMSE", {"a": 1, "q": 1}),
    ("AMSE", {"a": 1.5, "q": 0.5}),
]


@pytest.mark.parametrize(("name", "given", "ratio"), THRESHOLDS)
def test_the_vertex_minimises_above_the_threshold_and_not_below(name, given, ratio):
    loss = build(name, None, **given)
    assert vertex_minimises(loss, (1.01 * ratio, 1, 1))
    assert not vertex_minimises(loss, (0.99 * ratio, 1, 1))


@pytest.mark.parametrize(("name", "given"), CONCAVE)
def test_the_least_dominance_is_enough(name, given):
    loss = build(name, None, **given)
    assert vertex_minimises(loss, (1.01, 1, 1))
    assert not vertex_minimises(loss, (0.99, 1, 1))


def test_every_conditional_loss_has_a_threshold_here():
    assert {name for name, *_ in THRESHOLDS} | {"GCE"} == set(of_kind("conditional"))


def test_gce_below_one_has_no_threshold():
    assert not vertex_minimises(build("GCE", "cifar10"), (20, 1, 1))


@pytest.mark.parametrize(("q", "below", "above"), [(2.0, 8.9, 9.1), (3.0, 4.70, 4.75)], ids=["9", "4.739388"])
def test_amse_needs_the_a_of_theorem_4_1_under_80_per_cent_noise(q, below, above):
    weights = (0.2, *[0.8 / 9] * 9)
    assert vertex_minimises(build("AMSE", None, a=above, q=q), weights)
    assert not vertex_minimises(build("AMSE", None, a=below, q=q), weights)


@pytest.mark.parametrize("name", ["NCE", "NFL"])
def test_normalised_losses_have_their_infimum_away_from_the_vertex(name, official):
    """Their risk is an average of the weights, and nears the least one where that class vanishes fastest."""
    weights = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    loss = official(name)

    def at(p):
        return (loss.all_labels(torch.tensor(p, dtype=torch.float64).log()) * weights).sum().item()

    evenly, away = at([1 - 2e-300, 1e-300, 1e-300]), at([0.5, 0.5, 1e-300])
    assert evenly == pytest.approx(0.25, abs=1e-4)
    assert 0.2 < away < 0.201
    at_vertex, elsewhere = risk(loss, weights.tolist())
    assert 0.2 <= elsewhere.min().item() < at_vertex - 0.01


def test_nce_away_from_the_vertex_has_the_value_of_the_formula():
    log_p = torch.tensor([0.5, 0.5, 1e-300], dtype=torch.float64).log()
    losses = build("NCE", None).all_labels(log_p)
    assert (losses * torch.tensor([0.5, 0.3, 0.2])).sum().item() == pytest.approx(0.2004, abs=5e-5)
