"""The EventQueue port over the store's outbox: what lanes take events from and settle them with."""

import threading
from collections.abc import Collection, Mapping, Sequence

from gateway.model import Action, Event, ParkedEvent, Step
from gateway.routing.plan import check_remotes, plan_tasks
from gateway.routing.signal import Signal
from gateway.store.outbox import Outbox


class LaneEvents:
    """Implements the EventQueue port. `stored` is notified when events may have come."""

    def __init__(
        self,
        outbox: Outbox,
        stored: Signal,
        remotes: Mapping[Action, Collection[str]],
    ) -> None:
        """remotes: the names of those that each action can send to, as they are at any moment."""
        self._outbox = outbox
        self._stored = stored
        self._remotes = remotes
        # Of each thread: what one worker of a lane has seen, another may have slept over.
        self._looked = threading.local()

    def opened(self, lane: str) -> None:
        """See the port."""
        self._outbox.open_lane(lane)

    def closed(self, lane: str) -> None:
        """See the port."""
        self._outbox.close_lane(lane)

    def status(
        self, lane: str, *, script_version: str, callbacks: Sequence[str], fault: str
    ) -> None:
        """See the port."""
        self._outbox.describe_lane(
            lane, script_version=script_version, callbacks=callbacks, fault=fault
        )

    def pending(self, lane: str, limit: int) -> Sequence[Event]:
        """See the port."""
        self._looked.seen = self._stored.seen()
        return self._outbox.pending(lane, limit)

    def settle(self, lane: str, event: Event, steps: Sequence[Step]) -> None:
        """See the port."""
        check_remotes(steps, self._remotes)
        self._outbox.settle(
            lane,
            event.event_id,
            lambda find_versions: plan_tasks(steps, event, find_versions),
        )

    def beat(self, lane: str, steps: Sequence[Step]) -> None:
        """See the port."""
        if not steps:
            return
        check_remotes(steps, self._remotes)
        self._outbox.settle_beat(lane, lambda find_versions: plan_tasks(steps, None, find_versions))

    def park(self, parked: ParkedEvent) -> None:
        """See the port."""
        self._outbox.park(parked)

    def wait(self, lane: str, timeout_s: float) -> None:
        """See the port."""
        self._stored.wait(getattr(self._looked, "seen", -1), timeout_s)

    def wake(self) -> None:
        """See the port."""
        self._stored.notify()
