"""Checkpoints: what a run has reached, kept so that it can be killed at any moment and go on.

A checkpoint is two files, `<folder>/<key>/<number>.safetensors` and the `.json` beside it, numbered as they come. The
JSON is written last and holds both checksums: a checkpoint counts once its JSON is there and agrees.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from jal import files
from jal.errors import InputError

SCHEMA = 1
"""The version of a checkpoint's layout."""

State = tuple[dict[str, Tensor], dict[str, Any]]


class Checkpoints:
    """The last two checkpoints of one run.

    Parameters
    ----------
    folder
        of the checkpoints of all runs.
    key
        the run's id: one process at a time may hold it.
    every
        seconds of training between two checkpoints.
    complain
        told, in one line, what is wrong with checkpoints that cannot be used.
    """

    def __init__(
        self,
        folder: str | Path,
        key: str,
        every: float = 30.0,
        complain: Callable[[str], None] = warnings.warn,
    ) -> None:
        self.path = Path(folder) / key
        self.key = key
        self.every = every
        self._complain = complain
        self._newest: int | None = None
        self._since = time.monotonic()

    def due(self) -> bool:
        """Whether `every` seconds have passed since the last checkpoint, or since this object was made."""
        return time.monotonic() - self._since >= self.every

    def save(self, tensors: Mapping[str, Tensor], meta: dict[str, Any]) -> None:
        """Writes a checkpoint; only then the one before the last is removed.

        Parameters
        ----------
        tensors
            on any device. Their values are kept, bit for bit, and not their strides (channels_last).
        meta
            JSON data; floats are kept exactly.

        Raises
        ------
        InputError
            if the folder cannot be written; the checkpoint before is as it was.
        """
        from safetensors.torch import save

        # Copies of their own: safetensors refuses tensors that overlap, such as views of one flat buffer.
        content = save(
            {
                name: tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
                for name, tensor in tensors.items()
            }
        )
        head = {
            "schema": SCHEMA,
            "key": self.key,
            "bytes": len(content),
            "sha256": sha256(content).hexdigest(),
            "meta_sha256": _digest(meta),
            "meta": meta,
        }
        number = max(self._found(), default=0) + 1
        try:
            files.write(self._file(number, "safetensors"), content)
            files.write(self._file(number, "json"), json.dumps(head))
        except BaseException:
            self._remove(lambda other: other == number)
            raise
        kept = number, self._newest
        self._remove(lambda other: other not in kept)
        self._newest = number
        self._since = time.monotonic()

    def load(self, device: str | torch.device = "cpu") -> State | None:
        """The tensors and the meta of the newest checkpoint that is whole; None if there is none.

        Checkpoints that are newer and damaged are named in one complaint.

        Raises
        ------
        InputError
            if the folder cannot be read.
        """
        problems = []
        state = None
        for number in sorted(self._found(), reverse=True):
            try:
                state = self._read(number, device)
                self._newest = number
                break
            except InputError as error:
                problems.append(str(error))
        if problems:
            remedy = "the run starts anew" if state is None else "the checkpoint before it is used"
            self._complain(f"{'; '.join(problems)}: {remedy}")
        return state

    def clear(self) -> None:
        """Removes the run's checkpoints, and the folders that this leaves empty."""
        self._newest = None
        self._remove(lambda _: True)
        with suppress(OSError):
            self.path.rmdir()
            self.path.parent.rmdir()

    def _read(self, number: int, device: str | torch.device) -> State:
        """
        Raises
        ------
        InputError
            if the checkpoint is not whole, or not this run's.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load

        head_file, file = self._file(number, "json"), self._file(number, "safetensors")
        text = _bytes(head_file)
        try:
            head = json.loads(text)
        except (ValueError, RecursionError):
            head = None
        if not isinstance(head, dict):
            raise InputError(f"{head_file} is damaged")
        if head.get("schema") != SCHEMA:
            raise InputError(
                f"{head_file} has the schema {head.get('schema')}, where this version reads {SCHEMA}"
            )
        if head.get("key") != self.key:
            raise InputError(f"{head_file} is of the run {head.get('key')}")
        if head.get("meta_sha256") != _digest(head.get("meta")):
            raise InputError(f"{head_file} is damaged")
        content = _bytes(file)
        if len(content) != head.get("bytes"):
            raise InputError(f"{file} is damaged: {len(content)} bytes of {head.get('bytes')}")
        if sha256(content).hexdigest() != head.get("sha256"):
            raise InputError(f"{file} is damaged: its SHA-256 is not the one in {head_file.name}")
        try:
            tensors = load(content)
        except SafetensorError as error:
            raise InputError(f"{file} is of another version of safetensors ({error})") from None
        return {name: tensor.to(device) for name, tensor in tensors.items()}, head["meta"]

    def _file(self, number: int, suffix: str) -> Path:
        return self.path / f"{number:06d}.{suffix}"

    def _found(self) -> dict[int, list[Path]]:
        """The files of each checkpoint, whole or not, the JSON first."""
        found: dict[int, list[Path]] = {}
        for file in self._listing():
            if file.stem.isdecimal() and file.suffix in (".json", ".safetensors"):
                found.setdefault(int(file.stem), []).append(file)
        return found

    def _remove(self, which: Callable[[int], bool]) -> None:
        """Removes checkpoints by their number, and all drafts; what cannot be removed now waits for the next time."""
        with suppress(OSError, InputError):
            drafts = [file for file in self._listing() if files.is_draft(file)]
            for file in drafts + [
                file for number, both in self._found().items() if which(number) for file in both
            ]:
                file.unlink(missing_ok=True)

    def _listing(self) -> list[Path]:
        try:
            return sorted(self.path.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise files.unwritable(self.path, error) from None


def _digest(meta: object) -> str:
    """Of JSON data; json reads what it wrote into an equal text, floats included."""
    return sha256(json.dumps(meta).encode()).hexdigest()


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{file} is missing") from None
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror})") from None
