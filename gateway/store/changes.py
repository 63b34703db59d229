"""The log of changes and the log of exports, which clients follow by their numbers."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine, Row, Table, delete, insert, select, text

from gateway.model import Level
from gateway.store import schema
from gateway.store.committer import Committer
from gateway.store.resources import ancestors
from gateway.store.times import as_datetime

_change, _export, _resource = schema.change, schema.export, schema.resource
_IDENTIFIERS = {
    "patient_id": "PatientID",
    "study_instance_uid": "StudyInstanceUID",
    "series_instance_uid": "SeriesInstanceUID",
    "sop_instance_uid": "SOPInstanceUID",
}
# A number is never given twice, also when all entries are gone (SQLite's AUTOINCREMENT).
_LAST_NUMBER = text("SELECT seq FROM sqlite_sequence WHERE name = :name")


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to a resource. kind: of resources.ChangeKind."""

    number: int
    kind: str
    level: Level
    resource_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Export:
    """A resource was sent. identifiers: by keyword, those that its level has."""

    number: int
    level: Level
    resource_id: str
    remote: str
    identifiers: Mapping[str, str]
    at: datetime


Entry = TypeVar("Entry", Change, Export)


@dataclass(frozen=True, slots=True)
class Page(Generic[Entry]):
    """A part of a log, oldest first. is_done: nothing follows it. last: where to go on."""

    entries: tuple[Entry, ...]
    is_done: bool
    last: int


class ChangeLog:
    """Both logs as clients read and clear them."""

    def __init__(self, engine: Engine, committer: Committer) -> None:
        self._engine = engine
        self._committer = committer

    def changes(self, since: int, limit: int) -> Page[Change]:
        """Up to `limit` changes with numbers above `since`."""
        with self._engine.connect() as connection:
            page = _page(connection, _change, _as_change, since, limit)
            return page if page.entries else _at(page, _last_number(connection, _change))

    def last_change(self) -> Page[Change]:
        """The newest change alone."""
        with self._engine.connect() as connection:
            page = _newest(connection, _change, _as_change)
            return page if page.entries else _at(page, _last_number(connection, _change))

    def exports(self, since: int, limit: int) -> Page[Export]:
        """Up to `limit` exports with numbers above `since`."""
        with self._engine.connect() as connection:
            return _page(connection, _export, _as_export, since, limit)

    def last_export(self) -> Page[Export]:
        """The newest export alone."""
        with self._engine.connect() as connection:
            return _newest(connection, _export, _as_export)

    def forget_changes(self) -> None:
        """Clear the log of changes; its numbers go on."""
        self._committer.commit(lambda connection: connection.execute(delete(_change)))

    def forget_exports(self) -> None:
        """Clear the log of exports; its numbers go on."""
        self._committer.commit(lambda connection: connection.execute(delete(_export)))


def log_export(connection: Connection, level: Level, resource_id: str, remote: str) -> None:
    """A resource was sent. remote: the name of the modality or peer."""
    lineage = _resource.c.resource_id.in_(ancestors(connection, resource_id))
    tags: dict[str, str] = {}
    for main_tags in connection.scalars(select(_resource.c.main_tags).where(lineage)):
        tags |= main_tags
    connection.execute(
        insert(_export),
        {
            "level": level,
            "resource_id": resource_id,
            "remote": remote,
            "created_at": time.time(),
            **{column: tags.get(keyword, "") for column, keyword in _IDENTIFIERS.items()},
        },
    )


def _page(
    connection: Connection,
    table: Table,
    as_entry: Callable[[Row[Any]], Entry],
    since: int,
    limit: int,
) -> Page[Entry]:
    statement = select(table).where(table.c.seq > since).order_by(table.c.seq).limit(limit + 1)
    rows = connection.execute(statement).all()
    entries = tuple(as_entry(row) for row in rows[:limit])
    return Page(entries, len(rows) <= limit, entries[-1].number if entries else since)


def _newest(
    connection: Connection, table: Table, as_entry: Callable[[Row[Any]], Entry]
) -> Page[Entry]:
    row = connection.execute(select(table).order_by(table.c.seq.desc()).limit(1)).first()
    entries = (as_entry(row),) if row else ()
    return Page(entries, is_done=True, last=entries[0].number if entries else 0)


def _at(page: Page[Change], last: int) -> Page[Change]:
    return Page(page.entries, page.is_done, last)


def _last_number(connection: Connection, table: Table) -> int:
    return int(connection.scalar(_LAST_NUMBER, {"name": table.name}) or 0)


def _as_change(row: Row[Any]) -> Change:
    return Change(row.seq, row.kind, Level(row.level), row.resource_id, as_datetime(row.created_at))


def _as_export(row: Row[Any]) -> Export:
    level = Level(row.level)
    of_level = list(_IDENTIFIERS.items())[: list(Level).index(level) + 1]
    identifiers = {keyword: getattr(row, column) for column, keyword in of_level}
    return Export(
        row.seq, level, row.resource_id, row.remote, identifiers, as_datetime(row.created_at)
    )
