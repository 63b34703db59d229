"""Events, and what each lane did with them: how far it has come is in cursors.py."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    Row,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)

from gateway.logs import logger
from gateway.model import (
    Event,
    EventKind,
    LaneStatus,
    NewTask,
    Origin,
    OriginKind,
    ParkedEvent,
    Version,
)
from gateway.store import schema
from gateway.store.catalogue import find_versions
from gateway.store.committer import Committer
from gateway.store.cursors import (
    Mark,
    advance,
    drop_mark,
    forget_mark,
    is_parked,
    lanes_now,
    may_read,
    open_cursor,
    unmarked,
)
from gateway.store.instances import as_origin, as_version
from gateway.store.notices import forget_notices
from gateway.store.plans import Kind, add_plan
from gateway.store.reception import reception
from gateway.store.resource_metadata import notes_of
from gateway.store.tasks import OnWaiting
from gateway.store.times import as_datetime

log = logger("store")
_lanes, _events, _marks = schema.lane, schema.event, schema.lane_event


# Makes tasks of a callback's steps; is given how to look up the version an instance id names.
Planner = Callable[[Callable[[str], Sequence[Version]]], Sequence[NewTask]]


# Statements that run once per event are made once: making one costs more than running it.
_EVENTS = (
    select(
        _events.c.event_id,
        _events.c.kind,
        _events.c.subject,
        _events.c.generation.label("of_notice"),
        schema.version,
        schema.instance.c.sop_class_uid,
        schema.instance.c.sop_instance_uid,
    )
    .select_from(_events)
    .outerjoin(schema.version, schema.version.c.version_id == _events.c.version_id)
    .outerjoin(schema.instance, schema.instance.c.instance_id == schema.version.c.instance_id)
    .limit(bindparam("at_most"))
)
_AGAIN = (
    _EVENTS.join(_marks, _marks.c.event_id == _events.c.event_id)
    .where(_marks.c.lane == bindparam("lane"), _marks.c.state == Mark.AGAIN)
    .order_by(_marks.c.event_id)
)
_FRESH = _EVENTS.where(
    _events.c.event_id
    > select(_lanes.c.cursor).where(_lanes.c.name == bindparam("lane")).scalar_subquery(),
    ~exists().where(_marks.c.lane == bindparam("lane"), _marks.c.event_id == _events.c.event_id),
).order_by(_events.c.event_id)
_NUMBER = (
    insert(_events)
    .values(kind="OnHeartBeat", subject="", created_at=bindparam("now"))
    .returning(_events.c.event_id)
)
_COUNT_HANDLED = (
    update(_lanes)
    .where(_lanes.c.name == bindparam("lane"))
    .values(events_handled=_lanes.c.events_handled + 1)
)


class Outbox:
    """The event table as lanes and administrators see it."""

    def __init__(self, engine: Engine, committer: Committer, on_waiting: OnWaiting) -> None:
        self._engine = engine
        self._committer = committer
        self._on_waiting = on_waiting

    def open_lane(self, lane: str) -> None:
        """Begin, or go on, to collect events for a lane. A new one begins with the next event."""
        self._committer.commit(lambda connection: open_cursor(connection, lane))

    def close_lane(self, lane: str) -> None:
        """The script was removed: no event waits for it any more."""
        self._committer.commit(
            lambda connection: connection.execute(
                update(_lanes)
                .where(_lanes.c.name == lane)
                .values(active=False, closed_at=time.time())
            )
        )

    def close_other_lanes(self, open_lanes: Collection[str]) -> None:
        """At start: the scripts of all other lanes were removed while we were down.

        When no script is there at all, the folder is more likely not mounted yet: then nothing is
        closed, and the events wait.
        """
        missing = {lane.lane for lane in self.lanes() if lane.active} - set(open_lanes)
        if not missing:
            return
        if not open_lanes:
            log.warning("the script folder is empty, events wait", missing=sorted(missing))
            for lane in missing:
                self.describe_lane(
                    lane, script_version="", callbacks=(), fault="its file is not in the folder"
                )
            return
        for lane in missing:
            log.warning("a script was removed, its events end here", script=lane)
            self.close_lane(lane)

    def describe_lane(
        self, lane: str, *, script_version: str, callbacks: Sequence[str], fault: str
    ) -> None:
        """Keep what runs in a lane, for `gateway scripts`."""
        self._committer.commit(
            lambda connection: connection.execute(
                update(_lanes)
                .where(_lanes.c.name == lane)
                .values(script_version=script_version, callbacks=list(callbacks), fault=fault)
            )
        )

    def pending(self, lane: str, limit: int) -> list[Event]:
        """Events the lane has not handled, oldest first; those to be handled again come first."""
        with self._engine.connect() as connection:
            again = connection.execute(_AGAIN, {"lane": lane, "at_most": limit}).all()
            at_most = {"lane": lane, "at_most": limit - len(again)}
            rows = [*again, *connection.execute(_FRESH, at_most).all()]
            notes = notes_of(connection, {row.subject for row in rows if row.version_id})
        return [_as_event(row, notes.get(row.subject, {})) for row in rows]

    def settle(self, lane: str, event_id: int, plan: Planner) -> None:
        """Commit a plan and the lane's progress in one transaction. Raises what `plan` raises.

        The plan looks versions up in the same transaction: none can go before its task is there.
        """

        def apply(connection: Connection) -> set[Kind]:
            tasks = plan(lambda resource_id: find_versions(connection, resource_id))
            waiting = add_plan(connection, lane, event_id, tasks)
            advance(connection, lane, event_id)
            connection.execute(_COUNT_HANDLED, {"lane": lane})
            return waiting

        for action, destination in self._committer.commit(apply):
            self._on_waiting(action, destination)

    def settle_beat(self, lane: str, plan: Planner) -> None:
        """Commit the plan of a callback that no event has called. Raises what `plan` raises.

        It gets the number of an event of its own, which nobody else sees: plans are told apart by
        that.
        """

        def apply(connection: Connection) -> set[Kind]:
            tasks = plan(lambda resource_id: find_versions(connection, resource_id))
            number = connection.execute(_NUMBER, {"now": time.time()}).scalar_one()
            connection.execute(delete(_events).where(_events.c.event_id == number))
            return add_plan(connection, lane, number, tasks)

        for action, destination in self._committer.commit(apply):
            self._on_waiting(action, destination)

    def park(self, parked: ParkedEvent) -> None:
        """Keep a failed event where people see it, and let the lane go on."""

        def apply(connection: Connection) -> None:
            advance(connection, parked.lane, parked.event_id)
            forget_mark(connection, parked.lane, parked.event_id)
            connection.execute(
                insert(_marks).values(
                    lane=parked.lane,
                    event_id=parked.event_id,
                    state=Mark.PARKED,
                    error_kind=parked.error_kind,
                    error=parked.error,
                    traceback=parked.traceback,
                    script_version=parked.script_version,
                    parked_at=parked.parked_at.timestamp(),
                )
            )
            connection.execute(
                update(_lanes)
                .where(_lanes.c.name == parked.lane)
                .values(events_failed=_lanes.c.events_failed + 1, last_error=parked.error)
            )

        self._committer.commit(apply)

    def lanes(self) -> list[LaneStatus]:
        """Every lane there is or was, by name."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(_lanes).order_by(_lanes.c.name)).all()
            return [_as_status(connection, row) for row in rows]

    def parked_events(self) -> list[ParkedEvent]:
        """Events whose callback failed, oldest first."""
        with self._engine.connect() as connection:
            rows = connection.execute(
                select(_marks, _events.c.kind, _events.c.subject)
                .join(_events, _events.c.event_id == _marks.c.event_id)
                .where(_marks.c.state == Mark.PARKED)
                .order_by(_marks.c.parked_at)
            ).all()
        return [_as_parked(row) for row in rows]

    def forget_notices(self) -> int:
        """Remove events that are about no file and that nobody needs any more; how many."""

        def apply(connection: Connection) -> int:
            readers = select(_lanes.c.name).where(may_read())
            return forget_notices(connection, connection.scalars(readers, lanes_now()).all())

        return self._committer.commit(apply)

    def retry_events(self, which: Collection[tuple[str, int]]) -> int:
        """Have parked events handled again; answer how many there were."""

        def apply(connection: Connection) -> int:
            return sum(
                connection.execute(
                    update(_marks).where(*is_parked(lane, event_id)).values(state=Mark.AGAIN)
                ).rowcount
                for lane, event_id in which
            )

        return self._committer.commit(apply)

    def drop_events(self, which: Collection[tuple[str, int]]) -> int:
        """Forget parked events; answer how many there were. The instances stay."""
        return self._committer.commit(
            lambda connection: sum(drop_mark(connection, *parked) for parked in which)
        )


def _as_event(row: Row[Any], notes: Mapping[str, str]) -> Event:
    if row.version_id is None:
        origin = Origin(OriginKind.LUA, generation=row.of_notice)
        return Event(row.event_id, EventKind(row.kind), row.subject, origin=origin)
    return Event(
        event_id=row.event_id,
        kind=EventKind(row.kind),
        subject=row.subject,
        version=as_version(row),
        origin=as_origin(row),
        metadata={**notes, **reception(row)},
    )


def _as_status(connection: Connection, row: Row[Any]) -> LaneStatus:
    waiting = connection.scalar(
        select(func.count())
        .select_from(_events)
        .where(_events.c.event_id > row.cursor, unmarked(row.name))
    )
    again = connection.scalar(
        select(func.count())
        .select_from(_marks)
        .where(_marks.c.lane == row.name, _marks.c.state == Mark.AGAIN)
    )
    return LaneStatus(
        lane=row.name,
        script_version=row.script_version,
        callbacks=tuple(row.callbacks),
        events_handled=row.events_handled,
        events_failed=row.events_failed,
        events_waiting=(waiting or 0) + (again or 0) if row.active else 0,
        last_error=row.last_error,
        fault=row.fault,
        active=row.active,
    )


def _as_parked(row: Row[Any]) -> ParkedEvent:
    return ParkedEvent(
        lane=row.lane,
        event_id=row.event_id,
        kind=EventKind(row.kind),
        subject=row.subject,
        error_kind=row.error_kind,
        error=row.error,
        traceback=row.traceback,
        script_version=row.script_version,
        parked_at=as_datetime(row.parked_at),
    )
