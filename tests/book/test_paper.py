"""The book on paper: which outputs become figures, and what is missing in the LaTeX."""

import base64
import shutil

import nbformat
import pandas as pd
import pytest
from IPython.core.formatters import DisplayFormatter
from nbformat.v4 import new_code_cell, new_notebook, new_output

from jal.book import paper

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><circle r="4"/></svg>'
PIXELS = base64.b64encode(b"\x89PNG pixels").decode()


def shown(tags=(), **data):
    kinds = {"svg": "image/svg+xml", "html": "text/html", "png": "image/png"}
    output = new_output("display_data", data={kinds[kind]: text for kind, text in data.items()})
    return new_code_cell("", metadata={"tags": list(tags)}, outputs=[output])


@pytest.fixture
def converter(monkeypatch):
    """Stands for rsvg-convert, so that the test runs without it."""
    monkeypatch.setattr(paper, "_converted", lambda drawing: b"%PDF of " + drawing.encode())


def test_each_drawing_gets_a_twin_and_tables_with_drawings_in_them_do_not(converter):
    moving = '<figure class="jal-moving"><svg viewBox="0 0 1 1"></svg></figure>'
    table = "<table><td><svg></svg></td></table>"
    cells = [
        shown(svg=SVG),
        shown(html=moving),
        shown(html=table),
        shown(png=PIXELS),
        shown(["remove-output"], svg=SVG),
    ]
    notebook = new_notebook(cells=cells)
    figures = paper.printable(notebook)
    twins = [cell.outputs[0].data.get("application/pdf") for cell in notebook.cells]
    assert [twin is not None for twin in twins] == [True, True, False, False, True]
    # An SVG in a page may do without its name space; by itself it may not.
    assert b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1">' in base64.b64decode(twins[1])
    assert len(figures) == len(set(figures)) == 3
    nbformat.validate(notebook)


def test_tables_are_set_as_they_are_and_what_can_only_be_downloaded_is_gone():
    latex = r"\begin{table}\begin{tabular}{l}1\end{tabular}\end{table}"
    table = new_output("display_data", data={"text/html": "<table></table>", "text/latex": latex})
    link = '<a download="a.csv" href="data:text/csv;base64,AAAA">CSV</a>'
    texts = [
        new_output("display_data", data={"text/html": html, "text/plain": f"Block({html!r})"})
        for html in (f"<p>5 of 6 runs_all. {link}</p>", link)
    ]
    cells = [new_code_cell("", outputs=[table]), new_code_cell("", outputs=texts)]
    assert paper.printable(new_notebook(cells=cells)) == []
    said = cells[0].outputs[0].data["text/markdown"]
    assert (
        said.startswith("```{raw} latex\n\\begin{table}[H]\\begin{adjustbox}{")
        and "text/latex" not in table.data
    )
    assert cells[0].metadata.mystnb["markdown_format"] == "myst" and "mystnb" not in cells[1].metadata
    assert [output.data["text/markdown"] for output in cells[1].outputs] == [r"5 of 6 runs\_all."]


def displayed(frame):
    """The LaTeX of a frame or a Styler that a chapter displays."""
    data, _ = DisplayFormatter().format(frame)
    cell = new_code_cell("", outputs=[new_output("display_data", data=dict(data))])
    paper.printable(new_notebook(cells=[cell]))
    assert cell.metadata.mystnb["markdown_format"] == "myst"
    return cell.outputs[0].data["text/markdown"].splitlines()


def test_a_frame_becomes_a_table_whose_special_characters_are_escaped():
    frame = pd.DataFrame({"share_%": ["1 ± 2", "−3"], "R&D": ["α [x]", "$5"]}, index=["a{}", "[b]"])
    begun, shown = displayed(frame), displayed(frame.style)
    assert (
        begun[2:-3]
        == shown[2:-3]
        == [
            r"\toprule",
            r" & share\_\% & R\&D \\",
            r"\midrule",
            r"a\{\} & 1 ± 2 & α {[}x{]} \\",
            r"{[}b{]} & −3 & \$5 \\",
        ]
    )
    assert begun[0] == "```{raw} latex" and begun[-1] == "```"
    assert begun[1].startswith(r"\begin{adjustbox}{max totalsize=") and begun[1].endswith(r"{tabular}{lrl}")


def test_levels_of_rows_and_columns_span_what_they_do_on_the_screen():
    rows = pd.MultiIndex.from_product([["one", "two"], [1, 2]], names=["data", "seed"])
    columns = pd.MultiIndex.from_product([["sym", "asym"], ["last", "best"]])
    assert displayed(pd.DataFrame([[1, 2, 3, 4]] * 4, rows, columns))[3:-3] == [
        r" &  & \multicolumn{2}{c}{sym} & \multicolumn{2}{c}{asym} \\\cmidrule(lr){3-4}\cmidrule(lr){5-6}",
        r"data & seed & last & best & last & best \\",
        r"\midrule",
        r"one & 1 & 1 & 2 & 3 & 4 \\",
        r" & 2 & 1 & 2 & 3 & 4 \\",
        r"two & 1 & 1 & 2 & 3 & 4 \\",
        r" & 2 & 1 & 2 & 3 & 4 \\",
    ]


def test_long_texts_share_the_page():
    one, three = (displayed(pd.DataFrame([["of words " * 9] * n]).style.hide())[1] for n in (1, 3))
    assert one.count("p{18em}") == 1 and three.count("p{12em}") == 3


@pytest.mark.skipif(shutil.which("rsvg-convert") is None, reason="no rsvg-convert")
def test_a_drawing_becomes_a_pdf():
    assert paper._converted(SVG).startswith(b"%PDF")


def test_a_figure_that_is_not_included_is_missed_in_its_chapter(tmp_path):
    for name in ("a.pdf", "b.pdf"):
        (tmp_path / name).write_text(name)
    (tmp_path / "jal.tex").write_text(
        "\\noindent\\sphinxincludegraphics{{a}.pdf}\n"
        "\\sphinxincludegraphics[width=9cm]{{a}.pdf} \\sphinxincludegraphics{{gone}.pdf}"
    )
    a, b = (paper._checksum(name.encode()) for name in ("a.pdf", "b.pdf"))
    assert paper._missing(tmp_path, {"one": [a], "two": [a]}) == []
    assert paper._missing(tmp_path, {"one": [a, b], "two": [a]}) == ["one"]
    assert paper._missing(tmp_path, {"one": [a, a], "two": [a]}) == ["two"]
