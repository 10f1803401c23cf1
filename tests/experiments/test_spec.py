"""RunSpec: ids that never change, what is in them, and what resolve refuses."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from jal.errors import InputError
from jal.experiments import RunSpec, resolve
from jal.experiments.spec import SCIENCE
from jal.losses import names

GOLDEN = Path(__file__).with_name("golden_ids.json")


def words():
    """Runs that between them use every dataset, setting, noise and loss."""
    for settings in ("official", "paper"):
        for loss in ("CE", "NCE+RCE", "ANL-CE", "JAL-CE", "JAL-FL"):
            for dataset in ("cifar10", "cifar100", "webvision", "clothing1m", "digits"):
                yield {"dataset": dataset, "loss": loss, "settings": settings}
            for noise in ("symmetric", "asymmetric"):
                for dataset in ("cifar10", "cifar100", "digits"):
                    yield {
                        "dataset": dataset,
                        "noise": noise,
                        "rate": 0.4,
                        "loss": loss,
                        "settings": settings,
                    }
    given = {"alpha": 0.01, "beta": 5, "m": 1e5}
    needy = {"ECE": {"m": 1e5}, "EFL": {"m": 1e5}, "ECE+MAE": given, "EFL+MAE": given}
    for loss in names():
        yield {"dataset": "cifar10", "loss": loss, "loss_parameters": needy.get(loss, {})}
    yield {"dataset": "digits", "noise": "symmetric", "rate": 0.2, "loss": "CE", "seed": 124, "noise_seed": 5}
    yield {"dataset": "digits", "noise": "symmetric", "rate": 0.2, "loss": "CE", "method": "bernoulli"}
    yield {
        "dataset": "digits",
        "loss": "CE",
        "l1": 5e-5,
        "l2": 0,
        "epochs": 20,
        "clip_norm": None,
        "width": 2,
    }


def test_ids_never_change():
    """Each is the name of results that people have. None may ever differ from the file; new ones are added to it."""
    golden = json.loads(GOLDEN.read_text())
    found = {json.dumps(each, sort_keys=True): resolve(**each).id for each in words()}
    assert found == golden


def test_the_whole_text_of_two_specs():
    spec = resolve(
        dataset="cifar100", noise="asymmetric", rate=0.4, loss="JAL-CE", settings="paper", seed=124
    )
    assert spec.to_json() == (
        '{"dataset":"cifar100","loss":{"name":"JAL-CE","parameters":{"a":20.0,"alpha":5.0,"beta":1.0,"q":2.0}},'
        '"noise":{"kind":"asymmetric","method":"exact","rate":0.4,"seed":124,"variant":"superclasses"},'
        '"recipe":{"augmentation":["crop4","flip","rotate20"],"batch_size":128,"clip_norm":5.0,"epochs":200,'
        '"l1":5e-06,"l2":0.0,"learning_rate":0.1,"mean":[0.5071,0.4865,0.4409],"model":"resnet34","momentum":0.9,'
        '"schedule":"cosine","std":[0.2673,0.2564,0.2762]},"science":1,"seed":124}'
    )
    spec = resolve(dataset="digits", loss="CE", noise_seed=9)
    assert spec.to_json() == (
        '{"dataset":"digits","loss":{"name":"CE","parameters":{}},"noise":{"kind":"clean"},'
        '"recipe":{"batch_size":128,"clip_norm":5.0,"epochs":80,"l1":0.0,"l2":0.0001,"learning_rate":0.01,'
        '"mean":[0.3053],"model":"cnn2","momentum":0.9,"schedule":"cosine","std":[0.3762]},"science":1,"seed":123}'
    )


def test_the_group_of_batch_normalisation_is_told_when_it_is_set_alone():
    words = {"dataset": "webvision", "loss": "JAL-CE"}
    assert "norm_group" not in resolve(**words).to_json()
    assert resolve(**words, norm_group=None) == resolve(**words)
    assert '"norm_group":64' in resolve(**words, norm_group=64).to_json()


def test_round_trip():
    for each in words():
        spec = resolve(**each)
        again = RunSpec.from_json(spec.to_json())
        assert again == spec and again.id == spec.id and hash(again) == hash(spec)


BASE = {"dataset": "cifar100", "noise": "asymmetric", "rate": 0.4, "loss": "NCE+RCE"}


def same(**change):
    return resolve(**BASE | change).id == resolve(**BASE).id


def test_what_cannot_change_the_result_does_not_change_the_id():
    assert same(rate=0.4, noise_seed=123, method="exact", settings="official")
    assert same(epochs=200, clip_norm=5, loss_parameters={"alpha": 10})
    # Of clean labels neither the seed nor the way of drawing matters, and rate 0 is clean.
    clean = resolve(dataset="cifar10", loss="CE")
    assert resolve(dataset="cifar10", loss="CE", noise_seed=7, method="bernoulli") == clean
    assert resolve(dataset="cifar10", loss="CE", noise="symmetric", rate=0) == clean
    # A dataset with one kind of asymmetric noise and a loss with one set of parameters see no settings.
    words = {"dataset": "webvision", "loss": "JAL-CE"}
    assert resolve(**words) == resolve(**words, settings="paper")


def test_what_can_change_the_result_changes_the_id():
    changes = [
        {"dataset": "cifar10"}, {"noise": "symmetric"}, {"rate": 0.3}, {"loss": "JAL-CE"}, {"seed": 124},
        {"noise_seed": 124}, {"method": "bernoulli"}, {"settings": "paper"}, {"epochs": 100}, {"l2": 2e-5},
        {"loss_parameters": {"alpha": 1}}, {"width": 0.5}, {"precision": "bfloat16"}, {"clip_norm": None},
        {"norm_group": 64}, {"norm_group": 32},
    ]  # fmt: skip
    ids = [resolve(**BASE).id, *(resolve(**BASE | change).id for change in changes)]
    assert len(set(ids)) == len(ids)
    spec = resolve(**BASE)
    assert replace(spec, science=SCIENCE + 1).id != spec.id


def test_one_seed_serves_weights_and_labels_unless_told():
    spec = resolve(**BASE, seed=125)
    assert (spec.seed, spec.noise.seed) == (125, 125)
    spec = resolve(**BASE, seed=125, noise_seed=123)
    assert (spec.seed, spec.noise.seed) == (125, 123)


def test_digits_borrow_cifar10s_parameters_unless_told():
    words = {"dataset": "digits", "loss": "JAL-CE"}
    assert resolve(**words).loss.parameters == {"alpha": 1, "beta": 1, "a": 30, "q": 2}
    assert resolve(**words, borrow="cifar100").loss.parameters == {"alpha": 5, "beta": 1, "a": 20, "q": 2}
    assert resolve(**words, loss_parameters={"a": 3}).loss.parameters["a"] == 3


def test_the_two_settings_flip_cifar100_differently():
    assert resolve(**BASE).noise.variant == "blocks"
    assert resolve(**BASE, settings="paper").noise.variant == "superclasses"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dataset": "cifar1000"}, "unknown dataset 'cifar1000': did you mean 'cifar100'"),
        ({"loss": "JALCE"}, "unknown loss 'JALCE': did you mean 'JAL-CE'"),
        ({"noise": "symetric"}, "unknown noise 'symetric': did you mean 'symmetric'"),
        ({"settings": "papers"}, "unknown settings 'papers'"),
        ({"method": "exactly"}, "unknown method"),
        ({"rate": 1.0}, "noise rate 1.0 is outside"),
        ({"rate": -0.1}, "noise rate -0.1 is outside"),
        ({"rate": float("nan")}, "noise rate is nan"),
        ({"rate": "0.4"}, "noise rate is '0.4'"),
        ({"rate": None}, "asymmetric noise needs a rate"),
        ({"noise": "clean"}, "clean labels with a noise rate of 0.4"),
        ({"dataset": "webvision"}, "unknown dataset for asymmetric noise 'webvision'"),
        ({"epoch": 3}, "unknown field of recipe 'epoch': did you mean 'epochs'"),
        ({"epochs": "ten"}, "recipe.epochs is 'ten': give an integer"),
        ({"epochs": 2.5}, "recipe.epochs is 2.5"),
        ({"learning_rate": -1}, "learning_rate=-1"),
        ({"seed": -1}, "seed -1"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"noise_seed": 2**32}, "seed 4294967296"),
        ({"borrow": "mnist"}, "unknown dataset to borrow loss parameters from 'mnist'"),
        ({"loss": "AMSE", "loss_parameters": {"a": 0.5}}, "AMSE: a=0.5 is outside its domain"),
        ({"loss": "AMSE", "loss_parameters": {"b": 2}}, "unknown parameter of AMSE 'b'"),
        ({"loss": "CE", "loss_parameters": {"a": 2}}, "unknown parameter of CE 'a'"),
        ({"loss": "ECE"}, "ECE needs m"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_with_the_remedy(change, message):
    with pytest.raises(InputError, match=message) as error:
        resolve(**BASE | change)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data | {"profile": "quick"}, "unknown field of spec 'profile'"),
        (lambda data: {k: v for k, v in data.items() if k != "seed"}, "spec lacks seed"),
        (lambda data: data | {"seed": "123"}, "spec.seed is '123'"),
        (lambda data: data | {"recipe": data["recipe"] | {"epochs": 0}}, "epochs=0"),
        (
            lambda data: data | {"loss": {"name": "CE", "parameters": {"a": "x"}}},
            "spec.loss.parameters.a is 'x'",
        ),
    ],
)
def test_a_spec_that_is_none_is_not_read(change, message):
    data = change(json.loads(resolve(**BASE).to_json()))
    with pytest.raises(InputError, match=message):
        RunSpec.from_json(json.dumps(data))


@pytest.mark.parametrize("text", ["{", '{"seed":1,"seed":2}', "[" * 100_000, '{"seed":' + "9" * 5000 + "}"])
def test_text_that_is_not_json(text):
    with pytest.raises(InputError, match="a spec must be JSON") as error:
        RunSpec.from_json(text)
    assert "\n" not in str(error.value)


def test_specs_that_differ_in_seeds_alone_are_read_as_what_they_are():
    specs = [resolve(**BASE, seed=seed, noise_seed=noise) for seed in (0, 7, 2**32 - 1) for noise in (0, 123)]
    specs += [resolve(dataset="cifar10", loss="JAL-CE", seed=seed) for seed in (0, 8)]
    odd = resolve(**BASE)
    specs += [
        replace(odd, seed=-1),
        replace(odd, seed=10**18, noise=replace(odd.noise, seed=-5)),
        replace(odd, noise=replace(odd.noise, seed=None)),
        replace(odd, loss=replace(odd.loss, parameters={"seed": 5.0})),
        replace(odd, loss=replace(odd.loss, name='"seed":5,')),
    ]
    for spec in specs:
        again = RunSpec.from_json(spec.to_json())
        assert again == spec and again.id == spec.id and again.to_json() == spec.to_json()


def test_specs_that_are_read_share_nothing_that_can_change():
    first, second = (RunSpec.from_json(resolve(**BASE, seed=seed).to_json()) for seed in (1, 2))
    first.loss.parameters["alpha"] = 0.0
    assert second == resolve(**BASE, seed=2)
    assert RunSpec.from_json(second.to_json()) == second


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(",", ", "),
        lambda text: text.replace('"epochs":200', '"epochs":200,"width":1.0'),
        lambda text: text.replace('"rate":0.4', '"rate":0.40'),
        lambda text: text.replace('"clip_norm":5.0', '"clip_norm":5'),
        lambda text: json.dumps(dict(reversed(json.loads(text).items())), separators=(",", ":")),
    ],
)
def test_text_that_is_not_canonical_gives_the_same_id(change):
    spec = resolve(**BASE)
    assert change(spec.to_json()) != spec.to_json()
    again = RunSpec.from_json(change(spec.to_json()))
    assert again == spec and again.id == spec.id


if __name__ == "__main__":
    found = {json.dumps(each, sort_keys=True): resolve(**each).id for each in words()}
    GOLDEN.write_text(json.dumps(found, indent=0, sort_keys=True) + "\n")
