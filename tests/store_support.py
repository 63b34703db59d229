"""Looking into an index, for tests."""

from sqlalchemy import Engine

from gateway.model import Version
from gateway.store import schema
from gateway.store.instances import as_version, find_current, select_versions


class Instances:
    """Versions by the id of their instance, or by their own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def current(self, instance_id: str) -> Version | None:
        with self._engine.connect() as connection:
            return find_current(connection, instance_id)

    def version(self, version_id: int) -> Version | None:
        with self._engine.connect() as connection:
            row = connection.execute(
                select_versions().where(schema.version.c.version_id == version_id)
            ).first()
        return as_version(row) if row else None
