"""The pages made of docstrings: every public name is on one, and each name on one is public."""

import importlib
import inspect
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from jal.book.extension import _readable

PAGES = Path(__file__).parents[2] / "book" / "api"
LAYERS = ("losses", "noise", "theory", "datasets", "models", "experiments")


def documented(page):
    """(module, name) for each entry of a page."""
    module, found = "", []
    for line in (PAGES / f"{page}.md").read_text().splitlines():
        if match := re.match(r"\.\. (currentmodule|auto\w+):: (\w[\w.]*)$", line):
            if match[1] == "currentmodule":
                module = match[2]
            else:
                found.append((module, match[2]))
    return found


@pytest.mark.parametrize("reference", sorted(path.stem for path in PAGES.glob("*.md")))
def test_each_entry_is_there_once_and_has_a_docstring(reference):
    entries = documented(reference)
    assert len(entries) == len(set(entries)) > 0
    for module, name in entries:
        assert not name.startswith("_")
        assert inspect.getdoc(getattr(importlib.import_module(module), name)), name


@pytest.mark.parametrize("layer", LAYERS)
def test_what_a_layer_exports_is_on_its_page(layer):
    package = importlib.import_module(f"jal.{layer}")
    things = {name: getattr(package, name) for name in package.__all__}
    exported = {name for name, thing in things.items() if inspect.isfunction(thing) or inspect.isclass(thing)}
    assert exported <= {name for _, name in documented(layer)}


def test_attributes_that_share_a_line_and_bars_are_readable():
    class Item:
        first: int
        second: "float | None"

    lines = [
        "Sum |w|, `a|b`.",
        "",
        "Attributes",
        "----------",
        "first, second",
        "    numbers.",
        "third",
        "    more.",
    ]
    lines += ["", "Raises", "------", "InputError", "    never."]
    _readable(None, "class", "Item", Item, None, lines)
    assert lines[0] == r"Sum \|w\|, `a|b`."
    assert lines[2:] == [
        "Attributes",
        "----------",
        "``first: <class 'int'>``, ``second: float | None``",
        "    numbers.",
        "``third``",
        "    more.",
        "",
        "Raises",
        "------",
        "InputError",
        "    never.",
    ]


@pytest.mark.book
def test_sections_have_their_headings_and_signatures_are_short(book):
    pages = [BeautifulSoup(file.read_text(), "html.parser") for file in (book / "book/api").glob("*.html")]
    headings = {heading.get_text(strip=True) for page in pages for heading in page.select("p.rubric")}
    assert {"Attributes", "Shape"} <= headings
    assert not any("rubric" in field.get_text() for page in pages for field in page.select("dl.field-list"))
    assert max(len(name.get_text()) for page in pages for name in page.select("dt.sig")) < 600
