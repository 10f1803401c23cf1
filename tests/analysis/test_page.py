"""What chapters show alike: a table in which each cell opens its runs, and its twins where HTML cannot be shown."""

import base64
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from jal.analysis import page
from jal.analysis.frame import frame as frame_of
from jal.analysis.frame import of_records
from jal.analysis.text import UNTRUE
from jal.experiments.grids import get
from tests.analysis.filled import filled

MISSING = ("GCE", "symmetric 0.2")


def test_the_line_under_a_figure_names_runs_seeds_machine_and_commits(make):
    one, other = make(), make(seed=124)
    other = replace(other, environment=other.environment | {"commit": "f" * 40, "dirty": True})
    block = page.provenance(of_records([one, other], "quick"))
    assert block.markdown == (
        "*This chapter's own runs, profile quick: 2 of 2 runs. Seeds 123 and 124. 4 s of training in float32 on cpu on "
        "An Engine. Commits 0123456789ab and ffffffffffff with changes.*"
    )
    assert 'download="own-quick.csv"' in block.html


def test_the_line_names_a_precision_that_is_not_float32_throughout(make):
    one, other = make(), make(precision="bfloat16")
    both, half = (page.provenance(of_records(runs, "quick")).html for runs in ([one, other], [other]))
    assert "4 s of training in bfloat16 and float32 on cpu" in both
    assert "2 s of training in bfloat16 on cpu" in half


def test_what_a_record_says_of_its_machine_is_no_markup(make):
    record = make()
    said = {"device": "cpu", "processor": "<img src=x onerror=alert(1)> [a](b)", "commit": "<i>`c`"}
    block = page.provenance(of_records([replace(record, environment=record.environment | said)], "quick"))
    for marked in ("<img", "<i>"):
        assert marked not in block.html
    assert (
        "\\<img" in block.markdown and "\\[a\\](b)" in block.markdown and "\\<i\\>\\`c\\`" in block.markdown
    )


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
