"""Theorem 4.1: when the corner of the heaviest class minimises the weighted risk of AMSE.

The weighted risk is K R(p) = sum_k term(w_k, W - w_k, p_k), one term per class. For q > 1 it is convex, and a
point minimises it if and only if no direction leads down from there; for q <= 1 it is concave, and its minimum is
at a corner. The paper's own way is in `jal.theory.symbolic.cauchy`.
"""

from __future__ import annotations

from sympy import Abs, Derivative, Eq, Equivalent, Expr, Ge, Gt, IndexedBase, Le, Symbol
from sympy.core.relational import Relational
from sympy.logic.boolalg import And, Boolean

from jal.theory.symbolic.definitions import ON_SIMPLEX
from jal.theory.symbolic.losses import loss
from jal.theory.symbolic.notation import K, S, T, a, j, over_labels, p, q, t, w, w_k, w_m, w_n, x, y
from jal.theory.symbolic.steps import cited, given, step


def term(weight: Expr, rest: Expr, at: Expr, power: Expr = q) -> Expr:
    """What a class of this weight, all others weighing `rest` together, adds to K R where its probability is `at`."""
    return weight * (a - at) ** power + rest * at**power


def slope(weight: Expr, rest: Expr, at: Expr) -> Expr:
    """The derivative of `term` by `at`."""
    return q * (rest * at ** (q - 1) - weight * (a - at) ** (q - 1))


def condition(own: Expr, rival: Expr, others: Expr, power: Expr = q) -> Relational:
    """The condition of Theorem 4.1 for q > 1, in the form that needs no division."""
    return Ge(own * (a - 1) ** (power - 1), rival * a ** (power - 1) + others)


@step("|a - p| is a - p", because="A probability is at most 1, and a at least.")
def distance() -> Boolean:
    return given(Ge(a, x), then=Eq(Abs(a - x), a - x))


@step(
    "The weighted risk is a sum over the classes, each term a function of one probability",
    because="Class k is the label with weight w_k, and is not with the weight of all others.",
)
def separable() -> Boolean:
    total = over_labels(w[j])
    return Eq(
        K * over_labels(w[y] * loss("AMSE"), y),
        over_labels(term(w[y], total - w[y], p[y]), y),
    )


@step("For q > 1 every term is convex", because="Its second derivative is a sum of nonnegative parts.")
def convex() -> Boolean:
    return given(Gt(q, 1), Gt(a, x), then=Ge(Derivative(term(w_k, S, x), (x, 2)), 0))


@step(
    "... strictly, so that a minimiser is the only one",
    because="Of the two parts one has weight: w_k, or, where w_k = 0, all the weight there is.",
)
def strictly_convex() -> Boolean:
    return And(
        given(Gt(q, 1), Gt(a, x), Gt(w_k, 0), then=Gt(Derivative(term(w_k, S, x), (x, 2)), 0)),
        given(Gt(q, 1), Gt(S, 0), then=Gt(Derivative(S * x**q, (x, 2)), 0)),
    )


@step("The slope of a term", because="Differentiation.")
def slope_of_a_term() -> Boolean:
    return given(Gt(a, x), then=Eq(Derivative(term(w_k, S, x), x), slope(w_k, S, x)))


@step(
    "At the corner e_m an unused class has the slope -q w_k a^(q-1)",
    because="For q > 1 the part x^(q-1) vanishes at x = 0; for q < 1 it is infinite.",
)
def slope_at_the_corner() -> Boolean:
    return given(Gt(q, 1), then=Eq(slope(w_k, S, 0), -q * w_k * a ** (q - 1)))


@step(
    "From a corner every direction is a mixture of the edges",
    because="With slopes g, the derivative towards p is sum p_k g_k - g_m, and the probabilities sum to 1.",
)
def edges_suffice() -> Boolean:
    g, g_m = IndexedBase("g", real=True), Symbol("g_m", real=True)
    return given(ON_SIMPLEX, then=Eq(over_labels(p[j] * g[j]) - g_m, over_labels(p[j] * (g[j] - g_m))))


first_order_condition = cited(
    "first order condition",
    "A point minimises a convex function on a convex set if and only if no direction from it leads down",
    "Boyd and Vandenberghe, Convex Optimization, section 4.2.3; on the simplex these are the KKT conditions.",
)


one_class_stands_for_all = cited(
    "one class stands for all",
    "What is shown for one other class k, from its weight w_k alone, holds for each of them, whatever K is",
    "Nothing else about k is used. Statements that hold a sum over the labels are derived for any K as they are.",
)


@step(
    "The edge towards class k does not lead down exactly where w_m (a-1)^(q-1) >= w_k a^(q-1) + S",
    because="The derivative along the edge is the slope of p_k at 0 less that of p_m at 1: q times the difference.",
)
def no_descent_along_an_edge() -> Boolean:
    edge = slope(w_k, w_m + T, 0) - slope(w_m, S, 1)
    return given(Gt(q, 1), then=Equivalent(Ge(edge, 0), condition(w_m, w_k, S)))


@step(
    "Of all these conditions that of the strongest rival implies the others", because="a^(q-1) is positive."
)
def strongest_rival_binds() -> Boolean:
    return given(Ge(w_n, w_k), then=Ge(w_n * a ** (q - 1) + S, w_k * a ** (q - 1) + S))


@step(
    "It is the paper's inequality, w_m / w_n >= [a^(q-1) + sum of w_i / w_n over i != m] / (a-1)^(q-1)",
    because="Both sides are divided by w_n (a-1)^(q-1), which is positive.",
)
def as_the_paper_writes_it() -> Boolean:
    printed = Ge(w_m / w_n, (a ** (q - 1) + S / w_n) / (a - 1) ** (q - 1))
    return given(Gt(a, 1), Gt(w_n, 0), then=Equivalent(condition(w_m, w_n, S), printed))


@step(
    "Without a rival every a >= 1 will do",
    because="Both sides of the condition are at least 0, the right one is 0.",
)
def no_rival() -> Boolean:
    return given(Gt(q, 1), Ge(a, 1), Eq(w_n, 0), Eq(S, 0), then=condition(w_m, w_n, S))


@step("For q <= 1 every term is concave", because="The factor q - 1 has turned its sign.")
def concave() -> Boolean:
    return given(Le(q, 1), Gt(a, x), then=Le(Derivative(term(w_k, S, x), (x, 2)), 0))


minimum_at_a_corner = cited(
    "minimum at a corner",
    "A concave function on the simplex is smallest at a corner, and only at corners where it is strictly concave",
    "Rockafellar, Convex Analysis, section 32. At q = 1 the risk is linear: one smallest corner is the only minimiser.",
)


@step(
    "Between two corners the risk differs by (w_m - w_k) [a^q + 1 - (a-1)^q]",
    because="Only the terms of the two classes change.",
)
def corners() -> Boolean:
    def at(p_m: int, p_k: int) -> Expr:
        return term(w_m, w_k + T, p_m) + term(w_k, w_m + T, p_k)

    return Eq(at(0, 1) - at(1, 0), (w_m - w_k) * (a**q + 1 - (a - 1) ** q))


@step("The bracket is at least 1", because="t^q grows with t, so a^q exceeds (a-1)^q.")
def bracket() -> Boolean:
    return Gt(Derivative(t**q, t), 0)


@step(
    "So for q <= 1 the heaviest class has the smallest risk",
    because="A positive lead times a positive bracket.",
)
def heaviest_corner_wins() -> Boolean:
    c = Symbol("c", positive=True)
    return given(Gt(w_m, w_k), then=Gt((w_m - w_k) * c, 0))


THEOREM_4_1 = (
    distance,
    separable,
    convex,
    strictly_convex,
    slope_of_a_term,
    slope_at_the_corner,
    edges_suffice,
    first_order_condition,
    one_class_stands_for_all,
    no_descent_along_an_edge,
    strongest_rival_binds,
    as_the_paper_writes_it,
    no_rival,
    concave,
    minimum_at_a_corner,
    corners,
    bracket,
    heaviest_corner_wins,
)
"""Theorem 4.1 as a KKT argument: to `no_rival` for q > 1, from `concave` on for q <= 1."""
