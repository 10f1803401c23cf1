"""The paper's own proof of Theorem 4.1, step by step: what holds as printed, what needs more, and what does not hold.

It moves mass between two classes only. Class m holds x of their common t <= 1, the rival n holds t - x, and the
claim is that giving all of it to m never costs anything. The weights enter as w_m / w_n and as c, the sum of the
w_i / w_n over the other classes; the paper writes t = 1 in the first half of its proof and f_m&k for it later.
"""

from __future__ import annotations

from sympy import Derivative, Eq, Expr, Gt, Integer, Le, Lt, Pow, Rational, Subs, Symbol
from sympy.logic.boolalg import And, Boolean

from jal.theory.symbolic.notation import S, a, q, t, w_k, w_n, x
from jal.theory.symbolic.steps import Step, cited, equal, given, step
from jal.theory.symbolic.theorem import slope, term

c = Symbol("c", nonnegative=True)
ratio = Symbol("r", positive=True)


def numerator(at: Expr) -> Expr:
    """The numerator of the paper's h(x), for any t."""
    own = a**q + t**q - (a - t + at) ** q - at**q
    return own + c * (t**q - at**q - (t - at) ** q)


def denominator(at: Expr) -> Expr:
    """The denominator of the paper's h(x), for any t."""
    return (a - at) ** q + (t - at) ** q - (a - t) ** q


def rho_numerator(at: Expr) -> Expr:
    """The numerator of the paper's rho(xi), for any t."""
    powers = (a - t + at) ** (q - 1) + at ** (q - 1)
    return powers + c * (at ** (q - 1) - (t - at) ** (q - 1))


def rho_denominator(at: Expr) -> Expr:
    """The denominator of the paper's rho(xi), for any t."""
    return (a - at) ** (q - 1) + (t - at) ** (q - 1)


def worst(mass: Expr) -> Expr:
    """What rho tends to as xi tends to t = mass; at 1 it is the paper's bound on w_m / w_n."""
    return (a ** (q - 1) + (1 + c) * mass ** (q - 1)) / (a - mass) ** (q - 1)


INSIDE = Gt(t, x), Gt(a, t)
"""0 < x < t < a."""


@step(
    "Giving all the mass to m changes the risk by w_n [(w_m / w_n) D(x) - N(x)], with h = N / D",
    because="The terms of m and n written out; so m should have all of it exactly where w_m / w_n >= h(x).",
)
def risk_along_the_edge() -> Boolean:
    w_m, others = ratio * w_n, c * w_n

    def at(p_m: Expr, p_n: Expr) -> Expr:
        return term(w_m, w_n + others, p_m) + term(w_n, w_m + others, p_n)

    drop = at(x, t - x) - at(t, Integer(0))
    return Eq(drop, w_n * (ratio * denominator(x) - numerator(x)))


@step("D is positive before its end, where it is 0", because="It falls all the way down to D(t) = 0.")
def denominator_falls() -> Boolean:
    return And(
        equal(Subs(denominator(x), x, t), 0), given(*INSIDE, then=Lt(Derivative(denominator(x), x), 0))
    )


@step(
    "The proof's opening chain fails as printed: setting the other probabilities to 0 can raise the risk",
    because=(
        "For q > 1 the risk falls as an unused coordinate leaves 0. Nothing is lost: to show that the condition is "
        "necessary it is enough to look at points that use m and n alone."
    ),
)
def opening_chain_fails() -> Boolean:
    return given(Gt(q, 1), Gt(w_k, 0), then=Lt(slope(w_k, S, Integer(0)), 0))


chord = cited("chord", "A concave function lies above its chord", "The definition of concavity.")


@step(
    "For q <= 1 the first printed inequality holds: a^q <= (a - v)^q + v^q, with v = 1 - x",
    because="The right side is concave in v (x below) and equals a^q at both ends, v = 0 and v = a.",
)
def first_inequality() -> Boolean:
    right = (a - x) ** q + x**q
    bent_down = given(Le(q, 1), Gt(a, x), then=Le(Derivative(right, (x, 2)), 0))
    return And(bent_down, *(equal(Subs(right, x, end), a**q) for end in (0, a)))


@step(
    "The second does not: 1 + (a-1)^q <= x^q + (a-x)^q fails, for example, at a = 2, q = 1/2, x = 0",
    because="There it reads 2 <= sqrt(2). At x = 0 it contradicts the first one for every a > 1 and q < 1.",
)
def second_inequality_fails() -> Boolean:
    at_a, at_q, at_x = Integer(2), Rational(1, 2), Integer(0)
    left = 1 + Pow(at_a - 1, at_q, evaluate=False)
    right = Pow(at_x, at_q, evaluate=False) + Pow(at_a - at_x, at_q, evaluate=False)
    return Gt(left, right, evaluate=False)


@step(
    "The term of the other classes is at most 0: x^q + (t-x)^q >= t^q",
    because="Concave in x, and t^q at both ends.",
)
def others_help() -> Boolean:
    two = x**q + (t - x) ** q
    bent_down = given(Le(q, 1), Gt(t, x), then=Le(Derivative(two, (x, 2)), 0))
    return And(bent_down, *(equal(Subs(two, x, end), t**q) for end in (0, t)))


@step(
    "The sum of the two, which is all that is used, holds: a^q + t^q + (a-t)^q is at most the four powers of x",
    because="The two new powers are concave in x too, and at both ends, x = 0 and x = t, the sides are equal.",
)
def sum_of_the_two() -> Boolean:
    outer, inner = (a - t + x) ** q + (a - x) ** q, x**q + (t - x) ** q
    bent_down = given(Le(q, 1), *INSIDE, then=Le(Derivative(outer, (x, 2)), 0))
    ends = (equal(Subs(outer + inner, x, end), a**q + t**q + (a - t) ** q) for end in (0, t))
    return And(bent_down, *ends)


@step("So for q <= 1 the supremum of h is 1: it is never more, and h(0) = 1", because="N(0) = D(0).")
def supremum_is_one() -> Boolean:
    return equal(Subs(numerator(x), x, 0), Subs(denominator(x), x, 0))


@step("For q > 1: N and D vanish together at x = t", because="All the mass is with m already.")
def common_zero() -> Boolean:
    return And(equal(Subs(numerator(x), x, t), 0), equal(Subs(denominator(x), x, t), 0))


mean_value = cited(
    "mean value",
    "N(x) / D(x) = N'(xi) / D'(xi) for some xi between x and t",
    "Cauchy's mean value theorem; D' has no zero there, by `denominator falls`.",
)


@step("N' / D' is the rho of the paper", because="Differentiation; the factors -q cancel.")
def rho() -> Boolean:
    return And(
        given(*INSIDE, then=Eq(Derivative(numerator(x), x), -q * rho_numerator(x))),
        given(*INSIDE, then=Eq(Derivative(denominator(x), x), -q * rho_denominator(x))),
    )


@step(
    "The supremum of rho is its limit at xi = t, which the paper states without proof",
    because=(
        "rho's numerator grows and its denominator, positive, falls: rho grows wherever it is positive, and where it "
        "is not it is below its limit, which is positive. By the rule of de l'Hôpital h has the same limit, so "
        "sup h = sup rho."
    ),
)
def rho_grows() -> Boolean:
    return And(
        given(Gt(q, 1), *INSIDE, then=Gt(Derivative(rho_numerator(x), x), 0)),
        given(Gt(q, 1), *INSIDE, then=Lt(Derivative(rho_denominator(x), x), 0)),
        given(*INSIDE, then=Gt(rho_denominator(x), 0)),
    )


@step(
    "That limit is [a^(q-1) + (1+c) t^(q-1)] / (a-t)^(q-1)", because="For q > 1 the powers of t - xi vanish."
)
def limit_of_rho() -> Boolean:
    return given(Gt(q, 1), then=Eq(rho_numerator(t) / rho_denominator(t), worst(t)))


@step(
    "It grows with t, so t = 1 is the worst case and gives the condition for every other t",
    because="The paper passes over t < 1. At t = 1 it is [a^(q-1) + sum of w_i / w_n over i != m] / (a-1)^(q-1).",
)
def whole_mass_is_worst() -> Boolean:
    return given(Gt(q, 1), Gt(a, t), then=Gt(Derivative(worst(t), t), 0))


one_class_at_a_time = cited(
    "one class at a time",
    "If moving the mass of any one class to m never raises the risk, then e_m minimises it",
    "Zhou et al. 2021, Lemma 1: move the classes one after the other.",
)

PAPERS_PROOF: tuple[Step, ...] = (
    risk_along_the_edge,
    denominator_falls,
    opening_chain_fails,
    chord,
    first_inequality,
    second_inequality_fails,
    others_help,
    sum_of_the_two,
    supremum_is_one,
    common_zero,
    mean_value,
    rho,
    rho_grows,
    limit_of_rho,
    whole_mass_is_worst,
    one_class_at_a_time,
)
"""The proof of section 4.3: from `chord` for q <= 1, from `common zero` for q > 1."""
