"""The loop: the same numbers as a plain one, what it measures, what it refuses."""

import shutil
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from jal import losses, models
from jal.datasets import ImageData
from jal.errors import InputError, TrainingError
from jal.training import speed
from jal.training.data import DeviceData
from jal.training.loop import Training, train
from jal.training.recipe import recipe


def synthetic(train_images=100, test_images=40, size=8, seed=0):
    """Ten faint patterns under strong pixel noise."""
    random = np.random.RandomState(seed)
    patterns = random.randint(0, 256, (10, size, size, 1))

    def part(count):
        labels = np.arange(count) % 10
        images = 0.5 * patterns[labels] + 0.5 * random.randint(0, 256, (count, size, size, 1))
        return images.astype(np.uint8), labels.astype(np.int64)

    return ImageData("synthetic", *part(train_images), *part(test_images), tuple("0123456789"))


DATA = synthetic()
GIVEN = np.where(np.arange(100) % 3 == 0, (DATA.train_labels + 1) % 10, DATA.train_labels)


def small(loss="CE", **change):
    return replace(
        recipe("digits", loss), **{"epochs": 3, "batch_size": 32, "precision": "float64", **change}
    )


def network(seed=5):
    torch.manual_seed(seed)
    return models.build("cnn2", 10, 1, 8)


def criterion(name="CE"):
    return losses.build(name, "cifar10", reduction="none")


def in_groups(model, images, group):
    """The logits of images whose groups each have a batch normalisation of their own; the first one's stays."""
    first, *others = images.split(group or len(images))
    aside = [deepcopy(dict(model.named_buffers())) for _ in others]
    parts = [torch.func.functional_call(model, own, some) for own, some in zip(aside, others, strict=True)]
    return torch.cat([model(first), *parts])


def plain(model, loss_name, r, seed):
    """The same training as one would write it: a mean loss, the penalty in the loss, torch's own schedule."""
    model.double()
    mean, std = (torch.tensor(values, dtype=torch.float64) for values in (r.mean, r.std))
    images = (torch.tensor(DATA.train_images).double() / 255 - mean) / std
    images, labels = images.permute(0, 3, 1, 2), torch.tensor(GIVEN)
    loss = losses.build(loss_name, "cifar10")
    optimiser = torch.optim.SGD(
        model.parameters(), r.learning_rate, r.momentum, weight_decay=r.l2, nesterov=r.nesterov
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, r.epochs)
    model.train()
    for epoch in range(r.epochs):
        (state,) = np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(state))
        order = torch.randperm(len(labels), generator=generator)
        for first in range(0, len(order), r.batch_size):
            batch = order[first : first + r.batch_size]
            total = loss(in_groups(model, images[batch], r.norm_group), labels[batch])
            total = total + r.l1 * sum(p.abs().sum() for p in model.parameters())
            optimiser.zero_grad()
            total.backward()
            if r.clip_norm:
                nn.utils.clip_grad_norm_(model.parameters(), r.clip_norm)
            optimiser.step()
        schedule.step()
    return model


@pytest.mark.parametrize(
    ("loss", "change"),
    [
        ("CE", {}),
        ("CE", {"clip_norm": None, "nesterov": True}),
        ("JAL-CE", {"l1": 1e-3}),
        ("JAL-CE", {"l1": 1e-2, "clip_norm": 0.5}),
        ("NCE+RCE", {"l2": 1e-2}),
        ("CE", {"norm_group": 8}),
        ("JAL-CE", {"l1": 1e-3, "norm_group": 12}),
        ("CE", {"norm_group": 6}),
    ],
)
def test_same_weights_as_a_plain_loop(loss, change):
    r = small(loss, **change)
    ours = network()
    for module in ours.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            # At 0, where they start, a gradient that is rounding alone decides the penalty's sign.
            nn.init.uniform_(module.bias, 0.1, 0.2)
    theirs = deepcopy(ours)
    train(ours, criterion(loss), DATA, GIVEN, r, seed=11)
    plain(theirs, loss, r, seed=11)
    for a, b in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


class Counting(nn.Module):
    """Cross entropy that remembers the batches it saw in training."""

    name = "counting"

    def __init__(self):
        super().__init__()
        self.sizes = []

    def forward(self, logits, labels):
        if logits.requires_grad:
            self.sizes.append(len(labels))
        return nn.functional.cross_entropy(logits, labels, reduction="none")


def test_the_last_partial_batch_is_kept():
    loss = Counting()
    train(network(), loss, DATA, GIVEN, small(), seed=1, eager=True)
    assert loss.sizes == [32, 32, 32, 4] * 3


def test_curves():
    seen = []
    curves = train(
        network(), criterion(), DATA, GIVEN, small(), seed=1, progress=lambda e, q: seen.append((e, dict(q)))
    )
    assert {"test_accuracy", "test_loss", "train_loss", "clean_loss", "clean_accuracy"} < set(curves)
    assert {"wrong_loss", "memorised", "recovered"} < set(curves)
    assert all(len(curve) == 3 for curve in curves.values())
    assert [epoch for epoch, _ in seen] == [1, 2, 3]
    assert [quantities["test_accuracy"] for _, quantities in seen] == curves["test_accuracy"]
    wrong = (DATA.train_labels != GIVEN).mean()
    for total, right, other in zip(
        curves["train_loss"], curves["clean_loss"], curves["wrong_loss"], strict=True
    ):
        assert total == pytest.approx((1 - wrong) * right + wrong * other)


def test_without_wrong_labels_their_curves_are_left_out():
    curves = train(network(), criterion(), DATA, DATA.train_labels, small(), seed=1)
    assert set(curves) == {"test_accuracy", "test_loss", "train_loss", "clean_loss", "clean_accuracy"}
    assert curves["train_loss"] == pytest.approx(curves["clean_loss"])


def test_the_test_accuracy_is_the_trained_networks():
    model = network()
    r = small()
    curves = train(model, criterion(), DATA, GIVEN, r, seed=1)
    images = (torch.tensor(DATA.test_images).double() / 255 - r.mean[0]) / r.std[0]
    with torch.no_grad():
        guesses = model.eval()(images.permute(0, 3, 1, 2)).argmax(1)
    assert curves["test_accuracy"][-1] == pytest.approx(100 * (guesses.numpy() == DATA.test_labels).mean())


def test_the_seed_fixes_the_order_of_the_batches():
    runs = [train(network(), criterion(), DATA, GIVEN, small(), seed=seed) for seed in (1, 1, 2)]
    assert runs[0]["train_loss"] == pytest.approx(runs[1]["train_loss"], rel=1e-12)
    assert runs[0]["train_loss"] != pytest.approx(runs[2]["train_loss"], rel=1e-6)


def test_mixed_precision_trains():
    curves = train(
        network(), criterion(), DATA, GIVEN, replace(small(), precision="bfloat16", epochs=10), seed=1
    )
    assert curves["clean_accuracy"][-1] > 50


def test_a_loss_that_is_not_finite_stops_the_run():
    with pytest.raises(
        TrainingError,
        match=r"outputs are not finite in step \d of epoch \d, trained with CE: lower the learning rate",
    ) as error:
        train(network(), criterion(), DATA, GIVEN, small(learning_rate=1e200, clip_norm=None), seed=1)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 33}, "leaves a last batch of one of the 100 images"),
        ({"norm_group": 31}, "norm_group=31 leaves a last group of one image in a batch of 32"),
        (
            {"norm_group": 3, "batch_size": 30},
            "norm_group=3 leaves a last group of one image in a batch of 10",
        ),
        ({"augmentation": ("sharpen",)}, "augmentation"),
        ({"test_transform": ("resize256",)}, "test_transform"),
        ({"mean": (0.5,) * 3, "std": (0.2,) * 3}, "3 channels, and the images have 1"),
    ],
)
def test_what_the_loop_cannot_follow_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        train(network(), criterion(), DATA, GIVEN, replace(small(), **change), seed=1)


class Overflowing(losses.Loss):
    """A loss whose second summand overflows once the network is sure of itself, with outputs still finite."""

    def __init__(self):
        def steep(own, every):
            return torch.exp(-1e3 * own)

        terms = losses.build("CE", None).terms[0], losses.Term(steep, weight=2.0)
        super().__init__(*terms, name="CE with a steep part", reduction="none")


def test_a_loss_that_overflows_alone_is_named_with_its_parts():
    with pytest.raises(
        TrainingError, match=r"the loss CE with a steep part is not finite in step 1 of epoch 1"
    ) as error:
        train(network(), Overflowing(), DATA, GIVEN, replace(small(), precision="float32"), seed=1)
    assert "1 cross entropy" in str(error.value) and "2 steep inf" in str(error.value)


@pytest.mark.parametrize("stop_after", [1, 4, 5, 9])
@pytest.mark.parametrize("augmentation", [(), ("crop4", "flip", "rotate20")])
def test_a_restored_run_goes_on_with_the_same_bits(stop_after, augmentation):
    """Stopped after any step, in or between epochs, and taken up by a new network."""
    r = replace(small("JAL-CE", l1=1e-4), precision="float32", augmentation=augmentation)

    def training(model):
        return Training(model, criterion("JAL-CE"), DeviceData.of(DATA), GIVEN, r, seed=3, eager=True)

    whole = network()
    curves = training(whole).run()
    steps, kept = 0, None

    def between(run):
        nonlocal steps, kept
        steps += 1
        if steps == stop_after:
            tensors, meta = run.state()
            kept = {name: tensor.clone() for name, tensor in tensors.items()}, deepcopy(meta)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training(network()).run(between=between)
    other = network(seed=99)
    again = training(other)
    again.restore(*kept)
    assert again.run() == curves
    for a, b in zip(whole.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_choosing_the_threads_leaves_no_trace():
    """The steps that it takes are undone."""
    eager = train(network(), criterion(), DATA, GIVEN, small(), seed=1, eager=True)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        chosen = train(network(), criterion(), DATA, GIVEN, small(), seed=1)
    finally:
        torch.set_num_threads(threads)
    for name, curve in eager.items():
        assert chosen[name] == pytest.approx(curve, rel=1e-9)


def test_augmentation_reaches_the_network():
    plain_run, cropped = (
        train(network(), criterion(), DATA, GIVEN, small(augmentation=names), seed=1)
        for names in ((), ("crop4",))
    )
    assert plain_run["train_loss"][0] != pytest.approx(cropped["train_loss"][0], rel=1e-3)


class Replayed:
    """`speed.Captured` where there are no graphs: runs the function while it is made, and again for each call."""

    def __init__(self, function, before=lambda: None):
        before()
        function()
        self.function = function

    def __call__(self):
        self.function()


@pytest.fixture
def captured(monkeypatch):
    """Trains as on a GPU, but for the graphs, and gives the curves."""
    monkeypatch.setattr(speed, "Captured", Replayed)

    def curves():
        training = Training(network(), criterion(), DeviceData.of(DATA), GIVEN, small(), seed=1, eager=True)
        training._prepare()
        with training._undone():
            training._capture()
        return training.run()

    return curves


def complaints(caplog):
    return [record.message for record in caplog.records if record.name == speed.logger.name]


def test_a_network_that_cannot_be_compiled_runs_without(captured, monkeypatch, caplog):
    def fails(pixels):
        raise RuntimeError("Failed to find a C compiler.\nTraceback ...")

    monkeypatch.setattr(speed, "compiled", lambda network: fails)
    speed.say_uncompiled.cache_clear()
    expected = train(network(), criterion(), DATA, GIVEN, small(), seed=1, eager=True)
    assert captured() == captured() == expected
    assert complaints(caplog) == ["the network runs uncompiled: Failed to find a C compiler."]


class Disturbed(Replayed):
    """A graph that reads a wrong place: each step is taken with twice the learning rate, as if it were frozen."""

    def __call__(self):
        taken = getattr(self.function, "func", self.function)
        training = taken.__self__
        (group,) = training.optimiser._torch.param_groups
        group["lr"] *= 2
        super().__call__()
        group["lr"] /= 2


class Stale(Replayed):
    """A graph that takes its first batch for ever."""

    def __call__(self):
        taken = getattr(self.function, "func", self.function)
        taken.__self__.cursor.zero_()
        super().__call__()


class Nothing(Replayed):
    """A graph that was recorded on another stream: it is empty."""

    def __call__(self):
        pass


class Refused:
    """As torch.cuda.graph, which changes the state before it fails."""

    def __init__(self, function, before=lambda: None):
        before()
        function()
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nSearch for ...")


class RefusedOnlyWhenCompiled(Replayed):
    def __init__(self, function, before=lambda: None):
        super().__init__(function, before)
        training = getattr(function, "func", function).__self__
        if training._body is not training.model.body:
            raise RuntimeError("no compiled kernels in a graph")


ADAM = {"optimiser": "adam", "momentum": 0.0, "nesterov": False}


@pytest.fixture
def on_a_card(monkeypatch, caplog):
    """Trains as on a GPU, with a stand-in for graphs: the training, done, and what it said."""
    monkeypatch.setattr(speed, "CAPTURING", ("cpu",))
    monkeypatch.setattr(speed, "compiled", lambda body: lambda images: body(images))
    for said in (speed.say_uncompiled, speed.say_plain):
        said.cache_clear()

    def trained(graph, plain=False, **change):
        caplog.clear()
        monkeypatch.setattr(speed, "Captured", graph)
        training = Training(
            network(), criterion(), DeviceData.of(DATA), GIVEN, small(**change), seed=1, plain=plain
        )
        training.run()
        return training, complaints(caplog)

    return trained


def same(one, other):
    """Whether two trainings ended with the same bits."""
    there, here = one.state(), other.state()
    return there[1] == here[1] and all(torch.equal(there[0][name], here[0][name]) for name in here[0])


@pytest.mark.parametrize("change", [{}, ADAM])
def test_steps_that_agree_with_plain_ones_are_captured(on_a_card, change):
    plain, said = on_a_card(Replayed, plain=True, **change)
    assert (plain.way, said) == (speed.Way(), [])
    fast, said = on_a_card(Replayed, **change)
    assert (fast.way, said) == (speed.Way(compiled=True, captured=True), [])
    assert isinstance(fast._test, Replayed) and same(fast, plain)


@pytest.mark.parametrize("graph", [Disturbed, Stale, Nothing])
@pytest.mark.parametrize("precision", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize("change", [{}, ADAM])
def test_a_graph_with_other_numbers_is_not_used(on_a_card, graph, precision, change):
    plain, _ = on_a_card(Replayed, plain=True, **{**change, "precision": precision})
    saved, (said,) = on_a_card(graph, **{**change, "precision": precision})
    assert not saved.way.captured and len(saved.way.refused) == 2
    assert said.startswith(
        "the run goes on plain, neither compiled nor captured: its first steps are not those"
    )
    assert "\n" not in said
    assert same(saved, plain)


def test_a_capture_that_fails_is_gone_without(on_a_card):
    plain, _ = on_a_card(Replayed, plain=True)
    reason = "CUDA error: operation not permitted when stream is capturing"
    for said in ([f"the run goes on plain, neither compiled nor captured: {reason}"], []):
        saved, heard = on_a_card(Refused)
        assert heard == said
        assert saved.way == speed.Way(refused=(reason, reason))
        assert same(saved, plain)


def test_what_cannot_be_captured_compiled_is_captured_without(on_a_card):
    plain, _ = on_a_card(Replayed, plain=True)
    saved, said = on_a_card(RefusedOnlyWhenCompiled)
    assert said == ["the network runs uncompiled: no compiled kernels in a graph"]
    assert saved.way == speed.Way(captured=True, refused=("no compiled kernels in a graph",))
    assert saved._body == saved.model.body and same(saved, plain)


def test_what_was_tried_leaves_no_trace():
    training = Training(network(), criterion(), DeviceData.of(DATA), GIVEN, small(), seed=1, eager=True)
    kept = []

    def between(run):
        kept.append(len(kept))
        if len(kept) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training.run(between=between)
    tensors, meta = training.state()
    before = {name: tensor.clone() for name, tensor in tensors.items()} | {"cursor": training.cursor.clone()}
    first, second = training.trial(3), training.trial(3)
    assert first.losses.count_nonzero() == 100 and first.moved.count_nonzero() and first.test > 0
    assert torch.equal(first.losses, second.losses) and torch.equal(first.moved, second.moved)
    assert first.test == second.test
    after = training.state()[0] | {"cursor": training.cursor}
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert training.state()[1] == meta


def test_an_error_while_something_is_tried_leaves_no_trace():
    training = Training(network(), criterion(), DeviceData.of(DATA), GIVEN, small(), seed=1, eager=True)
    before = {name: tensor.clone() for name, tensor in training.state()[0].items()}
    with pytest.raises(ZeroDivisionError), training._undone():
        training._step(32)
        raise ZeroDivisionError
    assert all(torch.equal(before[name], tensor) for name, tensor in training.state()[0].items())


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, ("c++", "g++", "clang++"))), reason="there is no C++ compiler")
def test_a_compiled_run_gives_the_same_numbers(captured, caplog):
    eager = train(network(), criterion(), DATA, GIVEN, small(), seed=1, eager=True)
    compiled = captured()
    assert complaints(caplog) == []
    for name, curve in eager.items():
        assert compiled[name] == pytest.approx(curve, rel=1e-6)
