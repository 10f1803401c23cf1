"""What a public host needs: workflows, environments, and links that follow one setting."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from jal.analysis.page import repository
from jal.book import paper

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def steps(workflow, job):
    return yaml.safe_load((ROOT / f".github/workflows/{workflow}.yml").read_text())["jobs"][job]["steps"]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_least_rights_a_time_limit_and_actions_of_a_major_version(file):
    workflow = yaml.safe_load(file.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        assert job["timeout-minutes"] <= 90, name
        for step in job["steps"]:
            assert re.search(r"@(release/)?v\d+$", step.get("uses", "@v1")), step


def test_the_book_that_a_fork_publishes_leads_to_the_fork(tmp_path):
    (script,) = [step["run"] for step in steps("book", "build") if "_config.yml" in step.get("run", "")]
    for name, value in {
        "github.server_url": "https://github.com",
        "github.repository": "someone/fork",
        "github.event.repository.default_branch": "trunk",
    }.items():
        script = script.replace(f"${{{{ {name} }}}}", value)
    assert "${{" not in script
    for name in ("_toc.yml", "notebooks", "jal"):
        (tmp_path / name).mkdir()
    (tmp_path / "_config.yml").write_text((ROOT / "_config.yml").read_text())
    subprocess.run(["bash", "-ec", script], cwd=tmp_path, check=True)
    settings = yaml.safe_load((tmp_path / "_config.yml").read_text())["repository"]
    assert settings == {"url": "https://github.com/someone/fork", "branch": "trunk"}
    assert repository(tmp_path) == "https://github.com/someone/fork"


PIN = re.compile(r"^([^#=\s]+)==(\S+)", re.MULTILINE)


def test_what_is_published_is_made_with_the_constraints_and_their_hashes():
    pins = dict(PIN.findall((ROOT / "constraints.txt").read_text()))
    hashed = (ROOT / ".ci/published.txt").read_text().splitlines()[1:]
    found = dict(PIN.findall("\n".join(hashed)))
    same = {name.lower().replace("_", "-"): version for name, version in found.items()}
    assert pins.keys() >= {"torch", "torchvision"}, "their CPU builds are on another index"
    assert same == {
        name.lower().replace("_", "-"): version
        for name, version in pins.items()
        if name not in ("torch", "torchvision")
    }, "make .ci/published.txt anew: .ci/hashes"
    assert all(re.fullmatch(r"\S+==\S+ --hash=sha256:[0-9a-f]{64}", line) for line in hashed)


@pytest.mark.parametrize("workflow", ["book", "release"])
def test_what_is_published_is_installed_by_hash_first(workflow):
    runs = [step.get("run", "") for step in steps(workflow, "build")]
    (first,) = [number for number, run in enumerate(runs) if "--require-hashes" in run]
    assert ".ci/published.txt" in runs[first] and runs[first + 1].startswith("make .venv/.installed")


def test_the_nightly_pdf_installs_what_the_error_names():
    installed = steps("nightly", "pdf")[0]["run"].split()
    assert set(paper.PACKAGES.split()) <= set(installed)


@pytest.mark.parametrize("file", ["environment.yml", "binder/environment.yml"])
def test_an_environment_has_a_python_that_the_package_takes(file):
    pins = yaml.safe_load((ROOT / file).read_text())["dependencies"]
    assert "python=3.11" in pins and "pip" in pins


def test_what_the_environments_install_exists():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"][-1]["pip"]
    binder = (ROOT / "binder/postBuild").read_text()
    for text in ("\n".join(conda), binder):
        (extra,) = re.findall(r"--editable '?\.\[(\w+)\]", text)
        assert extra in EXTRAS
        (pins,) = re.findall(r"--constraint (\S+)", text)
        assert (ROOT / pins).is_file()
    assert (ROOT / "binder/postBuild").stat().st_mode & 0o111
