"""Definitions 4.1 to 4.3 of the paper, checked loss by loss: symmetric or not, active or passive."""

from __future__ import annotations

from sympy import Derivative, Eq, Expr, Ge, Gt, Ne, Rational, Subs, Symbol
from sympy.core.relational import Relational
from sympy.logic.boolalg import Boolean

from jal.theory.symbolic.losses import ELEMENTARY, loss
from jal.theory.symbolic.notation import A, K, a, j, over_labels, p, q, x, y
from jal.theory.symbolic.steps import Step, equal, given, step

ON_SIMPLEX = Eq(over_labels(p[j]), 1)
"""The probabilities sum to 1."""


def _symmetric(name: str, constant: Expr, because: str, *hypotheses: Relational) -> Step:
    def statement() -> Boolean:
        sums = Eq(over_labels(loss(name), y), constant)
        return given(*hypotheses, then=sums) if hypotheses else sums

    return Step(f"{name} is symmetric", f"{name} summed over the labels is {constant}", because, statement)


_LINEAR = "It is linear in p, and the probabilities sum to 1."
_NORMALISED = "The numerators add up to the denominator, whatever is normalised: no property of p is used."

SYMMETRIC = (
    _symmetric("MAE", 2 * (K - 1), _LINEAR, ON_SIMPLEX),
    _symmetric("RCE", -A * (K - 1), _LINEAR, ON_SIMPLEX),
    _symmetric("NCE", Rational(1), _NORMALISED),
    _symmetric("NFL", Rational(1), _NORMALISED),
    _symmetric("NNCE", K - 1, _NORMALISED),
    _symmetric("NNFL", K - 1, _NORMALISED),
)
"""Definition 4.1, for every K at once: sum_k L(p, k) does not depend on p."""


def _not_symmetric(name: str, *hypotheses: Relational) -> Step:
    def statement() -> Boolean:
        label, other = ELEMENTARY[name]
        bend = Subs(Derivative(label + (K - 1) * other, (x, 2)), x, Rational(1, 2))
        return given(*hypotheses, then=Ne(bend, 0)) if hypotheses else Ne(bend, 0)

    because = (
        "The sum is that of h(p_k) over k, h(x) = l(x, 1) + (K - 1) l(x, 0). Were it constant, moving mass between "
        "two classes near p = 1/2 would show that h' is constant there. But h'' is not 0 at 1/2."
    )
    return Step(f"{name} is not symmetric", f"{name} summed over the labels depends on p", because, statement)


NOT_SYMMETRIC = (
    _not_symmetric("CE"),
    _not_symmetric("FL"),
    _not_symmetric("GCE", Ne(q, 1)),
    _not_symmetric("MSE"),
    _not_symmetric("AMSE", Gt(q, 1), Ge(a, 1), Ge(K, 2)),
    _not_symmetric("AUL", Ne(q, 1), Ge(a, 1)),
    _not_symmetric("AGCE", Ne(q, 1)),
    _not_symmetric("AEL"),
)
"""At q = 1 GCE, AUL, AGCE and AMSE are linear in p_y, and the hypothesis cannot be dropped."""


P_Y, P_K = Symbol("p_y", positive=True), Symbol("p_k", positive=True)


def _two_classes(name: str) -> Expr:
    """What the label and one other class contribute."""
    label, other = ELEMENTARY[name]
    return label.subs(x, P_Y) + other.subs(x, P_K)


def _active(name: str) -> Step:
    def statement() -> Boolean:
        return equal(Derivative(_two_classes(name), P_K), 0)

    because = "l(p_k, 0) = 0."
    return Step(f"{name} is active", f"{name} looks at the label's probability alone", because, statement)


def _passive(name: str) -> Step:
    def statement() -> Boolean:
        return Gt(Derivative(_two_classes(name), P_K), 0)

    because = "l(p_k, 0) grows with p_k, and so pushes the other classes down."
    return Step(f"{name} is passive", f"{name} also acts on the other probabilities", because, statement)


@step(
    "No normalised loss is a sum of terms l(p_k, e_k): by the letter, neither definition covers NCE or NNCE",
    because=(
        "A sum of terms in one probability each has no mixed derivatives. With n the label's term before it is "
        "normalised, r that of another class and R the rest, n / (n + r + R) has one: it is 0 only where n = r + R."
    ),
)
def normalised_losses_have_no_such_form() -> Boolean:
    n, r, rest = (Symbol(name, positive=True) for name in ("n", "r", "R"))
    return given(Gt(n, r + rest), then=Gt(Derivative(n / (n + r + rest), n, r), 0))


@step(
    "On the simplex MAE = 2 (1 - p_y), which looks at p_y alone",
    because="Active and passive are properties of the written formula; one function can be written in both ways.",
)
def mae_has_an_active_form() -> Boolean:
    return given(ON_SIMPLEX, then=Eq(loss("MAE"), 2 * (1 - p[y])))


@step(
    "On the simplex RCE = (-A/2) MAE",
    because="Both are linear in p_y; with A = log 1e-4 the factor is 4.605.",
)
def rce_is_a_scaled_mae() -> Boolean:
    return given(ON_SIMPLEX, then=Eq(loss("RCE"), -A * loss("MAE") / 2))


ACTIVE_PASSIVE = (
    *(_active(name) for name in ("CE", "FL", "GCE", "AUL", "AGCE", "AEL")),
    *(_passive(name) for name in ("MAE", "RCE", "MSE", "AMSE")),
    mae_has_an_active_form,
    rce_is_a_scaled_mae,
    normalised_losses_have_no_such_form,
)
"""Definitions 4.2 and 4.3, on l(x, 0), the term that a class other than the label contributes."""
