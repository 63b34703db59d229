"""Whom instances can be sent to by name, beyond the configuration: what was put over REST."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Delete, Engine, bindparam, delete, insert, select

from gateway.store.committer import Committer
from gateway.store.schema import remote

_GET = select(remote.c.settings).where(
    remote.c.kind == bindparam("kind"), remote.c.name == bindparam("name")
)


class RemoteKind(StrEnum):
    """How a remote is spoken to."""

    MODALITY = "modality"  # DICOM
    PEER = "peer"  # HTTP


class Remotes:
    """The settings of remotes of one kind: JSON objects, by name. Thread-safe."""

    def __init__(self, kind: RemoteKind, engine: Engine, committer: Committer) -> None:
        self._kind = kind
        self._engine = engine
        self._committer = committer

    def get(self, name: str) -> Mapping[str, Any] | None:
        """What was put under this name."""
        with self._engine.connect() as connection:
            return connection.scalar(_GET, {"kind": self._kind, "name": name})

    def all(self) -> dict[str, Mapping[str, Any]]:
        """Everything, by name, in the order of the names."""
        statement = select(remote).where(remote.c.kind == self._kind).order_by(remote.c.name)
        with self._engine.connect() as connection:
            return {row.name: row.settings for row in connection.execute(statement)}

    def put(self, name: str, settings: Mapping[str, Any]) -> None:
        """Add it, or replace what was there. Raises StorageFull, StoreError."""
        row = {"kind": self._kind, "name": name, "settings": settings}

        def replace(connection: Connection) -> None:
            connection.execute(self._delete(name))
            connection.execute(insert(remote), row)

        self._committer.commit(replace)

    def remove(self, name: str) -> bool:
        """Forget it; False when there is nothing. Raises StorageFull, StoreError."""
        return self._committer.commit(
            lambda connection: connection.execute(self._delete(name)).rowcount > 0
        )

    def _delete(self, name: str) -> Delete:
        return delete(remote).where(remote.c.kind == self._kind, remote.c.name == name)
