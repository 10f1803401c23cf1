"""What AMSE is made of, and what its parameter does to the gradient: by probabilities and by logits."""

from __future__ import annotations

from sympy import Derivative, Eq, Expr, Gt, Ne, Symbol, exp
from sympy.logic.boolalg import And, Boolean

from jal.theory.symbolic.definitions import ON_SIMPLEX
from jal.theory.symbolic.losses import ELEMENTARY, loss
from jal.theory.symbolic.notation import K, a, j, over_labels, p, q, x
from jal.theory.symbolic.steps import given, step

z_y, z_k = Symbol("z_y", real=True), Symbol("z_k", real=True)
"""The logit of the label, and that of another class."""

E1, E2 = Symbol("E_1", nonnegative=True), Symbol("E_2", nonnegative=True)
"""The sums of exp(z) and of exp(2 z) over all remaining classes."""

_TOTAL = exp(z_y) + exp(z_k) + E1
_P_Y, _P_K = exp(z_y) / _TOTAL, exp(z_k) / _TOTAL
_NORM = _P_Y**2 + _P_K**2 + E2 / _TOTAL**2


def softmax_amse() -> Expr:
    """AMSE at q = 2 as a function of the logits z_y and z_k, for any number of remaining classes."""
    return (a**2 - 2 * a * _P_Y + _NORM) / K


@step(
    "AMSE at q = 2 is (a/K) MAE + ||p||^2 / K + (a^2 - 2a) / K",
    because="||a e_y - p||^2 = a^2 - 2 a p_y + ||p||^2, and MAE = 2 - 2 p_y where the probabilities sum to 1.",
)
def mae_and_a_norm() -> Boolean:
    norm = over_labels(p[j] ** 2)
    return given(ON_SIMPLEX, then=Eq(loss("AMSE", q=2), a / K * loss("MAE") + norm / K + (a**2 - 2 * a) / K))


@step(
    "At q = 1 it is MAE / K + (a - 1) / K: `a` is a constant",
    because="|a - p_y| is |1 - p_y| + a - 1.",
)
def mae_at_q_one() -> Boolean:
    return Eq(loss("AMSE", q=1), loss("MAE") / K + (a - 1) / K)


@step(
    "By probabilities, the gradient is -2 (a - p_y) / K for the label and 2 p_k / K for the others, free of a",
    because="Differentiation of the two terms, as in the paper's supplement A.",
)
def gradient_by_probabilities() -> Boolean:
    label, other = (half.subs(q, 2) for half in ELEMENTARY["AMSE"])
    return And(
        Eq(Derivative(label, x), -2 * (a - x) / K),
        Eq(Derivative(other, x), 2 * x / K),
    )


@step(
    "By logits, the gradient of another class is (2 p_k / K) (a p_y + p_k - ||p||^2): it does depend on a",
    because="Softmax ties the probabilities together, and the label's pull reaches every logit.",
)
def gradient_by_another_logit() -> Boolean:
    return Eq(Derivative(softmax_amse(), z_k), 2 * _P_K / K * (a * _P_Y + _P_K - _NORM))


@step(
    "By logits, the gradient of the label is -(2 p_y / K) [a (1 - p_y) + ||p||^2 - p_y]",
    because="The same. Its part in a is p_y (1 - p_y), the weight that MAE gives a sample: most at p_y = 1/2.",
)
def gradient_by_the_labels_logit() -> Boolean:
    return Eq(Derivative(softmax_amse(), z_y), -2 * _P_Y / K * (a * (1 - _P_Y) + _NORM - _P_Y))


@step(
    "The pull of `a` on another logit is 2 p_y p_k / K, never 0",
    because="The derivative of that gradient by a.",
)
def a_reaches_every_logit() -> Boolean:
    return Ne(Derivative(softmax_amse(), z_k, a), 0)


@step(
    "For q > 1 a larger a steepens the pull on the label's own probability",
    because="The mixed derivative is negative: the slope -q (a - p_y)^(q-1) / K grows in size.",
)
def a_steepens_the_pull() -> Boolean:
    return given(Gt(q, 1), Gt(a, x), then=Gt(-Derivative(ELEMENTARY["AMSE"].label, x, a), 0))


IDENTITIES = (mae_and_a_norm, mae_at_q_one)
"""AMSE in terms of MAE."""

GRADIENTS = (
    gradient_by_probabilities,
    gradient_by_another_logit,
    gradient_by_the_labels_logit,
    a_reaches_every_logit,
    a_steepens_the_pull,
)
"""AMSE's gradient, for any K: the label, one other class, and the rest gathered in two sums."""
