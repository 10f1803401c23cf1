"""What several pages say of the kept reports on noise."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from jal.analysis.noise_reports import ANNOTATORS, DATASETS, FOLDER, Kept, Reports
from jal.analysis.text import code, percent, plain, upwards
from jal.errors import InputError
from jal.experiments.provenance import commit_in_words

SCALES = (10, 20, 30)
"""The `a` that tables speak of: those from which the paper chooses, less those below."""


def number(a: float) -> str:
    """A smallest `a`, rounded up as befits a lower bound; inf where there is none."""
    return "inf" if math.isinf(a) else upwards(a, 3)


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
