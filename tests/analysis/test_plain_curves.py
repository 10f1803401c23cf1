"""Curves without Records: means over runs, the best epoch and the last."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

from jal.analysis import plain_curves
from jal.errors import InputError

RUNS = {"CE": [[50.0, 90.0, 60.0], [60.0, 80.0, 50.0]], "JAL-CE": [[40.0, 70.0, 91.5]]}


def test_the_sentence_has_the_best_epoch_and_the_last_of_the_mean():
    told = plain_curves.said_of_curves(RUNS)
    assert "CE: 85.0 % after epoch 2, its best, and 55.0 % after the last" in told
    assert "JAL-CE: 91.5 % after epoch 3, its best, and 91.5 % after the last." in told


def test_the_figure_has_a_line_for_each_loss_and_a_band_where_there_are_several_runs():
    figure = plain_curves.curves(RUNS)
    (ax,) = figure.axes
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [55.0, 85.0, 55.0])
    assert [line.get_label() for line in ax.lines] == ["CE", "JAL-CE"]
    assert len(ax.collections) == 1
    plt.close(figure)


def test_the_frame_has_a_row_for_each_run_and_epoch():
    frame = plain_curves.frame(RUNS)
    assert len(frame) == 9
    assert frame.query("loss == 'CE' and run == 1 and epoch == 2")["accuracy"].tolist() == [80.0]


@pytest.mark.parametrize("values", [[50.0, 60.0], [[]], 3.0])
def test_what_is_no_table_of_runs_is_refused(values):
    with pytest.raises(InputError, match="curves of CE have shape"):
        plain_curves.curves({"CE": values})
