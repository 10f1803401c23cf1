"""Running: what a Record says, the same bits twice, and only what is missing."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from jal import datasets, locks, noise
from jal.errors import InputError, Stopped, TrainingError
from jal.experiments import Record, Store, run, run_missing
from jal.experiments.device import choose_device, computing
from jal.experiments.labels import noisy_labels
from jal.experiments.record import Part
from jal.experiments.run import estimate, estimates, train_command
from jal.training import speed
from jal.training.checkpoint import Checkpoints

MODULE = sys.modules["jal.experiments.run"]
"""The module: `jal.experiments.run` is its function."""


def result(record):
    """What two equal runs share."""
    return replace(record, environment={}, timing={})


def test_a_record_says_what_ran_and_what_it_gave(short):
    seen = []
    spec = short()
    record = run(spec, progress=lambda epoch, quantities: seen.append((epoch, quantities)))
    assert (record.id, record.spec) == (spec.id, spec)
    assert record.accuracy == record.curves["test_accuracy"][-1]
    assert record.accuracy * 3.6 == pytest.approx(round(record.accuracy * 3.6), abs=1e-5)
    assert [epoch for epoch, _ in seen] == [1, 2]
    assert seen[1][1]["images_per_second"] > 0
    assert record.environment["commit"] == "0123456789abcdef"
    assert record.environment["threads"] == 1
    assert record.timing["images_per_second"] == pytest.approx(2 * 1437 / record.timing["seconds"], rel=0.05)


def test_the_same_bits_twice(short, record):
    torch.manual_seed(99)  # the global stream is neither used nor moved
    state = torch.get_rng_state()
    torch.set_num_threads(2)
    try:
        again = run(short(), deterministic=True)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert result(again) == result(record)
    assert again.environment["threads"] == 1 and again.environment["deterministic"]
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.equal(state, torch.get_rng_state())


def test_small_images_give_the_same_bits_without_being_told_to(short, record):
    torch.set_num_threads(2)
    try:
        assert result(run(short())) == result(record)
    finally:
        torch.set_num_threads(1)


@pytest.mark.parametrize(
    ("deterministic", "pixels", "threads"), [(True, 10**6, 1), (False, 100, 1), (False, 10**6, 2)]
)
def test_threads(deterministic, pixels, threads):
    torch.set_num_threads(2)
    try:
        with computing("cpu", deterministic, pixels):
            assert torch.get_num_threads() == threads
            assert torch.are_deterministic_algorithms_enabled() == deterministic
        assert torch.get_num_threads() == 2
        assert not torch.are_deterministic_algorithms_enabled()
    finally:
        torch.set_num_threads(1)


def test_another_seed_gives_another_result(short, record):
    assert run(short(seed=124)).curves != record.curves
    assert run(short(noise_seed=124)).curves != record.curves


def test_precision_and_width_reach_the_network(short, record):
    for change in ({"precision": "float64"}, {"width": 0.5}):
        assert run(short(**change)).curves != record.curves


def test_noisy_labels(short):
    data = datasets.load("digits")
    flipped = noisy_labels(short(rate=0.4), data) != data.train_labels
    assert flipped.sum() == 531  # 9 x int(n / 22.5) of each class's n images: less than .4 x 1437 = 575
    assert (noisy_labels(short(noise="clean", rate=None), data) == data.train_labels).all()
    expected = noise.corrupt(data.train_labels, noise.asymmetric("digits", 0.3), 7, "bernoulli")
    spec = short(noise="asymmetric", rate=0.3, method="bernoulli", noise_seed=7)
    assert (noisy_labels(spec, data) == expected).all()


@pytest.mark.parametrize("settings", ["official", "paper"])
def test_noisy_labels_of_cifar100_follow_the_settings(short, settings):
    labels = np.repeat(np.arange(100), 10)
    data = replace(
        datasets.load("digits"),
        name="cifar100",
        train_images=np.zeros((1000, 32, 32, 3), np.uint8),
        train_labels=labels,
        classes=tuple(map(str, range(100))),
    )
    spec = short(dataset="cifar100", noise="asymmetric", rate=0.5, settings=settings)
    targets = np.array(noise.flip_map("cifar100", settings))
    given = noisy_labels(spec, data)
    moved = given != labels
    assert moved.sum() == 500
    assert (given[moved] == targets[labels[moved]]).all()


def test_devices():
    assert choose_device("cpu") == "cpu"
    assert choose_device("auto") in ("cpu", "cuda", "mps")
    for wrong in ("gpu", "cuda:99" if not torch.cuda.is_available() else "tpu"):
        with pytest.raises(InputError, match=f"device '{wrong}' is not here: take one of auto"):
            choose_device(wrong)


def test_only_what_is_missing_is_run_and_kept_at_once(short, record, tmp_path):
    store, other = Store(tmp_path / "runs"), Store(tmp_path / "results")
    other.put(record)
    specs = [short(seed=124), short(), short(seed=125), short(seed=124)]
    kept = []

    def look(done, total, latest):
        assert store.get(latest.id) == latest
        kept.append((done, total))

    records = run_missing(specs, store, jobs=1, also=[other], progress=look)
    assert [each.spec for each in records] == specs
    assert records[1] == record
    assert kept == [(1, 2), (2, 2)]
    assert len(store.records()) == 2
    assert run_missing(specs, store, jobs=1, also=[other], progress=look) == records
    assert len(kept) == 2


def test_processes_give_the_same_bits(short, record, tmp_path):
    records = run_missing([short(), short(loss="CE")], Store(tmp_path), jobs=2)
    assert result(records[0]).curves == record.curves
    assert records[0].environment["threads"] == 1
    assert {each.id for each in Store(tmp_path).records()} == {each.id for each in records}


def test_a_damaged_record_is_run_again(short, record, tmp_path):
    store = Store(tmp_path)
    store.put(record).write_text("{")
    with pytest.warns(UserWarning, match="is not a valid Record .* when it is run again"):
        (again,) = run_missing([short()], store, jobs=1)
    assert result(again) == result(record)
    assert store.get(record.id) == again


def test_a_run_that_fails_does_not_stop_the_others(short, tmp_path):
    store = Store(tmp_path)
    broken = short(learning_rate=1e200, clip_norm=None, precision="float64")
    with pytest.raises(
        TrainingError, match=f"1 of 2 runs failed; the first: JAL-CE \\({broken.id}\\): the network's outputs"
    ):
        run_missing([broken, short(seed=126)], store, jobs=1)
    assert [each.spec.seed for each in store.records()] == [126]


def test_an_unwritable_store_is_an_error_before_any_run(short, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write to the folder"):
        run_missing([short()], Store(tmp_path / "file"), progress=lambda *_: pytest.fail("it ran"))
    with pytest.raises(InputError, match="cannot write to the folder"):
        train_command(short(), tmp_path / "file", progress=lambda *_: pytest.fail("it ran"))


def test_the_command_keeps_a_record_and_does_not_run_twice(short, tmp_path):
    first, file, ran = train_command(short(), tmp_path / "runs")
    assert ran and Store(tmp_path / "runs").get(first.id) == first and file.stem == first.id
    assert train_command(short(), tmp_path / "runs") == (first, file, False)
    again, _, ran = train_command(short(), tmp_path / "runs", again=True)
    assert ran and result(again) == result(first)


def jal(*words, **options):
    """A command in a process of its own, with a checkpoint every tenth of a second."""
    command = [sys.executable, Path(__file__).with_name("often_kept.py"), *words, "--device", "cpu"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options)


RUN = ("--dataset", "digits", "--loss", "CE", "--noise", "symmetric", "--rate", "0.4")
SAME = ("digits", "--where", "loss=CE,noise=symmetric,rate=0.4", "--seeds", "123", "--jobs", "1")


@pytest.mark.parametrize(
    ("one", "other"),
    [(("train", *RUN, "-r", "epochs=10"),) * 2, (("train", *RUN), ("sweep", *SAME))],
    ids=["train", "sweep"],
)
def test_two_commands_that_make_one_run_both_end_with_its_record(tmp_path, one, other):
    results = ("--results", str(tmp_path))
    with jal(*one, *results) as one, jal(*other, *results) as two:
        ends = [each.communicate(timeout=240) for each in (one, two)]
    assert [one.returncode, two.returncode] == [0, 0], ends
    assert len(Store(tmp_path).records(complain=pytest.fail)) == 1
    assert not [file for file in tmp_path.rglob(".*/*") if file.is_file()], "a lock or a checkpoint is left"


def test_who_waits_for_a_run_says_so_and_can_be_told_to_stop(short, tmp_path, capsys):
    spec = short()
    lock = locks.acquire(Store(tmp_path).lock(spec.id))
    timer = threading.Timer(1, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    with pytest.raises(Stopped, match=rf"JAL-CE \({spec.id}\) was not begun: another process makes it"):
        train_command(spec, tmp_path)
    assert capsys.readouterr().err == f"JAL-CE ({spec.id}) is being made by another process: waiting\n"
    threading.Timer(1, locks.release, [lock]).start()
    assert train_command(spec, tmp_path)[2]


def test_a_sweep_that_tidies_leaves_the_checkpoints_of_a_run_that_is_made_again(short, record, tmp_path):
    store, kept = Store(tmp_path), tmp_path / ".checkpoints" / record.id / "000001.json"
    store.put(record)
    kept.parent.mkdir(parents=True)
    kept.touch()
    lock = locks.acquire(store.lock(record.id))
    run_missing([record.spec], store)
    assert kept.exists()
    locks.release(lock)
    run_missing([record.spec], store)
    assert not kept.parent.exists()


def test_a_second_interrupt_ends_in_one_line_and_130(tmp_path):
    """And a third, while the runs write their checkpoints, in no more."""
    command = ("sweep", "digits", "--jobs", "2", "--results", str(tmp_path))
    with jal(*command, start_new_session=True) as process:
        end = time.monotonic() + 240  # of a machine that has other work too
        while len(list(tmp_path.glob(".checkpoints/*/*.json"))) < 2:
            assert time.monotonic() < end and process.poll() is None
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        assert any("stopping (signal)" in line for line in process.stderr)
        os.killpg(process.pid, signal.SIGINT)
        assert process.stderr.readline() in ("\n", "jal: interrupted\n")
        os.killpg(process.pid, signal.SIGINT)
        said = process.stderr.read()
        assert process.wait(30) == 130 and "Traceback" not in said


def test_data_that_cannot_be_had_is_an_input_error(short):
    with pytest.raises(InputError, match=r"(?i)clothing1m"):
        run(short(dataset="clothing1m", noise="clean", rate=None))


def test_a_run_that_is_stopped_is_gone_on_with(short, tmp_path):
    """SIGTERM's way, without the signal: the Record is the undisturbed one's."""
    undisturbed = run(short(), deterministic=True)
    steps = iter(range(10**6))
    with pytest.raises(Stopped, match=r"JAL-CE \(\w+\) was stopped in epoch"):
        run(short(), deterministic=True, checkpoints=tmp_path, stop=lambda: next(steps) == 7)
    assert list(tmp_path.glob("*/*.safetensors"))
    taken_up = run(short(), deterministic=True, checkpoints=tmp_path)
    assert result(taken_up) == result(undisturbed)


def made_in_two(spec, folder, between=lambda: None):
    """Stopped after seven steps and gone on with, after what happens between."""
    steps = iter(range(10**6))
    with pytest.raises(Stopped):
        run(spec, deterministic=True, checkpoints=folder, stop=lambda: next(steps) == 7)
    between()
    return run(spec, deterministic=True, checkpoints=folder)


def test_a_run_made_by_two_commits_lists_its_parts(short, record, tmp_path, monkeypatch):
    made = made_in_two(short(), tmp_path / "a", lambda: monkeypatch.setenv("JAL_COMMIT", "fedcba9876543210"))
    assert result(made) == result(record), "the parts are no part of the result"
    parts = made.environment["parts"]
    assert [part.commit for part in parts] == ["0123456789abcdef", "fedcba9876543210"]
    for part in parts:
        assert (part.dirty, part.device, part.threads) == (False, "cpu", 1)
        assert part.processor == made.environment["processor"] and part.seconds > 0
    assert made.environment["commit"] == "fedcba9876543210"
    assert sum(part.seconds for part in parts) == pytest.approx(made.timing["seconds"], abs=0.2)
    store = Store(tmp_path / "runs")
    data = json.loads(store.put(made).read_text())
    assert set(data["environment"]["parts"][0]) == {
        "commit", "dirty", "device", "processor", "threads", "seconds",
    }  # fmt: skip
    assert store.records() == [made]


def test_a_run_resumed_by_the_same_code_looks_like_one_made_in_one_go(short, record, tmp_path):
    made = made_in_two(short(), tmp_path)
    assert made.environment.keys() == record.environment.keys() and "parts" not in made.environment


def test_an_older_checkpoint_is_gone_on_with_and_its_commit_is_unknown(short, record, tmp_path):
    def older():
        kept = Checkpoints(tmp_path, record.id)
        tensors, meta = kept.load()
        kept.save(
            tensors, {name: value for name, value in meta.items() if name != "parts"} | {"seconds": 3.5}
        )

    made = made_in_two(short(), tmp_path, older)
    assert result(made) == result(record)
    first, second = made.environment["parts"]
    assert (first, second.commit) == (Part("unknown", 3.5), "0123456789abcdef")
    assert made.timing["seconds"] > 3.5


@pytest.mark.parametrize("kills", [4])
def test_a_killed_run_gives_the_same_record(short, tmp_path, kills):
    """kill -9 at random moments, with a checkpoint after every step."""
    spec = short(epochs=6)
    code = (
        "import sys; from pathlib import Path; from jal.training import checkpoint;"
        "checkpoint.Checkpoints.due = lambda self: True;"
        "from jal.experiments.run import train_command; from jal.experiments.spec import RunSpec;"
        "train_command(RunSpec.from_json(sys.argv[1]), sys.argv[2], deterministic=True)"
    )
    command = [sys.executable, "-c", code, spec.to_json(), str(tmp_path)]
    environment = os.environ | {"JAL_COMMIT": "test"}
    random = np.random.default_rng(0)
    for _ in range(kills):
        with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 60
            while not list(tmp_path.glob(".checkpoints/*/*.json")) and time.monotonic() < deadline:
                if process.poll() is not None:
                    break
                time.sleep(0.05)
            time.sleep(random.uniform(0, 0.3))
            process.kill()
    subprocess.run(command, env=environment, check=True, stderr=subprocess.DEVNULL)
    assert result(Store(tmp_path).get(spec)) == result(run(spec, deterministic=True))
    assert not (tmp_path / ".checkpoints").exists()


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_a_run_that_does_not_fit_into_memory_says_so_in_one_line(short, monkeypatch, error):
    from jal import models

    def too_large(*arguments):
        raise error

    monkeypatch.setattr(models, "build", too_large)
    with pytest.raises(TrainingError, match=r"not enough memory for batch_size=128 and width=1: lower one"):
        run(short())


def test_an_estimate_is_positive_and_changes_nothing(short):
    assert 0 < estimate(short()) < 600


def test_estimates_are_of_the_spec_s_own_precision_first_and_of_those_that_are_fast(short, monkeypatch):
    asked = []

    def of(spec, *rest):
        asked.append(spec)
        return 1.0 + len(asked)

    monkeypatch.setattr(MODULE, "estimate", of)
    monkeypatch.setattr("jal.training.precision.fast_precisions", lambda device: ("float32", "bfloat16"))
    for own, order in (
        ("float32", ["float32", "bfloat16"]),
        ("bfloat16", ["bfloat16", "float32"]),
        ("float64", ["float64", "float32", "bfloat16"]),
    ):
        asked.clear()
        spec = short(precision=own)
        assert list(estimates(spec, "cpu")) == order
        assert [one.recipe.precision for one in asked] == order and asked[0] == spec
        assert {one.at(own) for one in asked} == {spec}


def test_a_precision_that_the_device_lacks_is_refused_before_data_is_loaded(short, monkeypatch):
    monkeypatch.setattr(MODULE, "choose_device", lambda device: "mps")
    monkeypatch.setattr(MODULE, "_data", lambda *_: pytest.fail("data was loaded"))
    monkeypatch.setattr(torch.backends.mps, "is_macos_or_newer", lambda major, minor: True)
    for make in (run, estimate):
        with pytest.raises(InputError, match="'float64' is not to be had on mps: take float32 or bfloat16"):
            make(short(precision="float64"), "mps")


@pytest.mark.parametrize("plain", [False, True])
def test_plain_reaches_the_training_and_leaves_the_run_as_it_is(short, monkeypatch, plain):
    """Where steps are captured; the stand-in for a graph counts how often it is made."""
    made = []

    class Replayed:
        def __init__(self, function, before=lambda: None):
            made.append(function)
            self.function = function

        def __call__(self):
            self.function()

    monkeypatch.setattr(speed, "CAPTURING", ("cpu",))
    monkeypatch.setattr(speed, "compiled", lambda body: lambda images: body(images))
    monkeypatch.setattr(speed, "Captured", Replayed)
    spec = short()
    found = run(spec, plain=plain)
    assert bool(made) == (not plain)
    assert found.id == spec.id and result(found) == result(run(spec, plain=not plain))
    made.clear()
    estimate(spec, plain=plain)
    assert bool(made) == (not plain)


@pytest.mark.filterwarnings("ignore:a noise rate of 0 where 0.4")
def test_a_rate_that_is_not_reached_is_in_the_record_and_no_other(short, record):
    few = run(short(train_size=60, epochs=1), deterministic=True)
    assert few.rates == {"asked": 0.4, "reached": 0.0}
    assert Record.from_json(few.to_json()) == few
    assert record.rates == {} and '"rates"' not in record.to_json()


def test_each_data_root_has_its_own_images(short, tmp_path, monkeypatch):
    """Also by the variable, and though all of one process share what is on the device."""
    load, spec = datasets.load, short(epochs=1)

    def load_from(name, root=None):
        data = load(name)
        dark = (root or os.environ["JAL_DATA"]).endswith("dark")
        return replace(data, train_images=data.train_images * 0) if dark else data

    monkeypatch.setattr(datasets, "load", load_from)
    monkeypatch.setenv("JAL_DATA", str(tmp_path / "light"))
    light = run(spec, deterministic=True)
    dark = run(spec, deterministic=True, data_root=str(tmp_path / "dark"))
    monkeypatch.setenv("JAL_DATA", str(tmp_path / "dark"))
    assert result(run(spec, deterministic=True)) == result(dark) != result(light)
    assert result(run(spec, deterministic=True, data_root=str(tmp_path / "light"))) == result(light)
