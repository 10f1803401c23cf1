"""Every command and snippet of README, of the book's pages and of the examples in --help does what it says.

They are collected from the texts. What cannot run here is on a list, each with its reason; its options are read all
the same.
"""

import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest
import torch
import typer

from jal.__main__ import main
from jal.cli import EXAMPLES, app
from jal.experiments.cluster import read_profile

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "book").glob("*.md"))]

NOT_RUN = {
    r"jal book\b.*": "builds the whole book, which the tests in tests/book do",
    r"jal run$": "runs all chapters, which the build of the book does",
    r"jal run --scheduler .*": "needs a cluster",
    r"jal (sweep|run|status).* /shared/.*|.*tcp://.*|.*slurm:.*": "needs a folder that machines share, or a cluster",
    r"jal sweep table3-cifar10.*": "hours of a GPU",
    r"jal run regulariser .*": "trains fifty runs, some minutes",
    r"jal data fetch .*": "downloads",
    r"jal data verify .*": "needs sets that are not passed on",
    r"jal train --dataset cifar10 .*": "needs CIFAR-10",
}
"""Commands of ours that are not run here, and why; they are parsed."""

NOT_OURS = {
    # Not even parsed: the parser itself installs it.
    r"jal --install-completion": "writes into the settings of whoever runs the tests",
    r"jal --show-completion": "asks which shell it is in, and a test is in none",
    r"for role in .*|done": "a loop of the shell around openssl",
    r"make \w+": "makes an environment; .ci/run does",
    r"(pip|conda|git|dask|export|!|%)[ a-zA-Z].*": "another program, a cluster's or an installation",
    r"python -m tests.analysis.noise_files": "needs CIFAR-10 and CIFAR-100",
    r"JAL_COMMIT=.*": "hours of a GPU; tests/test_bare_machine.py runs the like",
}
"""Lines that are not even parsed, and why or where they are looked after."""

FRAGMENTS = ("…", "NAME", "FILE", "--labels labels.json", "--output labels.json")
"""What marks a span in a sentence that stands for a command with more to it."""


def blocks(page):
    """The language and the text of each block of code."""
    text = page.read_text(encoding="utf-8")
    fenced = re.findall(r"^(`{3,})([^\n`]*)\n(.*?)^\1$", text, re.DOTALL | re.MULTILINE)
    found = [(language, body) for _, language, body in fenced]
    if page.name == "README.md":  # whose blocks are indented
        found += [
            ("", body.replace("\n    ", "\n"))
            for body in re.findall(r"(?:^    .*\n|\n(?=    ))+", text, re.MULTILINE)
        ]
    return found


def commands():
    """Each line of a block of the shell, and each span of a sentence, that begins with a program's name."""
    for page in PAGES:
        lines = [
            line.partition(" # ")[0].strip()
            for language, body in blocks(page)
            if language in ("shell", "")
            for line in body.splitlines()
        ]
        spans = re.findall(r"`(jal [^`]+)`", " ".join(page.read_text(encoding="utf-8").split()))
        for line in dict.fromkeys([*lines, *spans]):
            if line and (
                line.startswith("jal ") or page.name != "README.md" or re.match(r"make |pip ", line)
            ):
                yield pytest.param(line, id=f"{page.name}: {line}")
    for example in EXAMPLES.values():
        yield pytest.param(example, id=f"--help: {example}")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """What the commands find around them: the book, with nothing run yet; its data are only read."""
    top = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "notebooks", top / "notebooks")
    for name in ("jal", "data", "book", "_toc.yml", "_config.yml"):
        (top / name).symlink_to(ROOT / name)
    return top


@pytest.mark.parametrize("line", list(commands()))
def test_a_command_runs(line, checkout, monkeypatch, capsys):
    if any(re.fullmatch(pattern, line) for pattern in NOT_OURS):
        return
    assert line.startswith("jal "), f"neither run nor listed: {line}"
    arguments = shlex.split(line)[1:]
    if any(fragment in line for fragment in FRAGMENTS) or not is_whole(arguments):
        arguments = [*arguments[: 2 if arguments[0] == "data" else 1], "--help"]
    elif any(re.fullmatch(pattern, line) for pattern in NOT_RUN):
        parsed(arguments)
        return
    monkeypatch.chdir(checkout)
    monkeypatch.setenv("JAL_COMMIT", "documented")
    monkeypatch.setattr(sys, "argv", ["jal", *arguments])
    try:
        code = main(arguments)
    except SystemExit as end:  # of typer's own, which print and leave
        code = end.code
    assert code == 0, capsys.readouterr().err


def is_whole(arguments):
    """Whether these are more than a name in a sentence, such as `jal train` or `jal sweep --retry`."""
    if arguments in (["run"], ["book"]):
        return True
    if arguments[0].startswith("--"):  # which act as soon as they are parsed
        return True
    try:
        parsed(arguments)
    except Exception as error:
        message = getattr(error, "format_message", lambda: "")()
        return not re.match("Missing|.*requires an argument", message)
    return True


def parsed(arguments):
    """Reads the options, and runs nothing."""
    command, context = typer.main.get_command(app), None
    while arguments and hasattr(command, "commands") and arguments[0] in command.commands:
        command, arguments = command.commands[arguments[0]], arguments[1:]
    return command.make_context("jal", list(arguments), parent=context, resilient_parsing=False)


@pytest.mark.parametrize(
    ("page", "body"),
    [
        pytest.param(page, body, id=f"{page.name} {number}")
        for page in PAGES
        for number, (language, body) in enumerate(blocks(page))
        if language == "python" or (page.name == "README.md" and body.lstrip().startswith("from "))
    ],
)
def test_a_snippet_runs_and_prints_what_it_says(page, body, capsys):
    logits = torch.randn(8, 10, requires_grad=True)
    names = {"logits": logits, "labels": torch.arange(8), "images": logits, "model": lambda images: images}
    exec(compile(body, str(page), "exec"), names)
    printed = capsys.readouterr().out.splitlines()
    said = re.findall(r"^print\(.*?\)\s+# ([\d.]+)", body, re.MULTILINE)
    assert printed == said
    assert logits.grad is not None and torch.isfinite(logits.grad).all()


def test_the_cluster_profile_is_one(tmp_path):
    ((_, body),) = [block for block in blocks(ROOT / "book/how_to_cluster.md") if block[0] == "toml"]
    (tmp_path / "gpu.toml").write_text(body)
    assert read_profile(tmp_path / "gpu.toml").jobs == 8


def test_every_reason_is_needed():
    lines = [parameter.values[0] for parameter in commands()]
    unused = [p for p in (*NOT_RUN, *NOT_OURS) if not any(re.fullmatch(p, line) for line in lines)]
    assert unused == []
