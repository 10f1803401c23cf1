"""The chapter on label noise in tables and sentences: every number on its page comes from here."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jal.analysis.noise_reports import ANNOTATORS, DATASETS, FOLDER, Kept, Reports
from jal.analysis.text import code, percent, plain
from jal.errors import InputError
from jal.experiments.noises import NoiseSpec
from jal.experiments.provenance import commit_in_words

Counts = NDArray[np.int64]

SCALES = (10, 20, 30)
"""The `a` that tables speak of: those from which the paper chooses, less those below."""

_TITLES = {
    "asymmetric blocks": "asymmetric (blocks)",
    "asymmetric superclasses": "asymmetric (super-classes)",
    "instance pdn": "instance (PDN)",
    "instance fixed": "instance (fixed)",
    "pair": "pair flips",
}


def number(a: float) -> str:
    """A smallest `a`, rounded up as befits a lower bound; inf where there is none."""
    return "inf" if math.isinf(a) else f"{math.ceil(1000 * a - 1e-6) / 1000:.3f}"


def title(noise: NoiseSpec) -> str:
    """What a table calls a noise, without its rate."""
    name = " ".join(word for word in (noise.kind, noise.variant) if word)
    return _TITLES.get(name, name)


def by_rate(reports: Reports, value: Callable[[Kept], str]) -> pd.DataFrame:
    """A value of each noise that has a nominal rate: a row for each dataset and noise, a column for each rate."""
    rated = [one for one in _each(reports) if one.noise.rate is not None]
    rows = list(dict.fromkeys((DATASETS[one.dataset], title(one.noise)) for one in rated))
    rates = sorted({one.noise.rate for one in rated if one.noise.rate is not None})
    index = pd.MultiIndex.from_tuples(rows, names=["dataset", "noise"])
    columns = pd.Index([percent(rate, 0) for rate in rates], name="nominal rate")
    table = pd.DataFrame("", index=index, columns=columns)
    for one in rated:
        table.loc[(DATASETS[one.dataset], title(one.noise)), percent(one.noise.rate or 0, 0)] = value(one)
    return table


def people(reports: Reports) -> pd.DataFrame:
    """CIFAR-N: the share of wrong labels in all and by class, and what the class view asks of `a`."""
    rows = {
        f"{DATASETS[one.dataset]}N, {one.noise.variant}": {
            "labels wrong": percent(one.report.rate),
            "in the best class": percent(one.report.class_rates.min()),
            "in the worst class": percent(one.report.class_rates.max()),
            "smallest margin": f"{one.report.threshold().margin:.3f}",
            "smallest a": number(one.smallest_a),
        }
        for one in _each(reports)
        if one.noise.kind == "human"
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("labels")


def coverage(reports: Reports) -> pd.DataFrame:
    """PDN's labels: the `a` that the class view asks for, and the share of images that an `a` really covers."""
    rows = {
        (DATASETS.get(one.dataset, one.dataset), percent(one.noise.rate or 0, 0)): {
            "smallest a, class view": number(one.smallest_a),
            "images whose true label leads": percent(one.images.dominant_share),
            **{f"covered by a = {a}": percent(one.images.covered[a]) for a in SCALES},
        }
        for one in _each(reports)
        if one.images is not None
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["dataset", "nominal rate"])


def concentration(reports: Mapping[str, Kept], classes: Sequence[str]) -> pd.DataFrame:
    """How noises spread their wrong labels over the classes: a row for each report, by its key.

    "rivals" and "likeliest rival" are `spread`'s; the margin and the `a` are those of the labels as counted.
    """
    rows = {}
    for name, one in reports.items():
        rivals, likeliest = spread(one.report.counts)
        answer = one.report.threshold()
        rows[name] = {
            "labels wrong": percent(one.report.rate),
            "rivals": f"{rivals:.1f}",
            "likeliest rival": percent(likeliest),
            "smallest margin": f"{answer.margin:.3f}",
            "where": f"{classes[answer.true_class]}, {classes[answer.rival]}",
            "smallest a": number(answer.a),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("noise")


def spread(counts: Counts) -> tuple[float, float]:
    """On how many classes the wrong labels of a class fall, and the share of them that falls on the likeliest.

    The first is the exponential of their entropy: k if they fall on k classes alike. Both are means over the wrong
    labels, and NaN where there are none.
    """
    wrong = counts - np.diag(np.diag(counts))
    total = wrong.sum(axis=1)
    if not total.any():
        return math.nan, math.nan
    shares = wrong[total > 0] / total[total > 0, np.newaxis]
    entropy = -(shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=1)
    of_classes = (np.exp(entropy), shares.max(axis=1))
    rivals, likeliest = (float(np.average(values, weights=total[total > 0])) for values in of_classes)
    return rivals, likeliest


def class_margins(counts: Counts) -> NDArray[np.float64]:
    """(K,) by how much the true label leads its likeliest rival in each class; NaN for a class that is absent."""
    own = np.diag(counts)
    lead = (own - (counts - np.diag(own)).max(axis=1)).astype(np.float64)
    total = counts.sum(axis=1)
    margins: NDArray[np.float64] = np.divide(lead, total, out=np.full(len(lead), np.nan), where=total > 0)
    return margins


def annotators(counts: Counts, reports: Mapping[str, Kept]) -> pd.DataFrame:
    """How many of an image's three labels are wrong: the shares of images, and what noise of the class would give.

    If the three were independent draws that hang on the image's class alone, with the three people's own rates of
    error in that class, the second row would be the first, but for chance.

    Parameters
    ----------
    counts
        (K, 4) of `read_annotators`.
    reports
        CIFAR-10's by noise, which have the rates.
    """
    rates = np.column_stack([reports[f"human {one}"].report.class_rates for one in ANNOTATORS])
    expected = np.zeros(counts.shape)
    for k, errors in enumerate(rates):
        odds = np.ones(1)
        for error in errors:
            odds = np.convolve(odds, [1 - error, error])
        expected[k] = odds * counts[k].sum()
    return pd.DataFrame(
        np.array([counts.sum(axis=0), expected.sum(axis=0)]) / counts.sum(),
        index=["people", "if only the class counted"],
        columns=pd.Index(["none", "one", "two", "all three"], name="wrong labels of an image"),
    )


def said_of_rates(reports: Reports) -> str:
    """True against nominal rates, as a Markdown list."""
    ten, hundred = reports["cifar10"], reports["cifar100"]

    def rate(of: Mapping[str, Kept], noise: str) -> str:
        return percent(of[noise].report.rate, 2)

    clean = int((ten["asymmetric 0.4"].report.class_rates == 0).sum())
    fixed = [one.report for one in _each(reports) if one.noise.variant == "fixed"]
    exact = sum(report.rate == report.nominal for report in fixed)
    return "\n".join(
        [
            f"- **Symmetric**, 80 % asked for: {rate(ten, 'symmetric 0.8')} of CIFAR-10's labels are wrong and "
            f"{rate(hundred, 'symmetric 0.8')} of CIFAR-100's, where smaller counts are rounded down.",
            f"- **Asymmetric**, 40 % asked for: {rate(ten, 'asymmetric 0.4')} on CIFAR-10, of whose classes {clean} "
            f"stay clean; {rate(hundred, 'asymmetric blocks 0.4')} on CIFAR-100, where none does.",
            f"- **PDN**, 20 % asked for: {rate(ten, 'instance pdn 0.2')} on CIFAR-10, "
            f"{rate(hundred, 'instance pdn 0.2')} on CIFAR-100. Labels are drawn independently, and flip "
            "rates that are cut off at 0 have a mean a little above.",
            f"- **Fixed instance-dependent** labels: the nominal rate to the last label, in {exact} of "
            f"{len(fixed)} sets.",
            f"- **People** were asked for no rate. {rate(ten, 'human aggre')} of CIFAR-10N's labels are wrong where "
            f"the majority of three decides, {', '.join(rate(ten, f'human {one}') for one in ANNOTATORS)} for each of "
            f"the three, {rate(ten, 'human worst')} for the worst of them; on CIFAR-100N "
            f"{rate(hundred, 'human noisy')}.",
        ]
    )


def said_of_super_classes(flips: Mapping[str, Sequence[int]], super_classes: Sequence[int]) -> str:
    """How many classes each kind of flip leaves in their super-class, in a sentence."""
    parts = [
        f"{sum(super_classes[i] == super_classes[j] for i, j in enumerate(targets))} of {len(targets)} in {name}"
        for name, targets in flips.items()
    ]
    return f"The flips that stay in their super-class are {' and '.join(parts)}."


def said_of_annotators(table: pd.DataFrame) -> str:
    """What the table of `annotators` says, in two sentences."""
    seen, expected = table.iloc[0], table.iloc[1]
    return (
        f"All three labels are wrong for {percent(seen.iloc[3], 2)} of the images, where noise that knows only the "
        f"class would give {percent(expected.iloc[3], 2)}: {seen.iloc[3] / expected.iloc[3]:.1f} times as many. "
        f"At least one is wrong for {percent(1 - seen.iloc[0])}, rather than for {percent(1 - expected.iloc[0])}."
    )


def said_of_images(one: Kept) -> str:
    """What the class view of PDN's labels says, and what it hides, in a few sentences.

    Raises
    ------
    InputError
        for labels of images whose probabilities are not known.
    """
    if one.images is None:
        raise InputError(f"{one.dataset}, {one.noise}: no probabilities of single images, take instance pdn")
    name, rate = DATASETS.get(one.dataset, one.dataset), percent(one.noise.rate or 0, 0)
    lost, led = len(one.report.not_dominant), one.images.dominant_share
    view = (
        f"the true label does not lead in {lost} of {len(one.report.counts)} classes"
        if lost
        else f"the true label leads everywhere, and *a* ≥ {number(one.smallest_a)} would do"
    )
    covered = ", ".join(f"*a* = {a} for {percent(one.images.covered[a])}" for a in SCALES)
    return (
        f"**{name}, PDN at {rate}.** Class by class {view}. Image by image it leads for {percent(led)}; "
        f"for the other {percent(1 - led)} no *a* is enough. Enough is {covered}."
    )


def said_of_people(worst: Kept, others: Mapping[str, Kept], classes: Sequence[str]) -> str:
    """People's labels beside synthetic ones, in a sentence: the `a` they ask for, and where."""
    answer = worst.report.threshold()
    beside = ", ".join(f"{number(one.report.threshold().a)} for {name}" for name, one in others.items())
    return (
        f"The class that decides is {classes[answer.true_class]}, which is called {classes[answer.rival]} for "
        f"{percent(answer.lost)} of its images. People's labels ask for *a* ≥ {number(answer.a)}; that is to be "
        f"compared with {beside}."
    )


def said_of_hundred(one: Kept, classes: Sequence[str]) -> str:
    """Of CIFAR-100N: the classes that people call something else more often, in a sentence."""
    own = np.diag(one.report.counts)
    wrong = one.report.counts - np.diag(own)
    named = [
        f"{classes[k]} (called {classes[wrong[k].argmax()]} {wrong[k].max()} times, by its name {own[k]} times)"
        for k in one.report.not_dominant
    ]
    if not named:
        return "In CIFAR-100N the true label leads in every class."
    return (
        f"In CIFAR-100N the true label does not lead in {len(named)} of {len(classes)} classes: {', '.join(named)}. "
        "For these no *a* is enough, and the condition of the paper's theory fails."
    ).replace("_", " ")


def origin(reports: Reports) -> str:
    """One line of Markdown under what is shown of the kept reports: what made them."""
    made = [one.made for one in _each(reports)]
    commits = sorted({commit_in_words(m, shown=code) for m in made})
    versions = sorted({plain(f"numpy {m['numpy']}, Python {m['python']}") for m in made})
    days = sorted({plain(m["date"]) for m in made})
    return (
        f"*From `{FOLDER}`: {len(made)} reports on the real labels, no label among them. {'; '.join(versions)}. "
        f"Commit: {', '.join(commits)}, {' and '.join(days)}.*"
    )


def _each(reports: Reports) -> Iterator[Kept]:
    return (one for of_dataset in reports.values() for one in of_dataset.values())
