"""Events and lanes: each lane sees each event, in order, until it is settled or parked. Once."""

import secrets
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from store_support import opened_store

from gateway.errors import StoreError, UnknownDestination
from gateway.model import Action, EventKind, Identifiers, Origin, OriginKind, ParkedEvent, Summary
from gateway.store import schema
from gateway.store.cursors import REOPEN_WITHIN_S
from gateway.store.instances import NewVersion, add_arrival
from gateway.store.opened import Store

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def add_event(store: Store, number: int) -> int:
    """An event of an instance that has no file."""
    identifiers = Identifiers(f"instance-{number}", "p", "1.1", "1.2", f"1.3.{number}", "1.4")
    new = NewVersion(f"r{number:032x}", "1.2.840.10008.1.2.1", 1, f"{number:064x}")
    origin = Origin(OriginKind.DICOM, "A", "B", "10.0.0.1")
    store.committer.commit(lambda c: add_arrival(c, Summary(identifiers), new, origin, "overwrite"))
    with store.engine.connect() as connection:
        return connection.scalar(select(func.max(schema.event.c.event_id)))


@pytest.fixture
def add(store):
    """Add so many events; answers their ids."""
    numbers = iter(range(1, 10_000))
    return lambda count: [add_event(store, next(numbers)) for _ in range(count)]


def waiting(store: Store, lane: str = "a", limit: int = 100) -> list[int]:
    return [event.event_id for event in store.outbox.pending(lane, limit)]


def settle(store: Store, event_id: int, lane: str = "a") -> None:
    store.outbox.settle(lane, event_id, lambda find: [])


def park(store: Store, event_id: int, lane: str = "a", error: str = "boom") -> None:
    store.outbox.park(
        ParkedEvent(
            lane, event_id, EventKind.STORED_INSTANCE, "i", "script-error", error, "tb", "v1", NOW
        )
    )


def marks(store: Store) -> int:
    with store.engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(schema.lane_event))


def status(store: Store, lane: str = "a"):
    return next(status for status in store.outbox.lanes() if status.lane == lane)


# --- lanes come and go ---------------------------------------------------------------------------


def test_a_new_lane_begins_with_the_next_event(store, add):
    add(3)
    store.outbox.open_lane("a")
    assert waiting(store) == []
    assert waiting(store) == []
    (event,) = add(1)
    assert waiting(store) == [event]


def test_every_lane_sees_every_event(store, add):
    store.outbox.open_lane("a")
    store.outbox.open_lane("b")
    (event,) = add(1)
    settle(store, event, "a")
    assert (waiting(store, "a"), waiting(store, "b")) == ([], [event])


def test_a_lane_goes_on_where_it_was_after_a_restart(tmp_path):
    first = opened_store(tmp_path)
    first.outbox.open_lane("a")
    events = [add_event(first, number) for number in range(3)]
    settle(first, events[0])
    first.close()
    second = opened_store(tmp_path)
    try:
        second.outbox.open_lane("a")
        assert waiting(second) == events[1:]
    finally:
        second.close()


def test_a_lane_that_is_saved_by_an_editor_misses_nothing(store, add, later):
    store.outbox.open_lane("a")
    events = add(1)
    store.outbox.close_lane("a")
    events += add(1)
    later(REOPEN_WITHIN_S - 5)
    store.outbox.open_lane("a")
    assert waiting(store) == events


def test_a_lane_that_was_away_for_longer_begins_with_the_next_event(store, add, later):
    store.outbox.open_lane("a")
    add(1)
    store.outbox.close_lane("a")
    add(1)
    later(REOPEN_WITHIN_S + 5)
    store.outbox.open_lane("a")
    assert waiting(store) == []
    (event,) = add(1)
    assert waiting(store) == [event]


def test_a_lane_that_was_away_keeps_what_is_parked(store, add, later):
    store.outbox.open_lane("a")
    (event,) = add(1)
    park(store, event)
    store.outbox.close_lane("a")
    later(REOPEN_WITHIN_S + 5)
    store.outbox.open_lane("a")
    assert store.outbox.retry_events([("a", event)]) == 1
    assert waiting(store) == [event]


def test_opening_an_open_lane_changes_nothing(store, add):
    store.outbox.open_lane("a")
    (event,) = add(1)
    store.outbox.open_lane("a")
    assert waiting(store) == [event]


def test_scripts_that_went_while_we_were_down_close_their_lanes(store, add):
    store.outbox.open_lane("a")
    store.outbox.open_lane("b")
    add(1)
    store.outbox.close_other_lanes(["b"])
    assert (status(store, "a").active, status(store, "b").active) == (False, True)
    assert status(store, "a").events_waiting == 0


def test_an_empty_script_folder_is_not_taken_for_removed_scripts(store, add):
    store.outbox.open_lane("a")
    add(2)
    store.outbox.close_other_lanes([])
    assert status(store, "a").active
    assert status(store, "a").events_waiting == 2
    assert "not in the folder" in status(store, "a").fault


# --- the cursor ----------------------------------------------------------------------------------


def test_events_come_oldest_first_and_no_more_than_asked_for(store, add):
    store.outbox.open_lane("a")
    events = add(5)
    assert waiting(store, limit=3) == events[:3]


def test_events_settled_in_order_leave_nothing_behind(store, add):
    store.outbox.open_lane("a")
    for event in add(4):
        settle(store, event)
    assert (waiting(store), marks(store)) == ([], 0)


def test_an_event_settled_ahead_of_another_is_not_answered_again(store, add):
    store.outbox.open_lane("a")
    first, second, third = add(3)
    settle(store, second)
    assert waiting(store) == [first, third]
    settle(store, third)
    assert waiting(store) == [first]
    settle(store, first)
    assert waiting(store) == []


def test_marks_of_events_settled_out_of_order_go_in_the_end(store, add):
    store.outbox.open_lane("a")
    first, second, third, fourth = add(4)
    for event in (third, second, first, fourth):
        settle(store, event)
    assert marks(store) == 0


def test_a_gap_in_the_numbers_is_no_event(store, add):
    """Events of reclaimed instances are gone."""
    store.outbox.open_lane("a")
    first, second, third = add(3)

    def forget(connection) -> None:
        connection.execute(schema.event.delete().where(schema.event.c.event_id == second))

    store.committer.commit(forget)
    settle(store, first)
    settle(store, third)
    assert (waiting(store), marks(store)) == ([], 0)


def test_many_workers_of_one_lane_settle_each_event_once(store, add):
    store.outbox.open_lane("a")
    events = add(40)
    remaining = events[:]
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                if not remaining:
                    return
                event = remaining.pop()
            settle(store, event)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (waiting(store), status(store).events_handled) == ([], 40)


def test_settling_in_a_lane_that_was_never_opened_is_an_error(store, add):
    (event,) = add(1)
    with pytest.raises(StoreError):
        settle(store, event, "nobody")


# --- plans ---------------------------------------------------------------------------------------


def test_a_plan_and_the_cursor_are_committed_together(store, kept, new_task):
    store.outbox.open_lane("a")
    version = kept()
    (event,) = waiting(store)
    task = new_task(1, Action.DELETE, version)
    store.outbox.settle("a", event, lambda find: [task])
    assert waiting(store) == []
    assert [row.event_id for row in store.board.rows()] == [event]


def test_a_plan_that_fails_leaves_the_event_waiting_and_no_task(store, add):
    store.outbox.open_lane("a")
    (event,) = add(1)

    def plan(_find):
        raise UnknownDestination("a.lua:3: no destination is called 'x'")

    with pytest.raises(UnknownDestination):
        store.outbox.settle("a", event, plan)
    assert waiting(store) == [event]
    assert store.board.rows() == []
    assert status(store).events_handled == 0


def test_a_plan_finds_current_instances_by_their_id(store, kept):
    store.outbox.open_lane("a")
    version = kept()
    (event,) = waiting(store)
    found = []

    def plan(find):
        found[:] = [find(version.instance_id), find("no such instance")]
        return []

    store.outbox.settle("a", event, plan)
    assert found == [[version], []]


def test_a_plan_is_never_entered_twice(store, kept, new_task):
    store.outbox.open_lane("a")
    version = kept()
    (event,) = waiting(store)
    store.outbox.settle("a", event, lambda find: [new_task(1, Action.DELETE, version)])
    with pytest.raises(StoreError):
        store.outbox.settle("a", event, lambda find: [new_task(1, Action.DELETE, version)])
    assert len(store.board.rows()) == 1


# --- parked events -------------------------------------------------------------------------------


def test_a_parked_event_is_shown_with_its_reason_and_the_lane_goes_on(store, kept):
    store.outbox.open_lane("a")
    version = kept()
    (event,) = waiting(store)
    parked = ParkedEvent(
        "a",
        event,
        EventKind.STORED_INSTANCE,
        version.instance_id,
        "script-timeout",
        "too long",
        "stack",
        "abc",
        NOW,
    )
    store.outbox.park(parked)
    assert waiting(store) == []
    assert store.outbox.parked_events() == [parked]
    shown = status(store)
    assert (shown.events_failed, shown.last_error, shown.events_waiting) == (1, "too long", 0)


def test_a_retried_event_comes_before_the_others(store, add):
    store.outbox.open_lane("a")
    first, second = add(2)
    park(store, first)
    assert waiting(store) == [second]
    assert store.outbox.retry_events([("a", first)]) == 1
    assert waiting(store) == [first, second]
    assert store.outbox.parked_events() == []
    assert status(store).events_waiting == 2


def test_a_retried_event_that_succeeds_is_over(store, add):
    store.outbox.open_lane("a")
    (event,) = add(1)
    park(store, event)
    store.outbox.retry_events([("a", event)])
    settle(store, event)
    assert (waiting(store), marks(store)) == ([], 0)


def test_a_retried_event_that_the_cursor_reaches_afterwards_is_over_too(store, add):
    store.outbox.open_lane("a")
    first, second = add(2)
    park(store, second)  # ahead of the cursor: another worker still has the first
    store.outbox.retry_events([("a", second)])
    settle(store, first)
    settle(store, second)
    assert waiting(store) == []
    assert marks(store) == 0


def test_a_retried_event_that_fails_again_is_parked_with_the_new_reason(store, add):
    store.outbox.open_lane("a")
    (event,) = add(1)
    park(store, event, error="first")
    store.outbox.retry_events([("a", event)])
    park(store, event, error="second")
    assert [parked.error for parked in store.outbox.parked_events()] == ["second"]
    assert waiting(store) == []


def test_an_event_parked_ahead_of_others_does_not_hide_them(store, add):
    store.outbox.open_lane("a")
    first, second, third = add(3)
    park(store, second)
    assert waiting(store) == [first, third]
    settle(store, first)
    settle(store, third)
    assert waiting(store) == []
    assert [parked.event_id for parked in store.outbox.parked_events()] == [second]


def test_a_dropped_event_is_forgotten(store, add):
    store.outbox.open_lane("a")
    (event,) = add(1)
    park(store, event)
    assert store.outbox.drop_events([("a", event)]) == 1
    assert (store.outbox.parked_events(), waiting(store)) == ([], [])


def test_dropping_an_event_parked_ahead_of_the_cursor_does_not_bring_it_back(store, add):
    store.outbox.open_lane("a")
    first, second = add(2)
    park(store, second)
    assert store.outbox.drop_events([("a", second)]) == 1
    assert waiting(store) == [first]


@pytest.mark.parametrize("how", ["retry_events", "drop_events"])
def test_only_parked_events_can_be_retried_or_dropped(store, add, how):
    store.outbox.open_lane("a")
    settled, open_one = add(2)
    settle(store, settled)
    which = [("a", settled), ("a", open_one), ("nobody", settled)]
    assert getattr(store.outbox, how)(which) == 0
    assert waiting(store) == [open_one]


# --- what a lane runs ----------------------------------------------------------------------------


def test_what_runs_in_a_lane_is_shown(store):
    store.outbox.open_lane("a")
    store.outbox.describe_lane("a", script_version="abc", callbacks=["OnStoredInstance"], fault="f")
    shown = status(store)
    assert (shown.script_version, shown.callbacks, shown.fault, shown.active) == (
        "abc", ("OnStoredInstance",), "f", True,
    )  # fmt: skip


def test_an_event_tells_what_orthanc_would_tell(store, kept):
    store.outbox.open_lane("a")
    kept()
    (event,) = store.outbox.pending("a", 1)
    assert event.kind is EventKind.STORED_INSTANCE
    assert event.metadata.keys() == {
        "ReceptionDate", "Origin", "RemoteAET", "CalledAET", "RemoteIP", "TransferSyntax",
        "SopClassUid",
    }  # fmt: skip


# --- any order -----------------------------------------------------------------------------------


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["add", "settle", "settle", "park", "retry", "drop", "reopen"]),
        st.integers(0, 1),
        st.integers(0, 1 << 20),
    ),
    max_size=40,
)


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(operations=OPERATIONS)
def test_in_any_order_no_event_is_lost_and_none_comes_back(store, operations):
    """Several workers per lane settle and park in any order; people retry and drop."""
    names = [f"lane-{secrets.token_hex(4)}" for _ in range(2)]
    lanes = [Expected() for _ in names]
    for name in names:
        store.outbox.open_lane(name)
    for operation, which, choice in operations:
        carry_out(store, names[which], lanes, which, operation, choice)
        for name, lane in zip(names, lanes, strict=True):
            assert waiting(store, name, 1000) == sorted(lane.again) + sorted(lane.fresh)


@dataclass
class Expected:
    """What one lane should be left with."""

    fresh: set[int] = field(default_factory=set)
    again: set[int] = field(default_factory=set)
    parked: set[int] = field(default_factory=set)


def carry_out(
    store: Store, name: str, lanes: list[Expected], which: int, operation: str, choice: int
) -> None:
    lane = lanes[which]
    if operation == "add":
        event = add_event(store, secrets.randbits(60))
        for each in lanes:
            each.fresh.add(event)
        return
    if operation == "reopen":
        store.outbox.close_lane(name)
        store.outbox.open_lane(name)
        return
    choices = sorted(lane.parked if operation in ("retry", "drop") else lane.fresh | lane.again)
    if not choices:
        return
    event = choices[choice % len(choices)]
    for left in (lane.fresh, lane.again, lane.parked):
        left.discard(event)
    if operation == "settle":
        settle(store, event, name)
    elif operation == "park":
        park(store, event, name)
        lane.parked.add(event)
    elif operation == "retry":
        store.outbox.retry_events([(name, event)])
        lane.again.add(event)
    else:
        store.outbox.drop_events([(name, event)])
