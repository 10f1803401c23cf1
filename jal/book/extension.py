"""The book's own Sphinx extension, for `jal book` and for `jupyter-book build .` alike."""

from __future__ import annotations

import base64
import re
import shutil
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.statemachine import StringList
from pybtex.plugin import find_plugin, register_plugin
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util.docutils import SphinxDirective
from sphinx_external_toc.parsing import parse_toc_yaml

from jal.book import status
from jal.book.fingerprint import digest, fingerprint, records

POLICY = "; ".join(
    (
        # From the book alone, on a server or on the disk, where browsers differ on what 'self' is.
        "default-src 'self' file:",
        # Sphinx, the theme and MathJax write scripts and styles into the pages, each page its own.
        "script-src 'self' file: 'unsafe-inline'",
        "style-src 'self' file: 'unsafe-inline'",
        "img-src 'self' file: data:",
        "font-src 'self' file: data:",
        "worker-src 'self' file: blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self' file:",
    )
)
"""What a page may load, as a content security policy: nothing from elsewhere."""


class _Table(SphinxDirective):
    """A table in Markdown, made when the page is."""

    has_content: ClassVar[bool] = False

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        parsed = nodes.Element()
        self.state.nested_parse(StringList(self.markdown().splitlines(), "made"), self.lineno, parsed)
        return list(parsed.children)

    def markdown(self) -> str:
        raise NotImplementedError


class _Chapters(_Table):
    def markdown(self) -> str:
        source = Path(self.env.srcdir)
        # Without `jal book`, what Jupyter Book itself has executed.
        return status.chapters(source, parse_toc_yaml(source / "_toc.yml")) or "```{nb-exec-table}\n```"


class _Records(_Table):
    def markdown(self) -> str:
        memory = Path(self.env.app.outdir).parent / "records.json"
        return status.records(_root(Path(self.env.srcdir)), memory)


def _root(source: Path) -> Path:
    """The checkout that a book's sources are of; `jal book` stages them two folders below it."""
    return source if (source / "jal").is_dir() else source.parents[1]


def _cache_by_fingerprint(app: Sphinx, config: Config) -> None:
    # myst-nb's cache looks at a notebook's text alone: after a change of the library or the data it would
    # show old results. A cache for each state of them does not.
    if config.nb_execution_mode == "cache":
        caches = Path(app.outdir).parent / ".jupyter_cache"
        root = Path(app.srcdir)
        config.nb_execution_cache_path = str(caches / digest([fingerprint(root), records(root)]))


def _public_host(app: Sphinx, config: Config) -> None:
    """Links and buttons that lead to the public host, if `_config.yml` names one."""
    theme = config.html_theme_options
    if theme.get("repository_url"):
        theme["use_repository_button"] = theme["use_issues_button"] = True
    else:
        theme.pop("launch_buttons", None)


def _closed(app: Sphinx, page: str, template: str, context: dict[str, Any], document: object) -> None:
    """Let a page load from nowhere but the book, and send nothing to anybody, whatever has got into it."""
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    context["metatags"] = policy + context.get("metatags", "")


_CSV = re.compile(r'<a download="([\w.-]+)" href="data:text/csv;base64,([A-Za-z0-9+/=]*)">')


def _numbers_as_files(
    app: Sphinx, page: str, template: str, context: dict[str, Any], document: object
) -> None:
    """Put the numbers that a chapter's links carry into files beside its page, which is then a fraction of the size.

    In a notebook they stay in the link: there they have to work wherever it lies.
    """
    folder = Path(app.outdir) / "_data" / page

    def linked(link: re.Match[str]) -> str:
        file, data = link.groups()
        content = base64.b64decode(data)
        number = 1
        while (
            path := folder / (file if number == 1 else f"{number}-{file}")
        ).exists() and path.read_bytes() != content:
            number += 1
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        up = "../" * page.count("/")
        return f'<a download="{file}" href="{up}_data/{page}/{path.name}">'

    if _CSV.search(context.get("body", "")):
        shutil.rmtree(folder, ignore_errors=True)
        context["body"] = _CSV.sub(linked, context["body"])


def _moving_figures(app: Sphinx, page: str, template: str, context: dict[str, Any], document: object) -> None:
    """Give the script and the style of the moving figures to the pages that have one."""
    if 'class="jal-moving' in context.get("body", ""):
        app.add_js_file("jal-figures.js", loading_method="defer")
        app.add_css_file("jal-figures.css")


def _readable(app: Sphinx, what: str, name: str, item: object, options: object, lines: list[str]) -> None:
    """A docstring as napoleon and docutils take it.

    Attributes become a list of definitions, as ours share one where napoleon wants a name for each. A bar is a bar:
    |w| is no name of something to put in its place.
    """
    for number, line in enumerate(lines):
        parts = line.split("`")
        parts[::2] = [part.replace("|", "\\|") for part in parts[::2]]
        lines[number] = "`".join(parts)
    if "Attributes" not in lines:
        return
    at = lines.index("Attributes")
    types = getattr(item, "__annotations__", {})
    for number in range(at + 2, len(lines)):
        line, after = lines[number], "".join(lines[number + 1 : number + 2])
        if after.startswith("---"):
            return
        if line and not line.startswith(" "):
            names = [part.strip() for part in line.split(",")]
            typed = (f"{part}: {types[part]}" if part in types else part for part in names)
            lines[number] = ", ".join(f"``{part}``" for part in typed)


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx, which takes the answer as this extension's properties."""
    app.add_directive("jal-chapters", _Chapters)
    app.add_directive("jal-records", _Records)
    app.setup_extension("jal.book.accessible")
    app.connect("config-inited", _cache_by_fingerprint)
    app.connect("config-inited", _public_host)
    app.connect("html-page-context", _closed)
    app.connect("html-page-context", _moving_figures)
    app.connect("html-page-context", _numbers_as_files)
    app.connect("autodoc-process-docstring", _readable, priority=400)  # napoleon's is 500
    # Not found beforehand, pybtex searches all installed packages for it once a citation: a sixth of the rendering.
    register_plugin("pybtex.backends", "plaintext", find_plugin("pybtex.backends", "plaintext"), force=True)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
