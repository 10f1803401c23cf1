"""Other machines: what a Slurm profile says, and what is refused before anything is sent."""

import os
import shutil
import socket
import sys
from pathlib import Path

import pytest

from jal import executors
from jal.errors import InputError
from jal.executors import Profile, connect, read_profile

LEAST = 'jobs = 4\ncores = 8\nmemory = "16GB"\nwalltime = "04:00:00"\n'


@pytest.fixture
def profile(tmp_path):
    def write(text):
        file = tmp_path / "profile.toml"
        file.write_text(text)
        return file

    return write


@pytest.fixture
def slurm_commands(tmp_path, monkeypatch):
    """Commands of Slurm's names that do nothing; sbatch ends with what the test says."""

    def write(sbatch="exit 0", squeue="exit 0"):
        for name, script in {"sbatch": sbatch, "squeue": squeue, "scancel": "exit 0"}.items():
            file = tmp_path / "bin" / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(f"#!/bin/sh\n{script}\n")
            file.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")

    return write


def test_a_profile_of_a_cpu_has_a_process_a_core(profile):
    found = read_profile(profile(LEAST))
    assert found == Profile(jobs=4, cores=8, memory="16GB", walltime="04:00:00", python=sys.executable)
    assert found.processes == 8


def test_a_profile_with_every_key(profile):
    more = (
        'gpus = 2\nqueue = "gpu"\naccount = "me"\ndirectives = ["--constraint=a100"]\n'
        'setup = ["module load cuda"]\ninterface = "ib0"\npython = "/opt/python"\n'
    )
    found = read_profile(profile(LEAST + more))
    assert (found.gpus, found.processes, found.directives) == (2, 2, ("--constraint=a100",))
    assert all(getattr(found, name) != default for name, default in Profile.__dataclass_fields__.items())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LEAST + "quue = 1", "unknown key of the Slurm profile .*'quue': did you mean 'queue'"),
        ("jobs = 1", "lacks cores, memory, walltime"),
        (LEAST.replace("8", "0"), "cores = 0 .*: give a number from 1 on"),
        (LEAST.replace("8", '"8"'), "cores = '8' .*: give a number"),
        (LEAST.replace("8", "true"), "cores = True .*: give a number"),
        (LEAST.replace('"16GB"', "16"), "memory = 16 .*: give a text"),
        (LEAST + 'setup = "module load cuda"', "setup = 'module load cuda' .*: give a list of texts"),
        (LEAST + "gpus = 9", "cores = 8 .*: give one a GPU"),
        ("jobs: 4", "is not TOML"),
    ],
)
def test_a_profile_that_is_none(profile, text, message):
    with pytest.raises(InputError, match=message) as error:
        read_profile(profile(text))
    assert "\n" not in str(error.value)


def test_a_profile_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"absent.toml cannot be read \(No such file"):
        connect(f"slurm:{tmp_path / 'absent.toml'}", 1, tmp_path)


@pytest.mark.parametrize("where", ["localhost:8786", "http://host:1", "tcp:", "slurm:", ""])
def test_what_is_no_scheduler(where, tmp_path):
    with pytest.raises(InputError, match="give an address, tcp://host:8786, or slurm:PROFILE"):
        connect(where, 1, tmp_path)


def test_without_dask(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"not installed: pip install 'jal-losses\[cluster\]'"):
        connect("tcp://127.0.0.1:1", 1, tmp_path)


def test_an_address_where_nobody_answers(monkeypatch, tmp_path):
    monkeypatch.setattr(executors, "TIMEOUT", 0.5)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{unused.getsockname()[1]}"
    for where in (address, "tcp://127.0.0.1", "tcp://no.such.host.invalid:8786"):
        with pytest.raises(InputError, match=f"no scheduler answers at {where} .*`dask scheduler`") as error:
            connect(where, 1, tmp_path)
        assert "\n" not in str(error.value)


def test_a_scheduler_of_another_version(monkeypatch, tmp_path):
    dask, distributed = pytest.importorskip("dask"), pytest.importorskip("distributed")
    with (
        dask.config.set(executors.QUIET),
        distributed.LocalCluster(
            n_workers=0, processes=False, protocol="tcp://", dashboard_address=":0"
        ) as cluster,
    ):
        there = distributed.__version__
        monkeypatch.setattr(distributed, "__version__", "2020.1.0")
        with pytest.raises(InputError, match=f"is of distributed {there}, this machine of 2020.1.0: install"):
            connect(cluster.scheduler_address, 1, tmp_path)
        monkeypatch.undo()
        connect(cluster.scheduler_address, 1, tmp_path).close()


def test_slurm_where_there_is_none(profile, monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda command: None)
    with pytest.raises(InputError, match="slurm needs sbatch, which is not here"):
        connect(f"slurm:{profile(LEAST)}", 1, tmp_path)


def test_jobs_that_slurm_refuses(profile, slurm_commands, tmp_path):
    slurm_commands(sbatch="echo 'sbatch: error: invalid partition specified: gpu' >&2; exit 1")
    with pytest.raises(InputError, match="Slurm refuses such jobs: sbatch: error: invalid partition"):
        connect(f"slurm:{profile(LEAST)}", 1, tmp_path / "logs")
    nowhere = 'interface = "nowhere"'
    with pytest.raises(InputError, match=r"workers cannot be set up: .*nowhere"):
        connect(f"slurm:{profile(LEAST + nowhere)}", 1, tmp_path / "logs")


def test_what_slurm_is_asked_for(profile, slurm_commands, tmp_path):
    """No more jobs than there is work, and each with what the profile says."""
    log = tmp_path / "sent"
    slurm_commands(sbatch=f'cat "$1" >> {log} 2>/dev/null; echo Submitted batch job 7')
    text = LEAST + (
        'gpus = 2\nqueue = "fast"\naccount = "me"\ndirectives = ["--qos=low"]\nsetup = ["module load cuda"]\n'
        'interface = "lo"\npython = "/opt/python"\n'
    )
    cluster = connect(f"slurm:{profile(text)}", 3, tmp_path / "logs")
    try:
        for _ in range(100):
            if log.exists() and log.read_text().count("#!") == 2:
                break
            executors.time.sleep(0.05)
        assert cluster.workers() == {}
    finally:
        cluster.close()
    sent = log.read_text()
    assert sent.count("#!") == 2, "three runs of one GPU each need two jobs of two"
    for line in (
        "#SBATCH -p fast",
        "#SBATCH -A me",
        "#SBATCH --cpus-per-task=8",
        "#SBATCH --mem=15G",
        "#SBATCH -t 04:00:00",
        "#SBATCH --gres=gpu:2",
        "#SBATCH --qos=low",
        "module load cuda",
        "export DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED=False",
        "export DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL=1s",
        "/opt/python -m distributed.cli.dask_worker",
        "--nthreads 4",
        "--nworkers 2",
        "--resources GPU=1",
        "--interface lo",
    ):
        assert sent.count(line) == 2, line
    assert Path(tmp_path / "logs").is_dir()


@pytest.mark.parametrize(
    ("squeue", "there"),
    [
        ("echo '7 debug jal'", True),
        ("exit 0", False),
        ("echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1", False),
        ("echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1", True),
    ],
)
def test_whether_slurm_still_has_a_job(slurm_commands, squeue, there):
    slurm_commands(squeue=squeue)
    assert executors._in_queue("7") is there
