"""How much a resource holds."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, func, select

from gateway.model import Level, Resource, VersionState
from gateway.store import schema
from gateway.store.catalogue import levels_below, select_related

_version, _attachment = schema.version, schema.attachment


@dataclass(frozen=True, slots=True)
class Usage:
    """counts: of the levels below. dicom_bytes: of images; attached_bytes: of other files."""

    counts: Mapping[Level, int]
    dicom_bytes: int
    attached_bytes: int


def usage_of(engine: Engine, resource: Resource) -> Usage:
    """Of one moment."""
    with engine.connect() as connection:
        return Usage(
            {level: _count(connection, resource, level) for level in levels_below(resource.level)},
            _dicom_bytes(connection, resource),
            sum(
                _attached_bytes(connection, resource, level)
                for level in (resource.level, *levels_below(resource.level))
            ),
        )


def _count(connection: Connection, resource: Resource, level: Level) -> int:
    related = select_related(resource, level).order_by(None).subquery()
    return connection.execute(select(func.count()).select_from(related)).scalar_one()


def _dicom_bytes(connection: Connection, resource: Resource) -> int:
    statement = select(func.coalesce(func.sum(_version.c.size_bytes), 0)).where(
        _version.c.instance_id.in_(select_related(resource, Level.INSTANCE).order_by(None)),
        _version.c.state == VersionState.CURRENT,
    )
    return int(connection.execute(statement).scalar_one())


def _attached_bytes(connection: Connection, resource: Resource, level: Level) -> int:
    statement = select(func.coalesce(func.sum(_attachment.c.size_bytes), 0)).where(
        _attachment.c.resource_id.in_(select_related(resource, level).order_by(None))
    )
    return int(connection.execute(statement).scalar_one())
