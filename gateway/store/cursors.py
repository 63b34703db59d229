"""How far each lane has come.

A lane's cursor says: every event up to here is settled or parked. `lane_event` holds the
exceptions: events settled ahead of the cursor, parked ones, and those to be handled again.
All of this happens within the transaction of somebody else.
"""

import time
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, func, insert, select, update

from gateway.store import schema

# A script that is away for no longer than this was being saved by an editor: it misses nothing.
REOPEN_WITHIN_S = 60.0
_lanes, _events, _marks = schema.lane, schema.event, schema.lane_event


class Mark(StrEnum):
    """The state of a `lane_event` row."""

    SETTLED = "settled"
    PARKED = "parked"
    AGAIN = "again"


# Made once: making one costs more than running it.
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


def open_cursor(connection: Connection, lane: str) -> None:
    """Begin a lane with the next event; one that was away only shortly goes on where it was."""
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


def advance(connection: Connection, lane: str, event_id: int) -> None:
    """The lane is done with the event: move its cursor, or note that it is ahead of it."""
    if connection.execute(_ADVANCE_IN_ORDER, {"lane": lane, "reached": event_id}).rowcount:
        return
    forget_mark(connection, lane, event_id)
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
        select(func.min(_events.c.event_id)).where(_events.c.event_id > cursor, unmarked(lane))
    )
    newest = connection.scalar(select(func.max(_events.c.event_id))) or 0
    reached = first_open - 1 if first_open else max(cursor, newest)
    connection.execute(update(_lanes).where(_lanes.c.name == lane).values(cursor=reached))
    connection.execute(
        delete(_marks).where(
            _marks.c.lane == lane, _marks.c.event_id <= reached, _marks.c.state == Mark.SETTLED
        )
    )


def drop_mark(connection: Connection, lane: str, event_id: int) -> int:
    """A parked event is not to be handled any more; answers 0 when it is not parked."""
    # Without any mark an event ahead of the cursor would be one that was never handled.
    dropped = connection.execute(
        update(_marks).where(*is_parked(lane, event_id)).values(state=Mark.SETTLED)
    ).rowcount
    if dropped:
        _close_gap(connection, lane)
    return dropped


def forget_mark(connection: Connection, lane: str, event_id: int) -> None:
    """Note nothing of an event any more."""
    connection.execute(delete(_marks).where(_marks.c.lane == lane, _marks.c.event_id == event_id))


def unmarked(lane: str) -> Any:
    """SQL: nothing is noted of the event."""
    return ~exists().where(_marks.c.lane == lane, _marks.c.event_id == _events.c.event_id)


def is_parked(lane: str, event_id: int) -> tuple[Any, ...]:
    """SQL: conditions on a row of `lane_event`."""
    return (
        _marks.c.lane == lane,
        _marks.c.event_id == event_id,
        _marks.c.state == Mark.PARKED,
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
    waiting = (
        exists()
        .where(*which)
        .where(may_read(), _lanes.c.cursor < _events.c.event_id)
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


def may_read() -> Any:
    """SQL: the lane is open, or was closed so shortly ago that its script may still return.

    The statement is to be run with the parameters of `lanes_now()`.
    """
    return _lanes.c.active | (_lanes.c.closed_at > bindparam("closed_after"))


def lanes_now() -> dict[str, float]:
    """Parameters of may_read(), and of what is made of it: which closed lanes may still return."""
    return {"closed_after": time.time() - REOPEN_WITHIN_S}
