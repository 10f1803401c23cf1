"""What does not fit into a Record: files of arrays beside it, `<store>/<dataset>/<id>.<name>.safetensors`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from jal import files
from jal.errors import InputError
from jal.experiments.record import Record
from jal.experiments.spec import RunSpec
from jal.experiments.store import Store

if TYPE_CHECKING:
    from torch import Tensor


def file(store: Store, spec: RunSpec, name: str) -> Path:
    """Where an artifact of a run is, or would be."""
    return store.file(spec).with_suffix(f".{name}.safetensors")


def keep(store: Store, spec: RunSpec, name: str, tensors: Mapping[str, Tensor]) -> str:
    """Writes an artifact, whole or not at all, and returns its SHA-256, which the Record is to hold.

    Raises
    ------
    InputError
        if the folder cannot be written.
    """
    from safetensors.torch import save

    content = save({key: tensor.contiguous() for key, tensor in tensors.items()})
    files.write(file(store, spec, name), content)
    return hashlib.sha256(content).hexdigest()


def load(store: Store, record: Record, name: str) -> dict[str, NDArray[Any]]:
    """The arrays of an artifact.

    Raises
    ------
    InputError
        if the Record has no such artifact, or its file is missing or not the one that the run wrote.
    """
    from safetensors.numpy import load as from_bytes

    path = file(store, record.spec, name)
    if name not in record.artifacts:
        raise InputError(f"the run {record.id} kept no {name}: run it again with them")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}): restore it, or run {record.id} again"
        ) from None
    if hashlib.sha256(content).hexdigest() != record.artifacts[name]:
        raise InputError(f"{path} is not what the run wrote: restore it, or run {record.id} again")
    arrays: dict[str, NDArray[Any]] = from_bytes(content)
    return arrays
