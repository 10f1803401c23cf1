"""What tools leave inaccessible in a page's HTML, and what becomes of it."""

import pandas as pd

from jal.book.accessible import mended


def test_the_headings_of_a_frame_say_what_they_head():
    columns = pd.MultiIndex.from_product([["symmetric"], [0.2, 0.4]])
    rows = pd.MultiIndex.from_tuples([("CE", 1), ("CE", 2)], names=["loss", "seed"])
    made = pd.DataFrame([[1, 2], [3, 4]], index=rows, columns=columns).to_html()
    html = mended(made)
    head, _, body = html.partition("</thead>")
    assert '<th scope="colgroup" colspan="2" halign="left">symmetric</th>' in head
    assert '<th scope="col">0.2</th>' in head and '<th scope="col">loss</th>' in head
    assert '<th scope="rowgroup" rowspan="2" valign="top">CE</th>' in body
    assert '<th scope="row">2</th>' in body
    assert "<th></th>" not in html and "<th>" not in html
    assert html.count("<td></td>") == made.count("<th></th>") > 0


def test_a_styled_frame_is_one_too():
    made = pd.DataFrame([[1.0]], index=["CE"], columns=["clean"]).style.format(precision=1).to_html()
    html = mended(made)
    assert 'class="dataframe"' not in made and html.count('class="dataframe"') == 1
    assert "&nbsp;" in made and "&nbsp;" not in html
    assert html.count("<th") == 3 and html.count(" scope=") == 2, "thead begins like th"


def test_headings_that_say_it_already_and_other_tables_stay():
    ours = '<table class="dataframe jal-grid"><thead><th scope="col">a</th></thead></table>'
    other = '<table class="docutils"><thead><tr><th></th><th>a</th></tr></thead></table>'
    assert mended(ours + other) == ours + other


def test_the_list_of_citations_has_no_role_that_is_not_one():
    html = '<div role="list" class="citation-list"><div class="citation" id="a" role="doc-biblioentry">A</div></div>'
    assert mended(html) == '<div class="citation-list"><div class="citation" id="a">A</div></div>'
    assert mended('<ul role="list"></ul>') == '<ul role="list"></ul>'


def test_the_parameters_of_a_long_signature_are_lines_and_other_lists_stay():
    one, two = (f'<dd><em class="sig-param">{name}</em>,</dd>' for name in "ab")
    other = '<dl class="simple"><dt>a</dt><dd>b</dd></dl>'
    html = mended(f"<dt>f(<dl>\n{one}\n{two}\n</dl>)</dt>{other}")
    assert html.count('<span class="jal-parameter"><em class="sig-param">') == 2
    assert html.endswith(other) and html.count("<dl") == 1
