"""The command line from the outside: what it prints and how it exits."""

import json
import subprocess
import sys

import pytest

from jal.__main__ import main
from jal.cli import named_values
from jal.errors import InputError


@pytest.fixture
def jal(capsys):
    def call(*arguments):
        code = main(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return call


def test_threshold(jal):
    code, out, _ = jal("threshold", "--noise", "symmetric", "--rate", "0.8", "--classes", "10")
    assert code == 0
    assert out.startswith("a >= 9\n")
    code, out, _ = jal("threshold", "--noise", "symmetric", "--rate", "0.8", "--classes", "10", "--q", "3")
    assert out.startswith("a >= 4.739388\n")
    code, out, _ = jal("threshold", "--noise", "asymmetric", "--rate", "0.4", "--dataset", "cifar100")
    assert out.startswith("a >= 5\n")


def test_threshold_from_a_file_and_as_json(jal, tmp_path):
    file = tmp_path / "T.csv"
    file.write_text("0.7,0.3\n0.6,0.4\n")
    code, out, _ = jal("threshold", "--matrix", str(file), "--json")
    answer = json.loads(out)
    assert code == 0
    assert answer["a"] is None
    assert answer["true_class"] == 1
    assert answer["margin"] == pytest.approx(-0.2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("threshold", "name a noise"),
        ("threshold --noise symmetrik --rate 0.4", "did you mean 'symmetric'"),
        ("threshold --noise symmetric", "--rate"),
        ("threshold --noise symmetric --rate 0.4", "--classes"),
        ("threshold --noise asymmetric --rate 0.4", "--dataset"),
        ("threshold --noise asymmetric --rate 0.4 --dataset cifar", "did you mean 'cifar10'"),
        ("threshold --noise symmetric --rate 1 --classes 10", r"outside \[0, 1\)"),
        ("threshold --noise symmetric --rate abc --classes 10", "--rate"),
        ("threshold --noise symmetric --rate 0.4 --classes 1", "at least 2 classes"),
        ("threshold --noise symmetric --rate 0.4 --classes 10 --q 0", "q"),
        ("threshold --matrix absent.csv", "cannot read absent.csv"),
        ("threshold --noise symmetric --ratte 0.4", "--ratte"),
        ("treshold", "threshold"),
        ("train --dataset digits --noise symmetric --rate 0.4 --loss JAL-CEE", "did you mean 'JAL-CE'"),
        ("train --dataset digitz --noise symmetric --rate 0.4 --loss CE", "did you mean 'digits'"),
        ("train --dataset digits --noise symetric --rate 0.4 --loss CE", "did you mean 'symmetric'"),
        ("train --dataset digits --noise symmetric --rate 1.4 --loss CE", "1.4"),
        ("train --dataset digits --noise symmetric --rate 0.4 --loss JAL-CE --parameter a=0.5", "a >= 1"),
        ("train --dataset digits --noise symmetric --rate 0.4 --loss JAL-CE -p alfa=1", "did you mean 'alpha'"),
        ("train --dataset digits --noise symmetric --rate 0.4 --loss CE --recipe epoch=3", "did you mean 'epochs'"),
        ("train --dataset digits --noise symmetric --rate 0.4 --loss CE --results /proc/nothing", "/proc/nothing"),
        ("run no_such_notebook", "no_such_notebook"),
        ("book --profile quik", "did you mean 'quick'"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_with_the_remedy_and_code_2(jal, arguments, message):
    import re

    code, out, err = jal(*arguments.split())
    assert code == 2
    assert out == ""
    assert err.startswith("jal: ")
    assert err.count("\n") == 1
    assert re.search(message, err)


def test_a_missing_extra_is_named():
    """A command whose packages are absent says which extra brings them."""
    code = (
        "import sys; sys.modules['papermill'] = None; from jal.__main__ import main; sys.exit(main(['run']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert (
        done.stderr
        == "jal: this command needs papermill, which is not installed: pip install 'jal-losses[book]'\n"
    )
    code = "import sys; sys.modules['typer'] = None; from jal.__main__ import main; sys.exit(main([]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'jal-losses[train]'" in done.stderr


def test_help_imports_no_torch():
    code = (
        "import sys; from jal.__main__ import main; main(['--help']);"
        "heavy = {'torch', 'sympy', 'numpy', 'matplotlib', 'pandas'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "threshold" in done.stdout


def test_parameters_are_python_literals_or_else_text():
    pairs = [
        "rate=0.4",
        "seeds=[1, 2]",
        "loss=JAL-CE",
        "flag=True",
        "none=None",
        "text='7'",
        "equation=a=b",
        "empty=",
    ]
    assert named_values(pairs) == {
        "rate": 0.4,
        "seeds": [1, 2],
        "loss": "JAL-CE",
        "flag": True,
        "none": None,
        "text": "7",
        "equation": "a=b",
        "empty": "",
    }


@pytest.mark.parametrize("pair", ["rate", "=3", "two words=3", ""])
def test_a_parameter_without_name_or_value_is_refused(pair):
    with pytest.raises(InputError, match="name=value"):
        named_values([pair])
