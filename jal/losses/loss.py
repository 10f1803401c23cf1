"""Loss: a weighted sum of formulas as an `nn.Module` on (logits, targets), like torch's own losses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from jal.errors import InputError, unknown
from jal.losses.elementary import Fixed, Formula, Link, log_softmax

Reduction = Literal["mean", "sum", "none"]
_Pick = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Term:
    """One summand of a loss: weight x formula, on the scores that `link` makes of the logits."""

    formula: Formula
    weight: float = 1.0
    link: Link = log_softmax


class Loss(nn.Module):
    """A robust loss on logits and integer labels.

    Half-precision logits are raised to float32 first, and the loss is then float32; float64 stays float64.

    A class whose logit is -inf is masked: for this sample the loss is that of the other classes alone, as if there were
    no such class, and it gets no gradient. The loss of a label that is itself masked is infinite.

    Parameters
    ----------
    terms
        the summands; `jal.losses.build` makes them from a name of the catalogue.
    name, constants
        what the loss is called and its parameters, for `repr` and for records.
    reduction
        "mean" over the labels that are not ignored (the default), "sum", or "none".
    ignore_index
        a label that contributes neither value nor gradient, as in `torch.nn.CrossEntropyLoss`.
    validate
        check every call's logits, which must be finite (none is masked), and labels. Off by default: on a GPU the
        check waits for the device.

    Shape
    -----
    logits (N, K) or (N, K, d1, ...) or (K,), K >= 2; targets of the same shape without K, integers.
    The result is a scalar, or of the targets' shape with reduction "none".

    Raises
    ------
    InputError
        for shapes or types that do not fit, a power that is too large for the logits' type, and an `eps` that is
        not below 1/K in a negative normalised loss; with `validate=True` also for labels outside 0..K-1 and for
        logits that are not finite.
    """

    def __init__(
        self,
        *terms: Term,
        name: str = "",
        constants: Mapping[str, float] | None = None,
        reduction: Reduction = "mean",
        ignore_index: int = -100,
        validate: bool = False,
    ) -> None:
        super().__init__()
        if not terms:
            raise InputError("a Loss of no terms: give at least one")
        if reduction not in get_args(Reduction):
            raise unknown("reduction", reduction, get_args(Reduction))
        self.name = name
        self.constants = dict(constants or {})
        self.terms = terms
        self.reduction = reduction
        self.ignore_index = ignore_index
        self.validate = validate
        # Terms on the same scores stand together, so that a joint loss takes one log-softmax, not one a term.
        links = list(dict.fromkeys(term.link for term in terms))
        by_link = [(link, tuple(t for t in terms if t.link == link)) for link in links]
        # The weights in tuples of their own: see `Fixed`.
        self._by_link = tuple((link, some, tuple(t.weight for t in some)) for link, some in by_link)

    def extra_repr(self) -> str:
        parts = [repr(self.name)] if self.name else []
        parts += [f"{key}={value:g}" for key, value in self.constants.items()]
        return ", ".join([*parts, f"reduction={self.reduction!r}"])

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The reduced loss of `logits` (N, K, ...) at the labels `targets` (N, ...)."""
        logits = _classes_last(logits)
        if targets.shape != logits.shape[:-1] or targets.is_floating_point() or targets.dtype == torch.bool:
            raise InputError(
                f"targets of shape {tuple(targets.shape)} and type {targets.dtype} do not fit logits with "
                f"{logits.shape[-1]} classes: give integer labels of shape {tuple(logits.shape[:-1])}"
            )
        # Before any comparison: in uint8, the default ignore_index -100 equals label 156.
        targets = targets.to(torch.int64)
        if self.validate:
            self._check_values(logits, targets)
        pick, ignored = self._labels(targets)
        return self._reduced(self._values(logits, pick).squeeze(-1), ignored)

    def all_labels(self, logits: Tensor) -> Tensor:
        """L(f, k) for every label k, of the logits' shape: what the definitions of the theory sum over."""
        values = self._values(_classes_last(logits), lambda scores: scores)
        return values.movedim(-1, 1) if logits.dim() > 2 else values

    @torch.no_grad()
    def parts(self, logits: Tensor, targets: Tensor) -> dict[str, float]:
        """Each summand by its name, the weight included: where a value comes from.

        They sum to the loss; of a loss with reduction "none", to its mean. A name that came before gets a number.
        """
        logits = _classes_last(logits)
        pick, ignored = self._labels(targets.to(torch.int64))
        seen: Counter[str] = Counter()
        found = {}
        values, absent = self._terms_at(logits, pick)
        for term, value in values:
            name = f"{term.weight:g} {_name_of(term.formula)}"
            seen[name] += 1
            reduced = self._reduced(value.masked_fill(absent, torch.inf).squeeze(-1), ignored)
            found[f"{name} ({seen[name]})" if seen[name] > 1 else name] = float(
                reduced.sum() / (~ignored).sum() if self.reduction == "none" else reduced
            )
        return found

    def _labels(self, targets: Tensor) -> tuple[_Pick, Tensor]:
        """What picks the labels' column of (..., K), and which labels are ignored."""
        ignored = targets == self.ignore_index
        index = targets.masked_fill(ignored, 0).unsqueeze(-1)
        return lambda scores: scores.gather(-1, index), ignored

    def _reduced(self, losses: Tensor, ignored: Tensor) -> Tensor:
        losses = losses.masked_fill(ignored, 0.0)
        if self.reduction == "none":
            return losses
        if self.reduction == "sum":
            return losses.sum()
        return losses.sum() / (~ignored).sum()

    def _values(self, logits: Tensor, pick: _Pick) -> Tensor:
        ((_, total), *others), absent = self._terms_at(logits, pick)
        for _, value in others:
            total = total + value
        return torch.where(absent, torch.inf, total)

    def _terms_at(self, logits: Tensor, pick: _Pick) -> tuple[list[tuple[Term, Tensor]], Tensor]:
        """Each term and its weighted value at the labels that `pick` picks, and which of these are masked.

        At a masked label the values are those of another score, and mean nothing.
        """
        values = []
        for link, terms, weights in self._by_link:
            every = link(logits)
            own = pick(every)
            absent = torch.isneginf(own)
            # A finite score in its place, so that no gradient is infinity times 0.
            own = torch.where(absent, 0.0, own)
            for term, weight in zip(terms, weights, strict=True):
                value = term.formula(own, every)
                values.append((term, value if weight == 1.0 else weight * value))
        return values, absent

    def _check_values(self, logits: Tensor, targets: Tensor) -> None:
        K = logits.shape[-1]
        wrong = ((targets < 0) | (targets >= K)) & (targets != self.ignore_index)
        if wrong.any():
            raise InputError(
                f"targets hold the label {int(targets[wrong][0])}, outside 0..{K - 1}: "
                f"relabel, or name it with ignore_index (now {self.ignore_index})"
            )
        finite = torch.isfinite(logits)
        if not finite.all():
            raise InputError(
                f"{int((~finite).sum())} of {logits.numel()} logits are not finite: "
                "look at the learning rate, the inputs and the precision of the model"
            )


def joint(
    *weighted: tuple[float, Loss],
    name: str = "",
    reduction: Reduction | None = None,
    ignore_index: int | None = None,
    validate: bool | None = None,
) -> Loss:
    """sum_i w_i L_i as one Loss: equation (5) of the paper, e.g. `joint((1.0, nce), (1.0, amse))`.

    Its reduction, ignore_index and validate are those of its members, unless given.

    Raises
    ------
    InputError
        for no members, and for an option that is not given and in which they differ.

    Examples
    --------
    >>> import torch
    >>> from jal.losses import build
    >>> both = joint((1.0, build("NCE", None)), (2.0, build("MAE", None)))
    >>> round(both(torch.zeros(1, 10), torch.tensor([3])).item(), 2)  # 1/10 + 2 x 1.8
    3.7
    """
    given = {"reduction": reduction, "ignore_index": ignore_index, "validate": validate}
    members = [loss for _, loss in weighted]
    options: dict[str, Any] = {
        key: _in_common(key, members) if value is None else value for key, value in given.items()
    }
    return Loss(
        *(Term(t.formula, weight * t.weight, t.link) for weight, loss in weighted for t in loss.terms),
        name=name or " + ".join(f"{w:g} {loss.name}" for w, loss in weighted),
        **(options if members else {}),
    )


def _in_common(option: str, members: Sequence[Loss]) -> Any:
    values = list(dict.fromkeys(getattr(loss, option) for loss in members))
    if len(values) > 1:
        raise InputError(
            f"joint: its members have {option}={values[0]!r} and {values[1]!r}: give joint(..., {option}=...)"
        )
    return values[0] if values else None


def _classes_last(logits: Tensor) -> Tensor:
    """The class axis moved to the end, in at least float32."""
    if not logits.is_floating_point() or logits.dim() == 0:
        raise InputError(
            f"logits of type {logits.dtype} and {logits.dim()} axes: "
            "give floats of shape (N, K), (N, K, d1, ...) or (K,)"
        )
    logits = logits.movedim(1, -1) if logits.dim() > 2 else logits
    if logits.shape[-1] < 2:
        raise InputError(f"logits of {logits.shape[-1]} class: a loss needs at least 2")
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def _name_of(formula: Formula) -> str:
    """ "normalised cross entropy" of the functions' names, the innermost last."""
    if not isinstance(formula, Fixed | partial):
        return getattr(formula, "__name__", "loss").strip("_").replace("_", " ")
    inner = [_name_of(argument) for argument in formula.args if callable(argument)]
    return " ".join([_name_of(formula.func), *inner])
