"""Artifacts: what a run keeps beside its Record."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from jal.errors import InputError, Stopped
from jal.experiments import Store, artifacts, grids, run
from jal.experiments.sweep import sweep
from jal.training.observe import BINS, FEATURES, HISTOGRAMS


@pytest.fixture
def kept(short, tmp_path):
    store = Store(tmp_path)
    spec = short(noise="symmetric", rate=0.4, epochs=4)
    return store, run(spec, deterministic=True, keep=[FEATURES, HISTOGRAMS], store=store)


def test_features_are_of_the_test_images(kept):
    found = artifacts.load(*kept, FEATURES)
    assert found["features"].shape == (360, 64) and found["features"].dtype == np.float16
    assert found["labels"].shape == (360,)
    assert (found["features"] >= 0).all() and (found["features"] > 0).any(), "ReLU's"


def test_histograms_count_every_training_image_right_labels_apart_from_wrong_ones(kept):
    store, record = kept
    found = artifacts.load(store, record, HISTOGRAMS)
    assert sorted(found, key=int) == ["1", "2", "4"]
    for counts in found.values():
        assert counts.shape == (2, BINS) and counts.sum() == 1437
        assert counts[1].sum() == 531, "the wrong labels of symmetric 0.4"


def test_looking_changes_nothing(kept, short):
    _, record = kept
    plain = run(record.spec, deterministic=True)
    assert plain.curves == record.curves and plain.artifacts == {}
    assert set(record.artifacts) == {FEATURES, HISTOGRAMS}


def test_a_stopped_run_goes_on_with_what_it_has_seen(kept, short, tmp_path):
    _, whole = kept
    other = Store(tmp_path / "other")
    steps = iter(range(10**6))
    options = {"deterministic": True, "keep": [HISTOGRAMS], "store": other, "checkpoints": other.checkpoints}
    with pytest.raises(Stopped):
        run(whole.spec, stop=lambda: next(steps) == 30, **options)
    again = run(whole.spec, **options)
    assert again.artifacts[HISTOGRAMS] == whole.artifacts[HISTOGRAMS]


def test_a_file_that_is_missing_or_another_is_named(kept):
    store, record = kept
    file = artifacts.file(store, record.spec, FEATURES)
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match="is not what the run wrote"):
        artifacts.load(store, record, FEATURES)
    file.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        artifacts.load(store, record, FEATURES)


def test_what_was_not_kept_cannot_be_loaded(short, tmp_path):
    record = run(short(epochs=1))
    with pytest.raises(InputError, match="kept no features"):
        artifacts.load(Store(tmp_path), record, FEATURES)
    with pytest.raises(InputError, match="unknown artifact of a run 'feature': did you mean 'features'"):
        run(short(epochs=1), keep=["feature"], store=Store(tmp_path))


def test_files_beside_records_are_no_records(kept):
    store, record = kept
    store.put(record)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert store.records() == [record]


def test_a_grid_makes_runs_again_that_kept_too_little(tmp_path):
    store = Store(tmp_path)
    grid = replace(grids.get("figure3", profile="quick"), keep=())
    where = ("loss=CE",)
    without = sweep(grid, store=store, where=where, jobs=1, tell=str)
    assert len(without.ran) == 1
    wanted = grids.get("figure3", profile="quick")
    (record,) = sweep(wanted, store=store, where=where, jobs=1, tell=str).records.values()
    assert set(artifacts.load(store, record, HISTOGRAMS)) == {"1", "7", "20", "40", "80"}
    assert sweep(wanted, store=store, where=where, jobs=1, tell=str).ran == ()
    assert store.get(record.spec).has(wanted.keep)
