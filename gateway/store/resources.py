"""Patients, studies, series and instances in the index: they come and go with their instances.

Everything here is part of the transaction that enters or deletes a version.
"""

import time
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)

from gateway.dicom.identifiers import resource_ids
from gateway.dicom.main_tags import IDENTIFIER_TAGS, normalized, of_level
from gateway.errors import NotFound
from gateway.model import Level, Summary
from gateway.store import notices, schema

_resource, _identifier, _change = schema.resource, schema.identifier, schema.change
_attachment = schema.attachment
# What belongs to a resource and goes with it.
_BELONGINGS = (_identifier, schema.resource_metadata, schema.label, _attachment, _change)


class ChangeKind(StrEnum):
    """What the log of changes tells; the values are Orthanc's."""

    NEW_INSTANCE = "NewInstance"
    NEW_SERIES = "NewSeries"
    NEW_STUDY = "NewStudy"
    NEW_PATIENT = "NewPatient"
    STABLE_SERIES = "StableSeries"
    STABLE_STUDY = "StableStudy"
    STABLE_PATIENT = "StablePatient"
    UPDATED_METADATA = "UpdatedMetadata"
    UPDATED_ATTACHMENT = "UpdatedAttachment"


_TOLD = {
    ChangeKind.STABLE_SERIES: notices.STABLE,
    ChangeKind.STABLE_STUDY: notices.STABLE,
    ChangeKind.STABLE_PATIENT: notices.STABLE,
    ChangeKind.UPDATED_METADATA: notices.UPDATED,
    ChangeKind.UPDATED_ATTACHMENT: notices.UPDATED,
}
_IS_NEW = {
    Level.INSTANCE: ChangeKind.NEW_INSTANCE,
    Level.SERIES: ChangeKind.NEW_SERIES,
    Level.STUDY: ChangeKind.NEW_STUDY,
    Level.PATIENT: ChangeKind.NEW_PATIENT,
}

# Statements of the receiving path are made once: making one costs more than running it.
_FIND = select(_resource.c.resource_id).where(
    _resource.c.resource_id.in_(bindparam("ids", expanding=True))
)
_ADD = insert(_resource)
_ADD_IDENTIFIERS = insert(_identifier)
_ADD_CHANGES = insert(_change)
_TOUCH = (
    update(_resource)
    .where(_resource.c.resource_id.in_(bindparam("ids", expanding=True)))
    .values(last_update=bindparam("now"), is_stable=False)
)
_DESCRIBE = (
    update(_resource)
    .where(_resource.c.resource_id == bindparam("id"))
    .values(main_tags=bindparam("tags"), last_update=bindparam("now"))
)
# Of a resource, the one in it for which something came last.
_LATEST_CHILD = (
    select(_resource.c.resource_id)
    .where(_resource.c.parent_id == bindparam("of"))
    .order_by(_resource.c.last_update.desc())
    .limit(1)
)
_GENERATION = select(func.max(schema.version.c.generation)).where(
    schema.version.c.instance_id.in_(bindparam("ids", expanding=True))
)
_FORGET_CHANGES = delete(_change).where(_change.c.resource_id == bindparam("of"))


def enter(connection: Connection, summary: Summary) -> None:
    """An instance was stored: enter what is new of the four resources, and note the changes.

    The instance itself is described anew; a parent keeps what its first instance said of it, as
    long as it has one.
    """
    now = time.time()
    ids = resource_ids(summary.identifiers)
    known = set(connection.scalars(_FIND, {"ids": list(ids.values())}))
    new = {level: each for level, each in ids.items() if each not in known}
    if new:
        _add(connection, ids, new, summary.main_tags, now)
    instance_id = ids[Level.INSTANCE]
    if instance_id in known:
        known.remove(instance_id)
        _describe_anew(connection, instance_id, summary, now)
    if known:
        connection.execute(_TOUCH, {"ids": list(known), "now": now})


def leave(connection: Connection, instance_id: str) -> None:
    """An instance is not there any more: remove it, and what is empty without it."""
    generation = generation_of(connection, [instance_id])
    resource_id: str | None = instance_id
    while resource_id is not None and not _has_children(connection, resource_id):
        parent_id = connection.scalar(
            select(_resource.c.parent_id).where(_resource.c.resource_id == resource_id)
        )
        forget(connection, [resource_id], generation)
        resource_id = parent_id


def forget(connection: Connection, resource_ids: Collection[str], generation: int) -> None:
    """Remove resources that have no children any more, with all that belongs to them.

    generation: see Origin; of the instances that have gone.
    """
    _tell_of_deletion(connection, resource_ids, generation)
    detach_files(connection, _attachment.c.resource_id.in_(resource_ids))
    for table in (*_BELONGINGS, _resource):
        connection.execute(delete(table).where(table.c.resource_id.in_(resource_ids)))


def describe(connection: Connection, summary: Summary) -> None:
    """Have an instance and all above it say what this summary says of them."""
    now = time.time()
    ids = resource_ids(summary.identifiers)
    for level, resource_id in ids.items():
        tags = of_level(level, summary.main_tags)
        connection.execute(_DESCRIBE, {"id": resource_id, "tags": tags, "now": now})
    connection.execute(delete(_identifier).where(_identifier.c.resource_id.in_(ids.values())))
    if identifiers := _identifiers(ids, summary.main_tags):
        connection.execute(_ADD_IDENTIFIERS, identifiers)


def detach_files(connection: Connection, which: ColumnElement[bool]) -> None:
    """Have the files of these attachments removed once the transaction is committed."""
    keys = select(_attachment.c.storage_key).where(which)
    connection.execute(insert(schema.detached_file).from_select(["storage_key"], keys))


def log_change(connection: Connection, kind: ChangeKind, level: Level, resource_id: str) -> None:
    """Add one entry to the log of changes, and tell the lanes of what has a callback."""
    now = time.time()
    connection.execute(
        _ADD_CHANGES,
        {"kind": kind, "level": level, "resource_id": resource_id, "created_at": now},
    )
    if kind in _TOLD and notices.wanted(connection, [told := _TOLD[kind][level]]):
        latest = _latest_instance(connection, level, resource_id)
        generation = generation_of(connection, [latest])
        notices.enter_notice(connection, told, resource_id, now, generation)


def generation_of(connection: Connection, instance_ids: Collection[str]) -> int:
    """The highest among these instances, also of those that were just deleted; see Origin."""
    return connection.scalar(_GENERATION, {"ids": list(instance_ids)}) or 0


def level_of(connection: Connection, resource_id: str) -> Level:
    """The level of a resource. Raises NotFound: it is not there any more."""
    level = connection.scalar(
        select(_resource.c.level).where(_resource.c.resource_id == resource_id)
    )
    if level is None:
        raise NotFound(f"there is no resource {resource_id}")
    return Level(level)


def ancestors(connection: Connection, resource_id: str) -> list[str]:
    """A resource and all above it, lowest first."""
    found = []
    current: str | None = resource_id
    while current is not None:
        found.append(current)
        current = connection.scalar(
            select(_resource.c.parent_id).where(_resource.c.resource_id == current)
        )
    return found


def _latest_instance(connection: Connection, level: Level, resource_id: str) -> str:
    """The one that came last below a resource."""
    below = list(Level)[list(Level).index(level) + 1 :]
    for _ in below:
        resource_id = connection.scalar(_LATEST_CHILD, {"of": resource_id}) or resource_id
    return resource_id


def _tell_of_deletion(
    connection: Connection, resource_ids: Collection[str], generation: int
) -> None:
    wanted = notices.wanted(connection, notices.DELETED.values())
    if not wanted:
        return
    levels = select(_resource.c.resource_id, _resource.c.level).where(
        _resource.c.resource_id.in_(resource_ids)
    )
    now = time.time()
    for resource_id, level in connection.execute(levels).all():
        kind = notices.DELETED[Level(level)]
        if kind in wanted:
            notices.enter_notice(connection, kind, resource_id, now, generation)


def _describe_anew(connection: Connection, instance_id: str, summary: Summary, now: float) -> None:
    """Other content came for an instance: to whoever follows the changes it is a new one."""
    tags = of_level(Level.INSTANCE, summary.main_tags)
    connection.execute(_DESCRIBE, {"id": instance_id, "tags": tags, "now": now})
    connection.execute(_FORGET_CHANGES, {"of": instance_id})
    log_change(connection, ChangeKind.NEW_INSTANCE, Level.INSTANCE, instance_id)


def _add(
    connection: Connection,
    ids: Mapping[Level, str],
    new: Mapping[Level, str],
    tags: Mapping[str, str],
    now: float,
) -> None:
    parents = dict(zip(ids.values(), [None, *ids.values()], strict=False))
    rows = [
        {
            "resource_id": resource_id,
            "level": level,
            "parent_id": parents[resource_id],
            "main_tags": of_level(level, tags),
            "created_at": now,
            "last_update": now,
            "is_stable": level is Level.INSTANCE,
            "is_protected": False,
        }
        for level, resource_id in new.items()
    ]
    connection.execute(_ADD, rows)
    if identifiers := _identifiers(new, tags):
        connection.execute(_ADD_IDENTIFIERS, identifiers)
    # As Orthanc does: the instance first, the patient last.
    changes = [
        {"kind": _IS_NEW[level], "level": level, "resource_id": resource_id, "created_at": now}
        for level, resource_id in reversed(list(new.items()))
    ]
    connection.execute(_ADD_CHANGES, changes)


def _identifiers(new: Mapping[Level, str], tags: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {"resource_id": resource_id, "keyword": keyword, "value": normalized(tags[keyword])}
        for level, resource_id in new.items()
        for keyword in IDENTIFIER_TAGS[level]
        if keyword in tags
    ]


def _has_children(connection: Connection, resource_id: str) -> bool:
    return bool(connection.scalar(select(exists().where(_resource.c.parent_id == resource_id))))
