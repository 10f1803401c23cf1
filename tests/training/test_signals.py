"""Signals: heard, polled, and the old handlers back."""

import os
import signal
import threading

import pytest

from jal.training.signals import stop_on_sigterm

BOTH = (signal.SIGTERM, signal.SIGINT)


def send(number):
    os.kill(os.getpid(), number)


@pytest.fixture(autouse=True)
def heard():
    """Handlers of ours below those under test: a signal that slips through fails the test, not the process."""
    slipped = []
    before = {
        number: signal.signal(number, lambda *arguments: slipped.append(arguments[0])) for number in BOTH
    }
    yield slipped
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", BOTH)
def test_a_signal_is_a_request(number, heard):
    with stop_on_sigterm() as stop:
        assert not stop.requested
        send(number)
        assert stop.requested
    assert heard == []


@pytest.mark.parametrize("first", BOTH)
def test_a_second_interrupt_interrupts_at_once(first):
    with stop_on_sigterm() as stop:
        send(first)
        send(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)
        assert stop.requested


def test_the_handlers_from_before_are_back_even_after_an_error(heard):
    before = [signal.getsignal(number) for number in BOTH]
    with pytest.raises(ZeroDivisionError), stop_on_sigterm():
        assert [signal.getsignal(number) for number in BOTH] != before
        _ = 1 / 0
    assert [signal.getsignal(number) for number in BOTH] == before
    send(signal.SIGTERM)
    assert heard == [signal.SIGTERM]


def test_each_block_starts_without_a_request():
    with stop_on_sigterm():
        send(signal.SIGTERM)
    with stop_on_sigterm() as stop:
        assert not stop.requested


def test_a_block_inside_another_hears_and_tells_the_same():
    with stop_on_sigterm() as outer:
        with stop_on_sigterm() as inner:
            send(signal.SIGTERM)
        assert inner.requested and outer.requested
        assert signal.getsignal(signal.SIGTERM) is outer


def test_what_was_ignored_stays_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with stop_on_sigterm() as stop:
        send(signal.SIGINT)
        assert not stop.requested
        send(signal.SIGTERM)
        assert stop.requested
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def in_a_thread(work):
    results = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    thread.join()
    (result,) = results
    return result


def test_outside_the_main_thread_nothing_is_touched():
    before = [signal.getsignal(number) for number in BOTH]

    def work():
        with stop_on_sigterm() as stop:
            return stop.requested, [signal.getsignal(number) for number in BOTH]

    assert in_a_thread(work) == (False, before)


def test_a_thread_hears_what_the_main_thread_hears():
    def work():
        with stop_on_sigterm() as inner:
            return inner.requested

    with stop_on_sigterm():
        send(signal.SIGTERM)
        assert in_a_thread(work)
