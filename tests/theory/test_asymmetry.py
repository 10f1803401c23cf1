"""The threshold rule and the minimiser, against the numbers of the paper and against independent computations."""

from __future__ import annotations

import math
import subprocess
import sys

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Rational

from jal.errors import InputError
from jal.theory import asymmetry, is_asymmetric, margin, minimum_a, risk, risk_minimiser, row_stochastic
from jal.theory.symbolic import threshold


def symmetric(classes: int, rate: float) -> np.ndarray:
    noise = np.full((classes, classes), rate / (classes - 1))
    np.fill_diagonal(noise, 1 - rate)
    return noise


def flip(rate: float, classes: int = 4) -> np.ndarray:
    return (1 - rate) * np.eye(classes) + rate * np.roll(np.eye(classes), 1, axis=1)


HARDEST = symmetric(10, 0.8)


@pytest.mark.parametrize(
    ("noise", "expected"),
    [
        *((symmetric(10, rate), 9 / (9 - 10 * rate)) for rate in (0.2, 0.4, 0.6, 0.8)),
        *((symmetric(100, rate), 99 / (99 - 100 * rate)) for rate in (0.2, 0.4, 0.6, 0.8)),
        *((flip(rate), 1 / (1 - 2 * rate)) for rate in (0.1, 0.2, 0.3, 0.4)),
    ],
)
def test_thresholds_of_the_papers_noises(noise: np.ndarray, expected: float) -> None:
    assert minimum_a(noise) == pytest.approx(expected, rel=1e-12)
    assert minimum_a(noise) == pytest.approx(1 / margin(noise), rel=1e-12)


@pytest.mark.parametrize(
    ("noise", "printed"),
    [
        (symmetric(10, 0.2), 1.286),
        (symmetric(10, 0.8), 9.000),
        (symmetric(100, 0.2), 1.253),
        (symmetric(100, 0.4), 1.678),
        (symmetric(100, 0.6), 2.538),
        (symmetric(100, 0.8), 5.211),
        (flip(0.2), 1.667),
        (flip(0.4), 5.000),
    ],
)
def test_thresholds_to_three_decimals(noise: np.ndarray, printed: float) -> None:
    assert round(minimum_a(noise), 3) == printed


def test_the_papers_example() -> None:
    assert is_asymmetric(HARDEST[0], a=9)
    assert not is_asymmetric(HARDEST[0], a=8.99)
    assert is_asymmetric(HARDEST[0], a=9.01)
    assert minimum_a(HARDEST, q=3) == pytest.approx(4.739388, abs=5e-7)
    assert not is_asymmetric(HARDEST[0], a=4.73, q=3)
    assert is_asymmetric(HARDEST[0], a=4.74, q=3)


@pytest.mark.parametrize("q", [3, 4, 7])
def test_roots_agree_with_exact_algebra(q: int) -> None:
    exact = threshold(Rational(1, 5), Rational(4, 45), Rational(4, 5), power=q)
    assert minimum_a(HARDEST, q) == pytest.approx(float(exact), rel=1e-13)


@pytest.mark.parametrize("q", [1.01, 1.1, 1.7, 2.5, 50.0, 1e4])
def test_roots_agree_with_fifty_digits(q: float) -> None:
    with mpmath.workdps(50):
        own, rival, others = mpmath.mpf(1) / 5, mpmath.mpf(4) / 45, mpmath.mpf(4) / 5
        power = mpmath.mpf(q) - 1
        low, high = mpmath.mpf(0), mpmath.mpf(700)
        for _ in range(160):
            log_a = (low + high) / 2
            short = own * (1 - mpmath.exp(-log_a)) ** power < rival + others * mpmath.exp(-power * log_a)
            low, high = (log_a, high) if short else (low, log_a)
        exact = float(mpmath.exp(high))
    # The matrix holds 0.2 and 0.8/9 to 16 digits; near q = 1 their last digit is worth 1/(q-1) as much in a.
    assert minimum_a(HARDEST, q) == pytest.approx(exact, rel=1e-12 if q > 1.05 else 1e-11)


def test_minimum_a_at_its_limits() -> None:
    assert minimum_a(np.eye(3)) == minimum_a(np.eye(3), q=1.001) == minimum_a(np.eye(3), q=50) == 1.0
    assert minimum_a(symmetric(10, 0.95)) == math.inf
    assert minimum_a(symmetric(4, 0.75)) == minimum_a(flip(0.5), q=3) == math.inf
    assert minimum_a(symmetric(3, 2 / 3), q=0.5) == math.inf, "a tie by rounding is a tie"
    assert minimum_a(HARDEST, q=1) == minimum_a(HARDEST, q=0.3) == 1.0
    assert minimum_a(HARDEST, q=1.001) == math.inf, "the root is beyond the largest float"
    one_bad_row = np.array([[0.9, 0.1, 0.0], [0.0, 1.0, 0.0], [0.5, 0.2, 0.3]])
    assert minimum_a(one_bad_row) == math.inf
    assert margin(one_bad_row) == pytest.approx(-0.2)
    assert 1 < minimum_a([[0.9, 0.1], [0.1, 0.9]], q=1.0005) < 1 + 1e-12, "1 itself does not do for q > 1"


def test_a_small_lead_asks_for_a_large_a() -> None:
    noise = [[0.5 + 1e-9, 0.5 - 1e-9], [0.0, 1.0]]
    assert minimum_a(noise) == pytest.approx(5e8, rel=1e-6)
    # For a large the condition is lead >= (q-1) w_m / a to first order.
    assert minimum_a(noise, q=50) == pytest.approx(49 * 0.5 / 2e-9, rel=1e-6)


def test_a_tie_is_not_dominated() -> None:
    for q in (0.5, 1, 2, 3):
        assert not is_asymmetric([0.4, 0.4, 0.2], a=1e6, q=q)
        assert not is_asymmetric([0.1 + 0.2, 0.3, 0.0], a=1e6, q=q)


weights = st.lists(st.floats(0, 1), min_size=2, max_size=6).filter(lambda w: max(w) > 1e-3)
exponents = st.sampled_from([0.5, 1.0, 1.05, 1.5, 2.0, 2.5, 3.0, 6.0])


@given(weights, st.floats(1, 20), exponents)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_asymmetric_exactly_where_no_other_point_does_as_well(w: list[float], a: float, q: float) -> None:
    w = np.array(w) / max(w)
    heaviest, corners = int(np.argmax(w)), np.eye(len(w))
    steps = np.logspace(-9, 0, 19)[:, None, None]
    rivals = np.delete(corners, heaviest, axis=0)
    along_edges = (1 - steps) * corners[heaviest] + steps * rivals
    at_corner = risk(corners[heaviest], w, a, q)
    if is_asymmetric(w, a, q):
        assert np.all(risk(along_edges, w, a, q) >= at_corner * (1 - 1e-13))
    else:
        better = rivals if q <= 1 else risk_minimiser(w, a, q)[np.newaxis]
        # Near q = 1 the minimiser may differ from the corner by less than floats can tell.
        assert 1 < q < 1.5 or not np.any(np.all(better == corners[heaviest], axis=1))
        assert risk(better, w, a, q).min() <= at_corner * (1 + 1e-13) + 1e-14


@given(st.integers(2, 6), st.integers(0, 10**6), st.sampled_from([1.2, 1.5, 2.0, 3.0, 10.0]))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_minimum_a_separates(classes: int, seed: int, q: float) -> None:
    noise = 0.6 * np.eye(classes) + 0.4 * np.random.default_rng(seed).dirichlet(np.ones(classes), classes)
    a = minimum_a(noise, q)
    if not math.isfinite(a) or a > 1e6:
        return
    assert all(is_asymmetric(row, a * (1 + 1e-7), q) for row in noise)
    assert all(is_asymmetric(row, a, q) for row in noise)
    assert not all(is_asymmetric(row, max(1.0, a * (1 - 1e-7)), q) for row in noise)


def grid(parts: int) -> np.ndarray:
    first, second = np.meshgrid(*2 * [np.arange(parts + 1)], indexing="ij")
    inside = first + second <= parts
    first, second = first[inside] / parts, second[inside] / parts
    return np.stack([first, second, np.maximum(1 - first - second, 0)], axis=1)


GRID = grid(400)


@pytest.mark.parametrize("q", [0.5, 1, 1.3, 2, 3.5])
@pytest.mark.parametrize("a", [1, 1.4, 3, 12])
@pytest.mark.parametrize("w", [(0.5, 0.3, 0.2), (0.2, 0.45, 0.35), (0.1, 0.1, 0.8), (1, 0, 0), (3, 3, 1)])
def test_minimiser_against_a_dense_grid(w: tuple[float, ...], a: float, q: float) -> None:
    found = risk_minimiser(w, a, q)
    risks = risk(GRID, w, a, q)
    assert found.min() >= 0
    assert found.sum() == pytest.approx(1, abs=1e-14)
    assert risk(found, w, a, q) <= risks.min() * (1 + 1e-12)
    if q > 1:
        # A strictly convex function: the best grid point is within a few cells of the minimiser.
        assert np.abs(GRID[np.argmin(risks)] - found).max() < 0.02


def descend(w: np.ndarray, a: float, q: float) -> np.ndarray:
    """Projected gradient descent with halved steps; the projection by Michelot's elimination."""
    p = np.full(w.size, 1 / w.size)
    step = 1.0
    for _ in range(4000):
        slope = q * ((w.sum() - w) * p ** (q - 1) - w * (a - p) ** (q - 1)) / w.size
        while True:
            moved, active = p - step * slope, np.ones(w.size, dtype=bool)
            while True:
                shift = (moved[active].sum() - 1) / active.sum()
                if not np.any(active & (moved <= shift)):
                    break
                active &= moved > shift
            moved = np.where(active, moved - shift, 0)
            if (
                risk(moved, w, a, q)
                <= risk(p, w, a, q) + slope @ (moved - p) + ((moved - p) ** 2).sum() / 2 / step
            ):
                break
            step /= 2
        if np.abs(moved - p).max() < 1e-13:
            break
        p = moved
    return p


@pytest.mark.parametrize("q", [1.6, 2, 2.0001, 3, 5])
@pytest.mark.parametrize("seed", range(4))
def test_minimiser_against_projected_gradient(seed: int, q: float) -> None:
    w = np.random.default_rng(seed).dirichlet(np.ones(5))
    for a in (1.0, 1.5, 2.5):
        assert risk_minimiser(w, a, q) == pytest.approx(descend(w, a, q), abs=1e-6)


@given(weights, st.floats(1, 30), st.floats(1.02, 40))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_minimiser_meets_the_first_order_conditions(w: list[float], a: float, q: float) -> None:
    w = np.array(w)
    p = risk_minimiser(w, a, q)
    assert p.min() >= 0
    assert p.sum() == pytest.approx(1, abs=1e-12)
    assert p[np.argmax(w)] == p.max(), "the arg max is right even where the corner is not reached"
    # Near q = 1 a coordinate may matter and yet be far below 1e-12: it is then looked at from above.
    seen = np.maximum(p, 1e-12)
    room = np.maximum(1 - seen / a, 0)
    # For a = 1 what the largest leaves may be below rounding's part of 1, and count all the same.
    room[np.argmax(w)] = (a - 1 + np.delete(p, np.argmax(w)).sum()) / a
    slope = (w.sum() - w) * (seen / a) ** (q - 1) - w * room ** (q - 1)
    inside = (p > 1e-11) & (p < 1 - 1e-11)
    level = slope[inside].max() if inside.any() else slope[np.argmax(w)]
    assert np.all(slope >= level - 1e-6 * w.sum())
    assert np.all(slope[inside] <= slope[inside].min(initial=np.inf) + 1e-6 * w.sum())


@pytest.mark.parametrize(("a", "q"), [(1e10, 50), (1e3, 1.5), (1e15, 2), (1.0, 1.001), (2.0, 1.0001)])
def test_minimiser_of_a_tie_splits_it(a: float, q: float) -> None:
    found = risk_minimiser([0.5, 0.5, 0.0], a, q)
    assert found == pytest.approx([0.5, 0.5, 0.0], abs=1e-9)


def fifty_digits(w: list[float], a: float, q: float) -> np.ndarray:
    """The minimiser by two nested bisections, of what is missing to p_m = 1 and of the logarithms of the others."""
    with mpmath.workdps(50):
        w, a, r = [mpmath.mpf(one) for one in w], mpmath.mpf(a), mpmath.mpf(q) - 1
        total, heaviest = mpmath.fsum(w), max(range(len(w)), key=w.__getitem__)

        def slope(k: int, p: mpmath.mpf, room: mpmath.mpf) -> mpmath.mpf:
            return (total - w[k]) * (p / a) ** r - w[k] * (room / a) ** r

        def others(missing: mpmath.mpf) -> dict[int, mpmath.mpf]:
            level, found = slope(heaviest, 1 - missing, a - 1 + missing), {}
            for k in set(range(len(w))) - {heaviest}:
                low, high = mpmath.mpf(-800), mpmath.log(1 - missing)
                for _ in range(75):
                    middle = (low + high) / 2
                    p = mpmath.exp(middle)
                    low, high = (middle, high) if slope(k, p, a - p) < level else (low, middle)
                found[k] = mpmath.exp(low)
            return found

        low, high = mpmath.mpf(-90), mpmath.log(1 - mpmath.mpf(1) / len(w))
        for _ in range(75):
            middle = (low + high) / 2
            missing = mpmath.exp(middle)
            low, high = (middle, high) if missing < mpmath.fsum(others(missing).values()) else (low, middle)
        p = others(mpmath.exp(low)) | {heaviest: 1 - mpmath.exp(low)}
        return np.array([float(p[k]) for k in range(len(w))])


@pytest.mark.parametrize(
    ("w", "a", "q"),
    [
        ([1, 2], 1.2, 100),
        ([0.5, 0.3, 0.2], 1.5, 1.2),
        ([0.5, 0.3, 0.2], 1.5, 3),
        ([0.5, 0.499, 0.001], 1, 1.001),
        ([0.3, 0.3, 0.2, 0.2], 1.2, 2.5),
        ([1, 0.375], 1, 1.0234375),
        ([0.2, 0.19, 0.18], 3, 1e4),
        ([0.5, 0.3, 0.2], 2, 1 + 1e-13),
        ([0.34, 0.33, 0.33], 1, 1 + 1e-6),
        ([0.34, 0.33, 0.33], 1, 1.001),
        ([1.004, 1.001, 1.0], 1, 1.001),
        ([1.004, 1.001, 1.0], 2, 1e5),
        ([0.3, 0.3, 0.2, 0.2], 1, 1e3),
    ],
)
def test_minimiser_agrees_with_fifty_digits(w: list[float], a: float, q: float) -> None:
    found = risk_minimiser(w, a, q)
    assert found == pytest.approx(fifty_digits(w, a, q), abs=4e-15)
    assert found.sum() == pytest.approx(1, abs=4e-16)


def test_minimiser_of_the_smallest_exponents_and_of_the_largest() -> None:
    assert risk_minimiser([1, 2], 1.2, 100)[0] == pytest.approx(0.49755, abs=5e-6)
    for q in (1 + 1e-13, 1 + 1e-9, 1.1, 1e4, 1e8):
        assert risk_minimiser([0.5, 0.3, 0.2], 2, q).sum() == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize("K", [2, 10, 100])
@pytest.mark.parametrize(
    ("a", "q"),
    [(1, 1 + 1e-9), (1, 1 + 1e-6), (1, 1 + 1e-4), (1, 1.001), (1, 1.01)]
    + [(1.3, q) for q in (1.1, 1.7, 2.5, 40)],
)
def test_minimiser_takes_few_steps(K: int, a: float, q: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under 5 ms a call: some 100 evaluations of 30 microseconds. Two nested bisections took 4,000."""
    taken, newton = [], asymmetry._newton

    def counted(f, *arguments):  # type: ignore[no-untyped-def]
        return newton(lambda x: taken.append(1) or f(x), *arguments)

    monkeypatch.setattr(asymmetry, "_newton", counted)
    for seed in range(5):
        w = np.random.default_rng(seed).dirichlet(np.ones(K))
        for weights in (w, 1 + 0.01 * w):
            taken.clear()
            risk_minimiser(weights, a, q)
            assert len(taken) < 110


def exact_slack(own: float, rival: float, others: float, a: float, q: float) -> mpmath.mpf:
    own, rival, others, a, q = map(mpmath.mpf, (own, rival, others, a, q))
    return own * (1 - 1 / a) ** (q - 1) - rival - others * a ** (1 - q)


@pytest.mark.parametrize("K", [2, 3, 50])
@pytest.mark.parametrize("rate", [1e-12, 1e-6, 0.01, 0.3])
@pytest.mark.parametrize("q", [1.5, 3, 5, 20, 100])
def test_the_root_is_between_its_neighbours(K: int, rate: float, q: float) -> None:
    """Tiny weights decide where a is small: they are no rounding errors of the large one."""
    T = symmetric(K, rate)
    a = minimum_a(T, q)
    with mpmath.workdps(50):
        own, rival = T[0, 0], T[0, 1]
        others = mpmath.fsum([mpmath.mpf(rival)] * (K - 1))
        assert exact_slack(own, rival, others, a * (1 + 1e-13), q) > 0
        # A few floats below it, or where these are dense, a few parts of a - 1.
        assert exact_slack(own, rival, others, max(1, a - max((a - 1) * 1e-11, 1e-15)), q) < 0
    assert is_asymmetric(T[0], a, q)
    assert not is_asymmetric(T[0], max(1, a - max((a - 1) * 1e-9, 1e-15)), q)


def test_small_weights_are_seen_beside_a_large_one() -> None:
    assert minimum_a(symmetric(50, 1e-12), q=100) == pytest.approx(3.66707, abs=5e-6)
    assert not is_asymmetric([1, 1e-14], 1.2, 20)
    assert not is_asymmetric([1, 1e-14], 1.2247, 20)
    assert is_asymmetric([1, 1e-14], 1.2248, 20)


@pytest.mark.parametrize("rate", [0.2, 0.4, 0.6, 0.8])
@pytest.mark.parametrize("q", [2, 3])
def test_rows_that_sum_to_one_but_for_float32(rate: float, q: float) -> None:
    T = symmetric(10, rate).astype(np.float32)
    a = minimum_a(T, q)
    assert all(is_asymmetric(row, a, q) for row in T)
    rows = T.astype(np.float64)
    assert is_asymmetric(rows[0] / rows[0].sum(), a, q)
    if (rate, q) == (0.8, 2):
        assert a == pytest.approx(9.00000013, abs=5e-9)


def test_minimiser_close_to_q_one_is_a_corner() -> None:
    assert risk_minimiser([0.5, 0.3, 0.2], a=1, q=1.001) == pytest.approx([1, 0, 0], abs=1e-12)


def test_q_two_is_continuous_in_q() -> None:
    w = [0.5, 0.3, 0.2]
    assert risk_minimiser(w, 3, 2 + 1e-9) == pytest.approx(risk_minimiser(w, 3, 2), abs=1e-8)


def test_risk_is_the_weighted_loss() -> None:
    rng = np.random.default_rng(0)
    w, p = rng.random(4), rng.dirichlet(np.ones(4), size=(2, 3))
    losses = np.stack([(np.abs(2.5 * np.eye(4)[y] - p) ** 1.7).sum(-1) / 4 for y in range(4)])
    assert risk(p, w, a=2.5, q=1.7) == pytest.approx(np.tensordot(w, losses, axes=1))


def test_scale_of_the_weights_does_not_matter() -> None:
    w = np.array([0.5, 0.3, 0.2])
    for q in (1, 2, 3):
        assert risk_minimiser(1e4 * w, 2.2, q) == pytest.approx(risk_minimiser(w, 2.2, q), abs=1e-12)
    assert is_asymmetric(1e-5 * w, 5)
    assert not is_asymmetric(1e5 * w, 4.99)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: is_asymmetric([0.5], 2), "K >= 2"),
        (lambda: is_asymmetric([[0.5, 0.5]], 2), "shape"),
        (lambda: is_asymmetric([0.5, -0.1], 2), "negative"),
        (lambda: is_asymmetric([0.0, 0.0], 2), "not all may be 0"),
        (lambda: is_asymmetric([0.5, math.nan], 2), "not finite"),
        (lambda: is_asymmetric(["a", "b"], 2), "not an array of numbers"),
        (lambda: is_asymmetric([0.5, 0.3], 0.9), "at least 1"),
        (lambda: is_asymmetric([0.5, 0.3], math.inf), "finite"),
        (lambda: risk_minimiser([0.5, 0.3], 2, 0), "above 0"),
        (lambda: risk_minimiser([0.5, 0.3], 2, math.nan), "finite"),
        (lambda: risk([0.5, 0.3, 0.2], [0.5, 0.5], 2), "last axis"),
        (lambda: minimum_a(HARDEST, q=-1), "above 0"),
        (lambda: minimum_a(HARDEST, q="2"), "q is '2': it must be a finite number above 0"),
        (lambda: minimum_a(HARDEST, q=None), "q is None"),
        (lambda: minimum_a(HARDEST, q=[2.0]), "q is "),
        (lambda: minimum_a(HARDEST, q=2 + 1j), "q is "),
        (
            lambda: minimum_a(HARDEST, q=torch.tensor(2.0, requires_grad=True)),
            "q is a tensor that wants grad",
        ),
        (lambda: is_asymmetric([0.5, 0.3], "9"), "a is '9': it must be a finite number of at least 1"),
        (lambda: is_asymmetric([0.5, 0.3], None), "a is None"),
        (lambda: risk_minimiser(torch.ones(3, requires_grad=True), 2), r"weights is a tensor .* detach\(\)"),
        (lambda: is_asymmetric(["1", "2"], 2), "not an array of numbers"),
        (lambda: is_asymmetric([None, 1], 2), "not finite"),
        (lambda: margin([[1, 0], [math.nan, math.nan]]), "row 1 .* if no label of class 1 was seen"),
        (lambda: minimum_a([[1.0]]), "two classes"),
        (lambda: minimum_a([[0.5, 0.5]]), "square"),
        (lambda: minimum_a([[0.5, 0.4], [0.5, 0.5]]), "row 0 .* sums to 0.9"),
        (lambda: minimum_a([[1.5, -0.5], [0.5, 0.5]]), "at least 0"),
        (lambda: margin([[1, 0], [math.inf, 0]]), "not finite"),
        (lambda: minimum_a([[1, 0], [1]]), "not an array of numbers"),
        (lambda: threshold(Rational(1, 3), Rational(1, 2), Rational(2, 3)), "must lead"),
    ],
)
def test_bad_input_is_named_in_one_line(call: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        call()  # type: ignore[operator]
    assert "\n" not in str(error.value)


def test_row_stochastic_returns_the_matrix() -> None:
    assert row_stochastic([[1, 0], [0.25, 0.75]]).dtype == np.float64


def test_importing_the_theory_imports_neither_torch_nor_sympy() -> None:
    code = "import jal.theory, sys; print(sorted({'torch', 'sympy'} & set(sys.modules)))"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )


def test_the_proofs_do_not_import_torch() -> None:
    code = "import jal.theory.symbolic, sys; print('torch' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "False\n"
    )
