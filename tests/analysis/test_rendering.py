"""A comparison as CSV, LaTeX, HTML and a figure: each cell is where it belongs and says what it holds."""

import csv
import io
import re
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from jal.analysis.comparison import Cell, comparison
from jal.analysis.rendering import MARKS, heat_map, to_csv, to_html, to_latex
from jal.analysis.stats import Summary
from jal.errors import InputError

COLUMNS = ("clean", "symmetric 0.4", "symmetric 0.8", "human worst")


@pytest.fixture
def frame():
    return comparison(
        [
            Cell("CE & co", "clean", Summary(90.0, 0.1, 3), (90.1, 90.0, 90.2)),
            Cell("CE & co", "symmetric 0.4", Summary(60.0, 0.1, 3), (70.1, 70.0, 70.2)),
            Cell("CE & co", "symmetric 0.8", Summary(20.0, 1.0, 3), (19.0, 21.0)),
            Cell("CE & co", "human worst", Summary(61.0, 0.5, 3), ()),
            Cell("MAE (α = 1)", "clean", Summary(91.0, None, None), (91.5,)),
            Cell("MAE (α = 1)", "symmetric 0.4", Summary(60.0, 0.2, 3), (50.0,)),
            Cell("MAE (α = 1)", "human worst", None, (55.0, 56.0)),
            Cell("JAL<CE>", "clean", Summary(89.0, 0.1, None), (88.0, 89.0)),
            Cell("JAL<CE>", "symmetric 0.4", Summary(59.0, 0.2, 3), (60.0, 60.2)),
        ]
    )


def test_the_csv_has_a_line_a_cell_and_its_numbers(frame):
    rows = list(csv.DictReader(io.StringIO(to_csv(frame))))
    assert len(rows) == len(frame)
    assert rows[0] | {"row": "CE & co", "reported_n": "3", "mean": "90.1000", "verdict": "agrees"} == rows[0]
    assert (rows[3]["mean"], rows[3]["n"], rows[3]["verdict"]) == ("", "0", "not run")
    assert [row["reported_n"] for row in rows[4:6]] == ["", "3"]


def latex_rows(text):
    body = text.partition(r"\midrule")[2].partition(r"\bottomrule")[0]
    return [line.removesuffix(r" \\").split(" & ") for line in body.strip().splitlines()]


def test_latex_has_two_lines_a_row_and_its_columns(frame):
    text = to_latex(frame.assign(row=frame["row"].str.replace("&", "and")), "Ours", "tab:ours")
    rows = latex_rows(text)
    assert [row[:2] for row in rows[:3]] == [
        ["CE and co", "reported"],
        ["", "measured"],
        [r"MAE ($\alpha$ = 1)", "reported"],
    ]
    assert {len(row) for row in rows} == {2 + len(COLUMNS)}
    assert rows[0][2] == r"\underline{90.00 $\pm$ 0.10}"
    assert rows[1][2] == r"\underline{90.10 $\pm$ 0.10}$^{=}$"
    assert rows[1][3] == r"\textbf{70.10 $\pm$ 0.10}$^{\neq}$"
    assert rows[1][5] == rows[2][4] == rows[4][5] == "-"
    assert rows[3][2] == r"\textbf{91.50}$^{\Delta}$" and rows[3][3] == "50.00$^{1}$"


def test_latex_headings_stand_over_their_columns(frame):
    text = to_latex(frame, "Ours", "tab:ours")
    head = text.partition(r"\toprule")[2].partition(r"\midrule")[0].strip("\n").splitlines()
    assert head[0] == r" &  &  & \multicolumn{2}{c}{symmetric} & \multicolumn{1}{c}{human} \\"
    assert head[1] == r"\cmidrule(lr){4-5} \cmidrule(lr){6-6}"
    assert head[2] == r" &  & clean & 0.4 & 0.8 & worst \\"
    assert r"\begin{tabular}{llcccc}" in text
    assert r"CE \& co & reported" in text
    assert r"\caption{Ours}" in text and r"\label{tab:ours}" in text
    for name in ("table", "tabular"):
        assert text.count(rf"\begin{{{name}}}") == text.count(rf"\end{{{name}}}") == 1


def test_equal_means_share_their_place(frame):
    text = to_latex(frame, "", "", ["reported"])
    assert text.count(r"\textbf{60.00") == 2
    assert "59.00" in text and r"\underline{59.00" not in text


def test_one_side_alone_has_one_line_a_row(frame):
    text = to_latex(frame, "", "", ["measured"])
    assert r"\begin{tabular}{lcccc}" in text
    assert text.count(r" \\") == 2 + 3 and "reported" not in text
    with pytest.raises(InputError, match="unknown side 'ours'"):
        to_latex(frame, "", "", ["ours"])


def test_latex_without_groups_has_one_heading():
    text = to_latex(
        comparison([Cell("CE_1", "clean", None, (50.0,)), Cell("CE_1", "worst", None, (50.0,))]), "", ""
    )
    assert "multicolumn" not in text and "cmidrule" not in text
    assert r"CE\_1 & reported & - & -" in text


def table(frame, caption="Ours & theirs"):
    return ElementTree.fromstring(to_html(frame, caption))


def text_of(element):
    return " ".join("".join(element.itertext()).split())


def test_html_headings_have_scopes_and_the_table_a_caption(frame):
    html = table(frame)
    assert html.find("caption").text == "Ours & theirs"
    groups, names = html.findall("thead/tr")
    assert [(th.text, th.get("scope"), th.get("colspan")) for th in groups.findall("th")] == [
        ("symmetric", "colgroup", "2"),
        ("human", "colgroup", "1"),
    ]
    assert [(th.text, th.get("scope")) for th in names.findall("th")] == [
        (name, "col") for name in ("clean", "0.4", "0.8", "worst")
    ]
    assert [(th.text, th.get("scope")) for th in html.findall("tbody/tr/th")] == [
        (name, "row") for name in ("CE & co", "MAE (α = 1)", "JAL<CE>")
    ]
    widths = {
        sum(int(cell.get("colspan", 1)) for cell in row) for row in (groups, names, *html.findall("tbody/tr"))
    }
    assert widths == {1 + len(COLUMNS)}


def test_html_says_in_words_what_a_cell_holds(frame):
    rows = [row.findall("td") for row in table(frame).findall("tbody/tr")]
    first = rows[0][0]
    assert [text_of(line) for line in first] == [
        "measured 90.10 ± 0.10 (3)", "reported 90.00 ± 0.10 (3)", "+0.10 [−0.13, +0.33]", "= agrees",
    ]  # fmt: skip
    assert first.get("class") == "jal-agrees"
    assert [text_of(line) for line in rows[0][3]] == ["reported 61.00 ± 0.50 (3)", "– not run"]
    assert rows[0][3].get("class") == "jal-not-run"
    assert [text_of(line) for line in rows[1][0]] == [
        "measured 91.50 (1)", "reported 91.00", "+0.50", "Δ no std",
    ]  # fmt: skip
    assert text_of(rows[1][2]) == ""
    assert text_of(rows[1][3]).endswith("+ not reported")
    assert text_of(rows[2][0]).endswith("Δ no n")
    signs = table(frame).findall(".//td//span")
    assert signs and all(sign.get("aria-hidden") == "true" for sign in signs)


def test_html_brings_no_colour_of_its_own(frame):
    assert not re.search(r"style=|#[0-9a-f]{3,6}\b|<style", to_html(frame, ""))


def test_half_precision_is_marked_and_explained_once():
    cells = [
        Cell("CE", "clean", Summary(90.0, 0.1, 3), (90.1, 90.0, 90.2), precision="bfloat16"),
        Cell("CE", "human worst", Summary(60.0, 0.1, 3), (60.0, 60.1)),
        Cell("GCE", "clean", Summary(60.0, 0.1, 3), (60.0,), precision="bfloat16"),
    ]
    frame = comparison(cells)
    assert [row["precision"] for row in csv.DictReader(io.StringIO(to_csv(frame)))] == [
        "bfloat16", "", "bfloat16",
    ]  # fmt: skip
    # The mark is all that differs: the verdict is the same as any other's.
    plain = comparison(Cell(cell.row, cell.column, cell.reported, cell.measured) for cell in cells)
    assert frame.drop(columns="precision").equals(plain.drop(columns="precision"))

    html = to_html(frame, "Ours")
    assert re.findall(r"measured ([^<]*)<", html) == ["90.10 ± 0.10 (3) †", "60.05 ± 0.07 (2)", "60.00 (1) †"]
    assert html.count("†") == 3 and html.count('href="speed.html#speed-half-precision"') == 1
    latex = to_latex(frame, "Ours", "tab:ours")
    assert re.findall(r"\$\^\{(.*?)\}\$", latex) == [r"=\dagger", r"=", r"1\dagger"]
    assert latex.count(r"\footnotesize $\dagger$ In bfloat16") == 1
    assert "dagger" not in to_latex(frame, "Ours", "tab:ours", ["reported"])
    drawn = heat_map(frame)
    assert [text.get_text().endswith("†") for text in drawn.axes[0].texts] == [True, False, True]
    plt.close(drawn)


@pytest.fixture
def figure(frame):
    drawn = heat_map(frame)
    yield drawn
    plt.close(drawn)


def squares(figure):
    axes = figure.axes[0]
    return {(round(p.get_x() + 0.5), round(p.get_y() + 0.5)): p for p in axes.patches}


def test_the_map_has_a_square_for_each_cell(figure, frame):
    axes = figure.axes[0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == list(COLUMNS)
    assert [tick.get_text() for tick in axes.get_yticklabels()] == list(dict.fromkeys(frame["row"]))
    drawn = squares(figure)
    assert len(drawn) == len(frame) and (2, 1) not in drawn
    texts = {(text.get_position()): text.get_text() for text in axes.texts}
    assert texts[0, 0] == f"+0.1 {MARKS['agrees']}" and texts[1, 0] == f"+10.1 {MARKS['differs']}"
    assert texts[0, 2] == "−0.5 Δ"


def test_what_was_not_run_is_hatched_and_has_no_number(figure):
    drawn = squares(figure)
    hatches = {place: square.get_hatch() for place, square in drawn.items() if square.get_hatch()}
    assert hatches == {(3, 0): "///", (3, 1): "..."}
    assert not [text for text in figure.axes[0].texts if text.get_position() in hatches and text.get_text()]


def test_colour_goes_from_red_below_to_blue_above(figure):
    drawn = squares(figure)
    red, _, blue = to_rgb(drawn[1, 0].get_facecolor())
    assert blue > red
    red, _, blue = to_rgb(drawn[1, 1].get_facecolor())
    assert red > blue


def luminance(colour):
    channels = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return np.dot([0.2126, 0.7152, 0.0722], channels)


def test_numbers_can_be_read_on_every_colour():
    cells = [Cell(f"{d:.1f}", "c", Summary(50.0, 0.1, 3), (50.0 + d,)) for d in np.arange(-6, 6.1, 0.2)]
    figure = heat_map(comparison(cells))
    drawn = squares(figure)
    for text in figure.axes[0].texts:
        ground = luminance(drawn[text.get_position()].get_facecolor())
        light, dark = sorted((luminance(text.get_color()), ground), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5
    plt.close(figure)


def test_the_same_comparison_is_the_same_file(frame, tmp_path):
    for name in ("a", "b"):
        with plt.rc_context({"svg.hashsalt": "jal"}):
            drawn = heat_map(frame)
            drawn.savefig(tmp_path / name, format="svg", metadata={"Date": None})
            plt.close(drawn)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert to_html(frame, "x") == to_html(frame, "x")
