"""How much is stored, counted anew whenever somebody asks."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Engine, func, select

from gateway.model import Level, VersionState
from gateway.store import schema

_resource, _version, _attachment = schema.resource, schema.version, schema.attachment
_COUNTS = select(_resource.c.level, func.count()).group_by(_resource.c.level)
_BYTES_OF_INSTANCES = select(func.coalesce(func.sum(_version.c.size_bytes), 0)).where(
    _version.c.state == VersionState.CURRENT
)
_BYTES_OF_ATTACHMENTS = select(func.coalesce(func.sum(_attachment.c.size_bytes), 0))


@dataclass(frozen=True, slots=True)
class Totals:
    """resources: how many there are of each level. size_bytes: of all files that they show."""

    resources: Mapping[Level, int]
    size_bytes: int


def totals(engine: Engine) -> Totals:
    """Of one moment. Files that wait for their removal are not counted."""
    with engine.connect() as connection:
        counts = {Level(level): count for level, count in connection.execute(_COUNTS).all()}
        instances = connection.execute(_BYTES_OF_INSTANCES).scalar_one()
        attachments = connection.execute(_BYTES_OF_ATTACHMENTS).scalar_one()
    return Totals({level: counts.get(level, 0) for level in Level}, instances + attachments)
