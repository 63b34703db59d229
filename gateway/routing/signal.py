"""Waking those who wait for work, in this process."""

import threading
from collections.abc import Callable

from gateway.model import Action


class Signal:
    """Wakes every waiter that has not seen the latest notify()."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._count = 0

    def notify(self) -> None:
        """There may be something new."""
        with self._condition:
            self._count += 1
            self._condition.notify_all()

    def seen(self) -> int:
        """Take this before looking for work, and give it to wait(): nothing is missed between."""
        with self._condition:
            return self._count

    def wait(self, seen: int, timeout_s: float) -> None:
        """Return when something was notified after `seen`, or after the time-out."""
        with self._condition:
            self._condition.wait_for(lambda: self._count != seen, timeout_s)


class WorkSignals:
    """One signal for each kind of work: nobody wakes for the work of others."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._signals: dict[tuple[Action, str], Signal] = {}
        self._listener: Callable[[Action, str], None] = lambda action, destination: None

    def listen(self, listener: Callable[[Action, str], None]) -> None:
        """Have somebody told of everything that notify() says, before those who wait for it."""
        self._listener = listener

    def of(self, action: Action, destination: str = "") -> Signal:
        """What those wait for who carry out such tasks."""
        with self._lock:
            return self._signals.setdefault((action, destination), Signal())

    def notify(self, action: Action, destination: str) -> None:
        """Such a task waits now."""
        self._listener(action, destination)
        self.of(action, destination).notify()
