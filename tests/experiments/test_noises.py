"""NoiseSpec: what each kind of noise needs, what it takes from the settings, what is refused."""

import pytest

from jal.errors import InputError
from jal.experiments import resolve
from jal.experiments.noises import NoiseSpec

SUM = "0" * 63 + "f"


def noise(dataset="cifar10", **words):
    return resolve(dataset=dataset, loss="CE", **words).noise


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({"noise": "pair", "rate": 0.4}, NoiseSpec("pair", None, 0.4, "exact", 123)),
        ({"noise": "instance", "rate": 0.4}, NoiseSpec("instance", "fixed", 0.4)),
        (
            {"noise": "instance", "rate": 0.4, "settings": "paper"},
            NoiseSpec("instance", "pdn", 0.4, None, 123),
        ),
        (
            {"noise": "instance", "rate": 0.3, "variant": "pdn", "noise_seed": 5},
            NoiseSpec("instance", "pdn", 0.3, None, 5),
        ),
        (
            {"noise": "instance", "rate": 0.3, "dataset": "fashion-mnist"},
            NoiseSpec("instance", "pdn", 0.3, None, 123),
        ),
        ({"noise": "human", "variant": "worst"}, NoiseSpec("human", "worst")),
        ({"noise": "human", "dataset": "cifar100"}, NoiseSpec("human", "noisy")),
        (
            {"noise": "asymmetric", "rate": 0.1, "dataset": "cifar100", "variant": "superclasses"},
            NoiseSpec("asymmetric", "superclasses", 0.1, "exact", 123),
        ),
        ({"noise": "file", "variant": SUM}, NoiseSpec("file", SUM)),
        ({"noise": "instance", "rate": 0}, NoiseSpec("clean")),
    ],
)
def test_what_a_few_words_mean(words, expected):
    assert noise(**words) == expected


def test_labels_that_are_not_drawn_have_no_seed_of_their_own():
    assert noise(noise="human", variant="worst", noise_seed=1) == noise(noise="human", variant="worst")
    assert noise(noise="instance", rate=0.2, noise_seed=1) == noise(noise="instance", rate=0.2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"noise": "human"}, "human noise on cifar10 needs a variant: one of aggre, rand1"),
        ({"noise": "human", "variant": "wrost"}, "noise on cifar10 'wrost': did you mean 'worst'"),
        ({"noise": "human", "variant": "worst", "rate": 0.4}, "labels of the kind human with a noise rate of 0.4"),
        ({"noise": "human", "dataset": "digits"}, "there are no human labels of digits: take cifar10 or cifar100"),
        ({"noise": "instance"}, "instance noise needs a rate"),
        ({"noise": "instance", "rate": 0.3}, "of rate 0.3 are not in the release, which has 0.2, 0.4, 0.6"),
        ({"noise": "instance", "rate": 0.4, "variant": "fixed", "dataset": "digits"}, "unknown variant of instance"),
        ({"noise": "symmetric", "rate": 0.4, "variant": "blocks"}, "unknown variant of symmetric noise"),
        ({"noise": "file"}, "the variant None is no SHA-256"),
        ({"noise": "file", "variant": "worst"}, "the variant 'worst' is no SHA-256"),
        ({"noise": "pair", "rate": 1.5}, "noise rate 1.5 is outside"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_with_the_remedy(words, message):
    with pytest.raises(InputError, match=message) as error:
        noise(**words)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (NoiseSpec("clean"), "clean"),
        (NoiseSpec("symmetric", None, 0.4, "exact", 1), "symmetric 0.4"),
        (NoiseSpec("instance", "pdn", 0.2, None, 1), "instance pdn 0.2"),
        (NoiseSpec("human", "worst"), "human worst"),
        (NoiseSpec("file", SUM), "file 00000000"),
    ],
)
def test_a_noise_in_a_word(spec, text):
    assert str(spec) == text
