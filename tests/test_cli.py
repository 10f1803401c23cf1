"""The command line from the outside: what it prints and how it exits."""

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from jal.cli.options import named_values, recipe_values
from jal.errors import InputError

REPOSITORY = Path(__file__).parents[1]


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


def test_threshold_of_many_classes_needs_no_matrix(jal):
    code, out, _ = jal("threshold", "--noise", "symmetric", "--rate", "0.4", "--classes", "50000")
    assert code == 0
    assert out.startswith("a >= 1.666689\n")


def test_threshold_from_predictions_says_bias_and_interval(jal, tmp_path):
    file = tmp_path / "P.csv"
    file.write_text(40 * "0,0.9,0.1\n" + 10 * "1,0.9,0.1\n" + 30 * "1,0.1,0.9\n")
    code, out, _ = jal("threshold", "--predictions", str(file))
    assert code == 0
    assert out.startswith("a >= 1.666667\n")
    assert "by the confident joint of 80 predictions; 95 % interval of chance alone: 1." in out
    assert "biased as well: where the model errs, a comes out too large" in out
    answer = json.loads(jal("threshold", "--predictions", str(file), "--json")[1])
    assert answer["interval"][0] < answer["a"] < answer["interval"][1]
    assert answer["warnings"] == []


def test_threshold_from_predictions_warns_of_a_rare_class_in_one_line(jal, tmp_path):
    file = tmp_path / "P.csv"
    file.write_text(99 * "0,1,0\n" + "1,0,1\n")
    code, out, err = jal("threshold", "--predictions", str(file))
    assert code == 0 and not err
    assert out.splitlines()[-1].startswith("warning: class 1 is rare, 1 of 100 images have its label")


@pytest.mark.parametrize(
    "text",
    ["\ufeff0.7,0.3\n0.2,0.8\n", "cat,dog\n0.7,0.3\n0.2,0.8\n", "0,7;0,3\n0,2;0,8\n", "7e-1,3e-1\n.2,.8\n"],
)
def test_a_table_as_spreadsheets_write_it(jal, tmp_path, text):
    file = tmp_path / "T.csv"
    file.write_text(text, encoding="utf-8")
    code, out, _ = jal("threshold", "--matrix", str(file), "--json")
    assert code == 0 and json.loads(out)["margin"] == pytest.approx(0.4)


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
        ("threshold --noise symmetric --rate 0.4 --classes 1", "an integer of at least 2"),
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
        ("sweep tabel3", "table3-cifar10"),
        ("sweep digits --seeds 1,b", "give integers with commas"),
        ("sweep digits --budget 9x", "9x"),
        ("status digitz", "did you mean 'digits'"),
        ("train --dataset clothing1m --loss CE", "(?i)clothing1m"),
        ("train --dataset digits --loss CE -r seed=3", "unknown field of recipe 'seed'"),
        ("train --dataset digits --loss CE -r lr=0.1", "did you mean 'learning_rate'"),
        ("train --dataset digits --loss CE -r nesterov=no", "give true or false"),
        ("train --dataset digits --loss CE -p reduction=none", "unknown parameter of CE 'reduction': there is none"),
        ("train --dataset digits --loss CE -p a=1 -p a=2", "a is given twice"),
        ("train --dataset digits --loss CE --data-root /nowhere --again --device cuda:9", "cuda:9"),
        ("train --dataset digits --loss CE --precision half", "unknown precision 'half'.* float32, float64"),
        ("train --dataset digits --loss CE --precision bf16", "did you mean 'bfloat16'"),
        ("train --dataset digits --loss CE --precision bf16 -r precision=bf16", "did you mean 'bfloat16'"),
        ("train --dataset digits --loss CE --precision bfloat16 -r precision=float32",
         "--precision bfloat16 with -r precision=float32: they disagree"),
        ("train --dataset cifar10 --loss CE --data-root /nowhere --precision half", "unknown precision 'half'"),
        ("sweep digits --precision half", "unknown precision 'half'"),
        ("status digits --precision half", "unknown precision 'half'"),
        ("run no_such_notebook", "no_such_notebook"),
        ("book --profile quik", "did you mean 'quick'"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_with_the_remedy_and_code_2(jal, arguments, message):
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
        == "jal: this command needs papermill, which is not installed: it comes with the extra book, "
        "pip install '.[book]' in the clone\n"
    )
    code = "import sys; sys.modules['typer'] = None; from jal.__main__ import main; sys.exit(main([]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install '.[train]'" in done.stderr
    done = subprocess.run(
        [sys.executable, "-c", code.replace("main([])", "main(['--version'])")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and done.stdout.startswith("jal-losses ")


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


def test_a_parameter_given_twice_is_refused():
    with pytest.raises(InputError, match="a is given twice, the second time as 'a=3'"):
        named_values(["a=2", "b=1", "a=3"])


def test_values_of_a_recipe_take_the_form_of_their_fields():
    kinds = {"milestones": "tuple[int, ...]", "augmentation": "tuple[str, ...]", "nesterov": "bool"}
    kinds |= {"clip_norm": "float | None", "model": "str"}
    pairs = ["milestones=10,20", "augmentation=crop4,flip", "nesterov=false", "clip_norm=null", "model=none"]
    assert recipe_values(pairs, kinds) == {
        "milestones": (10, 20),
        "augmentation": ("crop4", "flip"),
        "nesterov": False,
        "clip_norm": None,
        "model": "none",
    }
    assert recipe_values(["milestones=10"], kinds) == {"milestones": (10,)}


@pytest.mark.parametrize("pair", ["rate", "=3", "two words=3", ""])
def test_a_parameter_without_name_or_value_is_refused(pair):
    with pytest.raises(InputError, match="name=value"):
        named_values([pair])


TRAIN = ("train", "--dataset", "digits", "--noise", "symmetric", "--rate", "0.4", "--loss", "JAL-CE")


def test_train_prints_progress_and_accuracy_and_keeps_a_record(jal, tmp_path, monkeypatch):
    monkeypatch.setenv("JAL_COMMIT", "test")
    arguments = (*TRAIN, "-r", "epochs=3", "--results", str(tmp_path), "--deterministic")
    code, out, err = jal(*arguments)
    (file,) = tmp_path.glob("digits/*.json")
    record = json.loads(file.read_text())
    assert code == 0
    assert f"test accuracy {record['accuracy']:.2f} % after the last of 3 epochs" in out
    assert str(file) in out
    assert "JAL-CE (alpha=1, beta=1, a=30, q=2)" in err
    assert re.search(r"epoch 3/3 .* images/s", err)
    code, out, err = jal(*arguments, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == record


def test_an_a_below_the_bound_is_said_before_training(jal, tmp_path, monkeypatch):
    monkeypatch.setenv("JAL_COMMIT", "test")
    arguments = (*TRAIN, "-r", "epochs=1", "--results", str(tmp_path))
    code, _, err = jal(*arguments, "-p", "a=1.5")
    assert code == 0
    assert (
        "a = 1.5 does not withstand symmetric noise of rate 0.4 (Theorem 4.1): -p a=1.8 or more does\n" in err
    )
    assert "does not withstand" not in jal(*arguments)[2]


def test_a_dry_run_trains_nothing(jal, tmp_path):
    code, out, _ = jal(*TRAIN, "--results", str(tmp_path), "--dry-run")
    assert code == 0
    assert re.search(r"epochs +80", out) and re.search(r"takes +about \d+ s here", out)
    assert not list(tmp_path.rglob("*.json"))


def planned(jal, monkeypatch, *arguments, share=0.5, instructions=True):
    """What a dry run says on a processor with or without fast bfloat16, which is asked anew."""
    from jal.training import precision

    monkeypatch.setattr(precision, "has_bfloat16_instructions", lambda: instructions)
    monkeypatch.setattr(precision, "_share_of_time", lambda device: share)
    precision.why_bfloat16_is_slow.cache_clear()
    code, out, _ = jal(*TRAIN, "-r", "epochs=2", "--device", "cpu", "--dry-run", *arguments)
    precision.why_bfloat16_is_slow.cache_clear()
    assert code == 0
    return out


def test_a_dry_run_says_how_long_in_each_precision_that_is_fast(jal, monkeypatch):
    out = planned(jal, monkeypatch)
    assert re.search(
        r"^takes +about \d+ s here in float32\n +about \d+ s here in bfloat16$", out, re.MULTILINE
    )
    assert "bfloat16 is" not in out
    plan = json.loads(planned(jal, monkeypatch, "--precision", "bfloat16", "--json"))
    assert list(plan["seconds_by_precision"]) == ["bfloat16", "float32"]
    assert plan["seconds"] == plan["seconds_by_precision"]["bfloat16"]
    assert plan["spec"]["recipe"]["precision"] == "bfloat16"


def test_a_dry_run_says_why_bfloat16_would_not_be_faster(jal, monkeypatch):
    out = planned(jal, monkeypatch, instructions=False)
    assert re.search(
        r"^takes +about \d+ s here in float32\n +bfloat16 is slower here: this", out, re.MULTILINE
    )
    assert out.count("bfloat16 is") == 1 and "here in bfloat16" not in out
    plan = json.loads(planned(jal, monkeypatch, "--json", share=1.5))
    assert plan["seconds_by_precision"] == {"float32": plan["seconds"]}


def test_a_precision_is_part_of_the_run_and_its_own_named_is_not_another(jal, monkeypatch):
    def id_of(*arguments):
        return json.loads(planned(jal, monkeypatch, "--json", *arguments, instructions=False))["id"]

    own = id_of()
    assert id_of("--precision", "float32") == id_of("-r", "precision=float32") == own
    half = id_of("--precision", "bfloat16")
    assert half == id_of("-r", "precision=bfloat16", "--precision", "bfloat16") != own


@pytest.mark.parametrize("plain", [False, True])
def test_plain_is_passed_on(jal, tmp_path, monkeypatch, plain):
    seen = []

    def spy(*arguments, **options):
        seen.append(options["plain"])
        raise InputError("seen")

    # By the modules: the package has a function of the name of one.
    monkeypatch.setattr(importlib.import_module("jal.experiments.run"), "run", spy)
    monkeypatch.setattr(importlib.import_module("jal.experiments.sweep"), "sweep", spy)
    options = ("--results", str(tmp_path), *["--plain"] * plain)
    for command in (TRAIN, ("sweep", "digits")):
        assert jal(*command, *options) == (2, "", "jal: seen\n")
    assert seen == [plain, plain]


def test_a_run_that_cannot_go_on_exits_with_1(jal, tmp_path, monkeypatch):
    monkeypatch.setenv("JAL_COMMIT", "test")
    code, _, err = jal(
        *TRAIN, "-r", "learning_rate=1e200", "-r", "clip_norm=None", "--results", str(tmp_path)
    )
    assert code == 1
    assert re.search(
        r"^jal: .*not finite in step \d+ of epoch \d.*lower the learning rate", err, re.MULTILINE
    )


def test_curves_for_tensorboard(jal, tmp_path, monkeypatch):
    monkeypatch.setenv("JAL_COMMIT", "test")
    log = tmp_path / "log"
    code, _, _ = jal(*TRAIN, "-r", "epochs=2", "--results", str(tmp_path / "r"), "--tensorboard", str(log))
    assert code == 0
    (events,) = log.glob("*/events.*")
    assert b"test_accuracy" in events.read_bytes() and b"memorised" in events.read_bytes()


def test_sigterm_finishes_the_step_and_the_same_command_goes_on(tmp_path):
    """Exit code 75, and then the Record of an undisturbed run."""
    environment = os.environ | {"JAL_COMMIT": "test", "PYTHONUNBUFFERED": "1"}

    def command(results):
        options = ("-r", "epochs=200", "--deterministic", "--results", str(tmp_path / results))
        return [sys.executable, "-m", "jal", *TRAIN, *options]

    with subprocess.Popen(command("a"), env=environment, stderr=subprocess.PIPE, text=True) as process:
        next(line for line in process.stderr if line.startswith("epoch 20/"))
        process.terminate()
        rest = process.stderr.read()
        assert process.wait() == 75
    assert rest.splitlines()[-1].startswith("jal: JAL-CE (")
    assert rest.endswith("; the same command goes on from there\n")
    for results in ("a", "b"):
        subprocess.run(command(results), env=environment, check=True, capture_output=True)
    records = [json.loads(next(tmp_path.glob(f"{name}/digits/*.json")).read_text()) for name in "ab"]
    assert records[0]["curves"] == records[1]["curves"]


def test_sweep_and_status(jal, tmp_path, monkeypatch):
    monkeypatch.setenv("JAL_COMMIT", "test")
    store = ("--results", str(tmp_path))
    code, out, err = jal(
        "sweep", "digits", "--where", "loss=CE,noise=symmetric,rate=0.4", "--seeds", "1", *store
    )
    assert code == 0 and out.startswith(f"1 of 1 runs done (1 in {tmp_path}, 0 in ")
    assert "digits CE, symmetric 0.4, seed 1" in err
    code, out, _ = jal("status", "digits", "--seeds", "1", "--json", *store)
    assert code == 0
    assert json.loads(out)["counts"] == {"runs": 28, "done": 1, "running": 0, "failed": 0, "missing": 27}
    code, out, _ = jal("status", "digits", "--seeds", "1", *store)
    assert f"done: 1 in {tmp_path}, 0 in " in out and "1 of 28 runs done, " in out
    code, out, _ = jal("status", "digits", "--seeds", "1", "--alone", *store)
    assert "1 of 28 runs done, " in out and "done: " not in out


def test_a_sweep_in_bfloat16_is_of_other_runs(jal, tmp_path, monkeypatch):
    monkeypatch.setenv("JAL_COMMIT", "test")
    store = ("--results", str(tmp_path))
    where = "loss=CE,noise=symmetric,rate=0.4"
    code, _, _ = jal("sweep", "digits", "--where", where, "--seeds", "1", "--precision", "bfloat16", *store)
    assert code == 0
    (file,) = tmp_path.glob("digits/*.json")
    assert json.loads(file.read_text())["spec"]["recipe"]["precision"] == "bfloat16"
    for option, done in ((("--precision", "bfloat16"), 1), ((), 0), (("--precision", "float32"), 0)):
        _, out, _ = jal("status", "digits", "--seeds", "1", "--json", *option, *store)
        assert json.loads(out)["counts"]["done"] == done
    for option, said in (
        (("--precision", "bfloat16"), False),
        ((), True),
        (("--precision", "float32"), False),
    ):
        _, out, _ = jal("status", "digits", "--seeds", "1", *option, *store)
        assert out.endswith("1 done in bfloat16: --precision bfloat16 counts these\n") == said


def test_sweep_and_status_count_what_the_book_has_and_do_not_write_there(jal, tmp_path, monkeypatch):
    kept, grid = REPOSITORY / "data" / "results", ("table3-cifar10", "--profile", "laptop")
    monkeypatch.chdir(REPOSITORY)
    before = sorted(kept.iterdir())
    code, out, _ = jal("status", *grid, "--seeds", "123", "--json", "--results", str(tmp_path))
    counts, found = json.loads(out)["counts"], json.loads(out)["found"]
    assert counts["done"] == found["data/results"] > 0 == found[str(tmp_path)]
    one = ("--where", "loss=CE,noise=symmetric,rate=0.4", "--seeds", "123", "--results", str(tmp_path))
    code, out, _ = jal("sweep", *grid, *one)
    assert (code, out) == (0, f"1 of 1 runs done (0 in {tmp_path}, 1 in data/results)\n")
    assert sorted(kept.iterdir()) == before and not list(tmp_path.rglob("*.json"))
