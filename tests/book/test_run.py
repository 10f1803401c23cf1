"""Running notebooks: parameters, failures, several at a time; in throw-away checkouts with tiny notebooks."""

import json
import signal
import subprocess
import sys
import time

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from jal.book import run as run_module
from jal.book import run_notebooks
from jal.errors import InputError

PARAMETERS = 'profile = "quick"\nseed = 1'


@pytest.fixture
def checkout(tmp_path):
    """A folder that passes for a checkout, and a function that puts a notebook in it."""
    for folder in ("jal", "notebooks"):
        (tmp_path / folder).mkdir()
    (tmp_path / "_toc.yml").touch()

    def add(name, code, parameters=PARAMETERS):
        first = new_code_cell(parameters, metadata={"tags": ["parameters"]})
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        notebook = new_notebook(cells=[first, new_code_cell(code)], metadata=kernel)
        nbformat.write(notebook, tmp_path / f"notebooks/{name}.ipynb")

    add.root = tmp_path
    return add


def printed(path):
    cells = nbformat.read(path, as_version=4).cells
    return "".join(output.get("text", "") for cell in cells for output in cell.get("outputs", []))


def test_parameters_reach_the_notebook_and_the_source_stays(checkout, capfd):
    checkout("one", "print(profile, seed * 2)")
    before = (checkout.root / "notebooks/one.ipynb").read_bytes()
    (run,) = run_notebooks(["one"], {"seed": 21}, profile="laptop", root=checkout.root)
    assert run.error is None
    assert run.output == checkout.root / "runs/notebooks/one-seed=21,profile=laptop.ipynb"
    assert printed(run.output) == "laptop 42\n"
    assert (checkout.root / "notebooks/one.ipynb").read_bytes() == before
    out, err = capfd.readouterr()
    assert out == ""
    assert "one: started" in err
    assert "[1/1] one:" in err and f"done: {run.output}\n" in err


def test_the_kernel_is_the_running_python_over_ipc_in_the_notebooks_folder(checkout):
    # A kernel specification called python3 that leads nowhere comes first in Jupyter's own search.
    kernel = checkout.root / "jupyter/kernels/python3/kernel.json"
    kernel.parent.mkdir(parents=True)
    kernel.write_text(
        json.dumps({"argv": ["/nowhere", "{connection_file}"], "display_name": "", "language": ""})
    )
    checkout(
        "where",
        "import os, sys, json, ipykernel.connect as c\n"
        "print(sys.executable, os.getcwd(), json.loads(c.get_connection_info())['transport'])",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(checkout.root / "jupyter"))
        (run,) = run_notebooks(root=checkout.root)
    assert printed(run.output).split() == [sys.executable, str(checkout.root / "notebooks"), "ipc"]


def test_a_failing_notebook_stops_no_other_and_is_kept(checkout):
    checkout("a_bad", "print('before')\nraise ArithmeticError('two\\nlines')")
    checkout("b_good", "print('fine')")
    lines = []
    bad, good = run_notebooks(root=checkout.root, jobs=1, tell=lines.append)
    assert bad.error == "cell [2] raised ArithmeticError: two"
    assert good.error is None
    assert printed(good.output) == "fine\n"
    kept = nbformat.read(bad.output, as_version=4)
    errors = [
        output for cell in kept.cells for output in cell.get("outputs", []) if output.output_type == "error"
    ]
    assert [error.ename for error in errors] == ["ArithmeticError"]
    (end,) = [line for line in lines if line.startswith("[1/2] a_bad")]
    assert "failed: cell [2] raised ArithmeticError: two" in end
    assert str(bad.output) in end


def test_the_folder_of_temporary_files_may_have_a_long_name(checkout, monkeypatch):
    folder = checkout.root / ("long" * 25)
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    checkout("one", "print('fine')")
    (run,) = run_notebooks(root=checkout.root)
    assert run.error is None


def test_a_dead_kernel_is_a_failure_and_leaves_no_older_result(checkout):
    checkout("dies", "import os; os._exit(3)")
    folder = checkout.root / "out"
    folder.mkdir()
    (folder / "dies.ipynb").write_text("an older result")
    (run,) = run_notebooks(root=checkout.root, output=folder)
    assert "died" in run.error
    assert run.output.read_text() != "an older result"


@pytest.mark.parametrize("code", ["import sys; sys.exit(0)", "raise SystemExit"])
def test_a_cell_that_ends_the_notebook_is_a_failure_that_is_named(checkout, code):
    checkout("ends", code)
    (run,) = run_notebooks(root=checkout.root)
    assert run.error.startswith("cell [2] raised SystemExit") and "not completed" in run.error


def test_what_is_no_notebook_is_named_and_stops_no_other(checkout):
    checkout("fine", "print('fine')")
    folder = checkout.root / "notebooks"
    text = (folder / "fine.ipynb").read_text()
    (folder / "empty.ipynb").touch()
    (folder / "merged.ipynb").write_text(f"<<<<<<< HEAD\n{text}\n=======\n{text}\n>>>>>>> other\n")
    (folder / "no_json.ipynb").write_text(text[:-20])
    (folder / "other_json.ipynb").write_text("{}")
    bare = json.loads(text)
    bare["metadata"] = {}
    (folder / "without_kernel.ipynb").write_text(json.dumps(bare))
    runs = {run.name: run for run in run_notebooks(None, {"seed": 7}, root=checkout.root)}
    assert [name for name, run in runs.items() if run.error is None] == ["fine", "without_kernel"]
    for name in ("empty", "merged", "no_json", "other_json"):
        assert str(folder / f"{name}.ipynb") in runs[name].error and "\n" not in runs[name].error
    assert "marks of a merge" in runs["merged"].error and "is empty" in runs["empty"].error


def test_an_interrupted_run_leaves_the_earlier_notebook_and_no_half_of_its_own(checkout):
    checkout("slow", "import time; time.sleep(60)")
    folder = checkout.root / "out"
    folder.mkdir()
    (folder / "slow.ipynb").write_text("an older result")
    command = f"from jal.book import run_notebooks; run_notebooks(root={str(checkout.root)!r}, output={str(folder)!r})"
    with subprocess.Popen([sys.executable, "-c", command], stderr=subprocess.DEVNULL) as parent:
        deadline = time.monotonic() + 60
        while not list(folder.glob(".slow.*.ipynb")) and time.monotonic() < deadline:
            time.sleep(0.1)
        parent.send_signal(signal.SIGINT)
        parent.wait(timeout=20)
    assert [file.name for file in folder.iterdir()] == ["slow.ipynb"]
    assert (folder / "slow.ipynb").read_text() == "an older result"


def test_two_at_a_time_on_one_thread_each(checkout):
    wait_for_the_other = (
        "import os, pathlib, time\n"
        "pathlib.Path('{0}').touch()\n"
        "deadline = time.monotonic() + 30\n"
        "while not pathlib.Path('{1}').exists() and time.monotonic() < deadline: time.sleep(.05)\n"
        "print(pathlib.Path('{1}').exists(), os.environ['OMP_NUM_THREADS'])"
    )
    checkout("one", wait_for_the_other.format("one.here", "two.here"))
    checkout("two", wait_for_the_other.format("two.here", "one.here"))
    runs = run_notebooks(root=checkout.root, jobs=2)
    assert [printed(run.output) for run in runs] == ["True 1\n", "True 1\n"]


def test_one_at_a_time_keeps_the_threads(checkout, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    checkout("one", "import os\nprint(os.environ['OMP_NUM_THREADS'])")
    (run,) = run_notebooks(root=checkout.root, jobs=2)
    assert printed(run.output) == "5\n"


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_nothing_outlives_the_process_that_started_it(checkout, end):
    alive = checkout.root / "alive"
    checkout("endless", f"import time\nwhile True:\n    open({str(alive)!r}, 'w').close(); time.sleep(.1)")
    command = f"from jal.book import run_notebooks; run_notebooks(root={str(checkout.root)!r})"
    with subprocess.Popen([sys.executable, "-c", command], stderr=subprocess.DEVNULL) as parent:
        deadline = time.monotonic() + 60
        while not alive.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        parent.send_signal(end)
        parent.wait(timeout=20)
    assert alive.exists()
    quiet_since = time.time() + 10
    while time.time() < quiet_since and time.time() - alive.stat().st_mtime < 3:
        time.sleep(0.2)
    assert time.time() - alive.stat().st_mtime >= 3


def test_a_cluster_runs_them_as_this_machine_does(checkout, local_cluster):
    checkout("a_bad", "raise ArithmeticError('no')")
    checkout("b_good", "import os\nprint(seed, os.environ['OMP_NUM_THREADS'])")
    lines = []
    bad, good = run_notebooks(
        None, {"seed": 7}, scheduler=local_cluster, root=checkout.root, tell=lines.append
    )
    assert bad.error == "cell [3] raised ArithmeticError: no"
    assert good.error is None and printed(good.output) == "7 1\n"
    assert sorted(file.name for file in good.output.parent.iterdir()) == [
        "a_bad-seed=7.ipynb",
        "b_good-seed=7.ipynb",
    ]
    assert lines[0].startswith(f"{local_cluster}: without TLS")
    assert lines[1] == f"2 notebooks go to {local_cluster}" and len(lines) == 4


def test_a_machine_that_does_not_share_the_folder_is_named(checkout):
    checkout("one", "1")
    source = checkout.root / "notebooks" / "one.ipynb"
    target = checkout.root / "out" / "one.ipynb"
    run = run_module._execute(source, target, {}, flag=checkout.root / "absent.lock", single=True)
    assert f"does not see {source} and {target.parent}: they must be shared" in run.error


def test_a_parameter_for_all_goes_to_those_that_have_it(checkout):
    checkout("with_rate", "print(rate)", "rate = 0.1")
    checkout("without", "print('untouched')")
    runs = run_notebooks(None, {"rate": 0.4}, root=checkout.root)
    assert [printed(run.output) for run in runs] == ["0.4\n", "untouched\n"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"notebooks": ["onn"]}, "unknown notebook 'onn': did you mean 'one'?"),
        (
            {"notebooks": ["one"], "parameters": {"sead": 3}},
            "unknown parameter of one 'sead': did you mean 'seed'?",
        ),
        ({"notebooks": ["one", "two"], "parameters": {"rate": 3}}, "unknown parameter of one 'rate'"),
        ({"parameters": {"sead": 3}}, "unknown parameter of the notebooks 'sead': did you mean 'seed'?"),
        ({"profile": "quik"}, "unknown profile 'quik': did you mean 'quick'?"),
        ({"jobs": 0}, "jobs is 0"),
        ({"jobs": 2, "scheduler": "tcp://here:1"}, "jobs=2 with the scheduler tcp://here:1: its workers say"),
        ({"scheduler": "here"}, "the scheduler 'here': give an address, tcp://host:8786, or slurm:PROFILE"),
        ({"output": "_toc.yml"}, "cannot write to the output folder"),
        ({"output": "_toc.yml/deep"}, "cannot write to the output folder"),
        ({"output": "notebooks"}, "holds the notebooks themselves"),
        (
            {"parameters": {"seed": "many"}},
            "the parameter seed of one is a number, not 'many': give it as seed=1",
        ),
        ({"parameters": {"profile": "fast"}}, "unknown profile 'fast'"),
        ({"parameters": {"seed": object()}}, "the parameter seed is of type object: give a number"),
    ],
)
def test_bad_input_is_one_line_before_anything_runs(checkout, arguments, message):
    checkout("one", "1")
    checkout("two", "1", 'profile = "quick"\nrate = 1')
    if "output" in arguments:
        arguments = arguments | {"output": checkout.root / arguments["output"]}
    lines = []
    with pytest.raises(InputError) as caught:
        run_notebooks(**arguments, root=checkout.root, tell=lines.append)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert lines == []


def test_names_may_be_paths_and_come_once(checkout):
    checkout("one", "1")
    runs = run_notebooks(["notebooks/one.ipynb", "one"], root=checkout.root)
    assert [run.name for run in runs] == ["one"]
