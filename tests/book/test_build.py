"""Building the book: what is executed again and what is not, what a page shows, what fails; with tiny notebooks."""

import importlib.metadata
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy
import pytest
import torch
import yaml
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from jal.book import BuildFailed, build_book, paper
from jal.book.fingerprint import fingerprint
from jal.errors import InputError
from jal.experiments import Record, Store, provenance, resolve

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


def write(root, name, *codes):
    cells = [
        new_markdown_cell(f"# Chapter {name}"),
        new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        *map(new_code_cell, codes),
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


def test_a_sentence_that_its_runs_do_not_bear_out_is_told_and_fails_a_strict_build(checkout):
    check = "from jal.analysis.page import check\ncheck('JAL leads <everywhere>', 1 > 2)"
    write(checkout, "two", check)
    lines = []
    build_book(root=checkout, tell=lines.append)
    assert "two: its runs do not bear out what it says: JAL leads <everywhere>" in lines
    shown = BeautifulSoup(page(checkout, "notebooks/two"), "html.parser").select_one("p.jal-check")
    assert "JAL leads <everywhere>" in shown.get_text()
    with pytest.raises(BuildFailed, match="two says what its runs do not bear out: JAL leads"):
        build_book(root=checkout, strict=True, tell=lines.append)


def test_a_package_that_is_found_twice_counts_once(checkout, monkeypatch):
    before = fingerprint(checkout)
    found = list(importlib.metadata.distributions())
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: iter([*found, found[0]]))
    assert fingerprint(checkout) == before
    fewer = [package for package in found if package.name != "numpy"]
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: iter(fewer))
    assert fingerprint(checkout) != before


@pytest.mark.parametrize("changed", ["jal/part.py", "jal/new.py", "data/table.csv", "data/deep/new.csv"])
def test_the_library_and_the_data_count(checkout, changed):
    before = fingerprint(checkout)
    (checkout / "jal/__pycache__").mkdir()
    (checkout / "jal/__pycache__/part.pyc").write_text("compiled")
    (checkout / "notebooks/one.ipynb").unlink()
    locks = checkout / "data/results/.locks"  # of a sweep that is at work there
    locks.mkdir(parents=True)
    (locks / "one.lock").write_text("mine")
    (checkout / "data/.table.tmp").write_text("half a file")
    assert fingerprint(checkout) == before
    (checkout / changed).parent.mkdir(exist_ok=True)
    (checkout / changed).write_text("# another line")
    assert fingerprint(checkout) != before


def test_data_that_changes_meanwhile_is_a_reason_to_run_again(checkout):
    write(checkout, "one", "open('../data/table.csv', 'a').write('a row\\n')")
    assert built(checkout)[0] == {"one"}
    assert built(checkout)[0] == {"one", "two"}


def looks_for(root, seed):
    """Code that looks for the Record of a run in the checkout's own store."""
    spec = f"resolve(dataset='digits', loss='CE', seed={seed})"
    return (
        f"from jal.experiments import Store, resolve\nstore = Store({str(root / 'runs')!r})\n"
        f"print(store.get({spec}))"
    )


def put(root, seed):
    """Puts a Record of that run into the checkout's own store."""
    spec = resolve(dataset="digits", loss="CE", seed=seed)
    curves = {"test_accuracy": [50.0] * spec.recipe.epochs}
    environment, timing = (
        provenance.environment("cpu", 1, ("a", False)),
        {"seconds": 1.0, "images_per_second": 1.0},
    )
    return Store(root / "runs").put(Record(1, spec.id, spec, 50.0, curves, environment, timing))


def test_a_record_is_a_reason_to_run_those_again_that_looked_for_it(checkout):
    write(checkout, "one", looks_for(checkout, 1))
    assert built(checkout) == ({"one"}, True)
    put(checkout, 2)
    # Rendered, as a page counts the Records; no chapter has looked for this one.
    assert built(checkout) == (set(), True)
    put(checkout, 1)
    assert built(checkout) == ({"one"}, True)
    assert built(checkout) == (set(), False)


def test_a_record_of_ones_own_is_no_reason_and_one_that_came_after_the_look_is(checkout):
    made = put(checkout, 1)
    kept = made.rename(checkout / "kept.json")
    own = f"\nfrom jal.experiments import Record\nstore.put(Record.from_json(open({str(kept)!r}).read()))"
    write(checkout, "one", looks_for(checkout, 1) + own)
    write(checkout, "two", looks_for(checkout, 1))
    lines = []
    build_book(root=checkout, jobs=1, tell=lines.append)
    order = [line.partition(":")[0] for line in lines if line.endswith(": started")]
    # The one that looked before the Record was there looks again.
    assert built(checkout)[0] == ({"two"} if order == ["two", "one"] else set())
    assert built(checkout) == (set(), False)


def test_the_chapter_that_took_longest_starts_first(checkout):
    for name, seconds in (("one", 1.0), ("two", 99.0)):
        path = checkout / f"_build/executed/quick/{name}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        notebook.metadata.papermill.duration = seconds
        nbformat.write(notebook, path)
    (checkout / "jal/part.py").write_text("# another line")
    lines = []
    build_book(root=checkout, jobs=1, tell=lines.append)
    assert [line for line in lines if line.endswith(": started")] == ["two: started", "one: started"]


def test_the_foot_of_a_page_says_how_it_was_made(checkout, monkeypatch):
    config = yaml.safe_load((checkout / "_config.yml").read_text())
    config["repository"]["url"] = "https://github.com/someone/jal-losses"
    (checkout / "_config.yml").write_text(yaml.safe_dump(config))
    (checkout / "jal/part.py").write_text("# another line")
    monkeypatch.setenv("JAL_COMMIT", "0123456789abcdef")
    built(checkout, profile="laptop")
    content = BeautifulSoup(page(checkout, "notebooks/one"), "html.parser")
    foot = content.select_one(".jal-made")
    terms = [term.get_text() for term in foot.select("dt")]
    said = dict(zip(terms, (entry.get_text(" ", strip=True) for entry in foot.select("dd")), strict=True))
    assert said["Parameters"] == 'profile = "laptop" , epochs = 1'
    assert "at the profile laptop" in said["Executed"] and " seconds, on " in said["Executed"]
    python = ".".join(map(str, sys.version_info[:3]))
    assert f"python {python}, torch {torch.__version__}, numpy {numpy.__version__}, jal " in said["With"]
    assert said["Commit"] == "0123456789ab"
    links = [link["href"] for link in foot.select("a")]
    assert links[0] == "https://github.com/someone/jal-losses/commit/0123456789abcdef"
    offered = (checkout / "_build/html/notebooks" / links[1]).resolve()
    assert offered.read_bytes() == (checkout / "notebooks/one.ipynb").read_bytes()

    addresses = [link.get("href", "") for link in content.select("a")]
    assert any(
        address.startswith("https://mybinder.org/v2/gh/someone/jal-losses/main") for address in addresses
    )
    assert any(
        address.endswith("/github/someone/jal-losses/blob/main/notebooks/one.ipynb") for address in addresses
    )


def test_without_a_public_host_nothing_leads_to_one(built_once):
    addresses = [
        link.get("href", "")
        for link in BeautifulSoup(page(built_once, "notebooks/one"), "html.parser").select("a")
    ]
    assert not [address for address in addresses if "binder" in address or "colab" in address]


STATUS = "# Status\n\n```{jal-chapters}\n```\n"
ONE_AND_STATUS = "format: jb-book\nroot: book/start\nchapters:\n- file: notebooks/one\n- file: book/status\n"


def test_the_page_on_the_state_says_what_each_chapter_ran_and_which_records_there_are(checkout):
    (checkout / "book/status.md").write_text(f"{STATUS}\n```{{jal-records}}\n```\n")
    (checkout / "_toc.yml").write_text(ONE_AND_STATUS)
    built(checkout)
    chapters, records = BeautifulSoup(page(checkout, "book/status"), "html.parser").article.select("table")
    (row,) = chapters.select("tbody tr")
    assert [cell.get_text(strip=True) for cell in row.select("td")][:2] == ["Chapter one", "quick"]
    assert row.a["href"] == "../notebooks/one.html"
    rows = {row.td.get_text(): row.get_text(" ", strip=True) for row in records.select("tbody tr")}
    assert rows["table3-cifar10"].count("0 of ") == 3


def test_a_pdf_without_latex_names_the_packages_before_anything_runs(checkout, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    lines = []
    with pytest.raises(
        InputError, match=r"a PDF needs latexmk, xelatex, rsvg-convert.* texlive-xetex"
    ) as caught:
        build_book(root=checkout, pdf=True, tell=lines.append)
    assert "\n" not in str(caught.value) and lines == []


@pytest.mark.slow
def test_the_pdf_has_every_figure_and_table_and_a_missing_figure_fails(checkout):
    if not all(map(shutil.which, paper.TOOLS)):
        pytest.skip("no LaTeX: apt-get install " + paper.PACKAGES)
    drawing = 'from IPython.display import {0}\n{0}(\'<svg {1}viewBox="0 0 9 9"><circle r="{2}"/></svg>\')'
    namespace = 'xmlns=\\"http://www.w3.org/2000/svg\\" '
    write(checkout, "one", drawing.format("SVG", namespace, 4))
    table = 'import pandas\npandas.DataFrame({"best_%": ["1 ± 2"] * 60}).rename_axis("α")'
    write(checkout, "two", drawing.format("HTML", "", 3), table)
    build_book(root=checkout, pdf=True, strict=True)
    folder = checkout / "_build/latex"
    assert (folder / "jal.pdf").read_bytes().startswith(b"%PDF")
    assert len(list(folder.glob("*.pdf"))) == 3
    assert "α & best\\_\\% \\\\\n\\midrule\n0 & 1 ± 2 \\\\" in (folder / "jal.tex").read_text()
    assert not re.search("Missing character|Overfull", (folder / "jal.log").read_text(errors="replace"))

    with pytest.raises(BuildFailed, match="the PDF lacks figures of two"):
        paper.typeset(folder, {"one": [], "two": ["the checksum of another"]})


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
    (checkout / "_toc.yml").write_text(ONE_AND_STATUS)
    (checkout / "book/status.md").write_text(STATUS)
    command = [Path(sys.executable).with_name("jupyter-book"), "build", checkout, "-W", "--keep-going"]
    write(checkout, "one", "print(open('../jal/part.py').read())")
    for state in ("the first state", "the second state"):
        (checkout / "jal/part.py").write_text(state)
        subprocess.run(command, check=True)
        assert state in page(checkout, "notebooks/one")
    table = BeautifulSoup(page(checkout, "book/status"), "html.parser").article.table
    assert "notebooks/one" in table.get_text()

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
    (checkout / "_toc.yml").write_text("format: jb-book\nroot: book/start\nchapters:\n- file: book/start\n")
    with pytest.raises(InputError, match=r"_toc.yml cannot be read: document file used multiple times"):
        build_book(root=checkout)


HEAVIER = {"notebooks/regulariser": 400_000}
"""Bytes of a page's own HTML, where a chapter's tables hold the curves of more runs than others'."""


def test_a_page_is_light_and_its_numbers_lie_in_files_beside_it(book, page):
    html = (book / f"{page}.html").read_text()
    assert len(html.encode()) < HEAVIER.get(page, 300_000)
    assert "data:text/csv" not in html
    for file, link in re.findall(r'<a download="([^"]+)" href="([^"]+)">', html):
        target = (book / page).parent / link
        assert target.is_file() and "," in target.read_text().partition("\n")[0], f"{file}: {link}"
