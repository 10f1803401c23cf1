import math

import numpy as np
import pytest

from jal.errors import InputError
from jal.noise import (
    asymmetric,
    corrupt,
    empirical_transition,
    pair,
    read_predictions,
    read_transition,
    symmetric,
    threshold,
    threshold_of,
)
from jal.theory import is_asymmetric


@pytest.mark.parametrize(("rate", "a"), [(0.2, 1.286), (0.4, 1.8), (0.6, 3.0), (0.8, 9.0)])
def test_thresholds_of_symmetric_noise(rate, a):
    assert threshold(symmetric(10, rate)).a == pytest.approx(a, abs=5e-4)


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100", "mnist"])
def test_thresholds_of_pair_flips(dataset):
    for rate in (0.1, 0.2, 0.3, 0.4):
        assert threshold(asymmetric(dataset, rate)).a == pytest.approx(1 / (1 - 2 * rate))


def test_it_names_the_deciding_class():
    answer = threshold(asymmetric("cifar10", 0.4))
    assert (answer.true_class, answer.rival) == (2, 0)
    assert (answer.kept, answer.lost) == (0.6, 0.4)
    assert str(answer).startswith("a >= 5\n")


def test_a_zero_row_elsewhere_names_a_rival_that_is_not_the_class_itself():
    answer = threshold(np.eye(3))
    assert answer.a == 1 and answer.rival != answer.true_class


def test_without_a_dominant_label_there_is_no_a():
    answer = threshold(asymmetric("cifar10", 0.5))
    assert math.isinf(answer.a) and answer.margin == 0
    assert str(answer).startswith(
        "no a is enough\nclass 2 keeps its label with probability 0.5 and becomes 0"
    )


@pytest.mark.parametrize("rate", np.linspace(0.05, 0.85, 17))
def test_the_printed_bound_is_one(rate):
    """Rounding for print goes up, so that the printed value itself satisfies the condition."""
    for q in (2.0, 3.0):
        T = symmetric(10, rate)
        printed = float(str(threshold(T, q)).splitlines()[0].removeprefix("a >= "))
        assert is_asymmetric(T[0], printed, q)
        assert printed == pytest.approx(threshold(T, q).a, rel=2e-6)


def test_a_matrix_from_a_file(tmp_path):
    file = tmp_path / "T.csv"
    file.write_text("0.7, 0.3\n0.1, 0.9\n")
    np.testing.assert_array_equal(read_transition(file), [[0.7, 0.3], [0.1, 0.9]])


def test_an_empirical_transition_goes_through_a_file(tmp_path):
    """What `jal threshold --matrix` reads."""
    true = np.repeat(np.arange(10), 100)
    T = empirical_transition(true, corrupt(true, pair(10, 0.2), 1), 10)
    np.savetxt(tmp_path / "T.csv", T, delimiter=",")
    assert threshold(read_transition(tmp_path / "T.csv")) == threshold(T)
    assert threshold(T).a == pytest.approx(1 / 0.6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"0.7,0.4\n0.1,0.9\n", "row 0 of the transition matrix sums to 1.1"),
        (b"a,b\nc,d\n", "not a table"),
        (b"0.5,0.5\n1\n", "not a table"),
        (b"\xff\xfe\x00", "not a table"),
        (b"", "shape"),
    ],
)
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_bad_files_are_refused_in_one_line(tmp_path, content, message):
    file = tmp_path / "T.csv"
    file.write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        read_transition(file)
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="cannot read"):
        read_transition(tmp_path / "absent.csv")


@pytest.mark.parametrize("q", [0.5, 2.0, 3.0])
@pytest.mark.parametrize("rate", [0.0, 0.3, 0.45, 0.6])
@pytest.mark.parametrize("K", [2, 10, 100])
def test_closed_forms_are_those_of_the_matrix(K, rate, q):
    for name, make in (("symmetric", symmetric), ("pair", pair)):
        closed, full = threshold_of(name, K, rate, q), threshold(make(K, rate), q)
        assert (closed.true_class, closed.rival, closed.q) == (full.true_class, full.rival, full.q)
        assert [closed.a, closed.margin, closed.kept, closed.lost] == pytest.approx(
            [full.a, full.margin, full.kept, full.lost], rel=1e-12, abs=1e-14
        )


def test_closed_forms_make_no_matrix():
    assert threshold_of("symmetric", 50_000, 0.4).a == pytest.approx(49_999 / (49_999 - 20_000))
    assert threshold_of("pair", 2**31, 0.4).a == pytest.approx(5)
    with pytest.raises(InputError, match="did you mean 'symmetric'"):
        threshold_of("symetric", 10, 0.4)


def test_a_class_without_labels_is_named():
    with pytest.raises(InputError, match=r"row 1 .* if no label of class 1 was seen") as error:
        threshold(empirical_transition([0, 2, 2], [1, 2, 0], 3))
    assert "\n" not in str(error.value)


def test_predictions_from_a_file(tmp_path):
    file = tmp_path / "P.csv"
    file.write_text("1,0.2,0.8\n0,0.9,0.1\n")
    given, P = read_predictions(file)
    assert given.tolist() == [1, 0] and P.tolist() == [[0.2, 0.8], [0.9, 0.1]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("0.5,0.2,0.8\n", "is no table of predictions"),
        ("nan,0.2,0.8\n", "is no table of predictions"),
        ("0,1\n", "is no table of predictions"),
        ("2,0.2,0.8\n", "the first column's labels hold 2"),
        ("a,b,c\n", "not a table"),
    ],
)
def test_files_that_hold_no_predictions_are_refused(tmp_path, content, message):
    file = tmp_path / "P.csv"
    file.write_text(content)
    with pytest.raises(InputError, match=message) as error:
        read_predictions(file)
    assert "\n" not in str(error.value)
