"""Building the book: what is executed again and what is not, what a page shows, what fails; with tiny notebooks."""

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from jal.book import BuildFailed, build_book
from jal.book.fingerprint import fingerprint
from jal.errors import InputError

ROOT = Path(__file__).parents[2]
PARAMETERS = '# What to run.\nprofile = "quick"  # or more\nepochs = 1'


@pytest.fixture(scope="module")
def built_once(tmp_path_factory):
    """A checkout with the real configuration, two tiny chapters "one" and "two", a page, a library and data."""
    root = tmp_path_factory.mktemp("checkout")
    for name in ("jal/part.py", "data/table.csv", "book/references.bib"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    shutil.copy(ROOT / "_config.yml", root)
    shutil.copytree(ROOT / "book/_static", root / "book/_static")
    (root / "book/start.md").write_text("# Start\n\nThe first page.\n")
    (root / "_toc.yml").write_text(
        "format: jb-book\nroot: book/start\nchapters:\n- file: notebooks/one\n- file: notebooks/two\n"
    )
    (root / "notebooks").mkdir()
    for name in ("one", "two"):
        write(
            root,
            name,
            f"import sys\nprint('{name} ran as', profile)\nprint(7 * 11, 'is noise', file=sys.stderr)",
        )
    assert built(root) == ({"one", "two"}, True)
    return root


@pytest.fixture
def checkout(built_once, tmp_path):
    """A copy of it, built already."""
    return shutil.copytree(built_once, tmp_path / "checkout")


def write(root, name, code):
    cells = [
        new_markdown_cell(f"# Chapter {name}"),
        new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        new_code_cell(code),
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    for number, cell in enumerate(cells):
        cell.id = str(number)
    nbformat.write(new_notebook(cells=cells, metadata=kernel), root / f"notebooks/{name}.ipynb")


def built(root, profile="quick", **options):
    """The names of the notebooks that this build executed, and whether it rendered."""
    lines = []
    index = build_book(profile, root=root, tell=lines.append, **options)
    assert index == root / "_build/html/index.html"
    assert index.is_file()
    assert str(index) in lines[-1]
    executed = {line.partition(":")[0] for line in lines if line.endswith(": started")}
    return executed, any("render" in line for line in lines)


def page(root, name):
    return (root / f"_build/html/{name}.html").read_text()


def test_only_what_changed_is_done_again(checkout):
    assert built(checkout) == (set(), False)

    (checkout / "book/start.md").write_text("# Start\n\nAnother sentence.\n")
    assert built(checkout) == (set(), True)
    assert "Another sentence." in page(checkout, "book/start")

    write(checkout, "two", "print('two says something else')")
    assert built(checkout) == ({"two"}, True)
    assert "two says something else" in page(checkout, "notebooks/two")

    (checkout / "jal/part.py").write_text("# another line")
    assert built(checkout) == ({"one", "two"}, True)


@pytest.mark.parametrize("changed", ["jal/part.py", "jal/new.py", "data/table.csv", "data/deep/new.csv"])
def test_the_library_and_the_data_count(checkout, changed):
    before = fingerprint(checkout)
    (checkout / "jal/__pycache__").mkdir()
    (checkout / "jal/__pycache__/part.pyc").write_text("compiled")
    (checkout / "notebooks/one.ipynb").unlink()
    assert fingerprint(checkout) == before
    (checkout / changed).parent.mkdir(exist_ok=True)
    (checkout / changed).write_text("# another line")
    assert fingerprint(checkout) != before


def test_a_page_shows_what_it_ran_with_and_nothing_of_papermill(checkout):
    assert built(checkout, profile="laptop") == ({"one", "two"}, True)
    text = BeautifulSoup(page(checkout, "notebooks/one"), "html.parser").article.get_text()
    assert "one ran as laptop" in text
    assert "77 is noise" not in text
    assert 'profile = "laptop"  # or more\nepochs = 1' in text
    assert '"quick"' not in text
    assert "# Parameters" not in text
    assert str(checkout) not in (checkout / "_build/html/_sources/notebooks/one.ipynb").read_text()

    assert built(checkout) == (set(), True)
    assert "one ran as quick" in page(checkout, "notebooks/one")


def test_a_failing_notebook_fails_the_build_in_one_line_and_is_kept(checkout):
    write(checkout, "one", "raise ValueError('no such thing')")
    with pytest.raises(
        BuildFailed, match=r"1 of 1 notebooks failed: one: cell .* raised ValueError"
    ) as caught:
        build_book(root=checkout)
    assert "\n" not in str(caught.value)
    assert "no such thing" not in page(checkout, "notebooks/one")
    kept = (checkout / "_build/executed/quick/one.ipynb").read_text()
    assert "no such thing" in kept
    assert str(checkout / "_build/executed/quick/one.ipynb") in str(caught.value)

    with pytest.raises(BuildFailed, match="1 of 1 notebooks failed"):
        build_book(root=checkout)
    write(checkout, "one", "1")
    assert built(checkout) == ({"one"}, True)


def test_a_warning_fails_a_strict_build_each_time_and_no_other(checkout, capfd):
    (checkout / "book/start.md").write_text("# Start\n\n[nowhere](no_such_page.md)\n")
    assert built(checkout)[1]
    for _ in range(2):
        with pytest.raises(BuildFailed, match="could not render"):
            build_book(root=checkout, strict=True)
        assert "no_such_page" in capfd.readouterr().err


def test_a_page_that_left_the_book_is_gone(checkout):
    (checkout / "_toc.yml").write_text(
        "format: jb-book\nroot: book/start\nchapters:\n- file: notebooks/one\n"
    )
    assert built(checkout) == (set(), True)
    assert not (checkout / "_build/html/notebooks/two.html").exists()
    assert "Chapter two" not in page(checkout, "notebooks/one")


def test_jupyter_book_by_itself_sees_a_changed_library_and_raises_errors(checkout):
    (checkout / "_toc.yml").write_text(
        "format: jb-book\nroot: book/start\nchapters:\n- file: notebooks/one\n"
    )
    command = [Path(sys.executable).with_name("jupyter-book"), "build", checkout, "-W", "--keep-going"]
    write(checkout, "one", "print(open('../jal/part.py').read())")
    for state in ("the first state", "the second state"):
        (checkout / "jal/part.py").write_text(state)
        subprocess.run(command, check=True)
        assert state in page(checkout, "notebooks/one")

    write(checkout, "one", "raise ArithmeticError")
    assert subprocess.run(command, check=False).returncode != 0


def test_bad_input(checkout):
    with pytest.raises(InputError, match="unknown profile 'quik': did you mean 'quick'"):
        build_book("quik", root=checkout)
    with pytest.raises(InputError, match="jobs is 0"):
        build_book(root=checkout, jobs=0)
    (checkout / "_toc.yml").write_text("format: jb-book\nroot: book/strat\n")
    with pytest.raises(InputError, match=r"_toc.yml names 'book/strat', but .* neither"):
        build_book(root=checkout)
