"""NCE near a corner: its weighted risk is an average of the weights, and does not single the heaviest class out.

"Symmetric, therefore asymmetric" fails for NCE by the letter of Definition 4.4. What JAL needs survives: the
infimum of NCE's risk is approached at every corner, so AMSE alone decides where the joint risk is least.
"""

from __future__ import annotations

from sympy import Eq, Expr, Ge, Limit, Symbol, exp, log
from sympy.logic.boolalg import And, Boolean

from jal.theory.symbolic.losses import ELEMENTARY, loss
from jal.theory.symbolic.notation import K, S, T, eps, over_labels, p, w, w_k, w_m, x, y
from jal.theory.symbolic.steps import cited, given, step

e = Symbol("e", positive=True)
"""The mass that has left the corner."""

least = Symbol("w_min", nonnegative=True)
"""The least of the weights."""

share = Symbol("s", nonnegative=True)
"""What a class contributes to an average before it is divided by the total: |log p_k| for NCE."""


def evenly(mass: Expr) -> Expr:
    """NCE's weighted risk at p_m = 1 - mass, the mass spread evenly over the other K - 1 classes."""
    own, other = log(1 - mass), log(mass / (K - 1))
    return (w_m * own + S * other) / (own + (K - 1) * other)


def leading(mass: Expr) -> Expr:
    """The part of `evenly` beyond the rivals' mean weight, to leading order in the mass."""
    return mass * (w_m - S / (K - 1)) / ((K - 1) * log((K - 1) / mass))


@step(
    "The weighted risk of NCE is an average of the weights w_k, in shares |log p_k|",
    because="Put the loss in.",
)
def average_of_the_weights() -> Boolean:
    logs = log(p[y])
    return Eq(over_labels(w[y] * loss("NCE"), y), over_labels(w[y] * logs, y) / over_labels(logs, y))


@step(
    "So it is never below the least weight",
    because="Less that weight, it is the average of the w_k - w_min, and none of these is negative.",
)
def bounded_by_the_least_weight() -> Boolean:
    logs = log(p[y])
    excess = over_labels((w[y] - least) * logs, y) / over_labels(logs, y)
    return And(
        Eq(over_labels(w[y] * loss("NCE"), y) - least, excess),
        given(Ge(w_k, least), then=Ge((w_k - least) * share, 0)),
    )


@step(
    "That bound is approached where the class of least weight vanishes and no other does",
    because="Its share |log p_k| outgrows all others: p_k = e, the rest (1 - e) / (K - 1) each. No corner is near.",
)
def infimum_away_from_the_corners() -> Boolean:
    own, other = log(e), log((1 - e) / (K - 1))
    risk = (least * own + S * other) / (own + (K - 1) * other)
    return Eq(Limit(risk, e, 0, "+"), least)


@step(
    "It is approached at the corner e_m just as well, where the class of least weight vanishes fastest",
    because="p_k = exp(-1/e), the other rivals e each, the rest with m; T is the sum of those K - 2 weights.",
)
def infimum_at_the_corner() -> Boolean:
    fastest = exp(-1 / e)
    own = log(1 - (K - 2) * e - fastest)
    risk = (w_m * own + T * log(e) - least / e) / (own + (K - 2) * log(e) - 1 / e)
    return Eq(Limit(risk, e, 0, "+"), least)


@step(
    "Approached evenly, the corner e_m gives the mean weight of the others",
    because="The K - 1 rivals have equal shares, and m none. Under symmetric noise their mean is the least weight.",
)
def mean_of_the_others() -> Boolean:
    return Eq(Limit(evenly(e), e, 0, "+"), S / (K - 1))


@step(
    "On that way the risk exceeds its limit by e (w_m - mean) / ((K-1) log((K-1)/e)), to leading order",
    because="The difference in closed form, and the ratio of the two, which tends to 1.",
)
def leading_order() -> Boolean:
    own, other = log(1 - e), (K - 1) * log(e / (K - 1))
    exact = (w_m - S / (K - 1)) * own / (own + other)
    factor = own / (own + other) * (K - 1) * log((K - 1) / e) / e
    return And(Eq(evenly(e) - S / (K - 1), exact), Eq(Limit(factor, e, 0, "+"), 1))


@step(
    "So on that way NCE has no slope at the corner: it cannot hold a corner that AMSE lets go, nor move one it holds",
    because="1 / log(1/e) tends to 0, slowly, while AMSE's slope is a number that changes its sign at the threshold.",
)
def no_slope_at_the_corner() -> Boolean:
    return Eq(Limit(leading(e) / e, e, 0, "+"), 0)


two_infima_at_one_place = cited(
    "two infima at one place",
    "alpha NCE + beta AMSE has its infimum where AMSE has its minimum, and every minimising sequence ends there",
    (
        "Both parts are at least their own infimum, and both infima are approached on one way to that corner. AMSE's "
        "minimiser is the only one, so a sequence that stays away from it stays above the sum."
    ),
)


@step(
    "For NNCE the corner does win: its weighted risk is the weights' sum less their average in shares log(p_k / eps)",
    because=(
        "At e_m, with the others at the floor eps, their shares are 0 and the average is w_m, the largest there is."
    ),
)
def nnce_prefers_the_corner() -> Boolean:
    shares = ELEMENTARY["CE"].label.subs(x, eps) - ELEMENTARY["CE"].label.subs(x, p[y])
    average = over_labels(w[y] * shares, y) / over_labels(shares, y)
    shortfall = over_labels((w_m - w[y]) * shares, y) / over_labels(shares, y)
    return And(
        Eq(over_labels(w[y] * loss("NNCE"), y), over_labels(w[y], y) - average),
        Eq(w_m - average, shortfall),
        given(Ge(w_m, w_k), then=Ge((w_m - w_k) * share, 0)),
    )


NORMALISED_AT_THE_CORNER = (
    average_of_the_weights,
    bounded_by_the_least_weight,
    infimum_away_from_the_corners,
    infimum_at_the_corner,
    mean_of_the_others,
    leading_order,
    no_slope_at_the_corner,
    two_infima_at_one_place,
    nnce_prefers_the_corner,
)
"""What NCE's weighted risk does at a corner, and what follows for JAL."""
