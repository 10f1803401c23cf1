"""What is seen of a sweep: a bar on a terminal and in a notebook, a line every half minute elsewhere."""

import io

import pytest

from jal.experiments import watch as module
from jal.experiments.watch import NotebookWatch, Watch, own_watch


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_has_a_bar_that_gives_way_to_lines():
    stream = Terminal()
    watch = Watch(stream)
    watch(0, 18, 2, None)
    watch(0, 18, 2, None)
    watch(9, 18, 2, 60.0)
    watch.tell("9/18  a run")
    watch.close()
    assert stream.getvalue() == (
        f"\r[{'-' * 24}] 0 of 18 runs done, 2 being made\033[K"
        f"\r[{'#' * 12}{'-' * 12}] 9 of 18 runs done, 2 being made, about 1 min 0 s left\033[K"
        "\r\033[K9/18  a run\n"
    )


def test_elsewhere_a_line_comes_after_half_a_minute_of_silence(monkeypatch):
    clock = iter([0.0, 10.0, 29.0, 31.0, 31.0, 32.0, 60.0, 62.0, 62.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    stream = io.StringIO()
    watch = Watch(stream)
    for _ in (10.0, 29.0, 31.0, 32.0, 60.0, 62.0):
        watch(1, 18, 2, None)
    assert stream.getvalue() == "1 of 18 runs done, 2 being made\n" * 2


def test_a_notebook_has_one_output_that_changes():
    seen = []

    class Handle:
        def update(self, data, raw):
            seen.append(data)

    def display(data, raw, display_id):
        seen.append(data)
        return Handle()

    watch = NotebookWatch(display)
    watch(0, 2, 1, None)
    watch(0, 2, 1, None)
    watch(2, 2, 0, None)
    watch.close()
    assert [data["text/plain"] for data in seen] == [
        "0 of 2 runs done, 1 being made",
        *["2 of 2 runs done, 0 being made"] * 2,
    ]
    assert 'value="2" max="2"' in seen[1]["text/html"] and "text/html" not in seen[2]


@pytest.mark.parametrize("batch", [True, False])
def test_a_page_and_a_program_without_a_screen_have_none(monkeypatch, batch):
    monkeypatch.setattr(module.sys, "stderr", Terminal() if batch else io.StringIO())
    if batch:
        monkeypatch.setenv(module.BATCH, "1")
    assert own_watch() is None
