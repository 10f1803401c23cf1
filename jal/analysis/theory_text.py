"""Proof steps as Markdown, for the pages that show them."""

from __future__ import annotations

import re
from collections.abc import Iterable

import sympy
from IPython.display import Markdown
from sympy.core.relational import Relational
from sympy.logic.boolalg import And, Boolean, Equivalent, Implies

from jal.theory.symbolic.steps import Step

_DERIVED, _CITED, _OPEN = "✓ derived", "cited", "✗ not derived"
_SIGNS = (("!=", "≠"), (">=", "≥"), ("<=", "≤"), ("||", "‖"), ("...", "…"), ("*", " "))
_GREEK = {"alpha": "α", "beta": "β", "gamma": "γ", "eps": "ε", "eta": "η", "xi": "ξ", "rho": "ρ"}
_SCRIPT = re.compile(
    r"(?P<base>(?:\([^()]*\)|‖[^‖]+‖)(?=\^)|(?<![A-Za-z])[A-Za-z](?=[_^]))"
    r"(?:_(?P<below>\w+))?(?:\^(?:\((?P<power>[^()]*)\)|(?P<short>\w+)))?"
)
_RELATIONS = {"==": "=", "!=": r"\ne", ">": ">", ">=": r"\ge", "<": "<", "<=": r"\le"}
_LINE = 36
"""Visible characters of a formula that fit on a line of a page of middling width."""


def proof(steps: Iterable[Step], brief: bool = False, first: int = 1) -> Markdown:
    """The steps in order: claim, reason, statement, and whether sympy derives it here and now.

    Parameters
    ----------
    steps
        as grouped in `jal.theory.symbolic`.
    brief
        leave out the statements' formulas.
    first
        the number of the first step.
    """
    texts: list[str] = []
    reason = ""
    for number, step in enumerate(steps, first):
        same, reason = step.because == reason, step.because
        mark = _CITED if step.statement is None else _DERIVED if step.holds() else _OPEN
        why = "As before." if same else _prose(reason)
        texts.append(f"**{number}.** {_prose(step.claim).rstrip('.')}. *{why}* ({mark})")
        if step.statement is not None and not brief:
            texts.append(f"$$\n{_display(step.statement())}\n$$")
    return Markdown("\n\n".join(texts))


def _display(statement: Boolean) -> str:
    """The statement as displayed mathematics, on as many lines as it needs."""
    lines = [line for part in _ordered(statement, And) for line in _lines(part)]
    return r"\begin{gathered}" + r" \\[4pt] ".join(lines) + r"\end{gathered}" if len(lines) > 1 else lines[0]


def _lines(statement: Boolean) -> list[str]:
    if isinstance(statement, Implies):
        hypotheses, conclusion = statement.args
        facts = r",\; ".join(sympy.latex(fact) for fact in _ordered(hypotheses, And))
        parts = [line for part in _ordered(conclusion, And) for line in _lines(part)]
        return _joined(rf"{facts} \;\Longrightarrow", *parts)
    if isinstance(statement, Equivalent):
        one, other = (_joined(*_lines(side)) for side in _ordered(statement, Equivalent))
        return _joined(*one, r"\Longleftrightarrow\;", *other)
    if isinstance(statement, Relational):
        sign = _RELATIONS[statement.rel_op]
        return _joined(sympy.latex(statement.lhs), rf"{sign} {sympy.latex(statement.rhs)}")
    return [sympy.latex(statement)]


def _joined(*parts: str) -> list[str]:
    """One line where the parts fit on one, else a line for each."""
    visible = re.sub(r"\\(?:left|right|frac|substack)|\\[;, ]|[{}^_ ]", "", "".join(parts))
    fits = len(re.sub(r"\\[A-Za-z]+", "x", visible)) <= _LINE
    return [r"\; ".join(parts)] if fits else list(parts)


def _ordered(statement: Boolean, kind: type[Boolean]) -> list[Boolean]:
    """The parts of a conjunction or an equivalence, whose own order differs from run to run."""
    return sorted(statement.args, key=sympy.default_sort_key) if isinstance(statement, kind) else [statement]


def _prose(text: str) -> str:
    """Plain text as Markdown, with what it says of subscripts, powers and inequalities typeset."""
    for plain, sign in _SIGNS:
        text = text.replace(plain, sign)
    text = re.sub(rf"\b({'|'.join(_GREEK)})\b", lambda word: _GREEK[word[0]], text)
    text = re.sub(r"sqrt\((\w+)\)", r"√\1", text)
    pieces, end = [], 0
    for match in _SCRIPT.finditer(text):
        scripts = _scripts(match["base"], match["below"], match["power"] or match["short"])
        pieces += [_escape(text[end : match.start()]), scripts]
        end = match.end()
    return "".join(pieces) + _escape(text[end:])


def _scripts(base: str, below: str | None, above: str | None) -> str:
    if below and len(below) > 1:
        below = rf"\mathrm{{{below}}}"
    return f"${base}" + (f"_{{{below}}}" if below else "") + (f"^{{{above}}}" if above else "") + "$"


def _escape(text: str) -> str:
    return re.sub(r"([\\_\[\]|<>$^])", r"\\\1", text)
