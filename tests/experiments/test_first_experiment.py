"""What the chapter on the digits says of its curves, with room for other processors."""

import pytest

from jal.experiments import resolve, run


@pytest.fixture(scope="module")
def records():
    words = {"dataset": "digits", "noise": "symmetric", "rate": 0.4}
    return {
        loss: run(resolve(**words, loss=loss), commit=("none", False)) for loss in ("CE", "JAL-CE", "JAL-FL")
    }


def fall(record):
    return max(record.curves["test_accuracy"]) - record.accuracy


def test_cross_entropy_memorises(records):
    curves = records["CE"].curves
    assert max(curves["test_accuracy"]) > 85
    assert curves["memorised"][-1] > 60 > 20 > min(curves["memorised"])
    assert fall(records["CE"]) > 8


@pytest.mark.parametrize("loss", ["JAL-CE", "JAL-FL"])
def test_jal_does_not(records, loss):
    assert records[loss].curves["memorised"][-1] < 25
    assert fall(records[loss]) < 6
    assert records[loss].curves["clean_accuracy"][-1] > 97
    assert records[loss].accuracy > records["CE"].accuracy + 8
