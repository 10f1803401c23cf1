"""The commit of a Record: named, asked of git, or refused."""

import subprocess

import pytest

from jal.errors import InputError
from jal.experiments import provenance


def test_the_variable_comes_first(monkeypatch):
    monkeypatch.setenv("JAL_COMMIT", "abc")
    assert provenance.commit() == ("abc", False)


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """The code, as it were, in a folder that git does not know."""
    monkeypatch.delenv("JAL_COMMIT")
    monkeypatch.setattr(provenance, "_SOURCE", tmp_path)
    return tmp_path


def test_an_unknown_commit_is_refused_unless_told(elsewhere):
    with pytest.raises(InputError, match="JAL_COMMIT=unknown") as error:
        provenance.commit()
    assert "\n" not in str(error.value)
    assert provenance.commit("unknown") == ("unknown", False)


def test_without_git_too(elsewhere, monkeypatch):
    monkeypatch.setenv("PATH", str(elsewhere))
    assert provenance.commit("unknown") == ("unknown", False)


def git(folder, *arguments):
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


@pytest.mark.parametrize("changed", ["jal/old.py", "jal/new.py"])
def test_git_says_the_commit_and_whether_the_code_has_changed(elsewhere, changed):
    (elsewhere / "jal").mkdir()
    (elsewhere / "jal" / "old.py").write_text("1")
    git(elsewhere, "init", "-q")
    git(elsewhere, "add", "jal")
    git(elsewhere, "commit", "-qm", "first")
    head = git(elsewhere, "rev-parse", "HEAD").strip()
    (elsewhere / "notes").write_text("these change no number")
    assert provenance.commit() == (head, False)
    (elsewhere / changed).write_text("2")
    assert provenance.commit() == (head, True)


def test_a_checkout_around_an_installed_package_is_not_its_own(elsewhere, monkeypatch):
    git(elsewhere, "init", "-q")
    (elsewhere / "file").write_text("1")
    git(elsewhere, "add", "file")
    git(elsewhere, "commit", "-qm", "first")
    inside = elsewhere / "site-packages"
    inside.mkdir()
    monkeypatch.setattr(provenance, "_SOURCE", inside)
    assert provenance.commit("unknown") == ("unknown", False)


@pytest.fixture
def site(elsewhere, monkeypatch):
    """A folder of installed packages with this one in it, the code being there; says what its RECORD lists."""
    about = elsewhere / "jal_losses-9.8.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: jal-losses\nVersion: 9.8\n")
    (elsewhere / "jal").mkdir()
    (elsewhere / "jal" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(elsewhere))
    return about / "RECORD"


def test_an_installed_release_has_no_commit_but_a_version(site):
    site.write_text("jal/__init__.py,,\njal_losses-9.8.dist-info/RECORD,,\n")
    assert provenance.commit() == ("unknown", False)
    found = provenance.environment("cpu", 1, provenance.commit())
    assert (found["commit"], found["distribution"]) == ("unknown", "jal-losses 9.8")
    assert provenance.commit_in_words(found, shown=lambda text: f"`{text}`") == "`jal-losses 9.8`"


def test_an_editable_installation_is_a_source_tree(site):
    site.write_text("__editable__.jal_losses-9.8.pth,,\njal_losses-9.8.dist-info/RECORD,,\n")
    with pytest.raises(InputError, match="JAL_COMMIT"):
        provenance.commit()


def test_a_source_tree_in_which_something_was_built_is_none_that_was_installed(elsewhere, monkeypatch):
    left = elsewhere / "jal_losses.egg-info"
    left.mkdir()
    (left / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: jal-losses\nVersion: 9.8\n")
    (left / "SOURCES.txt").write_text("jal/__init__.py\n")
    (elsewhere / "jal").mkdir()
    (elsewhere / "jal" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(elsewhere))
    assert provenance.installed() is None


def test_a_checkout_has_no_distribution():
    assert "distribution" not in provenance.environment("cpu", 1, ("abc", False))


def test_the_environment_says_what_ran():
    found = provenance.environment("cpu", 3, ("abc", True))
    assert (found["device"], found["threads"], found["commit"], found["dirty"]) == ("cpu", 3, "abc", True)
    assert all(found[key] for key in ("processor", "platform", "python", "torch", "numpy", "jal", "finished"))
