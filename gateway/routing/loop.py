"""A thread that works while there is work, and sleeps until somebody says there is more."""

import threading
from collections.abc import Callable
from typing import Protocol

from gateway.logs import logger
from gateway.metrics import Metrics
from gateway.routing.signal import Signal

log = logger("routing")
# Also without a signal: `gateway queue retry` speaks to the database, not to us.
POLL_S = 1.0
_AFTER_A_FAULT_S = 5.0


class Work(Protocol):
    """What a loop does."""

    def work(self, stopping: Callable[[], bool]) -> bool:
        """Do what there is to do; False when there was nothing. Come to an end once stopping()."""

    def close(self) -> None:
        """The loop has ended."""


class Loop:
    """Calls `work` again and again; when it answers False, waits for the signal or for POLL_S.

    This is the border of the routing room: whatever `work` raises is logged once, and the loop
    goes on, so that a fault of ours in one task does not end the work of all others.
    """

    def __init__(
        self,
        name: str,
        work: Work,
        signal: Signal,
        metrics: Metrics,
        *,
        rest_s: float = 0,
    ) -> None:
        """rest_s: how long to let work gather after a round; for work that nobody waits for."""
        self.name = name
        self._work = work
        self._signal = signal
        self._metrics = metrics
        self._rest_s = rest_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end after the work in hand; join() waits for that."""
        self._stopping.set()
        self._signal.notify()

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; False when it has not come in time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            seen = self._signal.seen()
            try:
                found_work = self._work.work(self._stopping.is_set)
            except Exception:  # the border named above
                log.exception("a worker failed", worker=self.name)
                self._metrics.errors.labels(kind="internal").inc()
                self._stopping.wait(_AFTER_A_FAULT_S)
                continue
            if found_work:
                self._stopping.wait(self._rest_s)
            elif not self._stopping.is_set():
                self._signal.wait(seen, POLL_S)
        self._work.close()
