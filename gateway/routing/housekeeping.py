"""Deleting, keeping to limits, removing what nobody needs any more, noting what is stable."""

import time
from collections.abc import Callable

from gateway.store.capacity import Capacity
from gateway.store.outbox import Outbox
from gateway.store.reclaim import Reclaimer
from gateway.store.stability import Stability
from gateway.store.tasks import Tasks

BATCH = 256
# Deleting is cheaper by the batch, and nobody waits for it.
REST_S = 0.25
HISTORY_S = 24 * 3600.0
_FORGET_EVERY_S = 600.0


class Housekeeping:
    """One thread's work."""

    def __init__(
        self,
        tasks: Tasks,
        outbox: Outbox,
        reclaimer: Reclaimer,
        stability: Stability,
        capacity: Capacity,
    ) -> None:
        self._tasks = tasks
        self._outbox = outbox
        self._reclaimer = reclaimer
        self._stability = stability
        self._capacity = capacity
        self._forgot_at = -_FORGET_EVERY_S

    def work(self, stopping: Callable[[], bool]) -> bool:
        """One round; False when there was nothing to do."""
        deleted = self._tasks.run_deletions(BATCH) + self._capacity.keep_to_limits()
        reclaimed = self._reclaimer.reclaim(BATCH)
        settled = self._stability.settle(BATCH)
        return bool(deleted + reclaimed + settled + self._forget())

    def _forget(self) -> int:
        if time.monotonic() - self._forgot_at < _FORGET_EVERY_S:
            return 0
        forgotten = self._tasks.forget_ended(HISTORY_S) + self._outbox.forget_notices()
        if not forgotten:  # else there may be more of them
            self._forgot_at = time.monotonic()
        return forgotten

    def close(self) -> None:
        """Nothing is held between two rounds."""
