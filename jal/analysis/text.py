"""How tables and sentences write a number."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from jal.errors import printable

DATASETS = {
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "webvision": "WebVision",
    "clothing1m": "Clothing1M",
    "fashion-mnist": "Fashion-MNIST",
}
"""What a page calls them, where that is not their name."""

UNTRUE = "application/vnd.jal.check"
"""The kind of output by which a build finds a sentence that its numbers no longer bear out."""


def number(value: float, digits: int = 1) -> str:
    """ "1.2", "−0.4", and 0 without a sign; nothing for a missing value."""
    if math.isnan(value):
        return ""
    # Adding 0.0 makes 0.0 of -0.0.
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def plus_minus(mean: float, std: float = math.nan, digits: int = 1) -> str:
    """ "81.5 ± 2.1"; the mean alone where there is no deviation, nothing where there is no mean."""
    return number(mean, digits) + ("" if math.isnan(std) else f" ± {number(std, digits)}")


def signed(value: float, digits: int = 1) -> str:
    """ "+1.2", "−0.4", and 0 without a sign; nothing for a missing value."""
    return ("+" if value > 0 and round(value, digits) else "") + number(value, digits)


def with_interval(value: float, low: float, high: float, digits: int = 1) -> str:
    """ "+1.2 [−0.4, +2.8]"; the signed value alone where there is no interval, nothing for a missing value."""
    if math.isnan(low):
        return signed(value, digits)
    return f"{signed(value, digits)} [{signed(low, digits)}, {signed(high, digits)}]"


def gap(row: Any) -> str:
    """Of a frame's row with the columns difference, low and high: "+1.2 [−0.4, +2.8]"."""
    return with_interval(row.difference, row.low, row.high)


def percent(share: float, digits: int = 1) -> str:
    """A share as per cent, e.g. "12.4 %"; nothing for a missing one."""
    return "" if math.isnan(share) else f"{100 * share:.{digits}f} %"


_MARKUP = re.compile(r"[\\`*_{}\[\]<>&$~|]")


def plain(text: object) -> str:
    """Text out of a file as Markdown that shows it as it is, in one line: no HTML, no mark, no link of its own."""
    words = " ".join(str(text).split())
    return _MARKUP.sub(r"\\\g<0>", printable(words))


def code(text: object) -> str:
    """Text out of a file as Markdown's code, which it cannot end."""
    words = printable(" ".join(str(text).split()))
    fence = "`" * (1 + max(map(len, re.findall("`+", words)), default=0))
    pad = " " if "`" in words else ""
    return f"{fence}{pad}{words or ' '}{pad}{fence}"


def listed(parts: Iterable[str]) -> str:
    """ "a, b and c"; nothing for none."""
    *most, last = list(parts) or [""]
    return f"{', '.join(most)} and {last}" if most else last


def upwards(a: float, digits: int = 2) -> str:
    """A smallest `a`, rounded up, as befits a lower bound; "none" where there is none."""
    if math.isinf(a):
        return "none"
    step: float = 10.0**-digits
    return f"{math.ceil(a / step - 1e-6) * step:.{digits}f}"
