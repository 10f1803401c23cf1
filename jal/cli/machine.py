"""`jal check`."""

from __future__ import annotations

import json

from jal.cli.options import Device, Json
from jal.cli.show import say


def check(device: Device = "auto", as_json: Json = False) -> int:
    """What this machine will use, how fast it is, and whether its numbers are right; half a minute, no data.

    Exit code 0 if five steps on the device agree with the processor's, 1 if not. Send its output with a report.
    """
    from jal.experiments.machine import look

    found = look(device)
    say(json.dumps(found.to_dict()) if as_json else str(found))
    return 0 if found.agrees else 1
