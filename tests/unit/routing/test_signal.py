"""Waking those who wait."""

import threading
import time

from gateway.model import Action
from gateway.routing.signal import Signal, WorkSignals

LONG_S = 10.0


def test_what_was_notified_before_the_wait_is_not_missed():
    signal = Signal()
    seen = signal.seen()
    signal.notify()
    begun = time.monotonic()
    signal.wait(seen, LONG_S)
    assert time.monotonic() - begun < LONG_S / 2


def test_every_waiter_is_woken():
    signal = Signal()
    seen = signal.seen()
    threads = [threading.Thread(target=signal.wait, args=(seen, LONG_S)) for _ in range(4)]
    for thread in threads:
        thread.start()
    signal.notify()
    for thread in threads:
        thread.join(LONG_S / 2)
    assert not any(thread.is_alive() for thread in threads)


def test_without_news_a_wait_ends_after_its_time():
    signal = Signal()
    begun = time.monotonic()
    signal.wait(signal.seen(), 0.05)
    assert time.monotonic() - begun >= 0.04


def test_work_of_one_kind_wakes_nobody_else():
    signals = WorkSignals()
    pacs, viewer = signals.of(Action.FORWARD, "pacs"), signals.of(Action.FORWARD, "viewer")
    before = pacs.seen(), viewer.seen()
    signals.notify(Action.FORWARD, "pacs")
    assert (pacs.seen() != before[0], viewer.seen() == before[1]) == (True, True)
