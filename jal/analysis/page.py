"""What the chapters show alike: a table beside the paper's, and under a figure or table where its numbers are from."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import pandas as pd
import yaml

from jal.analysis.cell_runs import accuracy
from jal.analysis.records import GridRecords, mean_std
from jal.analysis.rendering import HALF, HALF_NOTE, grid_html, to_csv, to_html, to_latex
from jal.analysis.tables import Value, last_accuracy
from jal.analysis.text import UNTRUE, listed, plain, plus_minus
from jal.checkout import find_root
from jal.experiments.grids import Grid
from jal.experiments.pace import duration
from jal.experiments.provenance import commit_in_words
from jal.experiments.record import Record
from jal.experiments.shelf import half_in_words


@dataclass(frozen=True)
class Block:
    """A piece of a page: in HTML, and in Markdown or LaTeX where HTML cannot be shown."""

    html: str
    markdown: str = ""
    latex: str = ""

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        bundle = {"text/html": self.html, "text/latex": self.latex, "text/markdown": self.markdown}
        return {kind: text for kind, text in bundle.items() if text}


@dataclass(frozen=True)
class Untrue:
    """A sentence of the page that its numbers do not bear out."""

    sentence: str

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        note = f"These runs do not bear out what the text says: {self.sentence}."
        html = f'<p class="jal-check">{escape(note)}</p>'
        return {UNTRUE: self.sentence, "text/html": html, "text/markdown": f"**{plain(note)}**"}


def check(sentence: str, condition: object) -> Untrue | None:
    """Guards a sentence that depends on data, as the last line of the cell above it.

    Where it is false a strict build fails, and any other shows the reader a note.

    Parameters
    ----------
    sentence
        what the text says, in a few words, without a full stop.
    condition
        whether the numbers say so too.
    """
    return None if condition else Untrue(sentence)


def table(frame: pd.DataFrame, caption: str, found: GridRecords | None = None) -> Block:
    """A comparison as a table: measured and reported side by side, or what is reported alone if nothing was run.

    Parameters
    ----------
    frame
        of `jal.analysis.comparison.comparison`.
    found
        the runs behind it: each measured cell then opens its runs and their curves.
    """
    label = "tab:" + "-".join(caption.partition(":")[0].lower().split())
    sides = ("reported",) if frame["n"].eq(0).all() else ("reported", "measured")
    html = to_html(frame, caption, found) if len(sides) > 1 else _reported_alone(frame, caption)
    return Block(html, latex=to_latex(frame, caption, label, sides))


def _reported_alone(frame: pd.DataFrame, caption: str) -> str:
    texts = [
        plus_minus(mean, std, 2)
        for mean, std in zip(frame["reported_mean"], frame["reported_std"], strict=True)
    ]
    shown = frame.assign(text=texts).pivot(index="row", columns="column", values="text").fillna("")
    shown = shown.loc[list(dict.fromkeys(frame["row"])), list(dict.fromkeys(frame["column"]))]
    return grid_html(shown, f"{caption}. As reported; none of these cells has been run by us yet.")


def grid_table(
    found: GridRecords, value: Value = last_accuracy, digits: int = 1, name: str | None = None
) -> pd.DataFrame:
    """A grid's rows down, its columns across, "mean ± std" in the cells; nothing where no run is there.

    Cells whose runs are in bfloat16 where their recipe is not are marked (`jal.analysis.rendering.HALF`).

    Parameters
    ----------
    value
        what of a Record: the last epoch's test accuracy, per cent, unless said otherwise.
    name
        what the rows are, at the head of their column.
    """
    grid = found.grid
    texts = [
        [
            plus_minus(*mean_std(found.values(row, column, value)), digits)
            + f" {HALF}" * found.in_half(row, column)
            for column in grid.columns
        ]
        for row in grid.rows
    ]
    return pd.DataFrame(
        texts, index=pd.Index(grid.rows, name=name), columns=list(grid.columns), dtype="string"
    )


def grid_block(
    found: GridRecords,
    caption: str = "",
    *,
    value: Value = last_accuracy,
    digits: int = 1,
    name: str | None = None,
) -> Block:
    """The table that `grid_table` makes, each of whose cells opens its runs and their curves."""
    texts = grid_table(found, value, digits, name)
    return Block(grid_html(texts, caption, found), _markdown(texts, caption))


def _markdown(texts: pd.DataFrame, caption: str) -> str:
    rows = [[str(texts.index.name or ""), *texts.columns], ["---"] * (1 + len(texts.columns))]
    rows += [[row, *cells] for row, cells in zip(texts.index, texts.to_numpy(), strict=True)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    note = ["", HALF_NOTE] if any(HALF in line for line in lines) else []
    return "\n".join([*([f"*{caption}*", ""] if caption else []), *lines, *note])


def runs(found: GridRecords) -> pd.DataFrame:
    """Every run of a grid that is there: a row for each cell and seed.

    Returns
    -------
    a frame with the columns row, column, seed, accuracy (after the last epoch, per cent), id, precision, device,
    processor, commit, dirty and seconds.
    """
    rows = [
        {
            "row": row,
            "column": column,
            "seed": seed,
            "accuracy": accuracy(found, column, record),
            "id": record.id,
            "precision": record.spec.recipe.precision,
            **{key: record.environment[key] for key in ("device", "processor", "commit", "dirty")},
            "seconds": record.timing["seconds"],
        }
        for (row, column), cell in found.cells.items()
        for seed, record in cell.items()
    ]
    names = "row column seed accuracy id precision device processor commit dirty seconds"
    return pd.DataFrame(rows, columns=names.split())


def origin(found: GridRecords | Sequence[GridRecords], profile: str, root: str | Path | None = None) -> Block:
    """The line under a figure or a table: the grid, its Records, what made them, and a link to the numbers.

    Parameters
    ----------
    found
        a grid's Records, or those of several grids that are shown together.
    profile
        at which these runs are made.
    root
        the checkout, if not the one found upwards.
    """
    found = [found] if isinstance(found, GridRecords) else list(found)
    names = [each.grid.name for each in found]
    records = list({record.id: record for each in found for record in each.records}.values())
    total = len({run.id for each in found for run in each.grid.specs(each.seeds)})
    several = "s" if len(names) > 1 else ""
    half = half_in_words(sum(record.spec.in_half for record in records), len(records))
    what = [f"Grid{several} {listed(names)}, profile {profile}: {len(records)} of {total} runs{half}"]
    if not records:
        command = f"jal sweep {names[0]}" + ("" if profile == "full" else f" --profile {profile}")
        command += _option_of_precision(found[0].grid)
        text = f"{what[0]}. To make {'those of the first' if several else 'them'}: "
        return Block(
            f'<p class="jal-origin">{text}<code>{command}</code></p>', f"*{text.strip()}* `{command}`"
        )
    what += _made_by(records)
    frame = pd.concat([runs(each).assign(grid=each.grid.name) for each in found if each.records])
    csv = download(frame, f"{names[0]}{'-and-more' * bool(several)}-{profile}.csv", "the runs as CSV")
    places = [_folder(dataset, root) for dataset in sorted({record.spec.dataset for record in records})]
    text = ". ".join(what)
    html = f'<p class="jal-origin">{escape(text)}. Data: {csv}; Records in {listed(places)}.</p>'
    return Block(html, f"*{plain(text)}.*")


def origin_of(records: Sequence[Record], what: str, profile: str) -> Block:
    """As `origin`, of Records that are no grid's: `what` says whose they are, e.g. "This chapter's own"."""
    text = ". ".join([f"{what}, profile {profile}: {len(records)} runs", *_made_by(records)])
    return Block(f'<p class="jal-origin">{escape(text)}.</p>', f"*{plain(text)}.*")


def _option_of_precision(grid: Grid) -> str:
    """What `jal sweep` must be told of a grid's precision; nothing of float32, which it has unasked."""
    asked = next(iter(grid.cells.values())).get("precision", "float32")
    return "" if asked == "float32" else f" --precision {asked}"


def _made_by(records: Sequence[Record]) -> list[str]:
    """Phrases: the seeds, the precision and the device, and the commits of some Records."""
    environments = [record.environment for record in records]
    seeds = sorted({record.spec.seed for record in records})
    numbers = listed(sorted({record.spec.recipe.precision for record in records}))
    devices = sorted({f"{e['device']} on {e['processor']}" for e in environments})
    commits = sorted(set(map(commit_in_words, environments)))
    return [
        f"Seed{'s' if len(seeds) > 1 else ''} {listed(map(str, seeds))}",
        f"{duration(sum(record.timing['seconds'] for record in records))} of training in {numbers} on "
        + "; ".join(devices),
        f"Commit{'s' if len(commits) > 1 else ''} {listed(commits)}",
    ]


def source(text: str, frame: pd.DataFrame, file: str) -> Block:
    """The line under a figure or a table that shows no Records: where its numbers are from, and a link to them.

    Parameters
    ----------
    text
        a sentence.
    frame, file
        the numbers, saved with five digits each however small, and the name of the CSV file that the link saves.
    """
    digits = frame.select_dtypes("floating").map("{:.5g}".format, na_action="ignore")
    link = download(frame.assign(**digits), file, "the numbers as CSV")
    return Block(f'<p class="jal-origin">{escape(text)} Data: {link}.</p>', f"*{plain(text)}*")


def download(frame: pd.DataFrame, file: str, text: str) -> str:
    """A link, in HTML, that saves a frame as CSV. The data is in the link: it works offline, and in a notebook."""
    data = base64.b64encode(to_csv(frame).encode()).decode()
    return f'<a download="{escape(file)}" href="data:text/csv;base64,{data}">{escape(text)}</a>'


def _folder(dataset: str, root: str | Path | None) -> str:
    path = f"data/results/{dataset}"
    url = repository(root)
    return (
        f'<a href="{escape(url)}/tree/main/{path}"><code>{path}</code></a>' if url else f"<code>{path}</code>"
    )


def repository(root: str | Path | None = None) -> str:
    """The address of the public repository, as `_config.yml` has it; empty if it has none."""
    settings = yaml.safe_load((find_root(root) / "_config.yml").read_text())
    return str(settings.get("repository", {}).get("url") or "").rstrip("/")
