"""A process of its own for each loop, so that neither's memory, threads and compiled code are the other's."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from typing import Any


class Failed(Exception):
    """What went wrong in the other process, in one line."""


class Worker:
    """A process that calls functions, one after another, and keeps what they keep until it is closed.

    Parameters
    ----------
    deadline
        on `time.monotonic`'s clock: an answer that is not there by then is a failure, and ends the process.
    """

    def __init__(self, deadline: float) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.deadline = deadline
        self.pipe, other = spawn.Pipe()
        # Not a daemon, which could not have a DataLoader's workers.
        self.process = spawn.Process(target=_serve, args=(other,))
        self.process.start()
        other.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.join()

    def __call__(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """
        Raises
        ------
        Failed
            with what the function raised, or because there is no answer.
        """
        try:
            self.pipe.send((function, arguments, options))
            if not self.pipe.poll(max(0.0, self.deadline - time.monotonic())):
                self.process.kill()
                raise Failed("no answer before the time was up")
            worked, value = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            raise Failed(f"the process ended with the code {self.process.exitcode}") from None
        if not worked:
            raise Failed(value)
        return value


def one_line(error: BaseException) -> str:
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first}"[:300]


def _serve(pipe: Any) -> None:
    # A DataLoader's workers start as this platform starts them, and not as this process was started.
    multiprocessing.set_start_method(None, force=True)
    while True:
        try:
            function, arguments, options = pipe.recv()
        except EOFError:
            return
        try:
            answer = True, function(*arguments, **options)
        except Exception as error:  # whatever it is, the caller is told
            answer = False, one_line(error)
        pipe.send(answer)
