"""Stopping when asked: the signal sets a flag, and the loop stops where it can go on later."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """Whether the process was asked to stop; also the handler that hears it.

    Attributes
    ----------
    requested
        polled by the loop after each step.
    """

    requested = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = True


@contextmanager
def stop_on_sigterm() -> Iterator[StopRequest]:
    """Turns SIGTERM and SIGINT (Ctrl-C) into a request; a SIGINT after that interrupts at once.

    Inside another such block, in whatever thread, the request is the outer one's, so that a sweep hears what came
    at the very end of a run. Otherwise, outside the main thread, which alone hears signals, it never comes. Signals
    that were ignored stay ignored; the handlers from before are back at the end.
    """
    outer = signal.getsignal(signal.SIGTERM)
    if isinstance(outer, StopRequest):
        yield outer
        return
    request = StopRequest()
    before = {}
    if threading.current_thread() is threading.main_thread():
        handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        # None is a handler that was not set from Python and could not be put back.
        before = {number: each for number, each in handlers.items() if each not in (None, signal.SIG_IGN)}
    try:
        for number in before:
            signal.signal(number, request)
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
