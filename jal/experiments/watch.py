"""What a person sees of a sweep while it goes on: a bar where there is a screen, a line every half minute elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from html import escape
from typing import Any, TextIO

from jal.experiments.timing import duration

SILENCE = 30.0
"""Seconds without a line after which one says how far it is."""

BATCH = "JAL_BATCH"
"""The environment's variable by which notebooks are told that nobody looks at them: their outputs are pages."""


class Watch:
    """Says how far a sweep is, on standard error.

    Parameters
    ----------
    stream
        where it goes, if elsewhere.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._terminal, self._shown, self._last = self._stream.isatty(), "", time.monotonic()

    def tell(self, line: str) -> None:
        """A line of progress; a bar gives way to it."""
        self._last = time.monotonic()
        print(f"\r\033[K{line}" if self._shown else line, file=self._stream, flush=True)
        self._shown = ""

    def __call__(self, done: int, total: int, running: int, left: float | None) -> None:
        """How many runs are done of how many, how many are being made, and the seconds left if they are known."""
        text = _text(done, total, running, left)
        if not self._terminal:
            if time.monotonic() - self._last >= SILENCE:
                self.tell(text)
        elif text != self._shown:
            bar = f"[{'#' * (24 * done // max(total, 1)):-<24}]"
            print(f"\r{bar} {text}\033[K", end="", file=self._stream, flush=True)
            self._shown = text

    def close(self) -> None:
        """Takes the bar away."""
        if self._shown:
            print("\r\033[K", end="", file=self._stream, flush=True)
            self._shown = ""


class NotebookWatch(Watch):
    """Shows it in a notebook, in the output of the cell.

    Parameters
    ----------
    display
        IPython's, which returns a handle whose output can be replaced.
    """

    def __init__(self, display: Callable[..., Any]) -> None:
        super().__init__()
        self._display = display
        self._handle: Any = None

    def tell(self, line: str) -> None:
        """Nothing: the bar says as much, and a chapter's outputs are its page."""

    def __call__(self, done: int, total: int, running: int, left: float | None) -> None:
        text = _text(done, total, running, left)
        if text == self._shown:
            return
        self._shown = text
        bar = f'<progress value="{done}" max="{total}"></progress> {escape(text)}'
        shown = {"text/html": bar, "text/plain": text}
        if self._handle is None:
            self._handle = self._display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)

    def close(self) -> None:
        if self._handle is not None:
            self._handle.update({"text/plain": self._shown}, raw=True)


def own_watch() -> Watch | None:
    """The one for a call in a program: a bar in a notebook and on a terminal, nothing elsewhere."""
    if os.environ.get(BATCH):
        return None
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if type(shell).__name__ == "ZMQInteractiveShell":
        from IPython.display import display

        return NotebookWatch(display)
    return Watch() if sys.stderr.isatty() else None


def _text(done: int, total: int, running: int, left: float | None) -> str:
    more = f", about {duration(left)} left" if left else ""
    return f"{done} of {total} runs done, {running} being made{more}"
