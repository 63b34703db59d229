"""Reading the index: patients, studies, series, instances, and what belongs to them."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, bindparam, func, select

from gateway.dicom.main_tags import normalized
from gateway.model import Level, Resource, Version, VersionState
from gateway.store import schema
from gateway.store.details import ONE_INSTANCE, Details, DetailsReader, as_instance_details
from gateway.store.instances import CURRENT_VERSION, as_version, find_current, select_versions
from gateway.store.prepared import Prepared
from gateway.store.times import as_datetime

_resource = schema.resource
_LEVELS = tuple(Level)
_GET = select(_resource).where(_resource.c.resource_id == bindparam("id"))


class Catalogue:
    """What the index knows. Each answer is of one moment; nothing is locked."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._get = Prepared(engine, _GET)
        self._version = Prepared(engine, CURRENT_VERSION)
        self._instance = Prepared(engine, ONE_INSTANCE)
        self._details = DetailsReader(engine)

    def get(self, resource_id: str) -> Resource | None:
        """The resource with this id."""
        row = self._get.first({"id": resource_id})
        return as_resource(row) if row else None

    def instance(self, instance_id: str) -> Details | None:
        """An instance, with all that is shown of it."""
        row = self._instance.first({"id": instance_id})
        return as_instance_details(as_resource(row), row) if row else None

    def details(
        self, resources: Sequence[Resource], *, with_child_tags: bool = False
    ) -> Iterator[Details]:
        """All that is shown of resources of one level, in the order given."""
        return self._details.read(resources, with_child_tags=with_child_tags)

    def ids(self, level: Level, *, since: int = 0, limit: int = 0) -> list[str]:
        """All ids of a level in the order of their arrival. limit: at most so many, 0 for all."""
        statement = (
            select(_resource.c.resource_id)
            .where(_resource.c.level == level)
            .order_by(_resource.c.created_at, _resource.c.resource_id)
            .offset(since)
        )
        with self._engine.connect() as connection:
            return list(connection.scalars(statement.limit(limit) if limit else statement))

    def count(self, level: Level) -> int:
        """How many there are of a level."""
        statement = select(func.count()).where(_resource.c.level == level)
        with self._engine.connect() as connection:
            return int(connection.scalar(statement) or 0)

    def related(self, resource: Resource, level: Level) -> list[str]:
        """The ids of a level above or below: the one that it is in, or all that are in it."""
        with self._engine.connect() as connection:
            return list(connection.scalars(select_related(resource, level)))

    def related_resources(self, resource: Resource, level: Level) -> list[Resource]:
        """The same, with what is known of them."""
        within = select_related(resource, level)
        statement = (
            select(_resource)
            .where(_resource.c.resource_id.in_(within))
            .order_by(_resource.c.created_at, _resource.c.resource_id)
        )
        with self._engine.connect() as connection:
            return [as_resource(row) for row in connection.execute(statement)]

    def version(self, instance_id: str) -> Version | None:
        """The file that the instance's id names."""
        row = self._version.first({"instance_id": instance_id})
        return as_version(row) if row else None

    def versions(self, resource: Resource) -> list[Version]:
        """The files of all instances of a resource, in the order of their arrival."""
        with self._engine.connect() as connection:
            return _versions(connection, resource)

    def lookup(self, keyword: str, value: str) -> list[Resource]:
        """Resources whose tag has this value; for main_tags.IDENTIFIER_TAGS."""
        identifier = schema.identifier
        statement = (
            select(_resource)
            .join(identifier, identifier.c.resource_id == _resource.c.resource_id)
            .where(identifier.c.keyword == keyword, identifier.c.value == normalized(value))
            .order_by(_resource.c.created_at, _resource.c.resource_id)
        )
        with self._engine.connect() as connection:
            return [as_resource(row) for row in connection.execute(statement)]


def find_versions(connection: Connection, resource_id: str) -> list[Version]:
    """The file that an instance's id names, or those of all instances of another resource."""
    found = find_current(connection, resource_id)
    if found is not None:
        return [found]
    row = connection.execute(_GET, {"id": resource_id}).first()
    return _versions(connection, as_resource(row)) if row else []


def _versions(connection: Connection, resource: Resource) -> list[Version]:
    statement = (
        select_versions()
        .where(
            schema.version.c.instance_id.in_(select_related(resource, Level.INSTANCE)),
            schema.version.c.state == VersionState.CURRENT,
        )
        .order_by(schema.version.c.version_id)
    )
    return [as_version(row) for row in connection.execute(statement)]


def levels_below(level: Level) -> Sequence[Level]:
    """The levels under this one, the nearest first."""
    return _LEVELS[_LEVELS.index(level) + 1 :]


def select_related(resource: Resource, level: Level) -> Select[Any]:
    """A statement for the ids, in the order of arrival; the resource's own for its own level."""
    steps = _LEVELS.index(level) - _LEVELS.index(resource.level)
    table = _resource.alias()
    if steps == 0:
        return select(table.c.resource_id).where(table.c.resource_id == resource.resource_id)
    statement = select(table.c.resource_id).order_by(table.c.created_at, table.c.resource_id)
    current = table
    for _ in range(abs(steps)):
        following = _resource.alias()
        on = (
            following.c.resource_id == current.c.parent_id
            if steps > 0
            else following.c.parent_id == current.c.resource_id
        )
        statement = statement.join(following, on)
        current = following
    return statement.where(current.c.resource_id == resource.resource_id).distinct()


def as_resource(row: Row[Any]) -> Resource:
    """A row of the table of resources as the model knows it."""
    return Resource(
        resource_id=row.resource_id,
        level=Level(row.level),
        parent_id=row.parent_id or "",
        main_tags=row.main_tags,
        last_update=as_datetime(row.last_update),
        is_stable=row.is_stable,
        is_protected=row.is_protected,
    )
