"""What a step of a proof is, and what it takes to prove one.

A statement is a sympy object: an equation or inequality, an equivalence of two inequalities, a conjunction, or an
implication whose hypotheses stand on its left. `proves` decides it by rewriting alone, never by trying numbers:
hypotheses become substitutions (x > c becomes x = c + something positive), sums over the labels are taken apart,
and what is left must simplify to 0, or to something whose sign follows from the signs of its parts.
It errs on one side only: False means "not proved this way", True means proved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import sympy
from sympy import Add, And, Dummy, Eq, Equivalent, Expr, Ge, Gt, Implies, Le, Lt, Ne, Sum, Symbol
from sympy.core.relational import Relational
from sympy.logic.boolalg import Boolean

from jal.theory.symbolic.notation import j


@dataclass(frozen=True)
class Step:
    """One step: a claim in words, the reason for it, and the statement in symbols where it is derived here."""

    name: str
    claim: str
    because: str
    statement: Callable[[], Boolean] | None = None

    @property
    def kind(self) -> Literal["derived", "cited"]:
        """Derived here in symbols, or cited, which is taken from the literature or argued in words."""
        return "derived" if self.statement else "cited"

    def holds(self) -> bool:
        """Whether the statement simplifies to true; a cited step, which has none, makes no such claim: False."""
        return self.statement is not None and proves(self.statement())


def step(claim: str, because: str) -> Callable[[Callable[[], Boolean]], Step]:
    """Turn a function that returns a statement into a derived step of the same name."""

    def wrap(statement: Callable[[], Boolean]) -> Step:
        return Step(statement.__name__.replace("_", " "), claim, because, statement)

    return wrap


def cited(name: str, claim: str, because: str) -> Step:
    """A fact that is used, with its source, and not derived."""
    return Step(name, claim, because)


def given(*hypotheses: Relational, then: Boolean) -> Implies:
    """The statement `hypotheses` => `then`."""
    return Implies(And(*hypotheses), then, evaluate=False)


def equal(left: Expr, right: Expr) -> Eq:
    """The equation as written; sympy's own would turn a plain identity into `True` at once."""
    return Eq(left, right, evaluate=False)


def conjuncts(statement: Boolean) -> tuple[Boolean, ...]:
    """The parts of a conjunction in sympy's order (its own `make_args` has none), or the statement alone."""
    return tuple(statement.args) if isinstance(statement, And) else (statement,)


def proves(statement: Boolean) -> bool:
    """Whether the statement simplifies to true, under its own hypotheses and the signs of its symbols alone."""
    if isinstance(statement, And):
        return all(proves(part) for part in statement.args)
    if isinstance(statement, Implies):
        hypotheses, conclusion = statement.args
        facts = [_substitution(fact) for fact in conjuncts(hypotheses)]
        return _follows(conclusion, facts)
    return _follows(statement, [])


def spread(expression: Expr) -> Expr:
    """Take sums over the labels apart: linear in their terms, constants outside, one name for the index."""
    return expression.replace(lambda part: isinstance(part, Sum), _spread_sum)


def _spread_sum(total: Sum) -> Expr:
    result = total.function
    for limits in total.limits:
        result = _spread_over(result, *limits)
    return result


def _spread_over(summand: Expr, index: Symbol, first: Expr, last: Expr) -> Expr:
    result = sympy.Integer(0)
    for term in Add.make_args(sympy.expand(summand)):
        constant, varying = term.as_independent(index, as_Add=False)
        if varying == 1:
            result += constant * (last - first + 1)
        else:
            # Renaming must not catch another j.
            name = index if varying.has(j) else j
            result += constant * Sum(varying.xreplace({index: name}), (name, first, last))
    return result


Fact = tuple[Expr, Expr]


def _substitution(fact: Relational) -> Fact:
    """The hypothesis as (what to replace, by what)."""
    left, right = fact.args
    if isinstance(fact, Eq):
        return spread(left), right
    if not isinstance(left, Symbol):
        raise TypeError(f"the hypothesis {fact} must have a symbol on its left")
    if isinstance(fact, Ne):
        return left, right + Dummy(real=True, nonzero=True)
    slack = Dummy(positive=True) if isinstance(fact, Gt | Lt) else Dummy(nonnegative=True)
    if isinstance(fact, Gt | Ge):
        return left, right + slack
    # Below a positive bound a positive symbol is a fraction of it: that keeps both signs in sight.
    return left, (right / (1 + slack) if left.is_positive and right.is_positive else right - slack)


def _under(facts: list[Fact], expression: Expr) -> Expr:
    expression = spread(expression).doit()
    for _ in facts:
        for old, new in facts:
            expression = expression.subs(old, new)
    return expression


def _follows(conclusion: Boolean, facts: list[Fact]) -> bool:
    if isinstance(conclusion, And):
        return all(_follows(part, facts) for part in conclusion.args)
    if isinstance(conclusion, Equivalent):
        # Two inequalities say the same where their differences differ by a positive factor.
        one, other = conclusion.args
        ratio = _under(facts, one.gts - one.lts) / _under(facts, other.gts - other.lts)
        return type(one.canonical) in _SAME[type(other.canonical)] and _positive(ratio)
    if not isinstance(conclusion, Relational):
        return bool(conclusion == sympy.true)
    if isinstance(conclusion, Eq):
        return bool(sympy.simplify(_under(facts, conclusion.lhs - conclusion.rhs)) == 0)
    if isinstance(conclusion, Ne):
        return _nonzero(_under(facts, conclusion.lhs - conclusion.rhs))
    difference = _under(facts, conclusion.gts - conclusion.lts)
    return _positive(difference) if isinstance(conclusion, Gt | Lt) else _nonnegative(difference)


_SAME: dict[type, tuple[type, ...]] = {Ge: (Ge, Le), Le: (Ge, Le), Gt: (Gt, Lt), Lt: (Gt, Lt)}


def _gather(expression: Expr) -> Expr:
    """Factored, and every sum in it ordered by powers, so that numbers meet: g*2 - g*log(2) = g*(2 - log(2))."""
    return sympy.factor(expression).replace(
        lambda part: part.is_Add, lambda part: sympy.collect(part, sorted(part.free_symbols, key=str))
    )


_FORMS = (lambda e: e, sympy.expand, sympy.factor, sympy.simplify, _gather)


def _nonnegative(expression: Expr) -> bool:
    return any(form(expression).is_nonnegative for form in _FORMS)


def _positive(expression: Expr) -> bool:
    return any(form(expression).is_positive for form in _FORMS)


def _nonzero(expression: Expr) -> bool:
    return any(form(expression).is_zero is False for form in _FORMS)
