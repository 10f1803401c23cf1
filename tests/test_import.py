"""What importing costs: nothing is loaded before it is needed."""

import subprocess
import sys

import pytest


def loaded_by(statement):
    code = f"{statement}\nimport sys; print(*(name.partition('.')[0] for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


HEAVY = {"torch", "numpy", "sympy", "typer", "pandas", "matplotlib", "seaborn", "papermill", "sklearn"}


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ("import jal", set()),
        ("import jal.errors, jal.checkout", set()),
        ("from jal import minimum_a; minimum_a([[0.9, 0.1], [0.2, 0.8]])", {"numpy"}),
        ("import jal.noise", {"numpy"}),
        ("import jal.cli", {"typer"}),
        ("import jal.experiments.spec", {"numpy"}),
    ],
)
def test_imports_are_lazy(statement, allowed):
    assert loaded_by(statement) & HEAVY <= allowed


def test_losses_load_torch_and_nothing_of_the_trainer_or_the_book():
    alone = loaded_by("import torch") & HEAVY
    assert loaded_by("from jal import AMSE, JALCE, JALFL") & HEAVY <= alone


def test_the_names_that_others_rely_on():
    import jal
    from jal.losses import AMSE, JALCE, JALFL
    from jal.theory import minimum_a

    assert (jal.AMSE, jal.JALCE, jal.JALFL, jal.minimum_a) == (AMSE, JALCE, JALFL, minimum_a)
    assert set(jal.__all__) <= set(dir(jal))
    with pytest.raises(AttributeError, match="no attribute 'JALXX'"):
        _ = jal.JALXX
