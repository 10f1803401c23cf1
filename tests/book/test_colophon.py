"""How a page was made, at its end: text of the notebook and of the machine is text on the page."""

from nbformat import from_dict
from nbformat.v4 import new_code_cell, new_notebook

from jal.book import colophon


def test_what_is_said_of_the_machine_and_the_parameters_is_no_markup():
    about = dict.fromkeys(("device", "processor", *colophon.VERSIONS), "<b>x</b>")
    metadata = {
        "jal": {"profile": "quick", "environment": about | {"commit": "](x)<i>", "dirty": False}},
        "papermill": {"start_time": "2026-01-02T03:04:05+00:00", "duration": 1.0},
    }
    cell = new_code_cell("a = '`` <u>'", metadata={"tags": ["parameters"]})
    notebook = from_dict(new_notebook(cells=[cell]) | {"metadata": metadata})
    colophon.sign(notebook, "first", "https://host.example/a/b", printed=True)
    said = notebook.cells[-1].source
    assert "<b>" not in said and said.count("\\<b\\>x\\</b\\>") == len(about)
    assert "``` a = '`` <u>' ```" in said
    assert "[\\](x)\\<i\\>](https://host.example/a/b/commit/%5D%28x%29%3Ci%3E)" in said
