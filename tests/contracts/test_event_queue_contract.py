"""What every EventQueue must do: the one over the index, and the one that script tests use."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from scripting_support import FakeQueue, make_event

from gateway.errors import NotFound, UnknownDestination
from gateway.model import Action, Event, ParkedEvent, Step
from gateway.ports import EventQueue
from gateway.routing.events import LaneEvents
from gateway.routing.signal import Signal

LONG_S = 10.0


@dataclass
class Harness:
    """A queue, how to make an event in it, and what it knows of a lane."""

    queue: EventQueue
    add: Callable[[], None]
    is_durable: bool

    def pending(self, lane: str = "a") -> list[Event]:
        return list(self.queue.pending(lane, 100))

    def ids(self, lane: str = "a") -> list[int]:
        return [event.event_id for event in self.pending(lane)]


@pytest.fixture(params=["index", "memory"])
def harness(request) -> Harness:
    if request.param == "memory":
        fake = FakeQueue()
        fake.unknown_destinations.add("moon")
        numbers = iter(range(1, 1000))
        return Harness(fake, lambda: fake.add(make_event(next(numbers))), is_durable=False)
    store = request.getfixturevalue("store")
    receive, made_ct = request.getfixturevalue("receive"), request.getfixturevalue("made_ct")
    stored = Signal()
    numbers = iter(range(1, 1000))
    queue = LaneEvents(store.outbox, stored, {Action.FORWARD: ["pacs"]})
    return Harness(
        queue, lambda: receive(made_ct(next(numbers)), on_stored=stored.notify), is_durable=True
    )


def parked(event: Event, lane: str = "a") -> ParkedEvent:
    return ParkedEvent(
        lane, event.event_id, event.kind, event.subject, "script-error", "no", "", "v",
        datetime.now(UTC),
    )  # fmt: skip


def forward(event: Event, to: str) -> Step:
    return Step(1, Action.FORWARD, event.subject, None, to, {}, "a.lua:1")


def test_a_new_lane_begins_with_the_next_event(harness):
    harness.add()
    harness.queue.opened("a")
    assert harness.ids() == []
    harness.add()
    assert len(harness.ids()) == 1


def test_events_come_oldest_first_and_no_more_than_asked_for(harness):
    harness.queue.opened("a")
    for _ in range(4):
        harness.add()
    assert harness.ids() == sorted(harness.ids())
    first = [event.event_id for event in harness.queue.pending("a", 2)]
    assert first == harness.ids()[:2]


def test_events_in_hand_are_answered_again(harness):
    harness.queue.opened("a")
    harness.add()
    assert harness.ids() == harness.ids() != []


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_what_is_settled_in_any_order_never_comes_back(harness, order):
    harness.queue.opened("a")
    for _ in range(3):
        harness.add()
    events = harness.pending()
    left = [event.event_id for event in events]
    for place in order:
        harness.queue.settle("a", events[place], ())
        left.remove(events[place].event_id)
        assert harness.ids() == left


def test_lanes_do_not_know_each_other(harness):
    harness.queue.opened("a")
    harness.queue.opened("b")
    harness.add()
    (event,) = harness.pending("a")
    harness.queue.settle("a", event, ())
    assert (harness.ids("a"), harness.ids("b")) == ([], [event.event_id])


def test_a_parked_event_lets_the_lane_go_on(harness):
    harness.queue.opened("a")
    harness.add()
    harness.add()
    first, second = harness.pending()
    harness.queue.park(parked(first))
    assert harness.ids() == [second.event_id]


def test_a_plan_for_an_unknown_destination_leaves_the_event(harness):
    harness.queue.opened("a")
    harness.add()
    (event,) = harness.pending()
    with pytest.raises(UnknownDestination, match="moon"):
        harness.queue.settle("a", event, [forward(event, "moon")])
    assert harness.ids() == [event.event_id]
    harness.queue.park(parked(event))
    assert harness.ids() == []


def test_a_plan_for_an_unknown_instance_leaves_the_event(harness):
    if not harness.is_durable:
        pytest.skip("the queue in memory knows no instances")
    harness.queue.opened("a")
    harness.add()
    (event,) = harness.pending()
    with pytest.raises(NotFound, match=r"a\.lua:1"):
        harness.queue.settle("a", event, [Step(1, Action.DELETE, "nowhere", line="a.lua:1")])
    assert harness.ids() == [event.event_id]


def test_a_lane_that_is_closed_and_opened_again_goes_on_where_it_was(harness):
    harness.queue.opened("a")
    harness.add()
    harness.queue.closed("a")
    harness.add()
    harness.queue.opened("a")
    assert len(harness.ids()) == 2


def test_a_status_can_be_told_of_a_lane(harness):
    harness.queue.opened("a")
    harness.queue.status("a", script_version="abc", callbacks=["OnStoredInstance"], fault="")


def test_a_new_event_ends_a_wait(harness):
    harness.queue.opened("a")
    assert harness.ids() == []
    waiter = threading.Thread(target=harness.queue.wait, args=("a", LONG_S))
    waiter.start()
    while waiter.is_alive():  # it may not have begun to wait when the first one came
        harness.add()
        waiter.join(0.05)


def test_whoever_waits_can_be_woken_without_an_event(harness):
    harness.queue.opened("a")
    harness.queue.opened("b")
    waiters = [threading.Thread(target=harness.queue.wait, args=(lane, LONG_S)) for lane in "ab"]
    for waiter in waiters:
        waiter.start()
    while any(waiter.is_alive() for waiter in waiters):
        harness.queue.wake()
        for waiter in waiters:
            waiter.join(0.05)
    assert harness.ids() == []


def test_a_wait_without_news_ends_after_its_time(harness):
    harness.queue.opened("a")
    harness.ids()
    begun = time.monotonic()
    harness.queue.wait("a", 0.05)
    assert 0.04 <= time.monotonic() - begun < LONG_S
