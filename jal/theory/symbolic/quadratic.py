"""The squared case, q = 2, which the paper trains with: the minimiser is a projection, and the thresholds of `a`."""

from __future__ import annotations

from sympy import (
    Add,
    Eq,
    Equivalent,
    Expr,
    Ge,
    Gt,
    Integer,
    Lt,
    Poly,
    Rational,
    Subs,
    real_roots,
    solve,
    sympify,
)
from sympy.logic.boolalg import And, Boolean

from jal.errors import InputError
from jal.theory.symbolic.notation import K, S, a, eta, over_labels, p, w, w_k, w_m, y
from jal.theory.symbolic.steps import cited, equal, given, step
from jal.theory.symbolic.theorem import condition, term


def threshold(own: Expr, rival: Expr, others: Expr, power: int = 2) -> Expr:
    """The smallest `a` that meets the condition of Theorem 4.1 with equality, exactly.

    Parameters
    ----------
    own, rival, others
        The weights w_m and w_n and the sum of all weights but w_m: numbers for any power, symbols for power 2.
    power
        The exponent q, an integer above 1.

    Returns
    -------
    Expr
        A closed form, or a `CRootOf` where there is none.

    Raises
    ------
    InputError
        If the weights are numbers and the class does not lead its rival.
    """
    if sympify(own - rival).is_nonpositive:
        raise InputError(
            f"the class has weight {own} and a rival {rival}: it must lead for an `a` to be enough"
        )
    required = condition(own, rival, others, Integer(power))
    equation = required.lhs - required.rhs
    if power == 2:
        return solve(equation, a)[0]
    return next(root for root in real_roots(Poly(equation, a)) if root > 1)


@step(
    "For q = 2 the risk is W ||p - a w / W||^2 plus a constant: its minimiser is the projection of a w / W",
    because="Complete the square; W is the sum of the weights.",
)
def completing_the_square() -> Boolean:
    total = over_labels(w[y], y)
    target = a * w[y] / total
    constant = a**2 * total - a**2 * over_labels(w[y] ** 2, y) / total
    risk = over_labels(term(w[y], total - w[y], p[y], Integer(2)), y)
    return Eq(risk, Add(total * over_labels((p[y] - target) ** 2, y), constant))


projection_on_a_corner = cited(
    "projection on a corner",
    "A point v projects on the corner e_m exactly where v_m - v_k >= 1 for all k",
    "The first-order condition again: (v - e_m) . (e_k - e_m) <= 0 for every edge.",
)


@step(
    "The projection is the corner exactly where the condition of Theorem 4.1 holds at q = 2",
    because="Both say a (w_m - w_k) >= W.",
)
def projection_agrees_with_the_theorem() -> Boolean:
    total = w_m + S
    apart = Ge(a * w_m / total - a * w_k / total, 1)
    return given(Gt(w_m, 0), then=Equivalent(condition(w_m, w_k, S, Integer(2)), apart))


@step(
    "So AMSE is asymmetric if and only if a >= W / (w_m - w_k) for the strongest rival k",
    because="Divide by the lead, which is positive.",
)
def bound() -> Boolean:
    return given(
        Gt(w_m, w_k), then=Equivalent(condition(w_m, w_k, S, Integer(2)), Ge(a, (w_m + S) / (w_m - w_k)))
    )


PROJECTION = (completing_the_square, projection_on_a_corner, projection_agrees_with_the_theorem, bound)
"""q = 2: the condition of Theorem 4.1 as a distance."""


@step(
    "Symmetric noise of rate eta asks for a >= (K-1) / (K-1 - K eta)",
    because="The label keeps 1 - eta, every other class gets eta / (K-1); dominated while eta < (K-1)/K.",
)
def symmetric_noise() -> Boolean:
    weights = 1 - eta, eta / (K - 1), eta
    bound = Ge(a, (K - 1) / (K - 1 - K * eta))
    return given(Ge(K, 2), Lt(eta, (K - 1) / K), then=Equivalent(condition(*weights, Integer(2)), bound))


@step(
    "A flip to one other class with probability eta asks for a >= 1 / (1 - 2 eta)",
    because="The label keeps 1 - eta and one rival gets all of eta.",
)
def pair_flips() -> Boolean:
    bound = Ge(a, 1 / (1 - 2 * eta))
    return given(Lt(eta, Rational(1, 2)), then=Equivalent(condition(1 - eta, eta, eta, Integer(2)), bound))


HARDEST = Rational(1, 5), Rational(4, 45), Rational(4, 5)
"""The paper's example, ten classes under symmetric noise of rate 0.8: w_m, w_n and the sum of the others."""


def _spare(power: int) -> Expr:
    required = condition(*HARDEST, Integer(power))
    return required.lhs - required.rhs


def _turns_at_the_threshold(power: int) -> Boolean:
    """What the condition has to spare is 0 at the solved threshold, positive above and negative below."""
    solved, spare = threshold(*HARDEST, power=power), _spare(power)
    return And(
        equal(Subs(spare, a, solved), 0),
        given(Gt(a, solved), then=Gt(spare, 0)),
        given(Lt(a, solved), then=Lt(spare, 0)),
    )


@step("There, q = 2 asks for a >= 9", because="Solved for equality; a enters to the first power.")
def nine() -> Boolean:
    return _turns_at_the_threshold(2)


@step(
    "There, q = 3 asks for a >= (9 + 6 sqrt(6)) / 5 = 4.739...",
    because="Solved for equality: 5 a^2 - 18 a - 27 = 0, whose other root is negative.",
)
def cubic_case() -> Boolean:
    return _turns_at_the_threshold(3)


@step(
    "The paper's 4.73 is rounded to the wrong side: it misses the condition, 4.74 meets it",
    because="Put in, in exact arithmetic.",
)
def rounded_down() -> Boolean:
    spare = _spare(3)
    return And(Lt(Subs(spare, a, Rational(473, 100)), 0), Gt(Subs(spare, a, Rational(474, 100)), 0))


THRESHOLDS = (symmetric_noise, pair_flips, nine, cubic_case, rounded_down)
"""The smallest `a`, solved for the noises of the paper."""
