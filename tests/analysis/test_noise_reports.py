"""The kept reports on CIFAR's noise are what the library makes of the real labels, and only aggregates of them."""

import json
import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jal import datasets
from jal.analysis.noise_reports import (
    ANNOTATORS,
    DATASETS,
    FOLDER,
    document,
    kept,
    origin,
    read,
    read_all,
    read_annotators,
    read_sets,
    specs,
)
from jal.checkout import find_root
from jal.datasets.human import human_source
from jal.datasets.instance import instance_source
from jal.errors import InputError
from jal.experiments import resolve
from jal.experiments.labels import report_of
from tests.analysis.noise_files import FACTS, annotators_document, write_all

COMMITTED = find_root() / FOLDER
DIGITS = datasets.load("digits")
KEPT = [(dataset, spec) for dataset in DATASETS for spec in specs(dataset)]


def committed(spec):
    name = f"{spec.dataset} {spec.noise}".replace(" ", "-")
    return json.loads((COMMITTED / f"{name}.json").read_text())


def without_date(data):
    return {key: value for key, value in data.items() if key != "made"}


def instance(rate=0.4):
    return resolve(dataset="digits", noise="instance", rate=rate, loss="CE")


@pytest.fixture
def cifar():
    def load(name, *needed):
        root = os.environ.get("JAL_DATA")
        missing = [folder for folder in needed if not (Path(root or "absent") / folder).is_dir()]
        if not root or missing:
            pytest.skip(f"no {' '.join(missing) or name}: set JAL_DATA to the folder that holds them")
        return datasets.load(name)

    return load


def test_the_files_are_those_of_the_noises_and_small():
    files = sorted(COMMITTED.iterdir())
    wanted = {f"{name} {spec.noise}".replace(" ", "-") for name, spec in KEPT} | {"cifar10-annotators"}
    assert {file.name for file in files} == {f"{name}.json" for name in wanted}
    assert sum(file.stat().st_size for file in files) < 300_000


@pytest.mark.parametrize(("dataset", "spec"), KEPT, ids=lambda value: str(getattr(value, "noise", value)))
def test_a_file_agrees_with_its_own_counts(dataset, spec):
    data = committed(spec)
    found = kept(data)
    assert (found.dataset, found.noise) == (dataset, spec.noise)
    assert found.report.counts.sum(axis=1).tolist() == [50_000 // len(found.report.counts)] * len(
        found.report.counts
    )
    # Whatever the counts say of themselves is in the file as the library says it today.
    said = {key: value for key, value in found.report.to_dict().items() if key != "counts"}
    assert {key: data[key] for key in said} == said
    assert (found.images is not None) == (spec.noise.variant == "pdn")


def test_labels_of_others_are_the_released_ones_and_named_with_their_licence():
    for dataset, spec in KEPT:
        data, noise = committed(spec), spec.noise
        assert data["clean_sha256"] == datasets.known.DATASETS[dataset].arrays[1].sha256
        if noise.kind == "human":
            source = human_source(dataset, noise.variant)
        elif noise.variant == "fixed":
            source = instance_source(dataset, noise.rate)
        else:
            assert "source" not in data
            continue
        assert data["labels_sha256"] == source["sha256"]
        assert {key: data[key] for key in ("source", "licence", "citation")} == {
            key: source[key] for key in ("source", "licence", "citation")
        }


@pytest.mark.parametrize(
    ("words", "needed"),
    [
        ({"dataset": "cifar10", "noise": "symmetric", "rate": 0.8}, ()),
        ({"dataset": "cifar10", "noise": "instance", "variant": "pdn", "rate": 0.6}, ()),
        ({"dataset": "cifar10", "noise": "instance", "variant": "fixed", "rate": 0.4}, ("idn",)),
        ({"dataset": "cifar10", "noise": "human", "variant": "worst"}, ("cifar-n",)),
        ({"dataset": "cifar100", "noise": "asymmetric", "variant": "blocks", "rate": 0.4}, ()),
        ({"dataset": "cifar100", "noise": "human", "variant": "noisy"}, ("cifar-n",)),
    ],
)
def test_the_real_labels_give_the_kept_report(cifar, words, needed):
    spec = resolve(loss="CE", **words)
    data = cifar(spec.dataset, spec.dataset, *needed)
    made = json.loads(json.dumps(document(spec, data)))
    assert without_date(made) == without_date(committed(spec))


def test_the_real_labels_give_the_kept_annotators(cifar):
    made = annotators_document(cifar("cifar10", "cifar10", "cifar-n"))
    assert without_date(made) == without_date(json.loads((COMMITTED / "cifar10-annotators.json").read_text()))


def test_how_the_sets_of_three_people_were_made():
    """Counted on the released files, by other code: these are no parameters, but what the files hold."""
    sets, facts = read_sets()
    assert list(facts.values()) == [30178, 282, 3041, 46959, 3041, 822, 2749, 20104, 20104]
    assert list(facts) == list(FACTS)
    assert sets == {
        "aggre": [0, 0, 3438, 1067],
        "rand1": [0, 4760, 2790, 1067],
        "worst": [0, 14777, 4260, 1067],
    }
    reports = read_all("cifar10")
    for name, counts in sets.items():
        assert sum(counts) == round(50_000 * reports[f"human {name}"].report.rate)
    assert sets["worst"][1:] == read_annotators()[:, 1:].sum(0).tolist()


@pytest.mark.slow
def test_all_of_them_are_made_again(cifar, tmp_path):
    cifar("cifar10", "cifar10", "cifar100", "cifar-n", "idn")
    write_all(tmp_path, tell=lambda line: None)
    assert {file.name for file in tmp_path.iterdir()} == {file.name for file in COMMITTED.iterdir()}
    for file in tmp_path.iterdir():
        again = json.loads((COMMITTED / file.name).read_text())
        assert without_date(json.loads(file.read_text())) == without_date(again), file.name


def test_annotators_add_up_to_the_peoples_rates():
    counts, reports = read_annotators(), read_all("cifar10")
    wrong = (counts * np.arange(4)).sum()
    rates = [reports[f"human {one}"].report.rate for one in ANNOTATORS]
    assert wrong == pytest.approx(50_000 * sum(rates))
    assert counts[:, 1:].sum() == pytest.approx(50_000 * reports["human worst"].report.rate)


def test_a_report_comes_back_as_it_was():
    report = report_of(instance(), DIGITS)
    found = kept(json.loads(json.dumps(document(instance(), DIGITS))))
    assert (found.report.counts == report.counts).all()
    assert (found.report.nominal, found.report.threshold()) == (0.4, report.threshold())
    assert found.images.dominant_share == report.images.dominant_share
    assert found.images.covered[10] == report.images.covered(10)
    percentiles = np.quantile(report.images.margins, np.linspace(0, 1, 101))
    assert found.images.margins == pytest.approx(percentiles, abs=1e-6)


def test_the_smallest_a_is_the_transitions_or_else_the_counts():
    symmetric = kept(document(resolve(dataset="digits", noise="symmetric", rate=0.8, loss="CE"), DIGITS))
    assert symmetric.smallest_a == pytest.approx(9)
    drawn = kept(document(instance(), DIGITS))
    assert drawn.smallest_a == drawn.report.threshold().a


def test_counts_are_written_short_and_whole():
    spec = resolve(dataset="digits", noise="pair", rate=0.4, loss="CE")
    data = document(spec, DIGITS)
    counts = report_of(spec, DIGITS).counts
    assert data["counts"][0] == f"{counts[0, 0]} {counts[0, 1]} 8*0"
    assert (kept(data).report.counts == counts).all()


def test_a_document_holds_no_image_and_no_label():
    data = document(instance(), DIGITS)
    lengths = [len(value) for value in data.values() if isinstance(value, list)]
    assert max(lengths) <= 10
    assert set(data["images"]) == {"dominant_share", "margins", "covered"}
    assert len(data["images"]["margins"]) == 101


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"counts": ["1 2", "3"]},
        {"counts": ["1 x"]},
        {"counts": 5},
        {"num_labels": 7},
        {"noise": {"kind": 1}},
        {"images": {"margins": [0.0]}},
        {"images": {"margins": [0.0] * 101}},
    ],
)
def test_a_file_that_is_no_report_is_refused(tmp_path, change):
    file = tmp_path / "report.json"
    file.write_text(json.dumps(document(instance(), DIGITS)))
    assert read(file).noise == instance().noise
    file.write_text(json.dumps(document(instance(), DIGITS) | change))
    with pytest.raises(InputError, match=r"report\.json is no report on noise of schema 1: restore it"):
        read(file)


@pytest.mark.parametrize("content", [None, "", "[]", '{"schema": 1}'])
def test_files_that_are_missing_or_cut_short_are_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "cifar10-annotators.json").write_text(content)
        (tmp_path / "cifar10-symmetric-0.2.json").write_text(content)
    with pytest.raises(InputError, match=r"annotators\.json is no report"):
        read_annotators(tmp_path)
    with pytest.raises(InputError, match=r"symmetric-0\.2\.json is no report"):
        read_all("cifar10", tmp_path)


def test_making_them_without_cifar_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("JAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("JAL_DATA", raising=False)
    with pytest.raises(InputError, match="jal data fetch cifar10"):
        write_all(tmp_path / "out", root=tmp_path / "nothing", tell=lambda line: None)
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def reports():
    return {name: read_all(name) for name in DATASETS}


def test_the_origin_names_commit_and_versions(reports):
    made = reports["cifar10"]["symmetric 0.4"].made
    said = origin(reports)
    assert "46 reports" in said and str(made["commit"])[:12] in said and made["numpy"] in said


def test_what_a_report_says_of_its_making_is_no_markup(reports):
    made = {"numpy": "<b>2</b>", "python": "3", "commit": "`<i>", "dirty": False, "date": "[to](day)"}
    kept = replace(reports["cifar10"]["symmetric 0.4"], made=made)
    said = origin({"cifar10": {"one": kept}})
    assert "numpy \\<b\\>2\\</b\\>" in said and "`` `<i> ``" in said and "\\[to\\](day)" in said


def test_the_smallest_a_of_a_kept_report_is_the_theorys(reports):
    ten, hundred = reports["cifar10"], reports["cifar100"]
    found = [ten[f"symmetric {rate}"].smallest_a for rate in (0.2, 0.4, 0.6, 0.8)]
    assert found == pytest.approx([9 / 7, 1.8, 3, 9])
    assert hundred["asymmetric blocks 0.4"].smallest_a == pytest.approx(5)
    assert hundred["human noisy"].smallest_a == math.inf
