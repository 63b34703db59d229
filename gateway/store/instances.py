"""Instances and their versions in the index: what arrives, what replaces what, what is deleted."""

import dataclasses
import time
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from sqlalchemy import Connection, Engine, Row, Select, delete, exists, insert, select, update

from gateway.errors import DuplicateRefused, NotFound
from gateway.model import EventKind, Identifiers, Origin, OriginKind, Version, VersionState
from gateway.store import schema

DuplicatePolicy = Literal["overwrite", "keep", "reject"]
_LIVE = (VersionState.CURRENT, VersionState.KEPT)


class Outcome(StrEnum):
    """What became of an arrival."""

    STORED = "stored"
    IDENTICAL = "identical"  # already kept, byte for byte: success, and no second event
    OVERWRITTEN = "overwritten"
    KEPT_BESIDE = "kept-beside"


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A file to be entered: content_sha256 is of the data set as it was received."""

    storage_key: str
    transfer_syntax_uid: str
    size_bytes: int
    content_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Arrived:
    """The answer to an arrival."""

    version_id: int
    outcome: Outcome


def add_arrival(
    connection: Connection,
    identifiers: Identifiers,
    new: NewVersion,
    origin: Origin,
    duplicates: DuplicatePolicy,
) -> Arrived:
    """Enter a received file with its event, or find that it is known. Raises DuplicateRefused."""
    known = connection.execute(
        select(schema.version).where(
            schema.version.c.instance_id == identifiers.instance_id,
            schema.version.c.state.in_(_LIVE),
        )
    ).all()
    for row in known:
        if row.content_sha256 == new.content_sha256:
            return Arrived(row.version_id, Outcome.IDENTICAL)
    if known and duplicates == "reject":
        raise DuplicateRefused(
            f"instance {identifiers.instance_id} is kept already, with other content"
        )
    state = VersionState.CURRENT
    outcome = Outcome.STORED
    if known and duplicates == "overwrite":
        _supersede(connection, identifiers.instance_id)
        outcome = Outcome.OVERWRITTEN
    elif known:
        state, outcome = VersionState.KEPT, Outcome.KEPT_BESIDE
    _ensure_instance(connection, identifiers)
    version_id = _insert_version(connection, identifiers.instance_id, new, origin, state)
    connection.execute(
        insert(schema.event).values(
            kind=EventKind.STORED_INSTANCE, version_id=version_id, created_at=time.time()
        )
    )
    return Arrived(version_id, outcome)


def add_derived(
    connection: Connection, source_version_id: int, new: NewVersion, *, replace: bool
) -> int:
    """Enter a file that a task made from a version; answer its version id.

    It keeps its source's content_sha256: sending the original again is still a repetition.
    replace: it takes the place of its source, unless something newer has done so meanwhile.
    """
    source = _row(connection, source_version_id)
    if source is None:
        raise NotFound(f"version {source_version_id} does not exist any more")
    state = VersionState.DERIVED
    if replace and source.state in _LIVE:
        state = VersionState(source.state)
        connection.execute(
            update(schema.version)
            .where(schema.version.c.version_id == source_version_id)
            .values(state=VersionState.SUPERSEDED)
        )
    return _insert_version(
        connection,
        source.instance_id,
        dataclasses.replace(new, content_sha256=source.content_sha256),
        as_origin(source),
        state,
        root_version_id=source.root_version_id or source.version_id,
    )


def mark_deleted(connection: Connection, version_id: int) -> int:
    """Delete a version and what was made from it; answer how many were live.

    Their files go when no event and no task needs them any more.
    """
    root = connection.scalar(
        select(schema.version.c.root_version_id).where(schema.version.c.version_id == version_id)
    )
    root = root or version_id
    return connection.execute(
        update(schema.version)
        .where(
            (schema.version.c.version_id == root) | (schema.version.c.root_version_id == root),
            schema.version.c.state.in_(_LIVE),
        )
        .values(state=VersionState.DELETED)
    ).rowcount


def find_version(connection: Connection, version_id: int) -> Version | None:
    """The version with this id, None when it is gone."""
    row = _row(connection, version_id)
    return as_version(row) if row else None


def find_current(connection: Connection, instance_id: str) -> Version | None:
    """The version that an instance's id names, None when there is no such instance."""
    row = connection.execute(
        select_versions().where(
            schema.version.c.instance_id == instance_id,
            schema.version.c.state == VersionState.CURRENT,
        )
    ).first()
    return as_version(row) if row else None


class Instances:
    """Reading, on connections of its own: waits for no writer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def current(self, instance_id: str) -> Version | None:
        """The version that an instance's id names, None when there is no such instance."""
        with self._engine.connect() as connection:
            return find_current(connection, instance_id)

    def version(self, version_id: int) -> Version | None:
        """The version with this id, None when it is gone."""
        with self._engine.connect() as connection:
            return find_version(connection, version_id)


def select_versions() -> Select[Any]:
    """All columns of versions, with the SOP UIDs of their instances: what as_version() reads."""
    return select(
        schema.version, schema.instance.c.sop_class_uid, schema.instance.c.sop_instance_uid
    ).join(schema.instance, schema.instance.c.instance_id == schema.version.c.instance_id)


def as_version(row: Row[Any]) -> Version:
    """A row of select_versions() as the model knows it."""
    return Version(
        version_id=row.version_id,
        instance_id=row.instance_id,
        sop_class_uid=row.sop_class_uid,
        sop_instance_uid=row.sop_instance_uid,
        transfer_syntax_uid=row.transfer_syntax_uid,
        storage_key=row.storage_key,
        size_bytes=row.size_bytes,
        state=VersionState(row.state),
    )


def as_origin(row: Row[Any]) -> Origin:
    """Who handed us the version of this row."""
    return Origin(
        OriginKind(row.origin_kind), row.calling_aet, row.called_aet, row.remote_ip, row.username
    )


def _row(connection: Connection, version_id: int) -> Row[Any] | None:
    return connection.execute(
        select_versions().where(schema.version.c.version_id == version_id)
    ).first()


def _ensure_instance(connection: Connection, identifiers: Identifiers) -> None:
    exists = connection.scalar(
        select(schema.instance.c.instance_id).where(
            schema.instance.c.instance_id == identifiers.instance_id
        )
    )
    if exists:
        return
    connection.execute(
        insert(schema.instance).values(
            instance_id=identifiers.instance_id,
            patient_id=identifiers.patient_id,
            study_instance_uid=identifiers.study_instance_uid,
            series_instance_uid=identifiers.series_instance_uid,
            sop_instance_uid=identifiers.sop_instance_uid,
            sop_class_uid=identifiers.sop_class_uid,
        )
    )


def _insert_version(
    connection: Connection,
    instance_id: str,
    new: NewVersion,
    origin: Origin,
    state: VersionState,
    root_version_id: int | None = None,
) -> int:
    result = connection.execute(
        insert(schema.version).values(
            instance_id=instance_id,
            root_version_id=root_version_id,
            state=state,
            transfer_syntax_uid=new.transfer_syntax_uid,
            storage_key=new.storage_key,
            size_bytes=new.size_bytes,
            content_sha256=new.content_sha256,
            created_at=time.time(),
            origin_kind=origin.kind,
            calling_aet=origin.calling_aet,
            called_aet=origin.called_aet,
            remote_ip=origin.remote_ip,
            username=origin.username,
        )
    )
    key = result.inserted_primary_key
    assert key is not None  # a single-row insert always has one
    return int(key[0])


def _supersede(connection: Connection, instance_id: str) -> None:
    connection.execute(
        update(schema.version)
        .where(schema.version.c.instance_id == instance_id, schema.version.c.state.in_(_LIVE))
        .values(state=VersionState.SUPERSEDED)
    )


def delete_versions(connection: Connection, version_ids: Collection[int]) -> None:
    """Forget versions whose files are gone, their events, and instances that have none left."""
    version, event, marks = schema.version, schema.event, schema.lane_event
    going = version.c.version_id.in_(version_ids)
    instance_ids = connection.scalars(select(version.c.instance_id).where(going)).all()
    events = select(event.c.event_id).where(event.c.version_id.in_(version_ids))
    connection.execute(delete(marks).where(marks.c.event_id.in_(events)))
    connection.execute(delete(event).where(event.c.version_id.in_(version_ids)))
    connection.execute(delete(version).where(going))
    connection.execute(
        delete(schema.instance).where(
            schema.instance.c.instance_id.in_(instance_ids),
            ~exists().where(version.c.instance_id == schema.instance.c.instance_id),
        )
    )
