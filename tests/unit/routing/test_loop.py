"""A loop works while there is work, survives what goes wrong, and ends when it is told to."""

import threading

import pytest
from structlog.testing import capture_logs

from gateway.metrics import Metrics
from gateway.routing import loop as loop_module
from gateway.routing.loop import Loop
from gateway.routing.signal import Signal

LONG_S = 10.0


class Script:
    """Work that does what it is told, one answer after the other; then there is nothing to do."""

    def __init__(self, *answers: bool | Exception) -> None:
        self._answers = list(answers)
        self.calls = 0
        self.idle = threading.Event()
        self.closed = threading.Event()

    def work(self, stopping) -> bool:
        self.calls += 1
        if not self._answers:
            self.idle.set()
            return False
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def started(monkeypatch):
    """Start a loop over some work; all of them are stopped afterwards."""
    monkeypatch.setattr(loop_module, "_AFTER_A_FAULT_S", 0.01)
    loops: list[Loop] = []

    def start(work, signal: Signal | None = None, metrics: Metrics | None = None) -> Loop:
        loop = Loop("the-loop", work, signal or Signal(), metrics or Metrics())
        loops.append(loop)
        loop.start()
        return loop

    yield start
    for loop in loops:
        loop.stop()
        assert loop.join(LONG_S)


def test_it_goes_on_while_there_is_work(started):
    work = Script(True, True, True)
    started(work)
    assert work.idle.wait(LONG_S)
    assert work.calls == 4


def test_a_signal_wakes_it(started, monkeypatch):
    monkeypatch.setattr(loop_module, "POLL_S", 1000.0)
    signal = Signal()
    work = Script(False)
    started(work, signal)
    while not work.idle.is_set():
        signal.notify()
        work.idle.wait(0.01)


def test_it_looks_now_and_then_without_a_signal(started, monkeypatch):
    """`gateway queue retry` speaks to the database, not to us."""
    monkeypatch.setattr(loop_module, "POLL_S", 0.01)
    work = Script(False, False)
    started(work)
    assert work.idle.wait(LONG_S)


def test_a_fault_is_logged_once_and_counted_and_does_not_end_it(started):
    metrics = Metrics()
    work = Script(ZeroDivisionError(), True)
    with capture_logs() as lines:
        started(work, metrics=metrics)
        assert work.idle.wait(LONG_S)
    assert [line["event"] for line in lines] == ["a worker failed"]
    assert metrics.registry.get_sample_value("gateway_errors_total", {"kind": "internal"}) == 1


def test_stopping_ends_a_loop_that_waits_and_closes_its_work(started, monkeypatch):
    monkeypatch.setattr(loop_module, "POLL_S", 1000.0)
    work = Script()
    loop = started(work)
    assert work.idle.wait(LONG_S)
    loop.stop()
    assert loop.join(LONG_S)
    assert work.closed.is_set()


def test_stopping_ends_a_loop_that_fails_all_the_time(started, monkeypatch):
    monkeypatch.setattr(loop_module, "_AFTER_A_FAULT_S", 1000.0)
    failed = threading.Event()

    class Failing(Script):
        def work(self, stopping) -> bool:
            failed.set()
            raise ZeroDivisionError

    loop = started(Failing())
    assert failed.wait(LONG_S)
    loop.stop()
    assert loop.join(LONG_S)


def test_work_in_hand_is_told_of_the_end_and_waited_for(started):
    begun, told = threading.Event(), threading.Event()

    class Long(Script):
        def work(self, stopping) -> bool:
            begun.set()
            while not stopping():
                told.wait(0.005)
            told.set()
            return False

    loop = started(Long())
    assert begun.wait(LONG_S)
    assert not loop.join(0.01)
    loop.stop()
    assert loop.join(LONG_S)
    assert told.is_set()
