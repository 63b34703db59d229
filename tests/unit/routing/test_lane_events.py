"""The EventQueue over the outbox: who is woken, and when."""

import threading
import time

from gateway.model import Action, Step
from gateway.routing.events import LaneEvents
from gateway.routing.signal import Signal

LONG_S = 10.0


def events_of(store, stored: Signal) -> LaneEvents:
    return LaneEvents(store.outbox, stored, {Action.FORWARD: ["pacs"]})


def test_an_event_between_looking_and_waiting_is_not_slept_over(store, receive, made_ct):
    stored = Signal()
    events = events_of(store, stored)
    events.opened("a")
    assert events.pending("a", 9) == []
    receive(made_ct(), on_stored=stored.notify)
    begun = time.monotonic()
    events.wait("a", LONG_S)
    assert time.monotonic() - begun < LONG_S / 2


def test_a_worker_does_not_sleep_over_what_another_worker_of_its_lane_has_seen(
    store, receive, made_ct
):
    """The other one takes a single event of the many that it sees."""
    stored = Signal()
    events = events_of(store, stored)
    events.opened("a")
    assert events.pending("a", 9) == []
    receive(made_ct(), on_stored=stored.notify)
    other = threading.Thread(target=events.pending, args=("a", 9))
    other.start()
    other.join()
    begun = time.monotonic()
    events.wait("a", LONG_S)
    assert time.monotonic() - begun < LONG_S / 2


def test_workers_are_woken_by_a_plan_and_only_by_one(store, receive, made_ct, waiting_now):
    events = events_of(store, Signal())
    events.opened("a")
    receive(made_ct(1))
    receive(made_ct(2))
    first, second = events.pending("a", 9)
    events.settle("a", first, [])
    assert waiting_now == []
    events.settle("a", second, [Step(1, Action.DELETE, second.version.instance_id)])
    assert waiting_now == [(Action.DELETE, "")]
