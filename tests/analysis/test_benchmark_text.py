"""The benchmark chapters say what the tables hold: checked on small tables made by hand, and on the paper's."""

import pandas as pd
import pytest

from jal.analysis import benchmark_text as text
from jal.analysis.claims import CLAIMS, claims
from jal.analysis.comparison import Cell, comparison
from jal.analysis.noise_reports import DATASETS, read_all
from jal.analysis.paper import reported
from jal.analysis.stats import Summary
from jal.analysis.studies import cell_curves
from jal.errors import InputError
from jal.experiments.grids import get
from tests.analysis.filled import filled

CLEAR = {"JAL-CE": Summary(90.0, 0.1, 3), "JAL-FL": Summary(89.0, 0.1, 3), "CE": Summary(80.0, 0.1, 3)}
BEHIND = {"JAL-CE": Summary(70.0, 0.1, 3), "CE": Summary(75.0, 0.1, 3), "ANL-CE": Summary(72.0, 0.1, 3)}
OPEN = {"JAL-CE": Summary(60.0, 2.0, 3), "CE": Summary(59.5, 2.0, 3)}


@pytest.fixture(scope="module")
def reports():
    return {name: read_all(name) for name in DATASETS}


def test_either_side_of_a_comparison_by_column():
    frame = comparison(
        [
            Cell("CE", "clean", Summary(90.5, 0.2, 3), (91.0, 92.0)),
            Cell("LT-APL", "clean", Summary(89.0, 0.1, None)),
            Cell("CE", "symmetric 0.2", None),
        ]
    )
    assert text.columns_of(frame) == {
        "clean": {"CE": Summary(90.5, 0.2, 3), "LT-APL": Summary(89.0, 0.1, None)},
        "symmetric 0.2": {},
    }
    assert text.columns_of(frame, "measured")["clean"] == {"CE": Summary(91.5, pytest.approx(0.5**0.5), 2)}
    with pytest.raises(InputError, match="unknown side 'ours'"):
        text.columns_of(frame, "ours")


def test_places_are_by_mean_and_shared_by_equals():
    ties = {"CE": Summary(5.0, None, 1), "JAL-CE": Summary(5.0, None, 1)}
    table = text.places({"clean": CLEAR, "symmetric 0.2": ties, "symmetric 0.4": {}})
    assert table["", "clean"].to_dict() == {"JAL-CE": "1", "JAL-FL": "2", "CE": "3"}
    assert table["symmetric", "0.2"].to_dict() == {"JAL-CE": "1", "JAL-FL": "", "CE": "1"}
    assert set(table["symmetric", "0.4"]) == {""}
    assert table["", "mean place"].to_dict() == {"JAL-CE": "1.0", "JAL-FL": "2.0", "CE": "2.0"}


def test_places_in_words():
    assert text.said_of_places({"a": CLEAR, "b": BEHIND, "c": OPEN, "d": {}}) == (
        "JAL-CE is first in 2 and second in 0 of 3 columns; JAL-FL is first in 0 and second in 1 of 1 column. "
        "First elsewhere: CE (1)."
    )
    without = {"b": {loss: found for loss, found in BEHIND.items() if loss != "JAL-CE"}}
    assert text.said_of_places(without).startswith("JAL-CE has no number there; JAL-FL has no number there.")
    assert text.said_of_places({"a": {}}) == "No column has a number yet, so there are no places."


def test_leads_in_words():
    said = text.said_of_leads({"first": CLEAR, "second": BEHIND, "third": OPEN, "fourth": {}})
    assert said == (
        "The better of JAL-CE and JAL-FL has the higher mean in 2 of 3 columns, beyond the interval in 1; it is "
        "behind by more than the interval in 1. The lead goes from −5.00 points (second, over CE) to +10.00 "
        "(first, over CE)."
    )
    assert (
        "beyond the interval in none; it is behind by more than the interval in none."
        in text.said_of_leads({"third": OPEN})
    )
    # A single run has no interval, and settles nothing.
    single = {loss: Summary(found.mean, None, 1) for loss, found in CLEAR.items()}
    assert "beyond the interval in none" in text.said_of_leads({"first": single})
    assert "nothing leads" in text.said_of_leads({"fourth": {"CE": Summary(1.0, None, 1)}})


def test_claims_as_a_list_have_both_outcomes():
    which = text.of_table(4)
    assert {claim.table for claim in which} == {4} and len(which) == 2
    said = text.as_list(claims(which=which)).splitlines()
    assert len(said) == 2
    assert said[0].startswith(f"- “{which[0].quote}” (Section 5.1, Table 4). Test: ")
    assert "Reported: **holds**, JAL-CE in 6 of 6, JAL-FL in 6 of 6. Measured: **not run**." in said[0]


def cells(**columns):
    """Cells of three equal runs each, by column and loss."""
    return [
        Cell(loss, name.replace("_", " ").replace("-", "."), None, (mean - 0.1, mean, mean + 0.1))
        for name, column in columns.items()
        for loss, mean in column.items()
    ]


def test_the_tests_of_claims_are_borrowed_for_columns_of_the_same_name():
    rows = {"CE": 50.0, "NCE+AGCE": 60.0, "JAL-CE": 70.0, "JAL-FL": 69.0}
    found = cells(**{"symmetric_0-8": rows, "asymmetric_0-4": rows, "another_0-5": rows})
    lines = text.elsewhere(found).splitlines()
    assert [line.split("**")[1] for line in lines] == ["holds"] * 3
    assert "in more than half of 2 columns" in lines[0]
    assert "by 2.5 points or more" in lines[1] and "symmetric 0.8: **holds**" in lines[1]
    # NCE+AUL, which the paper names as well, was not run.
    assert lines[2].startswith("- The better of JAL-CE and JAL-FL above NCE+AGCE, Welch's")

    beaten = cells(**{"symmetric_0-8": rows | {"CE": 80.0}})
    assert [line.split("**")[1] for line in text.elsewhere(beaten).splitlines()] == [
        "fails",
        "fails",
        "holds",
    ]
    without = {loss: mean for loss, mean in rows.items() if loss != "NCE+AGCE"}
    assert len(text.elsewhere(cells(**{"symmetric_0-8": without})).splitlines()) == 2
    assert text.elsewhere(cells(**{"another_0-5": rows})) == ""


def test_second_hand_numbers_stand_beside_the_best_of_the_paper():
    table = text.second_hand()
    assert list(table.index) == [
        *("symmetric 0.4", "symmetric 0.6", "asymmetric 0.3", "asymmetric 0.4", "symmetric 0.8")
    ]
    assert table.loc["symmetric 0.4"].tolist() == ["64.11", "64.55", "", "ANL-FL 61.89", "+2.66"]
    assert table.loc["symmetric 0.8"].tolist() == ["", "", "22.80", "ANL-FL 28.81", "−6.01"]
    # And they are not in the paper's table.
    hundred = reported(3).query("dataset == 'cifar100' and loss in ('JAL-CE', 'JAL-FL')")
    assert len(hundred) == 18 and hundred["mean"].isna().all()


def test_ends_in_words():
    grid = get("table3-cifar10", profile="quick")

    peaks = {"CE": 89.0, "JAL-CE": 85.0}
    ends = {("CE", "symmetric 0.6"): 60.0, ("JAL-CE", "symmetric 0.6"): 84.5}

    def curves(row, column, seed):
        if seed != 123 or row not in peaks or column not in ("clean", "symmetric 0.6"):
            return None
        end = ends.get((row, column), peaks[row])
        return {"test_accuracy": [50.0, peaks[row], *[end] * 78]}

    said = text.said_of_ends(cell_curves.ends(filled(grid, curves)))
    assert said == (
        "In 3 of 4 cells with a run the last epoch is within 1 point of the best. The most is lost by CE under "
        "symmetric 0.6: 29.0 points from epoch 2 to the last. Ranked by the best epoch instead of the last, another "
        "loss would come first in 1 of 2 columns."
    )
    nothing = cell_curves.ends(filled(grid, lambda *_: None))
    assert text.said_of_ends(nothing) == "No cell has been run yet."


def test_two_noises_side_by_side(reports):
    table = text.two_noises(reports)
    assert len(table) == 6
    row = table.loc[("CIFAR-10", "60 %")]
    assert row["labels wrong", "fixed"] == "60.00 %" != row["labels wrong", "PDN"]
    assert set(table["images whose true label leads", "fixed"]) == {"not known"}
    led = reports["cifar10"]["instance pdn 0.6"].images.dominant_share
    assert row["images whose true label leads", "PDN"] == f"{100 * led:.1f} %"


def test_the_condition_of_the_theorem_by_the_labels_of_people(reports):
    table = text.condition(reports, {"cifar10": 30.0, "cifar100": 20.0})
    assert list(table["condition"]) == ["holds"] * 5 + ["fails"]
    assert table.loc["CIFAR-100N, noisy", "smallest a"] == "inf"
    low = text.condition(reports, {"cifar10": 1.4, "cifar100": 20.0})["condition"]
    assert low["CIFAR-10N, aggre"] == "holds" and low["CIFAR-10N, worst"] == "fails"


def test_accuracies_by_the_true_rate(reports):
    frame = text.by_true_rate(reports)
    one = frame.query("dataset == 'cifar10' and loss == 'CE'").set_index(["noise", "rate"])["mean"]
    assert one["symmetric", 0.0] == 90.50
    assert one["symmetric", 0.7992] == 19.74
    assert one["worst", 0.40208] == 61.43
    assert frame["mean"].notna().all()


def test_gaps_are_taken_at_the_same_rate():
    rows = [
        ("cifar10", "symmetric", "CE", 0.4, 60.0, 0.1),
        ("cifar10", "symmetric", "CE", 0.0, 90.0, 0.1),
        ("cifar10", "worst", "CE", 0.2, 80.0, 0.1),
        ("cifar10", "symmetric", "GCE", 0.0, 90.0, 0.1),
        ("cifar10", "symmetric", "GCE", 0.4, 84.0, 0.1),
        ("cifar10", "worst", "GCE", 0.2, 80.0, 0.1),
        ("cifar10", "worst", "JAL-CE", 0.2, 81.0, 0.1),
    ]
    frame = pd.DataFrame(rows, columns=["dataset", "noise", "loss", "rate", "mean", "std"])
    found = text.gaps(frame)
    assert found["gap"].tolist() == pytest.approx([5.0, -7.0])
    assert text.gap_table(found).to_dict() == {"CIFAR-10N worst": {"CE": "+5.0", "GCE": "−7.0"}}
    assert text.said_of_gaps(found) == (
        "- **CIFAR-10N worst** (20.0 % wrong): 1 of 2 losses do worse than under symmetric noise of that rate; "
        "from −7.0 points (GCE) to +5.0 (CE)."
    )


def test_every_claim_has_its_chapters_table():
    assert sum(len(text.of_table(table)) for table in (3, 4, 5, 6)) == len(CLAIMS)
