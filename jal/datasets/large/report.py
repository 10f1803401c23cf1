"""What is wrong with a copy of a large dataset, in words and as data."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from jal.datasets.large.lists import Listing, Problem
from jal.errors import InputError

FIRST = 10
"""How many names are told."""

REMEDY = "extract the archives again, or pass over them: jal train --skip-broken, in Python skip_broken=True"


@dataclass(frozen=True)
class Report:
    """What `jal.datasets.large.verify` found. Printed, it is a page; `to_dict()` is for JSON.

    Attributes
    ----------
    name, root
        the dataset and its folder.
    images
        how many images each split lists.
    problems
        all that cannot be used, in the order of the lists.
    remarks
        what is odd and harms nobody.
    """

    name: str
    root: str
    images: dict[str, int]
    problems: tuple[Problem, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether there is no problem."""
        return not self.problems

    def of_kind(self) -> dict[str, list[str]]:
        """The names of what cannot be used, a list a kind, the most frequent kind first."""
        counts = Counter(problem.kind for problem in self.problems)
        return {kind: [p.name for p in self.problems if p.kind == kind] for kind, _ in counts.most_common()}

    def __str__(self) -> str:
        lines = [
            f"{self.name} in {self.root}: "
            + ("all is well" if self.ok else f"{len(self.problems):,} problems")
        ]
        for split, count in self.images.items():
            found = sum(problem.split == split for problem in self.problems)
            lines.append(f"  {split}: {count:,} images" + (f", {found:,} problems" if found else ""))
        for kind, names in self.of_kind().items():
            more = f", and {len(names) - FIRST:,} more" if len(names) > FIRST else ""
            lines.append(f"  {kind}, {len(names):,}: {', '.join(names[:FIRST])}{more}")
        lines += [f"  remark: {remark}" for remark in self.remarks]
        return "\n".join(lines if self.ok else [*lines, f"To do: {REMEDY}."])

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON has it: of each kind the count and the first names."""
        kinds = {
            kind: {"count": len(names), "first": names[:FIRST]} for kind, names in self.of_kind().items()
        }
        return {
            "dataset": self.name,
            "root": self.root,
            "ok": self.ok,
            "images": self.images,
            "problems": kinds,
            "remarks": list(self.remarks),
        }


def refusal(listing: Listing, problems: tuple[Problem, ...]) -> InputError:
    """The one-line error for a split with problems: how many, of which kinds, and the first ones' names."""
    counts = Counter(problem.kind for problem in problems).most_common()
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in counts)
    names = ", ".join(problem.name for problem in problems[:FIRST]) + (
        ", ..." if len(problems) > FIRST else ""
    )
    return InputError(
        f"{listing.name} {listing.split} in {listing.base}: {len(problems):,} of {listing.count:,} images cannot be "
        f"used: {kinds} ({names}): {REMEDY}"
    )
