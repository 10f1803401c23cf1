"""One-line errors and their exit codes."""

import pytest

from jal.errors import InputError, JalError, Stopped, TrainingError, unknown


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("jal-ce", "did you mean 'JAL-CE'?"),
        ("JALCE", "did you mean 'JAL-CE'?"),
        ("nothing like it", "it must be"),
    ],
)
def test_an_unknown_name_gets_the_nearest_one_and_the_list(value, hint):
    error = unknown("loss", value, ["JAL-CE", "MAE"])
    assert isinstance(error, InputError)
    assert hint in str(error)
    assert str(error).endswith("it must be one of JAL-CE, MAE")
    assert repr(value) in str(error)


def test_exit_codes():
    assert [cls("").exit_code for cls in (JalError, TrainingError, InputError, Stopped)] == [1, 1, 2, 75]
    assert issubclass(InputError, ValueError)
