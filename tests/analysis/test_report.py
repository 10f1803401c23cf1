"""How much of the paper is measured: from stores with and without Records of the full recipe."""

import pytest

from jal.analysis import report
from jal.analysis.claims import claims
from jal.analysis.comparison import cells_of, comparison
from jal.analysis.records import read
from jal.experiments import Record, Store, grids


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Three runs of one cell of Table 2 and one of another, and a run of Figure 1."""
    store = Store(tmp_path_factory.mktemp("store"))
    table = grids.get("table2")
    for spec, accuracy in zip(table.runs(("NCE", "symmetric 0.4")), (68.0, 69.0, 70.0), strict=True):
        store.put(record(spec, accuracy))
    store.put(record(table.runs(("AMSE", "symmetric 0.4"))[0], 80.0))
    store.put(record(grids.get("figure1").runs(("CE", "symmetric 0.4"))[0], 50.0))
    return store


@pytest.fixture(scope="module")
def frames(store):
    tables = {table: read(grids.get(name), [store]) for table, name in report.TABLES.items()}
    return {table: comparison(cells_of(found)) for table, found in tables.items()}


def record(spec, accuracy):
    return Record(
        schema=1,
        id=spec.id,
        spec=spec,
        accuracy=accuracy,
        curves={"test_accuracy": [accuracy] * spec.recipe.epochs},
        environment={"device": "cpu", "processor": "An Engine", "commit": "0123456789abcdef", "dirty": False},
        timing={"seconds": 1.0, "images_per_second": 1.0},
    )


def test_the_tables_and_figures_are_the_papers_and_each_has_a_chapter():
    assert set(report.CHAPTERS) == {*report.TABLES, *report.FIGURES}
    assert {grids.get(name).table for name in report.TABLES.values()} == set(range(1, 8))


def test_coverage_counts_cells_runs_and_verdicts(store, frames):
    found = report.coverage(frames, [store])
    assert list(found.index) == [*report.TABLES, *report.FIGURES]
    row = found.loc["Table 2"]
    assert (row["cells"], row["reported"], row["measured"], row["untested"]) == (12, 12, 2, 1)
    assert row[["agrees", "differs", "inconclusive"]].sum() == 1
    assert found.loc["Figure 1", "measured"] == 1 and found.loc["Figure 1"].isna()["agrees"]
    assert found.loc["Table 6", "measured"] == 0


def test_coverage_in_words(store, frames):
    found = report.coverage(frames, [store])
    # NCE's runs are a cell of Tables 1, 2, 3 and 7, AMSE's one of Table 2, CE's one of Table 3.
    assert "We have measured 6 cells" in report.in_words(found) and "2 have too few runs" in report.in_words(
        found
    )
    found["measured"] = 0
    assert "None of them has been measured by us yet" in report.in_words(found)


def test_runs_in_bfloat16_count_and_are_told(tmp_path):
    store = Store(tmp_path)
    for seed in grids.get("table2").runs(("NCE", "symmetric 0.4")):
        store.put(record(seed.at("bfloat16"), 69.0))
    store.put(record(grids.get("figure2").specs()[0].at("bfloat16"), 50.0))

    def coverage(precision):
        frames = {
            table: comparison(cells_of(read(grids.get(name), [store], precision=precision)))
            for table, name in report.TABLES.items()
        }
        return report.coverage(frames, [store], precision)

    found = coverage("any")
    assert list(found.loc["Table 2", ["measured", "in bfloat16", "untested"]]) == [1, 1, 0]
    assert list(found.loc["Figure 2", ["measured", "in bfloat16"]]) == [1, 1]
    assert "We have measured 4 cells, all in bfloat16: of those" in report.in_words(found)
    assert not coverage("float32")[["measured", "in bfloat16"]].to_numpy().any()


def test_each_name_links_to_its_chapter_and_the_twin_has_no_links(store, frames):
    block = report.coverage_table(report.coverage(frames, [store]))
    for name, chapter in report.CHAPTERS.items():
        assert f'<a href="{chapter}.html">{name}</a>' in block.html
    assert "html" not in block.latex and "Table 6" in block.latex


def test_claims_are_quoted_with_both_outcomes_and_escaped():
    frame = claims()
    block = report.claims_table(frame)
    assert block.html.count('<th scope="row">') == len(frame)
    assert "<strong>not run</strong>" in block.html and "<strong>holds</strong>" in block.html
    assert "&lt;" in report.claims_table(frame.assign(test="a < b")).html


def test_a_panel_for_each_table_and_a_square_for_each_cell(frames):
    figure = report.every_cell(frames)
    assert [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes] == list(report.TABLES)
    for axes, frame in zip(figure.axes, frames.values(), strict=True):
        assert len(axes.patches) == len(frame)


def test_smaller_versions_are_counted_where_they_exist(store):
    found = report.smaller_table([store])
    assert found.loc["table7", "laptop"] == "" and found.loc["table7", "quick"].startswith("0 of ")
    assert set(found.index) == {*grids.names("laptop"), *grids.names("quick")}
