"""Events that are about more than a file that was stored: entered with what they tell of.

They are entered only when a lane may want them: most sites have no script that asks for them.
"""

from collections.abc import Collection

from sqlalchemy import Connection, delete, exists, func, insert, literal, select

from gateway.model import EventKind, Level
from gateway.store import schema
from gateway.store.cursors import Mark

_lanes, _events, _marks = schema.lane, schema.event, schema.lane_event

DELETED = {
    Level.INSTANCE: EventKind.DELETED_INSTANCE,
    Level.SERIES: EventKind.DELETED_SERIES,
    Level.STUDY: EventKind.DELETED_STUDY,
    Level.PATIENT: EventKind.DELETED_PATIENT,
}
UPDATED = {
    Level.INSTANCE: EventKind.UPDATED_INSTANCE,
    Level.SERIES: EventKind.UPDATED_SERIES,
    Level.STUDY: EventKind.UPDATED_STUDY,
    Level.PATIENT: EventKind.UPDATED_PATIENT,
}
STABLE = {
    Level.SERIES: EventKind.STABLE_SERIES,
    Level.STUDY: EventKind.STABLE_STUDY,
    Level.PATIENT: EventKind.STABLE_PATIENT,
}

_SCRIPTS = select(_lanes.c.script_version, _lanes.c.callbacks).where(_lanes.c.active)
_ENTER = insert(_events)


def wanted(connection: Connection, kinds: Collection[EventKind]) -> frozenset[EventKind]:
    """Those of these kinds that a lane may want."""
    found: set[EventKind] = set()
    for script_version, callbacks in connection.execute(_SCRIPTS):
        # A script that has not been loaded yet may define anything.
        found.update(kind for kind in kinds if not script_version or kind in callbacks)
    return frozenset(found)


def add_notice(
    connection: Connection, kind: EventKind, subject: str, now: float, generation: int = 0
) -> None:
    """Enter an event about a resource or a job, if a lane may want it; see enter_notice()."""
    if wanted(connection, [kind]):
        enter_notice(connection, kind, subject, now, generation)


def enter_notice(
    connection: Connection, kind: EventKind, subject: str, now: float, generation: int
) -> None:
    """Enter an event that is wanted.

    generation: see Origin; of what has come, or gone, or was made.
    """
    connection.execute(
        _ENTER, {"kind": kind, "subject": subject, "created_at": now, "generation": generation}
    )


def forget_notices(connection: Connection, lanes_that_may_read: Collection[str]) -> int:
    """Remove those that all of these lanes have handled and nobody may repeat; how many."""
    slowest = (
        select(func.min(_lanes.c.cursor))
        .where(_lanes.c.name.in_(lanes_that_may_read))
        .scalar_subquery()
    )
    everything = select(func.max(_events.c.event_id)).scalar_subquery()
    handled = (
        select(_events.c.event_id)
        .where(
            _events.c.version_id.is_(None),
            _events.c.event_id <= func.coalesce(slowest, everything, literal(0)),
            ~exists().where(
                _marks.c.event_id == _events.c.event_id,
                _marks.c.state.in_([Mark.PARKED, Mark.AGAIN]),
            ),
        )
        .limit(1000)
    )
    going = list(connection.scalars(handled))
    connection.execute(delete(_marks).where(_marks.c.event_id.in_(going)))
    return connection.execute(delete(_events).where(_events.c.event_id.in_(going))).rowcount
