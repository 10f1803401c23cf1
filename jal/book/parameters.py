"""A notebook's parameters: what its cell tagged `parameters` assigns, and whether values for them will do.

Read from the syntax of that cell. papermill's own list goes by lines: it takes the arguments of a call that is wrapped
for parameters, and ends a text at a "#".
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import nbformat

from jal.errors import InputError, unknown
from jal.experiments.grids import PROFILES

_EXAMPLES = {"int": "123, 124", "float": "0.2, 0.4", "str": '"CE", "JAL-CE"'}
_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "None": "none",
}


class NotReadable(Exception):
    """A file that is not a notebook: why, in one line that names it."""


@dataclass(frozen=True)
class Parameter:
    """One parameter.

    Attributes
    ----------
    name, default
        as they are written.
    kind
        its annotation, or one that its default has; None where nothing is known.
    """

    name: str
    default: str
    kind: ast.expr | None

    def fit(self, value: object, notebook: str) -> object:
        """The value in the form that the notebook takes: "CE,JAL-CE" as a list where it takes one, "false" as False.

        Raises
        ------
        InputError
            for one that cannot be meant, with the form that is right.
        """
        if self.name == "profile" and value not in PROFILES:
            raise unknown("profile", value, PROFILES)
        try:
            return value if self.kind is None else _fit(value, self.kind)
        except ValueError as misfit:
            example = f"{self.name}={self._example()}"
            raise InputError(
                f"the parameter {self.name} of {notebook} is {misfit}, not {value!r:.80}: give it as {example}"
            ) from None

    def _example(self) -> str:
        match self.kind:
            case ast.Subscript(slice=ast.Name(id=item)) if self.default == "[]" and item in _EXAMPLES:
                return f"[{_EXAMPLES[item]}]"
        return " ".join(self.default.split())


def read(path: Path) -> dict[str, Parameter]:
    """The parameters of a notebook.

    Raises
    ------
    NotReadable
        for a file that is none.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise NotReadable(f"{path} cannot be read ({error.strerror})") from None
    if re.search(r"^(<{7}|>{7}) ", text, re.MULTILINE):
        raise NotReadable(f"{path} has the marks of a merge in it: resolve it")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of cells without an id
            cells = nbformat.reads(text, as_version=4).cells
    except Exception as error:  # what nbformat raises of what is none has no common class
        reason = str(error).splitlines()[0] if text.strip() else "it is empty"
        raise NotReadable(f"{path} is not a notebook ({reason:.100}): restore it") from None
    source = next((cell.source for cell in cells if "parameters" in cell.metadata.get("tags", [])), "")
    try:
        return parameters(source)
    except SyntaxError as error:
        raise NotReadable(f"{path}: its parameters are not Python ({error.msg}): mend that cell") from None


def parameters(source: str) -> dict[str, Parameter]:
    """The parameters that some code assigns.

    Raises
    ------
    SyntaxError
        for text that is not code.
    """
    found: dict[str, Parameter] = {}
    for node in ast.parse(source).body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
        kind = node.annotation if isinstance(node, ast.AnnAssign) else _kind(node.value)
        default = ast.get_source_segment(source, node.value) or ""
        found |= {t.id: Parameter(t.id, default, kind) for t in targets if isinstance(t, ast.Name)}
    return found


def plain(name: str, value: object) -> object:
    """A value as a notebook's cell can hold it: numbers of numpy, arrays, paths and dates are converted.

    Raises
    ------
    InputError
        for a value of any other kind.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple | range):
        return [plain(name, item) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: plain(name, item) for key, item in value.items()}
    if isinstance(value, PathLike):
        return str(fspath(value))
    if isinstance(value, date | time):
        return value.isoformat()
    if hasattr(value, "tolist") and type(converted := value.tolist()) is not type(value):
        return plain(name, converted)
    raise InputError(
        f"the parameter {name} is of type {type(value).__name__}: "
        "give a number, a text, None, or a list or dict of them"
    )


def _kind(value: ast.expr) -> ast.expr | None:
    """The annotation of a default that has none; an integer may stand for any number."""
    try:
        default = ast.literal_eval(value)
    except ValueError:
        return None
    if isinstance(default, list | tuple):
        items = {_name_of(item) for item in default}
        text = f"list[{items.pop()}]" if len(items) == 1 and None not in items else "list"
    else:
        text = _name_of(default) or ""
    return ast.parse(text, mode="eval").body if text else None


def _name_of(value: object) -> str | None:
    names = {bool: "bool", int: "float", float: "float", str: "str"}
    return names.get(type(value))


def _fit(value: Any, kind: ast.expr) -> Any:
    """
    Raises
    ------
    ValueError
        with what is wanted, if `value` cannot be meant as of this kind.
    """
    match kind:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _fit_either(value, left, right)
        case ast.Name(id="list" | "tuple"):
            return [_literal(item) for item in _items(value)]
        case ast.Subscript(value=ast.Name(id="list" | "tuple"), slice=item):
            return [_fit_item(each, item) for each in _items(value)]
        case ast.Name(id=name) if name in _WORDS:
            return _fit_one(value, name)
        case ast.Constant(value=None):
            return _fit_one(value, "None")
    return value


def _fit_either(value: Any, left: ast.expr, right: ast.expr) -> Any:
    # None first: "null" would pass for a text.
    kinds = sorted((left, right), key=lambda kind: not isinstance(kind, ast.Constant))
    wanted = []
    for kind in kinds:
        try:
            return _fit(value, kind)
        except ValueError as misfit:
            wanted.append(str(misfit))
    raise ValueError(" or ".join(reversed(wanted)))


def _fit_item(value: Any, item: ast.expr) -> Any:
    if isinstance(item, ast.Name) and item.id != "str":
        value = _literal(value)
    try:
        return _fit(value, item)
    except ValueError as misfit:
        raise ValueError(f"a list, each of it {misfit}") from None


def _fit_one(value: Any, name: str) -> Any:
    word = value.lower() if isinstance(value, str) else None
    if name == "bool" and word in ("true", "false"):
        return word == "true"
    if name == "None" and word in ("none", "null"):
        return None
    fits = {
        "int": type(value) is int,
        "float": isinstance(value, int | float) and not isinstance(value, bool),
        "str": isinstance(value, str),
        "bool": isinstance(value, bool),
        "None": value is None,
    }
    if not fits[name]:
        raise ValueError(_WORDS[name])
    return value


def _items(value: Any) -> list[Any]:
    """A list as it is; the parts of a text between commas; anything else as the one item."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    if value is None or isinstance(value, bool | Mapping):
        raise ValueError("a list")
    return list(value) if isinstance(value, list | tuple) else [value]


def _literal(value: Any) -> Any:
    try:
        return ast.literal_eval(value) if isinstance(value, str) else value
    except (SyntaxError, ValueError):
        return value
