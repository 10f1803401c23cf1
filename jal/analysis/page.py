"""What the chapters show alike: a table beside the paper's, and under a figure or table where its numbers are from."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import pandas as pd
import yaml

from jal.analysis import tables
from jal.analysis.cell_runs import accuracy
from jal.analysis.frame import named, wide
from jal.analysis.old_tables import Value, last_accuracy
from jal.analysis.records import GridRecords, mean_std
from jal.analysis.rendering import HALF, HALF_NOTE, grid_html, to_csv, to_html, to_latex
from jal.analysis.text import UNTRUE, listed, plain, plus_minus
from jal.checkout import find_root
from jal.experiments.grids import Grid
from jal.experiments.provenance import commit_in_words
from jal.experiments.record import Record
from jal.experiments.shelf import half_in_words
from jal.experiments.timing import duration


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


def comparison(tidy: pd.DataFrame, caption: str) -> Block:
    """A grid's cells as a table, reported and measured; or what is reported alone where nothing was run.

    Each measured cell opens its runs and their curves.

    Parameters
    ----------
    tidy
        of `jal.analysis.frame`; of several profiles the full recipe's rows.
    """
    cells = tables.against_paper(tidy[tidy["profile"].eq("full")] if tidy["profile"].nunique() > 1 else tidy)
    latex = tables.comparison_latex(cells, caption)
    if cells["n"].any():
        return Block(tables.comparison_html(cells, caption, tables.runs_of(tidy)), latex=latex)
    reported = cells[["row", "column"]].assign(mean=cells["reported_mean"], std=cells["reported_std"])
    texts = wide(reported, "row", "column", 2).rename_axis(index=None)
    note = f"{caption}. As reported; none of these cells has been run by us yet."
    return Block(tables.grid_html(texts, note, {}), latex=latex)


def runs_table(
    tidy: pd.DataFrame, caption: str = "", name: str | None = None, metric: str = "accuracy", digits: int = 1
) -> Block:
    """Our runs of a grid, "mean ± std" in each cell, which opens its runs and their curves.

    Parameters
    ----------
    tidy
        of `jal.analysis.frame`, of one profile.
    name
        what the rows are, at the head of their column.
    metric
        of the frame's.
    """
    texts = tables.grid_texts(tidy, digits, metric).rename_axis(name)
    return Block(tables.grid_html(texts, caption, tables.runs_of(tidy)), _markdown(texts, caption))


ACCURACY = {"accuracy": "test accuracy after the last epoch, per cent"}


def own_runs(tidy: pd.DataFrame, metrics: Mapping[str, str] = ACCURACY) -> Block:
    """Our runs of a grid at each profile but the full one: a table for each metric, and the line of provenance.

    Parameters
    ----------
    tidy
        of `jal.analysis.frame.chapter`.
    metrics
        of the frame's, by how their captions call them.
    """
    blocks = []
    own = named(tidy[tidy["source"].eq("ours") & tidy["profile"].ne("full")])
    for (profile, name), some in own.groupby(["profile", "runs"], sort=False):
        if some["record"].notna().any():
            title = f"{name} (profile {profile})"
            blocks += [
                runs_table(some, f"{title}: {what}", metric=metric) for metric, what in metrics.items()
            ]
        blocks.append(provenance(some))
    return Block("\n".join(b.html for b in blocks), "\n\n".join(b.markdown for b in blocks))


def claims_table(judged: pd.DataFrame) -> Block:
    """The paper's claims, each with its test, and how it ends on the reported and on the measured numbers.

    Parameters
    ----------
    judged
        of `jal.analysis.claims.claims`.
    """
    heads = ("claim", "test", "as reported", "as measured")
    lines = ['<table class="dataframe jal-claims">', "<thead><tr>"]
    lines += [f'<th scope="col">{head}</th>' for head in heads]
    lines += ["</tr></thead>", "<tbody>"]
    for row in judged.to_dict("records"):
        ends = [
            f"<td><strong>{escape(row[side])}</strong><div>{escape(row[f'{side} detail'])}</div></td>"
            for side in ("reported", "measured")
        ]
        quote = f'<th scope="row">{escape(row["claim"])}<div>{escape(row["where"])}</div></th>'
        lines.append(f"<tr>{quote}<td>{escape(row['test'])}</td>{''.join(ends)}</tr>")
    texts = [f"- {row.claim}: {row.reported}; {row.measured}" for row in judged.itertuples()]
    return Block("\n".join([*lines, "</tbody>", "</table>"]), "\n".join(texts))


def provenance(tidy: pd.DataFrame, root: str | Path | None = None) -> Block:
    """The line under a figure or a table: the grids, their runs, what made them, and a link to the numbers.

    Parameters
    ----------
    tidy
        the rows of a `jal.analysis.frame` that are shown.
    root
        the checkout, if not the one found upwards.
    """
    ours = tidy[tidy["source"].eq("ours") & tidy["metric"].eq("accuracy")]
    lines = [_provenance(some, str(profile), root) for profile, some in ours.groupby("profile", sort=False)]
    return Block("\n".join(line.html for line in lines), "\n\n".join(line.markdown for line in lines))


def _provenance(runs: pd.DataFrame, profile: str, root: str | Path | None) -> Block:
    names = list(runs["grid"].dropna().drop_duplicates())
    found = list({record.id: record for record in runs["record"].dropna()}.values())
    several = "s" if len(names) > 1 else ""
    half = half_in_words(sum(record.spec.in_half for record in found), len(found))
    whose = f"Grid{several} {listed(names)}" if names else "This chapter's own runs"
    what = f"{whose}, profile {profile}: {len(found)} of {runs['id'].nunique()} runs{half}"
    if not found:
        command = f"jal sweep {names[0]}" + ("" if profile == "full" else f" --profile {profile}")
        precision = runs["precision"].iloc[0]
        command += "" if precision == "float32" else f" --precision {precision}"
        text = f"{what}. To make {'those of the first' if several else 'them'}: "
        return Block(
            f'<p class="jal-origin">{text}<code>{command}</code></p>', f"*{text.strip()}* `{command}`"
        )
    environments = [record.environment for record in found]
    about = pd.DataFrame(environments, [record.id for record in found])[
        ["device", "processor", "commit", "dirty"]
    ]
    about["seconds"] = [record.timing["seconds"] for record in found]
    shown = runs[["grid", "row", "column", "seed", "value", "id", "precision"]].rename(
        columns={"value": "accuracy"}
    )
    file = f"{[*names, 'own'][0]}{'-and-more' * bool(several)}-{profile}.csv"
    csv = download(shown[runs["record"].notna()].join(about, on="id"), file, "the runs as CSV")
    places = [_folder(dataset, root) for dataset in sorted({record.spec.dataset for record in found})]
    text = ". ".join([what, *_made_by(found)])
    html = f'<p class="jal-origin">{escape(text)}. Data: {csv}; Records in {listed(places)}.</p>'
    return Block(html, f"*{plain(text)}.*")


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
