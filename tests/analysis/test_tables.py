"""Tables out of the tidy frame: each cell is where it belongs, says what it holds and opens its runs."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib import pyplot as plt

from jal.analysis import page, tables
from jal.analysis.frame import frame, recorded
from jal.analysis.records import GridRecords
from jal.analysis.stats import Summary, compare
from jal.analysis.tables import HINT, MARKS, against_paper, drawing, heat_map
from jal.experiments.grids import get
from tests.analysis.dressed import dressed

MISSING = ("GCE", "symmetric 0.2")
REPORTED = Summary(70.0, 1.0, 3)


@pytest.fixture(scope="module")
def found():
    return dressed(missing=[MISSING])


@pytest.fixture(scope="module")
def tidy(found):
    def lookup(row, column):
        return {"FL": None, "MAE": Summary(70.0, None, None)}.get(row, REPORTED)

    return frame(found, lookup=lookup)


@pytest.fixture(scope="module")
def cells(tidy):
    return against_paper(tidy)


def parsed(html):
    # Attributes without a value are HTML's alone.
    return ElementTree.fromstring(html.replace("<div popover ", '<div popover="" '))


def text_of(element):
    return " ".join("".join(element.itertext()).split())


def opened(tree):
    """The text of each button, and the panel that it opens."""
    panels = {panel.get("id"): panel for panel in tree.iter("div") if panel.get("popover") is not None}
    buttons = list(tree.iter("button"))
    assert [button.get("popovertarget") for button in buttons] == list(panels)
    return [(text_of(button), panels[button.get("popovertarget")]) for button in buttons]


def one_cell(found, runs=None, grid=None, cell=("CE", "clean")):
    """A frame of one cell alone, of these runs."""
    runs = found.runs("CE", "clean") if runs is None else runs
    grid = replace(
        grid or found.grid, rows=(cell[0],), columns=(cell[1],), cells={cell: found.grid.cells["CE", "clean"]}
    )
    return frame(GridRecords(grid, tuple(runs), {cell: runs}), lookup=lambda *_: None)


def test_a_row_for_each_cell_with_its_verdict(found, cells):
    row = cells.set_index(["row", "column"]).loc[("CE", "clean")]
    expected = compare(found.values("CE", "clean"), REPORTED)
    assert (row["difference"], row["low"], row["verdict"]) == (
        expected.difference,
        expected.low,
        expected.verdict,
    )
    assert (row["reported_mean"], row["reported_n"], row["n"], row["half"]) == (70.0, 3, 3, False)
    by_row = cells.set_index("row")["verdict"]
    assert set(by_row["FL"]) == {"not reported"} and set(by_row.get("MAE", [])) <= {"no std"}
    missing = cells[cells["row"].eq(MISSING[0]) & cells["column"].eq(MISSING[1])].iloc[0]
    assert (missing["verdict"], missing["n"]) == ("not run", 0) and np.isnan(missing["mean"])


def test_a_comparison_of_nothing_has_the_same_types(cells):
    assert against_paper(recorded("table5")).dtypes.to_dict() == cells.dtypes.to_dict()


def test_each_measured_cell_opens_its_runs(found, tidy, cells):
    tree = parsed(page.comparison(tidy, "Ours & theirs").html)
    buttons = opened(tree)
    assert len(buttons) == len(found.cells) - 1
    text, panel = buttons[0]
    assert text == f"measured {cells['mean'][0]:.2f} ± {cells['std'][0]:.2f} (3)"
    assert panel.get("aria-label") == "CE, clean" and panel.get("role") == "dialog"
    assert [th.get("scope") for th in panel.iter("th")] == ["col"] * 4
    runs = [[td.text for td in tr.findall("td")] for tr in panel.iter("tr")][1:]
    expected = [f"{record.accuracy:.2f}" for record in found.runs("CE", "clean").values()]
    assert runs == [
        [str(seed), value, "cuda, float32", "0123456"]
        for seed, value in zip((123, 124, 125), expected, strict=True)
    ]
    assert MISSING not in {tuple(panel.get("aria-label").split(", ")) for _, panel in buttons}
    assert text_of(tree.find("table/caption")) == f"Ours & theirs {HINT}"


def test_a_cell_says_in_words_what_it_holds(tidy, cells):
    tree = parsed(page.comparison(tidy, "").html)
    first = tree.find("table/tbody/tr/td")
    lines = [text_of(line) for line in first]
    assert lines[0].startswith("measured ") and lines[1] == "reported 70.00 ± 1.00 (3)"
    assert re.fullmatch(r"[+−]\d+\.\d\d \[[+−]\d+\.\d\d, [+−]\d+\.\d\d\]", lines[2])
    assert lines[3] == f"{MARKS[cells['verdict'][0]]} {cells['verdict'][0]}"
    assert first.get("class") == f"jal-{cells['verdict'][0]}"
    signs = tree.findall(".//td//span")
    assert signs and all(sign.get("aria-hidden") == "true" for sign in signs)
    assert not re.search(r"style=|<style", page.comparison(tidy, "").html)


def test_where_nothing_was_run_what_is_reported_stands_alone():
    block = page.comparison(recorded("table5"), "Table 5")
    assert "none of these cells has been run" in block.html and "<button" not in block.html
    assert "81.25 ± 0.10" in block.html and "measured" not in block.latex


def test_headings_stand_over_rates_and_are_whole_otherwise():
    rates = list(tables._html_head(["clean", "symmetric 0.2", "symmetric 0.4"]))
    assert len(rates) == 2 and 'colspan="2">symmetric<' in rates[0] and ">0.4<" in rates[1]
    for whole in (["the recipe", "learning rate 3"], ["1 epoch", "2 epochs"], ["clean", "human worst"]):
        (line,) = tables._html_head(whole, "loss")
        assert all(f'<th scope="col">{name}</th>' in line for name in ["loss", *whole])


def test_a_table_of_ours_opens_its_runs_and_has_a_twin_in_markdown(tidy):
    block = page.runs_table(tidy, "Ours", name="loss")
    texts = tables.grid_texts(tidy)
    buttons = opened(parsed(block.html))
    assert [text for text, _ in buttons] == [text for text in texts.to_numpy().ravel() if text]
    caption, empty, head, rule, *lines = block.markdown.splitlines()
    assert (caption, empty) == ("*Ours*", "") and set(rule) == set("| -")
    assert head == f"| loss | {' | '.join(texts.columns)} |"
    assert lines[0] == f"| CE | {' | '.join(texts.loc['CE'])} |"
    memorised = tables.grid_texts(tidy, metric="memorised")
    assert (
        memorised.loc["CE", "clean"] == ""
        and memorised.loc["FL", "symmetric 0.4"] != texts.loc["FL", "symmetric 0.4"]
    )


def test_two_tables_of_one_grid_share_no_id(tidy):
    blocks = page.runs_table(tidy), page.runs_table(tidy, metric="best"), page.runs_table(tidy)
    ids = [{panel.get("id") for _, panel in opened(parsed(block.html))} for block in blocks]
    assert not ids[0] & ids[1] and ids[0] == ids[2]


def test_what_a_label_says_is_no_markup(found):
    odd = one_cell(found, cell=("<b>", "a & b"))
    ((_, panel),) = opened(parsed(page.runs_table(odd, "<i>").html))
    assert panel.get("aria-label") == "<b>, a & b"


def test_the_accuracy_is_the_one_of_the_column_s_test_set(found):
    runs = {
        seed: replace(record, accuracies={"imagenet": 33.0})
        for seed, record in found.runs("CE", "clean").items()
    }
    tidy = one_cell(found, runs, replace(found.grid, test_sets={"clean": "imagenet"}))
    ((_, panel),) = opened(parsed(page.runs_table(tidy).html))
    assert [td.text for td in panel.iter("td")][1] == "33.00"


def test_a_change_since_the_commit_is_said(found):
    record = found.runs("CE", "clean")[123]
    changed = replace(record, environment=record.environment | {"dirty": True})
    assert "0123456 with changes" in page.runs_table(one_cell(found, {123: changed})).html


@pytest.fixture(scope="module")
def half(found):
    """The grid with one cell whose runs are in bfloat16."""
    cell, runs = ("CE", "clean"), {}
    for seed, record in found.runs("CE", "clean").items():
        spec = record.spec.at("bfloat16")
        runs[seed] = replace(record, id=spec.id, spec=spec)
    return frame(
        GridRecords(found.grid, found.seeds, {**found.cells, cell: runs}), lookup=lambda *_: REPORTED
    )


def test_half_precision_is_marked_and_explained_once(half, tidy):
    html = page.comparison(half, "Ours").html
    assert html.count("†") == 2 and html.count('href="speed.html#speed-half-precision"') == 1
    assert html.count("cuda, bfloat16") == 3
    latex = page.comparison(half, "Ours").latex
    assert latex.count(r"\dagger") == 2
    block = page.runs_table(half)
    assert tables.grid_texts(half).loc["CE", "clean"].endswith(" †") and block.markdown.count("†") == 2
    assert (
        "†"
        not in page.runs_table(tidy).html + page.comparison(tidy, "").html + page.comparison(tidy, "").latex
    )
    line = page.provenance(half).markdown
    assert (
        ", 3 of them in bfloat16. " in line
        and " of training in bfloat16 and float32 on cuda on An Engine. " in line
    )


def test_the_line_under_a_figure_says_what_made_the_runs(found, tidy):
    block = page.provenance(tidy)
    total = len(found.records)
    assert block.markdown.startswith(
        f"*Grid table3-cifar10, profile full: {total} of {total + 3} runs. Seeds 123, 124 and 125."
    )
    assert "Commit 0123456789ab." in block.markdown and "data/results/cifar10" in block.html
    some = page.provenance(tidy[tidy["column"].eq("clean")])
    assert f"{3 * len(found.grid.rows)} of {3 * len(found.grid.rows)} runs" in some.markdown


@pytest.mark.parametrize(
    ("precision", "option"), [(None, ""), ("float32", ""), ("bfloat16", " --precision bfloat16")]
)
def test_the_command_that_makes_what_is_missing_has_the_precision(precision, option):
    grid = get("digits", profile="quick", precision=precision)
    nothing = frame(GridRecords(grid, (123,), {cell: {} for cell in grid.cells}), profile="quick")
    assert page.provenance(nothing).markdown.endswith(f"`jal sweep digits --profile quick{option}`")


def test_what_a_record_says_of_its_machine_is_no_markup(found):
    record = found.runs("CE", "clean")[123]
    said = {"device": "cpu", "processor": "<img src=x onerror=alert(1)> [a](b)", "commit": "<i>`c`"}
    tidy = one_cell(found, {123: replace(record, environment=record.environment | said)})
    block, table = page.provenance(tidy), page.runs_table(tidy)
    for marked in ("<img", "<i>"):
        assert marked not in block.html + table.html
    assert (
        "\\<img" in block.markdown and "\\[a\\](b)" in block.markdown and "\\<i\\>\\`c\\`" in block.markdown
    )


def test_latex_has_two_lines_a_row_and_marks_the_best(cells):
    text = tables.comparison_latex(cells, "Ours & theirs")
    body = text.partition(r"\midrule")[2].partition(r"\bottomrule")[0].strip().splitlines()
    rows = [line.removesuffix(r" \\").split(" & ") for line in body]
    assert [row[:2] for row in rows[:2]] == [["CE", "reported"], ["", "measured"]]
    assert {len(row) for row in rows} == {2 + cells["column"].nunique()}
    assert r"\caption{Ours \& theirs}" in text
    best = cells[cells["column"].eq("clean")].sort_values("mean")["mean"].iloc[-1]
    assert rf"\textbf{{{best:.2f} $\pm$" in text and r"\textsuperscript{" in text


def test_the_map_has_a_square_for_each_cell_and_hatches_what_was_not_run(cells):
    axes = heat_map(cells)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == list(cells["column"].drop_duplicates())
    assert [tick.get_text() for tick in axes.get_yticklabels()] == list(cells["row"].drop_duplicates())
    drawn = {tuple(text.get_position()): text.get_text() for text in axes.texts}
    first = cells.iloc[0]
    assert drawn[0.5, 0.5].endswith(MARKS[first["verdict"]])
    below = list(cells["row"].drop_duplicates()).index(MISSING[0]) + 0.5
    assert not drawn.get((1.5, below)) and drawn[0.5, below] and axes.patch.get_hatch() == "///"
    plt.close("all")


# The curves of a panel.


def points(path):
    """Where a drawn line goes: its start, then step by step."""
    start, _, steps = path.get("d").removeprefix("M").replace("-", " -").partition("l")
    place = [int(number) for number in start.split()]
    found = [tuple(place)]
    numbers = [int(number) for number in steps.split()]
    for dx, dy in zip(numbers[::2], numbers[1::2], strict=True):
        place = [place[0] + dx, place[1] + dy]
        found.append(tuple(place))
    return found


def lines(svg, kind):
    (group,) = (g for g in svg.findall("g") if g.get("class") == kind)
    return [points(path) for path in group]


def test_a_curve_is_drawn_where_its_values_are(make):
    svg = ElementTree.fromstring(drawing([make(accuracies=(0.0, 100.0, 50.0, 25.0), memorised=None)]))
    ((first, *_, last_),) = lines(svg, "jal-accuracy")
    ((*_, upper, middle, _),) = lines(svg, "jal-accuracy")
    assert (first, last_) == ((60, 154), (472, 118))
    assert (upper[1], middle[1]) == (10, 82)
    assert "jal-memorised" not in ElementTree.tostring(svg, "unicode")
    assert svg.get("aria-label") == "Over 4 epochs, test accuracy ends at 25.0 per cent"


def test_each_run_has_its_curves_and_a_long_one_is_thinned(make):
    length = 200
    record = make(accuracies=[float(i % 100) for i in range(length)], memorised=[50.0] * length)
    svg = ElementTree.fromstring(drawing([record, record]))
    for kind in ("jal-accuracy", "jal-memorised"):
        drawn = lines(svg, kind)
        assert len(drawn) == 2
        for line in drawn:
            assert (line[0][0], line[-1][0]) == (60, 472)
            assert 30 <= len(line) <= 40
    assert len(drawing([record, record])) < 3500


def test_one_epoch_is_a_mark(make):
    svg = ElementTree.fromstring(drawing([make(accuracies=(70.0,), memorised=None)]))
    (group,) = (g for g in svg.findall("g") if g.get("class") == "jal-accuracy")
    assert group[0].get("d") == "M60 53h3"
