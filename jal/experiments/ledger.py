"""The ledger of a store: which runs are being made, by whom, and which failed.

Beside the Records: a lease `<store>/.claims/<id>.json` for each run that is being made, held by the process that makes
it, so that several sweeps of one store, on one machine or on many that share the folder, do no run twice; and a note
`<store>/.failed/<id>.json` for each that failed: `reason`, one line, `commit` and `time`.
"""

from __future__ import annotations

import json
import warnings
from datetime import UTC, datetime
from pathlib import Path

from jal import files, lease
from jal.experiments.schema import parse
from jal.lease import Lease


class Ledger:
    """The claims and failures of one store.

    Parameters
    ----------
    store
        the store's folder.
    """

    def __init__(self, store: Path) -> None:
        self._claims = store / ".claims"
        self._failed = store / ".failed"

    def claim(self, id: str) -> Lease | None:
        """The right to make a run; None if somebody else has it.

        Raises
        ------
        InputError
            if the folder cannot be written.
        """
        claim = Lease(self._claims / f"{id}.json")
        return claim if claim.take() else None

    def running(self) -> set[str]:
        """The ids that somebody alive has claimed."""
        return {file.stem for file in _listing(self._claims) if lease.alive(file)}

    def tidy(self) -> None:
        """Removes the claims of the dead."""
        for file in _listing(self._claims):
            lease.clear(file)

    def fail(self, id: str, reason: str, commit: str) -> None:
        """Notes that a run failed, and why, in one line.

        Raises
        ------
        InputError
            if the folder cannot be written.
        """
        note = {"reason": reason, "commit": commit, "time": datetime.now(UTC).isoformat(timespec="seconds")}
        files.write(self._failed / f"{id}.json", json.dumps(note) + "\n")

    def failures(self) -> dict[str, str]:
        """The reason of each failure, by the run's id."""
        found = ((file.stem, self.failure(file.stem)) for file in _listing(self._failed))
        return {id: reason for id, reason in found if reason is not None}

    def failure(self, id: str) -> str | None:
        """The reason of a failure; None where there is no note, or one that cannot be read, which is named."""
        file = self._failed / f"{id}.json"
        try:
            return str(parse(file.read_text(encoding="utf-8"))["reason"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            warnings.warn(f"{file} is no note of a failure: passed over, remove it", stacklevel=2)
            return None

    def forgive(self, id: str) -> None:
        """Forgets a failure."""
        (self._failed / f"{id}.json").unlink(missing_ok=True)


def _listing(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"))
