"""Other machines: what a Slurm profile says, and what is refused before anything is sent."""

import os
import shutil
import socket
import stat
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from jal.errors import InputError
from jal.experiments import cluster as module
from jal.experiments.cluster import Profile, connect, read_profile

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
    pytest.importorskip("cryptography")

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
        (LEAST + "quue = 1", "unknown field of the Slurm profile .*'quue': did you mean 'queue'"),
        ("jobs = 1", "lacks cores, memory, walltime"),
        (LEAST.replace("8", "0"), "cores = 0 .*: give 1 or more"),
        (LEAST.replace("8", '"8"'), r"profile.toml\.cores is '8': give an integer"),
        (LEAST.replace("8", "true"), r"profile.toml\.cores is True: give an integer"),
        (LEAST.replace('"16GB"', "16"), r"profile.toml\.memory is 16: give text"),
        (LEAST + 'setup = "module load cuda"', r"profile.toml\.setup is 'module load cuda': give a list"),
        (LEAST + "gpus = 9", "cores = 8 .*: give 9 or more, one a GPU"),
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
    with pytest.raises(InputError, match=r"not installed: pip install '\.\[cluster\]'"):
        connect("tcp://127.0.0.1:1", 1, tmp_path)


def test_an_address_where_nobody_answers(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "TIMEOUT", 0.5)
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
        dask.config.set(module.QUIET),
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
            module.time.sleep(0.05)
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


@pytest.fixture
def on_slurm(profile, slurm_commands, tmp_path, monkeypatch):
    """A connection to workers of a profile, and the folder of their logs; sbatch starts a job's script here."""
    monkeypatch.setattr(module, "TIMEOUT", 2.0)
    # As Slurm does, it takes a copy: the script is gone as soon as sbatch has answered.
    job = tmp_path / "job"
    start = f'[ -f "$1" ] && cp "$1" {job}.sh && {{ sh {job}.sh >{job} 2>&1 & }}; echo Submitted batch job 7'
    slurm_commands(sbatch=start)
    least = 'jobs = 1\ncores = 1\nmemory = "1GB"\nwalltime = "00:10:00"\ninterface = "lo"\n'
    with closing(connect(f"slurm:{profile(least)}", 1, tmp_path / "logs")) as cluster:
        yield cluster, tmp_path / "logs"


def test_slurms_workers_come_with_their_certificate_and_nobody_without(on_slurm, tmp_path):
    distributed = pytest.importorskip("distributed")
    cluster, logs = on_slurm
    assert cluster.executor().submit(sum, (1, 2)).result(timeout=60) == 3
    keys = [file for file in logs.iterdir() if file.name.startswith(".")]
    assert keys and all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in keys)

    address = cluster.client.scheduler.address
    assert urlsplit(address).scheme == "tls" and urlsplit(address).hostname == "127.0.0.1"
    for without in (address, address.replace("tls:", "tcp:")):
        with pytest.raises(InputError, match=f"no scheduler answers at {without}"):
            connect(without, 1, tmp_path)
    (worker,) = cluster.workers()
    for of in (address, worker):
        with pytest.raises((OSError, TimeoutError)):
            distributed.Client(of, security=distributed.Security.temporary(), timeout=1, set_as_default=False)


def test_slurms_workers_serve_no_page_beyond_their_machine(on_slurm):
    cluster, _ = on_slurm

    def pages(server=None):
        from distributed import get_worker

        sockets = (server or get_worker()).http_server._sockets.values()
        return {each.getsockname()[0] for each in sockets}

    assert cluster.executor().submit(pages).result(timeout=60) == {"127.0.0.1"}
    assert pages(cluster._slurm.cluster.scheduler) == {"127.0.0.1"}


def test_without_an_interface_the_scheduler_listens_at_one_address(profile, slurm_commands, tmp_path):
    slurm_commands(sbatch="echo Submitted batch job 7")
    with closing(connect(f"slurm:{profile(LEAST)}", 1, tmp_path / "logs")) as cluster:
        (listener,) = cluster._slurm.cluster.scheduler.listeners
        assert urlsplit(listener.listen_address).hostname not in ("0.0.0.0", "::", "")


def test_slurm_without_the_package_that_makes_certificates(profile, slurm_commands, monkeypatch, tmp_path):
    slurm_commands()
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(InputError, match=r"cryptography, .* not installed: pip install '\.\[cluster\]'"):
        connect(f"slurm:{profile(LEAST)}", 1, tmp_path / "logs")


def test_who_has_the_certificate_of_a_scheduler_at_tls_is_let_in(tmp_path):
    pytest.importorskip("cryptography")
    dask, distributed = pytest.importorskip("dask"), pytest.importorskip("distributed")
    security, lines = distributed.Security.temporary(), []
    certificate, key = security.tls_client_cert, security.tls_client_key
    mine = {"tls.ca-file": certificate, "tls.client.cert": certificate, "tls.client.key": key}
    with (
        dask.config.set(module.QUIET),
        distributed.LocalCluster(
            n_workers=0, processes=False, security=security, dashboard_address="127.0.0.1:0"
        ) as cluster,
        dask.config.set({f"distributed.comm.{name}": value for name, value in mine.items()}),
    ):
        address = cluster.scheduler_address
        assert address.startswith("tls://")
        connect(address, 1, tmp_path, lines.append).close()
    assert lines == []


def test_an_open_scheduler_is_said_to_be_open_once(local_cluster, tmp_path):
    lines = []
    connect(local_cluster, 1, tmp_path, lines.append).close()
    (line,) = lines
    assert line.startswith(f"{local_cluster}: without TLS") and "tls://" in line


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
    assert module._in_queue("7") is there
