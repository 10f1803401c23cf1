"""The paper's tables, read out of a Markdown copy of it: `python -m tests.analysis.paper_tables PAPER.md` writes them.

The copy's layout has traps: a table's caption stands before or after it; group headings ("Asymmetric") stand over the
wrong columns; Table 3 is two tables in one, whose second half lacks its last rows; Table 5's header is shifted by one
column; Table 6 fuses a row's label and its first number. So a column's noise and rate are taken from what is right
(the rates, which start afresh where the asymmetric ones begin), and whatever does not fit is an error.
"""

import csv
import io
import re
import sys
from itertools import groupby, pairwise
from pathlib import Path

from jal.files import write

FOLDER = Path(__file__).parents[2] / "data/reported"
ACCURACIES = ("table", "dataset", "noise", "rate", "loss", "mean", "std", "n", "label")
COLUMNS = {
    "table5": ("table", "dataset", "noise", "variant", *ACCURACIES[3:]),
    "table6": ("table", "dataset", "test_set", *ACCURACIES[2:]),
    "table7": (*ACCURACIES[:5], "alpha", "beta", *ACCURACIES[5:]),
    "table8": ("table", "dataset", "loss", "parameter", "value", "label"),
}
DATASETS = {
    "CIFAR-10": "cifar10",
    "CIFAR-100": "cifar100",
    "WebVision": "webvision",
    "Clothing1M": "clothing1m",
}
TEST_SETS = {
    "WebVision": ("webvision",) * 2,
    "ILSVRC12": ("webvision", "ilsvrc12"),
    "Clothing1M": ("clothing1m",) * 2,
}
PARAMETERS = {"α": "alpha", "β": "beta", "γ": "gamma", "p": "q", "q": "q", "a": "a", "A": "A"}

Row = dict[str, str]


class LayoutError(Exception):
    """The copy is not laid out as expected."""


def columns(name: str) -> tuple[str, ...]:
    return COLUMNS.get(name, ACCURACIES)


def read(text: str) -> dict[str, list[Row]]:
    """Every cell of Tables 1 to 8, as text with the paper's own digits, in the paper's order."""
    is_row = groupby(text.splitlines(), key=lambda line: line.startswith("|"))
    blocks = [[_split(line) for line in lines] for inside, lines in is_row if inside]
    captions = re.findall(r"^(?:<span[^>]*></span>)*Table (\d)\. (.*)$", text, flags=re.MULTILINE)
    _expect(
        [number for number, _ in captions] == list("12345678") and len(blocks) == 8, "eight captioned tables"
    )
    quoted = re.findall(r"For (\S+) \[\S+ we take results directly from the original paper", text)
    found = {}
    for (number, caption), block in zip(captions, blocks, strict=True):
        trials = re.search(r"over (\d+) random trials", caption)
        rows = [{"table": number} | row for row in READERS[number](block)]
        for row in rows:
            if row.get("std"):
                row["n"] = trials[1] if trials and row["loss"] not in quoted else ""
        name = f"table{number}"
        found[name] = [{key: row.get(key, "") for key in columns(name)} for row in rows]
    return found


def to_csv(name: str, rows: list[Row]) -> str:
    """A table as the text of its file."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns(name), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _expect(holds: bool, what: str) -> None:
    if not holds:
        raise LayoutError(f"expected {what}")


def _split(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]


def _accuracy(cell: str) -> Row:
    number = re.fullmatch(r"(\d+\.\d\d)(?:±(\d+\.\d\d))?|-", cell)
    _expect(number is not None, f"an accuracy or a dash where {cell!r} stands")
    return {"mean": number[1] or "", "std": number[2] or ""}


def _loss(label: str) -> Row:
    loss = re.sub(r" \(.*\)|†", "", label)
    return {"loss": loss, "label": label if label != loss else ""}


def _cells(row: list[str], heads: list[Row]) -> list[Row]:
    label, *cells = row
    _expect(not any(cells[len(heads) :]), f"no more than {len(heads)} cells in the row {label!r}")
    return [head | _loss(label) | _accuracy(cell) for head, cell in zip(heads, cells, strict=False)]


def _noises(texts: list[str]) -> list[Row]:
    """The columns "Clean", "0.2", "0.4", ..., "0.1", ...: symmetric until the rates start afresh."""
    rates = [text for text in texts if text and text != "Clean"]
    falls = [place for place, (one, other) in enumerate(pairwise(rates), 1) if float(other) < float(one)]
    _expect(len(falls) == 1, f"one fall in the rates {rates}")
    noisy = [
        {"noise": "symmetric" if place < falls[0] else "asymmetric", "rate": rate}
        for place, rate in enumerate(rates)
    ]
    return [{"noise": "clean", "rate": ""}] * ("Clean" in texts) + noisy


def _losses_by_noises(block: list[list[str]]) -> list[Row]:
    found: dict[str, list[Row]] = {}
    for row in block:
        if row[0] in DATASETS:
            dataset = DATASETS[row[0]]
            heads = [{"dataset": dataset} | noise for noise in _noises(row[1:])]
            found[dataset] = []
        elif re.match(r"\w", row[0]):
            found[dataset] += _cells(row, heads)
    # A loss of the first half that the second lacks: its cells are there, and empty.
    first, *others = found.values()
    for cells in others:
        have = {cell["loss"] for cell in cells}
        lost = [cell | {"dataset": cells[0]["dataset"], "mean": "", "std": ""} for cell in first]
        cells += [cell for cell in lost if cell["loss"] not in have]
    return [cell for cells in found.values() for cell in cells]


def _table4(block: list[list[str]]) -> list[Row]:
    titles, _, rates, *rows = block
    datasets = [DATASETS[title.removesuffix(" IDN")] for title in titles if title.endswith(" IDN")]
    each = [rate for rate in rates if rate]
    _expect(each == each[:3] * 2 and len(datasets) == 2, "two datasets with the same three rates")
    heads = [
        {"dataset": dataset, "noise": "instance", "rate": rate}
        for dataset, rate in zip([d for d in datasets for _ in range(3)], each, strict=True)
    ]
    return [cell for row in rows for cell in _cells(row, heads)]


def _table5(block: list[list[str]]) -> list[Row]:
    first, _, second, *rows = block
    words = " ".join(" ".join(first + second).replace("<br>", " ").split())
    _expect(words == "CIFAR-100 Loss CIFAR-10 Aggregate Random 1 Worst Noisy", "Table 5's shifted header")
    variants = {"aggre": "cifar10", "rand1": "cifar10", "worst": "cifar10", "noisy": "cifar100"}
    heads = [
        {"dataset": dataset, "noise": "human", "variant": variant} for variant, dataset in variants.items()
    ]
    return [cell for row in rows for cell in _cells(row, heads)]


def _table6(block: list[list[str]]) -> list[Row]:
    (first, *others), _, *rows = block
    title, _, loss = first.partition("<br>")
    _expect(
        title == "Loss" and [row[0].partition("<br>")[0] for row in rows] == list(TEST_SETS),
        "Table 6's labels",
    )
    cells = []
    for label, number, numbers in ((*row[0].split("<br>"), row[1:]) for row in rows):
        dataset, test_set = TEST_SETS[label]
        for loss_of, cell in zip([loss, *others], [number, *numbers], strict=True):
            cells.append({"dataset": dataset, "test_set": test_set} | _loss(loss_of) | _accuracy(cell))
    return cells


def _table7(block: list[list[str]]) -> list[Row]:
    cells = _losses_by_noises(block)
    for cell in cells:
        for symbol, value in re.findall(r"(\w) = (\d+)", cell["label"]):
            cell[PARAMETERS[symbol]] = value
    return cells


def _table8(block: list[list[str]]) -> list[Row]:
    (_, *titles), _, *rows = block
    cells = []
    for label, *values in rows:
        symbols = re.findall(r"\w", label.partition("(")[2]) or [""]
        for title, cell in zip(titles, values, strict=True):
            numbers = re.fullmatch(r"\((.*)\)|-", cell)
            _expect(numbers is not None, f"numbers or a dash where {cell!r} stands")
            given = numbers[1].split(", ") if numbers[1] else [""] * len(symbols)
            for symbol, value in zip(symbols, given, strict=True):
                parameter = {"parameter": PARAMETERS[symbol] if symbol else "", "value": value}
                cells.append({"dataset": DATASETS[title]} | _loss(label) | parameter)
    return cells


READERS = dict.fromkeys("123", _losses_by_noises) | {
    "4": _table4,
    "5": _table5,
    "6": _table6,
    "7": _table7,
    "8": _table8,
}

if __name__ == "__main__":
    for name, rows in read(Path(sys.argv[1]).read_text(encoding="utf-8")).items():
        write(FOLDER / f"{name}.csv", to_csv(name, rows))
