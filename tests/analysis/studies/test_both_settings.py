"""The paper's settings against the release's: what differs is named, and gaps are known."""

import pytest
from scipy.stats import ttest_ind

from jal.analysis.studies.both_settings import changes, gaps, in_words, pairs, table
from jal.errors import InputError
from jal.experiments.grids import get
from tests.analysis.filled import filled

GRID = get("settings", profile="laptop")
LOSSES = ["CE", "GCE", "NCE+RCE", "NCE+AUL", "NCE+AGCE", "CE+LC"]


def accuracy(row, column, seed):
    """The paper's settings have as many points more as the loss's place; twice the spread."""
    loss, which = row.split(", ")
    place = LOSSES.index(loss) if loss in LOSSES else 0
    paper = which == "paper"
    return 80.0 + place * paper + 0.1 * (seed - 124) * (1 + paper)


def test_the_losses_that_are_there_both_ways():
    assert list(pairs(GRID)) == LOSSES
    assert pairs(GRID)["GCE"] == ("GCE, official", "GCE, paper")
    with pytest.raises(InputError, match="ranking has no loss under both settings"):
        pairs(get("ranking", profile="laptop"))


def test_what_differs_is_named():
    frame = changes(get("settings"))
    assert frame.loc["CE"].tolist() == ["L2 1e-04", "L1 5e-05"]
    assert frame.loc["GCE"].tolist() == ["q = 0.7, L2 1e-04", "q = 0.9, L1 5e-05"]
    assert frame.loc["NCE+AGCE"].tolist() == ["alpha = 1, L2 1e-04", "alpha = 10, L1 5e-05"]


def test_the_gaps_are_paper_less_release():
    frame = gaps(filled(GRID, accuracy))
    clean = frame[frame["column"] == "clean"]
    assert clean["difference"].tolist() == pytest.approx([0, 1, 2, 3, 4, 5])
    one, other = (
        [accuracy(f"GCE, {which}", "clean", s) for s in GRID.seeds] for which in ("paper", "official")
    )
    interval = ttest_ind(one, other, equal_var=False).confidence_interval()
    assert clean.iloc[1][["low", "high"]].tolist() == pytest.approx([interval.low, interval.high])
    assert (frame["n"] == 3).all() and (frame["n_over"] == 3).all()
    assert table(frame).loc["GCE", "clean"] == f"+1.0 [+{interval.low:.1f}, +{interval.high:.1f}]"


def test_the_sentence_holds_the_numbers():
    records = filled(
        GRID, lambda row, column, seed: accuracy(row, column, seed) if column == "clean" else None
    )
    assert in_words(gaps(records)) == (
        "6 of 24 pairs have been run under both settings. Of 6 with an interval, 5 exclude 0: GCE under clean, NCE+RCE "
        "under clean, NCE+AUL under clean, NCE+AGCE under clean and CE+LC under clean. The paper's settings change "
        "most for CE+LC under clean, by +5.0 [+4.6, +5.4] points."
    )


def test_single_runs_and_none():
    one = filled(GRID, lambda row, column, seed: accuracy(row, column, 124) if seed == 123 else None)
    assert "All are of single runs, which have no interval." in in_words(gaps(one))
    nothing = gaps(filled(GRID, lambda *run: None))
    assert in_words(nothing) == "None of the 24 pairs has been run under both settings yet."
    assert table(nothing).empty
    assert list(table(gaps(one)).index) == LOSSES
