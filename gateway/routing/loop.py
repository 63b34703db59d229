"""A thread that works while there is work, and sleeps until somebody says there is more."""

import threading
from collections.abc import Callable

from gateway.logs import logger
from gateway.metrics import Metrics
from gateway.routing.signal import Signal

log = logger("routing")
# Also without a signal: `gateway queue retry` speaks to the database, not to us.
POLL_S = 1.0
_AFTER_A_FAULT_S = 5.0


class Loop:
    """Calls `work` again and again; when it answers False, waits for the signal or for POLL_S.

    This is the border of the routing room: whatever `work` raises is logged once, and the loop
    goes on, so that a fault of ours in one task does not end the work of all others.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], bool],
        signal: Signal,
        metrics: Metrics,
        at_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._work = work
        self._signal = signal
        self._metrics = metrics
        self._at_end = at_end
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def stopping(self) -> bool:
        """True once stop() was called: `work` should come to an end."""
        return self._stopping.is_set()

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
        while not self.stopping:
            seen = self._signal.seen()
            try:
                found_work = self._work()
            except Exception:  # the border named above
                log.exception("a worker failed", worker=self._thread.name)
                self._metrics.errors.labels(kind="internal").inc()
                self._stopping.wait(_AFTER_A_FAULT_S)
                continue
            if not found_work and not self.stopping:
                self._signal.wait(seen, POLL_S)
        self._at_end()
