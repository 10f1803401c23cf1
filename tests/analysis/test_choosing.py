"""The chapter on choosing `a`: its numbers against the theory and the losses, its sentences against the data."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib import pyplot as plt

from jal.analysis import choosing
from jal.errors import InputError
from jal.losses import build
from jal.noise import pair, symmetric, transition
from jal.noise.estimate import SmallestA
from jal.theory import margin, minimum_a


def known(*values):
    return SmallestA(values[len(values) // 2], np.array(sorted(values), dtype=float))


@pytest.mark.parametrize(
    ("a", "text"), [(1.8, "1.80"), (1.801, "1.81"), (9.000000000000002, "9.00"), (math.inf, "none")]
)
def test_an_a_is_rounded_up(a, text):
    assert choosing.upwards(a) == text


def test_checked_labels_are_drawn_from_the_transition_and_the_smaller_samples_are_parts_of_the_larger():
    T = transition([[0.9, 0.1, 0.0], [0.0, 1.0, 0.0], [0.0, 0.3, 0.7]])
    found = choosing.checked_labels(T, [60_000, 300], seed=1, draws=50)
    assert list(found) == [300, 60_000]
    assert found[60_000].estimate == pytest.approx(minimum_a(T), rel=0.05)
    again = choosing.checked_labels(T, [300, 60_000, 1000], seed=1, draws=50)
    assert again[60_000].estimate == found[60_000].estimate


def test_the_sentence_on_checking_names_the_first_size_from_which_on_the_bound_holds():
    found = {100: known(math.inf), 200: known(20.0), 400: known(40.0), 800: known(12.0), 1600: known(9.0)}
    told = choosing.said_of_checking("some noise", 8.999, found, 30)
    assert "the truth is 9.00" in told
    assert "from 800 checked labels on, *a* = 30 is enough" in told
    assert "100 labels can promise no *a*, 1,600 can promise *a* = 9.00" in told
    assert "not even 1,600" in choosing.said_of_checking("some noise", 9, found, 5)


def test_the_sentence_on_guesses_counts_what_falls_short():
    guessed = pd.DataFrame(
        {"truth": [2.0, 2.0, 2.0], "averaged": [1.5, 2.0, 2.5], "counted": [3.0, 1.9, math.inf]},
        index=list("abc"),
    )
    told = choosing.said_of_guesses(guessed)
    assert "Of these 3 noises" in told
    assert told.endswith("too small an *a* for 1, counting for 1.")


def test_the_number_of_labels_to_check_gives_the_standard_error_it_promises():
    T = symmetric(4, 0.3)
    n = choosing.labels_to_check(T, 0.05)
    draws = np.random.default_rng(0).multinomial(n, T[0], size=20_000) / n
    a = 1 / (draws[:, 0] - draws[:, 1])  # of one rival, as the formula has it
    assert a.std() * margin(T) == pytest.approx(0.05, rel=0.05)
    for bad in (0, -1, math.nan):
        with pytest.raises(InputError, match="precision"):
            choosing.labels_to_check(T, bad)
    with pytest.raises(InputError, match="no a is enough"):
        choosing.labels_to_check(symmetric(2, 0.5), 0.1)


def test_the_weights_are_those_of_the_loss_itself():
    K = 7
    z = torch.randn(50, K, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    rho, sigma = choosing.weights(alpha=2, beta=3, a=5, K=K)
    parts = build("NCE", None).all_labels(z) + rho * build("MAE", None).all_labels(z)
    parts = parts + sigma * z.softmax(-1).square().sum(-1, keepdim=True)
    rest = build("JAL-CE", None, alpha=2, beta=3, a=5).all_labels(z) / 2 - parts
    assert float(rest.max() - rest.min()) < 1e-12


def test_parameters_are_the_inverse_of_weights():
    found = choosing.parameters(*choosing.weights(5, 1, 20, 100), K=100, alpha=5)
    assert found == pytest.approx({"alpha": 5, "beta": 1, "a": 20})
    with pytest.raises(InputError, match="ratio"):
        choosing.parameters(rho=0.1, sigma=0.2, K=10)


def test_advice_lists_what_suffices_and_none_where_nothing_does():
    table = choosing.advice({"strong": symmetric(10, 0.8), "hopeless": symmetric(2, 0.5)}, alpha=1, beta=1)
    assert table.loc["strong", "smallest a"] == "9.00"
    assert table.loc["strong", "of the paper's list"] == "10, 20, 30"
    assert table.loc["strong", "MAE / NCE, at the first"] == "1"
    assert table.loc["hopeless", "smallest a"] == "none"
    assert table.loc["hopeless", "of the paper's list"] == "none"
    exactly = choosing.advice({"at the bound": pair(10, 0.4)}, alpha=1, beta=1)
    assert exactly.loc["at the bound", "of the paper's list"] == "5, 10, 20, 30"


@pytest.mark.parametrize(("a", "beta", "K"), [(5, 1, 10), (30, 1, 10), (20, 0.2, 100)])
def test_the_crossover_is_where_the_two_gradients_are_equal(a, beta, K):
    p = choosing.crossover(a, beta, 1, K)
    slopes = []
    for loss in (build("NCE", None), build("AMSE", None, a=a)):
        rest = [math.log((1 - p) / (K - 1))] * (K - 1)
        z = torch.tensor([[math.log(p), *rest]], dtype=torch.float64, requires_grad=True)
        loss.all_labels(z)[0, 0].backward()
        slopes.append(z.grad[0, 0].abs().item())
    assert slopes[0] == pytest.approx(beta * slopes[1], rel=0.05)


def test_a_larger_a_leaves_nce_less_and_not_if_beta_makes_up_for_it():
    fixed = [choosing.crossover(a, 1, 1, 10) for a in (5, 10, 30)]
    assert fixed == sorted(fixed, reverse=True)
    balanced = [choosing.crossover(a, 30 / a, 1, 10) for a in (5, 10, 30)]
    assert max(balanced) < 1.1 * min(balanced)


def test_the_figures_draw_all_they_are_given_infinity_included():
    found = {100: known(math.inf), 1000: known(4.0), 10_000: known(2.0)}
    figure = choosing.checking({"one": (1.8, found), "two": (5.0, found)}, 30)
    assert [ax.get_title() for ax in figure.axes] == ["one", "two"]
    estimates = figure.axes[0].lines[0].get_ydata()
    assert estimates[0] > figure.axes[0].get_ylim()[1]
    assert estimates[1:].tolist() == [4.0, 2.0]
    plt.close(figure)

    figure = choosing.two_costs([1, 2], {"x": [0.5, 1.0]}, {"y": [0.1, 0.2], "z": [0.3, 0.4]})
    assert [len(ax.lines) for ax in figure.axes] == [1, 2]
    plt.close(figure)
