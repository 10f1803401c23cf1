"""The book's own Sphinx extension, for `jal book` and for `jupyter-book build .` alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config

from jal.book.fingerprint import fingerprint


def _cache_by_fingerprint(app: Sphinx, config: Config) -> None:
    # myst-nb's cache looks at a notebook's text alone: after a change of the library or the data it would
    # show old results. A cache for each state of them does not.
    if config.nb_execution_mode == "cache":
        caches = Path(app.outdir).parent / ".jupyter_cache"
        config.nb_execution_cache_path = str(caches / fingerprint(Path(app.srcdir)))


def _moving_figures(app: Sphinx, page: str, template: str, context: dict[str, Any], document: object) -> None:
    """Give the script and the style of the moving figures to the pages that have one."""
    if 'class="jal-' in context.get("body", ""):
        app.add_js_file("jal-figures.js", loading_method="defer")
        app.add_css_file("jal-figures.css")


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx, which takes the answer as this extension's properties."""
    app.connect("config-inited", _cache_by_fingerprint)
    app.connect("html-page-context", _moving_figures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
