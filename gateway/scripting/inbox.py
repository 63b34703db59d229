"""Handing the events of one lane to its workers: each event to one of them at a time."""

import threading
from collections import deque

from gateway.model import Event
from gateway.ports import EventQueue

# One look into the queue for so many events: a look costs as much as handling several.
BATCH = 64


class Inbox:
    """The events that wait for one lane, as seen by its workers."""

    def __init__(self, lane: str, queue: EventQueue) -> None:
        self._lane = lane
        self._queue = queue
        self._lock = threading.Lock()
        self._ready: deque[Event] = deque()
        self._in_hand: set[int] = set()  # handed out or ready: pending() answers them again

    def take(self) -> Event | None:
        """The next event, or None when there is none now. done() must follow."""
        with self._lock:
            if not self._ready:
                self._look()
            return self._ready.popleft() if self._ready else None

    def wait(self, timeout_s: float) -> None:
        """Return when there may be something to take, or after `timeout_s`."""
        self._queue.wait(self._lane, timeout_s)

    def done(self, event: Event) -> None:
        """The queue knows what became of it."""
        with self._lock:
            self._in_hand.discard(event.event_id)

    def forget(self) -> None:
        """Drop what has been fetched ahead: it may be long until the next take()."""
        with self._lock:
            self._in_hand -= {event.event_id for event in self._ready}
            self._ready.clear()

    def _look(self) -> None:
        found = self._queue.pending(self._lane, BATCH + len(self._in_hand))
        self._ready.extend(event for event in found if event.event_id not in self._in_hand)
        self._in_hand.update(event.event_id for event in self._ready)
