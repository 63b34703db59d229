"""Events that are about more than a file that was stored: entered with what they tell of.

They are entered only when a lane may want them: most sites have no script that asks for them.
"""

from collections.abc import Collection

from sqlalchemy import (
    Connection,
    Text,
    bindparam,
    cast,
    delete,
    exists,
    func,
    insert,
    literal,
    null,
    or_,
    select,
)

from gateway.model import EventKind, Level
from gateway.store import schema

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

# A script that has not been loaded yet may define anything.
_IS_WANTED = exists().where(
    _lanes.c.active,
    or_(
        _lanes.c.script_version == "",
        cast(_lanes.c.callbacks, Text).contains(bindparam("quoted", type_=Text)),
    ),
)
_ASK = select(_IS_WANTED)
_ADD = insert(_events).from_select(
    ["kind", "subject", "version_id", "created_at", "generation"],
    select(
        bindparam("kind", type_=Text),
        bindparam("subject", type_=Text),
        null(),
        bindparam("now", type_=schema.event.c.created_at.type),
        bindparam("generation", type_=schema.event.c.generation.type),
    ).where(_IS_WANTED),
)


def is_wanted(connection: Connection, kind: EventKind) -> bool:
    """Whether a lane may want events of this kind."""
    return bool(connection.scalar(_ASK, {"quoted": f'"{kind}"'}))


def add_notice(
    connection: Connection, kind: EventKind, subject: str, now: float, generation: int = 0
) -> None:
    """Enter an event about a resource or a job, if a lane may want it.

    generation: see Origin; of what has come, or gone, or was made.
    """
    values = {"kind": kind, "subject": subject, "now": now, "quoted": f'"{kind}"'}
    connection.execute(_ADD, values | {"generation": generation})


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
                _marks.c.event_id == _events.c.event_id, _marks.c.state.in_(["parked", "again"])
            ),
        )
        .limit(1000)
    )
    going = list(connection.scalars(handled))
    connection.execute(delete(_marks).where(_marks.c.event_id.in_(going)))
    return connection.execute(delete(_events).where(_events.c.event_id.in_(going))).rowcount
