"""A sweep on a real Slurm of one node, this machine, started here with a munge of its own."""

import importlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jal.errors import InputError
from jal.experiments import remote

HERE = Path(__file__).parent
COMMANDS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """The folder of a Slurm whose commands find it through $SLURM_CONF."""
    absent = [
        command
        for command in COMMANDS
        if shutil.which(command, path=f"{os.environ['PATH']}:/usr/sbin") is None
    ]
    if absent:
        pytest.skip(f"Slurm is not installed ({', '.join(absent)}): apt-get install slurm-wlm munge")
    if os.geteuid() != 0:
        pytest.skip("Slurm's daemons want to be started by root")
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o600)
    ports = free_ports(2)
    host = socket.gethostname().partition(".")[0]
    (folder / "slurm.conf").write_text(
        f"""ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
KillWait=5
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=4000 State=UNKNOWN
PartitionName=debug Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
        patch.setenv("PATH", f"{os.environ['PATH']}:/usr/sbin")
        munge = {
            "socket": "munge.socket",
            "pid-file": "munged.pid",
            "log-file": "munged.log",
            "seed-file": "seed",
        }
        try:
            start(
                "munged", "--force", f"--key-file={key}", *(f"--{o}={folder / f}" for o, f in munge.items())
            )
            start("slurmctld")
            start("slurmd")
            until(lambda: "idle" in output("sinfo", "-h", "-o", "%T"), "Slurm did not come up")
            yield folder
        finally:
            for name in ("slurmd", "slurmctld", "munged"):
                stop(folder / f"{name}.pid")


def start(*command):
    subprocess.run(command, check=True, capture_output=True, timeout=30)


def stop(pid_file):
    if pid_file.exists():
        pid = int(pid_file.read_text())
        os.kill(pid, signal.SIGTERM)
        until(
            lambda: not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text(),
            "it stays",
        )


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=30).stdout


def until(condition, otherwise, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, otherwise
        time.sleep(0.2)


def free_ports(number):
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.fixture
def fake(tmp_path, monkeypatch, slurm):
    monkeypatch.syspath_prepend(HERE)
    # Of the jobs, which Slurm gives this environment.
    monkeypatch.setenv("PYTHONPATH", str(HERE), prepend=os.pathsep)
    monkeypatch.setattr(remote, "LOOK", 0.5)
    yield importlib.import_module("fake_runs").prepared(tmp_path, monkeypatch)
    print(output("squeue"), *(file.read_text() for file in sorted(tmp_path.rglob(".slurm/*.err"))))


@pytest.fixture
def profile(tmp_path):
    def write(more="", jobs=2, cores=1):
        file = tmp_path / "profile.toml"
        file.write_text(
            f'jobs = {jobs}\ncores = {cores}\nmemory = "1500MB"\nwalltime = "00:10:00"\n'
            f'interface = "lo"\n{more}\n'
        )
        return f"slurm:{file}"

    return write


def jobs(state="RUNNING"):
    return output("squeue", "-h", "-t", state, "-o", "%i").split()


def test_slurms_jobs_make_the_runs_and_end_with_the_sweep(fake, profile):
    fake.plan(seconds=1, s2="failure")
    done = fake.sweep(fake.specs_of(range(6)), scheduler=profile('queue = "debug"'), jobs=None)
    assert done.exit_code == 1 and fake.done() == fake.ended() == [0, 1, 3, 4, 5]
    assert sorted(fake.begun()) == list(range(6))
    assert len({process for _, process, _ in fake.starts()}) == 2
    logs = sorted(file.name for file in (fake.store.path / ".slurm").iterdir())
    assert len(logs) == 4 and {Path(name).suffix for name in logs} == {".out", ".err"}
    until(lambda: not jobs() and not jobs("PENDING"), "a job outlived its sweep")


def test_a_job_with_two_processes_that_is_cancelled_is_replaced_and_loses_nothing(fake, profile):
    fake.plan(seconds=30)
    where = profile(jobs=1, cores=2)
    with fake.process(range(6), jobs=0, where=where) as sweeping:
        fake.until(2, kept=2, seconds=180)
        fake.plan(seconds=2)
        (first,) = jobs()
        start("scancel", "--signal=KILL", first)
        assert sweeping.wait(300) == 0
        assert sweeping.stderr.read().count("is lost") == 2
    assert fake.done() == fake.ended() == list(range(6))
    again = [seed for seed, _, step in fake.starts() if step > 0]
    assert sorted(again) == sorted(seed for seed, _, _ in fake.starts()[:2]), "they were not gone on with"
    until(lambda: not jobs() and not jobs("PENDING"), "a job outlived its sweep")


def test_what_slurm_does_not_take_is_one_line(fake, profile):
    with pytest.raises(InputError, match=r"Slurm refuses such jobs: .*partition") as error:
        fake.sweep(fake.specs_of([1]), scheduler=profile('queue = "gpu"'), jobs=None)
    assert "\n" not in str(error.value) and fake.leftovers() == []


def test_the_command_line_on_slurm(fake, profile):
    command = [
        "sweep",
        "digits",
        "--where",
        "loss=CE,rate=0.6",
        "--seeds",
        "123",
        "--alone",
        "--scheduler",
        profile(),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "jal", *command, "--results", fake.store.path],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1 of 1 runs done\n"
