"""Instances and their versions in the index: what arrives, what replaces what, what is deleted."""

import dataclasses
import time
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from sqlalchemy import (
    Connection,
    Row,
    Select,
    bindparam,
    delete,
    exists,
    insert,
    or_,
    select,
    update,
)

from gateway.errors import DuplicateRefused, NotFound
from gateway.model import (
    EventKind,
    Identifiers,
    Origin,
    OriginKind,
    Summary,
    Version,
    VersionState,
)
from gateway.store import resources, schema

DuplicatePolicy = Literal["overwrite", "keep", "reject", "discard"]
_version, _instance, _event = schema.version, schema.instance, schema.event
LIVE = (VersionState.CURRENT, VersionState.KEPT)
_is_live = or_(*(_version.c.state == state for state in LIVE))

# Statements of the receiving path are made once: making one costs more than running it.
_FIND_LIVE = select(
    _version.c.version_id, _version.c.state, _version.c.content_sha256, _version.c.storage_key
).where(_version.c.instance_id == bindparam("instance_id"), _is_live)
_FIND_CLASS = select(_instance.c.sop_class_uid).where(
    _instance.c.instance_id == bindparam("instance_id")
)
_ADD_INSTANCE = insert(_instance)
_ADD_VERSION = insert(_version).returning(_version.c.version_id)
_ADD_EVENT = insert(_event)
_FIND_ROOT = select(_version.c.root_version_id).where(_version.c.version_id == bindparam("of"))
_FIND_INSTANCE = select(_version.c.instance_id).where(_version.c.version_id == bindparam("of"))
_DELETE_ALL_OF = (
    update(_version)
    .where(
        (_version.c.version_id == bindparam("root"))
        | (_version.c.root_version_id == bindparam("root")),
        _is_live,
    )
    .values(state=VersionState.DELETED)
)


class Outcome(StrEnum):
    """What became of an arrival."""

    STORED = "stored"
    IDENTICAL = "identical"  # already kept, byte for byte: success, and no second event
    OVERWRITTEN = "overwritten"
    KEPT_BESIDE = "kept-beside"
    DISCARDED = "discarded"  # other content is kept already: success, and nothing happens

    @property
    def is_new(self) -> bool:
        """Something was entered, with an event."""
        return self not in (Outcome.IDENTICAL, Outcome.DISCARDED)


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A file to be entered: content_sha256 is of the data set as it was received."""

    storage_key: str
    transfer_syntax_uid: str
    size_bytes: int
    content_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Arrived:
    """The answer to an arrival: the version that holds its content, and that version's file."""

    version_id: int
    outcome: Outcome
    storage_key: str


def add_arrival(
    connection: Connection,
    summary: Summary,
    new: NewVersion,
    origin: Origin,
    duplicates: DuplicatePolicy,
) -> Arrived:
    """Enter a received file with its event, or find that it is known. Raises DuplicateRefused."""
    identifiers = summary.identifiers
    known = connection.execute(_FIND_LIVE, {"instance_id": identifiers.instance_id}).all()
    for row in known:
        if row.content_sha256 == new.content_sha256:
            return Arrived(row.version_id, Outcome.IDENTICAL, row.storage_key)
    if known and duplicates == "reject":
        raise DuplicateRefused(
            f"instance {identifiers.instance_id} is kept already, with other content"
        )
    if known and duplicates == "discard":
        kept = next((row for row in known if row.state == VersionState.CURRENT), known[0])
        return Arrived(kept.version_id, Outcome.DISCARDED, kept.storage_key)
    state = VersionState.CURRENT
    outcome = Outcome.STORED
    # Only what the id names is in the way: others were kept beside it, perhaps by another policy.
    has_current = any(row.state == VersionState.CURRENT for row in known)
    if has_current and duplicates == "overwrite":
        _supersede(connection, identifiers.instance_id)
        outcome = Outcome.OVERWRITTEN
    elif has_current:
        state, outcome = VersionState.KEPT, Outcome.KEPT_BESIDE
    _ensure_instance(connection, identifiers)
    version_id = _insert_version(connection, identifiers.instance_id, new, origin, state)
    if state is VersionState.CURRENT:
        resources.enter(connection, summary)
    connection.execute(
        _ADD_EVENT,
        {
            "kind": EventKind.STORED_INSTANCE,
            "subject": identifiers.instance_id,
            "version_id": version_id,
            "created_at": time.time(),
        },
    )
    return Arrived(version_id, outcome, new.storage_key)


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
    if replace and source.state in LIVE:
        state = VersionState(source.state)
        connection.execute(
            update(_version)
            .where(_version.c.version_id == source_version_id)
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


def give_file(connection: Connection, version_id: int, new: NewVersion) -> bool:
    """Let a version whose file was lost have another of its content; False when it is not live."""
    return bool(
        connection.execute(
            update(_version)
            .where(_version.c.version_id == version_id, _is_live)
            .values(
                storage_key=new.storage_key,
                transfer_syntax_uid=new.transfer_syntax_uid,
                size_bytes=new.size_bytes,
            )
        ).rowcount
    )


def mark_deleted(connection: Connection, version_id: int) -> int:
    """Delete a version and what was made from it; answer how many were live.

    Their files go when no event and no task needs them any more.
    """
    root = connection.scalar(_FIND_ROOT, {"of": version_id}) or version_id
    deleted = connection.execute(_DELETE_ALL_OF, {"root": root}).rowcount
    instance_id = connection.execute(_FIND_INSTANCE, {"of": version_id}).scalar_one_or_none()
    if deleted and instance_id and find_current(connection, instance_id) is None:
        resources.leave(connection, instance_id)
    return deleted


def select_versions() -> Select[Any]:
    """All columns of versions, with the SOP UIDs of their instances: what as_version() reads."""
    return select(_version, _instance.c.sop_class_uid, _instance.c.sop_instance_uid).join(
        _instance, _instance.c.instance_id == _version.c.instance_id
    )


# The version that an instance's id names.
CURRENT_VERSION = select_versions().where(
    _version.c.instance_id == bindparam("instance_id"), _version.c.state == VersionState.CURRENT
)


def find_current(connection: Connection, instance_id: str) -> Version | None:
    """The version that an instance's id names, None when there is no such instance."""
    row = connection.execute(CURRENT_VERSION, {"instance_id": instance_id}).first()
    return as_version(row) if row else None


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
        OriginKind(row.origin_kind),
        row.calling_aet,
        row.called_aet,
        row.remote_ip,
        row.username,
        row.generation,
    )


def _row(connection: Connection, version_id: int) -> Row[Any] | None:
    return connection.execute(select_versions().where(_version.c.version_id == version_id)).first()


def _ensure_instance(connection: Connection, identifiers: Identifiers) -> None:
    known_class = connection.scalar(_FIND_CLASS, {"instance_id": identifiers.instance_id})
    if known_class is None:
        connection.execute(_ADD_INSTANCE, dataclasses.asdict(identifiers))
    elif known_class != identifiers.sop_class_uid:  # the newest content says what the instance is
        connection.execute(
            update(_instance)
            .where(_instance.c.instance_id == identifiers.instance_id)
            .values(sop_class_uid=identifiers.sop_class_uid)
        )


def _insert_version(
    connection: Connection,
    instance_id: str,
    new: NewVersion,
    origin: Origin,
    state: VersionState,
    root_version_id: int | None = None,
) -> int:
    columns = {
        "instance_id": instance_id,
        "root_version_id": root_version_id,
        "state": state,
        "transfer_syntax_uid": new.transfer_syntax_uid,
        "storage_key": new.storage_key,
        "size_bytes": new.size_bytes,
        "content_sha256": new.content_sha256,
        "created_at": time.time(),
        "origin_kind": origin.kind,
        "calling_aet": origin.calling_aet,
        "called_aet": origin.called_aet,
        "remote_ip": origin.remote_ip,
        "username": origin.username,
        "generation": origin.generation,
    }
    return int(connection.execute(_ADD_VERSION, columns).scalar_one())


def _supersede(connection: Connection, instance_id: str) -> None:
    connection.execute(
        update(_version)
        .where(_version.c.instance_id == instance_id, _version.c.state == VersionState.CURRENT)
        .values(state=VersionState.SUPERSEDED)
    )


def delete_versions(connection: Connection, version_ids: Collection[int]) -> None:
    """Forget versions whose files are gone, their events, and instances that have none left."""
    marks = schema.lane_event
    going = _version.c.version_id.in_(version_ids)
    instance_ids = connection.scalars(select(_version.c.instance_id).where(going)).all()
    events = select(_event.c.event_id).where(_event.c.version_id.in_(version_ids))
    connection.execute(delete(marks).where(marks.c.event_id.in_(events)))
    connection.execute(delete(_event).where(_event.c.version_id.in_(version_ids)))
    connection.execute(delete(_version).where(going))
    connection.execute(
        delete(_instance).where(
            _instance.c.instance_id.in_(instance_ids),
            ~exists().where(_version.c.instance_id == _instance.c.instance_id),
        )
    )
