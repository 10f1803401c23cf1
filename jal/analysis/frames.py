"""Frames whose columns have the same types whatever there is to put in them, nothing too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

_NAMES: dict[type | str, str] = {str: "string", int: "int64", float: "float64", bool: "bool"}


def typed(rows: Iterable[Any], **columns: type | str) -> pd.DataFrame:
    """Rows, each a sequence or a mapping, as a frame.

    Parameters
    ----------
    columns
        names in their order, each with str, int, float, bool or the name of one of pandas' types: "Int64" and
        "boolean" are those of which a value may be missing.
    """
    frame = pd.DataFrame(list(rows), columns=list(columns))
    return frame.astype({name: _NAMES.get(kind, kind) for name, kind in columns.items()})
