"""Frames with the same types, whatever there is to put in them."""

import pytest

from jal.analysis.frames import typed

COLUMNS = {"loss": str, "n": int, "epochs": "Int64", "mean": float, "right": bool}
TYPES = ["string", "int64", "Int64", "float64", "bool"]


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [("CE", 3, None, 78.8, True)],
        [{"right": False, "n": 0, "loss": "JAL-CE"}],
        iter([("CE", 1, 5, 1, False)]),
    ],
)
def test_the_types_do_not_depend_on_the_rows(rows):
    frame = typed(rows, **COLUMNS)
    assert list(frame) == list(COLUMNS)
    assert [str(kind) for kind in frame.dtypes] == TYPES


def test_what_a_row_does_not_say_is_missing():
    frame = typed([{"right": False, "n": 0, "loss": "JAL-CE"}], **COLUMNS)
    assert frame[["epochs", "mean"]].isna().all(axis=None)
    assert frame["loss"].tolist() == ["JAL-CE"]
