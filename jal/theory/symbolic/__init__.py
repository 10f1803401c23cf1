"""The paper's theory as proofs that a computer checks: every step a sympy statement that simplifies to true.

A proof is a tuple of steps. A step has a claim in words, the reason for it, and, where it is derived here and not
cited, a statement in symbols:

>>> from jal.theory import symbolic
>>> step = symbolic.THEOREM_4_1[2]
>>> step.claim
'For q > 1 every term is convex'
>>> step.statement()
Implies((a > x) & (q > 1), Derivative(S*x**q + w_k*(a - x)**q, (x, 2)) >= 0)
>>> step.holds()
True

Without its hypotheses it is not proved, and the tests hold every hypothesis of every step to that.
"""

from jal.theory.symbolic.cauchy import PAPERS_PROOF
from jal.theory.symbolic.definitions import ACTIVE_PASSIVE, NOT_SYMMETRIC, SYMMETRIC
from jal.theory.symbolic.gradients import GRADIENTS, IDENTITIES
from jal.theory.symbolic.losses import ELEMENTARY, FORMULAS, loss
from jal.theory.symbolic.normalised import NORMALISED_AT_THE_CORNER
from jal.theory.symbolic.quadratic import PROJECTION, THRESHOLDS, threshold
from jal.theory.symbolic.steps import Step, given, proves
from jal.theory.symbolic.theorem import THEOREM_4_1, condition

PROOFS: dict[str, tuple[Step, ...]] = {
    "The symmetric condition": SYMMETRIC,
    "Losses that are not symmetric": NOT_SYMMETRIC,
    "Active and passive losses": ACTIVE_PASSIVE,
    "Theorem 4.1": THEOREM_4_1,
    "The paper's own proof": PAPERS_PROOF,
    "The squared case: a projection": PROJECTION,
    "Thresholds": THRESHOLDS,
    "NCE at the corner": NORMALISED_AT_THE_CORNER,
    "AMSE in terms of MAE": IDENTITIES,
    "The gradient of AMSE": GRADIENTS,
}
"""Every proof, by its title."""

__all__ = [
    "ACTIVE_PASSIVE",
    "ELEMENTARY",
    "FORMULAS",
    "GRADIENTS",
    "IDENTITIES",
    "NORMALISED_AT_THE_CORNER",
    "NOT_SYMMETRIC",
    "PAPERS_PROOF",
    "PROJECTION",
    "PROOFS",
    "SYMMETRIC",
    "THEOREM_4_1",
    "THRESHOLDS",
    "Step",
    "condition",
    "given",
    "loss",
    "proves",
    "threshold",
]
