"""What chapters show alike: a table in which each cell opens its runs, and its twins where HTML cannot be shown."""

import base64
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from jal.analysis import page
from jal.analysis.cell_runs import HINT, CellRuns, drawing
from jal.analysis.comparison import Cell, comparison
from jal.analysis.frame import frame as frame_of
from jal.analysis.frame import of_records
from jal.analysis.records import GridRecords, read
from jal.analysis.stats import Summary
from jal.analysis.text import UNTRUE
from jal.experiments.grids import get
from tests.analysis.dressed import dressed
from tests.analysis.filled import filled

MISSING = ("GCE", "symmetric 0.2")


@pytest.fixture(scope="module")
def found():
    return dressed(missing=[MISSING])


@pytest.fixture(scope="module")
def frame(found):
    return comparison(
        Cell(row, column, Summary(70.0, 1.0, 3), tuple(found.values(row, column)))
        for row, column in found.cells
    )


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


def test_each_measured_cell_of_a_comparison_opens_its_runs(found, frame):
    tree = parsed(page.table(frame, "Table 3: ours", found).html)
    cells = opened(tree)
    assert len(cells) == len(found.cells) - 1
    text, panel = cells[0]
    assert text == f"measured {frame['mean'][0]:.2f} ± {frame['std'][0]:.2f} (3)"
    assert panel.get("aria-label") == "CE, clean" and panel.get("role") == "dialog"
    assert [th.get("scope") for th in panel.iter("th")] == ["col"] * 4
    runs = [[td.text for td in tr.findall("td")] for tr in panel.iter("tr")][1:]
    expected = [f"{record.accuracy:.2f}" for record in found.runs("CE", "clean").values()]
    assert runs == [
        [str(seed), value, "cuda, float32", "0123456"]
        for seed, value in zip((123, 124, 125), expected, strict=True)
    ]
    assert MISSING not in {tuple(panel.get("aria-label").split(", ")) for _, panel in cells}
    assert HINT in text_of(tree.find("table/caption"))


def test_without_runs_the_table_is_as_it_was(found, frame):
    plain = page.table(frame, "Table 3: ours")
    assert "<button" not in plain.html and HINT not in plain.html
    assert plain.latex == page.table(frame, "Table 3: ours", found).latex
    nothing = comparison(Cell(row, column, Summary(70.0, 1.0, 3)) for row, column in found.cells)
    assert "<button" not in page.table(nothing, "Table 3: ours", found).html


def test_a_grid_of_ours_opens_its_runs_and_has_a_twin_in_markdown(found):
    block = page.grid_block(found, "Ours", name="loss")
    texts = page.grid_table(found, name="loss")
    tree = parsed(block.html)
    cells = opened(tree)
    assert [text for text, _ in cells] == [text for text in texts.to_numpy().ravel() if text]
    rows = tree.findall("table/tbody/tr")
    assert [tr.find("th").text for tr in rows] == list(texts.index)
    assert [text_of(td) for td in rows[2]][:3] == ["GCE", texts.loc["GCE", "clean"], ""]
    assert rows[2][2].find("button") is None

    caption, empty, head, rule, *lines = block.markdown.splitlines()
    assert (caption, empty) == ("*Ours*", "") and set(rule) == set("| -")
    assert head == f"| loss | {' | '.join(texts.columns)} |"
    assert lines[0] == f"| CE | {' | '.join(texts.loc['CE'])} |"
    assert page.grid_block(found).markdown.startswith("|  | clean |")


def test_two_tables_of_one_grid_share_no_id(found):
    one, other = (
        page.grid_block(found),
        page.grid_block(found, value=lambda record: record.curves["test_accuracy"][-1], digits=2),
    )
    again = page.grid_block(found)
    ids = [{panel.get("id") for _, panel in opened(parsed(block.html))} for block in (one, other, again)]
    assert not ids[0] & ids[1] and ids[0] == ids[2]


def test_what_a_label_says_is_no_markup(found):
    grid = replace(
        found.grid,
        rows=("<b>",),
        columns=("a & b",),
        cells={("<b>", "a & b"): found.grid.cells["CE", "clean"]},
    )
    odd = GridRecords(grid, found.seeds, {("<b>", "a & b"): found.runs("CE", "clean")})
    ((_, panel),) = opened(parsed(page.grid_block(odd, "<i>").html))
    assert panel.get("aria-label") == "<b>, a & b"


def test_the_accuracy_is_the_one_of_the_column_s_test_set(found):
    runs = {
        seed: replace(record, accuracies={"imagenet": 33.0})
        for seed, record in found.runs("CE", "clean").items()
    }
    grid = replace(found.grid, test_sets={"clean": "imagenet"})
    block = page.grid_block(GridRecords(grid, found.seeds, {("CE", "clean"): runs}))
    ((_, panel),) = opened(parsed(block.html))
    assert [td.text for td in panel.iter("td")][1] == "33.00"


def test_a_change_since_the_commit_is_said(found):
    record = found.runs("CE", "clean")[123]
    changed = replace(record, environment=record.environment | {"dirty": True})
    some = GridRecords(found.grid, (123,), {("CE", "clean"): {123: changed}})
    assert "0123456 with changes" in page.grid_block(some).html


def test_the_line_under_a_figure_names_runs_seeds_machine_and_commits(make):
    one, other = make(), make(seed=124)
    other = replace(other, environment=other.environment | {"commit": "f" * 40, "dirty": True})
    block = page.provenance(of_records([one, other], "quick"))
    assert block.markdown == (
        "*This chapter's own runs, profile quick: 2 of 2 runs. Seeds 123 and 124. 4 s of training in float32 on cpu on "
        "An Engine. Commits 0123456789ab and ffffffffffff with changes.*"
    )
    assert 'download="own-quick.csv"' in block.html


def test_half_precision_is_said_wherever_its_runs_are_shown(found):
    cell, half = ("CE", "clean"), {}
    for seed, record in found.runs(*cell).items():
        spec = record.spec.at("bfloat16")
        half[seed] = replace(record, id=spec.id, spec=spec)
    mixed = GridRecords(found.grid, found.seeds, {**found.cells, cell: half})
    texts = page.grid_table(mixed)
    assert texts.map(lambda text: text.endswith(" †")).to_numpy().nonzero()[0].tolist() == [0]
    block = page.grid_block(mixed)
    assert 'href="speed.html#speed-half-precision"' in block.html and block.markdown.count("†") == 2
    assert block.html.count("cuda, bfloat16") == 3
    assert "†" not in page.grid_block(found).html + page.grid_block(found).markdown
    total = len(found.records)
    line = page.origin(mixed, "full").markdown
    assert f"{total} of {total + 3} runs, 3 of them in bfloat16. " in line
    assert " of training in bfloat16 and float32 on cuda on An Engine. " in line
    assert list(page.runs(mixed)["precision"][:4]) == ["bfloat16"] * 3 + ["float32"]


def test_the_line_names_a_precision_that_is_not_float32_throughout(make):
    one, other = make(), make(precision="bfloat16")
    both, half = (page.provenance(of_records(runs, "quick")).html for runs in ([one, other], [other]))
    assert "4 s of training in bfloat16 and float32 on cpu" in both
    assert "2 s of training in bfloat16 on cpu" in half


@pytest.mark.parametrize(
    ("precision", "option"), [(None, ""), ("float32", ""), ("bfloat16", " --precision bfloat16")]
)
def test_the_command_that_makes_what_is_missing_has_the_precision(precision, option):
    nothing = read(get("digits", profile="quick", precision=precision), [])
    assert page.origin(nothing, "quick").markdown.endswith(f"`jal sweep digits --profile quick{option}`")


def test_what_a_record_says_of_its_machine_is_no_markup(make):
    record = make()
    said = {"device": "cpu", "processor": "<img src=x onerror=alert(1)> [a](b)", "commit": "<i>`c`"}
    block = page.provenance(of_records([replace(record, environment=record.environment | said)], "quick"))
    for marked in ("<img", "<i>"):
        assert marked not in block.html
    assert (
        "\\<img" in block.markdown and "\\[a\\](b)" in block.markdown and "\\<i\\>\\`c\\`" in block.markdown
    )


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
    values = (0.0, 100.0, 50.0, 25.0)
    svg = ElementTree.fromstring(drawing([make(accuracies=values, memorised=None)]))
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


def test_a_cell_without_runs_has_no_button(found):
    assert CellRuns(found, "").button(*MISSING, "a & b") == "a &amp; b"
    nothing = page.grid_block(GridRecords(found.grid, found.seeds, {}), "Ours").html
    assert "<button" not in nothing and HINT not in nothing and "jal-moving" not in nothing


def test_a_check_shows_nothing_until_it_is_false():
    assert page.check("it is so", 1 > 0) is None
    bundle = page.check("<JAL> leads", np.bool_(False))._repr_mimebundle_()
    assert bundle[UNTRUE] == "<JAL> leads"
    assert "&lt;JAL&gt; leads" in bundle["text/html"] and "<JAL>" not in bundle["text/html"]


def test_own_runs_are_a_table_for_each_metric_and_dataset(tidy_of_two_profiles):
    block = page.own_runs(tidy_of_two_profiles, {"accuracy": "accuracy", "memorised": "wrong labels"})
    assert [line for line in block.markdown.splitlines() if line.startswith("*digits")] == [
        "*digits (profile quick): accuracy*",
        "*digits (profile quick): wrong labels*",
    ]
    assert "| JAL-CE | 70.0 ± 1.0 |" in block.markdown and "full" not in block.html
    # A profile without any run has its command alone.
    assert "Fashion-MNIST (profile" not in block.markdown
    assert "`jal sweep table2 --profile laptop`" in block.markdown


@pytest.fixture
def tidy_of_two_profiles():
    def run(row, column, seed):
        return {"test_accuracy": [70.0 + seed - 124] * 80, "memorised": [5.0] * 80}

    grid = replace(get("table2", profile="quick"), seeds=(123, 124, 125))
    frames = [
        frame_of(filled(get("table2", profile=name), lambda *run: None), profile=name)
        for name in ("full", "laptop")
    ]
    return pd.concat([*frames, frame_of(filled(grid, run), profile="quick")])


def test_the_numbers_behind_a_figure_are_saved_however_small():
    frame = pd.DataFrame({"p": [1e-17, 0.123456, np.nan], "n": [50_000, 2, 3], "loss": ["CE", "JAL-CE", "x"]})
    html = page.source("Computed.", frame, "p.csv").html
    saved = base64.b64decode(re.search(r"base64,([^\"]+)", html)[1]).decode()
    assert saved.splitlines() == ["p,n,loss", "1e-17,50000,CE", "0.12346,2,JAL-CE", ",3,x"]
