"""What is noted of a resource beside its tags: each note has a name and a revision."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from gateway.store import schema

_metadata = schema.resource_metadata
_ALL = (
    select(_metadata.c.name, _metadata.c.value, _metadata.c.revision)
    .where(_metadata.c.resource_id == bindparam("of"))
    .order_by(_metadata.c.name)
)


@dataclass(frozen=True, slots=True)
class Metadatum:
    """One note. revision: how often it was replaced."""

    value: str
    revision: int = 0


def metadata_of(connection: Connection, resource_id: str) -> dict[str, Metadatum]:
    """All notes on a resource, by name."""
    rows = connection.execute(_ALL, {"of": resource_id})
    return {row.name: Metadatum(row.value, row.revision) for row in rows}


def set_metadata(connection: Connection, resource_id: str, name: str, value: str) -> int:
    """Note something, or replace what the note said; answer the note's revision.

    Those that users make are known by their number, as text: a site may name numbers, and rename
    them.
    """
    known = connection.scalar(
        select(_metadata.c.revision).where(*_is(resource_id, name)),
    )
    if known is None:
        connection.execute(
            insert(_metadata),
            {"resource_id": resource_id, "name": name, "value": value, "revision": 0},
        )
        return 0
    connection.execute(
        update(_metadata).where(*_is(resource_id, name)).values(value=value, revision=known + 1)
    )
    return int(known) + 1


def delete_metadata(connection: Connection, resource_id: str, name: str) -> bool:
    """Forget a note; False when there is none."""
    return bool(connection.execute(delete(_metadata).where(*_is(resource_id, name))).rowcount)


def _is(resource_id: str, name: str) -> tuple[Any, ...]:
    return (_metadata.c.resource_id == resource_id, _metadata.c.name == name)
