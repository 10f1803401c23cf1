"""Proof steps and the catalogue as Markdown."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("IPython", reason="the book's extra is not installed")

from sympy import Eq, Gt, Symbol

from jal.analysis.theory_text import proof
from jal.theory.symbolic import PROOFS
from jal.theory.symbolic.steps import Step, cited, given

x = Symbol("x", positive=True)
TRUE = Step("true", "x is x", "Look.", lambda: Eq(x + 1, 1 + x, evaluate=False))
FALSE = Step("false", "x exceeds 1", "It need not.", lambda: Gt(x, 1))
CITED = cited("cited", "w_m (a-1)^(q-1) >= 2*w_min", "Somebody 1999.")


def test_every_step_says_how_it_is_known():
    first, second, third = (
        line for line in proof([TRUE, FALSE, CITED]).data.splitlines() if line.startswith("**")
    )
    assert first == "**1.** x is x. *Look.* (✓ derived)"
    assert second.endswith("(✗ not derived)")
    assert third.endswith("(cited)")


def test_a_cited_step_has_no_formula_and_a_brief_one_none_either():
    assert "$$" in proof([TRUE]).data
    assert "$$" not in proof([CITED]).data
    assert "$$" not in proof([TRUE], brief=True).data


def test_steps_number_on_and_do_not_repeat_a_reason():
    text = proof([TRUE, TRUE], first=7).data
    assert "**7.**" in text and "**8.**" in text
    assert text.count("*Look.*") == 1 and "*As before.*" in text


def test_subscripts_powers_and_signs_are_typeset():
    text = proof([CITED]).data
    assert r"$w_{m}$ $(a-1)^{q-1}$ ≥ 2 $w_{\mathrm{min}}$." in text


def test_hypotheses_stand_before_the_arrow():
    step = Step(
        "under", "under a hypothesis", "Given.", lambda: given(Gt(x, 1), then=Gt(x, 0, evaluate=False))
    )
    assert r"x > 1 \;\Longrightarrow" in proof([step]).data


@pytest.mark.parametrize("title", PROOFS)
def test_the_mathematics_of_every_proof_is_well_formed(title):
    text = proof(PROOFS[title]).data
    displayed = re.sub(r"\$\$.*?\$\$", "", text, flags=re.S)
    words = re.sub(r"\$[^$]*\$", "", displayed)
    assert text.count("{") == text.count("}")
    assert not set("$_^") & set(words)
