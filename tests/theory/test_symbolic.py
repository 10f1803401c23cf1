"""The proofs: every step simplifies to true, no hypothesis of a step can be dropped, and the prover believes nothing.

Numbers only ever test here: a step that is proved must also hold at random points, and where a hypothesis is
dropped a point must turn up that breaks the claim.
"""

from __future__ import annotations

from collections.abc import Iterator

import mpmath
import numpy as np
import pytest
from sympy import (
    Abs,
    And,
    Derivative,
    Eq,
    Equivalent,
    Expr,
    Ge,
    Gt,
    Implies,
    Indexed,
    IndexedBase,
    Integer,
    Le,
    Limit,
    Lt,
    Ne,
    Rational,
    Sum,
    Symbol,
    lambdify,
    log,
    solve,
    sqrt,
)
from sympy.core.relational import Relational
from sympy.logic.boolalg import Boolean

from jal.errors import InputError
from jal.theory import minimum_a, risk, risk_minimiser
from jal.theory.symbolic import ELEMENTARY, PROOFS, SYMMETRIC, Step, condition, given, loss, proves, threshold
from jal.theory.symbolic.definitions import ON_SIMPLEX
from jal.theory.symbolic.notation import K, a, eta, j, over_labels, p, q, t, w_k, w_m, x, y
from jal.theory.symbolic.steps import conjuncts

STEPS = {f"{title}: {step.name}": step for title, steps in PROOFS.items() for step in steps}
DERIVED = {name: step for name, step in STEPS.items() if step.kind == "derived"}


def implications(statement: Boolean) -> Iterator[tuple[tuple[Relational, ...], Boolean]]:
    """Every (hypotheses, conclusion) that the statement is made of."""
    if isinstance(statement, And):
        for part in statement.args:
            yield from implications(part)
    elif isinstance(statement, Implies):
        yield conjuncts(statement.args[0]), statement.args[1]
    else:
        yield (), statement


HYPOTHESES = [
    pytest.param(hypotheses, dropped, conclusion, id=f"{name} without {dropped}")
    for name, step in DERIVED.items()
    for hypotheses, conclusion in implications(step.statement())
    for dropped in hypotheses
]
UNCONDITIONAL = [
    pytest.param(conclusion, id=name)
    for name, step in DERIVED.items()
    for hypotheses, conclusion in implications(step.statement())
    if not hypotheses
]


@pytest.mark.parametrize("step", DERIVED.values(), ids=DERIVED)
def test_every_derived_step_holds(step: Step) -> None:
    assert step.holds()


def test_cited_steps_are_marked_and_claim_no_derivation() -> None:
    assert {step.name for step in STEPS.values() if step.kind == "cited"} == {
        "first order condition",
        "one class stands for all",
        "minimum at a corner",
        "chord",
        "mean value",
        "one class at a time",
        "projection on a corner",
        "two infima at one place",
    }
    assert not any(step.holds() for step in STEPS.values() if step.kind == "cited")


@pytest.mark.parametrize(("hypotheses", "dropped", "conclusion"), HYPOTHESES)
def test_no_step_is_proved_without_one_of_its_hypotheses(
    hypotheses: tuple[Relational, ...], dropped: Relational, conclusion: Boolean
) -> None:
    kept = [fact for fact in hypotheses if fact != dropped]
    assert not proves(given(*kept, then=conclusion) if kept else conclusion)


@pytest.mark.parametrize("conclusion", UNCONDITIONAL)
def test_no_step_without_hypotheses_is_proved_with_another_conclusion(conclusion: Relational) -> None:
    left, right = conclusion.args
    changed = (
        conclusion.func(left, right + 1, evaluate=False) if isinstance(conclusion, Eq) else conclusion.negated
    )
    assert not proves(changed)


# The same statements, at random points.


def concrete(expression: Expr) -> Expr:
    """Three classes, the label the second, p_1, p_2, p_3 plain symbols."""
    finite = expression.subs(K, 3).doit().subs(y, 2)
    return finite.replace(
        lambda part: isinstance(part, Indexed), lambda part: Symbol(f"{part.base}_{part.indices[0]}")
    )


class Points:
    """Random values for every symbol, the same for the same name."""

    def __init__(self, count: int, seed: int) -> None:
        self.count, self.rng, self.values = count, np.random.default_rng(seed), {}
        on_simplex = self.rng.dirichlet(np.ones(3), count) * self.rng.choice(
            [1.0, 0.7], (count, 1), p=[0.8, 0.2]
        )
        self.values |= {f"p_{k + 1}": on_simplex[:, k] for k in range(3)}

    def of(self, symbol: Symbol) -> np.ndarray:
        if symbol.name not in self.values:
            low, high = {"a": (0.3, 14), "q": (0.1, 4), "A": (-9, -1), "varepsilon": (0.01, 0.1)}.get(
                symbol.name, (0.0, 1.0)
            )
            values = self.rng.uniform(low, high, self.count)
            special = {"q": 1.0, "a": 1.0}.get(symbol.name, 0.0 if symbol.is_nonnegative else None)
            if (special is not None and not symbol.is_positive) or symbol.name in ("q", "a"):
                values[self.rng.random(self.count) < 0.2] = special
            self.values[symbol.name] = values
        return self.values[symbol.name]

    def evaluate(self, expression: Expr) -> np.ndarray:
        finite = concrete(expression)
        symbols = sorted(finite.free_symbols, key=lambda symbol: symbol.name)
        with np.errstate(all="ignore"):
            value = lambdify(symbols, finite, "numpy")(*map(self.of, symbols))
        return np.broadcast_to(np.asarray(value, dtype=float), self.count)

    def defined(self, statement: Boolean) -> np.ndarray:
        """Where both sides have a real value: not at a fractional power of a - 1 for a < 1."""
        if isinstance(statement, And | Equivalent):
            return np.all([self.defined(part) for part in statement.args], axis=0)
        return np.isfinite(self.evaluate(statement.lhs)) & np.isfinite(self.evaluate(statement.rhs))

    def truth(self, statement: Boolean) -> np.ndarray:
        """Where the statement holds; nowhere that it has no real value."""
        if isinstance(statement, And):
            return np.all([self.truth(part) for part in statement.args], axis=0)
        if isinstance(statement, Equivalent):
            one, other = (self.evaluate(part.gts - part.lts) for part in statement.args)
            same = (np.sign(one) == np.sign(other)) | (np.abs(one) + np.abs(other) < 1e-9)
            return self.defined(statement) & same
        left, right, defined = (
            self.evaluate(statement.lhs),
            self.evaluate(statement.rhs),
            self.defined(statement),
        )
        with np.errstate(invalid="ignore"):
            close = np.abs(left - right) <= 1e-9 * (1 + np.abs(left))
            if isinstance(statement, Eq | Ne):
                return defined & (close == isinstance(statement, Eq))
            strict = left > right if isinstance(statement, Gt | Ge) else left < right
            return defined & (strict | (close if isinstance(statement, Ge | Le) else False))


CONCLUSIONS = [
    pytest.param(hypotheses, conclusion, id=f"{name} {number}")
    for name, step in DERIVED.items()
    for number, (hypotheses, conclusion) in enumerate(implications(step.statement()))
    if not conclusion.has(Limit) and not conclusion.has(IndexedBase("g", real=True))
]


@pytest.mark.parametrize(("hypotheses", "conclusion"), CONCLUSIONS)
def test_every_step_holds_at_random_points(hypotheses: tuple[Relational, ...], conclusion: Boolean) -> None:
    points = Points(400, seed=1)
    where = np.all([points.defined(conclusion), *(points.truth(fact) for fact in hypotheses)], axis=0)
    assert where.sum() >= 3
    assert np.all(points.truth(conclusion)[where])


# K >= 2 is what any classification has; the points have K = 3.
SPARE = {
    "Losses that are not symmetric: AMSE is not symmetric without K >= 2",
    "Thresholds: symmetric noise without K >= 2",
}


@pytest.mark.parametrize(
    ("hypotheses", "dropped", "conclusion"), [case for case in HYPOTHESES if case.id not in SPARE]
)
def test_a_dropped_hypothesis_lets_a_counterexample_in(
    hypotheses: tuple[Relational, ...], dropped: Relational, conclusion: Boolean
) -> None:
    points = Points(4000, seed=2)
    kept = [points.truth(fact) for fact in hypotheses if fact != dropped]
    where = np.all([np.ones(4000, dtype=bool), *kept], axis=0)
    broken = where & ~points.truth(conclusion)
    assert broken.any()
    assert not np.any(broken & points.defined(conclusion) & points.truth(dropped))


# The prover.


@pytest.mark.parametrize(
    "statement",
    [
        Eq(a, a + 1, evaluate=False),
        Gt(a, 0) & Gt(a, 1),
        Ge(a, 1),
        Ge(w_m - w_k, 0),
        Ne(w_m, w_k),
        Gt(w_m, 0),
        given(Gt(a, 1), then=Gt(a, 2)),
        given(Ge(a, 1), then=Gt(a, 1)),
        given(Le(q, 1), then=Lt(q, 1)),
        given(Lt(x, 1), then=Gt(x, Rational(1, 2))),
        given(Gt(a, 1), then=Equivalent(Ge(a, 3), Ge(a, 2))),
        given(Gt(a, 1), then=Equivalent(Ge(a, 2), Gt(a, 2))),
        Equivalent(Ge(a, 2), Le(a, 2)),
        given(ON_SIMPLEX, then=Eq(over_labels(p[j] ** 2), 1)),
        Eq(over_labels(p[j]), p[y]),
        Eq(over_labels(p[j] * p[y]), over_labels(p[j] ** 2)),
        Eq(over_labels(log(p[y] + p[j]), y), over_labels(log(2 * p[j]))),
        Eq(over_labels(over_labels(log(p[j] + p[y])), y), K * over_labels(log(2 * p[j]))),
    ],
)
def test_the_prover_rejects_what_is_false_or_open(statement: Boolean) -> None:
    assert not proves(statement)


@pytest.mark.parametrize(
    "statement",
    [
        given(Gt(a, 1), then=Gt(a**2, 1)),
        given(Lt(x, 1), then=Gt(1 - x, 0)),
        given(Le(x, t), then=Ge(t - x, 0)),
        given(Ne(q, 1), then=Ne(q - 1, 0)),
        Equivalent(Ge(2 * a, 4), Le(2, a)),
        Eq(over_labels(a * p[j] + 1), a * over_labels(p[y], y) + K),
        Eq(over_labels(over_labels(p[j] * p[y]), y), over_labels(p[j]) ** 2),
    ],
)
def test_the_prover_accepts_what_is_true(statement: Boolean) -> None:
    assert proves(statement)


def test_a_hypothesis_must_be_about_a_symbol() -> None:
    with pytest.raises(TypeError, match="symbol on its left"):
        proves(given(Gt(a * q, 1), then=Gt(a, 0)))


# What single proofs rest on.


@pytest.mark.parametrize("name", ["MAE", "RCE"])
def test_linear_losses_are_symmetric_only_on_the_simplex(name: str) -> None:
    constant = next(step for step in SYMMETRIC if step.name.startswith(name)).statement().args[1].rhs
    for mass in (Rational(1, 2), Integer(2)):
        assert not proves(given(Eq(over_labels(p[j]), mass), then=Eq(over_labels(loss(name), y), constant)))


@pytest.mark.parametrize("name", ["NCE", "NFL", "NNCE", "NNFL"])
def test_normalised_losses_are_symmetric_only_when_all_labels_are_summed(name: str) -> None:
    constant = next(step for step in SYMMETRIC if step.name.startswith(name)).statement().rhs
    all_but_one = Sum(loss(name), (y, 1, K - 1))
    assert not proves(Eq(all_but_one, constant))


@pytest.mark.parametrize("name", ["CE", "FL", "GCE", "MSE", "AMSE", "AUL", "AGCE"])
def test_the_sum_of_the_other_losses_changes_with_p(name: str) -> None:
    values = {"a": 3, "q": Rational(3, 2), "gamma": Rational(1, 2)}
    formula = loss(name, **{key: value for key, value in values.items() if key in _parameters(name)})
    total = Sum(formula, (y, 1, K)).subs(K, 3).doit()

    def at(*probabilities: Rational) -> float:
        return float(total.subs({p[k + 1]: value for k, value in enumerate(probabilities)}))

    assert abs(at(*3 * [Rational(1, 3)]) - at(Rational(1, 2), Rational(1, 4), Rational(1, 4))) > 1e-3


def _parameters(name: str) -> set[str]:
    return {symbol.name for symbol in loss(name).free_symbols}


@pytest.mark.parametrize("name", ["GCE", "AUL", "AGCE", "AMSE"])
def test_at_q_one_they_are_symmetric(name: str) -> None:
    label, other = (half.subs(q, 1) for half in ELEMENTARY[name])
    assert proves(Eq(Derivative(label + (K - 1) * other, (x, 2)), 0))


def test_absolute_values_are_written_out_rightly() -> None:
    assert proves(given(Ge(a, x), then=Eq(Abs(a - x) ** q / K, ELEMENTARY["AMSE"].label)))
    assert proves(given(Le(x, 1), then=Eq(Abs(1 - x), ELEMENTARY["MAE"].label)))


def test_thresholds_are_solved() -> None:
    hardest = Rational(1, 5), Rational(4, 45), Rational(4, 5)
    assert threshold(*hardest) == 9
    assert threshold(*hardest, power=3) == (9 + 6 * sqrt(6)) / 5
    assert float(threshold(*hardest, power=4)) == pytest.approx(4.655319015, abs=1e-9)
    assert proves(Eq(threshold(1 - eta, eta, eta), 1 / (1 - 2 * eta)))
    assert proves(Eq(threshold(1 - eta, eta / (K - 1), eta), (K - 1) / (K - 1 - K * eta)))
    assert solve(condition(*hardest, power=2).lhs - condition(*hardest, power=2).rhs, a) == [9]
    with pytest.raises(InputError, match="must lead"):
        threshold(Rational(1, 4), Rational(1, 4), Rational(3, 4), power=3)


def test_the_condition_agrees_with_the_numeric_rule() -> None:
    noise = [[0.6, 0.3, 0.1], [0.0, 1.0, 0.0], [0.05, 0.05, 0.9]]
    found = minimum_a(noise, q=3)
    assert found == pytest.approx(
        float(threshold(Rational(6, 10), Rational(3, 10), Rational(4, 10), power=3))
    )


def test_an_unknown_loss_or_parameter_is_named() -> None:
    with pytest.raises(InputError, match="did you mean 'AMSE'"):
        loss("AMS")
    with pytest.raises(InputError, match="parameter of AMSE 'gamma'"):
        loss("AMSE", gamma=1)


# The paper's printed inequalities, and what NCE does to JAL, in numbers.


def test_the_second_printed_inequality_fails_wherever_q_is_below_one() -> None:
    for power in (0.2, 0.5, 0.9):
        for target in (1.2, 2.0, 30.0):
            assert 1 + (target - 1) ** power > target**power


def test_the_opening_chain_of_the_papers_proof_fails() -> None:
    w, found = [0.5, 0.3, 0.2], np.array([0.6, 0.3, 0.1])
    dropped = np.array([0.6, 0.3, 0.0])
    assert risk(found, w, a=3) < risk(dropped, w, a=3)


def test_the_moved_mass_never_costs_above_the_threshold() -> None:
    rng = np.random.default_rng(0)
    for power in (0.5, 1.5, 2.0, 3.0):
        for _ in range(200):
            w = rng.dirichlet(np.ones(4))
            noise = np.eye(4)
            noise[0] = np.sort(w)[::-1]
            needed = minimum_a(noise, power)
            if needed > 1e6:
                continue
            before = rng.dirichlet(np.ones(4))
            after = before.copy()
            after[0], after[2] = before[0] + before[2], 0.0
            spent, kept = risk(np.stack([after, before]), noise[0], needed, power)
            assert spent <= kept * (1 + 1e-12)


def nce_risk(w: list[float], predictions: list[object]) -> float:
    logs = [mpmath.log(value) for value in predictions]
    return float(sum(weight * part for weight, part in zip(w, logs, strict=True)) / sum(logs))


def test_the_values_that_nce_takes_near_and_away_from_a_corner() -> None:
    w = [0.5, 0.3, 0.2]
    with mpmath.workdps(400):
        tiny = mpmath.mpf(10) ** -300
        assert nce_risk(w, [1 - 2 * tiny, tiny, tiny]) == pytest.approx(0.25, abs=1e-9)
        assert nce_risk(w, [(1 - tiny) / 2, (1 - tiny) / 2, tiny]) == pytest.approx(0.2004, abs=5e-5)
        fastest = mpmath.mpf(10) ** -300
        assert nce_risk(w, [1 - 1e-3 - fastest, 1e-3, fastest]) == pytest.approx(0.2, abs=2e-3)


@pytest.mark.parametrize("alpha", [1, 50])
def test_jal_has_the_threshold_of_amse(alpha: float) -> None:
    """Along the even way under symmetric noise of rate 0.8: the corner from a = 9 on, and next to it just below."""
    weight = 0.2 - 0.8 / 9

    def change(mass: mpmath.mpf, target: float) -> mpmath.mpf:
        """JAL's risk at p_m = 1 - mass less that at the corner, times K, without cancellation."""
        logs = mpmath.log(1 - mass), 9 * mpmath.log(mass / 9)
        nce = weight * logs[0] / (logs[0] + logs[1])
        # W ||p||^2 - 2 a sum w_k p_k, ||p||^2 = 1 - 2 mass + mass^2 (1 + 1/9).
        amse = -2 * mass + mass**2 * mpmath.mpf(10) / 9 + 2 * target * weight * mass
        return alpha * 10 * nce + amse

    with mpmath.workdps(50):
        masses = [mpmath.exp(-exponent / mpmath.mpf(8)) for exponent in range(8, 2400)]
        assert min(change(mass, 9 + 1e-9) for mass in masses) > 0
        below = [(change(mass, 8.99), mass) for mass in masses]
    best = min(below)
    assert best[0] < 0
    assert best[1] < 2e-12 or alpha != 1
    assert risk_minimiser([0.2, *9 * [0.8 / 9]], a=8.99)[0] < 1


def test_formulas_look_as_in_the_paper() -> None:
    assert loss("CE") == -log(p[y])
    assert loss("NCE") == log(p[y]) / over_labels(log(p[j]))
