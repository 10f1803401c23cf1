"""The catalogue: every loss by the name the paper's tables give it, with formula, source, parameters and kind.

The values are those of the paper's Table 8; where the authors' released code has another, it stands in
`official` beside it. `settings="paper"` reads the first alone, `settings="official"` both.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from numbers import Real
from typing import Literal

from jal.errors import InputError, unknown
from jal.losses import elementary as f
from jal.losses.combinators import negative_normalised, normalised
from jal.losses.loss import Loss, Reduction, Term

DATASETS = ("cifar10", "cifar100", "webvision", "clothing1m")
SETTINGS = ("official", "paper")
OPTIONS = ("reduction", "ignore_index", "validate")

Role = Literal["active", "passive", "joint", "none"]
Asymmetry = Literal["always", "conditional", "never", "open"]
Values = Mapping[str, float]


@dataclass(frozen=True)
class Parameter:
    """A loss's parameter: its domain as a test and as text, and a default where the definition fixes one."""

    name: str
    domain: str
    holds: Callable[[float], bool]
    default: float | None = None

    def check(self, loss: str, value: object) -> float:
        """`value` as a float, or the InputError that names the domain."""
        number = math.nan
        if not isinstance(value, bool) and isinstance(value, Real):
            with suppress(OverflowError):
                number = float(value)
        if not (math.isfinite(number) and self.holds(number)):
            shown = " ".join(reprlib.repr(value).split())
            raise InputError(f"{loss}: {self.name}={shown} is outside its domain: choose {self.domain}")
        return number


@dataclass(frozen=True)
class Entry:
    """One loss of the catalogue.

    `role` follows Definitions 4.2 and 4.3: "joint" is a sum of active and passive or of two active losses,
    "none" a loss that those definitions do not cover. `symmetric` is Definition 4.1. `asymmetric` says whether
    the vertex of the dominant class minimises the weighted risk (Definition 4.4): "always", "conditional" on
    the parameters and the weights, "never", or "open": no claim is made, as for all that contains NCE or NFL,
    whose weighted risk has a lower infimum away from the vertex.
    """

    name: str
    title: str
    formula: str
    source: str
    role: Role
    symmetric: bool
    asymmetric: Asymmetry
    terms: Callable[[Values], tuple[Term, ...]]
    parameters: tuple[Parameter, ...] = ()
    table: Mapping[str, Values] = field(default_factory=dict)
    official: Mapping[str, Values] = field(default_factory=dict)

    def values(self, dataset: str | None, settings: str, given: Mapping[str, object]) -> dict[str, float]:
        """Every parameter's value: the given one, else the table's for `dataset`, else the definition's."""
        known = {p.name: p for p in self.parameters}
        for name in given:
            if name not in known:
                raise unknown(f"parameter of {self.name}", name, {*known, *OPTIONS} - {name})
        values: dict[str, object] = {p.name: p.default for p in self.parameters if p.default is not None}
        if dataset is not None:
            values |= self.table.get(dataset, {})
            values |= self.official.get(dataset, {}) if settings == "official" else {}
        values |= given
        missing = [name for name in known if name not in values]
        if missing:
            borrow = [
                d for d in DATASETS if set(missing) <= {*self.table.get(d, {}), *self.official.get(d, {})}
            ]
            where = f"no values for {dataset}" if dataset else "no dataset to take them from"
            remedy = f", or borrow those of {' or '.join(borrow)}" if borrow else ""
            raise InputError(f"{self.name} needs {', '.join(missing)} and has {where}: give a value{remedy}")
        return {name: known[name].check(self.name, values[name]) for name in known}


LOG_1E_4 = -9.210340371976182
"""A literal, because it is a part of every run's identity: no system's logarithm may round it otherwise."""

# Parameters and their domains. A name means the same in every loss; its domain may not.


def _positive(name: str, default: float | None = None) -> Parameter:
    return Parameter(name, f"{name} > 0", lambda v: v > 0, default)


ALPHA, BETA, Q, DELTA, LAM = (_positive(name) for name in ("alpha", "beta", "q", "delta", "lam"))
A_SHIFT = _positive("a")
A_TARGET = Parameter("a", "a >= 1", lambda v: v >= 1)
AMSE_Q = _positive("q", default=2.0)
GAMMA = Parameter("gamma", "gamma >= 0", lambda v: v >= 0)
BOOST = Parameter("m", "m >= 0", lambda v: v >= 0)
MARGIN = Parameter("margin", "margin >= 0", lambda v: v >= 0, default=0.1)
EPS = Parameter("eps", "0 < eps < 1", lambda v: 0 < v < 1, default=f.EPS)
# From 1/K on every class can lie under the floor, and a negative loss's normaliser is then 0.
EPS_OF_NEGATIVE = Parameter("eps", "0 < eps <= 1e-4, below 1 / K", lambda v: 0 < v <= 1e-4, default=f.EPS)
LOG_ZERO = Parameter("A", "A < 0, the value that stands for log 0", lambda v: v < 0, default=LOG_1E_4)
CLIP_POWER = Parameter(
    "power",
    "power = 1 (a clipped norm becomes delta: the released code) or -1 (1/delta: LogitClip's paper)",
    lambda v: v in (1, -1),
)


# Terms shared by several entries, as functions of the parameters' values.


def _nce(weight: float = 1.0) -> Term:
    return Term(normalised(f.log_likelihood), weight)


def _nfl(v: Values, weight: float = 1.0) -> Term:
    return Term(normalised(f.fixed(f.focal, gamma=v["gamma"])), weight)


def _nnce(v: Values) -> Term:
    bound = -math.log(v["eps"])
    return Term(negative_normalised(f.fixed(f.cross_entropy, eps=v["eps"]), bound, v["eps"]), v["beta"])


def _nnfl(v: Values) -> Term:
    bound = -((1 - v["eps"]) ** v["gamma"]) * math.log(v["eps"])
    return Term(
        negative_normalised(f.fixed(f.focal, gamma=v["gamma"], eps=v["eps"]), bound, v["eps"]), v["beta"]
    )


def _aul(v: Values, weight: float = 1.0) -> Term:
    return Term(f.fixed(f.asymmetric_unhinged, a=v["a"], q=v["q"]), weight)


def _agce(v: Values, weight: float = 1.0) -> Term:
    return Term(f.fixed(f.asymmetric_generalised_cross_entropy, a=v["a"], q=v["q"]), weight)


def _ael(v: Values, weight: float = 1.0) -> Term:
    return Term(f.fixed(f.asymmetric_exponential, a=v["a"]), weight)


def _amse(v: Values, weight: float = 1.0) -> Term:
    return Term(f.fixed(f.asymmetric_mean_square_error, a=v["a"], q=v["q"]), weight)


def _absolute(scale: float, weight: float = 1.0) -> Term:
    return Term(f.fixed(f.absolute_error, scale=scale), weight)


def _eps_softmax(formula: f.Formula, v: Values, weight: float = 1.0) -> Term:
    return Term(formula, weight, f.fixed(f.eps_log_softmax, m=v["m"]))


def _ece(v: Values, weight: float = 1.0) -> Term:
    return _eps_softmax(f.fixed(f.cross_entropy, eps=v["eps"]), v, weight)


def _efl(v: Values, weight: float = 1.0) -> Term:
    return _eps_softmax(f.fixed(f.focal, gamma=v["gamma"], eps=v["eps"]), v, weight)


def _everywhere(**values: float) -> dict[str, Values]:
    return dict.fromkeys(DATASETS, values)


def _cifar(**values: float) -> dict[str, Values]:
    return dict.fromkeys(DATASETS[:2], values)


def _rows(
    names: str,
    cifar10: tuple[float, ...] = (),
    cifar100: tuple[float, ...] = (),
    webvision: tuple[float, ...] = (),
    clothing1m: tuple[float, ...] = (),
) -> dict[str, Values]:
    """A row of Table 8: the values of `names`, dataset by dataset; an empty cell gives none."""
    cells = zip(DATASETS, (cifar10, cifar100, webvision, clothing1m), strict=True)
    return {dataset: dict(zip(names.split(), cell, strict=True)) for dataset, cell in cells if cell}


EFL_GAMMA = Parameter(GAMMA.name, GAMMA.domain, GAMMA.holds, default=0.1)
APL = r"\alpha\,L_{\mathrm{%s}} + \beta\,L_{\mathrm{%s}}"

_ENTRIES = (
    Entry("CE", "cross entropy", r"-\log p_y", "ghosh2017robust", "active", False, "never", lambda v: (Term(f.cross_entropy),)),
    Entry(
        "FL", "focal loss", r"-(1-\mathrm{sg}[p_y])^\gamma \log p_y", "lin2017focal", "active", False, "never",
        lambda v: (Term(f.fixed(f.focal, gamma=v["gamma"])),), (GAMMA,), _everywhere(gamma=0.5),
    ),
    Entry(
        "GCE", "generalised cross entropy", r"(1-p_y^q)/q", "zhang2018gce", "active", False, "conditional",
        lambda v: (Term(f.fixed(f.generalised_cross_entropy, q=v["q"], eps=v["eps"])),), (Q, EPS),
        _rows("q", (0.9,), (0.7,), (0.7,), (0.6,)), _rows("q", cifar10=(0.7,), webvision=(0.6,)),
    ),
    Entry("MAE", "mean absolute error", r"\lVert e_y-p\rVert_1 = 2(1-p_y)", "ghosh2017robust", "passive", True, "always", lambda v: (_absolute(2.0),)),
    Entry("RCE", "reverse cross entropy", r"-A(1-p_y),\; A=\log 10^{-4}", "wang2019sce", "passive", True, "always", lambda v: (_absolute(-v["A"]),), (LOG_ZERO,)),
    Entry(
        "SCE", "symmetric cross entropy", APL % ("CE", "RCE"), "wang2019sce", "joint", False, "never",
        lambda v: (Term(f.cross_entropy, v["alpha"]), _absolute(-v["A"], v["beta"])), (ALPHA, BETA, LOG_ZERO),
        _rows("alpha beta", (0.1, 1), (6, 1), (10, 1), (10, 1)), _rows("beta", cifar100=(0.1,)),
    ),
    Entry(
        "MSE", "mean square error", r"\tfrac1K\lVert e_y-p\rVert_2^2", "ghosh2017robust", "passive", False, "never",
        lambda v: (Term(f.fixed(f.asymmetric_mean_square_error, a=1.0, q=2.0)),),
    ),
    Entry("NCE", "normalised cross entropy", r"\log p_y \big/ \textstyle\sum_k \log p_k", "ma2020normalized", "active", True, "open", lambda v: (_nce(),)),
    Entry(
        "NFL", "normalised focal loss", r"L_{\mathrm{FL}}(p,y) \big/ \textstyle\sum_k L_{\mathrm{FL}}(p,k)", "ma2020normalized", "active", True, "open",
        lambda v: (_nfl(v),), (GAMMA,), _cifar(gamma=0.5),
    ),
    Entry(
        "AUL", "asymmetric unhinged loss", r"[(a-p_y)^q-(a-1)^q]/q", "zhou2021asymmetric", "active", False, "conditional",
        lambda v: (_aul(v),), (A_TARGET, Q), _everywhere(a=5.5, q=3),
    ),
    Entry(
        "AGCE", "asymmetric generalised cross entropy", r"[(a+1)^q-(a+p_y)^q]/q", "zhou2021asymmetric", "active", False, "conditional",
        lambda v: (_agce(v),), (A_SHIFT, Q), _rows("a q", (0.6, 0.6), (0.6, 0.6), (1e-5, 0.5), (1e-5, 0.5)),
    ),
    Entry(
        "AEL", "asymmetric exponential loss", r"\exp(-p_y/a)", "zhou2021asymmetric", "active", False, "conditional",
        lambda v: (_ael(v),), (A_SHIFT,), _everywhere(a=2.5),
    ),
    Entry(
        "NNCE", "normalised negative cross entropy", r"\beta\left(1-\frac{A+\log p_y}{\sum_k (A+\log p_k)}\right),\; A=-\log\varepsilon", "ye2023active",
        "passive", True, "always", lambda v: (_nnce(v),), (BETA, EPS_OF_NEGATIVE), _rows("beta", (5,), (1,)),
    ),
    Entry(
        "NNFL", "normalised negative focal loss",
        r"\beta\left(1-\frac{A-L_{\mathrm{FL}}(p,y)}{\sum_k (A-L_{\mathrm{FL}}(p,k))}\right),\; A=-(1-\varepsilon)^\gamma\log\varepsilon", "ye2023active",
        "passive", True, "always", lambda v: (_nnfl(v),), (BETA, GAMMA, EPS_OF_NEGATIVE), _cifar(beta=1, gamma=0.5),
    ),
    Entry(
        "AMSE", "asymmetric mean square error", r"\tfrac1K\textstyle\sum_k |a\,e_k-p_k|^q", "wang2025jal", "passive", False, "conditional",
        lambda v: (_amse(v),), (A_TARGET, AMSE_Q), _rows("a", cifar10=(30,)),
    ),
    Entry(
        "NCE+RCE", "active passive loss", APL % ("NCE", "RCE"), "ma2020normalized", "joint", True, "open",
        lambda v: (_nce(v["alpha"]), _absolute(-v["A"], v["beta"])), (ALPHA, BETA, LOG_ZERO),
        _rows("alpha beta", (1, 1), (10, 0.1), (50, 0.1), (10, 1)),
    ),
    Entry(
        "NCE+MAE", "active passive loss, MAE at half scale", r"\alpha\,L_{\mathrm{NCE}} + \beta(1-p_y)", "ma2020normalized", "joint", True, "open",
        lambda v: (_nce(v["alpha"]), _absolute(1.0, v["beta"])), (ALPHA, BETA), _rows("alpha beta", (1, 1), (10, 0.1)),
    ),
    Entry(
        "NFL+RCE", "active passive loss", APL % ("NFL", "RCE"), "ma2020normalized", "joint", True, "open",
        lambda v: (_nfl(v, v["alpha"]), _absolute(-v["A"], v["beta"])), (ALPHA, BETA, GAMMA, LOG_ZERO),
        _rows("alpha beta gamma", (1, 1, 0.5), (10, 0.1, 0.5)),
    ),
    Entry(
        "NCE+AUL", "NCE with an asymmetric active loss", APL % ("NCE", "AUL"), "zhou2021asymmetric", "joint", False, "open",
        lambda v: (_nce(v["alpha"]), _aul(v, v["beta"])), (ALPHA, BETA, A_TARGET, Q),
        _rows("alpha beta a q", (1, 3, 6.3, 1.5), (10, 0.015, 6, 3)), _rows("beta", cifar10=(4,)),
    ),
    Entry(
        "NCE+AGCE", "NCE with an asymmetric active loss", APL % ("NCE", "AGCE"), "zhou2021asymmetric", "joint", False, "open",
        lambda v: (_nce(v["alpha"]), _agce(v, v["beta"])), (ALPHA, BETA, A_SHIFT, Q),
        _rows("alpha beta a q", (10, 4, 6, 1.5), (10, 0.1, 1.8, 3), (50, 0.1, 2.5, 3), (50, 0.1, 2.5, 3)), _rows("alpha", cifar10=(1,)),
    ),
    Entry(
        "NCE+AEL", "NCE with an asymmetric active loss", APL % ("NCE", "AEL"), "zhou2021asymmetric", "joint", False, "open",
        lambda v: (_nce(v["alpha"]), _ael(v, v["beta"])), (ALPHA, BETA, A_SHIFT), _rows("alpha beta a", (1, 4, 5), (10, 0.1, 1.5)),
    ),
    Entry(
        "AGCE+MAE", "asymmetric active with symmetric passive loss, MAE at half scale", r"\alpha\,L_{\mathrm{AGCE}} + \beta(1-p_y)", "wang2025jal", "joint",
        False, "conditional", lambda v: (_agce(v, v["alpha"]), _absolute(1.0, v["beta"])), (ALPHA, BETA, A_SHIFT, Q), _rows("alpha beta a q", (1, 1, 6, 1.5)),
    ),
    Entry(
        "CE+LC", "cross entropy of clipped logits", r"-\log p_y(\mathrm{clip}_\delta(z))", "wei2023logitclip", "active", False, "never",
        lambda v: (Term(f.fixed(f.cross_entropy, eps=v["eps"]), link=f.fixed(f.clipped_log_softmax, delta=v["delta"], power=v["power"], eps=v["eps"])),),
        (DELTA, CLIP_POWER, EPS), _rows("delta power", (2.5, -1), (0.5, -1)), _rows("power", (1,), (1,)),
    ),
    Entry(
        "ANL-CE", "active negative loss", APL % ("NCE", "NNCE"), "ye2023active", "joint", True, "open",
        lambda v: (_nce(v["alpha"]), _nnce(v)), (ALPHA, BETA, EPS_OF_NEGATIVE), _rows("alpha beta", (5, 5), (10, 1), (20, 1), (5, 0.1)),
    ),
    Entry(
        "ANL-FL", "active negative loss", APL % ("NFL", "NNFL"), "ye2023active", "joint", True, "open",
        lambda v: (_nfl(v, v["alpha"]), _nnfl(v)), (ALPHA, BETA, GAMMA, EPS_OF_NEGATIVE),
        _rows("alpha beta gamma", (5, 5, 0.5), (10, 1, 0.5), (20, 1, 0.5), (5, 0.1, 0.5)),
    ),
    Entry(
        "JAL-CE", "joint asymmetric loss", APL % ("NCE", "AMSE"), "wang2025jal", "joint", False, "open",
        lambda v: (_nce(v["alpha"]), _amse(v, v["beta"])), (ALPHA, BETA, A_TARGET, AMSE_Q),
        _rows("alpha beta a", (1, 1, 30), (5, 1, 20), (50, 1, 30), (5, 0.1, 5)),
    ),
    Entry(
        "JAL-FL", "joint asymmetric loss", APL % ("NFL", "AMSE"), "wang2025jal", "joint", False, "open",
        lambda v: (_nfl(v, v["alpha"]), _amse(v, v["beta"])), (ALPHA, BETA, A_TARGET, GAMMA, AMSE_Q),
        _rows("alpha beta a gamma", (1, 1, 30, 0.5), (5, 1, 20, 0.5), (50, 1, 30, 0.5), (5, 0.1, 5, 0.5)),
    ),
    Entry(
        "ECE", "cross entropy of the eps-softmax", r"-\log p'_y,\; p'=(p+m\,e_{\arg\max p})/(m+1)", "wang2024epsilon", "none", False, "open",
        lambda v: (_ece(v),), (BOOST, EPS),
    ),
    Entry(
        "EFL", "focal loss of the eps-softmax", r"-(1-\mathrm{sg}[p'_y])^\gamma\log p'_y,\; p'=(p+m\,e_{\arg\max p})/(m+1)", "wang2024epsilon", "none", False, "open",
        lambda v: (_efl(v),), (BOOST, EFL_GAMMA, EPS),
    ),
    Entry(
        "ECE+MAE", "eps-softmax cross entropy with MAE", APL % ("ECE", "MAE"), "wang2024epsilon", "joint", False, "open",
        lambda v: (_ece(v, v["alpha"]), _absolute(2.0, v["beta"])), (ALPHA, BETA, BOOST, EPS),
        _rows("alpha beta m", webvision=(0.015, 0.3, 1e3), clothing1m=(0.012, 0.1, 1e3)),
    ),
    Entry(
        "EFL+MAE", "eps-softmax focal loss with MAE", APL % ("EFL", "MAE"), "wang2024epsilon", "joint", False, "open",
        lambda v: (_efl(v, v["alpha"]), _absolute(2.0, v["beta"])), (ALPHA, BETA, BOOST, EFL_GAMMA, EPS),
        _rows("alpha beta m", webvision=(0.015, 0.3, 1e3), clothing1m=(0.012, 0.1, 1e3)),
    ),
    Entry(
        "LDR", "label-distributionally robust loss",
        r"\lambda\log\tfrac1K\textstyle\sum_k\exp\frac{c[k\ne y]+s_k-s_y}{\lambda},\; s=\frac{\mathrm{softplus}(z)}{\mathrm{mean}\,\mathrm{softplus}(z)}", "zhu2023ldr",
        "none", False, "open", lambda v: (Term(f.fixed(f.label_distributionally_robust, lam=v["lam"], margin=v["margin"]), link=f.relative_softplus),),
        (LAM, MARGIN), _rows("lam", (10,), (1,), (1,), (1,)),
    ),
)  # fmt: skip

CATALOG: dict[str, Entry] = {entry.name: entry for entry in _ENTRIES}

ELSEWHERE = {
    "LT-APL": "a head and a penalty, not a function of logits and labels: it is a method of the trainer (jal train --loss LT-APL)"
}
"""Names of the paper's tables that are not losses, and where they live."""


def names() -> list[str]:
    """The names that `build` knows, as in the paper's tables.

    Examples
    --------
    >>> "JAL-CE" in names()
    True
    """
    return list(CATALOG)


def entry(name: str) -> Entry:
    """The catalogue's entry `name`, or the InputError that names the nearest one."""
    if name in ELSEWHERE:
        raise InputError(f"{name} is {ELSEWHERE[name]}")
    if name not in CATALOG:
        raise unknown("loss", name, CATALOG)
    return CATALOG[name]


def build(
    name: str,
    dataset: str | None,
    settings: str = "official",
    *,
    reduction: Reduction = "mean",
    ignore_index: int = -100,
    validate: bool = False,
    **parameters: float,
) -> Loss:
    """The loss `name` with the parameters that `settings` fixes for `dataset`; `parameters` override them.

    Parameters
    ----------
    name
        one of `names()`, e.g. "JAL-CE" or "NCE+RCE".
    dataset
        "cifar10", "cifar100", "webvision" or "clothing1m", whose parameters are taken; or None, which takes
        none, so that all must be given. For data of your own nothing is chosen silently: borrow CIFAR-10's
        below some 50 classes and CIFAR-100's above, or give the parameters; `jal.minimum_a` bounds `a`.
    settings
        "official" (the authors' released code, most likely the source of the paper's tables) or "paper"
        (its Table 8).
    reduction, ignore_index, validate
        as for `Loss`.
    parameters
        alpha, beta, a, q, gamma, delta, ...: see `CATALOG[name].parameters` for the names and domains.

    Returns
    -------
    Loss
        on logits (N, K, ...) and labels (N, ...); K is the logits'.

    Raises
    ------
    InputError
        for an unknown name, dataset, setting or parameter, a parameter outside its domain, or one that is
        neither given nor in the table.

    Examples
    --------
    >>> import torch
    >>> criterion = build("JAL-CE", "cifar10", alpha=0.5)  # the paper's values, but for alpha
    >>> round(criterion(torch.zeros(4, 10), torch.tensor([0, 1, 2, 3])).item(), 2)
    89.46
    """
    if dataset is not None and dataset not in DATASETS:
        near = unknown("dataset", dataset, DATASETS)
        raise InputError(
            f"{near}; for other data borrow one of these, or pass dataset=None and every parameter"
        )
    if settings not in SETTINGS:
        raise unknown("settings", settings, SETTINGS)
    found = entry(name)
    values = found.values(dataset, settings, parameters)
    return Loss(
        *found.terms(values),
        name=name,
        constants=values,
        reduction=reduction,
        ignore_index=ignore_index,
        validate=validate,
    )
