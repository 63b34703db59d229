"""Deleting a resource with all that is in it, in one transaction."""

from collections.abc import Collection, Iterator, Sequence

from sqlalchemy import Connection, or_, select, update

from gateway.errors import NotFound
from gateway.model import Resource, VersionState
from gateway.store import schema
from gateway.store.catalogue import as_resource
from gateway.store.instances import LIVE
from gateway.store.resources import ancestors, forget, generation_of

_resource, _version = schema.resource, schema.version
_is_live = or_(*(_version.c.state == state for state in LIVE))
# Below the number of parameters that SQLite takes in one statement.
_MAXIMUM_IDS = 500


def delete_resource(connection: Connection, resource_id: str) -> Resource | None:
    """Delete a resource, and what is empty without it; answer the nearest above that remains.

    Files go when no event and no task needs them any more. Raises NotFound.
    """
    above = ancestors(connection, resource_id)[1:]
    levels = _tree(connection, resource_id)
    generation = 0
    for ids in _portions(levels[-1]):
        generation = max(generation, generation_of(connection, ids))
        connection.execute(
            update(_version)
            .where(_version.c.instance_id.in_(ids), _is_live)
            .values(state=VersionState.DELETED)
        )
    for level in reversed(levels):
        for ids in _portions(level):
            forget(connection, ids, generation)
    return _remaining(connection, above, generation)


def _tree(connection: Connection, resource_id: str) -> list[list[str]]:
    """The ids of a resource, of those in it, and so on down to the instances."""
    statement = select(_resource.c.resource_id)
    level = list(connection.scalars(statement.where(_resource.c.resource_id == resource_id)))
    if not level:
        raise NotFound(f"there is no resource {resource_id}")
    levels = []
    while level:
        levels.append(level)
        level = [
            child
            for ids in _portions(level)
            for child in connection.scalars(statement.where(_resource.c.parent_id.in_(ids)))
        ]
    return levels


def _remaining(connection: Connection, above: Sequence[str], generation: int) -> Resource | None:
    for resource_id in above:
        child = select(_resource.c.resource_id).where(_resource.c.parent_id == resource_id)
        if connection.scalar(child.limit(1)) is not None:
            row = connection.execute(
                select(_resource).where(_resource.c.resource_id == resource_id)
            ).one()
            return as_resource(row)
        forget(connection, [resource_id], generation)
    return None


def _portions(ids: Sequence[str]) -> Iterator[Collection[str]]:
    for start in range(0, len(ids), _MAXIMUM_IDS):
        yield ids[start : start + _MAXIMUM_IDS]
