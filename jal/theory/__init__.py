"""The theory of the paper, in numbers and in symbols; numpy and sympy only.

The functions exported here are the numbers: when AMSE is asymmetric, from which `a` on, and where its risk is
smallest. `jal.theory.symbolic` holds the proofs, step by step (imported by name, as sympy takes a moment).
"""

from jal.theory.asymmetry import is_asymmetric, margin, minimum_a, risk, risk_minimiser
from jal.theory.checks import row_stochastic

__all__ = ["is_asymmetric", "margin", "minimum_a", "risk", "risk_minimiser", "row_stochastic"]
