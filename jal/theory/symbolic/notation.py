"""The symbols of the proofs, and what sympy may assume of each without being told again.

Everything beyond these signs (a >= 1, q > 1, w_m > w_n, sum of p = 1, ...) is a hypothesis and stands in the
statement that uses it.
"""

from __future__ import annotations

from sympy import Expr, IndexedBase, Sum, Symbol

K = Symbol("K", integer=True, positive=True)
"""The number of classes."""

y, j, k = (Symbol(name, integer=True, positive=True) for name in "yjk")
"""Labels, 1 to K: the one given, and two that run over all."""

p = IndexedBase("p", positive=True)
"""The prediction: p_1, ..., p_K."""

w = IndexedBase("w", nonnegative=True)
"""The weights of the labels in the noisy risk."""

w_m, w_n, w_k = (Symbol(name, nonnegative=True) for name in ("w_m", "w_n", "w_k"))
"""The weight of the heaviest class, that of its strongest rival, and that of any other class."""

S = Symbol("S", nonnegative=True)
"""The sum of all weights but w_m (the rivals' w_n or w_k included)."""

T = Symbol("T", nonnegative=True)
"""The sum of all weights but w_m and w_k."""

x, t = Symbol("x", positive=True), Symbol("t", positive=True)
"""A probability, and a bound on it."""

a, q, gamma, alpha, beta = (Symbol(name, positive=True) for name in ("a", "q", "gamma", "alpha", "beta"))
eps = Symbol("varepsilon", positive=True)
"""The parameters of the losses, as `jal.losses.build` names them."""

eta = Symbol("eta", positive=True)
"""The noise rate."""

A = Symbol("A", negative=True)
"""The value that reverse cross entropy takes for log 0."""


def over_labels(term: Expr, index: Symbol = j) -> Sum:
    """The sum of `term` over index = 1, ..., K."""
    return Sum(term, (index, 1, K))
