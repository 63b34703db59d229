"""What is noted of a resource beside its tags: each note has a name and a revision."""

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, bindparam, delete, insert, select, update

from gateway.errors import NotFound
from gateway.model import Level
from gateway.store import schema
from gateway.store.committer import Committer
from gateway.store.reception import system_metadata
from gateway.store.resources import ChangeKind, level_of, log_change

_metadata = schema.resource_metadata
_ALL = (
    select(_metadata.c.name, _metadata.c.value, _metadata.c.revision)
    .where(_metadata.c.resource_id == bindparam("of"))
    .order_by(_metadata.c.name)
)
_OF_SEVERAL = select(_metadata.c.resource_id, _metadata.c.name, _metadata.c.value).where(
    _metadata.c.resource_id.in_(bindparam("of", expanding=True))
)


class Revised(Protocol):
    """What can be replaced by several clients. revision: how often it was."""

    @property
    def revision(self) -> int: ...
    @property
    def md5(self) -> str: ...


Guard = Callable[[Revised | None], None]
"""Is shown what is to be replaced or deleted, None when there is nothing; raises to prevent it."""


@dataclass(frozen=True, slots=True)
class Metadatum:
    """One note. revision: how often it was replaced."""

    value: str
    revision: int = 0

    @property
    def md5(self) -> str:
        """Of the value in UTF-8."""
        return hashlib.md5(self.value.encode(), usedforsecurity=False).hexdigest()


class UserMetadata:
    """The notes that clients read and write; every change is logged."""

    def __init__(self, engine: Engine, committer: Committer) -> None:
        self._engine = engine
        self._committer = committer

    def of(self, level: Level, resource_id: str) -> dict[str, Metadatum]:
        """All notes on a resource, by name, with what is known of its reception."""
        with self._engine.connect() as connection:
            return known_of(connection, level, resource_id)

    def put(self, resource_id: str, name: str, value: str, guard: Guard) -> Metadatum:
        """Write a note. Raises NotFound (the resource), and what the guard raises."""

        def apply(connection: Connection) -> Metadatum:
            level = level_of(connection, resource_id)
            guard(metadata_of(connection, resource_id).get(name))
            revision = set_metadata(connection, resource_id, name, value)
            log_change(connection, ChangeKind.UPDATED_METADATA, level, resource_id)
            return Metadatum(value, revision)

        return self._committer.commit(apply)

    def delete(self, resource_id: str, name: str, guard: Guard) -> None:
        """Forget a note. Raises NotFound (the resource, or the note), and what the guard raises."""

        def apply(connection: Connection) -> None:
            level = level_of(connection, resource_id)
            known = metadata_of(connection, resource_id).get(name)
            if known is None:
                raise NotFound(f"there is no metadata {name} of {resource_id}")
            guard(known)
            delete_metadata(connection, resource_id, name)
            log_change(connection, ChangeKind.UPDATED_METADATA, level, resource_id)

        self._committer.commit(apply)


def known_of(connection: Connection, level: Level, resource_id: str) -> dict[str, Metadatum]:
    """All notes on a resource, by name, with what is known of its reception."""
    received = system_metadata(connection, level, resource_id)
    notes = {name: Metadatum(value) for name, value in received.items()}
    return notes | metadata_of(connection, resource_id)


def metadata_of(connection: Connection, resource_id: str) -> dict[str, Metadatum]:
    """All notes on a resource, by name."""
    rows = connection.execute(_ALL, {"of": resource_id})
    return {row.name: Metadatum(row.value, row.revision) for row in rows}


def notes_of(connection: Connection, resource_ids: Collection[str]) -> dict[str, dict[str, str]]:
    """The values of all notes on several resources, by id and name."""
    found: dict[str, dict[str, str]] = {}
    if resource_ids:
        for row in connection.execute(_OF_SEVERAL, {"of": list(resource_ids)}):
            found.setdefault(row.resource_id, {})[row.name] = row.value
    return found


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
