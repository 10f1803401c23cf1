"""One-line errors and their exit codes."""

import json

import pytest

from jal.errors import InputError, JalError, Stopped, TrainingError, printable, unknown


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


def test_what_steers_a_terminal_is_printed_as_its_code(jal):
    text = "naïve − ü\n\tline \x1b]0;title\x07 \x9b2J \r \u202e \x7f"
    assert printable(text) == "naïve − ü\n\tline \\u001b]0;title\\u0007 \\u009b2J \\u000d \\u202e \\u007f"
    document = json.dumps({"text": "\x9b \x7f"}, ensure_ascii=False)
    assert json.loads(printable(document)) == json.loads(document)
    code, out, err = jal("sweep", "table3\x1b[31m")
    assert code == 2 and "\x1b" not in out + err and "table3" in err
