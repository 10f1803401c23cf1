"""Images read as they are needed: the same numbers as when they are held, however they are read."""

import os
import signal
import time
from dataclasses import replace
from multiprocessing import active_children

import numpy as np
import pytest
import torch
from PIL import Image

from jal import losses, models
from jal.datasets import ImageData
from jal.datasets.large import LargeImages
from jal.datasets.large.sets import LargeData
from jal.errors import InputError, Stopped, TrainingError
from jal.training import streamed as module
from jal.training.data import DeviceData, StreamedData
from jal.training.loop import Training
from jal.training.recipe import recipe
from jal.training.streamed import Streamed
from jal.training.transforms import drawing

CLASSES = tuple("abc")


def pictures(count, seed):
    """Three faint patterns under noise, (N, 16, 16, 3), and their labels."""
    random = np.random.RandomState(seed)
    labels = np.arange(count) % 3
    pixels = 20 * labels[:, None, None, None] + random.randint(0, 200, (count, 16, 16, 3))
    return pixels.astype(np.uint8), labels.astype(np.int64)


TRAIN, TEST, OTHER = pictures(21, 0), pictures(8, 1), pictures(5, 2)


@pytest.fixture
def data(tmp_path):
    """The same images as files."""

    def of(name, split, images, labels):
        paths = [f"{name}-{split}-{number}.png" for number in range(len(images))]
        for path, image in zip(paths, images, strict=True):
            Image.fromarray(image).save(tmp_path / path)
        return LargeImages(name, split, tmp_path, np.array([p.encode() for p in paths]), labels, CLASSES)

    others = {"ilsvrc12": of("ilsvrc12", "val", *OTHER)}
    return LargeData(of("webvision", "train", *TRAIN), of("webvision", "val", *TEST), others)


def small(**changes):
    some = recipe("webvision", "CE")
    changes = {"augmentation": (), "test_transform": (), "epochs": 3, "batch_size": 6, **changes}
    return replace(some, precision="float64", learning_rate=0.01, **changes)


def parts(r, channels=3):
    torch.manual_seed(4)
    return models.build("cnn2", 3, channels, 16), losses.build("CE", None, reduction="none")


def streamed(data, r, workers=0):
    return Streamed(*parts(r), StreamedData.of(data), data.train_labels, r, seed=9, workers=workers)


def test_a_run_gives_what_it_gives_with_its_images_held(data):
    held = DeviceData.of(ImageData("held", *TRAIN, *TEST, CLASSES))
    expected = Training(*parts(small()), held, TRAIN[1], small(), seed=9).run()
    run = streamed(data, small())
    curves = run.run()
    assert set(expected) - set(curves) == {"clean_loss", "clean_accuracy"}
    assert set(curves) - set(expected) == {"ilsvrc12_accuracy"}
    for name in set(curves) & set(expected):
        # The files' pixels become numbers between 0 and 1 in float32.
        assert curves[name] == pytest.approx(expected[name], rel=1e-4), name
    assert run.tested == {"webvision": "test_accuracy", "ilsvrc12": "ilsvrc12_accuracy"}


def test_the_other_test_set_is_tested_by_the_same_network(data):
    run = streamed(data, small())
    curves = run.run()
    images = torch.tensor(OTHER[0]).double().permute(0, 3, 1, 2) / 255
    mean, std = (
        torch.tensor(v, dtype=torch.float64)[:, None, None] for v in (run.recipe.mean, run.recipe.std)
    )
    with torch.no_grad():
        guesses = run.model.eval()((images - mean) / std).argmax(1).numpy()
    assert curves["ilsvrc12_accuracy"][-1] == pytest.approx(100 * (guesses == OTHER[1]).mean())


RANDOM = ("flip", "jitter")


def test_neither_readers_nor_a_stop_change_a_run(data):
    r = small(augmentation=RANDOM)
    expected = streamed(data, r).run()
    assert streamed(data, r, workers=2).run() == expected

    def stop(run):
        if (run.epoch, run.step) == (1, 3):
            raise Stopped("here")

    begun = streamed(data, r, workers=2)
    with pytest.raises(Stopped):
        begun.run(between=stop)
    again = streamed(data, r)
    again.restore(*begun.state())
    assert again.run() == expected


def test_an_image_is_transformed_anew_in_each_epoch_and_run(data):
    r = small(augmentation=RANDOM, batch_size=21)
    batches = []

    class Watched(Streamed):
        def _images(self, batch, rows):
            images = super()._images(batch, rows)
            batches.append(images[batch.argsort()])
            return images

    for seed in (9, 10):
        Watched(*parts(r), StreamedData.of(data), data.train_labels, r, seed=seed, workers=0).run()
    alike = [[torch.equal(one, other) for other in batches] for one in batches]
    assert np.array_equal(alike, np.eye(6))


def test_the_stream_of_random_numbers_around_it_is_left_alone(data):
    r = small(augmentation=RANDOM)
    run = streamed(data, r)
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    run.run()
    assert torch.equal(torch.rand(1), expected)


def test_an_estimate_leaves_no_trace(data):
    tried, untried = streamed(data, small(augmentation=RANDOM)), streamed(data, small(augmentation=RANDOM))
    assert tried.estimate() > 0
    assert tried.run() == untried.run()


@pytest.mark.parametrize("workers", [0, 2])
def test_an_image_that_cannot_be_read_is_one_line(data, workers):
    data.train.path(7).write_bytes(b"no image")
    with pytest.raises(
        InputError, match=r"webvision-train-7.png cannot be opened .*jal data verify"
    ) as error:
        streamed(data, small(), workers).run()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("workers", [0, 2])
def test_images_that_still_differ_in_size_are_one_line(data, workers):
    Image.new("RGB", (20, 18)).save(data.test.path(1))
    with pytest.raises(InputError, match=r"sizes, \(16, 16\) and \(18, 20\): end .* with a crop") as error:
        streamed(data, small(), workers).run()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_image_too_small_for_its_crop_is_one_line(data, workers):
    with pytest.raises(InputError, match=r"train-\d+.png cannot be transformed: Required crop size") as error:
        streamed(data, small(augmentation=("crop224",)), workers).run()
    assert "\n" not in str(error.value)


@pytest.fixture
def readers():
    """() -> the processes that were begun since."""
    before = active_children()
    return lambda: [child for child in active_children() if child not in before]


def test_no_reader_outlives_what_it_reads_for(data, readers):
    tested = []

    class Watched(Streamed):
        def _evaluate(self):
            tested.append(readers())
            super()._evaluate()

    run = Watched(*parts(small()), StreamedData.of(data), data.train_labels, small(), seed=9, workers=2)

    def stop(run):
        if run.epoch == 1:
            raise Stopped("here")

    run.estimate()
    assert readers() == []
    with pytest.raises(Stopped):
        run.run(between=stop)
    assert readers() == []
    run.run()
    assert readers() == [] and tested == [[]] * 4


@pytest.mark.parametrize("late", [0, 0.5])
def test_the_run_decides_when_its_readers_end(data, readers, monkeypatch, late):
    """A batch system's SIGTERM reaches them too, also one that has hardly begun."""
    begin = module._patient
    monkeypatch.setattr(module, "_patient", lambda number: time.sleep(number * late) or begin(number))

    def end(run):
        for reader in readers():
            os.kill(reader.pid, signal.SIGINT)
            os.kill(reader.pid, signal.SIGTERM)

    assert streamed(data, small(), workers=2).run(between=end) == streamed(data, small()).run()


def test_a_killed_reader_is_one_line(data, readers):
    def kill(run):
        for reader in readers():
            reader.kill()

    with pytest.raises(
        TrainingError, match="a process that reads images was killed: is there memory"
    ) as error:
        streamed(data, small(), workers=1).run(between=kill)
    assert "\n" not in str(error.value) and readers() == []


def test_runs_that_are_threads_draw_one_at_a_time(data):
    run = streamed(data, small(epochs=1))
    transform, locked = run.train_transform, []
    run.train_transform = lambda image: locked.append(drawing.locked()) or transform(image)
    run.run()
    assert locked == [True] * 21 and not drawing.locked()
    with drawing:  # readers have the lock as it was when they began
        assert len(list(streamed(data, small(), workers=1).passes(data.train))) == 4


def test_the_first_batches_of_the_readers_are_no_measure(data, monkeypatch):
    at = []
    run = streamed(data, small(batch_size=3), workers=2)
    monkeypatch.setattr(module.time, "perf_counter", lambda: at.append(run.step) or len(at))
    run.step = run.steps  # stopped at an epoch's end
    assert run.estimate() > 0 and run.step == run.steps
    assert at[:2] == [2, 7]


def test_there_are_readers_for_the_cores_that_may_be_used(data, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 5}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert streamed(data, small(), workers=None).workers == 2


def test_what_does_not_fit_is_refused(data):
    with pytest.raises(InputError, match="unknown transform of large images 'crop4'"):
        streamed(data, small(augmentation=("crop4",)))
    with pytest.raises(InputError, match=r"leaves a last batch of one of the 21 images"):
        streamed(data, small(batch_size=20))
    with pytest.raises(InputError, match="22 of 21 training images"):
        data.first(22)
    assert len(data.first(6).train) == 6
