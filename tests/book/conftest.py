"""The real book, built once for all tests that read it."""

from pathlib import Path

import pytest
from sphinx_external_toc.parsing import parse_toc_yaml

from jal.book import build_book

ROOT = Path(__file__).parents[2]
PAGES = list(parse_toc_yaml(ROOT / "_toc.yml"))
CHAPTERS = [page for page in PAGES if page.startswith("notebooks/")]


def pytest_generate_tests(metafunc):
    for name, values in (("page", PAGES), ("chapter", CHAPTERS)):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, values)


@pytest.fixture(scope="session")
def book():
    """The folder of the pages that `jal book` renders, each warning of Sphinx being an error."""
    return build_book(root=ROOT, strict=True).parent
