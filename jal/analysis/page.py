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
from jal.analysis.frame import named, records, wide
from jal.analysis.tables import HALF, HALF_NOTE
from jal.analysis.text import UNTRUE, listed, plain
from jal.checkout import find_root
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


def comparison(tidy: pd.DataFrame, caption: str) -> Block:
    """A grid's cells as a table, reported and measured; or what is reported alone where nothing was run.

    Each measured cell opens its runs and their curves.

    Parameters
    ----------
    tidy
        of `jal.analysis.frame`; of several profiles the full recipe's rows.
    """
    if tidy["profile"].nunique() > 1:
        tidy = tidy[tidy["profile"].eq("full")]
    cells = tables.against_paper(tidy)
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
    found = list(records(runs).values())
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


def _markdown(texts: pd.DataFrame, caption: str) -> str:
    rows = [[str(texts.index.name or ""), *texts.columns], ["---"] * (1 + len(texts.columns))]
    rows += [[row, *cells] for row, cells in zip(texts.index, texts.to_numpy(), strict=True)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    note = ["", HALF_NOTE] if any(HALF in line for line in lines) else []
    return "\n".join([*([f"*{caption}*", ""] if caption else []), *lines, *note])


def _made_by(found: Sequence[Record]) -> list[str]:
    """Phrases: the seeds, the precision and the device, and the commits of some Records."""
    environments = [record.environment for record in found]
    seeds = sorted({record.spec.seed for record in found})
    numbers = listed(sorted({record.spec.recipe.precision for record in found}))
    devices = sorted({f"{e['device']} on {e['processor']}" for e in environments})
    commits = sorted(set(map(commit_in_words, environments)))
    return [
        f"Seed{'s' if len(seeds) > 1 else ''} {listed(map(str, seeds))}",
        f"{duration(sum(record.timing['seconds'] for record in found))} of training in {numbers} on "
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
    frame = frame.rename(columns=str)
    digits = frame.select_dtypes("floating").map("{:.5g}".format, na_action="ignore")
    link = download(frame.assign(**digits), file, "the numbers as CSV")
    return Block(f'<p class="jal-origin">{escape(text)} Data: {link}.</p>', f"*{plain(text)}*")


def download(frame: pd.DataFrame, file: str, text: str) -> str:
    """A link, in HTML, that saves a frame as CSV. The data is in the link: it works offline, and in a notebook."""
    text_of = frame.to_csv(index=False, float_format="%.4f", lineterminator="\n")
    data = base64.b64encode(text_of.encode()).decode()
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
