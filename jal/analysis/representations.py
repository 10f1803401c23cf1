"""What a network sees, and how sure it is: Figures 1 and 3, from what runs keep beside their Records.

A map such as t-SNE's is a picture; `separation` says in numbers, of the features themselves, what it seems to show.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from jal.analysis.figures import INK, PALETTE
from jal.analysis.frames import typed
from jal.analysis.records import GridRecords, precisions
from jal.errors import InputError
from jal.experiments import artifacts, grids
from jal.experiments.grids import Cell, Grid
from jal.experiments.record import Record
from jal.experiments.store import Store, stored

Arrays = Mapping[str, NDArray[Any]]
Floats = NDArray[np.float64]
Labels = NDArray[np.integer[Any]]

SAMPLE = 2000
"""Test images at most that `separations` measures: the distances of each to each."""

NEIGHBOURS = 10

MEASURES = {
    "silhouette": "silhouette",
    "neighbours": "nearest neighbours of the same class [%]",
    "accuracy": "test accuracy [%]",
}

_COLOURS = (*PALETTE, "#000000", "#882255")
_GROUPS: dict[str, dict[str, Any]] = {
    "right": {"color": PALETTE[0], "fill": True, "alpha": 0.45},
    "wrong": {"color": PALETTE[1], "fill": False, "linewidth": 1.6},
}


@dataclass(frozen=True)
class Kept:
    """The runs of a grid that kept an artifact, and its arrays by the run's id."""

    found: GridRecords
    arrays: Mapping[str, Arrays]

    def __iter__(self) -> Iterator[tuple[str, str, int, Record, Arrays]]:
        """Row, column, seed, Record and arrays of each run."""
        for (row, column), cell in self.found.cells.items():
            for seed, record in cell.items():
                yield row, column, seed, record, self.arrays[record.id]

    def first(self) -> dict[str, Arrays]:
        """Of each row the arrays of its first run: what a picture shows."""
        arrays: dict[str, Arrays] = {}
        for row, _, _, _, of_run in self:
            arrays.setdefault(row, of_run)
        return arrays


def kept(grid: Grid, name: str, stores: Sequence[Store], seeds: Iterable[int] | None = None) -> Kept:
    """The runs of a grid that kept an artifact.

    Other grids share these runs and may not ask for what they keep: a Record without the artifact counts as missing.
    All are in one precision, as `jal.analysis.records.read` chooses it.

    Parameters
    ----------
    name
        one of `jal.training.observe.ARTIFACTS`.
    stores
        to look into, in this order.
    seeds
        instead of the grid's own.

    Raises
    ------
    InputError
        for an artifact whose file is missing or damaged.
    """
    seeds = grid.seeds if seeds is None else tuple(dict.fromkeys(seeds))
    cells: dict[Cell, dict[int, Record]] = {}
    arrays: dict[str, Arrays] = {}
    # The second precision is looked up only where the first gave nothing.
    for cell, at in ((cell, at) for at in precisions(grid) if not arrays for cell in grid.cells):
        found = cells.setdefault(cell, {})
        for spec in grid.runs(cell, seeds):
            for store in stores:
                record = stored(spec.at(at) if at else spec, [store])
                if record is not None and record.has([name]):
                    found[spec.seed] = record
                    arrays[record.id] = artifacts.load(store, record, name)
                    break
    return Kept(GridRecords(grid, seeds, cells), arrays)


def nearest(
    figure: str,
    name: str,
    profile: str,
    stores: Sequence[Store],
    seeds: Iterable[int] | None = None,
    precision: str | None = None,
) -> tuple[str, Kept]:
    """`kept` of the grid of a figure at a profile; where it has no runs, at the next smaller one that has.

    Parameters
    ----------
    precision
        of the runs at `profile` itself, as for `jal.experiments.grids.get`.

    Returns
    -------
    the profile whose runs they are, and the runs.

    Raises
    ------
    InputError
        as `kept`, for an unknown grid or profile, and if no profile has any.
    """
    seeds = None if seeds is None else tuple(seeds)
    own = kept(grids.get(figure, profile=profile, precision=precision), name, stores, seeds)
    if own.arrays:
        return profile, own
    for smaller in reversed(grids.PROFILES[: grids.PROFILES.index(profile)]):
        found = kept(grids.get(figure, profile=smaller), name, stores)
        if found.arrays:
            return smaller, found
    raise InputError(
        f"no run has kept {name} for {figure}: make some with jal sweep {figure} --profile quick"
    )


# Figure 1


def subsample(n: int, size: int, seed: int = 0) -> NDArray[np.int64]:
    """The places of `size` of n images, the same for each network; of all, where there are no more."""
    return np.sort(np.random.default_rng(seed).permutation(n)[:size])


def embedding(features: NDArray[Any], perplexity: float = 30.0, seed: int = 0) -> Floats:
    """A map of features, (N, D), on the plane, (N, 2), by t-SNE (van der Maaten and Hinton 2008, JMLR 9).

    It begins with the first two principal components, and on one thread: the sums of scikit-learn's gradient depend on
    the number of threads, which after hundreds of steps is another map. So the same features give the same map on one
    machine.

    Parameters
    ----------
    perplexity
        about how many neighbours each point is to have; below N.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    tsne = TSNE(perplexity=perplexity, init="pca", random_state=seed)
    with threadpool_limits(1):
        return np.asarray(tsne.fit_transform(np.asarray(features, np.float32)), np.float64)


def maps(embeddings: Mapping[str, Floats], labels: Labels, classes: Sequence[str]) -> Figure:
    """Maps side by side, each point the number of its class; in the legend the class of each number.

    Parameters
    ----------
    embeddings
        title -> (N, 2), as of `embedding`.
    labels
        (N,) true labels.
    """
    across = 2 if len(embeddings) == 4 else min(3, len(embeddings))
    down = -(-len(embeddings) // across)
    figure: Figure
    figure, grid = plt.subplots(down, across, figsize=(2.6 * across, 2.7 * down), squeeze=False)
    looks: dict[int, dict[str, Any]] = {
        k: {"color": _COLOURS[k % len(_COLOURS)], "marker": f"${k}$", "linestyle": ""}
        for k in np.unique(labels).tolist()
    }
    for axes in grid.flat[len(embeddings) :]:
        axes.set_visible(False)
    for axes, (title, points) in zip(grid.flat, embeddings.items(), strict=False):
        axes.set_title(title)
        axes.set(xticks=[], yticks=[], box_aspect=1)
        for k, look in looks.items():
            axes.plot(*points[labels == k].T, markersize=4.5, markeredgewidth=0.3, **look)
    if any(classes[k] != str(k) for k in looks):
        handles = [Line2D([], [], label=classes[k], **look) for k, look in looks.items()]
        figure.legend(handles=handles, loc="outside lower center", ncols=5)
    return figure


def separation(features: NDArray[Any], labels: Labels, neighbours: int = NEIGHBOURS) -> dict[str, float]:
    """How far the true classes lie apart in Euclidean distance.

    Parameters
    ----------
    features
        (N, D): a network's, or a map's.
    labels
        (N,) true labels.

    Returns
    -------
    silhouette, the mean over the points of (b - a) / max(a, b), a the mean distance to the others of one's class, b to
    those of the nearest other class, from -1 to 1 (Rousseeuw 1987, J. Comput. Appl. Math. 20); neighbours, of the
    nearest others of a point the share that is of its class, per cent. Neither depends on the scale of the features.

    Raises
    ------
    InputError
        for fewer than two classes, or too few points for the neighbours.
    """
    from sklearn.metrics import silhouette_score
    from sklearn.neighbors import NearestNeighbors

    classes = len(np.unique(labels))
    if not 2 <= classes < len(labels) or len(labels) <= neighbours:
        raise InputError(
            f"{len(labels)} points of {classes} classes: give two or more classes, and more points than either "
            f"classes or the {neighbours} neighbours"
        )
    points = np.asarray(features, np.float64)
    near = NearestNeighbors(n_neighbors=neighbours).fit(points).kneighbors(return_distance=False)
    same = labels[near] == labels[:, None]
    return {"silhouette": float(silhouette_score(points, labels)), "neighbours": 100 * float(same.mean())}


def separations(runs: Kept, size: int = SAMPLE) -> pd.DataFrame:
    """`separation` of the features of each run, all with the same test images.

    Returns
    -------
    a frame with the columns row, column, seed, silhouette, neighbours and accuracy (of the last epoch, per cent).
    """
    rows = []
    for row, column, seed, record, arrays in runs:
        some = subsample(len(arrays["labels"]), size)
        measured = separation(arrays["features"][some], arrays["labels"][some])
        rows.append((row, column, seed, *measured.values(), record.accuracy))
    return typed(rows, row=str, column=str, seed=int, **dict.fromkeys(MEASURES, float))


# Figure 3


def histograms(runs: Kept, marks: Mapping[str, tuple[float, float]] | None = None) -> Figure:
    """Training images by the probability of their given label: a row for each epoch, a column for each loss.

    Of the right labels and of the wrong ones each the share in a bin, on a scale by the square root: most of them lie
    at an end. Of several seeds the first is shown.

    Parameters
    ----------
    marks
        by loss, the probabilities of a right and of a wrong label at the minimum of the noisy risk.

    Raises
    ------
    InputError
        without a run.
    """
    shown = runs.first()
    if not shown:
        raise InputError(f"no histograms to show: run {runs.found.grid.name} first")
    epochs = sorted({int(epoch) for counts in shown.values() for epoch in counts})
    figure: Figure
    figure, grid = plt.subplots(
        len(epochs),
        len(shown),
        figsize=(0.8 + 3.2 * len(shown), 0.9 + 1.2 * len(epochs)),
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    for column, (row, arrays) in zip(grid.T, shown.items(), strict=True):
        column[0].set_title(row)
        column[-1].set_xlabel("probability of the given label")
        for axes, epoch in zip(column, epochs, strict=True):
            if str(epoch) in arrays:
                _histogram(axes, arrays[str(epoch)])
            for at, look in zip((marks or {}).get(row, ()), _GROUPS.values(), strict=False):
                axes.plot(at, 0, marker="^", markersize=7, clip_on=False, zorder=5, color=look["color"])
    for axes, epoch in zip(grid[:, 0], epochs, strict=True):
        axes.set_ylabel(f"after epoch {epoch}\n[%]")
    top = grid[0, 0]
    top.set_yscale("function", functions=(_root, np.square))
    top.set(xlim=(0, 1), ylim=(0, 100), yticks=[1, 10, 30, 60, 100])
    handles: list[Any] = [Patch(label=f"{name} labels", **look) for name, look in _GROUPS.items()]
    if marks:
        handles.append(Line2D([], [], color=INK, marker="^", linestyle="", label="minimum of the noisy risk"))
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    return figure


def _root(values: Floats) -> Floats:
    return np.sqrt(np.maximum(values, 0))


def _histogram(axes: Axes, counts: NDArray[Any]) -> None:
    for one, look in zip(counts, _GROUPS.values(), strict=True):
        if one.sum():
            axes.stairs(100 * one / one.sum(), np.linspace(0, 1, len(one) + 1), **look)


def bins(runs: Kept) -> pd.DataFrame:
    """The counts of all histograms, with the columns row, column, seed, epoch, low, right and wrong.

    `low` is the probability at which a bin begins.
    """
    frames = [
        pd.DataFrame(
            {"row": row, "column": column, "seed": seed, "epoch": int(epoch)}
            | {"low": np.arange(counts.shape[1]) / counts.shape[1], "right": counts[0], "wrong": counts[1]}
        )
        for row, column, seed, _, arrays in runs
        for epoch, counts in sorted(arrays.items(), key=lambda item: int(item[0]))
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def believed(runs: Kept) -> pd.DataFrame:
    """Of the right and of the wrong training labels, those that a network believes: it gives them one half or more.

    Returns
    -------
    a frame with the columns row, column, seed, epoch, right and wrong, per cent.
    """
    rows = []
    for row, column, seed, _, arrays in runs:
        for epoch, counts in sorted(arrays.items(), key=lambda item: int(item[0])):
            upper = counts[:, counts.shape[1] // 2 :].sum(1) / np.maximum(counts.sum(1), 1)
            rows.append((row, column, seed, int(epoch), *(100 * upper).tolist()))
    return typed(rows, row=str, column=str, seed=int, epoch=int, right=float, wrong=float)
