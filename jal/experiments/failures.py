"""Failures: a note `<store>/.failed/<id>.json` for each run that failed: `reason`, one line, `commit` and `time`."""

from __future__ import annotations

import json
import warnings
from datetime import UTC, datetime
from pathlib import Path

from jal import files
from jal.experiments.schema import parse


class Failures:
    """The runs of one store that failed.

    Parameters
    ----------
    store
        the store's folder.
    """

    def __init__(self, store: Path) -> None:
        self._folder = store / ".failed"

    def note(self, id: str, reason: str, commit: str) -> None:
        """Notes that a run failed, and why, in one line.

        Raises
        ------
        InputError
            if the folder cannot be written.
        """
        note = {"reason": reason, "commit": commit, "time": datetime.now(UTC).isoformat(timespec="seconds")}
        files.write(self._file(id), json.dumps(note) + "\n")

    def reason(self, id: str) -> str | None:
        """Why a run failed; None where there is no note, or one that cannot be read, which is named."""
        file = self._file(id)
        try:
            return str(parse(file.read_text(encoding="utf-8"))["reason"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            warnings.warn(f"{file} is no note of a failure: passed over, remove it", stacklevel=2)
            return None

    def all(self) -> dict[str, str]:
        """The reason of each failure, by the run's id."""
        found = ((file.stem, self.reason(file.stem)) for file in sorted(self._folder.glob("*.json")))
        return {id: reason for id, reason in found if reason is not None}

    def forgive(self, id: str) -> None:
        """Forgets a failure."""
        self._file(id).unlink(missing_ok=True)

    def _file(self, id: str) -> Path:
        return self._folder / f"{id}.json"
