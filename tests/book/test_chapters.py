"""Every chapter of the real book has its figures and tables, whichever of the two ways built it.

With execution off and notebooks without outputs a build succeeds too, with an empty book.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import papermill
import pytest
from bs4 import BeautifulSoup

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.book


@pytest.fixture(scope="session")
def plain():
    """The pages that Jupyter Book makes by itself; its cache of executed notebooks is kept in `_build`."""
    output = ROOT / "_build" / "plain"
    command = [Path(sys.executable).with_name("jupyter-book"), "build", ROOT, "--path-output", output]
    subprocess.run([*command, "--all", "-W", "--keep-going", "-q"], check=True)
    return output / "_build" / "html"


@pytest.fixture(params=["book", pytest.param("plain", marks=pytest.mark.slow)])
def pages(request):
    return request.getfixturevalue(request.param)


def read(pages, page):
    return BeautifulSoup((pages / f"{page}.html").read_text(), "html.parser")


def shown(chapter):
    """The cells of a chapter as papermill executed it whose outputs a reader sees."""
    notebook = nbformat.read(ROOT / "_build/executed/quick" / f"{Path(chapter).name}.ipynb", as_version=4)
    hiding = {"remove-cell", "remove-output", "injected-parameters"}
    return [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and not hiding & set(cell.metadata.get("tags", []))
    ]


def test_a_chapter_has_its_figures_and_tables(book, pages, chapter):
    outputs = [output.get("data", {}) for cell in shown(chapter) for output in cell.outputs]
    tables = [data for data in outputs if "<table" in data.get("text/html", "")]
    drawings = [data for data in outputs if "<figure" in data.get("text/html", "")]
    # What moves has its drawing as a picture too, for where a page cannot move.
    images = [
        data
        for data in outputs
        if "text/html" not in data and any(kind.startswith("image/") for kind in data)
    ]
    assert images or drawings, "a chapter without a figure"

    page = read(pages, chapter)
    pictures = page.select(".cell_output img")
    assert len(pictures) == len(images)
    for picture in pictures:
        file = (pages / chapter).parent / picture["src"]
        assert file.stat().st_size > 1000
        assert picture.get("alt", "") not in ("", picture["src"]), "a figure without a description"
    assert len(page.select(".cell_output table")) >= len(tables)
    assert len(page.select(".cell_output figure.jal-moving svg")) == len(drawings)


def test_a_stored_chapter_has_no_outputs_and_its_code_fits_the_column(chapter):
    source = nbformat.read(ROOT / f"{chapter}.ipynb", as_version=4)
    for cell in source.cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None
            if not {"remove-cell", "remove-input"} & set(cell.metadata.get("tags", [])):
                assert [line for line in cell.source.splitlines() if len(line) > 88] == []


def test_a_parameter_stands_in_one_line(chapter):
    # Its value and its comment are read from there, by papermill and by people.
    source = nbformat.read(ROOT / f"{chapter}.ipynb", as_version=4)
    (cell,) = [cell for cell in source.cells if "parameters" in cell.metadata.get("tags", [])]
    assert all(one.lineno == one.end_lineno for one in ast.parse(cell.source).body)


def test_a_chapter_that_trains_a_grid_has_its_precision_as_a_parameter(chapter):
    source = nbformat.read(ROOT / f"{chapter}.ipynb", as_version=4)
    code = "\n".join(cell.source for cell in source.cells if cell.cell_type == "code")
    known = papermill.inspect_notebook(str(ROOT / f"{chapter}.ipynb"))
    trains = re.search(r"\b(complete|chapter|run_missing)\(", code) is not None
    assert ("precision" in known) == trains
    if trains:
        # Never chosen silently; and handed on, not only named.
        assert known["precision"]["default"] == '"float32"'
        assert len(re.findall(r"\bprecision\b", code)) > 2


def test_a_figure_with_a_name_is_on_the_page_with_its_caption(pages, chapter):
    source = nbformat.read(ROOT / f"{chapter}.ipynb", as_version=4)
    figures = [cell.metadata.get("mystnb", {}).get("figure") for cell in source.cells]
    page = read(pages, chapter)
    for figure in filter(None, figures):
        (found,) = page.select(f"figure#{figure['name']}")
        assert found.select_one("img, svg")
        assert len(found.figcaption.get_text(strip=True)) > 20


def test_a_page_shows_no_error_no_log_and_no_machinery(pages, page):
    content = read(pages, page)
    assert content.h1.get_text(strip=True)
    for output in content.select(".cell_output .output"):
        assert not {"traceback", "stderr"} & set(output["class"])
    text = content.article.get_text()
    for trace in ("An Exception was encountered", "# Parameters\n", str(ROOT), str(Path.home())):
        assert trace not in text


def test_nothing_on_a_page_is_loaded_from_elsewhere(pages, page):
    content = read(pages, page)
    loaded = [
        element.get("src") or element.get("href")
        for element in content.select("script[src], img, iframe, source, link[href]:not([rel=canonical])")
    ]
    assert [address for address in loaded if re.match(r"(https?:)?//", address or "")] == []
    for style in (pages / "_static").rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*['\"]?(https?:)?//", style.read_text(errors="replace")), (
            style
        )


def test_the_script_of_moving_figures_is_where_they_are(pages, page):
    content = read(pages, page)
    moving = bool(content.select(".jal-moving"))
    assert bool(content.select("script[src*='jal-figures.js']")) == moving
    assert bool(content.select("link[href*='jal-figures.css']")) == moving


def test_a_page_with_its_pictures_is_small(pages, page):
    content = read(pages, page)
    pictures = {
        (pages / page).parent / image["src"] for image in content.select("img[src]:not([src^='data:'])")
    }
    files = [pages / f"{page}.html", *pictures]
    assert sum(file.stat().st_size for file in files) < 2_000_000, files


def test_what_opens_a_panel_has_one(pages, page):
    content = read(pages, page)
    opened = [button["popovertarget"] for button in content.select("button[popovertarget]")]
    panels = [panel["id"] for panel in content.select("[popover]")]
    assert sorted(opened) == sorted(panels) and len(set(panels)) == len(panels)


def test_every_link_inside_the_book_leads_somewhere(pages, page):
    anchors = {}
    for link in read(pages, page).select("a[href]"):
        path, _, anchor = link["href"].partition("#")
        if re.match(r"[a-z]+:", path):
            continue
        target = (pages / page).parent.joinpath(path).resolve() if path else pages / f"{page}.html"
        assert target.is_file(), link["href"]
        if anchor and target.suffix == ".html":
            if target not in anchors:
                names = BeautifulSoup(target.read_text(), "html.parser").select("[id]")
                anchors[target] = {element["id"] for element in names}
            assert anchor in anchors[target], link["href"]


def test_the_commands_of_the_page_on_rerunning_name_what_exists():
    text = (ROOT / "book/how_to_rerun.md").read_text()
    commands = re.findall(r"^jal run (\w+)(.*)$", text, re.MULTILINE)
    assert commands
    for name, options in commands:
        known = papermill.inspect_notebook(str(ROOT / f"notebooks/{name}.ipynb"))
        assert set(re.findall(r"-p (\w+)=", options)) <= set(known)


def test_the_code_on_the_first_page_works():
    import torch

    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "book/start.md").read_text(), re.DOTALL)
    logits = torch.randn(4, 10, requires_grad=True)
    names = {"logits": logits, "labels": torch.tensor([0, 3, 7, 9])}
    exec(block, names)
    assert logits.grad.abs().sum() > 0
    assert names["a"] == pytest.approx(1.8)
