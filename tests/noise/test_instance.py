import os
import subprocess
import sys
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jal.errors import InputError
from jal.noise import corrupt, instance_dependent, instance_probabilities, labels_sha256, symmetric
from jal.noise import instance as module
from jal.noise.instance import _flip_rates

# mean and std of the paper's recipes
CIFAR10 = {"mean": (0.49139968, 0.48215827, 0.44653124), "std": (0.24703233, 0.24348505, 0.26158768)}
CIFAR100 = {"mean": (0.5071, 0.4865, 0.4409), "std": (0.2673, 0.2564, 0.2762)}

# sha256, first 16 hex digits, of the int64 little-endian labels at seed 123
PDN = {
    ("cifar10", 0.2): "6af9e642ed741a59",
    ("cifar10", 0.4): "9dfee49e52c3a201",
    ("cifar10", 0.6): "9db21ac2850f2630",
    ("cifar100", 0.2): "b74acefeee8758ea",
    ("cifar100", 0.4): "c97c8ee37908b5b6",
    ("cifar100", 0.6): "90038eff69b96677",
}


def generated(N=400, K=5, size=8):
    stream = np.random.default_rng(0)
    return stream.integers(0, 256, (N, size, size, 3), dtype=np.uint8), stream.integers(0, K, N)


def by_the_letter(images, labels, rate, seed, K, mean, std):
    """The module's docstring, an image at a time: labels and probabilities."""
    stream = np.random.Generator(np.random.PCG64(seed))
    normal = NormalDist()
    u = stream.random(len(images))
    W = stream.standard_normal((K, images[0].size, K))
    v = stream.random(len(images))
    low, high = normal.cdf(-rate / 0.1), normal.cdf((1 - rate) / 0.1)
    rows = []
    for i, y in enumerate(labels):
        q = rate + 0.1 * normal.inv_cdf(low + u[i] * (high - low))
        x = np.moveaxis((images[i] / 255 - np.array(mean)) / np.array(std), -1, 0).ravel()
        scores = np.delete(x @ W[y], y)
        odds = np.exp(scores - scores.max())
        rows.append(np.insert(q * odds / odds.sum(), y, 1 - q))
    given = [int(np.flatnonzero(np.cumsum(row) > at)[0]) for row, at in zip(rows, v, strict=True)]
    return np.array(given), np.array(rows)


def cifar_images(name):
    file = Path(os.environ.get("JAL_DATA") or "absent") / name / "x_train.npy"
    if not file.exists():
        pytest.skip(f"no images of {name}: set JAL_DATA to the folder that holds {name}/x_train.npy")
    return np.load(file, mmap_mode="r")


@pytest.mark.parametrize(("dataset", "rate"), PDN)
def test_labels_of_cifar(dataset, rate, cifar_labels):
    images, labels = cifar_images(dataset), cifar_labels(dataset)
    noisy = instance_dependent(images, labels, rate, 123, **(CIFAR10 if dataset == "cifar10" else CIFAR100))
    assert labels_sha256(noisy)[:16] == PDN[dataset, rate]
    assert (noisy != labels).mean() == pytest.approx(rate, abs=0.006)


def test_the_stream_without_the_data():
    images, labels = generated()
    noisy = instance_dependent(images, labels, 0.4, 123, **CIFAR10)
    np.testing.assert_array_equal(noisy, by_the_letter(images, labels, 0.4, 123, 5, **CIFAR10)[0])
    assert labels_sha256(noisy)[:16] == "83f4bacaadfd5c68"


@pytest.mark.parametrize("rate", [0.05, 0.4, 0.75])
def test_it_is_what_the_docstring_says(rate):
    images, labels = generated(N=60)
    expected, rows = by_the_letter(images, labels, rate, 7, 5, **CIFAR10)
    np.testing.assert_allclose(instance_probabilities(images, labels, rate, 7, **CIFAR10), rows, atol=1e-12)
    np.testing.assert_array_equal(instance_dependent(images, labels, rate, 7, **CIFAR10), expected)


def test_floats_are_taken_as_they_are():
    images, labels = generated()
    x = np.moveaxis((images / 255 - np.array(CIFAR10["mean"])) / np.array(CIFAR10["std"]), -1, 1)
    for form in (x, x.reshape(len(x), -1)):
        np.testing.assert_allclose(
            instance_probabilities(form, labels, 0.4, 1),
            instance_probabilities(images, labels, 0.4, 1, **CIFAR10),
            atol=1e-12,
        )


def test_pixels_without_mean_and_std_are_only_divided_by_255():
    images, labels = generated()
    np.testing.assert_allclose(
        instance_probabilities(images, labels, 0.4, 1),
        instance_probabilities(np.moveaxis(images, -1, 1) / 255, labels, 0.4, 1),
        atol=1e-12,
    )


def test_the_size_of_the_blocks_changes_no_label(monkeypatch):
    images, labels = generated()
    whole = instance_dependent(images, labels, 0.4, 1)
    monkeypatch.setattr(module, "BLOCK", 1000)
    np.testing.assert_array_equal(instance_dependent(images, labels, 0.4, 1), whole)


def test_the_number_of_threads_changes_no_label(tmp_path):
    """Of the BLAS, in new processes, as it is read once; large enough for it to use them."""
    code = (
        "import numpy as np; from jal.noise import instance_dependent, labels_sha256\n"
        "x = np.random.default_rng(0).standard_normal((4000, 1024)); y = np.arange(4000) % 3\n"
        "print(labels_sha256(instance_dependent(x, y, 0.4, 1, num_classes=10)))"
    )
    sums = set()
    for threads in ("1", "2"):
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        sums.add(done.stdout)
    assert len(sums) == 1


@pytest.mark.parametrize("rate", [0.2, 0.4, 0.6, 0.95])
def test_flip_rates_are_a_truncated_normal(rate):
    labels = np.zeros(20_000, dtype=int)
    q = 1 - instance_probabilities(np.zeros((20_000, 1)), labels, rate, 3, num_classes=2)[:, 0]
    assert q.min() >= 0 and q.max() <= 1
    inside = NormalDist(rate, 0.1)
    low, high = inside.cdf(0), inside.cdf(1)
    # The largest distance of the two distribution functions: beyond 1.95 / sqrt(N) once in a thousand samples.
    expected = np.array([(inside.cdf(value) - low) / (high - low) for value in np.sort(q)])
    assert np.abs(expected - np.arange(len(q)) / len(q)).max() < 1.95 / len(q) ** 0.5


@given(rate=st.floats(0, 1, exclude_max=True), seed=st.integers(0, 2**32 - 1))
def test_probabilities_are_distributions_at_any_rate(rate, seed):
    images, labels = generated(N=20)
    P = instance_probabilities(images, labels, rate, seed, num_classes=5)
    assert (P >= 0).all()
    np.testing.assert_allclose(P.sum(axis=1), 1, atol=1e-12)


def test_labels_are_drawn_from_the_probabilities():
    """Images all alike but of two classes: the frequencies of the labels are the averages of the rows."""
    images, labels = np.full((40_000, 3), 0.3), np.arange(40_000) % 2
    noisy = instance_dependent(images, labels, 0.4, 9, num_classes=4)
    P = instance_probabilities(images, labels, 0.4, 9, num_classes=4)
    for y in (0, 1):
        shares = np.bincount(noisy[labels == y], minlength=4) / 20_000
        # 5 standard deviations of a frequency at p = .5
        np.testing.assert_allclose(shares, P[labels == y].mean(axis=0), atol=5 * 0.5 / 20_000**0.5)


def test_noise_depends_on_the_image_and_not_on_the_class_alone():
    """The likeliest wrong label differs between images of one class; under a transition it would be one."""
    images, labels = generated()
    P = instance_probabilities(images, labels, 0.4, 1, **CIFAR10)
    P[np.arange(len(labels)), labels] = 0
    assert len(set(P[labels == 0].argmax(axis=1))) > 1
    # Nearly a corner: one wrong label takes nearly all that an image loses.
    assert np.median(P.max(axis=1) / P.sum(axis=1)) > 0.9


def test_rate_0_leaves_every_label():
    images, labels = generated()
    np.testing.assert_array_equal(instance_dependent(images, labels, 0, 1), labels)


def test_seeds_repeat_and_differ_and_nothing_given_is_changed():
    images, labels = generated()
    kept = images.copy(), labels.copy()
    first, again, other = (instance_dependent(images, labels, 0.4, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert first.dtype == np.int64
    np.testing.assert_array_equal(images, kept[0])
    np.testing.assert_array_equal(labels, kept[1])


def test_classes_that_no_image_is_of_can_be_given_labels():
    images, labels = generated()
    noisy = instance_dependent(images, labels, 0.4, 1, num_classes=9)
    assert noisy.max() > 4
    assert instance_dependent(images[:0], labels[:0], 0.4, 1, num_classes=9).shape == (0,)


IMAGES, LABELS = generated(N=4)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((IMAGES, [0, 1, 2, 5], 0.4, 1), {"num_classes": 5}, "labels hold 5, outside 0..4"),
        ((IMAGES, [0, 1, 2], 0.4, 1), {}, "3 labels for images of shape"),
        ((IMAGES, [0.0, 1, 2, 3], 0.4, 1), {}, "give a list of integers"),
        ((IMAGES, [0, 0, 0, 0], 0.4, 1), {}, "1 classes: give their number"),
        ((IMAGES, [0, 0, 0, 0], 0.4, 1), {"num_classes": 1.5}, "1.5 classes: give their number"),
        ((IMAGES[:0], np.zeros(0, int), 0.4, 1), {}, "give num_classes"),
        ((IMAGES, LABELS, 1.0, 1), {}, "noise rate 1.0 is outside"),
        ((IMAGES, LABELS, -0.1, 1), {}, "noise rate -0.1 is outside"),
        ((IMAGES, LABELS, float("nan"), 1), {}, "noise rate nan is outside"),
        ((IMAGES, LABELS, 0.4, -1), {}, "seed -1"),
        ((IMAGES, LABELS, 0.4, 0.5), {}, "seed 0.5"),
        ((IMAGES.astype(int), LABELS, 0.4, 1), {}, "type int64: give uint8"),
        ((IMAGES[0], LABELS, 0.4, 1), {}, "give uint8"),
        (([[1.0], [1.0, 2.0]], [0, 1], 0.4, 1), {}, "every image of the same size"),
        ((np.zeros((4, 0)), LABELS, 0.4, 1), {}, "give a label and pixels for each"),
        ((np.full((4, 3), np.nan), LABELS, 0.4, 1), {}, "not finite, or too large"),
        ((np.full((4, 3), np.inf), LABELS, 0.4, 1), {}, "not finite, or too large"),
        ((np.full((4, 3), 1e308), LABELS, 0.4, 1), {}, "not finite, or too large"),
        ((IMAGES / 255, LABELS, 0.4, 1), CIFAR10, "mean and std are for uint8"),
        ((IMAGES, LABELS, 0.4, 1), {"mean": (0.5, 0.5, 0.5)}, "one of mean and std is missing"),
        ((IMAGES, LABELS, 0.4, 1), {"mean": (0.5,), "std": (0.5,)}, "give 3 finite numbers each"),
        ((IMAGES, LABELS, 0.4, 1), {"mean": (0, 0, 0), "std": (1, 0, 1)}, "every std above 0"),
        ((IMAGES, LABELS, 0.4, 1), {"mean": (0, 0, np.nan), "std": (1, 1, 1)}, "finite numbers"),
        ((IMAGES, LABELS, 0.4, 1), {"mean": "abc", "std": (1, 1, 1)}, "give lists of numbers"),
    ],
)
def test_bad_input_is_refused_in_one_line(arguments, options, message):
    with pytest.raises(InputError, match=message) as error:
        instance_dependent(*arguments, **options)
    assert "\n" not in str(error.value)


def test_it_is_another_noise_than_a_transitions():
    images, labels = generated()
    assert (instance_dependent(images, labels, 0.4, 1) != corrupt(labels, symmetric(5, 0.4), 1)).any()


@pytest.mark.slow
@pytest.mark.parametrize(("K", "limit"), [(10, 20), (100, 60)])
def test_a_set_of_cifars_size_takes_seconds_and_little_memory(K, limit):
    if not Path("/proc/self/status").exists():
        pytest.skip("no /proc: the peak of memory is read from it")
    code = (
        "import time, numpy as np; from jal.noise import instance_dependent\n"
        "x = np.random.default_rng(0).integers(0, 256, (50_000, 32, 32, 3), dtype=np.uint8)\n"
        f"y = np.arange(50_000) % {K}; start = time.perf_counter()\n"
        "instance_dependent(x, y, 0.4, 1, mean=(.5, .5, .5), std=(.25, .25, .25))\n"
        "seconds = time.perf_counter() - start\n"
        "peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM'))\n"
        "print(seconds, peak.split()[1])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, kibibytes = map(float, done.stdout.split())
    assert seconds < limit
    assert kibibytes < 2 * 2**20


@pytest.mark.parametrize("rate", [0.06, 0.31, 0.43, 0.61])
def test_flip_rates_are_shares_to_the_last_digit(rate):
    """At the ends of the draws rounding would leave them by a digit, and P of the label itself would be above 1."""
    found = _flip_rates(np.array([0, 0.5, np.nextafter(1, 0)]), rate)
    assert found.min() >= 0
    assert found.max() <= 1
