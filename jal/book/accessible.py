"""What tools leave on a page that a screen reader stumbles over, mended in the page's HTML; a Sphinx extension."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

_STYLED = re.compile(r'<table id="(T_\w+)">')
_FRAME = re.compile(r'<table[^>]* class="dataframe.*?</table>', re.DOTALL)
_HEADING = re.compile(r"<th(?=[ >])(?![^>]* scope=)([^>]*)>")
_EMPTY = re.compile(r"<th(?: [^>]*)?>(?:\s|&nbsp;)*</th>")
_PARAMETERS = re.compile(r'<dl>\s*((?:<dd><em class="sig-param">.*?</dd>\s*)+)</dl>', re.DOTALL)
_CITATIONS = re.compile(r' role="list"(?= class="citation-list")| role="doc-biblioentry"')


def mended(body: str) -> str:
    """A page's HTML, in which headings of pandas' tables say what they head, and roles are such as exist.

    A styled frame (T_...) lacks the class by which the theme knows a frame. An empty heading names nothing, so it
    becomes an empty cell. docutils gives its list of citations the role of a list, whose items must be list items,
    and gives them a role that ARIA has withdrawn. Sphinx writes a long signature's parameters as a list of definitions
    without terms; they become lines, which the book's style sheet sets.
    """
    body = _STYLED.sub(r'<table id="\1" class="dataframe">', body)
    body = _PARAMETERS.sub(_as_lines, body)
    return _CITATIONS.sub("", _FRAME.sub(lambda table: _with_scopes(table[0]), body))


def _as_lines(found: re.Match[str]) -> str:
    return found[1].replace("<dd>", '<span class="jal-parameter">').replace("</dd>", "</span>")


def _with_scopes(table: str) -> str:
    head, end, rows = _EMPTY.sub("<td></td>", table).partition("</thead>")
    return _scoped(head, "col") + end + _scoped(rows, "row")


def _scoped(part: str, scope: str) -> str:
    def heading(found: re.Match[str]) -> str:
        group = "group" if f"{scope}span=" in found[1] else ""
        return f'<th scope="{scope}{group}"{found[1]}>'

    return _HEADING.sub(heading, part)


def _mend(app: Sphinx, page: str, template: str, context: dict[str, Any], document: object) -> None:
    if "body" in context:
        context["body"] = mended(context["body"])


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx, which takes the answer as this extension's properties."""
    app.connect("html-page-context", _mend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
