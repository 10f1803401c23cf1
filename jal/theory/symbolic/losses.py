"""The losses as formulas in p_1, ..., p_K for any K: the symbolic twins of `jal.losses`.

An elementary loss is L(p, y) = sum_k l(p_k, e_k), e the one-hot vector of y, as in section 3 of the paper, and so
is given by two functions of one probability x: l(x, 1), for the label, and l(x, 0), for every other class.
Absolute values are written out for 0 <= x <= 1 <= a. The clamps of p (`eps`) that the torch twins have are left
out, but for NNCE and NNFL, whose definition needs the floor.
"""

from __future__ import annotations

from typing import NamedTuple

from sympy import Expr, Integer, exp, log

from jal.errors import unknown
from jal.theory.symbolic.notation import A, K, a, alpha, beta, eps, gamma, j, over_labels, p, q, x, y

ZERO = Integer(0)


PARAMETERS = {"alpha": alpha, "beta": beta, "a": a, "q": q, "gamma": gamma, "eps": eps, "A": A}
"""The symbol of each parameter, by the name that `jal.losses.build` gives it."""


class Terms(NamedTuple):
    """The two halves of an elementary loss, functions of `notation.x`."""

    label: Expr
    other: Expr


ELEMENTARY = {
    "CE": Terms(-log(x), ZERO),
    "FL": Terms(-((1 - x) ** gamma) * log(x), ZERO),
    "GCE": Terms((1 - x**q) / q, ZERO),
    "AUL": Terms(((a - x) ** q - (a - 1) ** q) / q, ZERO),
    "AGCE": Terms(((a + 1) ** q - (a + x) ** q) / q, ZERO),
    "AEL": Terms(exp(-x / a), ZERO),
    "MAE": Terms(1 - x, x),
    "RCE": Terms(ZERO, -A * x),
    "SCE": Terms(-alpha * log(x), -beta * A * x),
    "MSE": Terms((1 - x) ** 2 / K, x**2 / K),
    "AMSE": Terms((a - x) ** q / K, x**q / K),
}
"""Every loss of the form sum_k l(p_k, e_k), by name: l(x, 1) and l(x, 0)."""


def _elementary(name: str) -> Expr:
    """l(p_y, 1) and l(p_k, 0) for the rest, the sum over k != y written as all less one."""
    label, other = ELEMENTARY[name]
    everywhere = over_labels(other.subs(x, p[j])) if other else ZERO
    return (label - other).subs(x, p[y]) + everywhere


def _normalised(score: Expr) -> Expr:
    """score(p_y) / sum_j score(p_j): equation 4 of the paper."""
    return score.subs(x, p[y]) / over_labels(score.subs(x, p[j]))


def _negative(name: str) -> Expr:
    """1 - (B - L_y) / sum_j (B - L_j), B the loss at the floor p = eps (Ye et al. 2023)."""
    score = ELEMENTARY[name].label
    return 1 - _normalised(score.subs(x, eps) - score)


FORMULAS = {name: _elementary(name) for name in ELEMENTARY} | {
    "NCE": _normalised(log(x)),
    "NFL": _normalised(ELEMENTARY["FL"].label),
    "NNCE": _negative("CE"),
    "NNFL": _negative("FL"),
}
FORMULAS |= {
    f"{active}+{other}": alpha * FORMULAS[active] + beta * FORMULAS[other]
    for active, other in (("NCE", "RCE"), ("NFL", "RCE"), ("NCE", "AUL"), ("NCE", "AGCE"), ("NCE", "AEL"))
}
FORMULAS |= {
    # Inside joint losses the released code takes half of MAE, 1 - p_y.
    "NCE+MAE": alpha * FORMULAS["NCE"] + beta * FORMULAS["MAE"] / 2,
    "AGCE+MAE": alpha * FORMULAS["AGCE"] + beta * FORMULAS["MAE"] / 2,
    "ANL-CE": alpha * FORMULAS["NCE"] + beta * FORMULAS["NNCE"],
    "ANL-FL": alpha * FORMULAS["NFL"] + beta * FORMULAS["NNFL"],
    "JAL-CE": alpha * FORMULAS["NCE"] + beta * FORMULAS["AMSE"],
    "JAL-FL": alpha * FORMULAS["NFL"] + beta * FORMULAS["AMSE"],
}


def loss(name: str, **parameters: float | Expr) -> Expr:
    """L(p, y) in the symbols `notation.p`, `y` and `K`, with the given parameters put in.

    Parameters
    ----------
    name
        As in the paper's tables, e.g. "JAL-CE"; the keys of `FORMULAS`.
    parameters
        Values for alpha, beta, a, q, gamma, eps, A, where the loss has them; what is not given stays a symbol.

    Raises
    ------
    InputError
        If there is no formula of that name, or it lacks a parameter that is given.
    """
    if name not in FORMULAS:
        raise unknown("symbolic loss", name, FORMULAS)
    formula = FORMULAS[name]
    symbols = {key: symbol for key, symbol in PARAMETERS.items() if formula.has(symbol)}
    for parameter in parameters:
        if parameter not in symbols:
            raise unknown(f"parameter of {name}", parameter, symbols)
    return formula.subs({symbols[parameter]: value for parameter, value in parameters.items()})
