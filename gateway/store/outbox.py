"""Events and what each lane did with them.

A lane's cursor says: every event up to here is settled or parked. `lane_event` holds the
exceptions: events settled ahead of the cursor, parked ones, and those to be handled again.
"""

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
from gateway.store.instances import as_origin, as_version
from gateway.store.marks import Mark
from gateway.store.notices import forget_notices
from gateway.store.reception import reception
from gateway.store.resource_metadata import notes_of
from gateway.store.tasks import Kind, OnWaiting, add_plan
from gateway.store.times import as_datetime

log = logger("store")
# A script that is away for no longer than this was being saved by an editor: it misses nothing.
REOPEN_WITHIN_S = 60.0
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
_ADVANCE_IN_ORDER = (
    update(_lanes)
    .where(
        _lanes.c.name == bindparam("lane"),
        _lanes.c.cursor < bindparam("reached"),
        ~exists().where(
            _events.c.event_id > _lanes.c.cursor, _events.c.event_id < bindparam("reached")
        ),
        # One that was parked ahead of the cursor and is to be handled again leaves its mark.
        ~exists().where(
            _marks.c.lane == bindparam("lane"), _marks.c.event_id == bindparam("reached")
        ),
    )
    .values(cursor=bindparam("reached"))
)
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
        self._committer.commit(lambda connection: _open(connection, lane))

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
            _advance(connection, lane, event_id)
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
            _advance(connection, parked.lane, parked.event_id)
            _forget_mark(connection, parked.lane, parked.event_id)
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
            may_return = _lanes.c.closed_at > bindparam("closed_after")
            readers = select(_lanes.c.name).where(_lanes.c.active | may_return)
            return forget_notices(connection, connection.scalars(readers, lanes_now()).all())

        return self._committer.commit(apply)

    def retry_events(self, which: Collection[tuple[str, int]]) -> int:
        """Have parked events handled again; answer how many there were."""

        def apply(connection: Connection) -> int:
            return sum(
                connection.execute(
                    update(_marks).where(*_is_parked(lane, event_id)).values(state=Mark.AGAIN)
                ).rowcount
                for lane, event_id in which
            )

        return self._committer.commit(apply)

    def drop_events(self, which: Collection[tuple[str, int]]) -> int:
        """Forget parked events; answer how many there were. The instances stay."""
        return self._committer.commit(
            lambda connection: sum(_drop(connection, lane, event_id) for lane, event_id in which)
        )


def wanted_by_a_lane(version_id: Any) -> Any:
    """SQL: some lane has still to handle, or may be told to repeat, an event of the version.

    The statement is to be run with the parameters of `lanes_now()`.
    """
    return waits_in_a_lane(_events.c.version_id == version_id)


def waits_in_a_lane(*which: Any) -> Any:
    """SQL: some lane has still to handle, or may be told to repeat, one of these events.

    The statement is to be run with the parameters of `lanes_now()`.
    """
    may_return = _lanes.c.closed_at > bindparam("closed_after")
    waiting = (
        exists()
        .where(*which)
        .where(_lanes.c.active | may_return, _lanes.c.cursor < _events.c.event_id)
        .where(
            ~exists().where(
                _marks.c.lane == _lanes.c.name,
                _marks.c.event_id == _events.c.event_id,
                _marks.c.state == Mark.SETTLED,
            )
        )
    )
    marked = (
        exists()
        .where(*which)
        .where(_marks.c.event_id == _events.c.event_id)
        .where(_marks.c.state.in_([Mark.PARKED, Mark.AGAIN]))
    )
    return waiting | marked


def lanes_now() -> dict[str, float]:
    """Parameters of wanted_by_a_lane(): which closed lanes may still return."""
    return {"closed_after": time.time() - REOPEN_WITHIN_S}


def _unmarked(lane: str) -> Any:
    return ~exists().where(_marks.c.lane == lane, _marks.c.event_id == _events.c.event_id)


def _is_parked(lane: str, event_id: int) -> tuple[Any, ...]:
    return (
        _marks.c.lane == lane,
        _marks.c.event_id == event_id,
        _marks.c.state == Mark.PARKED,
    )


def _open(connection: Connection, lane: str) -> None:
    newest = connection.scalar(select(func.coalesce(func.max(_events.c.event_id), 0)))
    row = connection.execute(select(_lanes).where(_lanes.c.name == lane)).first()
    if row is None:
        connection.execute(
            insert(_lanes).values(
                name=lane, cursor=newest, active=True, script_version="", callbacks=[],
                events_handled=0, events_failed=0, last_error="", fault="",
            )
        )  # fmt: skip
        return
    away_too_long = not row.active and time.time() - (row.closed_at or 0) > REOPEN_WITHIN_S
    values = {"active": True, "closed_at": None}
    if away_too_long:
        values["cursor"] = newest
    connection.execute(update(_lanes).where(_lanes.c.name == lane).values(**values))


def _advance(connection: Connection, lane: str, event_id: int) -> None:
    """The lane is done with the event: move its cursor, or note that it is ahead of it."""
    if connection.execute(_ADVANCE_IN_ORDER, {"lane": lane, "reached": event_id}).rowcount:
        return
    _forget_mark(connection, lane, event_id)
    connection.execute(
        insert(_marks).values(
            lane=lane, event_id=event_id, state=Mark.SETTLED,
            error_kind="", error="", traceback="", script_version="",
        )
    )  # fmt: skip
    _close_gap(connection, lane)


def _close_gap(connection: Connection, lane: str) -> None:
    cursor = connection.scalar(select(_lanes.c.cursor).where(_lanes.c.name == lane)) or 0
    first_open = connection.scalar(
        select(func.min(_events.c.event_id)).where(_events.c.event_id > cursor, _unmarked(lane))
    )
    newest = connection.scalar(select(func.max(_events.c.event_id))) or 0
    reached = first_open - 1 if first_open else max(cursor, newest)
    connection.execute(update(_lanes).where(_lanes.c.name == lane).values(cursor=reached))
    connection.execute(
        delete(_marks).where(
            _marks.c.lane == lane, _marks.c.event_id <= reached, _marks.c.state == Mark.SETTLED
        )
    )


def _drop(connection: Connection, lane: str, event_id: int) -> int:
    # Without any mark an event ahead of the cursor would be one that was never handled.
    dropped = connection.execute(
        update(_marks).where(*_is_parked(lane, event_id)).values(state=Mark.SETTLED)
    ).rowcount
    if dropped:
        _close_gap(connection, lane)
    return dropped


def _forget_mark(connection: Connection, lane: str, event_id: int) -> None:
    connection.execute(delete(_marks).where(_marks.c.lane == lane, _marks.c.event_id == event_id))


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
        .where(_events.c.event_id > row.cursor, _unmarked(row.name))
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
