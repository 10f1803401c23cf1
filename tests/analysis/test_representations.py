"""Figures 1 and 3: features and histograms found, measured, drawn and put into words."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits
from sklearn.metrics import silhouette_score
from threadpoolctl import threadpool_limits

from jal.analysis import representations as seen
from jal.analysis.figures import style
from jal.errors import InputError
from jal.experiments import Store, artifacts, grids
from tests.analysis.filled import record_of


@pytest.fixture
def keep():
    """Puts a run of a grid into a store, with an artifact or without."""

    def put(store, grid, loss, name="", tensors=None, seed=123, precision="float32"):
        (spec,) = grid.runs((loss, "symmetric 0.4"), [seed])
        spec = spec.at(precision)
        record = record_of(spec, 90.0)
        record = replace(
            record,
            environment={"device": "cpu", "processor": "p", "commit": "c", "dirty": False},
            timing={"seconds": 1.0, "images_per_second": 1.0},
        )
        if name:
            record = replace(record, artifacts={name: artifacts.keep(store, spec, name, tensors)})
        store.put(record)
        return record

    return put


def blobs(distance, classes=3, n=20, seed=0):
    """Features of classes whose centres lie so far apart, and their labels."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), n)
    return distance * np.eye(classes, 5)[labels] + random.normal(size=(len(labels), 5)), labels


def features_of(distance):
    points, labels = blobs(distance)
    return {"features": torch.tensor(points).half(), "labels": torch.tensor(labels, dtype=torch.uint8)}


def counts_of(**by_epoch):
    return {epoch.strip("_"): torch.tensor(counts) for epoch, counts in by_epoch.items()}


@pytest.fixture
def figure1():
    return grids.get("figure1", profile="quick")


def test_a_record_without_the_artifact_counts_as_missing_and_a_later_store_is_asked(tmp_path, keep, figure1):
    first, second = Store(tmp_path / "a"), Store(tmp_path / "b")
    keep(first, figure1, "CE")
    keep(first, figure1, "JAL-CE")
    wanted = keep(second, figure1, "JAL-CE", "features", features_of(9))
    runs = seen.kept(figure1, "features", [first, second])
    assert [(row, seed) for row, _, seed, _, _ in runs] == [("JAL-CE", 123)]
    assert set(runs.arrays) == {wanted.id} and set(runs.first()) == {"JAL-CE"}
    assert runs.found.progress().startswith("1 of 4 runs")


def test_runs_in_bfloat16_are_shown_where_there_are_no_others(tmp_path, keep, figure1):
    store = Store(tmp_path)
    half = keep(store, figure1, "CE", "features", features_of(9), precision="bfloat16")
    keep(store, figure1, "JAL-CE")
    assert set(seen.kept(figure1, "features", [store]).arrays) == {half.id}
    own = keep(store, figure1, "JAL-CE", "features", features_of(9))
    assert set(seen.kept(figure1, "features", [store]).arrays) == {own.id}


def test_where_a_profile_has_no_runs_the_next_smaller_one_is_shown(tmp_path, keep, figure1):
    store = Store(tmp_path)
    with pytest.raises(InputError, match="no run has kept features for figure1"):
        seen.nearest("figure1", "features", "full", [store])
    keep(store, figure1, "CE", "features", features_of(9))
    assert seen.nearest("figure1", "features", "full", [store])[0] == "quick"
    keep(store, grids.get("figure1", profile="laptop"), "CE", "features", features_of(9))
    at, runs = seen.nearest("figure1", "features", "full", [store])
    assert at == "laptop" and runs.found.records[0].spec.dataset == "fashion-mnist"
    assert seen.nearest("figure1", "features", "quick", [store])[0] == "quick"


def test_a_precision_is_that_of_the_profile_itself(tmp_path, keep, figure1):
    store = Store(tmp_path)
    keep(store, figure1, "CE", "features", features_of(9))
    with pytest.raises(InputError, match="no run has kept"):
        seen.nearest("figure1", "features", "quick", [store], precision="bfloat16")
    assert seen.nearest("figure1", "features", "laptop", [store], precision="bfloat16")[0] == "quick"
    laptop = grids.get("figure1", profile="laptop")
    keep(store, laptop, "CE", "features", features_of(9), precision="bfloat16")
    at, runs = seen.nearest("figure1", "features", "laptop", [store], precision="bfloat16")
    assert at == "laptop" and runs.found.records[0].spec.recipe.precision == "bfloat16"


def test_a_damaged_artifact_is_named(tmp_path, keep, figure1):
    store = Store(tmp_path)
    record = keep(store, figure1, "CE", "features", features_of(9))
    artifacts.file(store, record.spec, "features").write_bytes(b"")
    with pytest.raises(InputError, match="is not what the run wrote"):
        seen.kept(figure1, "features", [store])


def test_a_subsample_is_fixed_and_without_repetition():
    some = seen.subsample(100, 30)
    assert len(set(some)) == 30 and (some == seen.subsample(100, 30)).all() and (np.diff(some) > 0).all()
    assert (seen.subsample(10, 30) == np.arange(10)).all()


def test_separation_is_the_mean_silhouette_and_the_neighbours_of_ones_class():
    points, labels = blobs(2.0)
    found = seen.separation(points, labels, neighbours=4)
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    near = np.argsort(distances, axis=1)[:, :4]
    assert found["neighbours"] == pytest.approx(100 * (labels[near] == labels[:, None]).mean())
    silhouettes = []
    np.fill_diagonal(distances, 0)
    for i, k in enumerate(labels):
        a = distances[i, labels == k].sum() / (np.sum(labels == k) - 1)
        b = min(distances[i, labels == other].mean() for other in set(labels) - {k})
        silhouettes.append((b - a) / max(a, b))
    assert found["silhouette"] == pytest.approx(np.mean(silhouettes))


def test_separation_does_not_depend_on_the_scale_and_grows_with_the_distance():
    points, labels = blobs(4.0)
    found = seen.separation(points, labels)
    assert seen.separation(1000 * points, labels) == pytest.approx(found)
    nearer = seen.separation(*blobs(1.0))
    assert nearer["silhouette"] < found["silhouette"] and nearer["neighbours"] < found["neighbours"]


@pytest.mark.parametrize(("points", "classes"), [(60, 1), (5, 3)])
def test_nothing_to_separate_is_refused(points, classes):
    with pytest.raises(InputError, match=f"{points} points of {classes} classes"):
        seen.separation(np.zeros((points, 2)), np.arange(points) % classes)


def test_an_embedding_is_the_same_twice_and_keeps_neighbours():
    points, labels = blobs(12.0)
    one = seen.embedding(points, perplexity=5.0)
    assert one.shape == (60, 2) and (one == seen.embedding(points, perplexity=5.0)).all()
    assert silhouette_score(one, labels) > 0.5
    assert not np.allclose(one, seen.embedding(points, perplexity=15.0))


def test_an_embedding_is_the_same_however_many_threads_there_are():
    points = load_digits().data[:500]  # of 300 one and two threads would make the same map in any case
    with threadpool_limits(2):
        two = seen.embedding(points)
    with threadpool_limits(1):
        assert (two == seen.embedding(points)).all()


def test_a_map_shows_each_point_as_its_class():
    points, labels = blobs(1.0)
    with plt.rc_context():
        style()
        figure = seen.maps({"CE": points[:, :2], "JAL-CE": points[:, 2:4]}, labels, ["a", "b", "c"])
    first, second = figure.axes
    assert first.get_title(loc="left") == "CE" and len(second.lines) == 3
    assert [drawn.get_marker() for drawn in first.lines] == ["$0$", "$1$", "$2$"]
    assert np.allclose(np.array(first.lines[1].get_data()).T, points[labels == 1, :2])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b", "c"]
    assert not seen.maps({"CE": points[:, :2]}, labels, ["0", "1", "2"]).legends
    plt.close("all")


def test_the_scores_of_each_run(tmp_path, keep, figure1):
    store = Store(tmp_path)
    for loss, distance in {"CE": 1.0, "JAL-CE": 6.0}.items():
        for seed in (123, 124):
            keep(store, figure1, loss, "features", features_of(distance), seed)
    frame = seen.separations(seen.kept(figure1, "features", [store], seeds=[123, 124]))
    assert list(zip(frame["row"], frame["seed"], strict=True)) == [
        (loss, seed) for loss in ("CE", "JAL-CE") for seed in (123, 124)
    ]
    arrays = features_of(6.0)
    expected = seen.separation(arrays["features"].numpy(), arrays["labels"].numpy())
    assert frame.iloc[-1][["silhouette", "neighbours"]].tolist() == pytest.approx(list(expected.values()))


# Right labels, wrong labels, four bins.
CE = {"_1": [[6, 2, 1, 1], [4, 0, 0, 0]], "_9": [[0, 0, 1, 9], [1, 0, 1, 2]]}
JAL = {"_1": [[5, 0, 0, 5], [4, 0, 0, 0]], "_9": [[0, 0, 0, 10], [3, 0, 0, 1]]}


@pytest.fixture
def histograms(tmp_path, keep):
    def runs(**by_loss):
        store, grid = Store(tmp_path), grids.get("figure3", profile="quick")
        for loss, counts in by_loss.items():
            keep(store, grid, loss.replace("_", "-"), "histograms", counts_of(**counts))
        return seen.kept(grid, "histograms", [store])

    return runs


def test_a_label_is_believed_from_one_half_on(histograms):
    frame = seen.believed(histograms(CE=CE, JAL_CE=JAL)).set_index(["row", "epoch"])
    assert frame.loc[("CE", 1), ["right", "wrong"]].tolist() == [20.0, 0.0]
    assert frame.loc[("CE", 9), ["right", "wrong"]].tolist() == [100.0, 75.0]
    assert frame.loc[("JAL-CE", 9), ["right", "wrong"]].tolist() == [100.0, 25.0]


def test_the_counts_can_be_had_as_a_frame(histograms):
    frame = seen.bins(histograms(CE=CE)).set_index(["epoch", "low"])
    assert frame.loc[(9, 0.75), ["right", "wrong"]].tolist() == [9, 2] and len(frame) == 8


def test_the_figure_has_an_epoch_a_row_and_shares_of_each_group(histograms):
    figure = seen.histograms(histograms(CE=CE, JAL_CE=JAL), {"CE": (0.6, 0.1)})
    assert len(figure.axes) == 4
    right, wrong = figure.axes[2].patches
    assert right.get_data().values.tolist() == [0, 0, 10, 90]
    assert wrong.get_data().values.tolist() == [25, 0, 25, 50]
    assert [mark.get_xdata()[0] for mark in figure.axes[0].lines] == [0.6, 0.1]
    assert not figure.axes[1].lines
    assert figure.axes[2].get_ylabel().startswith("after epoch 9")
    plt.close(figure)
